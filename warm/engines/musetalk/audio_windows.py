"""Which Whisper steps a video frame hears, and the tokens made of them."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

STEP_HZ = 50
"""Encoder steps in a second of sound."""
STEPS = 10
"""Encoder steps that one video frame hears."""
LEFT_PAD = 2
"""The first window begins this many times `ceil(STEP_HZ / fps)` steps before the sound."""

Floats = NDArray[np.float32]


def window_table(steps: int, *, frames: int, fps: int) -> NDArray[np.int64]:
    """(frames, STEPS) 1-based numbers of the steps that each frame hears; 0 is padding.

    Frame i begins floor(i * STEP_HZ / fps) steps into the padded sound. The product is taken as the
    reference takes it, in floats; at every rate that divides 48 kHz that is the exact floor.
    """
    before = LEFT_PAD * -(-STEP_HZ // fps)
    starts = np.floor(np.arange(frames) * (STEP_HZ / fps)).astype(np.int64) - before
    table = starts[:, None] + np.arange(1, STEPS + 1)
    return np.where((table >= 1) & (table <= steps), table, 0)


def tokens_of(hidden: Floats, *, frames: int, fps: int) -> Floats:
    """(steps, layers, width) hidden states to (frames, STEPS * layers, width), step by step."""
    silent = np.zeros((1, *hidden.shape[1:]), np.float32)
    table = window_table(len(hidden), frames=frames, fps=fps)
    heard = np.concatenate([silent, hidden])[table]
    return heard.reshape(frames, -1, hidden.shape[-1])


def positions(count: int, width: int) -> Floats:
    """(count, width) sinusoids: sine in even columns, cosine in odd ones (Vaswani et al., 2017)."""
    rates = torch.exp(torch.arange(0, width, 2).float() * (-math.log(10_000.0) / width))
    angles = torch.arange(count).float()[:, None] * rates
    return np.asarray(torch.stack([angles.sin(), angles.cos()], dim=-1).reshape(count, width))
