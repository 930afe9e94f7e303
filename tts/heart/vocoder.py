"""Turn the spectrum that the network predicts into sound, piece by piece.

The spectrum of a frame is the sum of three branches, as the description of hibari-tts gives it
(https://pypi.org/project/hibari-tts/, "ONNX interface"):

    S = exp(lh) e^(iπ tanh θ) E + exp(ln) Z + exp(lr) e^(iφ)

E is the spectrum of a pulse train at the pitch, Z complex Gaussian noise of variance 1 per
component. The sound is the inverse short-time Fourier transform of S. Successive pieces continue
the phase of the pulses, the noise and the overlap of the frames, so they join without a seam.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

SAMPLE_RATE_HZ = 24_000
HOP = 300
"""Samples from one frame to the next: 12.5 ms."""
BINS = 601
BRANCHES = 5
"""Parts of a predicted frame, BINS numbers each, in this order: lh, θ, ln, lr, φ."""

LATENCY_FRAMES = 2
"""Frame n completes hop n - 2: a frame is centred where the third of its four hops begins."""

_WINDOW = 4 * HOP
_OVERLAPS = 3
"""Earlier frames that overlap with the first hop of a frame."""
_VOICED_HZ = 40.0
_HIGHEST_HARMONIC_HZ = 11_000.0
_MAX_LOG = 7.0
_NEAR_POLE = 2e-3


class Vocoder:
    """The sound of one sentence, made from its frames in order. Used by one thread."""

    def __init__(self, pitch_hz: NDArray[np.float32], *, first_hop: int, seed: int) -> None:
        """Begin with the hop `first_hop`; `pitch_hz` is of all frames, 0 where unvoiced."""
        self._pitch_hz = pitch_hz
        self._first_hop = first_hop
        self.next_frame = max(first_hop + LATENCY_FRAMES - _OVERLAPS, 0)
        """Index of the frame with which the next call of `samples` continues."""
        self._noise = np.random.default_rng(seed)
        skipped = self._pitch(-LATENCY_FRAMES * HOP, self.next_frame * HOP)
        self._phase = float(skipped.sum() / SAMPLE_RATE_HZ % 1.0)
        """Phase of the pulses, in periods, where the window of the next frame begins."""
        self._tail = np.zeros((_OVERLAPS, HOP), np.float32)
        """Sum of the frames so far, where later frames overlap with them."""

    def samples(self, predicted: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the samples that the next frames complete.

        `predicted`: (frames, BRANCHES * BINS). Frame n completes hop n - 2; the last frame of the
        sentence completes all hops that are left.
        """
        sound = fft.irfft(self._spectrum(predicted), _WINDOW, axis=1)
        sound *= _hann()
        hops = self._overlap_add(sound.reshape(-1, _OVERLAPS + 1, HOP))
        first = self.next_frame
        self.next_frame += len(predicted)
        if self.next_frame == len(self._pitch_hz):
            hops = np.concatenate([hops, self._tail[:LATENCY_FRAMES]])
        wanted = hops[max(self._first_hop + LATENCY_FRAMES - first, 0) :]
        places = np.arange(first + len(hops) - len(wanted), first + len(hops))
        return (wanted / _window_sums(places, len(self._pitch_hz))).reshape(-1)

    def _spectrum(self, predicted: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Return the (frames, BINS) spectrum of the next frames."""
        harmonic, rotation, noise, free, phase = predicted.reshape(-1, BRANCHES, BINS).swapaxes(
            0, 1
        )
        spectrum = self._pulse_spectrum(len(predicted))
        turn = np.tanh(rotation)
        turn *= np.float32(np.pi)
        spectrum *= _polar(_amplitude(harmonic), turn)
        size = (len(predicted), 2 * BINS)
        gaussian = self._noise.standard_normal(size, dtype=np.float32).view(np.complex64)
        gaussian *= _amplitude(noise)
        spectrum += gaussian
        spectrum += _polar(_amplitude(free), phase)
        return spectrum

    def _pulse_spectrum(self, frames: int) -> NDArray[np.complex64]:
        """Return the spectrum of the pulse train in the windows of the next frames."""
        begin = (self.next_frame - LATENCY_FRAMES) * HOP
        pulses = self._pulses(begin, (frames + _OVERLAPS) * HOP, advance=frames * HOP)
        windows = np.lib.stride_tricks.sliding_window_view(pulses, _WINDOW)[::HOP]
        weighted = windows * (_hann() / np.float32(HOP))
        return fft.rfft(weighted, axis=1, overwrite_x=True).astype(np.complex64, copy=False)

    def _pulses(self, begin: int, samples: int, *, advance: int) -> NDArray[np.float32]:
        """Return pulses with all harmonics at unit amplitude, and advance the phase.

        The sum of cos(ht) for h from 1 to H is sin((H + ½)t) / (2 sin(t / 2)) - ½.
        """
        pitch = self._pitch(begin, samples)
        periods = np.cumsum(pitch / SAMPLE_RATE_HZ)
        periods += self._phase
        self._phase = periods[advance - 1] % 1.0
        periods %= 1.0
        return _harmonics(periods.astype(np.float32), pitch.astype(np.float32))

    def _pitch(self, begin: int, samples: int) -> NDArray[np.float64]:
        """Return the pitch of samples, interpolated between frames; _VOICED_HZ where unvoiced."""
        places = (np.arange(begin, begin + samples) + 0.5) / HOP - 0.5
        pitch = np.interp(places, np.arange(len(self._pitch_hz)), self._pitch_hz)
        return np.maximum(pitch, _VOICED_HZ)

    def _overlap_add(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add windows of (frames, 4, HOP) to the tail; return the completed (frames, HOP) hops."""
        frames = len(sound)
        hops = np.zeros((frames + _OVERLAPS, HOP), np.float32)
        hops[:_OVERLAPS] = self._tail
        for index in range(_OVERLAPS + 1):
            hops[index : index + frames] += sound[:, index]
        self._tail = hops[frames:].copy()
        return hops[:frames]


def _harmonics(periods: NDArray[np.float32], pitch_hz: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sum of the harmonics at phases in periods; 0 where unvoiced."""
    angle = periods * np.float32(2 * np.pi)
    order = np.floor(np.float32(_HIGHEST_HARMONIC_HZ) / pitch_hz) + np.float32(0.5)
    below = np.sin(angle * np.float32(0.5)) * 2
    is_pole = np.abs(below) <= _NEAR_POLE
    pulses: NDArray[np.float32] = np.sin(order * angle)
    below[is_pole] = 1
    pulses /= below
    pulses[is_pole] = order[is_pole]  # the limit at whole periods
    pulses -= np.float32(0.5)
    pulses[pitch_hz <= _VOICED_HZ] = 0
    return pulses


def _amplitude(log: NDArray[np.float32]) -> NDArray[np.float32]:
    amplitude: NDArray[np.float32] = np.exp(np.minimum(log, np.float32(_MAX_LOG)))
    return amplitude


def _polar(amplitude: NDArray[np.float32], angle: NDArray[np.float32]) -> NDArray[np.complex64]:
    turned = np.empty(angle.shape, np.complex64)
    np.cos(angle, out=turned.real)
    np.sin(angle, out=turned.imag)
    turned *= amplitude
    return turned


@cache
def _hann() -> NDArray[np.float32]:
    """Return the periodic Hann window."""
    angles = 2 * np.pi * np.arange(_WINDOW) / _WINDOW
    return (0.5 - 0.5 * np.cos(angles)).astype(np.float32)


def _window_sums(hops: NDArray[np.int64], frames: int) -> NDArray[np.float32]:
    """Return the (n, HOP) sum of the squared windows that overlap in each hop."""
    squares = (_hann() ** 2).reshape(_OVERLAPS + 1, HOP)
    delays = hops[:, None] - np.arange(_OVERLAPS + 1)
    is_there = ((delays >= 0) & (delays < frames)).astype(np.float32)
    return is_there @ squares
