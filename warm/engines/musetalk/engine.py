"""The neural engine: MuseTalk v1.5 on one warm process. Imports no network before `load`."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import CDLL
from dataclasses import replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.engines.base import EngineOutOfMemory, Patch, PatchRequest, PendingPatches, ReadyPatches
from warm.engines.musetalk.decoders import first_row
from warm.engines.musetalk.errors import DeviceFull
from warm.engines.musetalk.face_cache import Face, keep, recall
from warm.engines.musetalk.options import Options, Recipe
from warm.media.resampling import resample

if TYPE_CHECKING:
    from torch import Tensor

    from warm.engines.musetalk.async_copy import Part
    from warm.engines.musetalk.device import Compute
    from warm.engines.musetalk.memory import Appetite, Memory
    from warm.engines.musetalk.pipeline import Pipeline

STEP_S = 2.0
"""On the CPU one pass takes no more frames than fit in this time."""

MEMORY_FACTS = (
    "memory_budget_gb",
    "networks_gb",
    "pass_gb",
    "frame_gb",
    "recorded_gb",
    "avatars_gb",
)

HEARD = 16_000
"""Samples of silence that a GPU is warmed with."""

Key = tuple[str, str]

log = logging.getLogger(__name__)


class MuseTalkEngine:
    """Implements `warm.engines.base.Engine`. Owned by one thread, except that `load` may run on
    another while only `load_avatar`, `unload_avatar` and `device_status` are called.
    """

    name = "musetalk"
    benefits_from_batching = True

    def __init__(self, options: Options, memory: Memory | None = None) -> None:
        """Find the weights, without loading them; raises WeightsError.

        `memory` is what passes are fitted to; by default that of the GPU, and on a CPU nothing.
        """
        self._options = options
        self._layout = options.layout()
        self._memory = memory
        self._pipeline: Pipeline | None = None
        self._compute: Compute | None = None
        """Known from the first load on."""
        self._appetite: Appetite | None = None
        self._budget = 0
        """Bytes; where there is an appetite."""
        self._adopting = Lock()
        """Held while avatars come to the device, or go."""
        self._faces: dict[Key, Face] = {}
        self._latents: dict[Key, Tensor] = {}
        self._most = options.largest_batch
        """Frames of one pass, as far as memory has shown that it does."""
        self._pace_fps: float | None = None
        """Frames a second of the last pass on a CPU; a GPU's is nobody's wait."""
        self.load_seconds: dict[str, float] = {}
        """What the last load took, step by step."""

    @property
    def largest_batch(self) -> int:
        """Frames of one pass: as the settings say, fewer where memory does not do for more.

        On a slow CPU as many as take STEP_S, so that the render thread shows that it lives.
        """
        most = max(1, self._fitting)
        if self._pace_fps is None:
            return most
        return min(most, max(1, int(STEP_S * self._pace_fps)))

    def round_up_batch(self, frames: int) -> int:
        """A recorded pass takes its time however few of its frames are wanted."""
        if self._pipeline is None:
            return frames
        return max(frames, min(self._pipeline.graphs.filled(frames), self.largest_batch))

    def load(self) -> None:
        """Load the networks and draw once; what was adopted is warm again.

        Raises WeightsError, NoSuchDevice, EngineOutOfMemory, EngineLost.
        """
        let_threads_sleep()
        self.load_seconds.clear()
        with self._timed("libraries"):  # seconds
            from warm.engines.musetalk.cuda_errors import device_faults  # noqa: PLC0415
            from warm.engines.musetalk.pipeline import open_pipeline  # noqa: PLC0415

        self._most = self._options.largest_batch
        try:
            with self._timed("device"), device_faults():
                self._obey_budget()
            with self._timed("networks"):
                pipeline = open_pipeline(self._layout, self._options)
            with self._timed("avatars"), self._adopting:
                self._keep_faces(pipeline)
            with self._timed("fitting"):
                self._fit(pipeline)
            if self._options.compile_networks:
                with self._timed("compiling"):
                    pipeline.compile(max(1, self._fitting))
                    self._fit(pipeline)
            with self._timed("passes"):
                self._warm_up(pipeline)
            with self._adopting:
                self._keep_faces(pipeline)  # those adopted meanwhile
                self._pipeline = pipeline
        except DeviceFull as full:
            self.unload()
            raise EngineOutOfMemory(
                f"the networks do not fit into the device's memory: {full}"
            ) from full
        except BaseException:
            self.unload()
            raise

    def unload(self) -> None:
        """Give back the networks' memory and that of the avatars; `load` brings both back.

        Raises EngineLost where the device does not answer; everything is dropped all the same.
        """
        pipeline, self._pipeline = self._pipeline, None
        self._appetite = None
        if pipeline is not None:
            pipeline.close()
        del pipeline
        self._latents.clear()
        gc.collect()
        self.release_cached_memory()

    def release_cached_memory(self) -> None:
        """Return memory that is only kept for the next pass; raises EngineLost."""
        from warm.engines.musetalk.cuda_errors import device_faults  # noqa: PLC0415  as in `load`

        with device_faults():
            give_back_memory()

    def prepare(self, build: AvatarBuild) -> None:
        """Keep the avatar's latents and masks in `musetalk_*` arrays; raises what `make_face` does.

        Loads the autoencoder only, and leaves nothing loaded.
        """
        let_threads_sleep()
        from warm.engines.musetalk.preparation import make_face  # noqa: PLC0415  as in `load`

        keep(make_face(build, self._layout, self._options), build)

    def load_avatar(self, avatar: Avatar) -> None:
        """Copy an avatar's latents to the device.

        Raises AvatarOutdated, EngineOutOfMemory, EngineLost.
        """
        face = recall(avatar, self._recipe, first_row=first_row(self._options.decoder))
        with self._adopting:
            if self._pipeline is not None:
                try:
                    self._latents[key_of(avatar)] = self._pipeline.keep(face.latents)
                    self._require_room()
                except DeviceFull as full:
                    self._latents.pop(key_of(avatar), None)
                    raise EngineOutOfMemory(
                        f"no memory for the avatar {avatar.id!r}: {full}"
                    ) from full
            self._faces[key_of(avatar)] = face

    def unload_avatar(self, avatar: Avatar) -> None:
        """Drop what `load_avatar` kept."""
        with self._adopting:
            self._faces.pop(key_of(avatar), None)
            self._latents.pop(key_of(avatar), None)

    def encode_speech(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        """(frames, 50, 384) tokens with their positions, of this sentence alone.

        The reference encodes a whole file; a sentence's features differ from those, because Whisper
        hears both ways and the mel's floor follows its loudest moment.
        """
        from warm.engines.musetalk.audio_encoder import RATE_HZ  # noqa: PLC0415
        from warm.engines.musetalk.audio_windows import positions, tokens_of  # noqa: PLC0415

        pipeline = self.pipeline
        sound = resample(speech.samples, speech.sample_rate_hz, RATE_HZ)
        try:
            hidden = pipeline.hear(np.clip(sound, -1.0, 1.0))
        except DeviceFull as full:
            raise EngineOutOfMemory(f"no memory to hear a sentence: {full}") from full
        tokens = tokens_of(hidden, frames=frames, fps=fps)
        self._tell_time(frames)
        return tokens + positions(*tokens.shape[1:])

    def submit(self, requests: Sequence[PatchRequest]) -> PendingPatches:
        """Begin one patch a job; the avatars must have been adopted.

        Where memory does not do, fewer frames are drawn at once until the next load; raises
        EngineOutOfMemory when one alone does not fit, and EngineLost.
        """
        from warm.engines.musetalk.async_copy import Drawing  # noqa: PLC0415  as in `load`

        parts: list[Part] = []
        done = 0
        while done < len(requests):
            few = requests[done : done + max(1, self._fitting)]
            try:
                parts.append(self._drawn(few))
            except DeviceFull as full:
                self._take_fewer(len(few), full)
            else:
                done += len(few)
        drawing = Drawing(parts)
        return drawing if self.pipeline.compute.is_gpu else ReadyPatches(drawing.patches())

    def device_status(self) -> dict[str, Any]:
        """Device, numbers, memory, and on the CPU how fast it draws; also while it is unloaded.

        Raises EngineLost where the device does not answer.
        """
        compute, chosen = self._compute, self._options.decoder_facts()
        if compute is None:
            names = ("device", "memory_used_gb", "memory_total_gb", "memory_free_gb")
            return {**chosen, **dict.fromkeys(names)}
        return {
            **chosen,
            "device": compute.name,
            "precision": compute.precision,
            **compute.memory(),
            **self._appetite_facts(),
            "load_seconds": dict(self.load_seconds),
            "first_batch": self._options.first_batch,
            "largest_batch": self.largest_batch,
            "frames_per_second": self._pace_fps and round(self._pace_fps, 2),
            **({} if self._pipeline is None else self._pipeline.passes),
        }

    @property
    def pipeline(self) -> Pipeline:
        """The loaded networks."""
        if self._pipeline is None:
            raise RuntimeError("the engine is not loaded")
        return self._pipeline

    def patch(self, avatar: Avatar, frame: int, drawn: NDArray[np.uint8]) -> Patch:
        """A drawn (256, 256, 3) BGR picture as the patch of a frame of an adopted avatar."""
        return self._faces[key_of(avatar)].patch(frame, drawn)

    @cached_property
    def _recipe(self) -> Recipe:
        return self._options.recipe(self._layout)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        begun_s = time.monotonic()
        yield
        self.load_seconds[step] = round(time.monotonic() - begun_s, 3)

    def _drawn(self, jobs: Sequence[PatchRequest]) -> Part:
        from warm.engines.musetalk.async_copy import Part  # noqa: PLC0415  as in `load`

        pipeline, started = self.pipeline, time.monotonic()
        keys = [key_of(job.avatar) for job in jobs]
        latents = [self._latents[key][job.frame] for key, job in zip(keys, jobs, strict=True)]
        copy = pipeline.draw(latents, [job.features for job in jobs])
        if not pipeline.compute.is_gpu:
            self._pace_fps = len(jobs) / (time.monotonic() - started)
        return Part(jobs, [self._faces[key] for key in keys], copy)

    def _take_fewer(self, tried: int, full: DeviceFull) -> None:
        give_back_memory()
        if tried == 1:
            raise EngineOutOfMemory(
                f"the device's memory does not do for one frame ({full}). Stop other programs that "
                "use it, or choose a smaller precision."
            ) from full
        self._most = tried // 2
        log.warning("no memory for %d frames at once; %d from now on", tried, self._most)

    @property
    def _fitting(self) -> int:
        """Frames of one pass that fit into the budget beside the avatars that are kept."""
        if self._appetite is None:
            return self._most
        return self._appetite.frames_in(self._budget, self._kept, most=self._most)

    @property
    def _kept(self) -> int:
        """Bytes that avatars take on the device."""
        return sum(latents.nbytes for latents in list(self._latents.values()))

    def _appetite_facts(self) -> dict[str, Any]:
        from warm.engines.musetalk.memory import in_gb  # noqa: PLC0415  as in `load`

        appetite = self._appetite
        if appetite is None:
            return dict.fromkeys(MEMORY_FACTS)
        return {
            "memory_budget_gb": in_gb(self._budget),
            "networks_gb": in_gb(appetite.resident),
            "pass_gb": in_gb(appetite.a_pass),
            "frame_gb": in_gb(appetite.a_frame),
            "recorded_gb": in_gb(appetite.recorded),
            "avatars_gb": in_gb(self._kept),
        }

    def _obey_budget(self) -> None:
        """Know the device and its memory, and take no more of it than is allowed."""
        from warm.engines.musetalk.device import choose  # noqa: PLC0415  as in `load`
        from warm.engines.musetalk.memory import GpuMemory, budget_of  # noqa: PLC0415

        self._compute = choose(self._options.device, self._options.precision)
        if self._memory is None and self._compute.is_gpu:
            self._memory = GpuMemory(self._compute.device)
        if self._memory is not None:
            self._budget = budget_of(self._memory, self._options.max_vram_gb)
            self._memory.limit(self._budget)

    def _keep_faces(self, pipeline: Pipeline) -> None:
        """Bring those avatars to the device that are not there yet; raises DeviceFull."""
        for key, face in list(self._faces.items()):
            if key not in self._latents:
                self._latents[key] = pipeline.keep(face.latents)

    def _fit(self, pipeline: Pipeline) -> None:
        """Measure what passes need; raises DeviceFull where not even one frame has room.

        A device too full for the larger pass is not measured: passes are halved until they fit.
        """
        from warm.engines.musetalk.cuda_errors import device_faults  # noqa: PLC0415  as in `load`
        from warm.engines.musetalk.memory import SIZES, measure  # noqa: PLC0415

        if self._memory is None:
            return
        try:
            with device_faults():
                self._appetite = measure(
                    self._memory, lambda size: timed_pass(pipeline, size), kept=self._kept
                )
        except DeviceFull as full:
            give_back_memory()
            self._most = min(self._most, SIZES[1] - 1)
            log.warning("no memory to measure passes of %d frames: %s", SIZES[1], full)
            return
        self._require_room()
        log.info("memory of the device: %s", self._appetite_facts())

    def _require_room(self) -> None:
        """Raise DeviceFull unless a frame can be drawn within the budget."""
        from warm.engines.musetalk.memory import in_gb  # noqa: PLC0415  as in `load`

        if self._appetite is not None and self._fitting < 1:
            least, avatars = self._appetite.least(self._kept), self._kept
            raise DeviceFull(
                f"networks, avatars ({in_gb(avatars)} GB) and one frame take {in_gb(least)} GB; "
                f"{in_gb(self._budget)} GB may be used (max_vram_gb = {self._options.max_vram_gb})"
            )

    def _warm_up(self, pipeline: Pipeline) -> None:
        """Draw empty faces: libraries choose their kernels at the first pass of each size.

        On a CPU it only tells the pace, which a later load does not change.
        """
        if not pipeline.compute.is_gpu and self._pace_fps is not None:
            return
        if pipeline.compute.is_gpu:
            self._warm_up_gpu(pipeline)
        else:
            self._pace_fps = 1 / self._rehearsed(pipeline, 1)
            log.warning(
                "the neural engine runs on the CPU: %.2g frames a second, %d at once. It is "
                "correct, not live; a GPU or engine = 'viseme' is",
                self._pace_fps,
                self.largest_batch,
            )

    def _warm_up_gpu(self, pipeline: Pipeline) -> None:
        """Record passes, or draw those of the usual sizes where that is not wanted."""
        pipeline.hear(np.zeros(HEARD, np.float32))
        if self._options.cuda_graphs:
            self._record(pipeline)
        for size in pipeline.graphs.sizes or (self._options.first_batch, max(1, self._fitting)):
            self._rehearsed(pipeline, size)

    def _record(self, pipeline: Pipeline) -> None:
        """Record passes, and count the memory that is theirs from then on."""
        before = None if self._memory is None else self._memory.reserved()
        pipeline.record(max(1, self._fitting))
        if not pipeline.graphs.sizes or self._memory is None or before is None:
            return
        appetite, most = self._appetite, self._most
        if appetite is not None:
            taken = max(1, self._memory.reserved() - before)
            self._appetite = replace(appetite, recorded=taken)
        self._most = max(pipeline.graphs.sizes)
        if self._fitting < 1:
            pipeline.graphs.forget("recordings of passes have no room beside networks and avatars")
            log.warning("%s; passes are drawn without, which is slower", pipeline.graphs.fault)
            self._appetite, self._most = appetite, most
            give_back_memory()

    def _rehearsed(self, pipeline: Pipeline, size: int) -> float:
        """Seconds of a pass of `size` faces, or of as many as memory does for."""
        while True:
            few = min(size, max(1, self._fitting))
            try:
                return timed_pass(pipeline, few)
            except DeviceFull as full:
                self._take_fewer(few, full)

    def _tell_time(self, frames: int) -> None:
        if self._pace_fps is not None:
            log.info("%d frames to draw: about %.0f s", frames, frames / self._pace_fps)


def key_of(avatar: Avatar) -> Key:
    """What an avatar is known by: two of one source have one digest, a new one the old one's id."""
    return avatar.id, avatar.digest


def timed_pass(pipeline: Pipeline, size: int) -> float:
    """Seconds that a second pass of `size` empty faces takes, its pictures included."""
    latents, tokens = pipeline.blank(size), pipeline.hearing.tokens_shape
    for _ in range(2):
        started = time.monotonic()
        pipeline.draw(list(latents), [np.zeros(tokens, np.float32)] * size).wait()
    return time.monotonic() - started


def let_threads_sleep() -> None:
    """Let PyTorch's threads sleep while they wait for work; works before its first import only.

    They spin by default, and take the cores from the video encoder and from one another: where two
    programs share two cores a frame takes four times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def give_back_memory() -> None:
    """Return what PyTorch holds in reserve to the GPU, and the C library's to the system."""
    import torch  # noqa: PLC0415  as in `load`

    if torch.cuda.is_available():
        torch._C._cuda_clearCublasWorkspaces()
        torch.cuda.empty_cache()
    trim = getattr(CDLL(None), "malloc_trim", None)  # glibc's own
    if trim is not None:
        trim(0)
