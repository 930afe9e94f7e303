"""Making one film: the engine on this thread, H.264 and AAC on another."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from session.film import FilmSpec
from stabilizers.blend import BlendMode
from warm.avatars.avatar import Avatar
from warm.engines.base import Engine, PendingPatches
from warm.offline.chunks import Chunk
from warm.offline.mp4_file import Mp4File
from warm.render.compositing import composite, patch_requests

BATCHES_AHEAD = 2
"""Batches that may wait for the encoder; one more, and the engine waits."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RenderSetup:
    """What films are made with. One thread owns it."""

    engine: Engine
    batch_size: int
    blend_mode: BlendMode
    subpixel: bool

    @property
    def batch(self) -> int:
        """Frames that the engine makes at once; may change while it works."""
        return min(self.batch_size, self.engine.largest_batch or self.batch_size)


@dataclass(frozen=True, slots=True, eq=False)
class PendingBatch:
    """Frames under way in the engine."""

    cursor: int
    pending: PendingPatches
    samples: NDArray[np.float32]


def spec_of(avatar: Avatar) -> FilmSpec:
    """The film that an avatar makes."""
    width, height = avatar.size
    return FilmSpec(width=width, height=height, fps=avatar.fps)


def make(
    film: Mp4File,
    chunks: Iterator[Chunk],
    avatar: Avatar,
    setup: RenderSetup,
    shown: Callable[[int], object],
) -> None:
    """Write every frame of the passages to `film`; `shown` is told of each batch that is in it.

    The avatar must have been adopted. Raises whatever engine, sound and disk raise.
    """
    waiting: deque[Future[None]] = deque()

    def encode(batch: PendingBatch, pictures: list[NDArray[np.uint8]]) -> None:
        film.write(pictures, batch.samples)
        shown(len(pictures))

    with ThreadPoolExecutor(1, "encode") as encoder:
        try:
            for batch in one_behind(batches(chunks, avatar, setup)):
                patches = batch.pending.patches()
                pictures = composite(
                    avatar,
                    batch.cursor,
                    patches,
                    mode=setup.blend_mode,
                    subpixel=setup.subpixel,
                )
                waiting.append(encoder.submit(encode, batch, pictures))
                while len(waiting) > BATCHES_AHEAD:
                    waiting.popleft().result()
            while waiting:
                waiting.popleft().result()
        except BaseException:
            encoder.shutdown(cancel_futures=True)
            raise


def batches(chunks: Iterator[Chunk], avatar: Avatar, setup: RenderSetup) -> Iterator[PendingBatch]:
    """Start the frames of all passages, in batches as large as the engine takes just then."""
    cursor, size = 0, spec_of(avatar).samples_per_frame
    for chunk in chunks:
        start = 0
        while start < len(chunk.features):
            rows = chunk.features[start : start + setup.batch]
            pending = setup.engine.submit(patch_requests(avatar, cursor, rows))
            stop = start + len(rows)
            yield PendingBatch(cursor, pending, chunk.samples[start * size : stop * size])
            cursor, start = cursor + len(rows), stop


def one_behind(every: Iterator[PendingBatch]) -> Iterator[PendingBatch]:
    """Each when the one after it has been started, so that the engine works meanwhile."""
    before = next(every, None)
    for batch in every:
        assert before is not None
        yield before
        before = batch
    if before is not None:
        yield before
