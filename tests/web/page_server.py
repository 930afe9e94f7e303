"""A real server process around a small avatar with an idle film: `page_server.py RESULTS PORT`.

Its pictures are grey, brighter by one step from frame to frame, so that a picture on the page
tells which frame it is; its mouth is a square as bright as the sound is loud.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1])]

from conftest import LoudnessEngine  # noqa: E402

from api.launch import listen, serve  # noqa: E402
from app import announce, assemble  # noqa: E402
from tts.espeak import EspeakVoices  # noqa: E402
from warm.avatar import AvatarBuild  # noqa: E402
from warm.prepare.idle_film import write_idle_film  # noqa: E402
from warm.runtime import Runtime  # noqa: E402
from warm.settings import Settings  # noqa: E402
from warm.store import AvatarStore  # noqa: E402

SIDE, FRAMES = 96, 100
DARKEST, STEP = 40, 1.5
"""Grey of the first frame, and by how much the next one is brighter; the loop is a ping-pong."""


def make_avatar(store: AvatarStore) -> None:
    """Prepare the grey face without looking for a face in it."""
    greys = DARKEST + STEP * np.arange(FRAMES)
    frames = np.broadcast_to(greys[:, None, None, None], (FRAMES, SIDE, SIDE, 3)).astype(np.uint8)
    with store.building("grey") as folder:
        build = AvatarBuild(
            folder=folder,
            fps=25,
            frames=frames,
            transforms=np.tile(np.eye(2, 3), (FRAMES, 1, 1)),
            landmarks=np.zeros((FRAMES, 468, 3), np.float32),
            loop="pingpong",
            extras={},
        )
        for name in ("frames", "transforms", "landmarks"):
            build.write_array(name, getattr(build, name))
        write_idle_film(build, folder / "idle.mp4")
        store.seal(build, avatar_id="grey", digest="0" * 64, facts={"source": "grey"}, notes=[])


def main(results: Path, port: int) -> None:
    settings = Settings(results_dir=results, port=port, avatar_id="grey")
    store = AvatarStore(results)
    if not store.list():
        make_avatar(store)

    def load() -> object:
        runtime = Runtime(
            settings=settings,
            avatar=store.open("grey"),
            engine=LoudnessEngine(),
            voices=EspeakVoices(),
            on_warm=lambda: announce(settings),
        )
        runtime.start()
        return assemble(settings, runtime, store)

    serve(settings, listen(settings.host, port), load)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
