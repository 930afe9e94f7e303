"""Mouth curves from audio alone: no phonemes, no network.

They are simpler than the curves from phonemes. Loudness opens the mouth; the first formant (F1)
sets how far, the second (F2) spreads or rounds the lips, and hiss shows the teeth. A short gap
between two loud sounds presses the lips, unless a hiss follows, as after /t/ and /k/. The exact
vowel, /f/ and the tongue cannot be detected this way.

Every value depends on at most REFERENCE_S of audio around it. A long file may therefore be
processed in windows that overlap by that much, with the same result.
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
from warm.engines.viseme.shape import (
    CURVE_HZ,
    Curve,
    Shape,
    cosine_ramp,
    points_for,
    sample_frames,
)

WINDOW_S = 0.025
BLOCK_POINTS = 3000
"""Spectra computed at once: they take 200 times the memory of the audio."""

VOICE_HZ, F1_HZ, F2_HZ, HISS_HZ = (80, 8000), (250, 1100), (800, 2800), (3500, 8000)
MURMUR_HZ = (500, 3000)
"""Band in which closed lips let nothing through."""

REFERENCE_S = 10.0
"""Audio on both sides that defines loud and quiet."""
REFERENCE_HZ = 10
LOUD_PERCENTILE, NOISE_PERCENTILE = 95, 5
QUIETEST_DB = -60.0
"""Relative to full scale; anything below is silence."""
RANGE_DB = 30.0
"""From the loudest speech down to the quietest that opens the mouth."""
NOISE_MARGIN_DB, MIN_RANGE_DB = 8.0, 12.0

SMOOTH_S = 0.020
CLOSES_S, OPENS_S = 0.080, 0.060
"""Time that the mouth takes to close into silence, and to open out of it."""
BRIDGED_S = 0.080
"""A shorter silence does not close the mouth."""

F1_CLOSE_HZ, F1_OPEN_HZ = 420.0, 700.0
F2_ROUND_HZ, F2_WIDE_HZ = 1250.0, 1900.0
MIN_OPEN = 0.45
"""OPEN of the closest vowel, as a share of its loudness."""
MAX_WIDE, MAX_ROUND = 0.7, 0.7
HISS_OPEN = 0.17

GAP_S = 0.090
"""Reach to both sides of the search for the loud sounds around a gap."""
GAP_DB, GAP_RAMP_DB = 14.0, 6.0
"""Chosen on twelve sentences with known phonemes: 58 % of /p b m/ press the lips, 21 % of the other
consonants do, no vowel does. A smaller depth finds more of both."""
BURST_S = 0.030


@dataclass(frozen=True, slots=True, eq=False)
class BandLevels:
    """Levels and formants of the audio, CURVE_HZ times a second; (n,) each."""

    voice: Curve
    """Level in dB of full scale."""
    murmur: Curve
    """Level of MURMUR_HZ, likewise."""
    hiss: Curve
    """Level of HISS_HZ, likewise."""
    f1_hz: Curve
    """Centre of gravity in the range of the first formant."""
    f2_hz: Curve
    """Centre of gravity in the range of the second formant."""


def mouth_track_from_audio(speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
    """(frames, 7) float32 by Shape: the mouth in each video frame.

    OPEN is exactly 0 in silence and after the audio.
    """
    points = points_for(frames, fps)
    curves = shape_curves(measure_bands(speech.samples, speech.sample_rate_hz, points=points))
    return np.stack([sample_frames(curve, frames, fps) for curve in curves.T], 1).astype(np.float32)


def measure_bands(samples: NDArray[np.float32], rate_hz: int, *, points: int) -> BandLevels:
    """Measure levels and formants around `points` times, the first at the first sample."""
    size = round(WINDOW_S * rate_hz)
    hz = np.fft.rfftfreq(size, 1 / rate_hz)
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    starts = np.rint(np.arange(points) * (rate_hz / CURVE_HZ)).astype(np.intp)
    padded = np.zeros(max(len(samples), int(starts[-1])) + 2 * size, np.float32)
    padded[size // 2 : size // 2 + len(samples)] = samples
    views = np.lib.stride_tricks.sliding_window_view(padded, size)
    full_scale = float((window**2).sum()) * size
    blocks = [
        band_levels(np.abs(np.fft.rfft(views[at] * window)) ** 2, hz, full_scale)
        for at in np.split(starts, range(BLOCK_POINTS, points, BLOCK_POINTS))
    ]
    return BandLevels(*np.concatenate(blocks, axis=1))


def band_levels(power: NDArray[np.floating], hz: NDArray[np.floating], full_scale: float) -> Curve:
    """(5, n): the fields of BandLevels from (n, bins) power spectra.

    `full_scale` is the power sum of a full-scale signal.
    """

    def band(limits: tuple[int, int]) -> slice:
        first, last = np.searchsorted(hz, limits)
        return slice(int(first), int(last))

    def level(limits: tuple[int, int]) -> Curve:
        total = power[:, band(limits)].sum(axis=1)
        return np.asarray(10 * np.log10(2 * total / full_scale + 1e-12))

    def centre(limits: tuple[int, int]) -> Curve:
        within = power[:, band(limits)] + 1e-20
        return np.asarray(within @ hz[band(limits)] / within.sum(axis=1))

    return np.stack(
        [level(VOICE_HZ), level(MURMUR_HZ), level(HISS_HZ), centre(F1_HZ), centre(F2_HZ)]
    )


def shape_curves(bands: BandLevels) -> Curve:
    """(n, 7) by Shape at CURVE_HZ."""
    loud, gate = loudness_range(bands.voice)
    shape = gaussian_filter1d(unclosed_shape(bands, loud, gate), SMOOTH_S * CURVE_HZ, axis=0)
    shape *= speech_envelope(bands.voice > gate)[:, None]
    press = lip_closures(bands, gate)
    shape[:, Shape.PRESS] = press
    shape[:, Shape.OPEN] *= 1 - press
    shape[:, Shape.TEETH] *= 1 - press
    return shape


def unclosed_shape(bands: BandLevels, loud: Curve, gate: Curve) -> Curve:
    """(n, 7) by Shape, without closures and pauses, not smoothed."""
    level = np.clip((bands.voice - gate) / (loud - gate), 0.0, 1.0)
    hiss = cosine_ramp((bands.hiss - bands.murmur) / 12.0 + 0.5) * cosine_ramp(level / 0.25)
    openness = cosine_ramp((bands.f1_hz - F1_CLOSE_HZ) / (F1_OPEN_HZ - F1_CLOSE_HZ))
    shape = np.zeros((len(level), len(Shape)))
    vowel = level**1.2 * (MIN_OPEN + (1 - MIN_OPEN) * openness)
    shape[:, Shape.OPEN] = vowel * (1 - hiss) + HISS_OPEN * hiss
    frontness = (bands.f2_hz - F2_ROUND_HZ) / (F2_WIDE_HZ - F2_ROUND_HZ)
    voiced = cosine_ramp(level / 0.4) * (1 - hiss)
    shape[:, Shape.WIDE] = MAX_WIDE * cosine_ramp(frontness - 0.3) * (1 - openness) * voiced
    shape[:, Shape.ROUND] = MAX_ROUND * cosine_ramp(0.3 - frontness) * (1 - openness) * voiced
    shape[:, Shape.TEETH] = hiss
    return shape


def loudness_range(voice: Curve) -> tuple[Curve, Curve]:
    """(n,) each, in dB: the level of loud speech, and the level below which the mouth is closed."""
    step = CURVE_HZ // REFERENCE_HZ
    short = voice[: -(-len(voice) // step) * step : step]
    smooth = uniform_filter1d(voice, step, mode="nearest")[::step]
    size = 2 * round(REFERENCE_S * REFERENCE_HZ) - 1
    loud = percentile_filter(smooth, LOUD_PERCENTILE, size=size, mode="nearest")
    noise = percentile_filter(short, NOISE_PERCENTILE, size=size, mode="nearest")
    loud = np.maximum(loud, QUIETEST_DB + MIN_RANGE_DB)
    gate = np.maximum(loud - RANGE_DB, np.minimum(noise + NOISE_MARGIN_DB, loud - MIN_RANGE_DB))
    gate = np.maximum(gate, QUIETEST_DB)
    at, coarse = np.arange(len(voice)), np.arange(len(loud)) * step
    return np.interp(at, coarse, loud), np.interp(at, coarse, gate)


def speech_envelope(is_loud: NDArray[np.bool_]) -> Curve:
    """(n,) 0…1: 1 in speech, 0 in silence, with ramps inside the silence."""
    bridge = np.ones(round(BRIDGED_S * CURVE_HZ), bool)
    padded = np.pad(is_loud, len(bridge))
    speech = (binary_closing(padded, bridge) | padded)[len(bridge) : -len(bridge)]
    if not speech.any():
        return np.zeros(len(speech))
    distance, nearest = distance_transform_edt(~speech, return_indices=True)
    is_before_speech = nearest[0] > np.arange(len(speech))
    ramp_s = np.where(is_before_speech, OPENS_S, CLOSES_S)
    return np.where(speech, 1.0, cosine_ramp(1 - distance / (ramp_s * CURVE_HZ)))


def lip_closures(bands: BandLevels, gate: Curve) -> Curve:
    """(n,) 0…1: pressed lips, in short gaps of the audio that do not end with a hiss."""
    reach = round(GAP_S * CURVE_HZ)
    before = maximum_filter1d(bands.murmur, reach, origin=(reach - 1) // 2, mode="nearest")
    after = maximum_filter1d(bands.murmur, reach, origin=-(reach // 2), mode="nearest")
    edge = np.minimum(before, after)
    depth = edge - np.maximum(bands.murmur, QUIETEST_DB)
    gap = cosine_ramp((depth - GAP_DB) / GAP_RAMP_DB + 0.5)
    gap = gap * cosine_ramp((edge - gate) / GAP_RAMP_DB + 1)
    burst = round(BURST_S * CURVE_HZ)
    sharpness = bands.hiss - np.maximum(bands.murmur, gate)
    next_burst = maximum_filter1d(sharpness, 2 * burst + 1, origin=-burst, mode="nearest")
    return gaussian_filter1d(gap * cosine_ramp((0.0 - next_burst) / 8.0), 1.0)
