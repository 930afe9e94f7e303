"""A lip engine whose patches show the loudness of the speech, a tiny avatar, and their server."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from tts.voice import Voices
from warm.avatars.action import Action
from warm.avatars.avatar import MOUTH_SHARES, Avatar, AvatarBuild
from warm.engines.base import Patch, PatchRequest, PendingPatches, ReadyPatches
from warm.render.live_sink import NO_LIVE, LiveSink
from warm.runtime import Runtime
from warm.settings import Settings

WIDTH, HEIGHT, FRAMES = 96, 80, 10
MOUTH = (36, 48)
"""Position of the patch in the frame: x, y."""
PATCH = 24
WARM_TIMEOUT_S = 60
ACTION_FRAMES = {"wave": 30, "hide": 40}
HIDDEN = 16
"""Frames of the action `hide` that show no mouth."""


class LoudnessEngine:
    """Draws a square whose brightness is the loudness of the frame."""

    name = "loudness"
    benefits_from_batching = False
    largest_batch: int | None = None

    def __init__(self) -> None:
        self.broken_after: int | None = None
        """Number of frames after which `submit` fails; None: never."""
        self.rendered = 0

    def round_up_batch(self, frames: int) -> int:
        return frames

    def load(self) -> None:
        self.rendered = 0

    def unload(self) -> None:
        pass

    def release_cached_memory(self) -> None:
        pass

    def prepare(self, build: AvatarBuild) -> None:
        pass

    def load_avatar(self, avatar: Avatar) -> None:
        pass

    def unload_avatar(self, avatar: Avatar) -> None:
        pass

    def encode_speech(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        edges = np.arange(frames) * speech.sample_rate_hz // fps
        sound = np.pad(np.abs(speech.samples), (0, speech.sample_rate_hz))
        return np.array(
            [[sound[edge : edge + speech.sample_rate_hz // fps].max()] for edge in edges],
            np.float32,
        )

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        self.rendered += len(requests)
        if self.broken_after is not None and self.rendered > self.broken_after:
            raise RuntimeError("the engine broke")
        return ReadyPatches([self._patch(float(request.features[0])) for request in requests])

    def _patch(self, loudness: float) -> Patch:
        picture = np.full((PATCH, PATCH, 3), 255 * min(1.0, loudness), np.uint8)
        mask = np.full((PATCH, PATCH), 255, np.uint8)
        move = np.array([[1.0, 0, MOUTH[0]], [0, 1.0, MOUTH[1]]])
        return Patch(picture, mask, move)

    def device_status(self) -> dict[str, Any]:
        return {"device": "cpu", "memory_used_gb": None, "memory_total_gb": None}


def tiny_avatar(folder: Path) -> Avatar:
    """Ten frames, each of its own shade of grey, which identifies it."""
    frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for index in range(FRAMES):
        frames[index] = 60 + 15 * index
    return Avatar(
        id="tiny",
        digest="0" * 64,
        fps=25,
        frames=frames,
        transforms=np.tile(np.eye(2, 3), (FRAMES, 1, 1)),
        landmarks=np.zeros((FRAMES, 468, 3), np.float32),
        loop="pingpong",
        extras={},
        folder=folder,
    )


def acting_avatar(folder: Path) -> Avatar:
    """The tiny avatar with two actions of red frames; `hide` shows no mouth in its middle."""
    base = tiny_avatar(folder)
    more = sum(ACTION_FRAMES.values())
    frames = np.concatenate([base.frames, np.zeros((more, HEIGHT, WIDTH, 3), np.uint8)])
    frames[FRAMES:, ..., 2] = 220
    shares = np.ones(FRAMES + more, np.float32)
    shares[FRAMES + ACTION_FRAMES["wave"] + 12 :][:HIDDEN] = 0
    starts = np.cumsum([FRAMES, *ACTION_FRAMES.values()]).tolist()
    return replace(
        base,
        frames=frames,
        transforms=np.tile(np.eye(2, 3), (len(frames), 1, 1)),
        landmarks=np.zeros((len(frames), 468, 3), np.float32),
        extras={MOUTH_SHARES: shares},
        actions={
            name: Action(
                name=name,
                start=start,
                frames=count,
                digest="0" * 64,
                mouth_frames=count,
                picture_step=40.0,
            )
            for start, (name, count) in zip(starts, ACTION_FRAMES.items(), strict=False)
        },
    )


@contextmanager
def running_runtime(
    settings: Settings,
    voices: Voices,
    folder: Path,
    *,
    engine: LoudnessEngine | None = None,
    avatar: Avatar | None = None,
    clock: Callable[[], float] = time.monotonic,
    live: LiveSink = NO_LIVE,
) -> Iterator[Runtime]:
    """A warm runtime, by default with the tiny avatar; closed at the end of the block."""
    runtime = Runtime(
        settings=settings,
        avatar=avatar or tiny_avatar(folder),
        engine=engine or LoudnessEngine(),
        voices=voices,
        clock=clock,
        live=live,
    )
    runtime.start()
    try:
        assert runtime.wait_until_warm(WARM_TIMEOUT_S), runtime.health()
        yield runtime
    finally:
        runtime.close()
