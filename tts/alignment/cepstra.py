"""Acoustic features of speech that differ little between speakers, microphones and rooms.

They are the lowest mel cepstra and their slopes (Davis and Mermelstein, 1980), scaled to the same
mean and variance. Few cepstra are used because the higher ones describe the speaker.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tts.alignment.products import product
from tts.speech import Speech

FRAME_HZ = 100
"""Frames per second; frame i is centred at (i + 0.5) / FRAME_HZ."""
WINDOW_S = 0.025
LOWEST_HZ, HIGHEST_HZ = 80.0, 7600.0
USABLE_SHARE = 0.47
"""Share of a sample rate below which the spectrum is complete."""
BANDS, CEPSTRA = 26, 8
LOUDNESS_WEIGHT = 1.5
"""Weight of the first cepstrum, which closures and pauses lower."""
SLOPE_FRAMES = 2
"""Frames on either side from which a slope is computed."""

FLOOR_DB = -50.0
"""Level relative to loud speech below which no difference is heard."""
LOUD_PERCENTILE, NOISE_PERCENTILE = 95, 5
SILENT_DB = -35.0
"""Relative to loud speech: frames below are silent."""
NOISE_MARGIN_DB, MIN_RANGE_DB = 8.0, 12.0
"""Background noise may raise that level up to MIN_RANGE_DB below loud speech."""

Frames = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """Power spectra of one recording."""

    power: Frames
    """(n, bins)."""
    sample_rate_hz: int

    @property
    def highest_hz(self) -> float:
        """Highest usable frequency."""
        return min(HIGHEST_HZ, USABLE_SHARE * self.sample_rate_hz)

    def bands(self, highest_hz: float, warp: float = 1.0) -> Frames:
        """(n, BANDS) energies of mel bands up to `highest_hz`.

        `warp` stretches the frequencies, as a shorter or longer vocal tract does.
        """
        size = 2 * (self.power.shape[1] - 1)
        return product(self.power, mel_filters(size, self.sample_rate_hz, highest_hz, warp))


def measure_spectra(speech: Speech) -> Spectra:
    """Measure the spectra of all whole frames of a complete speech."""
    rate = speech.sample_rate_hz
    size = round(WINDOW_S * rate)
    count = len(speech.samples) * FRAME_HZ // rate
    padded = np.zeros(len(speech.samples) + 2 * size, np.float32)
    padded[size // 2 : size // 2 + len(speech.samples)] = speech.samples
    centres = np.rint((np.arange(count) + 0.5) * rate / FRAME_HZ).astype(np.intp)
    views = np.lib.stride_tricks.sliding_window_view(padded, size)[centres]
    window = np.hanning(size).astype(np.float32)
    from scipy import fft  # noqa: PLC0415 - takes 0.2 s, which commands need not wait for

    spectrum = fft.rfft(views * window, 1 << (size - 1).bit_length(), axis=1)
    return Spectra(np.square(spectrum.real) + np.square(spectrum.imag), rate)


@lru_cache(64)
def mel_filters(size: int, sample_rate_hz: int, highest_hz: float, warp: float) -> Frames:
    """(bins, BANDS) triangular filters of equal weight, evenly spaced on the mel scale."""
    low, high = _mel(np.array([LOWEST_HZ, highest_hz]))
    edges = _warped(_hz(np.linspace(low, high, BANDS + 2)), highest_hz, warp)
    hz = np.fft.rfftfreq(size, 1 / sample_rate_hz)[:, None]
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(weights / np.maximum(weights.sum(axis=0), 1e-9), np.float32)


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(2595 * np.log10(1 + hz / 700))


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700 * (10 ** (mel / 2595) - 1))


def _warped(hz: NDArray[np.float64], highest: float, warp: float) -> NDArray[np.float64]:
    """Stretch frequencies; a second piece of the line keeps the highest in place."""
    bend = 0.8 * highest / max(warp, 1.0)
    steep = (highest - bend * warp) / (highest - bend)
    return np.where(hz < bend, hz * warp, highest - (highest - hz) * steep)


def noise_floor(bands: Frames) -> Frames:
    """(BANDS,) energy of the background, relative to loud speech."""
    return np.asarray(np.percentile(bands, NOISE_PERCENTILE, axis=0) / _loud(bands), np.float32)


def silent_frames(bands: Frames) -> NDArray[np.bool_]:
    """(n,) True in pauses and closures."""
    level = 10 * np.log10(bands.mean(axis=1) / _loud(bands) + 1e-12)
    noise = float(np.percentile(level, NOISE_PERCENTILE)) + NOISE_MARGIN_DB
    return np.asarray(level < max(SILENT_DB, min(noise, -MIN_RANGE_DB)))


def features(bands: Frames, silent: NDArray[np.bool_], masking: Frames) -> Frames:
    """(n, 2 * CEPSTRA) cepstra and slopes, with unit variance in speech.

    `masking` is the background of the other recording, which is added to this one.
    """
    floor = np.float32(10 ** (FLOOR_DB / 10)) + masking
    spectrum = np.log(bands / _loud(bands) + floor)
    from scipy import fft  # noqa: PLC0415 - takes 0.2 s, which commands need not wait for

    cepstra = np.asarray(fft.dct(spectrum, axis=1, norm="ortho")[:, :CEPSTRA], np.float32)
    slopes = _slopes(cepstra)
    sounding = np.ones(len(bands), bool) if silent.all() else ~silent
    cepstra = cepstra - cepstra[sounding].mean(axis=0)
    scaled = np.hstack([each / _deviation(each[sounding]) for each in (cepstra, slopes)])
    scaled[:, 0] *= LOUDNESS_WEIGHT
    return scaled.astype(np.float32)


def _deviation(values: Frames) -> Frames:
    return np.asarray(np.maximum(values.std(axis=0), 1e-3), np.float32)


def _slopes(cepstra: Frames) -> Frames:
    count, reach = len(cepstra), SLOPE_FRAMES
    padded = np.pad(cepstra, ((reach, reach), (0, 0)), "edge")
    slopes = np.zeros_like(cepstra)
    for step in range(1, reach + 1):
        ahead = padded[reach + step : reach + step + count]
        slopes += step * (ahead - padded[reach - step : reach - step + count])
    return slopes


def _loud(bands: Frames) -> float:
    """Energy of a band in loud speech."""
    return float(np.percentile(bands.mean(axis=1), LOUD_PERCENTILE)) + 1e-12
