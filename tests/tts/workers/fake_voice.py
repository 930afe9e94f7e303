"""A voice process with a tiny synthesizer that misbehaves on request, as native code might."""

import hashlib
import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from isolation.protocol import Message, pack_message
from tts.voice import SentenceFailed, VoiceUnavailable
from tts.workers.listener import SOUND_S
from tts.workers.stream_worker import run

PIECE_BYTES = 4000
PIECE_S = 0.5
TURNS = itertools.count()
"""Numbers the pieces of all texts that ask for `turns`."""


def pieces(text: str, count: int = 4) -> list[bytes]:
    """Return what the voice says: the bytes of each piece."""
    return [piece_of(text, number) for number in range(count)]


def piece_of(text: str, number: int) -> bytes:
    """Return one piece."""
    return hashlib.shake_128(f"{text} {number}".encode()).digest(PIECE_BYTES)


class FakeSynthesizer:
    """Says the pieces of a text, and does at piece `at` what `fault` names."""

    def begin(self, request: Mapping[str, Any]) -> Iterator[Message | None]:
        for number in range(request.get("pieces", 4)):
            if number == request.get("at", 1) and "fault" in request:
                fault(request["fault"], Path(request.get("file", "")))
            if (path := request.get("until")) is not None:
                while not Path(path).exists():
                    time.sleep(0.005)
            time.sleep(request.get("step_s", 0.0))
            is_random = "is_random" in request
            piece = os.urandom(PIECE_BYTES) if is_random else piece_of(request["text"], number)
            yield None
            yield (
                {
                    "number": number,
                    "turn": next(TURNS) if "turns" in request else 0,
                    SOUND_S: PIECE_S,
                },
                piece,
            )


def fault(name: str, file: Path) -> None:
    """Misbehave; a name with `_once` only if `file` does not exist yet."""
    if name.endswith("_once"):
        if file.exists():
            return
        file.touch()
    FAULTS[name.removesuffix("_once")]()


def spin() -> None:
    """Compute for ever."""
    while True:
        pass


def sleep() -> None:
    """Hang."""
    time.sleep(3600)


def fail() -> None:
    """Have a fault in Python."""
    raise IndexError("no such number")


def refuse() -> None:
    """Refuse the text."""
    raise SentenceFailed("is too odd")


def give_up() -> None:
    """Refuse all texts."""
    raise VoiceUnavailable("the file of the voice is gone")


def fill_memory() -> None:
    """Allocate without end."""
    filled = [bytearray(1 << 24) for _ in range(1 << 10)]
    raise AssertionError(f"{len(filled)} blocks")


def write_half() -> None:
    """Write the beginning of a message."""
    write_to_server(b"\x10\0\0\0\x10\0\0\0half")
    sleep()


def lie() -> None:
    """Write a message about a request that nobody made."""
    write_to_server(pack_message({"id": 99999, "end": True}))
    sleep()


def close_output() -> None:
    """Close all files, and go on."""
    os.closerange(3, 99)
    sleep()


FAULTS: Mapping[str, Callable[[], None]] = {
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda: os._exit(9),
    "spin": spin,
    "sleep": sleep,
    "raise": fail,
    "refuse": refuse,
    "unavailable": give_up,
    "fill": fill_memory,
    "garbage": lambda: write_to_server(bytes(99)),
    "half": write_half,
    "lie": lie,
    "close": close_output,
}


def write_to_server(data: bytes) -> None:
    """Write to all pipes that are open for writing, whichever the server reads."""
    for number in range(3, 99):
        try:
            os.write(number, data)
        except OSError:
            continue


def load() -> FakeSynthesizer:
    """Load the voice, or fail in the way that the environment names."""
    slow, broken = sys.argv[2:4]
    if slow:
        time.sleep(float(slow))
    if broken and Path(broken).exists():
        how = Path(broken).read_text(encoding="ascii")
        if how == "error":
            raise VoiceUnavailable("the file heart.onnx is damaged")
        os._exit(7)
    return FakeSynthesizer()


def main() -> None:
    """Run the process."""
    run(load, step_cpu_s=0.5, memory_bytes=1 << 28, nice=1)
