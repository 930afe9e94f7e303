"""Movements of a portrait: a closed curve of poses, the path of the idle loop on it, and gestures.

The curve is sampled densely and evenly, so that a path may follow it at any speed and in either
direction. The idle loop wanders on it. A gesture is a branch of further poses that begins at one
frame of the curve: a nod, or a lift of head and brows. A path follows it forwards and back.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warm.motion.blinks import blink_profile, idle_lids
from warm.motion.rail import GESTURE_COLUMNS, LIFT, NOD

CURVE_S = 10
"""Frames of the curve, in seconds of the frame rate."""
IDLE_S = 36
"""Length of the idle loop, seconds."""
SEED = 5
"""All portraits move in the same way; another seed gives another movement."""

Wave = tuple[float, int, float]
"""Amplitude, whole cycles per turn of the curve, phase in turns."""

# Amplitudes and cycles were tuned to look alive but not restless; the phases keep the waves from
# starting together.
YAW_DEG: tuple[Wave, ...] = ((1.4, 1, 0.0), (0.9, 2, 0.31), (0.35, 5, 0.73))
PITCH_DEG: tuple[Wave, ...] = ((0.8, 1, 0.22), (0.6, 3, 0.64), (0.25, 7, 0.08))
ROLL_DEG: tuple[Wave, ...] = ((0.45, 1, 0.57), (0.3, 2, 0.12))
SHIFT_X_IOD: tuple[Wave, ...] = ((0.010, 1, 0.41),)
SHIFT_Y_IOD: tuple[Wave, ...] = ((0.010, 2, 0.86), (0.008, 3, 0.0))

LEVERS_IOD = np.array([1.1, 1.1, 1.2, 1.0, 1.0])
"""Movement of the face per radian of yaw, pitch and roll, and per IOD of shift."""
BEND_SHARE = 0.4
"""Share of the waves' own time, against arc length, in the spacing of poses: denser in bends."""
FINE = 4000
"""Samples of the curve from which its length is computed."""

SLOW, FAST = (0.35, 0.8), (0.9, 1.8)
"""Speeds of the idle loop, frames of the curve per frame."""
FAST_SHARE, TURN_SHARE = 0.4, 0.3
"""Shares of the stretches that are fast, and that begin with a turn back."""
STRETCH_S = (0.9, 3.2)
"""Shortest and longest stretch of one speed."""
SPEED_SIGMA_S = 0.28
"""The changes of speed are smoothed with this sigma."""

NODS, NOD_S = 18, 0.28
"""Number of nods, and the time in which the head goes down."""
NOD_PITCH_DEG, NOD_SHIFT_IOD, NOD_TILT_DEG = 1.6, 0.010, 0.35
NOD_STRENGTHS = (0.8, 1.4)
LIFTS, LIFT_S = 7, 0.40
LIFT_PITCH_DEG, LIFT_SHIFT_IOD, LIFT_ROLL_DEG = -1.1, -0.012, 0.7
BROW_IOD = 0.06
"""Lift of the brows; a strong nod has a part of it."""
NOD_BROW_SHARE = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class PortraitMotion:
    """Everything that moves in a portrait."""

    poses: NDArray[np.float64]
    """(n, 5) yaw, pitch, roll in radians, shift right and down in IOD: the curve, then the
    gestures."""
    brows: NDArray[np.float64]
    """(n,) lift of the brows, IOD."""
    gestures: NDArray[np.int32]
    """(g, 5) as `warm.motion.rail.Gesture`."""
    path: NDArray[np.int32]
    """(period, 2) the idle loop: the frame shown, and the frame of a blink from 1, or 0."""
    closures: NDArray[np.float64]
    """(b,) closures of the lid in a blink, frame by frame."""


def portrait_motion(fps: int) -> PortraitMotion:
    """Return the movements of every portrait at a frame rate."""
    rng = np.random.default_rng(SEED)
    curve = curve_poses(CURVE_S * fps)
    path = idle_path(len(curve), fps, rng)
    lids = idle_lids(len(path), fps, rng)
    branches, brows, rows = gesture_poses(curve, fps, rng)
    return PortraitMotion(
        np.vstack([curve, branches]),
        np.concatenate([np.zeros(len(curve)), brows]),
        rows,
        np.column_stack([path, lids]),
        blink_profile(fps),
    )


def curve_poses(count: int) -> NDArray[np.float64]:
    """Return (count, 5) poses on the closed curve, about equally far apart, closer in its bends."""
    turns = np.arange(FINE + 1) / FINE
    angles = [np.radians(wave_sum(waves, turns)) for waves in (YAW_DEG, PITCH_DEG, ROLL_DEG)]
    shifts = [wave_sum(waves, turns) for waves in (SHIFT_X_IOD, SHIFT_Y_IOD)]
    fine = np.column_stack(angles + shifts)
    steps = np.linalg.norm(np.diff(fine, axis=0) * LEVERS_IOD, axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    pace = (1 - BEND_SHARE) * length / length[-1] + BEND_SHARE * turns
    places = np.interp(np.arange(count) / count, pace, turns * FINE)
    return np.column_stack([np.interp(places, np.arange(FINE + 1), column) for column in fine.T])


def wave_sum(waves: tuple[Wave, ...], turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of sines at `turns` (0…1 is one turn of the curve)."""
    total = np.zeros_like(turns)
    for amplitude, cycles, phase in waves:
        total += amplitude * np.sin(2 * np.pi * (cycles * turns + phase))
    return total


def idle_path(count: int, fps: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return (period,) frames of the curve of `count` frames: wandering at changing speed."""
    period = IDLE_S * fps
    speed = smoothed(stretches(period, fps, rng), SPEED_SIGMA_S * fps)
    total = float(speed.sum())
    speed += (round(total / count) * count - total) / period
    places = np.concatenate([[0.0], np.cumsum(speed)[:-1]])
    return np.asarray(np.rint(places).astype(np.int64) % count, np.int32)


def stretches(period: int, fps: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return (period,) speeds, constant in each of many stretches."""
    speeds = np.zeros(period)
    start, sign = 0, 1.0
    while start < period:
        length = round(rng.uniform(*STRETCH_S) * fps)
        speeds[start : start + length] = sign * rng.uniform(
            *(FAST if rng.random() < FAST_SHARE else SLOW)
        )
        start += length
        sign = -sign if rng.random() < TURN_SHARE else sign
    return speeds


def smoothed(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Return a cyclic (n,) signal after a Gaussian filter."""
    frequency = np.fft.rfftfreq(len(values))
    gain = np.exp(-2 * (np.pi * sigma * frequency) ** 2)
    return np.asarray(np.fft.irfft(np.fft.rfft(values) * gain, len(values)))


def gesture_poses(
    curve: NDArray[np.float64], fps: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """Return the poses (m, 5) and brows (m,) of all gestures, and their (g, 5) table."""
    poses, brows, rows = list[NDArray[np.float64]](), list[NDArray[np.float64]](), []
    first = len(curve)
    for kind, number, length_s in ((NOD, NODS, NOD_S), (LIFT, LIFTS, LIFT_S)):
        frames = max(3, round(length_s * fps))
        shape = (1 - np.cos(np.pi * np.arange(1, frames + 1) / frames)) / 2
        for index in range(number):
            junction = round((index + 0.5) * len(curve) / number)
            strength = rng.uniform(*NOD_STRENGTHS) if kind == NOD else 1.0
            offset = nod_offset(strength, rng) if kind == NOD else lift_offset(rng)
            brow = BROW_IOD * (1.0 if kind == LIFT else NOD_BROW_SHARE * (strength > 1))
            poses.append(curve[junction] + shape[:, None] * offset)
            brows.append(brow * shape)
            rows.append((kind, junction, first, frames, round(100 * strength)))
            first += frames
    table = np.array(rows, np.int32)
    assert table.shape[1] == GESTURE_COLUMNS
    return np.vstack(poses), np.concatenate(brows), table


def nod_offset(strength: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the (5,) change of pose at the bottom of a nod."""
    yaw, roll = np.radians(rng.uniform(-NOD_TILT_DEG, NOD_TILT_DEG, 2))
    down = np.radians(NOD_PITCH_DEG)
    return strength * np.array([yaw, down, roll, 0.0, NOD_SHIFT_IOD])


def lift_offset(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the (5,) change of pose at the top of a lift."""
    roll = np.radians(LIFT_ROLL_DEG) * rng.choice([-1.0, 1.0])
    return np.array([0.0, np.radians(LIFT_PITCH_DEG), roll, 0.0, LIFT_SHIFT_IOD])
