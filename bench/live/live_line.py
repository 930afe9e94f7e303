"""Client of a live socket that notes when everything arrives."""

import json
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from websockets.sync.client import connect

from bench.server_process import ServerProcess

HEADER = struct.Struct("<BBHIqQII")
PICTURE, SOUND = 1, 2
RATE_HZ = 24_000
CHUNK_S = 0.02
LOUD = 100
"""Samples louder than this, of 32767, are not silence."""
WAIT_S = 20.0

Box = tuple[slice, slice]
"""Rows and columns of a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A picture or a packet of sound."""

    at_s: float
    kind: int
    number: int
    """Of the utterance; 0 while nobody speaks."""
    mouth: NDArray[np.int16] | None
    """Grey pixels of the mouth; None for sound."""
    loudest: int
    """Of a packet of sound."""


class LiveLine:
    """A live socket of one session, with JPEG pictures and sound. A thread of its own receives."""

    def __init__(self, server: ServerProcess, session_id: str, mouth: Box) -> None:
        self.arrived: list[Arrived] = []
        self.events: list[tuple[float, dict[str, Any]]] = []
        self._mouth, self._changed = mouth, Condition()
        address = f"ws://127.0.0.1:{server.port}/sessions/{session_id}/live"
        self._socket = connect(
            f"{address}?pictures=jpeg&sound=pcm&rate={RATE_HZ}",
            compression=None,
            max_size=None,
            max_queue=None,
        )
        self._thread = Thread(target=self._receive, daemon=True)
        self._thread.start()

    def __enter__(self) -> "LiveLine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()
        self._thread.join()

    def tell(self, kind: str, **members: object) -> float:
        """Send a message; return the time."""
        now_s = time.perf_counter()
        self._socket.send(json.dumps({"type": kind, **members}))
        return now_s

    def send(self, pcm: bytes, *, until: Event) -> list[float]:
        """Send sound as fast as it is spoken; return the time at which each 20 ms were sent."""
        size, sent_s = round(2 * RATE_HZ * CHUNK_S), list[float]()
        begun_s = time.perf_counter()
        for at in range(0, len(pcm), size):
            time.sleep(max(0.0, begun_s + CHUNK_S * (len(sent_s) + 1) - time.perf_counter()))
            if until.is_set():
                break
            self._socket.send(pcm[at : at + size])
            sent_s.append(time.perf_counter())
        return sent_s

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something that arrives makes a condition true; raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(condition, WAIT_S):
                raise TimeoutError(f"{what} did not happen within {WAIT_S:g} s")

    def between(self, start_s: float, end_s: float, kind: int) -> list[Arrived]:
        """Return what arrived in a period."""
        return [each for each in self.arrived if each.kind == kind and start_s <= each.at_s < end_s]

    def _receive(self) -> None:
        for message in self._socket:
            now_s = time.perf_counter()
            if isinstance(message, str):
                self.events.append((now_s, json.loads(message)))
            else:
                self.arrived.append(self._parsed(now_s, message))
            with self._changed:
                self._changed.notify_all()

    def _parsed(self, now_s: float, message: bytes) -> Arrived:
        kind, _, _, number, *_ = HEADER.unpack_from(message)
        payload = message[HEADER.size :]
        mouth, loudest = None, 0
        if kind == SOUND:
            samples = np.frombuffer(payload, "<i2").astype(np.int32)
            loudest = int(np.abs(samples).max(initial=0))
        else:
            grey = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_GRAYSCALE)
            assert grey is not None
            mouth = grey[self._mouth].astype(np.int16)
        return Arrived(at_s=now_s, kind=kind, number=number, mouth=mouth, loudest=loudest)


def unlike_idle(pictures: Sequence[Arrived], idle: NDArray[np.int16]) -> list[tuple[float, float]]:
    """Return how much each mouth differs from the most similar one of the idle loop.

    (time, mean difference in grey levels). `idle`: (n, h, w) mouths.
    """
    found = []
    for each in pictures:
        assert each.mouth is not None
        found.append((each.at_s, float(np.abs(idle - each.mouth).mean(axis=(1, 2)).min())))
    return found
