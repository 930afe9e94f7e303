"""espeak-ng in speech workers: a text that crashes it ends a process that nobody else needs."""

import logging
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from tts.espeak_results import EspeakError, EspeakLanguage, PhonemeMark, SynthesizedSpeech
from tts.framing import Message
from tts.worker_process import COMMAND, WorkerFailed, WorkerProcess, WorkerSlow

PROCESSES = 3
"""One speaks; the others are warm. A text that crashes espeak is tried twice, and ends two: the
next sentence finds the third, and waits for nothing."""
START_S = 10.0
"""How long a worker may take to start."""
SENTENCE_S = 5.0
"""How long a sentence may take by the clock; `speech_worker.SENTENCE_CPU_S` is less, and counts
processor time alone."""
MOST_FAILURES = 2
"""A sentence that ended so many workers is to blame for it. After the first death it is tried once
more, because a process may also be killed from outside, for its memory or by hand."""
REMEMBERED = 512
"""Sentences of which failures are kept."""

log = logging.getLogger(__name__)


class VoiceUnavailable(RuntimeError):
    """No speech worker can be started."""


class SentenceFailed(EspeakError):
    """A sentence that espeak-ng cannot speak; the message says what it does instead."""


class IsolatedEspeak:
    """Any thread may call; calls wait for one another. `close` it, or the garbage collector does.

    It keeps PROCESSES workers: the first speaks, the others wait.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        """Raises VoiceUnavailable."""
        self._command = command
        self._lock = threading.Lock()
        self._workers: deque[WorkerProcess] = deque()
        self._failures: OrderedDict[bytes, int] = OrderedDict()
        """Workers that a sentence has ended, by its digest; the latest last."""
        self._is_closed = False
        self._end_workers = weakref.finalize(self, _end, self._workers)
        with self._lock:
            self._ready_worker()

    def close(self) -> None:
        """End the workers, after the sentence that is being spoken."""
        with self._lock:
            self._is_closed = True
            self._end_workers()

    def pids(self) -> list[int]:
        """The process ids of the workers; the first speaks."""
        with self._lock:
            return [worker.pid for worker in self._workers]

    def catalogue(self) -> tuple[EspeakLanguage, ...]:
        """Every language that espeak can speak; raises VoiceUnavailable."""
        with self._lock:
            try:
                header, _ = self._ready_worker().ask({}, patience_s=SENTENCE_S)
            except WorkerFailed as error:
                raise VoiceUnavailable(_unavailable(error)) from error
        return tuple(
            EspeakLanguage(name, identifier, tuple((priority, tag) for priority, tag in tags))
            for name, identifier, tags in header["languages"]
        )

    def say(self, text: str, *, voice: str, rate_wpm: int) -> SynthesizedSpeech:
        """Speak plain text; `voice` and `rate_wpm` are espeak's.

        Raises SentenceFailed for a text that crashes espeak or takes too long, EspeakError where
        espeak refuses the call, and VoiceUnavailable.
        """
        request = {"text": text, "voice": voice, "rate_wpm": rate_wpm}
        with self._lock:
            header, pcm = self._answer(request, _digest(text, voice, rate_wpm))
        if "too_long" in header:
            raise SentenceFailed(header["too_long"])
        if "error" in header:
            raise EspeakError(header["error"])
        marks = tuple(PhonemeMark(sample, symbol) for sample, symbol in header["marks"])
        return SynthesizedSpeech(pcm, header["rate_hz"], marks)

    def _answer(self, request: dict[str, Any], digest: bytes) -> Message:
        while self._failures.get(digest, 0) < MOST_FAILURES:
            worker = self._ready_worker()
            try:
                answer = worker.ask(request, patience_s=SENTENCE_S)
            except WorkerFailed as error:
                log.warning("a speech worker %s", error, extra={"voice": request["voice"]})
                self._replace(worker)
                self._note_failure(digest)
                if isinstance(error, WorkerSlow):  # another try would hold up others for as long
                    raise SentenceFailed(f"takes too long: the speech worker {error}") from error
            else:
                self._failures.pop(digest, None)
                return answer
        raise SentenceFailed(f"ended the speech worker {MOST_FAILURES} times")

    def _note_failure(self, digest: bytes) -> None:
        self._failures[digest] = self._failures.get(digest, 0) + 1
        self._failures.move_to_end(digest)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def _ready_worker(self) -> WorkerProcess:
        """A worker that waits for a request, and started spares behind it."""
        failure: Exception | None = None
        for _ in range(PROCESSES + 1):  # all that wait may have been killed from outside
            try:
                self._start_missing()
                worker = self._workers[0]
                worker.wait_until_ready(START_S)
            except (OSError, WorkerFailed) as error:
                failure = error
                self._drop_dead()
                continue
            if worker.is_alive:
                return worker
            self._replace(worker)
        raise VoiceUnavailable(_unavailable(failure))

    def _start_missing(self) -> None:
        """Start workers in place of those that are missing; raises OSError if there are none."""
        if self._is_closed:
            raise VoiceUnavailable("the voices were closed")
        while len(self._workers) < PROCESSES:
            try:
                self._workers.append(WorkerProcess(self._command))
            except OSError as error:
                if not self._workers:
                    raise
                log.warning("no spare speech worker can be started: %s", error)
                return

    def _replace(self, worker: WorkerProcess) -> None:
        worker.end()
        self._workers.remove(worker)
        if self._workers:
            self._start_missing()

    def _drop_dead(self) -> None:
        for worker in [each for each in self._workers if not each.is_alive]:
            worker.end()
            self._workers.remove(worker)


def _end(workers: deque[WorkerProcess]) -> None:
    while workers:
        workers.popleft().end()


def _digest(text: str, voice: str, rate_wpm: int) -> bytes:
    said = f"{voice}\0{rate_wpm}\0{text}".encode(errors="surrogatepass")
    return blake2b(said, digest_size=16).digest()


def _unavailable(error: Exception | None) -> str:
    return (
        f"no speech worker can be started: {error}. Try again soon; if this stays so, see the log, "
        "and whether the machine is short of memory, processes or open files."
    )
