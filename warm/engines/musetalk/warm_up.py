"""Warm-up of a loaded pipeline: CUDA graphs, and one batch of each size that is used later."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import numpy as np

from warm.engines.musetalk.batch_limit import BatchLimit
from warm.engines.musetalk.errors import DeviceOutOfMemory
from warm.engines.musetalk.memory import release_cached_memory
from warm.engines.musetalk.options import MuseTalkOptions

if TYPE_CHECKING:
    from warm.engines.musetalk.pipeline import Pipeline

WARM_UP_SAMPLES = 16_000
"""Samples of silence that warm up the audio encoder."""

log = logging.getLogger(__name__)


def warm_up_gpu(pipeline: Pipeline, limit: BatchLimit, options: MuseTalkOptions) -> None:
    """Generate blank batches of every size: libraries choose their kernels at the first one."""
    pipeline.encode_speech(np.zeros(WARM_UP_SAMPLES, np.float32))
    if options.cuda_graphs:
        capture_graphs(pipeline, limit)
    for size in pipeline.graphs.sizes or (options.first_batch, max(1, limit.frames)):
        time_batch_that_fits(pipeline, limit, size)


def capture_graphs(pipeline: Pipeline, limit: BatchLimit) -> None:
    """Capture CUDA graphs and count their memory; drop them if no memory is left for a frame."""
    before = None if limit.memory is None else limit.memory.reserved()
    pipeline.capture_graphs(max(1, limit.frames))
    if before is None or not pipeline.graphs.sizes:
        return
    if not limit.add_graphs(max(pipeline.graphs.sizes), before):
        pipeline.graphs.disable("no memory for CUDA graphs next to networks and avatars")
        log.warning("%s; batches run without them, which is slower", pipeline.graphs.error)
        release_cached_memory()


def time_batch_that_fits(pipeline: Pipeline, limit: BatchLimit, size: int) -> float:
    """Duration in seconds of a batch of `size` frames, or of as many as fit into memory."""
    while True:
        frames = min(size, max(1, limit.frames))
        try:
            return time_batch(pipeline, frames)
        except DeviceOutOfMemory as full:
            limit.halve(frames, full)


def time_batch(pipeline: Pipeline, size: int) -> float:
    """Duration in seconds of the second of two batches of `size` blank frames, with download."""
    latents, tokens = pipeline.blank_latents(size), pipeline.audio_encoder.tokens_shape
    for _ in range(2):
        started_s = time.monotonic()
        pipeline.generate(list(latents), [np.zeros(tokens, np.float32)] * size).wait()
    return time.monotonic() - started_s
