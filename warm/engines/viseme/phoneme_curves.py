"""From phonemes and sound to the mouth's seven numbers, a hundred times a second and per frame.

Each sound pulls the mouth towards its target, spread in time by a Gaussian and weighed by how much
it insists (coarticulation by dominance, after Cohen and Massaro 1993). Contacts that must be seen
(lips in /p b m/, lip and teeth in /f v/) are gates with skirts; the frame that shows the middle of
a contact takes its full height, so that no frame rate skips one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import erf

from tts.phonemes import CLOSURE_S, VOICELESS_STOPS
from tts.speech import Phoneme, Speech
from warm.engines.viseme.ipa_targets import Gate, Target, parts_of
from warm.engines.viseme.shape import Shape

CURVE_HZ = 100
LEAD_S = 0.020
"""The mouth is that far ahead of the sound, as people's are."""
VOWEL_SIGMA_S, CONSONANT_SIGMA_S = 0.070, 0.038

GATE_SKIRT_S = 0.040
GATE_TRIM_S = 0.020
"""Taken from either end of a contact before the skirts: lips are on their way by then."""
SHORTEST_GATE_S = 0.012
"""Longer than a step of the curve, so that every contact has a point at 1."""
TUCK_LEAVES_OPEN = 0.25
"""Share of the opening that is left when the lower lip is under the teeth."""

PAUSE_CLOSES_S, PAUSE_OPENS_S = 0.080, 0.060
"""How long the mouth takes to close into a pause, and to open out of it."""
SHORTEST_REST_S = 0.080
"""A shorter pause does not shut the mouth."""

GAIN_WINDOW_S = 0.030
GAIN_POWER = 0.25
GAIN_RANGE = (0.75, 1.10)
_LOUD_PERCENTILE = 80

Curve = NDArray[np.float64]


class NoPhonemesError(ValueError):
    """This speech comes from a voice that knows no phonemes."""


@dataclass(frozen=True, slots=True, eq=False)
class MouthCurves:
    """A sentence's mouth on a clock of CURVE_HZ; row i is at i / CURVE_HZ seconds."""

    free: Curve
    """(n, 7) by Shape: the mouth before any contact is made."""
    press: "Contacts"
    """The lips on each other."""
    tuck: "Contacts"
    """The lower lip on the upper teeth."""

    def with_contacts(self) -> Curve:
        """(n, 7) by Shape: the mouth with its contacts."""
        return _with_contacts(self.free, self.press.gate, self.tuck.gate)


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """All contacts of one kind in a sentence."""

    gate: Curve
    """(n,) 0…1 at CURVE_HZ: 1 while a contact lasts, with skirts of GATE_SKIRT_S on both sides."""
    middles_s: Curve
    """(m,) the middle of each contact."""

    def per_frame(self, frames: int, fps: int) -> Curve:
        """(frames,): the gate in the middle of each frame, 1 in frames that show a contact's."""
        gate = _at_frames(self.gate, frames, fps)
        shown = np.floor(self.middles_s * fps).astype(np.intp)
        gate[shown[shown < frames]] = 1.0
        return gate


def mouth_track_from_phonemes(speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
    """The mouth in each of `frames` video frames: (frames, 7) float32 by Shape.

    Frame k is shown from k/fps to (k+1)/fps. OPEN holds everything: the closures of /p b m/, and
    exactly 0 in pauses and after the speech. Raises NoPhonemesError.
    """
    points = -(-frames * CURVE_HZ // fps) + 2
    curves = mouth_curves(speech, points=points)
    free = np.stack([_at_frames(column, frames, fps) for column in curves.free.T], axis=1)
    press, tuck = curves.press.per_frame(frames, fps), curves.tuck.per_frame(frames, fps)
    return _with_contacts(free, press, tuck).astype(np.float32)


def mouth_curves(speech: Speech, *, points: int) -> MouthCurves:
    """The mouth at `points` times, CURVE_HZ a second from the first; raises NoPhonemesError."""
    if speech.phonemes is None:
        raise NoPhonemesError(
            f"the sentence {speech.text[:40]!r} has no phonemes, and the viseme engine draws "
            "from phonemes only. Choose a voice whose knows_phonemes is true in GET /voices."
        )
    times = np.arange(points) / CURVE_HZ
    sounds = list(_sounds(speech.phonemes))
    free = _blend(sounds, times + LEAD_S)
    free[:, Shape.OPEN] *= _gain(speech, times)
    free = np.clip(free, -1.0, 1.0) * (1 - _rest(speech.phonemes, times))[:, None]
    return MouthCurves(
        free, _contacts(sounds, Gate.LIPS, times), _contacts(sounds, Gate.LIP_AND_TEETH, times)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Sound:
    target: Target
    start_s: float
    end_s: float
    contact_end_s: float


def _sounds(phonemes: tuple[Phoneme, ...]) -> Iterator[_Sound]:
    for phoneme in phonemes:
        at, length = phoneme.start_s, phoneme.end_s - phoneme.start_s
        for part in parts_of(phoneme.symbol):
            end = at + part.share * length
            bursts = phoneme.symbol[:1] in VOICELESS_STOPS
            yield _Sound(part.target, at, end, min(end, at + CLOSURE_S) if bursts else end)
            at = end


def _blend(sounds: list[_Sound], times: Curve) -> Curve:
    """(n, 7): every sound's target, weighed by its Gaussian-smoothed presence."""
    starts, ends = np.array([(s.start_s, s.end_s) for s in sounds]).T
    starts[0], ends[-1] = -np.inf, np.inf
    sigma = np.array([VOWEL_SIGMA_S if s.target.vowel else CONSONANT_SIGMA_S for s in sounds])
    insists = np.stack([s.target.insists for s in sounds])
    scaled = np.sqrt(2) * sigma
    edges = erf((times[:, None] - starts) / scaled) - erf((times[:, None] - ends) / scaled)
    present = np.maximum(edges, 1e-9)
    shapes = np.stack([s.target.shape for s in sounds])
    return np.asarray(present @ (insists * shapes) / (present @ insists))


def _gain(speech: Speech, times: Curve) -> Curve:
    """(n,): louder is wider, within GAIN_RANGE."""
    step = speech.sample_rate_hz // CURVE_HZ
    count = len(speech.samples) // step
    if count == 0:
        return np.ones(len(times))
    blocks = speech.samples[: count * step].reshape(count, step)
    power = np.einsum("ij,ij->i", blocks, blocks, dtype=np.float32).astype(np.float64)
    loudness = np.sqrt(gaussian_filter1d(power, GAIN_WINDOW_S * CURVE_HZ))
    reference = float(np.percentile(loudness, _LOUD_PERCENTILE)) + 1e-9
    gain = np.clip((loudness / reference) ** GAIN_POWER, *GAIN_RANGE)
    return np.interp(times, np.arange(count) * step / speech.sample_rate_hz, gain)


def _rest(phonemes: tuple[Phoneme, ...], times: Curve) -> Curve:
    """(n,) 0…1: how much the mouth rests because of a pause; 1 shuts it exactly."""
    rest = np.zeros(len(times))
    for phoneme in phonemes:
        length = phoneme.end_s - phoneme.start_s
        first, last = phoneme is phonemes[0], phoneme is phonemes[-1]
        if phoneme.symbol or (length < SHORTEST_REST_S and not (first or last)):
            continue
        ramps = min(1.0, length / (PAUSE_CLOSES_S + PAUSE_OPENS_S + 1 / CURVE_HZ))
        closed = 0.0 if first else phoneme.start_s + PAUSE_CLOSES_S * ramps
        opens = np.inf if last else phoneme.end_s - PAUSE_OPENS_S * ramps
        rising = _ramp((times - closed) / (PAUSE_CLOSES_S * ramps) + 1)
        falling = _ramp((opens - times) / (PAUSE_OPENS_S * ramps) + 1)
        np.maximum(rest, rising * falling, out=rest)
    return rest


def _contacts(sounds: list[_Sound], kind: Gate, times: Curve) -> Contacts:
    spans = [(s.start_s, s.contact_end_s) for s in sounds if s.target.gate is kind]
    starts, ends = np.array(spans).reshape(-1, 2).T
    middles = (starts + ends) / 2
    halves = np.maximum(ends - starts - 2 * GATE_TRIM_S, SHORTEST_GATE_S) / 2
    away = np.abs(times[:, None] - middles) - halves
    return Contacts(_ramp(1 - away / GATE_SKIRT_S).max(axis=1, initial=0.0), middles)


def _ramp(x: Curve) -> Curve:
    """0 below 0, 1 above 1, half a cosine between."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0.0, 1.0)))


def _with_contacts(free: Curve, press: Curve, tuck: Curve) -> Curve:
    shape = free.copy()
    shape[:, Shape.PRESS] = press
    shape[:, Shape.TUCK] = tuck * (1 - press)
    shape[:, Shape.OPEN] *= (1 - press) * (1 - (1 - TUCK_LEAVES_OPEN) * shape[:, Shape.TUCK])
    return shape


def _at_frames(curve: Curve, frames: int, fps: int) -> Curve:
    """(frames,): a curve in the middle of each frame's time."""
    middles = (np.arange(frames) + 0.5) * CURVE_HZ / fps
    return np.interp(middles, np.arange(len(curve)), curve)
