"""One-Euro filter: smooth at rest, little lag in motion (Casiez, Roussel, Vogel, CHI 2012)."""

import numpy as np
from numpy.typing import NDArray

from stabilizers.settings import OneEuroConstants


class OneEuro:
    """The causal filter of an array of independent values. Not thread-safe."""

    def __init__(self, fps: float, constants: OneEuroConstants) -> None:
        self._fps = fps
        self._constants = constants
        self._value: NDArray[np.float64] | None = None
        self._speed: NDArray[np.float64] | float = 0.0

    def __call__(self, measured: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the filtered values of the next frame; the shape must not change between calls."""
        now = np.asarray(measured, np.float64)
        if self._value is None:
            self._value = now.copy()
            return self._value.copy()
        c = self._constants
        speed = (now - self._value) * self._fps
        self._speed += self._gain(c.derivative_cutoff_hz) * (speed - self._speed)
        cutoff = c.min_cutoff_hz + c.beta * np.abs(self._speed)
        self._value = self._value + self._gain(cutoff) * (now - self._value)
        return self._value.copy()

    def _gain(self, cutoff_hz: NDArray[np.float64] | float) -> NDArray[np.float64] | float:
        """Return the weight of the new value in a first-order low-pass filter."""
        step = 2 * np.pi * cutoff_hz / self._fps
        return step / (step + 1)


def one_euro_smooth(
    values: NDArray[np.floating], fps: float, constants: OneEuroConstants
) -> NDArray[np.float64]:
    """Smooth a whole clip without lag: (n, …) in, (n, …) float64 out.

    The lags of a forward and a backward pass cancel in their mean. The ends are extended by point
    reflection for a second, so that neither pass starts with a raw value.
    """
    clip = np.asarray(values, np.float64)
    pad = min(len(clip) - 1, round(fps))
    before = 2 * clip[:1] - clip[pad:0:-1]
    after = 2 * clip[-1:] - clip[-2 : -2 - pad : -1]
    padded = np.concatenate([before, clip, after])
    both = (_run(padded, fps, constants) + _run(padded[::-1], fps, constants)[::-1]) / 2
    return both[pad : pad + len(clip)]


def _run(clip: NDArray[np.float64], fps: float, constants: OneEuroConstants) -> NDArray[np.float64]:
    one_euro = OneEuro(fps, constants)
    return np.stack([one_euro(values) for values in clip])
