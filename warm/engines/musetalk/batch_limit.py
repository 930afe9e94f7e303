"""Batch size limit: frames that fit into the memory budget. Imports no network before `measure`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from warm.engines.base import EngineOutOfMemory
from warm.engines.musetalk.device_avatars import DeviceAvatars
from warm.engines.musetalk.errors import DeviceOutOfMemory
from warm.engines.musetalk.memory import (
    PROBE_SIZES,
    DeviceMemory,
    MemoryUse,
    measure_memory,
    memory_budget,
    release_cached_memory,
    to_gb,
)
from warm.engines.musetalk.options import MuseTalkOptions

MEMORY_FACTS = (
    "memory_budget_gb",
    "networks_gb",
    "pass_gb",
    "frame_gb",
    "recorded_gb",
    "avatars_gb",
)

log = logging.getLogger(__name__)


class BatchLimit:
    """Frames of the largest batch: the setting, or fewer if the device's memory requires it."""

    def __init__(
        self, options: MuseTalkOptions, avatars: DeviceAvatars, memory: DeviceMemory | None
    ) -> None:
        """Without `memory` (on a CPU) only a failed batch lowers the limit."""
        self.memory = memory
        self._options, self._avatars = options, avatars
        self._use: MemoryUse | None = None
        self._budget = 0
        """Bytes; valid if `memory` is set."""
        self._largest = options.largest_batch
        """Frames of one batch: the setting, lowered after failed batches."""

    @property
    def frames(self) -> int:
        """Frames of one batch that fit next to the avatars on the device; may be 0."""
        if self._use is None:
            return self._largest
        return self._use.max_batch(self._budget, self._avatars.device_bytes, limit=self._largest)

    def start_load(self) -> None:
        """Start from the setting, and limit this process to the budget."""
        self._largest = self._options.largest_batch
        if self.memory is not None:
            self._budget = memory_budget(self.memory, self._options.max_vram_gb)
            self.memory.set_limit(self._budget)

    def clear(self) -> None:
        """Forget the measurement: the networks are unloaded."""
        self._use = None

    def measure(self, generate: Callable[[int], object]) -> None:
        """Measure batches; raises DeviceOutOfMemory if not even one frame fits.

        A device that is too full for the larger probe is not measured: batches are halved until
        they fit.
        """
        from warm.engines.musetalk.cuda_errors import translate_cuda_errors  # noqa: PLC0415  slow

        if self.memory is None:
            return
        try:
            with translate_cuda_errors():
                self._use = measure_memory(
                    self.memory, generate, avatar_bytes=self._avatars.device_bytes
                )
        except DeviceOutOfMemory as full:
            release_cached_memory()
            self._largest = min(self._largest, PROBE_SIZES[1] - 1)
            log.warning("no memory to measure batches of %d frames: %s", PROBE_SIZES[1], full)
            return
        self.require_one_frame()
        log.info("memory of the device: %s", self.facts())

    def require_one_frame(self) -> None:
        """Raise DeviceOutOfMemory unless one frame fits into the budget."""
        if self._use is not None and self.frames < 1:
            avatar_bytes = self._avatars.device_bytes
            minimum = self._use.minimum(avatar_bytes)
            raise DeviceOutOfMemory(
                f"networks, avatars ({to_gb(avatar_bytes)} GB) and one frame need "
                f"{to_gb(minimum)} GB; {to_gb(self._budget)} GB may be used "
                f"(max_vram_gb = {self._options.max_vram_gb})"
            )

    def halve(self, failed: int, error: DeviceOutOfMemory) -> None:
        """Halve a failed batch, until the next load; raises EngineOutOfMemory for one frame."""
        release_cached_memory()
        if failed == 1:
            raise EngineOutOfMemory(
                f"the device has no memory for one frame ({error}). Stop other programs that use "
                "it, or choose a smaller precision."
            ) from error
        self._largest = failed // 2
        log.warning("no memory for a batch of %d frames; %d from now on", failed, self._largest)

    def add_graphs(self, largest: int, reserved_before: int) -> bool:
        """Count the memory of captured graphs; return False and change nothing if no frame fits."""
        assert self.memory is not None
        previous = self._use, self._largest
        if self._use is not None:
            graphs = max(1, self.memory.reserved() - reserved_before)
            self._use = replace(self._use, graphs=graphs)
        self._largest = largest
        if self.frames >= 1:
            return True
        self._use, self._largest = previous
        return False

    def facts(self) -> dict[str, Any]:
        """Budget and memory use in GB; None if they were not measured."""
        use = self._use
        if use is None:
            return dict.fromkeys(MEMORY_FACTS)
        return {
            "memory_budget_gb": to_gb(self._budget),
            "networks_gb": to_gb(use.networks),
            "pass_gb": to_gb(use.per_batch),
            "frame_gb": to_gb(use.per_frame),
            "recorded_gb": to_gb(use.graphs),
            "avatars_gb": to_gb(self._avatars.device_bytes),
        }
