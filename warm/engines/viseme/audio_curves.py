"""The mouth of a recorded voice, guessed from the sound alone: no phonemes, no network.

Simpler than the curves that phonemes give. Loudness opens the mouth, the first resonance (F1) says
how far, the second (F2) spreads or rounds the lips, hiss shows the teeth, and a short hole between
two loud sounds presses the lips, unless what follows it hisses as /t/ and /k/ do. Which vowel was
meant, /f/ and the tongue cannot be heard so.

Everything looks at most REFERENCE_S around a moment, so a long file may be heard in windows that
overlap by that much, with the same result.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_closing,
    distance_transform_edt,
    gaussian_filter1d,
    maximum_filter1d,
    percentile_filter,
    uniform_filter1d,
)

from tts.speech import Speech
from warm.engines.viseme.shape import Shape

CURVE_HZ = 100
WINDOW_S = 0.025
BLOCK_POINTS = 3000
"""Spectra made at once: they take 200 times the memory of the sound."""

VOICE_HZ, F1_HZ, F2_HZ, HISS_HZ = (80, 8000), (250, 1100), (800, 2800), (3500, 8000)
MURMUR_HZ = (500, 3000)
"""Where lips that are shut let nothing through."""

REFERENCE_S = 10.0
"""Loud and quiet are told from so much sound on both sides."""
REFERENCE_HZ = 10
LOUD_PERCENTILE, NOISE_PERCENTILE = 95, 5
QUIETEST_DB = -60.0
"""Of full scale: below it nothing counts as speech."""
RANGE_DB = 30.0
"""From the loudest speech down to the quietest that opens the mouth."""
NOISE_MARGIN_DB, LEAST_RANGE_DB = 8.0, 12.0

SMOOTH_S = 0.020
CLOSES_S, OPENS_S = 0.080, 0.060
"""How long the mouth takes to close into silence, and to open out of it."""
BRIDGED_S = 0.080
"""A shorter silence does not shut the mouth."""

F1_CLOSE_HZ, F1_OPEN_HZ = 420.0, 700.0
F2_ROUND_HZ, F2_WIDE_HZ = 1250.0, 1900.0
LEAST_OPEN = 0.45
"""Share of its loudness that even the closest vowel opens the mouth by."""
WIDEST, MOST_ROUND = 0.7, 0.7
HISS_OPEN = 0.17

HOLE_S = 0.090
"""A hole in the sound is looked for so far to both sides."""
HOLE_DB, HOLE_RAMP_DB = 14.0, 6.0
"""Chosen on twelve sentences whose phonemes are known: 58 % of /p b m/ press the lips, 21 % of the
other consonants do, no vowel does. Less depth finds more of both."""
BURST_S = 0.030

Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """What is heard, CURVE_HZ times a second; (n,) each."""

    voice: Curve
    """Level in dB of full scale."""
    murmur: Curve
    """Level of MURMUR_HZ, likewise."""
    hiss: Curve
    """Level of HISS_HZ, likewise."""
    f1_hz: Curve
    """Centre of gravity in the range of the first resonance."""
    f2_hz: Curve


def mouth_track_from_audio(speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
    """The mouth in each of `frames` video frames: (frames, 7) float32 by Shape.

    OPEN is exactly 0 in silence and after the sound.
    """
    points = -(-frames * CURVE_HZ // fps) + 2
    curves = heard_curves(listen(speech.samples, speech.sample_rate_hz, points=points))
    middles = (np.arange(frames) + 0.5) * CURVE_HZ / fps
    at = np.arange(points)
    return np.stack([np.interp(middles, at, curve) for curve in curves.T], 1).astype(np.float32)


def listen(samples: NDArray[np.float32], rate_hz: int, *, points: int) -> Bands:
    """Levels and resonances around `points` moments, the first at the first sample."""
    size = round(WINDOW_S * rate_hz)
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    starts = np.rint(np.arange(points) * (rate_hz / CURVE_HZ)).astype(np.intp)
    padded = np.zeros(max(len(samples), int(starts[-1])) + 2 * size, np.float32)
    padded[size // 2 : size // 2 + len(samples)] = samples
    views = np.lib.stride_tricks.sliding_window_view(padded, size)
    blocks = [
        measured(np.abs(np.fft.rfft(views[at] * window)) ** 2, hz, float((window**2).sum()) * size)
        for at in np.split(starts, range(BLOCK_POINTS, points, BLOCK_POINTS))
    ]
    return Bands(*np.concatenate(blocks, axis=1))


def measured(power: NDArray[np.floating], hz: NDArray[np.floating], full: float) -> Curve:
    """(5, n): the numbers of Bands of (n, bins) power spectra; `full` is the sum at full scale."""

    def band(limits: tuple[int, int]) -> slice:
        first, last = np.searchsorted(hz, limits)
        return slice(int(first), int(last))

    def level(limits: tuple[int, int]) -> Curve:
        return np.asarray(10 * np.log10(2 * power[:, band(limits)].sum(axis=1) / full + 1e-12))

    def centre(limits: tuple[int, int]) -> Curve:
        within = power[:, band(limits)] + 1e-20
        return np.asarray(within @ hz[band(limits)] / within.sum(axis=1))

    return np.stack(
        [level(VOICE_HZ), level(MURMUR_HZ), level(HISS_HZ), centre(F1_HZ), centre(F2_HZ)]
    )


def heard_curves(bands: Bands) -> Curve:
    """(n, 7) by Shape, CURVE_HZ a second."""
    loud, gate = reference(bands.voice)
    level = np.clip((bands.voice - gate) / (loud - gate), 0.0, 1.0)
    hiss = _ramp((bands.hiss - bands.murmur) / 12.0 + 0.5) * _ramp(level / 0.25)
    wide_open = _ramp((bands.f1_hz - F1_CLOSE_HZ) / (F1_OPEN_HZ - F1_CLOSE_HZ))
    shape = np.zeros((len(level), len(Shape)))
    vowel = level**1.2 * (LEAST_OPEN + (1 - LEAST_OPEN) * wide_open)
    shape[:, Shape.OPEN] = vowel * (1 - hiss) + HISS_OPEN * hiss
    frontness = (bands.f2_hz - F2_ROUND_HZ) / (F2_WIDE_HZ - F2_ROUND_HZ)
    voiced = _ramp(level / 0.4) * (1 - hiss)
    shape[:, Shape.WIDE] = WIDEST * _ramp(frontness - 0.3) * (1 - wide_open) * voiced
    shape[:, Shape.ROUND] = MOST_ROUND * _ramp(0.3 - frontness) * (1 - wide_open) * voiced
    shape[:, Shape.TEETH] = hiss
    shape = gaussian_filter1d(shape, SMOOTH_S * CURVE_HZ, axis=0)
    shape *= awake(bands.voice > gate)[:, None]
    press = pressed(bands, gate)
    shape[:, Shape.PRESS] = press
    shape[:, Shape.OPEN] *= 1 - press
    shape[:, Shape.TEETH] *= 1 - press
    return shape


def reference(voice: Curve) -> tuple[Curve, Curve]:
    """(n,) each: the level of loud speech, and the one below which the mouth is shut, in dB."""
    step = CURVE_HZ // REFERENCE_HZ
    short = voice[: -(-len(voice) // step) * step : step]
    smooth = uniform_filter1d(voice, step, mode="nearest")[::step]
    size = 2 * round(REFERENCE_S * REFERENCE_HZ) - 1
    loud = percentile_filter(smooth, LOUD_PERCENTILE, size=size, mode="nearest")
    noise = percentile_filter(short, NOISE_PERCENTILE, size=size, mode="nearest")
    loud = np.maximum(loud, QUIETEST_DB + LEAST_RANGE_DB)
    gate = np.maximum(loud - RANGE_DB, np.minimum(noise + NOISE_MARGIN_DB, loud - LEAST_RANGE_DB))
    gate = np.maximum(gate, QUIETEST_DB)
    at, coarse = np.arange(len(voice)), np.arange(len(loud)) * step
    return np.interp(at, coarse, loud), np.interp(at, coarse, gate)


def awake(is_loud: NDArray[np.bool_]) -> Curve:
    """(n,) 0…1: 1 in speech, 0 in silence, with ramps inside the silence."""
    bridge = np.ones(round(BRIDGED_S * CURVE_HZ), bool)
    padded = np.pad(is_loud, len(bridge))
    speech = (binary_closing(padded, bridge) | padded)[len(bridge) : -len(bridge)]
    if not speech.any():
        return np.zeros(len(speech))
    away, nearest = distance_transform_edt(~speech, return_indices=True)
    comes = nearest[0] > np.arange(len(speech))
    ramp_s = np.where(comes, OPENS_S, CLOSES_S)
    return np.where(speech, 1.0, _ramp(1 - away / (ramp_s * CURVE_HZ)))


def pressed(bands: Bands, gate: Curve) -> Curve:
    """(n,) 0…1: lips on each other, in short holes of the sound that do not open with a hiss."""
    reach = round(HOLE_S * CURVE_HZ)
    before = maximum_filter1d(bands.murmur, reach, origin=(reach - 1) // 2, mode="nearest")
    after = maximum_filter1d(bands.murmur, reach, origin=-(reach // 2), mode="nearest")
    edge = np.minimum(before, after)
    depth = edge - np.maximum(bands.murmur, QUIETEST_DB)
    hole = _ramp((depth - HOLE_DB) / HOLE_RAMP_DB + 0.5) * _ramp((edge - gate) / HOLE_RAMP_DB + 1)
    burst = round(BURST_S * CURVE_HZ)
    sharp = bands.hiss - np.maximum(bands.murmur, gate)
    comes = maximum_filter1d(sharp, 2 * burst + 1, origin=-burst, mode="nearest")
    return gaussian_filter1d(hole * _ramp((0.0 - comes) / 8.0), 1.0)


def _ramp(x: Curve) -> Curve:
    """0 below 0, 1 above 1, half a cosine between."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0.0, 1.0)))
