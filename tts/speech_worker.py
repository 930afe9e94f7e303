"""The speech worker: a process in which espeak-ng runs, so that a text can crash no other.

`python -m tts.speech_worker` answers the requests on its stdin (`tts.framing`) on its stdout, and
ends when stdin ends: with the process that started it, however that ended. Its first message says
that it is ready. `tts.worker_process` is the other side.
"""

import os
import resource
import signal
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any, BinaryIO, Protocol

from tts.espeak_library import EspeakLibrary
from tts.espeak_results import EspeakError, EspeakLanguage, SynthesizedSpeech, TooMuchSound
from tts.framing import Message, pack_message, unpack_message

SENTENCE_CPU_S = 1.0
"""Processor time of one sentence; SIGPROF kills a worker that takes longer. The longest sentences
take 0.15 s."""
MOST_MEMORY_BYTES = 1 << 30
"""Address space of a worker: no text may take the memory of the whole machine."""


class Library(Protocol):
    """The part of `EspeakLibrary` that a worker uses."""

    def catalogue(self) -> tuple[EspeakLanguage, ...]:
        """Every language."""
        ...

    def say(self, text: str, *, voice: str, rate_wpm: int) -> SynthesizedSpeech:
        """A text as sound."""
        ...


def main() -> None:
    """Open espeak-ng, then answer until stdin ends."""
    answers = _take_stdout()
    _limit_damage()
    try:
        library = EspeakLibrary()
    except EspeakError as error:
        answers.write(pack_message({"error": str(error)}))
        return
    _drop_output(2)  # a library that aborts writes lines there that are no log records
    with open(0, "rb") as requests:
        serve(library, requests, answers)


def serve(library: Library, requests: BinaryIO, answers: BinaryIO) -> None:
    """Say that the worker is ready, then answer each request until there are no more."""
    try:
        answers.write(pack_message({"ready": True}))
        while True:
            request, _ = unpack_message(lambda size: _exactly(requests, size))
            answers.write(pack_message(*answer(library, request)))
    except (EOFError, BrokenPipeError):
        pass


def answer(library: Library, request: Mapping[str, Any]) -> Message:
    """The answer to one request; an error of espeak's is an answer too."""
    if "text" not in request:
        return {"languages": [astuple(language) for language in library.catalogue()]}, b""
    signal.setitimer(signal.ITIMER_PROF, SENTENCE_CPU_S)
    try:
        said = library.say(
            request["text"], voice=request["voice"], rate_wpm=int(request["rate_wpm"])
        )
    except TooMuchSound as error:
        return {"too_long": str(error)}, b""
    except EspeakError as error:
        return {"error": str(error)}, b""
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return {
        "rate_hz": said.sample_rate_hz,
        "marks": [astuple(mark) for mark in said.marks],
    }, said.pcm


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _take_stdout() -> BinaryIO:
    """Stdout for messages alone: whatever a library prints must not come between them."""
    answers = open(os.dup(1), "wb", buffering=0)  # noqa: PTH123, SIM115 - open as long as the process
    _drop_output(1)
    return answers


def _drop_output(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _limit_damage() -> None:
    """A worker that dies leaves no core file behind, and one that grows dies."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = MOST_MEMORY_BYTES
    soft = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_AS, (soft, most))


if __name__ == "__main__":
    main()
