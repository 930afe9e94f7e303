"""espeak-ng in a pool of speech workers: a text that crashes it ends only a worker."""

import logging
import sys
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from isolation.process import ROOT, WorkerFailed, WorkerProcess, WorkerTimeout
from isolation.protocol import Message
from tts.espeak_results import EspeakError, EspeakLanguage, PhonemeMark, SynthesizedSpeech

COMMAND = (sys.executable, "-m", "tts.speech_worker")
PROCESSES = 3
"""One answers requests; the others are warm spares. A text that crashes espeak is tried twice and
ends two workers, so the third can speak the next sentence without delay."""
START_TIMEOUT_S = 10.0
"""Time for a worker to start."""
SENTENCE_TIMEOUT_S = 5.0
"""Wall-clock limit of a sentence; `speech_worker.SENTENCE_CPU_S` is lower and counts CPU time."""
MAX_FAILURES = 2
"""A sentence that ended this many workers is refused. After the first failure it is retried,
because a process may also be killed from outside, by the kernel or by hand."""
MAX_REMEMBERED = 512
"""Sentences whose failures are remembered."""

log = logging.getLogger(__name__)


class VoiceUnavailable(RuntimeError):
    """No speech worker can be started."""


class SentenceFailed(EspeakError):
    """espeak-ng cannot speak a sentence; the message is a predicate, such as "takes too long"."""


class IsolatedEspeak:
    """A pool of PROCESSES workers: the first answers requests, the others are spares.

    Thread-safe; calls are serialized. `close` or garbage collection stops the workers.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        """Start the workers; raises VoiceUnavailable."""
        self._command = command
        self._lock = threading.Lock()
        self._workers: deque[WorkerProcess] = deque()
        self._failures: OrderedDict[bytes, int] = OrderedDict()
        """Number of workers that a sentence ended, by its digest; the latest last."""
        self._is_closed = False
        self._stop_workers = weakref.finalize(self, _stop_all, self._workers)
        with self._lock:
            self._ready_worker()

    def close(self) -> None:
        """Stop the workers after the current sentence."""
        with self._lock:
            self._is_closed = True
            self._stop_workers()

    def pids(self) -> list[int]:
        """Return the process ids of the workers; the first one answers requests."""
        with self._lock:
            return [worker.pid for worker in self._workers]

    def languages(self) -> tuple[EspeakLanguage, ...]:
        """Return all languages of espeak; raises VoiceUnavailable."""
        with self._lock:
            try:
                header, _ = self._ready_worker().request({}, timeout_s=SENTENCE_TIMEOUT_S)
            except WorkerFailed as error:
                raise VoiceUnavailable(_unavailable(error)) from error
        return tuple(
            EspeakLanguage(name, identifier, tuple((priority, tag) for priority, tag in tags))
            for name, identifier, tags in header["languages"]
        )

    def synthesize(self, text: str, *, voice: str, rate_wpm: int) -> SynthesizedSpeech:
        """Synthesize plain text; `voice` and `rate_wpm` are those of espeak.

        Raises SentenceFailed for a text that crashes espeak or takes too long, EspeakError if
        espeak refuses the call, and VoiceUnavailable.
        """
        request = {"text": text, "voice": voice, "rate_wpm": rate_wpm}
        with self._lock:
            header, pcm = self._request(request, _digest(text, voice, rate_wpm))
        if "too_long" in header:
            raise SentenceFailed(header["too_long"])
        if "error" in header:
            raise EspeakError(header["error"])
        marks = tuple(PhonemeMark(sample, symbol) for sample, symbol in header["marks"])
        return SynthesizedSpeech(bytes(pcm), header["rate_hz"], marks)

    def _request(self, request: dict[str, Any], digest: bytes) -> Message:
        while self._failures.get(digest, 0) < MAX_FAILURES:
            worker = self._ready_worker()
            try:
                answer = worker.request(request, timeout_s=SENTENCE_TIMEOUT_S)
            except WorkerFailed as error:
                log.warning("a speech worker %s", error, extra={"voice": request["voice"]})
                self._replace(worker)
                self._record_failure(digest)
                if isinstance(error, WorkerTimeout):  # a retry would block other callers as long
                    raise SentenceFailed(f"takes too long: the speech worker {error}") from error
            else:
                self._failures.pop(digest, None)
                return answer
        raise SentenceFailed(f"ended the speech worker {MAX_FAILURES} times")

    def _record_failure(self, digest: bytes) -> None:
        self._failures[digest] = self._failures.get(digest, 0) + 1
        self._failures.move_to_end(digest)
        while len(self._failures) > MAX_REMEMBERED:
            self._failures.popitem(last=False)

    def _ready_worker(self) -> WorkerProcess:
        """Return a worker that accepts requests, after starting missing spares."""
        failure: Exception | None = None
        for _ in range(PROCESSES + 1):  # all spares may have been killed from outside
            try:
                self._start_missing()
                worker = self._workers[0]
                worker.wait_until_ready(START_TIMEOUT_S)
            except (OSError, WorkerFailed) as error:
                failure = error
                self._remove_dead()
                continue
            if worker.is_alive:
                return worker
            self._replace(worker)
        raise VoiceUnavailable(_unavailable(failure))

    def _start_missing(self) -> None:
        """Start missing workers; raises OSError if none is left and none can be started."""
        if self._is_closed:
            raise VoiceUnavailable("the voices were closed")
        while len(self._workers) < PROCESSES:
            try:
                self._workers.append(WorkerProcess(self._command, folder=ROOT))
            except OSError as error:
                if not self._workers:
                    raise
                log.warning("no spare speech worker can be started: %s", error)
                return

    def _replace(self, worker: WorkerProcess) -> None:
        worker.stop()
        self._workers.remove(worker)
        if self._workers:
            self._start_missing()

    def _remove_dead(self) -> None:
        for worker in [each for each in self._workers if not each.is_alive]:
            worker.stop()
            self._workers.remove(worker)


def _stop_all(workers: deque[WorkerProcess]) -> None:
    while workers:
        workers.popleft().stop()


def _digest(text: str, voice: str, rate_wpm: int) -> bytes:
    content = f"{voice}\0{rate_wpm}\0{text}".encode(errors="surrogatepass")
    return blake2b(content, digest_size=16).digest()


def _unavailable(error: Exception | None) -> str:
    return (
        f"no speech worker can be started: {error}. Try again soon; if the error "
        "persists, read the log and check whether memory, processes or open files have run out."
    )
