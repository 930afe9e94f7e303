"""Examples as processes of their own, and a real avatar for them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.api.server_process import PATIENCE_S, ROOT, Server, free_port
from tests.warm.portraits import MODELS, build_portrait, portrait
from warm.avatars.store import AvatarStore
from warm.engines.viseme.engine import VisemeEngine
from warm.prepare.idle_film import write_idle_film

NO_MODELS = "`make setup` downloads the face models"


def make_avatar(results: Path) -> None:
    """Prepare the portrait as the avatar `demo`, in a single pose, for the embedded engine."""
    store = AvatarStore(results)
    with store.building("demo") as folder:
        build = build_portrait(folder, portrait())
        for name in ("frames", "transforms", "landmarks"):
            build.write_array(name, getattr(build, name))
        VisemeEngine(MODELS).prepare(build)
        write_idle_film(build, folder / "idle.mp4")
        store.write_manifest(
            build, avatar_id="demo", digest="0" * 64, metadata={"source": "demo"}, notes=[]
        )


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program; yield it once it is ready. It is stopped by SIGINT, as by Ctrl-C."""
    with subprocess.Popen(
        [sys.executable, "-u", *words],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            if "ready at" not in process.stdout.readline():
                raise AssertionError(process.communicate(timeout=PATIENCE_S)[1])
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)


@contextmanager
def serving_example(module: str, results: Path) -> Iterator[Server]:
    """Run an example that is a server, with the avatar `demo`."""
    make_avatar(results)
    port = free_port()
    words = ("-m", module, "--results-dir", str(results), "--port", str(port))
    with running(*words) as process:
        yield Server(process, port, results, results)
    assert process.returncode == 0
