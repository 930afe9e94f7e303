"""CUDA graphs: a batch is captured once and replayed by one command instead of two thousand."""

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
from warm.engines.musetalk.cuda_errors import is_out_of_memory, is_unrecoverable

SIZES = 4, 8, 16
"""Batch sizes that are captured if the largest batch has more pictures."""
WARM_UP_RUNS = 2
"""Runs before a capture, in which libraries choose their kernels and allocate their memory."""
WARM_UP_LIMIT_S = 5.0
"""After this time no further size is warmed up: a short start matters more than medium sizes."""

log = logging.getLogger(__name__)


class PictureGenerator(Protocol):
    """Generates pictures on a device."""

    def generate(self, latents: Tensor, tokens: Tensor) -> Tensor:
        """Same as `Generator.generate`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class CapturedBatch:
    """A batch that can be replayed; it reads and writes the same memory every time."""

    replay: Callable[[], None]
    pictures: Tensor
    """Output; the next replay of any graph may overwrite it."""


Work = Callable[[], Tensor]


class GraphBackend(Protocol):
    """Captures the work of a function on a device."""

    def warm_up(self, work: Work) -> None:
        """Run the work, so that nothing is chosen or loaded for the first time during a capture."""
        ...

    def capture(self, work: Work) -> CapturedBatch:
        """Capture the work without running it; all captures share one memory pool."""
        ...

    def abort(self) -> None:
        """Clean up after a failed capture."""
        ...


class CudaGraphs:
    """Generates with the smallest captured batch that is large enough; the padding is discarded.

    The output of `generate` must be copied, in the same stream, before the next batch.
    """

    def __init__(
        self, generator: PictureGenerator, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._generator, self._clock = generator, clock
        self._captured: dict[int, CapturedBatch] = {}
        """By size, in ascending order."""
        self._latents = self._tokens = torch.empty(0)
        self.error: str | None = None
        """Reason why a batch could not be captured."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Pictures of each captured batch."""
        return tuple(self._captured)

    def padded_size(self, count: int) -> int:
        """Size of the captured batch that is replayed for `count` pictures, else `count`."""
        return self._size_for(count) or count

    def disable(self, reason: str) -> None:
        """Drop all graphs; `error` becomes the reason."""
        self._captured, self.error = {}, reason
        self._latents = self._tokens = torch.empty(0)

    @torch.inference_mode()
    def capture(
        self, sizes: Sequence[int], latents: Tensor, tokens: Tensor, backend: GraphBackend
    ) -> None:
        """Capture batches of these sizes, the most important first.

        `latents` and `tokens` are a batch of the largest size, and become the graphs' input. If a
        size cannot be captured, a larger graph or none is used for it; the log and `error` give
        the reason. Raises the error of a lost device.
        """
        self._latents, self._tokens = latents, tokens
        self._captured = {}
        warm = self._warm_up(sizes, backend)
        captured: dict[int, CapturedBatch] = {}
        for size in sorted(warm, reverse=True):  # smaller graphs reuse the memory of larger ones
            try:
                captured[size] = backend.capture(self._work(size))
            except RuntimeError as error:
                backend.abort()
                self._log_failure(size, error)
                if not is_out_of_memory(error):
                    break  # any other error would fail every size
        self._captured = dict(sorted(captured.items()))

    @torch.inference_mode()
    def generate(self, latents: Tensor, tokens: Tensor) -> Tensor:
        """Same as `Generator.generate`, with a captured batch if one is large enough."""
        count = len(latents)
        size = self._size_for(count)
        if size is None:
            return self._generator.generate(latents, tokens)
        self._latents[:count].copy_(latents)
        self._tokens[:count].copy_(tokens)
        batch = self._captured[size]
        batch.replay()
        return batch.pictures[:count]

    def _size_for(self, count: int) -> int | None:
        return next((size for size in self._captured if size >= count), None)

    def _work(self, size: int) -> Work:
        return partial(self._generator.generate, self._latents[:size], self._tokens[:size])

    def _warm_up(self, sizes: Sequence[int], backend: GraphBackend) -> list[int]:
        """Warm up all sizes before any capture, so that only captures allocate memory later.

        Returns the sizes that can be captured.
        """
        warm: list[int] = []
        started_s = self._clock()
        for size in sizes:
            if len(warm) > 1 and self._clock() - started_s > WARM_UP_LIMIT_S:
                log.warning("batches of %d frames are not captured, to keep the start short", size)
                continue
            try:
                backend.warm_up(self._work(size))
                warm.append(size)
            except RuntimeError as error:
                self._log_failure(size, error)
        return warm

    def _log_failure(self, size: int, error: RuntimeError) -> None:
        """Log why a size is not captured; raises the error if it is unrecoverable."""
        if is_unrecoverable(error):
            raise error
        self.error = first_line(error)
        log.warning(
            "a batch of %d frames could not be captured as a CUDA graph; it runs in a larger one "
            "or without one, which is slower: %s",
            size,
            self.error,
        )


def graph_sizes(largest: int) -> list[int]:
    """Sizes to capture for a largest batch, the most important first.

    Large batches serve many sessions, small ones the start of a clip; then the sizes between.
    """
    return [largest, *(size for size in SIZES if size < largest)]


class CudaGraphBackend:
    """Captures CUDA graphs in a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def warm_up(self, work: Work) -> None:
        """Same as `GraphBackend.warm_up`."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            for _ in range(WARM_UP_RUNS):
                work()
        self._stream.synchronize()  # raises asynchronous errors here

    def capture(self, work: Work) -> CapturedBatch:
        """Same as `GraphBackend.capture`."""
        release_workspaces()
        graph = torch.cuda.CUDAGraph()
        # thread_local: another thread may prepare an avatar during the capture.
        capture = torch.cuda.graph(
            graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
        )
        # A failed capture leaves its stream current; the outer context restores the old one.
        with torch.cuda.device(self._device), torch.cuda.stream(self._stream), capture:
            pictures = work()
        release_workspaces()
        return CapturedBatch(graph.replay, pictures)

    def abort(self) -> None:
        """Same as `GraphBackend.abort`.

        After a failed capture PyTorch's allocator stays in capture mode and returns no memory.
        """
        with suppress(RuntimeError):  # raised if the capture has ended normally
            torch._C._cuda_endAllocateToPool(self._device.index, self._pool)
            torch._C._cuda_releasePool(self._device.index, self._pool)
        release_workspaces()


def release_workspaces() -> None:
    """Leave cuBLAS workspaces to the graph that allocated them.

    Otherwise PyTorch caches them for each stream, and with them the memory block around them.
    """
    torch._C._cuda_clearCublasWorkspaces()
