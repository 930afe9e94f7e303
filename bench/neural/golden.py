"""Golden data: tensors of every stage, written by the reference implementation."""

import json
import re
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.engines.musetalk.crop import FaceBox, Picture

FRAME_STEP = re.compile(r"base\.png\[(\d+)k : \d+k\+H, (\d+)k : \d+k\+W\]")
"""Notation of the position of frame k in the base picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """One folder of golden data; its README describes each array."""

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    base: Picture
    """Picture from which all frames are cropped, BGR."""
    parsing: Picture
    """(512, 512) substitute for the output of the face parser."""
    sound: NDArray[np.float32]
    """16 kHz mono, -1…1."""

    @classmethod
    def read(cls, folder: Path) -> "Golden":
        """Read a folder; raises OSError and ValueError."""
        arrays: dict[str, NDArray[Any]] = {}
        for path in sorted(folder.glob("golden_*.npz")):
            arrays.update(np.load(path))
        return cls(
            facts=json.loads((folder / "golden.json").read_bytes()),
            arrays=arrays,
            base=read_picture(folder / "base.png", cv2.IMREAD_COLOR),
            parsing=read_picture(folder / "mask512.png", cv2.IMREAD_GRAYSCALE),
            sound=read_sound(folder / "speech16k.wav"),
        )

    @property
    def cycle(self) -> list[int]:
        """Frame numbers forwards, then backwards."""
        forwards = list(range(int(self.facts["NF"])))
        return forwards + forwards[::-1]

    def frame(self, number: int) -> Picture:
        """(h, w, 3) picture of one frame."""
        found = FRAME_STEP.search(self.facts["frames"])
        if found is None:
            raise ValueError(f"golden.json: frames = {self.facts['frames']!r} cannot be parsed")
        top, left = (int(step) * number for step in found.groups())
        width, height = self.facts["frame_wh"]
        return self.base[top : top + height, left : left + width]

    def box(self, number: int) -> FaceBox:
        """Face box in a frame, with the margin below it."""
        found = FRAME_STEP.search(self.facts["frames"])
        assert found is not None
        down, right = (int(step) * number for step in found.groups())
        left, top, x1, y1 = self.facts["bbox0"]
        bottom = min(y1 - down + self.facts["extra_margin"], self.facts["frame_wh"][1])
        return FaceBox(left - right, top - down, x1 - right, bottom)

    def numbered(self, prefix: str) -> list[tuple[int, NDArray[Any]]]:
        """Arrays named `prefix` plus a number, with that number."""
        found = [(re.fullmatch(rf"{prefix}(\d+)", name), name) for name in self.arrays]
        return [(int(match[1]), self.arrays[name]) for match, name in found if match]


def read_picture(path: Path, kind: int) -> Picture:
    """Read a picture file; raises OSError."""
    found = cv2.imread(str(path), kind)
    if found is None:
        raise FileNotFoundError(f"{path} is missing, or is not a picture")
    return np.asarray(found, np.uint8)


def read_sound(path: Path) -> NDArray[np.float32]:
    """(n,) samples of a 16-bit mono WAV at 16 kHz; raises ValueError for any other format."""
    with wave.open(str(path)) as file:
        kind = (file.getframerate(), file.getnchannels(), file.getsampwidth())
        if kind != (16_000, 1, 2):
            raise ValueError(f"{path}: (rate, channels, bytes) are {kind}, expected (16000, 1, 2)")
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return samples.astype(np.float32) / np.float32(32768)
