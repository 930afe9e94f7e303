"""Windows of Whisper steps around each video frame, and the tokens made of them."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

STEP_HZ = 50
"""Encoder steps per second of sound."""
STEPS_PER_FRAME = 10
"""Encoder steps in the window of a video frame."""
LEFT_PAD = 2
"""The first window begins this many times `ceil(STEP_HZ / fps)` steps before the sound."""

Floats = NDArray[np.float32]


def window_table(steps: int, *, frames: int, fps: int) -> NDArray[np.int64]:
    """(frames, STEPS_PER_FRAME) 1-based numbers of each frame's steps; 0 is padding.

    Frame i begins floor(i * STEP_HZ / fps) steps into the padded sound. The product is computed in
    floats, as in the reference; at every rate that divides 48 kHz the floor is exact.
    """
    before = LEFT_PAD * -(-STEP_HZ // fps)
    starts = np.floor(np.arange(frames) * (STEP_HZ / fps)).astype(np.int64) - before
    table = starts[:, None] + np.arange(1, STEPS_PER_FRAME + 1)
    return np.where((table >= 1) & (table <= steps), table, 0)


def audio_tokens(hidden: Floats, *, frames: int, fps: int) -> Floats:
    """(steps, layers, width) hidden states to (frames, STEPS_PER_FRAME * layers, width).

    The layers of a step follow one another.
    """
    padding = np.zeros((1, *hidden.shape[1:]), np.float32)
    table = window_table(len(hidden), frames=frames, fps=fps)
    windows = np.concatenate([padding, hidden])[table]
    return windows.reshape(frames, -1, hidden.shape[-1])


def positional_encoding(count: int, width: int) -> Floats:
    """(count, width) sinusoids: sine in even columns, cosine in odd ones (Vaswani et al., 2017)."""
    rates = torch.exp(torch.arange(0, width, 2).float() * (-math.log(10_000.0) / width))
    angles = torch.arange(count).float()[:, None] * rates
    return np.asarray(torch.stack([angles.sin(), angles.cos()], dim=-1).reshape(count, width))
