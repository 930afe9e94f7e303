"""`gunicorn 'app:create_app()'` serves as app.py does, in a checkout and elsewhere."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.api.server_process import PATIENCE_S, ROOT, Server, free_port
from tests.examples.processes import NO_MODELS, make_avatar
from tests.warm.portraits import MODELS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not MODELS.exists(), reason=NO_MODELS)]


@pytest.mark.parametrize(
    ("folder", "flags"), [(ROOT, ()), (None, ("-c", "python:api.server.gunicorn_config"))]
)
def test_gunicorn_runs_the_one_worker_of_the_configuration(
    folder: Path | None, flags: Sequence[str], tmp_path: Path
) -> None:
    results, port = tmp_path / "results", free_port()
    make_avatar(results)
    command = ["-m", "gunicorn", *flags, "--bind", f"127.0.0.1:{port}", "app:create_app()"]
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=folder or tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "WARMTALK_RESULTS_DIR": str(results)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        server = Server(process, port, results, results)
        try:
            wait_for_port(server)
            assert server.wait_for("ok")["engine"] == "viseme"
            assert len(server.workers()) == 1
        finally:
            process.terminate()
    assert process.returncode == 0


def wait_for_port(server: Server) -> None:
    """Wait until the server listens, which it does once it has loaded its configuration."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and server.process.poll() is None:
        with suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", server.port)).close()
        time.sleep(0.05)
    raise AssertionError("gunicorn does not listen")
