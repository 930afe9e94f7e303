"""A real Warmtalk server in a process of its own, with the tiny face of its own tests.

It runs in the virtual environment `.venv` in the root of the repository: `make setup`.
"""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"
PROGRAM = ROOT / "tests" / "api" / "tiny_server.py"
READY = "Warmtalk is ready at http://127.0.0.1:"
WIDTH, HEIGHT = 96, 80
"""Size of the tiny face."""


@dataclass
class RealServer:
    """A server that is ready."""

    url: str
    results: Path
    process: "subprocess.Popen[str]"


@contextmanager
def real_server(folder: Path, **settings: str) -> Iterator[RealServer]:
    """Start a server with these settings, and end it after the block."""
    results, log = folder / "results", folder / "server.log"
    results.mkdir(parents=True, exist_ok=True)
    port = free_port()
    named = [f"{name}={value}" for name, value in settings.items()]
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            [str(PYTHON), "-u", str(PROGRAM), str(results), str(port), "none", *named],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert READY in line, log.read_text(encoding="utf-8")
            yield RealServer(f"http://127.0.0.1:{port}", results, process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
