"""A lip engine of your own: an ellipse over the lips that opens with the loudness.

    .venv/bin/python -m examples.custom_engine --avatar-id demo

serves like app.py, with the same flags, but with this engine. An engine is any class with the
methods of `warm.engines.base.Engine`; `app.main` and `app.create_app` take a function or class that
makes one from the settings. It may use the avatars of another engine, as this one does.
"""

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import app
from api.server.shutdown import exit_now
from tts.speech import Speech
from warm.avatars.avatar import CANONICAL_SIZE, Avatar, AvatarBuild
from warm.engines.base import Patch, PatchRequest, PendingPatches, ReadyPatches
from warm.settings import Settings

LEFT_CORNER, RIGHT_CORNER = 61, 291
"""Landmarks of the face mesh."""
INSIDE_BGR = (30, 20, 60)
"""The dark red inside the mouth."""
LOUD = 0.25
"""The root mean square of the samples in a frame at which the mouth is widest open."""
WIDEST = 0.4
"""Largest opening, in widths of the mouth."""
SOFT_PX = 3
"""Blur of the ellipse's edge, pixels of the canonical crop."""


class EllipseEngine:
    """Implements `warm.engines.base.Engine`. Owned by one thread."""

    name = "ellipse"
    benefits_from_batching = False
    largest_batch: int | None = None

    def __init__(self, settings: Settings) -> None:
        """The settings may choose a device or files; this engine needs none."""

    def round_up_batch(self, frames: int) -> int:
        """Return `frames`: every frame takes equally long."""
        return frames

    def load(self) -> None:
        """Load nothing: there is no model."""

    def unload(self) -> None:
        """Free nothing."""

    def release_cached_memory(self) -> None:
        """Free nothing."""

    def prepare(self, build: AvatarBuild) -> None:
        """Add nothing to an avatar under construction."""

    def load_avatar(self, avatar: Avatar) -> None:
        """Keep nothing: two landmarks of each frame are enough."""

    def unload_avatar(self, avatar: Avatar) -> None:
        """Drop nothing."""

    def encode_speech(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        """The loudness of each frame, 0 to 1: (frames, 1)."""
        edges = np.arange(frames + 1) * speech.sample_rate_hz // fps
        padded = np.pad(speech.samples, (0, max(0, edges[-1] - len(speech.samples))))
        power = [np.mean(padded[start:end] ** 2) for start, end in pairwise(edges)]
        return np.minimum(np.sqrt(power) / LOUD, 1)[:, np.newaxis].astype(np.float32)

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        """Draw the patches now; a GPU would be started here and waited for in `patches`."""
        return ReadyPatches([draw(request) for request in requests])

    def device_status(self) -> dict[str, Any]:
        """Return the device."""
        return {"device": "cpu", "memory_used_gb": None, "memory_total_gb": None}


def draw(request: PatchRequest) -> Patch:
    """The mouth of one frame, drawn in the canonical crop, where every face is upright."""
    to_frame = np.asarray(request.avatar.transforms[request.frame], np.float64)
    corners = in_crop(to_frame, request.avatar.landmarks[request.frame])
    width = float(np.linalg.norm(corners[1] - corners[0]))
    opening = WIDEST * width * float(request.features[0])
    shape = (CANONICAL_SIZE, CANONICAL_SIZE)
    mask = np.zeros(shape, np.uint8)
    if opening >= 1:
        middle = tuple(corners.mean(axis=0).round().astype(int).tolist())
        cv2.ellipse(mask, middle, (round(width * 0.35), round(opening / 2)), 0, 0, 360, 255, -1)
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), SOFT_PX / 2), np.uint8)
    picture = np.full((*shape, 3), INSIDE_BGR, np.uint8)
    return Patch(picture, mask, to_frame)


def in_crop(to_frame: NDArray[np.float64], landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """The corners of the mouth in the canonical crop: (2, 2) x, y."""
    to_crop = cv2.invertAffineTransform(to_frame)
    points = landmarks[[LEFT_CORNER, RIGHT_CORNER], :2]
    return np.asarray(points @ to_crop[:, :2].T + to_crop[:, 2], np.float64)


if __name__ == "__main__":
    exit_now(
        app.main(sys.argv[1:], program="python -m examples.custom_engine", engine=EllipseEngine)
    )
