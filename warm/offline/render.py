"""Rendering of one film: the engine on this thread, H.264 and AAC on another."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from session.film import FilmSpec
from stabilizers.blend import BlendMode
from warm.avatars.avatar import Avatar, Shown
from warm.engines.base import Engine, PendingPatches
from warm.motion.frame_path import FramePath
from warm.offline.chunks import Chunk
from warm.offline.mp4_file import Mp4File
from warm.render.compositing import composite, patch_requests

MAX_QUEUED_BATCHES = 2
"""Batches that may be queued for the encoder; with one more, the engine waits."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RenderSetup:
    """Engine and settings of all films. Owned by one thread."""

    engine: Engine
    batch_size: int
    blend_mode: BlendMode
    subpixel: bool
    is_lively: bool = False
    """Head and lids follow the speech."""

    @property
    def current_batch_size(self) -> int:
        """Frames per batch; the engine may lower its limit while it works."""
        return min(self.batch_size, self.engine.largest_batch or self.batch_size)


@dataclass(frozen=True, slots=True, eq=False)
class PendingBatch:
    """Consecutive frames that the engine is computing."""

    shown: Sequence[Shown]
    """The avatar's picture in each of them."""
    patches: PendingPatches
    samples: NDArray[np.float32]


def film_spec_of(avatar: Avatar) -> FilmSpec:
    """Return the film format of an avatar."""
    width, height = avatar.size
    return FilmSpec(width=width, height=height, fps=avatar.fps)


def render_film(
    film: Mp4File,
    chunks: Iterator[Chunk],
    avatar: Avatar,
    setup: RenderSetup,
    on_frames: Callable[[int], object],
) -> None:
    """Write every frame of the chunks to `film`; call `on_frames` with each number written.

    The avatar must be loaded. Errors of the engine, the audio and the disk are not caught.
    """

    def encode(batch: PendingBatch, pictures: list[NDArray[np.uint8]]) -> None:
        film.write(pictures, batch.samples)
        on_frames(len(pictures))

    queued: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1, "encode") as encoder:
        try:
            for batch in delayed_by_one(submit_batches(chunks, avatar, setup)):
                pictures = composite_batch(batch, avatar, setup)
                queued.append(encoder.submit(encode, batch, pictures))
                while len(queued) > MAX_QUEUED_BATCHES:
                    queued.popleft().result()
            while queued:
                queued.popleft().result()
        except BaseException:
            encoder.shutdown(cancel_futures=True)
            raise


def composite_batch(
    batch: PendingBatch, avatar: Avatar, setup: RenderSetup
) -> list[NDArray[np.uint8]]:
    """Wait for the patches of a batch and paste them onto the avatar's frames."""
    return composite(
        avatar,
        batch.shown,
        batch.patches.patches(),
        mode=setup.blend_mode,
        subpixel=setup.subpixel,
    )


def submit_batches(
    chunks: Iterator[Chunk], avatar: Avatar, setup: RenderSetup
) -> Iterator[PendingBatch]:
    """Submit the frames of all chunks, in batches as large as the engine currently allows."""
    path = FramePath(avatar, 0, setup.is_lively)
    cursor, size = 0, film_spec_of(avatar).samples_per_frame
    for chunk in chunks:
        path.speak(chunk.speech, len(chunk.features))
        start = 0
        while start < len(chunk.features):
            rows = chunk.features[start : start + setup.current_batch_size]
            shown = path.shown(cursor, cursor + len(rows))
            pending = setup.engine.submit(patch_requests(avatar, shown, rows))
            stop = start + len(rows)
            yield PendingBatch(shown, pending, chunk.samples[start * size : stop * size])
            cursor, start = cursor + len(rows), stop


def delayed_by_one(batches: Iterator[PendingBatch]) -> Iterator[PendingBatch]:
    """Yield each batch after the next one was submitted, so that the engine is always busy."""
    previous = next(batches, None)
    for batch in batches:
        assert previous is not None
        yield previous
        previous = batch
    if previous is not None:
        yield previous
