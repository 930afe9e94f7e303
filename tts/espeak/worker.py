"""Speech worker: a process that runs espeak-ng, so that a text cannot crash another process.

`python -m tts.espeak.worker` reads requests from stdin and writes answers to stdout
(`isolation.protocol`). It ends when stdin is closed, and therefore whenever its parent process
ends. Its first message reports that it is ready. `isolation.process` is its counterpart.
"""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any, BinaryIO, Protocol

from isolation.protocol import Message, pack_message, read_exactly, unpack_message, write_exactly
from isolation.worker_setup import limit_memory, redirect_to_null, reserve_stdout
from tts.espeak.library import EspeakLibrary
from tts.espeak.results import (
    AudioTooLong,
    EspeakError,
    EspeakLanguage,
    PhonemeClause,
    SynthesizedSpeech,
)

SENTENCE_CPU_S = 1.0
"""CPU time of one sentence; SIGPROF kills a worker that exceeds it. The longest take 0.15 s."""
MAX_MEMORY_BYTES = 1 << 30
"""Address space limit of a worker, so that no text exhausts the machine's memory."""


class Synthesizer(Protocol):
    """Interface of `EspeakLibrary`."""

    def languages(self) -> tuple[EspeakLanguage, ...]:
        """Return all languages."""
        ...

    def synthesize(self, text: str, *, voice: str, rate_wpm: int) -> SynthesizedSpeech:
        """Return the audio of a text."""
        ...

    def pronounce(
        self, parts: Sequence[tuple[str, str | None]], *, voice: str, rate_wpm: int
    ) -> SynthesizedSpeech:
        """Return the audio of a text with given pronunciations."""
        ...

    def phonemize(self, text: str, *, voice: str) -> tuple[PhonemeClause, ...]:
        """Return the phonemes of a text."""
        ...


def main() -> None:
    """Load espeak-ng and answer requests until stdin is closed."""
    answers = reserve_stdout()
    limit_memory(MAX_MEMORY_BYTES)
    try:
        library = EspeakLibrary()
    except EspeakError as error:
        write_exactly(answers, pack_message({"error": str(error)}))
        return
    redirect_to_null(2)  # an aborting library writes lines that are not log records
    with open(0, "rb") as requests:
        serve(library, requests, answers)


def serve(library: Synthesizer, requests: BinaryIO, answers: BinaryIO) -> None:
    """Report that the worker is ready, then answer requests until they end."""
    try:
        write_exactly(answers, pack_message({"ready": True}))
        while True:
            request, _ = unpack_message(lambda size: read_exactly(requests, size))
            write_exactly(answers, pack_message(*answer_request(library, request)))
    except (EOFError, BrokenPipeError):
        pass


def answer_request(library: Synthesizer, request: Mapping[str, Any]) -> Message:
    """Return the answer to one request; an error of espeak is also returned as an answer."""
    if "text" not in request:
        return {"languages": [astuple(language) for language in library.languages()]}, b""
    signal.setitimer(signal.ITIMER_PROF, SENTENCE_CPU_S)
    try:
        return (
            _phonemes(library, request) if "rate_wpm" not in request else _audio(library, request)
        )
    except AudioTooLong as error:
        return {"too_long": str(error)}, b""
    except EspeakError as error:
        return {"error": str(error)}, b""
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _audio(library: Synthesizer, request: Mapping[str, Any]) -> Message:
    voice, rate_wpm = request["voice"], int(request["rate_wpm"])
    if parts := request.get("parts"):
        speech = library.pronounce(parts, voice=voice, rate_wpm=rate_wpm)
    else:
        speech = library.synthesize(request["text"], voice=voice, rate_wpm=rate_wpm)
    header = {
        "rate_hz": speech.sample_rate_hz,
        "marks": [astuple(mark) for mark in speech.marks],
        "omitted": speech.omitted,
    }
    return header, speech.pcm


def _phonemes(library: Synthesizer, request: Mapping[str, Any]) -> Message:
    clauses = library.phonemize(request["text"], voice=request["voice"])
    return {"clauses": [astuple(clause) for clause in clauses]}, b""


if __name__ == "__main__":
    main()
