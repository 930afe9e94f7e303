"""Passes recorded once and played again: a GPU gets one command instead of two thousand."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from warm.engines.musetalk.checkpoint import first_line
from warm.engines.musetalk.cuda_errors import is_lack_of_memory, is_lasting

SIZES = 4, 8, 16
"""Recorded where the largest pass has more pictures than that."""
REHEARSALS = 2
"""Passes before a recording: libraries choose their kernels and take their memory there."""
REHEARSE_S = 5.0
"""When no further size is begun: how long a start may take is worth more than the middle sizes."""

log = logging.getLogger(__name__)


class Paints(Protocol):
    """Draws pictures on a device."""

    def paint(self, latents: Tensor, tokens: Tensor) -> Tensor:
        """As `Generator.paint`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A pass that can be played; it reads and writes the same memory every time."""

    play: Callable[[], None]
    pictures: Tensor
    """What it draws. The next recording that is played may write over it."""


Work = Callable[[], Tensor]


class Recorder(Protocol):
    """Records what a function does on a device."""

    def rehearse(self, work: Work) -> None:
        """Do it, so that nothing is chosen or loaded for the first time in a recording."""
        ...

    def record(self, work: Work) -> Recording:
        """Record it, without doing it; recordings share the memory in which they compute."""
        ...

    def abandon(self) -> None:
        """Clear away after a recording that failed."""
        ...


class Graphs:
    """Draws by the smallest recorded pass that has room; the rest of it is drawn for nobody.

    What `paint` returns must be copied, in the same stream, before the next pass.
    """

    def __init__(self, painter: Paints, clock: Callable[[], float] = time.monotonic) -> None:
        self._painter, self._clock = painter, clock
        self._recordings: dict[int, Recording] = {}
        """By size, the smallest first."""
        self._latents = self._tokens = torch.empty(0)
        self.fault: str | None = None
        """Why a pass could not be recorded."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Pictures of each recorded pass."""
        return tuple(self._recordings)

    def filled(self, count: int) -> int:
        """As many pictures as a recorded pass draws that is played for `count`."""
        return self._size_for(count) or count

    def forget(self, reason: str) -> None:
        """Draw without recordings from now on; `fault` tells why."""
        self._recordings, self.fault = {}, reason
        self._latents = self._tokens = torch.empty(0)

    @torch.inference_mode()
    def record(
        self, sizes: Sequence[int], latents: Tensor, tokens: Tensor, recorder: Recorder
    ) -> None:
        """Record passes of these sizes, the most important first, over examples for the largest.

        A pass that cannot be recorded is drawn by a larger one, or as if nothing had been recorded;
        it is logged, and `fault` tells why. Raises what a device does that is lost.
        """
        self._latents, self._tokens = latents, tokens
        self._recordings = {}
        ready = self._rehearsed(sizes, recorder)
        made: dict[int, Recording] = {}
        for size in sorted(ready, reverse=True):  # the smaller ones find the memory they need
            try:
                made[size] = recorder.record(self._work(size))
            except RuntimeError as error:
                recorder.abandon()
                self._note(size, error)
                if not is_lack_of_memory(error):
                    break  # what forbids one forbids all
        self._recordings = dict(sorted(made.items()))

    @torch.inference_mode()
    def paint(self, latents: Tensor, tokens: Tensor) -> Tensor:
        """As `Generator.paint`, by a recorded pass where one is large enough."""
        count = len(latents)
        size = self._size_for(count)
        if size is None:
            return self._painter.paint(latents, tokens)
        self._latents[:count].copy_(latents)
        self._tokens[:count].copy_(tokens)
        recording = self._recordings[size]
        recording.play()
        return recording.pictures[:count]

    def _size_for(self, count: int) -> int | None:
        return next((size for size in self._recordings if size >= count), None)

    def _work(self, size: int) -> Work:
        return partial(self._painter.paint, self._latents[:size], self._tokens[:size])

    def _rehearsed(self, sizes: Sequence[int], recorder: Recorder) -> list[int]:
        """The sizes that can be recorded, as far as the time does; all before any recording, which
        then is the only one to take memory."""
        ready: list[int] = []
        begun_s = self._clock()
        for size in sizes:
            if len(ready) > 1 and self._clock() - begun_s > REHEARSE_S:
                log.warning("passes of %d frames are not recorded: the start would take long", size)
                continue
            try:
                recorder.rehearse(self._work(size))
                ready.append(size)
            except RuntimeError as error:
                self._note(size, error)
        return ready

    def _note(self, size: int, error: RuntimeError) -> None:
        if is_lasting(error):
            raise error
        self.fault = first_line(error)
        log.warning(
            "a pass of %d frames could not be recorded as a CUDA graph and is drawn by a larger "
            "one or without, which is slower: %s",
            size,
            self.fault,
        )


def sizes_up_to(largest: int) -> list[int]:
    """Which passes are recorded where the largest has so many pictures; what matters most first:
    long passes for many, short ones for who comes new, and then those between."""
    return [largest, *(size for size in SIZES if size < largest)]


class CudaGraphRecorder:
    """Records CUDA graphs, in a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def rehearse(self, work: Work) -> None:
        """As `Recorder.rehearse`."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            for _ in range(REHEARSALS):
                work()
        self._stream.synchronize()  # what fails, fails here

    def record(self, work: Work) -> Recording:
        """As `Recorder.record`."""
        forget_workspaces()
        graph = torch.cuda.CUDAGraph()
        # Another thread may prepare an avatar meanwhile; it does not disturb this one.
        recording = torch.cuda.graph(
            graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
        )
        # A recording that fails leaves its stream current; the one around it does not.
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream), recording:
            pictures = work()
        forget_workspaces()
        return Recording(graph.replay, pictures)

    def abandon(self) -> None:
        """As `Recorder.abandon`: a recording that was broken off leaves the allocator in it, which
        from then on refuses to give any memory back."""
        with suppress(RuntimeError):  # which it is, where the recording was ended in order
            torch._C._cuda_endAllocateToPool(self._device.index, self._pool)
            torch._C._cuda_releasePool(self._device.index, self._pool)
        forget_workspaces()


def forget_workspaces() -> None:
    """Leave the scratch memory of matrix products to who took it: to the recording, for good.

    PyTorch keeps it for each stream otherwise, and with it the memory around it.
    """
    torch._C._cuda_clearCublasWorkspaces()
