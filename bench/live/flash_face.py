"""A server whose face is black, and white while its sound is loud.

`python -m bench.live.flash_face ARGS…`, where ARGS are the server's own. Bursts in a recording that
begin with a frame are shown as flashes that begin at the same moment.
"""

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.server.folder_lock import lock_folder
from api.server.gunicorn_app import serve
from api.server.listening import listen
from app import make_app
from tts.speech import Speech
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.store import AvatarStore
from warm.engines.base import Patch, PatchRequest, PendingPatches, ReadyPatches
from warm.prepare.idle_film import write_idle_film
from warm.settings import Settings, read_settings

AVATAR = "black"
WIDTH, HEIGHT, FRAMES, FPS = 512, 600, 50, 25
SIDE = 64
"""Size of the square that flashes, pixels."""
LOUD = 0.12
"""Amplitude of a burst; the sound between is quieter."""


class FlashEngine:
    """Draws a square that is white in each frame with a loud sample."""

    name = "flash"
    benefits_from_batching = False
    largest_batch: int | None = None

    def round_up_batch(self, frames: int) -> int:
        """Return the batch as it is."""
        return frames

    def load(self) -> None:
        """Load nothing."""

    def unload(self) -> None:
        """Unload nothing."""

    def release_cached_memory(self) -> None:
        """Keep nothing."""

    def prepare(self, build: AvatarBuild) -> None:
        """Prepare nothing."""

    def load_avatar(self, avatar: Avatar) -> None:
        """Load nothing."""

    def unload_avatar(self, avatar: Avatar) -> None:
        """Unload nothing."""

    def encode_speech(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        """Return (frames, 1): 1 for a loud frame."""
        step = speech.sample_rate_hz // fps
        sound = np.pad(np.abs(speech.samples), (0, frames * step))[: frames * step]
        loudest = sound.reshape(frames, step).max(axis=1, keepdims=True)
        return np.asarray(loudest > LOUD, np.float32)

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        """Return the squares."""
        return ReadyPatches([self._patch(float(each.features[0])) for each in requests])

    def _patch(self, loud: float) -> Patch:
        picture = np.full((SIDE, SIDE, 3), 255 * loud, np.uint8)
        mask = np.full((SIDE, SIDE), 255, np.uint8)
        move = np.array([[1.0, 0, (WIDTH - SIDE) / 2], [0, 1.0, (HEIGHT - SIDE) / 2]])
        return Patch(picture, mask, move)

    def device_status(self) -> dict[str, Any]:
        """Return the state of the device."""
        return {"device": "cpu", "memory_used_gb": None, "memory_total_gb": None}


def make_black_avatar(store: AvatarStore) -> None:
    """Store the black avatar; preparation would find no face in it."""
    with store.building(AVATAR) as folder:
        build = AvatarBuild(
            folder=folder,
            fps=FPS,
            frames=np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8),
            transforms=np.tile(np.eye(2, 3), (FRAMES, 1, 1)),
            landmarks=np.zeros((FRAMES, 468, 3), np.float32),
            loop="pingpong",
            extras={},
        )
        for name in ("frames", "transforms", "landmarks"):
            build.write_array(name, getattr(build, name))
        write_idle_film(build, folder / "idle.mp4")
        store.write_manifest(
            build, avatar_id=AVATAR, digest="0" * 64, metadata={"source": AVATAR}, notes=[]
        )


def make_engine(_settings: Settings) -> FlashEngine:
    """Return the engine of the server."""
    return FlashEngine()


def main(*arguments: str) -> None:
    """Serve until a signal arrives."""
    settings = read_settings(["--avatar-id", AVATAR, *arguments])
    store = AvatarStore(settings.results_dir)
    if not store.list():
        make_black_avatar(store)
    load = partial(make_app, settings, engine=make_engine, on_warm=lambda: None)
    with lock_folder(settings.results_dir), listen(settings.host, settings.port) as listener:
        serve(settings, listener, load)


if __name__ == "__main__":
    main(*sys.argv[1:])
