"""Main program of the recognition process.

It reads requests from stdin and writes one answer to each to stdout (`isolation.protocol`).
`stt.recognition_process` is the counterpart.

| request | effect | answer |
| --- | --- | --- |
| `begin`: number, `language` | a new recording | empty |
| `add`: number, and samples | speech that is complete is recognised | empty |
| `finish`: number | the rest is recognised, and the recording forgotten | a transcript |
| `forget`: number | the recording is forgotten | empty |
"""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

from isolation.allocator import limit_memory_kept
from isolation.protocol import Message, pack_message, read_exactly, unpack_message, write_exactly
from isolation.worker_setup import limit_memory, lower_priority, redirect_to_null, reserve_stdout
from stt.pieces import PieceCutter, as_samples
from stt.pins import PINNED_MODELS, SILERO_FILE, PinnedModel
from stt.recording import Recording
from stt.speech_model import SpeechModel
from stt.voice_activity import VoiceActivity
from wheels.pinned_wheel import damaged_files

NICE = 5
"""Increment of the nice value. Rendering comes first, but a user waits for the words, which take
little CPU time. While two cores are busy, the process still gets a quarter of one."""
STEP_CPU_S = 60.0
"""CPU time of one request; SIGPROF kills a process that exceeds it."""
MEMORY_BYTES = 1 << 30
"""Address space that the process may take after it has loaded its model."""


class RecognitionServer:
    """The open recordings of the process. Used by one thread."""

    def __init__(self, model: SpeechModel, activity: VoiceActivity) -> None:
        self._model, self._activity = model, activity
        self._open: dict[int, Recording] = {}

    def answer(self, request: Mapping[str, Any], payload: Any) -> dict[str, Any]:
        """Do what a request asks for."""
        if "begin" in request:
            cutter = PieceCutter(self._activity.begin())
            self._open[request["begin"]] = Recording(self._model, cutter, request["language"])
        elif "add" in request:
            self._open[request["add"]].add(as_samples(payload))
        elif "finish" in request:
            return self._open.pop(request["finish"]).finish()
        else:
            self._open.pop(request["forget"], None)
        return {}


def main() -> None:
    """Load the model of the command line, and answer requests until stdin is closed."""
    name, folder, threads = sys.argv[2:]
    limit_memory_kept()
    answers = reserve_stdout()
    lower_priority(NICE)
    requests = SimpleQueue[Message]()
    threading.Thread(target=read_requests, args=(requests,), daemon=True).start()
    try:
        server = load(PINNED_MODELS[name], Path(folder), int(threads))
    except Exception as error:  # noqa: BLE001 - the server logs and reports it
        write_exactly(answers, pack_message({"error": f"{type(error).__name__}: {error}"}))
        return
    limit_memory(MEMORY_BYTES)
    redirect_to_null(2)  # an aborting library writes lines that are not log records
    with suppress(BrokenPipeError):  # the server has ended
        serve(server, requests, answers)


def load(model: PinnedModel, folder: Path, threads: int) -> RecognitionServer:
    """Load a model; raises ValueError if one of its files is damaged."""
    damaged = [str(path) for wheel in model.wheels for path in damaged_files(wheel, folder)]
    if damaged:
        raise ValueError(f"{', '.join(damaged)} is damaged; `make hear` fetches it again")
    return RecognitionServer(
        load_network(model, folder, threads), VoiceActivity(folder / SILERO_FILE)
    )


def load_network(model: PinnedModel, folder: Path, threads: int) -> SpeechModel:
    """Load the networks of a model; only the packages that it needs are imported."""
    if model.packages:
        from stt.whisper.network import WhisperNetwork  # noqa: PLC0415 - optional packages

        return WhisperNetwork(model, folder, threads=threads)
    from stt.moonshine.network import MoonshineNetwork  # noqa: PLC0415

    return MoonshineNetwork(folder, threads=threads)


def read_requests(requests: SimpleQueue[Message]) -> None:
    """Pass requests on; end the process when stdin is closed, even during a request."""
    try:
        with open(0, "rb") as source:
            while True:
                requests.put(unpack_message(lambda size: read_exactly(source, size)))
    finally:
        os._exit(0)


def serve(server: RecognitionServer, requests: SimpleQueue[Message], answers: BinaryIO) -> None:
    """Report that the process is ready, then answer one request after the other."""
    write_exactly(answers, pack_message({"ready": True}))
    while True:
        request, payload = requests.get()
        signal.setitimer(signal.ITIMER_PROF, STEP_CPU_S)
        answer = server.answer(request, payload)
        signal.setitimer(signal.ITIMER_PROF, 0)
        write_exactly(answers, pack_message(answer))
