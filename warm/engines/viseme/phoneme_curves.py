"""Mouth curves from phonemes: seven numbers, CURVE_HZ times a second and per video frame.

Each sound pulls the mouth towards its target, spread in time by a Gaussian and weighted by its
dominance (coarticulation after Cohen and Massaro, 1993). Contacts that must be visible (the lips
in /p b m/, lip and teeth in /f v/) have an envelope of 1 that fades on both sides. The frame that
shows the middle of a contact gets the full value, so that no frame rate skips one.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import erf

from tts.loudness import SPEECH_LEVEL_DBFS
from tts.phonemes import CLOSURE_S, VOICELESS_STOPS
from tts.speech import Phoneme, Speech
from warm.engines.viseme.ipa_targets import ContactKind, Target, target_shares
from warm.engines.viseme.shape import (
    CURVE_HZ,
    MAX_OPENING,
    Curve,
    FrameSpan,
    Shape,
    cosine_ramp,
)

LEAD_S = 0.020
"""Lead of the mouth over the sound, as in natural speech."""
VOWEL_SIGMA_S, CONSONANT_SIGMA_S = 0.070, 0.038
"""Standard deviations of the Gaussian in time."""

CONTACT_FADE_S = 0.040
CONTACT_TRIM_S = 0.020
"""Taken from either end of a contact before it fades: the lips are already parting then."""
MIN_CONTACT_S = 0.012
"""Longer than a step of the curve, so that every contact has a point at 1."""
TUCK_LEAVES_OPEN = 0.25
"""Share of the opening that remains while the lower lip is under the teeth."""

PAUSE_CLOSES_S, PAUSE_OPENS_S = 0.080, 0.060
"""Time that the mouth takes to close into a pause, and to open out of it."""
MIN_PAUSE_S = 0.080
"""A shorter pause does not close the mouth."""

GAIN_WINDOW_S = 0.030
GAIN_POWER = 0.25
GAIN_RANGE = (0.75, 1.10)
LOUD_DBFS = SPEECH_LEVEL_DBFS + 1.2
"""Loudness at which the gain is 1: the 80th percentile of a sentence at the level of all voices. A
reference from the sentence itself would not be known before its end."""
EASY_OPENING = 0.90
"""OPEN up to here is as asked; from here on it approaches MAX_OPENING."""
_GAIN_SIGMA_POINTS = GAIN_WINDOW_S * CURVE_HZ
_GAIN_REACH_POINTS = math.ceil(4 * _GAIN_SIGMA_POINTS)
LOOKAHEAD_S = (_GAIN_REACH_POINTS + 3) / CURVE_HZ
"""Sound after a frame that its mouth depends on, through the smoothed loudness."""


class NoPhonemesError(ValueError):
    """The voice of this speech provides no phonemes."""


@dataclass(frozen=True, slots=True, eq=False)
class ContactEnvelope:
    """All contacts of one kind in a sentence."""

    envelope: Curve
    """(n,) 0…1 at CURVE_HZ: 1 during a contact, fading over CONTACT_FADE_S on both sides."""
    middles_s: Curve
    """(m,) the middle of each contact."""

    def per_frame(self, span: FrameSpan) -> Curve:
        """(frames,): the envelope in the middle of each frame, 1 in frames with a middle."""
        envelope = span.sample(self.envelope)
        span.mark(envelope, self.middles_s)
        return envelope


@dataclass(frozen=True, slots=True, eq=False)
class MouthCurves:
    """The mouth of a sentence at CURVE_HZ; row 0 is at the first point asked for."""

    without_contacts: Curve
    """(n, 7) by Shape."""
    press: ContactEnvelope
    """Contacts between the lips."""
    tuck: ContactEnvelope
    """Contacts between the lower lip and the upper teeth."""

    def with_contacts(self) -> Curve:
        """(n, 7) by Shape, with all contacts."""
        return _add_contacts(self.without_contacts, self.press.envelope, self.tuck.envelope)


def mouth_track_from_phonemes(speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
    """(frames, 7) float32 by Shape: the mouth in each video frame.

    Frame k is shown from k/fps to (k+1)/fps. OPEN includes everything: the closures of /p b m/,
    and exactly 0 in pauses and after the speech. Raises NoPhonemesError.
    """
    return mouth_track_part(speech, FrameSpan(0, frames, fps))


def mouth_track_part(speech: Speech, span: FrameSpan) -> NDArray[np.float32]:
    """(frames, 7) float32: the rows of `mouth_track_from_phonemes` for these frames.

    The phonemes are those of the whole sentence; the sound may end LOOKAHEAD_S after the frames.
    """
    curves = mouth_curves(speech, points=span.points, first_point=span.first_point)
    columns = [span.sample(column) for column in curves.without_contacts.T]
    press, tuck = curves.press.per_frame(span), curves.tuck.per_frame(span)
    return _add_contacts(np.stack(columns, axis=1), press, tuck).astype(np.float32)


def mouth_curves(speech: Speech, *, points: int, first_point: int = 0) -> MouthCurves:
    """Compute the mouth at `points` times, 1 / CURVE_HZ apart; raises NoPhonemesError."""
    if speech.phonemes is None:
        raise NoPhonemesError(
            f"the sentence {speech.text[:40]!r} has no phonemes, and this mouth track needs them. "
            "Choose a voice whose knows_phonemes is true in GET /voices."
        )
    times = np.arange(first_point, first_point + points) / CURVE_HZ
    targets = list(_timed_targets(speech.phonemes))
    shape = _blend(targets, times + LEAD_S)
    shape[:, Shape.OPEN] *= _loudness_gain(speech, times)
    shape[:, Shape.OPEN] = limit_opening(shape[:, Shape.OPEN])
    shape[:, 1:] = np.clip(shape[:, 1:], -1.0, 1.0)
    shape *= (1 - _pause_closure(speech.phonemes, times))[:, None]
    return MouthCurves(
        shape,
        _contact_envelope(targets, ContactKind.LIPS, times),
        _contact_envelope(targets, ContactKind.LIP_AND_TEETH, times),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _TimedTarget:
    target: Target
    start_s: float
    end_s: float
    contact_end_s: float


def _timed_targets(phonemes: tuple[Phoneme, ...]) -> Iterator[_TimedTarget]:
    for phoneme in phonemes:
        start_s, length_s = phoneme.start_s, phoneme.end_s - phoneme.start_s
        for part in target_shares(phoneme.symbol):
            end_s = start_s + part.share * length_s
            has_burst = phoneme.symbol[:1] in VOICELESS_STOPS
            contact_end_s = min(end_s, start_s + CLOSURE_S) if has_burst else end_s
            yield _TimedTarget(part.target, start_s, end_s, contact_end_s)
            start_s = end_s


def _blend(targets: list[_TimedTarget], times: Curve) -> Curve:
    """(n, 7): the targets, weighted by their dominance and Gaussian-smoothed presence."""
    starts, ends = np.array([(each.start_s, each.end_s) for each in targets]).T
    starts[0], ends[-1] = -np.inf, np.inf
    sigma = np.array(
        [VOWEL_SIGMA_S if each.target.is_vowel else CONSONANT_SIGMA_S for each in targets]
    )
    dominance = np.stack([each.target.dominance for each in targets])
    scaled = np.sqrt(2) * sigma
    edges = erf((times[:, None] - starts) / scaled) - erf((times[:, None] - ends) / scaled)
    presence = np.maximum(edges, 1e-9)
    shapes = np.stack([each.target.shape for each in targets])
    return np.asarray(presence @ (dominance * shapes) / (presence @ dominance))


def _loudness_gain(speech: Speech, times: Curve) -> Curve:
    """(n,): gain of the opening, which grows with loudness, within GAIN_RANGE."""
    step = speech.sample_rate_hz // CURVE_HZ
    count = len(speech.samples) // step
    if count == 0:
        return np.ones(len(times))
    blocks = speech.samples[: count * step].reshape(count, step)
    power = np.einsum("ij,ij->i", blocks, blocks, dtype=np.float32).astype(np.float64) / step
    smooth = gaussian_filter1d(power, _GAIN_SIGMA_POINTS, radius=_GAIN_REACH_POINTS)
    reference = 10 ** (LOUD_DBFS / 10)
    gain = np.clip((smooth / reference) ** (GAIN_POWER / 2), *GAIN_RANGE)
    return np.interp(times, np.arange(count) * step / speech.sample_rate_hz, gain)


def limit_opening(opening: Curve) -> Curve:
    """Compress what exceeds EASY_OPENING, so that it stays below MAX_OPENING without a plateau."""
    room = MAX_OPENING - EASY_OPENING
    excess = np.maximum(opening - EASY_OPENING, 0.0)
    return np.asarray(np.minimum(opening, EASY_OPENING) + room * (1 - np.exp(-excess / room)))


def _pause_closure(phonemes: tuple[Phoneme, ...], times: Curve) -> Curve:
    """(n,) 0…1: closure of the mouth by pauses; 1 closes it exactly."""
    closure = np.zeros(len(times))
    for phoneme in phonemes:
        is_first, is_last = phoneme is phonemes[0], phoneme is phonemes[-1]
        length_s = phoneme.end_s - phoneme.start_s
        if phoneme.symbol or (length_s < MIN_PAUSE_S and not (is_first or is_last)):
            continue
        scale = min(1.0, length_s / (PAUSE_CLOSES_S + PAUSE_OPENS_S + 1 / CURVE_HZ))
        closed_s = 0.0 if is_first else phoneme.start_s + PAUSE_CLOSES_S * scale
        opens_s = np.inf if is_last else phoneme.end_s - PAUSE_OPENS_S * scale
        rising = cosine_ramp((times - closed_s) / (PAUSE_CLOSES_S * scale) + 1)
        falling = cosine_ramp((opens_s - times) / (PAUSE_OPENS_S * scale) + 1)
        np.maximum(closure, rising * falling, out=closure)
    return closure


def _contact_envelope(
    targets: list[_TimedTarget], kind: ContactKind, times: Curve
) -> ContactEnvelope:
    spans = [(each.start_s, each.contact_end_s) for each in targets if each.target.contact is kind]
    starts, ends = np.array(spans).reshape(-1, 2).T
    middles = (starts + ends) / 2
    halves = np.maximum(ends - starts - 2 * CONTACT_TRIM_S, MIN_CONTACT_S) / 2
    away = np.abs(times[:, None] - middles) - halves
    envelope = cosine_ramp(1 - away / CONTACT_FADE_S).max(axis=1, initial=0.0)
    return ContactEnvelope(envelope, middles)


def _add_contacts(shape: Curve, press: Curve, tuck: Curve) -> Curve:
    shape = shape.copy()
    shape[:, Shape.PRESS] = press
    shape[:, Shape.TUCK] = tuck * (1 - press)
    shape[:, Shape.OPEN] *= (1 - press) * (1 - (1 - TUCK_LEAVES_OPEN) * shape[:, Shape.TUCK])
    return shape
