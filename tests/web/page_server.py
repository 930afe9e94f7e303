"""A real server with a small synthetic avatar: `page_server.py RESULTS PORT SETTINGS`.

The frames are grey, and each is brighter than the previous one, so that an image on the page
shows its frame number. The head is a black disc that moves to the right; the mouth is a square
as bright as the audio is loud.
"""

import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2]))

from api.context import context  # noqa: E402
from api.server.folder_lock import lock_folder  # noqa: E402
from api.server.gunicorn_app import listen, serve  # noqa: E402
from app import announce, assemble, open_heads, own_head  # noqa: E402
from tests.tiny_face import LoudnessEngine  # noqa: E402
from tts.catalogue import espeak_voices  # noqa: E402
from warm.avatars.avatar import CANONICAL_EYES, AvatarBuild  # noqa: E402
from warm.avatars.store import AvatarStore  # noqa: E402
from warm.live.hub import LiveHub  # noqa: E402
from warm.prepare.idle_film import write_idle_film  # noqa: E402
from warm.runtime import Runtime  # noqa: E402
from warm.settings import Settings  # noqa: E402

SIDE, FRAMES = 96, 100
DARKEST, STEP = 40, 1.5
"""Grey of the first frame, and its increase per frame; the loop is a ping-pong."""
HEAD_Y, HEAD_RADIUS = 24, 8
HEAD_FIRST_X, HEAD_STEP = 36, 0.24
"""Position of the head in the first frame, and its movement per frame, pixels."""
SCALE = 0.1
"""Pixels of the frame per pixel of the upright crop."""


def draw_frames() -> NDArray[np.uint8]:
    """(FRAMES, SIDE, SIDE, 3) uint8."""
    frames = np.empty((FRAMES, SIDE, SIDE, 3), np.uint8)
    for index, frame in enumerate(frames):
        frame[:] = int(DARKEST + STEP * index)
        centre = round(16 * (HEAD_FIRST_X + HEAD_STEP * index)), 16 * HEAD_Y
        cv2.circle(frame, centre, 16 * HEAD_RADIUS, (0, 0, 0), -1, cv2.LINE_AA, shift=4)
    return frames


def head_transforms() -> NDArray[np.float64]:
    """(FRAMES, 2, 3): the midpoint between the eyes is the centre of the disc."""
    transforms = np.tile(SCALE * np.eye(2, 3), (FRAMES, 1, 1))
    eyes = SCALE * np.array(CANONICAL_EYES)
    transforms[:, 0, 2] = HEAD_FIRST_X + HEAD_STEP * np.arange(FRAMES) - eyes[0]
    transforms[:, 1, 2] = HEAD_Y - eyes[1]
    return transforms


def make_avatar(store: AvatarStore) -> None:
    """Store the grey avatar; preparation would find no face in it."""
    with store.building("grey") as folder:
        build = AvatarBuild(
            folder=folder,
            fps=25,
            frames=draw_frames(),
            transforms=head_transforms(),
            landmarks=np.zeros((FRAMES, 468, 3), np.float32),
            loop="pingpong",
            extras={},
        )
        for name in ("frames", "transforms", "landmarks"):
            build.write_array(name, getattr(build, name))
        write_idle_film(build, folder / "idle.mp4")
        store.write_manifest(
            build, avatar_id="grey", digest="0" * 64, metadata={"source": "grey"}, notes=[]
        )


class HeldEngine(LoudnessEngine):
    """Loads when the file `hold` no longer exists."""

    def __init__(self, hold: Path) -> None:
        super().__init__()
        self._hold = hold

    def load(self) -> None:
        while self._hold.exists():
            time.sleep(0.02)
        super().load()


def main(results: Path, port: int, **more: Any) -> None:
    chosen = {"chat_model": "off", **more}
    settings = Settings(results_dir=results, port=port, avatar_id="grey", **chosen)
    store = AvatarStore(results)
    if not store.list():
        make_avatar(store)

    def load() -> object:
        live, heads = LiveHub(settings), open_heads(settings)
        runtime = Runtime(
            settings=settings,
            avatar=store.open("grey"),
            engine=HeldEngine(results / "hold"),
            voices=espeak_voices(),
            on_warm=lambda: announce(settings),
            live=live,
            claims=None if heads is None else heads.claims,
        )
        app = assemble(settings, runtime, store, live=live, known_heads=heads)
        runtime.start()
        runtime.open_decoders()
        context(app).jobs.start()
        context(app).conversations.start()
        return app

    with ExitStack() as held:
        if settings.head is not None:
            held.enter_context(lock_folder(results, own_head(settings)))
        serve(settings, held.enter_context(listen(settings.host, port)), load)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), **json.loads(sys.argv[3]))
