"""The program that joins rooms: its place, and one process of it."""

import json
import os
import select
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from warm.rooms.errors import JoinFailed, JoinTimedOut, WorkerMissing
from warm.settings.fields import ENV_PREFIX

PROGRAM = "warmtalk-livekit-worker"
MAX_LINE_BYTES = 1 << 14
MAX_REASON_CHARS = 300
EXIT_S = 3.0
"""Time for a worker to leave the room by itself after its stdin is closed."""


def program_at(value: Path | None) -> Path:
    """Return the program that the setting `livekit_worker` names; raises WorkerMissing.

    The setting is the program, or the folder of a virtual environment that has it.
    """
    if value is None:
        raise WorkerMissing(None)
    program = value / "bin" / PROGRAM if value.is_dir() else value
    if not program.is_file() or not os.access(program, os.X_OK):
        raise WorkerMissing(str(value), f"there is no program {program}")
    return program.absolute()


def environment() -> dict[str, str]:
    """Return the environment of a worker: that of this process without the server's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}


class WorkerProgram:
    """A running worker. It ends when its stdin is closed, and therefore with this process."""

    def __init__(self, program: Path) -> None:
        """Start the program; raises WorkerMissing."""
        try:
            self._process = subprocess.Popen(
                [str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment(),
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerMissing(str(program), f"cannot be started ({error})") from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._jobs, self._states = self._process.stdin, self._process.stdout

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def join(self, job: Mapping[str, Any], timeout_s: float) -> None:
        """Have it join its room; raises JoinFailed and JoinTimedOut."""
        with suppress(OSError, ValueError):  # it has ended, or was told to leave
            self._jobs.write(json.dumps(job).encode() + b"\n")
        state = self._state(timeout_s)
        if state.get("state") != "joined":
            raise JoinFailed(reason_of(state))

    def wait(self) -> str | None:
        """Wait until it ends; return why it has left its room, None for an ordinary reason."""
        last = b""
        with self._states:
            while line := self._states.readline(MAX_LINE_BYTES):
                last = line
        status = self._process.wait()
        if status == 0:
            return None
        state = parsed(last)
        return reason_of(state) if state else f"the worker ended with status {status}"

    def end(self) -> None:
        """Have it leave its room and end; kills it if it does not. Any thread."""
        with suppress(OSError):
            self._jobs.close()
        try:
            self._process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def discard(self) -> None:
        """End it after a failed `join`."""
        self.end()
        self._states.close()

    def leave(self) -> None:
        """Have it leave its room; does not wait. Any thread."""
        with suppress(OSError):
            self._jobs.close()

    def _state(self, timeout_s: float) -> dict[str, Any]:
        """Return the next line of its stdout."""
        poll = select.poll()
        poll.register(self._states, select.POLLIN)
        end_s, received = time.monotonic() + timeout_s, bytearray()
        while not received.endswith(b"\n"):
            if not poll.poll(max(0, round((end_s - time.monotonic()) * 1000))):
                raise JoinTimedOut(timeout_s)
            byte = os.read(self._states.fileno(), 1)
            if not byte or len(received) > MAX_LINE_BYTES:
                raise JoinFailed("the worker ended without joining the room; see the server's log")
            received += byte
        return parsed(bytes(received))


def parsed(line: bytes) -> dict[str, Any]:
    """Return a state of a worker; empty if it is none."""
    try:
        state = json.loads(line)
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}


def reason_of(state: Mapping[str, Any]) -> str:
    """Return the reason in the state of a worker that has failed.

    LiveKit's client appends what the other server has answered, which is not for the caller: it
    may be any server that can be reached from here.
    """
    causes = {"livekit": "LiveKit", "warmtalk": "this server", "agent": "the agent"}
    cause = causes.get(str(state.get("cause")), "the worker")
    detail = str(state.get("detail") or "no reason given").partition(" - ")[0]
    return f"{cause}: {detail}"[:MAX_REASON_CHARS]
