"""The embedded engine with faults, for actors: a file triggers one fault once."""

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.warm.portraits import MODELS
from warm.engines.base import EngineOutOfMemory, PatchRequest, ReadyPatches
from warm.engines.viseme.engine import VisemeEngine
from warm.engines.viseme.recogniser.network import trained_network

FAULT = "fault"
PRIORITY = "priority"
"""File with the niceness of the thread that has loaded the engine of a process."""


class FaultyEngine(VisemeEngine):
    """Also encodes speech in the actors, as an engine that needs a GPU for that does."""

    load_encoder = None  # type: ignore[assignment]

    def __init__(self, folder: Path) -> None:
        super().__init__(MODELS)
        self._fault = folder / FAULT

    def load(self) -> None:
        trained_network()
        priority = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        (self._fault.parent / f"{PRIORITY}-{os.getpid()}").write_text(f"{priority}")

    def submit(self, requests: Sequence[PatchRequest]) -> ReadyPatches:
        try:
            fault = self._fault.read_text()
            self._fault.unlink()
        except FileNotFoundError:
            return super().submit(requests)
        if fault == "memory":
            raise EngineOutOfMemory("17 MB are missing")
        if fault == "error":
            raise ValueError("a bug in the engine")
        os.kill(os.getpid(), getattr(signal, fault))
        return super().submit(requests)


def start_fault(folder: Path, fault: str) -> None:
    """Make the next batch fail."""
    new = folder / "new"
    new.write_text(fault)
    new.rename(folder / FAULT)
