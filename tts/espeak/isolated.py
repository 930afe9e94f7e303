"""espeak-ng in a pool of speech workers: a text that crashes it ends only a worker."""

import logging
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from isolation.process import WorkerFailed, WorkerKilled
from isolation.protocol import Message
from tts.espeak.results import (
    EspeakError,
    EspeakLanguage,
    PhonemeClause,
    PhonemeMark,
    SynthesizedSpeech,
)
from tts.text.pronunciation import Pronunciation, parts_of
from tts.voice import SentenceFailed, VoiceUnavailable
from tts.workers.failures import Failures, digest_of
from tts.workers.pool import WorkerPool

COMMAND = (sys.executable, "-m", "tts.espeak.worker")
PROCESSES = 3
"""Usual number of workers. A text that crashes espeak is tried twice and ends two of them; the
third can speak the next sentence without delay."""
MAX_PROCESSES = 16
"""Maximum number of workers, while as many sentences take long at the same time."""
SENTENCE_TIMEOUT_S = 5.0
"""Wall-clock limit of a sentence; that in `tts.espeak.worker` is lower and counts CPU time."""

log = logging.getLogger(__name__)


class IsolatedEspeak:
    """Calls of espeak-ng, each in one worker of a pool.

    Thread-safe; the calls of several threads run at the same time. `close` or garbage collection
    stops the workers.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        """Start the workers; raises VoiceUnavailable."""
        self._pool = WorkerPool(command, size=PROCESSES, limit=MAX_PROCESSES)
        self._failures = Failures("speech worker")
        self._close = weakref.finalize(self, self._pool.close)

    def close(self) -> None:
        """Stop the workers; sentences in progress fail."""
        self._close()

    def pids(self) -> list[int]:
        """Return the process ids of the workers, the one of the next request first."""
        return self._pool.pids()

    def idle_pids(self) -> list[int]:
        """Return the process ids of the workers that wait for a request."""
        return self._pool.idle_pids()

    def languages(self) -> tuple[EspeakLanguage, ...]:
        """Return all languages of espeak; raises VoiceUnavailable."""
        with self._pool.borrow() as worker:
            try:
                header, _ = worker.request({}, timeout_s=SENTENCE_TIMEOUT_S)
            except WorkerFailed as error:
                raise VoiceUnavailable(f"a speech worker {error}; try again soon") from error
        return tuple(
            EspeakLanguage(name, identifier, tuple((priority, tag) for priority, tag in tags))
            for name, identifier, tags in header["languages"]
        )

    def synthesize(
        self,
        text: str,
        *,
        voice: str,
        rate_wpm: int,
        is_cancelled: Callable[[], bool] = lambda: False,
        pronunciations: Sequence[Pronunciation] = (),
    ) -> SynthesizedSpeech:
        """Synthesize plain text; `voice` and `rate_wpm` are those of espeak.

        Raises RequestCancelled soon after `is_cancelled` becomes true, SentenceFailed for a text
        that crashes espeak or takes too long, EspeakError if espeak refuses the call, and
        VoiceUnavailable.
        """
        request: dict[str, Any] = {"text": text, "voice": voice, "rate_wpm": rate_wpm}
        if pronunciations:
            request["parts"] = list(parts_of(text, pronunciations))
        header, pcm = self._request(request, digest_of(request), is_cancelled)
        if "too_long" in header:
            raise SentenceFailed(header["too_long"])
        if "error" in header:
            raise EspeakError(header["error"])
        marks = tuple(PhonemeMark(*mark) for mark in header["marks"])
        return SynthesizedSpeech(bytes(pcm), header["rate_hz"], marks, header.get("omitted", ""))

    def phonemize(
        self, text: str, *, voice: str, is_cancelled: Callable[[], bool] = lambda: False
    ) -> tuple[PhonemeClause, ...]:
        """Return the phonemes of plain text by clause; raises the errors of `synthesize`."""
        request = {"text": text, "voice": voice}
        header, _ = self._request(request, digest_of(request), is_cancelled)
        if "error" in header:
            raise EspeakError(header["error"])
        return tuple(PhonemeClause(ipa, source) for ipa, source in header["clauses"])

    def _request(
        self, request: dict[str, Any], digest: bytes, is_cancelled: Callable[[], bool]
    ) -> Message:
        killed = 0
        while True:
            self._failures.check(digest)
            try:
                with self._pool.borrow() as worker:
                    answer = worker.request(
                        request, timeout_s=SENTENCE_TIMEOUT_S, is_cancelled=is_cancelled
                    )
            except WorkerFailed as error:
                log.warning("a speech worker %s", error, extra={"voice": request["voice"]})
                killed += isinstance(error, WorkerKilled)
                self._failures.handle(error, digest, killed)
            else:
                self._failures.forget(digest)
                return answer
