"""A server of the tiny avatar: `python tiny_server.py RESULTS PORT [FAULT [NAME=VALUE …]]`.

FAULT selects a fault to simulate; settings follow it. Progress is printed to stdout.
"""

import resource
import sys
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2]))

from api.server.shutdown import exit_on_signals  # noqa: E402

if __name__ == "__main__":
    exit_on_signals()

from collections.abc import Sequence  # noqa: E402
from contextlib import ExitStack  # noqa: E402
from threading import Event  # noqa: E402

import cv2  # noqa: E402
import numpy as np  # noqa: E402

import api.server.time_limits  # noqa: E402
import api.server.worker  # noqa: E402
from api.context import context  # noqa: E402
from api.server.folder_lock import lock_folder  # noqa: E402
from api.server.gunicorn_app import listen, serve  # noqa: E402
from app import announce, assemble, exit_on_start_failure, open_heads, own_head  # noqa: E402
from tests.tiny_face import LoudnessEngine, tiny_avatar  # noqa: E402
from tts.catalogue import espeak_voices  # noqa: E402
from tts.heart.voices import HeartVoices  # noqa: E402
from tts.registry import VoiceRegistry  # noqa: E402
from warm.avatars.store import AvatarStore  # noqa: E402
from warm.engines.base import EngineLost, PatchRequest, PendingPatches  # noqa: E402
from warm.engines.weights.errors import WeightsError  # noqa: E402
from warm.live.hub import LiveHub  # noqa: E402
from warm.runtime import Runtime  # noqa: E402
from warm.settings import Settings  # noqa: E402


class NativeEngine(LoudnessEngine):
    """Never finishes loading; it loads inside a native library."""

    def load(self) -> None:
        sys.stdout.write("loading\n")
        picture = np.zeros((2000, 2000), np.uint8)
        while True:
            cv2.GaussianBlur(picture, (0, 0), 3)


class MortalEngine(LoudnessEngine):
    """Its device fails permanently in this process if the results folder has a file `die`."""

    def __init__(self, results: Path) -> None:
        super().__init__()
        self.die = results / "die"
        self.is_dead = False

    def load(self) -> None:
        if (self.die.parent / "dead").exists():
            sys.stdout.write("dead\n")
            raise EngineLost("an illegal address", needs_new_process=True)
        super().load()

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        if self.die.exists() and self.rendered:
            self.die.unlink()
            self.is_dead = True
        if self.is_dead:
            raise EngineLost("an illegal address", needs_new_process=True)
        return super().submit(requests)


class UnfitEngine(LoudnessEngine):
    """Fails to load, because its weights do not fit."""

    def load(self) -> None:
        raise WeightsError("unet.pth does not fit musetalk.json")


def heart_voices() -> VoiceRegistry:
    """Return the voice `heart` alone, which loads in the background."""
    heart = HeartVoices()
    heart.prepare("heart")
    return VoiceRegistry([heart])


def main(results: Path, port: int, fault: str = "none", *named: str) -> int:
    chosen = dict(word.split("=") for word in named)
    chosen = chosen if "chat_url" in chosen else {"chat_model": "off", **chosen}
    settings = Settings(results_dir=results, port=port, avatar_id="tiny", **chosen)
    engines = {
        "native": NativeEngine,
        "mortal": lambda: MortalEngine(results),
        "unfit": UnfitEngine,
    }
    if fault == "impatient":
        for name in ("SEND_S", "SILENT_S", "HEAD_S", "BODY_S", "THREAD_WAIT_S"):
            setattr(api.server.time_limits, name, 1.0)
    if fault == "few-files":
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    if fault == "mortal":
        api.server.worker.MIN_LIFETIMES_S = (0.0, 0.0)

    def load() -> object:
        if fault == "booting":
            sys.stdout.write("booting\n")
            Event().wait()
        live = LiveHub(settings)
        heads = open_heads(settings)
        runtime = Runtime(
            settings=settings,
            avatar=tiny_avatar(results),
            engine=engines.get(fault, LoudnessEngine)(),
            voices=heart_voices() if fault == "heart" else espeak_voices(),
            on_warm=lambda: announce(settings),
            live=live,
            claims=None if heads is None else heads.claims,
        )
        runtime.on_start_failure(exit_on_start_failure)
        runtime.start()
        runtime.open_decoders()
        app = assemble(settings, runtime, AvatarStore(results), live=live, known_heads=heads)
        context(app).jobs.start()
        context(app).webhooks.start()
        context(app).conversations.start()
        return app

    with ExitStack() as held:
        if settings.head is not None:
            held.enter_context(lock_folder(results, own_head(settings)))
        listener = held.enter_context(listen(settings.host, port))
        status = serve(settings, listener, load)
        sys.stdout.write(f"returned {status}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
