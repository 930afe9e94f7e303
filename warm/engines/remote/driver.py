"""The driver process from the head's point of view: a process that may die holds the connection
to Ray."""

from __future__ import annotations

import logging
import os
import pickle
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from typing import Any

from isolation.process import ROOT
from isolation.protocol import Payload
from warm import VERSION
from warm.engines.base import EngineLost
from warm.engines.remote.errors import ClusterUnreachable, error_of
from warm.engines.remote.options import ClusterOptions, DriverSettings, RemoteOptions
from warm.engines.remote.parcel import AvatarParcel
from warm.engines.remote.wire import Buffer, Wire

PROGRAM = "warm.engines.remote.driver_worker"
FOLDER = "warmtalk-ray"
START_RAY_S, JOIN_S = 90.0, 25.0
"""Longest start of a local Ray, and longest wait for the reply of a cluster."""
EXIT_S = 10.0
"""Longest wait for the end of the driver, which lets the actors finish first."""
LONGEST_FOLDER = 40
"""Longest path of a folder in which the names of Ray's sockets are short enough."""
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_worker_niceness": "0",
}
"""Environment of Ray: no usage reports, no warnings about intended behaviour, and the priority of
the server for the actors of a local Ray, instead of a low one: they do the server's work."""

Answer = tuple[dict[str, Any], Payload]

log = logging.getLogger(__name__)


class DriverProcess:
    """A running driver. May be called by any thread."""

    def __init__(
        self,
        options: RemoteOptions,
        parcels: Sequence[AvatarParcel],
        on_status: Callable[[dict[str, Any]], None],
    ) -> None:
        """Start the process; returns before it is connected. `on_status` receives each report."""
        ours, theirs = socket.socketpair()
        self._on_status, self._address = on_status, options.cluster.address
        self._answers: dict[int, Future[Answer]] = {}
        self._lock = threading.Lock()
        self._next_id = 0
        self._ended: EngineLost | None = None
        self._connected: Future[None] = Future()
        with theirs:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-m", PROGRAM],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
                env=environment(options.cluster),
                start_new_session=True,
            )
        self._wire = Wire(ours)
        settings = DriverSettings(
            cluster=options.cluster,
            pickled=pickle.dumps(options.make_inner),
            versions=versions(),
            folder=ray_folder(),
            parcels=list(parcels),
        )
        self._wire.send({"kind": "settings"}, [pickle.dumps(settings)])
        threading.Thread(target=self._read, name="remote", daemon=True).start()

    @property
    def is_alive(self) -> bool:
        """True until the process or the connection to it has ended."""
        return self._ended is None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def wait_until_connected(self, timeout_s: float) -> None:
        """Wait for the connection to Ray; raises the error that prevents it."""
        try:
            self._connected.result(timeout_s)
        except TimeoutError:
            self.kill()
            raise ClusterUnreachable(
                f"ray_address = {self._address!r}: Ray has not answered within {timeout_s:g} s"
            ) from None

    def request(self, header: Mapping[str, Any], payload: Sequence[Buffer] = ()) -> Future[Answer]:
        """Send a request; the future gets its answer or error: EngineLost if the driver ends."""
        answer: Future[Answer] = Future()
        with self._lock:
            self._next_id += 1
            number = self._next_id
            if self._ended is None:
                self._answers[number] = answer
        if self._ended is not None:
            answer.set_exception(self._ended)
            return answer
        self._send({**header, "id": number}, payload)
        return answer

    def post(self, header: Mapping[str, Any]) -> None:
        """Send a message that has no answer."""
        self._send(header, ())

    def stop(self) -> None:
        """End the process after the work in progress, and with it a local Ray."""
        self._wire.close()
        try:
            self._process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        end_session(self._process.pid)

    def kill(self) -> None:
        """End the process and a local Ray at once."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._wire.close()
        self._process.wait()
        end_session(self._process.pid)

    def _send(self, header: Mapping[str, Any], payload: Sequence[Buffer]) -> None:
        try:
            self._wire.send(header, payload)
        except OSError as error:
            self._end(f"it accepts no messages: {error}")

    def _read(self) -> None:
        """Handle messages until the connection ends. Runs on its own thread."""
        reason = "it ended"
        try:
            while True:
                self._handle(*self._wire.receive())
        except (EOFError, OSError):
            pass
        except ValueError as error:
            reason = str(error)
        self._end(reason)

    def _handle(self, header: dict[str, Any], payload: Payload) -> None:
        kind = header["kind"]
        if kind == "answer":
            with self._lock:
                answer = self._answers.pop(header["id"], None)
            if answer is not None and "error" in header:
                answer.set_exception(error_of(header["error"], header["message"]))
            elif answer is not None:
                answer.set_result((header, payload))
        elif kind == "status":
            self._on_status(header)
        elif kind == "log":
            log.log(header["level"], "%s", header["message"])
        elif kind == "connected":
            self._connected.set_result(None)
        elif kind == "failed" and not self._connected.done():
            self._connected.set_exception(error_of(header["error"], header["message"]))

    def _end(self, reason: str) -> None:
        """Note that the process is unusable, and fail all requests that wait for it."""
        with self._lock:
            if self._ended is not None:
                return
            self._ended = ClusterUnreachable(f"the process that is connected to Ray: {reason}")
            answers, self._answers = self._answers, {}
        for answer in answers.values():
            answer.set_exception(self._ended)
        if not self._connected.done():
            self._connected.set_exception(self._ended)


def end_session(session: int) -> None:
    """Kill the Ray processes that a driver has left; some have their own process groups."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session:
                os.kill(int(stat.parent.name), signal.SIGKILL)


def environment(options: ClusterOptions) -> dict[str, str]:
    """Return the environment of the driver: that of this process, and variables for Ray.

    Actors of a local Ray can import the modules that this process can import. A local Ray admits
    only processes that know its token.
    """
    paths = [str(ROOT), *(str(Path(path).absolute()) for path in sys.path)]
    own = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
    if options.is_local:
        own |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token_hex(32)}
    return {**os.environ, **own}


def versions() -> dict[str, str]:
    """Return the versions that an actor must have as well."""
    return {"Python": platform.python_version(), "Ray": version("ray"), "Warmtalk": VERSION}


def ray_folder() -> Path:
    """Return the path of a new folder for a local Ray."""
    parent = Path(tempfile.gettempdir())
    if len(str(parent)) > LONGEST_FOLDER - len(FOLDER):
        parent = Path("/tmp")
    return parent / f"{FOLDER}-{token_hex(4)}"
