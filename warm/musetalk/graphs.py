"""Passes recorded once and played again: a GPU gets one command instead of two thousand."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from warm.musetalk.checkpoint import first_line

SMALL = (1, 2, 4)
"""Sizes of the first passes of a clip, where a picture more costs the most."""
STEP = 4
"""Between all larger sizes: so many pictures less one are drawn for nobody at most."""
REHEARSALS = 2
"""Passes before a recording: libraries choose their kernels and take their memory there."""

log = logging.getLogger(__name__)


class Paints(Protocol):
    """Draws pictures on a device."""

    def paint(self, latents: Tensor, tokens: Tensor) -> Tensor:
        """As `Painter.paint`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A pass that can be played; it reads and writes the same memory every time."""

    play: Callable[[], None]
    pictures: Tensor
    """What it draws. The next recording that is played may write over it."""


Recorder = Callable[[Callable[[], Tensor]], Recording]
"""Records what a function does on the device."""


class Graphs:
    """Draws by the smallest recorded pass that has room; the rest of it is drawn for nobody.

    What `paint` returns must be copied, in the same stream, before the next pass.
    """

    def __init__(self, painter: Paints) -> None:
        self._painter = painter
        self._recordings: dict[int, Recording] = {}
        """By size, the smallest first."""
        self._latents = self._tokens = torch.empty(0)
        self.fault: str | None = None
        """Why a pass could not be recorded."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Pictures of each recorded pass."""
        return tuple(self._recordings)

    @torch.inference_mode()
    def record(
        self, sizes: Sequence[int], latents: Tensor, tokens: Tensor, recorder: Recorder
    ) -> None:
        """Record passes of these sizes over examples: (n, …) for the largest.

        A pass that cannot be recorded is drawn as if nothing had been; it is logged, and `fault`
        tells why.
        """
        self._latents, self._tokens = latents, tokens
        made: dict[int, Recording] = {}
        for size in sorted(sizes, reverse=True):  # the smaller ones find the memory they need
            try:
                made[size] = recorder(partial(self._painter.paint, latents[:size], tokens[:size]))
            except RuntimeError as error:  # lack of memory as well
                self.fault = first_line(error)
                log.warning(
                    "a pass of %d frames could not be recorded as a CUDA graph and is drawn "
                    "without, which is slower: %s",
                    size,
                    self.fault,
                )
        self._recordings = dict(sorted(made.items()))

    @torch.inference_mode()
    def paint(self, latents: Tensor, tokens: Tensor) -> Tensor:
        """As `Painter.paint`, by a recorded pass where one is large enough."""
        count = len(latents)
        size = next((size for size in self._recordings if size >= count), None)
        if size is None:
            return self._painter.paint(latents, tokens)
        self._latents[:count].copy_(latents)
        self._tokens[:count].copy_(tokens)
        recording = self._recordings[size]
        recording.play()
        return recording.pictures[:count]


def sizes_up_to(largest: int) -> list[int]:
    """Which passes are recorded where the largest has so many pictures."""
    steps = [*SMALL, *range(2 * STEP, largest, STEP)]
    return [*(size for size in steps if size < largest), largest]


def cuda_recorder(device: torch.device) -> Recorder:
    """Records CUDA graphs; they share the memory in which they compute."""
    pool = torch.cuda.graph_pool_handle()

    def record(work: Callable[[], Tensor]) -> Recording:
        with torch.cuda.device(device):
            rehearse(work, device)
            forget_workspaces()
            graph = torch.cuda.CUDAGraph()
            # Another thread may prepare an avatar meanwhile; it does not disturb this one.
            with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
                pictures = work()
            forget_workspaces()
        return Recording(graph.replay, pictures)

    return record


def forget_workspaces() -> None:
    """Leave the scratch memory of matrix products to who took it: to the recording, for good.

    PyTorch keeps it for each stream otherwise, and with it the memory around it.
    """
    torch._C._cuda_clearCublasWorkspaces()


def rehearse(work: Callable[[], Tensor], device: torch.device) -> None:
    """Run it in a stream of its own, as recording does, so that nothing is allocated in there."""
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    current = torch.cuda.current_stream(device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        for _ in range(REHEARSALS):
            work()
    current.wait_stream(stream)
