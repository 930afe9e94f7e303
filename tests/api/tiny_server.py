"""A real server process around the tiny avatar: `python tiny_server.py RESULTS PORT`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1])]

from tiny_face import LoudnessEngine, tiny_avatar  # noqa: E402

from api.launch import listen, serve  # noqa: E402
from app import announce, assemble  # noqa: E402
from tts.espeak import EspeakVoices  # noqa: E402
from warm.runtime import Runtime  # noqa: E402
from warm.settings import Settings  # noqa: E402
from warm.store import AvatarStore  # noqa: E402


def main(results: Path, port: int) -> None:
    settings = Settings(results_dir=results, port=port, avatar_id="tiny")

    def load() -> object:
        runtime = Runtime(
            settings=settings,
            avatar=tiny_avatar(results),
            engine=LoudnessEngine(),
            voices=EspeakVoices(),
            on_warm=lambda: announce(settings),
        )
        runtime.start()
        return assemble(settings, runtime, AvatarStore(results))

    with listen(settings.host, port) as listener:
        serve(settings, listener, load)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
