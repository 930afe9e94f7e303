"""Results of `python -m bench gpu`, and the state that its rows share."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from bench.figure import Figure
from bench.neural.gpu_rig import Rig
from warm.engines.musetalk.engine import MuseTalkEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A measured value without a goal."""

    name: str
    value: float
    unit: str


Found = Figure | Fact


@dataclass(slots=True, eq=False)
class RowContext:
    """The rig, and results that rows leave to later rows."""

    rig: Rig
    live: MuseTalkEngine | None = None
    steady_fps: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def engine(self) -> MuseTalkEngine:
        """Return the loaded engine with the server's default settings; loads it if necessary."""
        if self.live is None:
            self.live = self.rig.loaded_engine()
            self.notes["engine"] = self.live.device_status()
        return self.live

    def unload_engine(self) -> None:
        """Free the engine's memory."""
        if self.live is not None:
            self.live.unload()
            self.live = None

    def repetitions(self, full: int) -> int:
        """Number of repetitions: two at tiny size."""
        return 2 if self.rig.tiny else full


Row = tuple[str, Callable[[RowContext], Iterator[Found]], float]
"""Name, the function that measures it, and its expected duration in seconds."""


def figure(
    name: str, value: float, unit: str, goal: float, *, better: Any = "higher", n: int = 1
) -> Figure:
    """A figure of the table."""
    return Figure(name=name, value=value, unit=unit, goal=goal, better=better, n=n)


def release_memory() -> None:
    """Free unused memory of the process and the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
