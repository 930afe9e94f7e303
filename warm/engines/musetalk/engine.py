"""The neural engine: MuseTalk v1.5 in one warm process. Imports no network before `load`."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.engines.base import EngineOutOfMemory, Patch, PatchRequest, PendingPatches, ReadyPatches
from warm.engines.musetalk.batch_limit import BatchLimit
from warm.engines.musetalk.decoders import first_decoded_row
from warm.engines.musetalk.device_avatars import DeviceAvatars
from warm.engines.musetalk.errors import DeviceOutOfMemory
from warm.engines.musetalk.face_cache import face_rows, read_face_cache, write_face_cache
from warm.engines.musetalk.memory import DeviceMemory, release_cached_memory
from warm.engines.musetalk.options import MuseTalkOptions, Recipe
from warm.engines.musetalk.warm_up import time_batch, time_batch_that_fits, warm_up_gpu
from warm.media.film_audio import resample

if TYPE_CHECKING:
    from warm.engines.musetalk.async_copy import PatchBatch
    from warm.engines.musetalk.device import ComputeDevice
    from warm.engines.musetalk.pipeline import Pipeline

MAX_CPU_BATCH_S = 2.0
"""On the CPU a batch has no more frames than fit in this time."""

log = logging.getLogger(__name__)


class MuseTalkEngine:
    """Implements `warm.engines.base.Engine`.

    One thread owns it, except for `load`: that may run on another thread, while only `load_avatar`,
    `unload_avatar` and `device_status` are called.
    """

    name = "musetalk"
    benefits_from_batching = True

    def __init__(self, options: MuseTalkOptions, memory: DeviceMemory | None = None) -> None:
        """Find the weights without loading them; raises WeightsError.

        `memory` limits the batch size; the default is the GPU's memory, and none on a CPU.
        """
        self._options = options
        self._layout = options.layout()
        self._avatars = DeviceAvatars()
        self._limit = BatchLimit(options, self._avatars, memory)
        self._pipeline: Pipeline | None = None
        self._compute: ComputeDevice | None = None
        """Set by the first load."""
        self._cpu_fps: float | None = None
        """Frames per second of the last batch on a CPU; None on a GPU, which is not timed."""
        self.load_seconds: dict[str, float] = {}
        """Duration of each step of the last load."""

    @property
    def largest_batch(self) -> int:
        """Frames of one batch: the setting, or fewer if the device's memory requires it.

        On a slow CPU as many as take MAX_CPU_BATCH_S, so that the render thread stays responsive.
        """
        frames = max(1, self._limit.frames)
        if self._cpu_fps is None:
            return frames
        return min(frames, max(1, int(MAX_CPU_BATCH_S * self._cpu_fps)))

    def round_up_batch(self, frames: int) -> int:
        """Round up to a captured batch, which takes the same time for fewer frames than it has."""
        if self._pipeline is None:
            return frames
        return max(frames, min(self._pipeline.graphs.padded_size(frames), self.largest_batch))

    def load(self) -> None:
        """Load the networks and warm up; loaded avatars are warm again.

        Raises WeightsError, NoSuchDevice, EngineOutOfMemory, EngineLost.
        """
        set_passive_thread_wait()
        self.load_seconds.clear()
        try:
            self._load()
        except DeviceOutOfMemory as full:
            self.unload()
            raise EngineOutOfMemory(
                f"the networks do not fit into the device's memory: {full}"
            ) from full
        except BaseException:
            self.unload()
            raise

    def _load(self) -> None:
        with self._timed("libraries"):  # takes seconds
            from warm.engines.musetalk.pipeline import open_pipeline  # noqa: PLC0415
        with self._timed("device"):
            self._open_device()
        with self._timed("networks"):
            pipeline = open_pipeline(self._layout, self._options)
        with self._timed("avatars"), self._avatars.lock:
            self._avatars.upload_missing(pipeline)
        with self._timed("fitting"):
            self._limit.measure(lambda size: time_batch(pipeline, size))
        if self._options.compile_networks:
            with self._timed("compiling"):
                pipeline.compile(max(1, self._limit.frames))
                self._limit.measure(lambda size: time_batch(pipeline, size))
        with self._timed("passes"):
            self._warm_up(pipeline)
        with self._avatars.lock:
            self._avatars.upload_missing(pipeline)  # those added during the load
            self._pipeline = pipeline

    def unload(self) -> None:
        """Free the memory of networks and avatars; `load` restores both.

        Raises EngineLost if the device does not respond; everything is dropped in any case.
        """
        pipeline, self._pipeline = self._pipeline, None
        self._limit.clear()
        if pipeline is not None:
            pipeline.close()
        del pipeline
        self._avatars.drop_all_latents()
        gc.collect()
        self.release_cached_memory()

    def release_cached_memory(self) -> None:
        """Release memory that is only cached for the next batch; raises EngineLost."""
        from warm.engines.musetalk.cuda_errors import translate_cuda_errors  # noqa: PLC0415  slow

        with translate_cuda_errors():
            release_cached_memory()

    def prepare(self, build: AvatarBuild) -> None:
        """Write the avatar's `musetalk_*` arrays; raises the errors of `prepare_face`.

        Loads only the autoencoder, and unloads it afterwards.
        """
        set_passive_thread_wait()
        from warm.engines.musetalk.preparation import prepare_face  # noqa: PLC0415  slow

        write_face_cache(prepare_face(build, self._layout, self._options), build)

    def extend(self, build: AvatarBuild, part: AvatarBuild) -> dict[str, NDArray[np.generic]]:
        """Return the rows of the `musetalk_*` arrays for the frames of an action; see `prepare`."""
        set_passive_thread_wait()
        from warm.engines.musetalk.preparation import prepare_face  # noqa: PLC0415  slow

        del build  # frames are independent
        return face_rows(prepare_face(part, self._layout, self._options))

    def load_avatar(self, avatar: Avatar) -> None:
        """Copy an avatar's latents to the device.

        Raises AvatarOutdated, EngineOutOfMemory, EngineLost.
        """
        first_row = first_decoded_row(self._options.decoder)
        face = read_face_cache(avatar, self._recipe, first_row=first_row)
        with self._avatars.lock:
            if self._pipeline is not None:
                try:
                    self._avatars.upload(avatar, face, self._pipeline)
                    self._limit.require_one_frame()
                except DeviceOutOfMemory as full:
                    self._avatars.drop_latents(avatar)
                    raise EngineOutOfMemory(
                        f"no memory for the avatar {avatar.id!r}: {full}"
                    ) from full
            self._avatars.add(avatar, face)

    def unload_avatar(self, avatar: Avatar) -> None:
        """Drop an avatar, if it is loaded."""
        with self._avatars.lock:
            self._avatars.remove(avatar)

    def encode_speech(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        """(frames, 50, 384) tokens of this sentence alone, with positional encoding.

        The reference encodes a whole file. A sentence's features differ from the file's, because
        Whisper attends in both directions and the mel's floor depends on the loudest moment.
        """
        from warm.engines.musetalk.audio_encoder import RATE_HZ  # noqa: PLC0415  slow
        from warm.engines.musetalk.audio_windows import (  # noqa: PLC0415
            audio_tokens,
            positional_encoding,
        )

        pipeline = self.pipeline
        sound = resample(speech.samples, speech.sample_rate_hz, RATE_HZ)
        try:
            hidden = pipeline.encode_speech(np.clip(sound, -1.0, 1.0))
        except DeviceOutOfMemory as full:
            raise EngineOutOfMemory(f"no memory to encode a sentence: {full}") from full
        tokens = audio_tokens(hidden, frames=frames, fps=fps)
        if self._cpu_fps is not None:
            log.info("%d frames to generate: about %.0f s", frames, frames / self._cpu_fps)
        return tokens + positional_encoding(*tokens.shape[1:])

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        """Begin to generate one patch per request; the avatars must have been loaded.

        On out-of-memory the batch is halved and retried, and stays smaller until the next load;
        raises EngineOutOfMemory if one frame alone does not fit, and EngineLost.
        """
        from warm.engines.musetalk.async_copy import DevicePatches  # noqa: PLC0415  slow

        batches: list[PatchBatch] = []
        done = 0
        while done < len(requests):
            batch = requests[done : done + max(1, self._limit.frames)]
            try:
                batches.append(self._generate(batch))
            except DeviceOutOfMemory as full:
                self._limit.halve(len(batch), full)
            else:
                done += len(batch)
        pending = DevicePatches(batches)
        return pending if self.pipeline.compute.is_gpu else ReadyPatches(pending.patches())

    def device_status(self) -> dict[str, Any]:
        """Device, precision, memory, and on the CPU the speed; also while it is unloaded.

        Raises EngineLost if the device does not respond.
        """
        compute, decoder = self._compute, self._options.decoder_facts()
        if compute is None:
            names = ("device", "memory_used_gb", "memory_total_gb", "memory_free_gb")
            return {**decoder, **dict.fromkeys(names)}
        return {
            **decoder,
            "device": compute.name,
            "precision": compute.precision,
            **compute.memory_facts(),
            **self._limit.facts(),
            "load_seconds": dict(self.load_seconds),
            "first_batch": self._options.first_batch,
            "largest_batch": self.largest_batch,
            "frames_per_second": self._cpu_fps and round(self._cpu_fps, 2),
            **({} if self._pipeline is None else self._pipeline.acceleration_facts),
        }

    @property
    def pipeline(self) -> Pipeline:
        """The loaded networks."""
        if self._pipeline is None:
            raise RuntimeError("the engine is not loaded")
        return self._pipeline

    def patch(self, avatar: Avatar, frame: int, drawn: NDArray[np.uint8]) -> Patch:
        """Turn a generated (256, 256, 3) BGR picture into the patch of a loaded avatar's frame."""
        return self._avatars.face(avatar).patch(frame, drawn)

    @cached_property
    def _recipe(self) -> Recipe:
        return self._options.recipe(self._layout)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        started_s = time.monotonic()
        yield
        self.load_seconds[step] = round(time.monotonic() - started_s, 3)

    def _open_device(self) -> None:
        """Choose the device, and limit this process to the memory budget."""
        from warm.engines.musetalk.cuda_errors import translate_cuda_errors  # noqa: PLC0415  slow
        from warm.engines.musetalk.device import GpuMemory, choose_device  # noqa: PLC0415

        with translate_cuda_errors():
            self._compute = choose_device(self._options.device, self._options.precision)
            if self._limit.memory is None and self._compute.is_gpu:
                self._limit.memory = GpuMemory(self._compute.device)
            self._limit.start_load()

    def _warm_up(self, pipeline: Pipeline) -> None:
        """Warm up a GPU; on a CPU only measure the speed, which a later load does not change."""
        if pipeline.compute.is_gpu:
            warm_up_gpu(pipeline, self._limit, self._options)
        elif self._cpu_fps is None:
            self._cpu_fps = 1 / time_batch_that_fits(pipeline, self._limit, 1)
            log.warning(
                "the neural engine runs on the CPU: %.2g frames a second, %d at once. The "
                "pictures are correct, but not in real time; use a GPU or engine = 'viseme'",
                self._cpu_fps,
                self.largest_batch,
            )

    def _generate(self, requests: Sequence[PatchRequest]) -> PatchBatch:
        from warm.engines.musetalk.async_copy import PatchBatch  # noqa: PLC0415  slow

        pipeline, started_s = self.pipeline, time.monotonic()
        latents = [self._avatars.latents(request.avatar, request.frame) for request in requests]
        copy = pipeline.generate(latents, [request.features for request in requests])
        if not pipeline.compute.is_gpu:
            self._cpu_fps = len(requests) / (time.monotonic() - started_s)
        return PatchBatch(
            requests, [self._avatars.face(request.avatar) for request in requests], copy
        )


def set_passive_thread_wait() -> None:
    """Let PyTorch's idle threads sleep; has an effect only before its first import.

    By default they spin, and take CPU time from the video encoder and from one another: if two
    programs share two cores, a frame takes four times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
