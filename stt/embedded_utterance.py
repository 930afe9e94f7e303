"""A recording that is recognised even if the recognition process is replaced meanwhile."""

import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from isolation.process import RequestCancelled, WorkerFailed, WorkerKilled, WorkerTimeout
from isolation.protocol import Payload
from stt.errors import RecogniserFailed, RecognitionTimeout, RecordingRefused, SpeechError
from stt.recogniser import RATE_HZ, Samples, Segment, Transcript
from stt.recognition_process import ProcessReplaced, RecognitionProcess

STEP = 4 * RATE_HZ // 5
"""Most samples that are sent at once. They fit into a pipe, so that sending never waits for a
process that is stopped; and other recordings have their turn in between."""
ATTEMPTS = 2
"""Processes that a recording may end before it is refused."""
KILLS = 3
"""Processes that may be killed from outside while they work on a recording."""

_numbers = itertools.count()


class EmbeddedUtterance:
    """One recording. If the process is replaced, the sound so far is sent again.

    Used by one thread.
    """

    def __init__(
        self,
        process: RecognitionProcess,
        model: str,
        language: str | None,
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._process, self._model, self._language = process, model, language
        self._is_cancelled = is_cancelled
        self._number = next(_numbers)
        self._generation: int | None = None
        """The process that has the sound so far."""
        self._sent: list[Samples] = []
        self._failures = self._kills = 0

    def add(self, samples: Samples) -> None:
        """Send samples; raises SpeechError and RequestCancelled."""
        for start in range(0, len(samples), STEP):
            piece = np.ascontiguousarray(samples[start : start + STEP], np.float32)
            self._do({"add": self._number}, piece.data.cast("B"))
            self._sent.append(piece)

    def finish(self) -> Transcript:
        """Return the transcript; raises SpeechError and RequestCancelled."""
        answer = self._do({"finish": self._number})
        self._generation = None
        return transcript_of(answer, self._model)

    def close(self) -> None:
        """Forget the recording."""
        generation, self._generation = self._generation, None
        self._sent.clear()
        if generation is not None:
            with suppress(ProcessReplaced, WorkerFailed, SpeechError):  # it has ended
                self._process.request(generation, {"forget": self._number})

    def _do(self, header: Mapping[str, Any], payload: Payload = b"") -> dict[str, Any]:
        """Return the answer to a request, from a process that has the sound so far."""
        while True:
            if self._is_cancelled():
                raise RequestCancelled("the recording is no longer needed")
            try:
                self._begin()
                return self._request(header, payload)
            except ProcessReplaced:
                self._generation = None
            except WorkerFailed as error:
                self._generation = None
                self._count(error)

    def _begin(self) -> None:
        """Send the sound so far to the present process, unless it has it."""
        if self._generation is not None:
            return
        begin = {"begin": self._number, "language": self._language}
        self._generation, _ = self._process.request(None, begin, is_cancelled=self._is_cancelled)
        for piece in self._sent:
            self._request({"add": self._number}, piece.data.cast("B"))

    def _request(self, header: Mapping[str, Any], payload: Payload) -> dict[str, Any]:
        _, answer = self._process.request(
            self._generation, dict(header), payload, is_cancelled=self._is_cancelled
        )
        return answer

    def _count(self, error: WorkerFailed) -> None:
        """Count a death of the process; raises SpeechError after too many."""
        if isinstance(error, WorkerKilled):
            self._kills += 1
            if self._kills >= KILLS:
                raise RecogniserFailed(
                    f"The recognition process {error}, {self._kills} times. The machine may have "
                    "run out of memory: free some, and try again."
                ) from error
            return
        self._failures += 1
        if self._failures < ATTEMPTS:
            return
        if isinstance(error, WorkerTimeout):
            raise RecognitionTimeout(
                f"The recognition {error} (stt_timeout_s). The machine is overloaded, or the "
                "model is too large for it: try again later, or choose a smaller one (transcriber)."
            ) from error
        raise RecordingRefused(
            f"The recognition process {error}, {self._failures} times, with this recording. "
            "Record it again."
        ) from error


def transcript_of(answer: Mapping[str, Any], model: str) -> Transcript:
    """Return the transcript in an answer of the process."""
    return Transcript(
        text=answer["text"],
        language=answer["language"],
        model=model,
        duration_s=answer["duration_s"],
        speech_s=answer["speech_s"],
        segments=tuple(Segment(*each) for each in answer["segments"]),
    )
