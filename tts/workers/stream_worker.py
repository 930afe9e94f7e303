"""Main program of a process that synthesizes several sentences at the same time, in pieces.

`run` reads requests from stdin and writes messages to stdout (`isolation.protocol`). A request is
answered by the messages of `Synthesizer.begin`, one step at a time; between two steps another
request may have its turn. `tts.workers.stream_client` is the counterpart.

| from the server | meaning |
| --- | --- |
| `begin`: id, `request`, and the members of `Stream.begin_command` | a new request |
| `read`: id | the oldest unread message of a request was taken |
| `cancel`: id | no further message is wanted |

| to the server | meaning |
| --- | --- |
| `ready` or `error` | the first message |
| `step`: id or null | the request of the steps that follow; null: nothing to do |
| `id`, `message`, `count`, `check`, and a payload | a message of the synthesizer |
| `id`, `end` or `refused` or `unavailable` or `failed` | the last message of a request |
"""

import contextlib
import fcntl
import gc
import json
import os
import signal
import threading
import traceback
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO, Protocol

from isolation.allocator import limit_memory_kept
from isolation.protocol import (
    Message,
    pack_message,
    read_exactly,
    unpack_message,
    write_exactly,
)
from isolation.worker_setup import (
    end_with_parent,
    limit_memory,
    lower_priority,
    redirect_to_null,
    reserve_stdout,
)
from tts.voice import SentenceFailed, VoiceUnavailable
from tts.workers.listener import SOUND_S, Listener

STEP_CPU_S = 2.0
"""CPU time of one step; SIGPROF kills a process that exceeds it."""
MEMORY_BYTES = 1 << 30
"""Address space that the process may take after it has loaded its voice."""
NICE = 0
"""Increment of the process's nice value. Late sound also delays the pictures: at 5, next to two
busy processes, the first piece takes four times as long. At 0 the process takes little processor
time from the pictures: 2 % of a core for each listener."""
PIPE_BYTES = 1 << 20
"""Size of the pipe to the server; Linux gives 64 kB, which is less than a piece of sound."""

Commands = SimpleQueue[dict[str, Any]]


class Synthesizer(Protocol):
    """A voice or several, in this process."""

    def begin(self, request: Mapping[str, Any]) -> Iterator[Message | None]:
        """Yield the messages of one request: headers of JSON values, and bytes.

        Each step is a bounded piece of work, of at most 40 ms where that is possible; None divides
        longer work. The same request always gives the same messages, because it is repeated if the
        process dies. Headers state `SOUND_S`. Raises SentenceFailed and VoiceUnavailable;
        any other exception counts as a fault of the voice with this text.
        """
        ...


def run(
    load: Callable[[], Synthesizer],
    *,
    step_cpu_s: float = STEP_CPU_S,
    memory_bytes: int = MEMORY_BYTES,
    nice: int = NICE,
) -> None:
    """Load a synthesizer and answer requests until stdin is closed."""
    limit_memory_kept()
    answers = reserve_stdout()
    with contextlib.suppress(OSError):  # so that a piece never waits for the server to read
        fcntl.fcntl(answers, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    end_with_parent()
    lower_priority(nice)
    commands: Commands = SimpleQueue()
    threading.Thread(target=_read_commands, args=(commands,), daemon=True).start()
    try:
        synthesizer = load()
    except Exception as error:  # noqa: BLE001 - the server logs and reports it
        write_exactly(answers, pack_message({"error": _described(error)}))
        return
    gc.collect()
    gc.freeze()  # later collections skip the objects of the voice, which never change
    limit_memory(memory_bytes)
    redirect_to_null(2)  # an aborting library writes lines that are not log records
    serve(synthesizer, commands, answers, step_cpu_s=step_cpu_s)


def serve(
    synthesizer: Synthesizer,
    commands: Commands,
    answers: BinaryIO,
    *,
    step_cpu_s: float = STEP_CPU_S,
) -> None:
    """Report that the process is ready, then do one step after the other."""
    try:
        write_exactly(answers, pack_message({"ready": True}))
        _Scheduler(synthesizer, commands, answers, step_cpu_s).run()
    except BrokenPipeError:  # the server has ended
        pass


def _read_commands(commands: Commands) -> None:
    """Pass commands on; end the process when stdin is closed, even during a step."""
    try:
        with open(0, "rb") as requests:
            while True:
                header, _ = unpack_message(lambda size: read_exactly(requests, size))
                commands.put(header)
    finally:
        os._exit(0)


class _Job:
    """One open request."""

    def __init__(self, command: Mapping[str, Any]) -> None:
        self.id: int = command["begin"]
        self.request: dict[str, Any] = command["request"]
        self.messages: Iterator[Message | None] | None = None
        self._listener = Listener(command["ahead_s"])
        self._patience_s: float = command["patience_s"]
        self._is_suspect: bool = command["is_suspect"]
        self._window_bytes: int = command["window_bytes"]
        self._unread: deque[tuple[int, float]] = deque()
        """Bytes and seconds of each message that the server has not taken yet."""
        self._skip: int = command["skip"]
        """Number of messages that the server had before a previous process died."""
        self._expected_check: int = command["check"]
        self.count = self.check = 0

    @property
    def is_runnable(self) -> bool:
        """False while the server has not taken what is already there."""
        return sum(size for size, _ in self._unread) < self._window_bytes

    def urgency(self) -> tuple[bool, float, int]:
        """Return a key that is lowest for the stream to continue first.

        It is the sound that the listener still has, and its patience. A text that may end the
        process comes last, so that it delays no other.
        """
        ahead_s = self._listener.ahead_s()
        if self._unread:
            ahead_s = max(ahead_s, sum(sound_s for _, sound_s in self._unread))
        return self._is_suspect, ahead_s + self._patience_s, self.id

    def add(self, message: Message) -> Message | None:
        """Count a message; return it for the server, or None if the server already had it."""
        header, payload = message
        data = json.dumps(header).encode()
        self.count += 1
        self.check = zlib.crc32(payload, zlib.crc32(data, self.check))
        if self.count <= self._skip:
            if self.count == self._skip and self.check != self._expected_check:
                raise VoiceUnavailable("it made different sound after a restart")
            return None
        sound_s = float(header.get(SOUND_S, 0.0))
        self._listener.add(sound_s)
        self._unread.append((len(payload), sound_s))
        sent = {"id": self.id, "message": header, "count": self.count, "check": self.check}
        return sent, payload

    def take_unread(self) -> None:
        """Forget the oldest message, which the server has taken."""
        if self._unread:
            self._unread.popleft()


class _Scheduler:
    """Runs the steps of all open requests, the most urgent one first."""

    def __init__(
        self, synthesizer: Synthesizer, commands: Commands, answers: BinaryIO, step_cpu_s: float
    ) -> None:
        self._synthesizer, self._commands, self._answers = synthesizer, commands, answers
        self._step_cpu_s = step_cpu_s
        self._jobs: dict[int, _Job] = {}
        self._announced: int | None = None

    def run(self) -> None:
        """Work until stdin is closed."""
        while True:
            job = self._next_job()
            self._announce(None if job is None else job.id)
            if job is not None:
                self._step(job)
            self._take_commands(wait=job is None)

    def _next_job(self) -> _Job | None:
        runnable = [job for job in self._jobs.values() if job.is_runnable]
        return min(runnable, key=_Job.urgency, default=None)

    def _announce(self, number: int | None) -> None:
        """Report what the next steps work on, so that the server knows it if they fail."""
        if number != self._announced:
            self._announced = number
            self._send({"step": number})

    def _step(self, job: _Job) -> None:
        try:
            message = self._timed_step(job)
            if message is not None and (sent := job.add(message)) is not None:
                self._send(*sent)
        except StopIteration:
            self._end(job, {"end": True})
        except SentenceFailed as error:
            self._end(job, {"refused": str(error)})
        except VoiceUnavailable as error:
            self._end(job, {"unavailable": str(error)})
        except MemoryError:
            self._end(job, {"refused": "needs too much memory"})
        except Exception as error:  # noqa: BLE001 - a fault with one text ends no other
            failed = {"failed": _described(error), "traceback": traceback.format_exc()}
            self._end(job, failed)

    def _timed_step(self, job: _Job) -> Message | None:
        """Do one step; SIGPROF ends the process if it takes too much CPU time."""
        signal.setitimer(signal.ITIMER_PROF, self._step_cpu_s)
        try:
            if job.messages is None:
                job.messages = iter(self._synthesizer.begin(job.request))
            return next(job.messages)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def _end(self, job: _Job, header: dict[str, Any]) -> None:
        del self._jobs[job.id]
        self._send({"id": job.id} | header)

    def _take_commands(self, *, wait: bool) -> None:
        """Take all commands that have come; `wait` for one."""
        try:
            while True:
                self._obey(self._commands.get(block=wait))
                wait = False
        except Empty:
            pass

    def _obey(self, command: Mapping[str, Any]) -> None:
        if "begin" in command:
            job = _Job(command)
            self._jobs[job.id] = job
        elif "read" in command:
            if (reader := self._jobs.get(command["read"])) is not None:
                reader.take_unread()
        elif (cancelled := self._jobs.get(command["cancel"])) is not None:
            self._end(cancelled, {"end": True})

    def _send(self, header: Mapping[str, Any], payload: Any = b"") -> None:
        write_exactly(self._answers, pack_message(header, payload))


def _described(error: BaseException) -> str:
    if isinstance(error, VoiceUnavailable):
        return str(error)
    return f"{type(error).__name__}: {error}"
