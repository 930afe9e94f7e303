"""Small movements of a listening head, in whole cycles per loop, so that the loop is seamless."""

import numpy as np
from numpy.typing import NDArray

LOOP_S = 12
"""Length of the loop, seconds."""

Wave = tuple[float, int, float]
"""Amplitude, whole cycles per loop, phase in turns."""

# Amplitudes and cycles were tuned to look alive but not restless; the phases keep the waves from
# starting together.
YAW_DEG: tuple[Wave, ...] = ((1.4, 1, 0.0), (0.9, 2, 0.31), (0.35, 5, 0.73))
PITCH_DEG: tuple[Wave, ...] = ((0.8, 1, 0.22), (0.6, 3, 0.64), (0.25, 7, 0.08))
ROLL_DEG: tuple[Wave, ...] = ((0.45, 1, 0.57), (0.3, 2, 0.12))
SHIFT_X_IOD: tuple[Wave, ...] = ((0.010, 1, 0.41),)
SHIFT_Y_IOD: tuple[Wave, ...] = ((0.010, 2, 0.86), (0.008, 3, 0.0))
"""Shift and, three times per loop, breathing."""

BLINK_STARTS_S = (1.9, 5.3, 9.6)
BLINK_CLOSURE = (0.45, 1.0, 1.0, 0.8, 0.5, 0.25, 0.1)
"""Closure of the lid at 25 samples a second: it closes faster than it opens."""
BLINK_RATE_HZ = 25.0


def loop_length(fps: int) -> int:
    """Return the number of frames of one loop."""
    return LOOP_S * fps


def head_poses(fps: int) -> NDArray[np.float64]:
    """Return (frames, 5): yaw, pitch, roll in radians, then shift right and down in IOD."""
    turns = np.arange(loop_length(fps)) / loop_length(fps)
    angles = [np.radians(wave_sum(waves, turns)) for waves in (YAW_DEG, PITCH_DEG, ROLL_DEG)]
    shifts = [wave_sum(waves, turns) for waves in (SHIFT_X_IOD, SHIFT_Y_IOD)]
    return np.column_stack(angles + shifts)


def wave_sum(waves: tuple[Wave, ...], turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of sines at `turns` (0…1 is one loop)."""
    total = np.zeros_like(turns)
    for amplitude, cycles, phase in waves:
        total += amplitude * np.sin(2 * np.pi * (cycles * turns + phase))
    return total


def lid_closures(fps: int) -> NDArray[np.float64]:
    """Return (frames,) lid closures, 0 open … 1 closed."""
    closure = np.concatenate([[0.0], BLINK_CLOSURE, [0.0]])
    times = np.arange(loop_length(fps)) / fps
    closures = [
        np.interp((times - start) * BLINK_RATE_HZ, np.arange(len(closure)), closure, 0.0, 0.0)
        for start in BLINK_STARTS_S
    ]
    return np.asarray(np.max(closures, axis=0).round(3))
