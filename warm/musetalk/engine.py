"""The neural engine: MuseTalk v1.5 on one warm process. Imports no network before `load`."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatar import Avatar, AvatarBuild
from warm.engine import EngineFull, Patch, PatchJob, Rendered, Rendering
from warm.musetalk.errors import DeviceFull
from warm.musetalk.faces import Face, keep, recall
from warm.musetalk.options import Options, Recipe
from warm.sound import resample

if TYPE_CHECKING:
    from torch import Tensor

    from warm.musetalk.rendering import Part
    from warm.musetalk.studio import Studio

STEP_S = 2.0
"""On the CPU one pass takes no more frames than fit in this time."""

Key = tuple[str, str]

log = logging.getLogger(__name__)


class MuseTalkEngine:
    """Implements `warm.engine.Engine`. One thread owns it."""

    name = "musetalk"
    gains = True

    def __init__(self, options: Options) -> None:
        """Find the weights, without loading them; raises WeightsError."""
        self._options = options
        self._layout = options.layout()
        self._studio: Studio | None = None
        self._faces: dict[Key, Face] = {}
        self._latents: dict[Key, Tensor] = {}
        self._most = options.largest_batch
        self._pace_fps: float | None = None
        """Frames a second of the last pass on a CPU; a GPU's is nobody's wait."""

    @property
    def largest_batch(self) -> int:
        """Frames of one pass: as the settings say, fewer where memory does not do for more.

        On a slow CPU as many as take STEP_S, so that the render thread shows that it lives.
        """
        if self._pace_fps is None:
            return self._most
        return min(self._most, max(1, int(STEP_S * self._pace_fps)))

    def load(self) -> None:
        """Load the networks and draw once; what was adopted is warm again.

        Raises WeightsError, NoSuchDevice, EngineFull, EngineLost.
        """
        let_threads_sleep()
        from warm.musetalk.studio import open_studio  # noqa: PLC0415  seconds, and a large library

        try:
            self._studio = open_studio(self._layout, self._options)
            for key, face in self._faces.items():
                self._latents[key] = self._studio.keep(face.latents)
        except DeviceFull as full:
            self.unload()
            raise EngineFull(f"the networks do not fit into the device's memory: {full}") from full
        self._warm_up(self._studio)

    def unload(self) -> None:
        """Give back the networks' memory and that of the avatars; `load` brings both back."""
        self._studio = None
        self._latents.clear()
        gc.collect()
        give_back_memory()

    def prepare(self, build: AvatarBuild) -> None:
        """Keep the avatar's latents and masks in `musetalk_*` arrays; raises what `make_face` does.

        Loads the autoencoder only, and leaves nothing loaded.
        """
        let_threads_sleep()
        from warm.musetalk.making import make_face  # noqa: PLC0415  as in `load`

        keep(make_face(build, self._layout, self._options), build)

    def adopt(self, avatar: Avatar) -> None:
        """Put an avatar's latents on the device; raises AvatarOutdated, EngineFull, EngineLost."""
        face = recall(avatar, self._recipe)
        if self._studio is not None:
            try:
                self._latents[key_of(avatar)] = self._studio.keep(face.latents)
            except DeviceFull as full:
                raise EngineFull(f"no memory for the avatar {avatar.id!r}: {full}") from full
        self._faces[key_of(avatar)] = face

    def forget(self, avatar: Avatar) -> None:
        """Drop what `adopt` kept."""
        self._faces.pop(key_of(avatar), None)
        self._latents.pop(key_of(avatar), None)

    def conditions(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        """(frames, 50, 384) tokens with their positions, of this sentence alone.

        The reference encodes a whole file; a sentence's features differ from those, because Whisper
        hears both ways and the mel's floor follows its loudest moment.
        """
        from warm.musetalk.hearing import RATE_HZ  # noqa: PLC0415  as in `load`
        from warm.musetalk.windows import positions, tokens_of  # noqa: PLC0415

        studio = self.studio
        sound = resample(speech.samples, speech.sample_rate_hz, RATE_HZ)
        hidden = studio.hearing.hear(np.clip(sound, -1.0, 1.0))
        tokens = tokens_of(hidden, frames=frames, fps=fps)
        self._tell_time(frames)
        return tokens + positions(*tokens.shape[1:])

    def start(self, jobs: Sequence[PatchJob]) -> Rendering:
        """Begin one patch a job; the avatars must have been adopted.

        Where memory does not do, fewer frames are drawn at once from then on; raises EngineFull
        when one alone does not fit, and EngineLost.
        """
        from warm.musetalk.rendering import Drawing  # noqa: PLC0415  as in `load`

        parts: list[Part] = []
        done = 0
        while done < len(jobs):
            few = jobs[done : done + self._most]
            try:
                parts.append(self._drawn(few))
            except DeviceFull as full:
                self._take_fewer(len(few), full)
            else:
                done += len(few)
        drawing = Drawing(parts)
        return drawing if self.studio.compute.is_gpu else Rendered(drawing.patches())

    def facts(self) -> dict[str, Any]:
        """Device, numbers, memory, and on the CPU how fast it draws."""
        if self._studio is None:
            return dict.fromkeys(("device", "memory_used_gb", "memory_total_gb", "memory_free_gb"))
        compute = self._studio.compute
        used, total = compute.memory_gb()
        return {
            "device": compute.name,
            "precision": compute.precision,
            "memory_used_gb": used,
            "memory_total_gb": total,
            "memory_free_gb": compute.free_gb(),
            "largest_batch": self.largest_batch,
            "frames_per_second": self._pace_fps and round(self._pace_fps, 2),
        }

    @property
    def studio(self) -> Studio:
        """The loaded networks."""
        if self._studio is None:
            raise RuntimeError("the engine is not loaded")
        return self._studio

    def patch(self, avatar: Avatar, frame: int, drawn: NDArray[np.uint8]) -> Patch:
        """A drawn (256, 256, 3) BGR picture as the patch of a frame of an adopted avatar."""
        return self._faces[key_of(avatar)].patch(frame, drawn)

    @cached_property
    def _recipe(self) -> Recipe:
        return self._options.recipe(self._layout)

    def _drawn(self, jobs: Sequence[PatchJob]) -> Part:
        from warm.musetalk.rendering import Part  # noqa: PLC0415  as in `load`

        studio, started = self.studio, time.monotonic()
        keys = [key_of(job.avatar) for job in jobs]
        latents = [self._latents[key][job.frame] for key, job in zip(keys, jobs, strict=True)]
        copy = studio.draw(latents, [job.condition for job in jobs])
        if not studio.compute.is_gpu:
            self._pace_fps = len(jobs) / (time.monotonic() - started)
        return Part(jobs, [self._faces[key] for key in keys], copy)

    def _take_fewer(self, tried: int, full: DeviceFull) -> None:
        give_back_memory()
        if tried == 1:
            raise EngineFull(
                f"the device's memory does not do for one frame ({full}). Stop other programs that "
                "use it, or choose a smaller precision."
            ) from full
        self._most = tried // 2
        log.warning("no memory for %d frames at once; %d from now on", tried, self._most)

    def _warm_up(self, studio: Studio) -> None:
        """Draw empty faces: libraries choose their kernels at the first pass of each size."""
        sizes = {self._options.first_batch, self._most} if studio.compute.is_gpu else {1}
        for size in sorted(sizes):
            seconds = self._rehearsed(studio, size)
        if not studio.compute.is_gpu:
            self._pace_fps = 1 / seconds
            log.warning(
                "the neural engine runs on the CPU: %.2g frames a second, %d at once. It is "
                "correct, not live; a GPU or engine = 'viseme' is",
                self._pace_fps,
                self.largest_batch,
            )

    def _rehearsed(self, studio: Studio, size: int) -> float:
        """Seconds of a pass of `size` faces, or of as many as memory does for."""
        while True:
            few = min(size, self._most)
            try:
                return timed_pass(studio, few)
            except DeviceFull as full:
                self._take_fewer(few, full)

    def _tell_time(self, frames: int) -> None:
        if self._pace_fps is not None:
            log.info("%d frames to draw: about %.0f s", frames, frames / self._pace_fps)


def key_of(avatar: Avatar) -> Key:
    """What an avatar is known by: two of one source have one digest, a new one the old one's id."""
    return avatar.id, avatar.digest


def timed_pass(studio: Studio, size: int) -> float:
    """Seconds that a second pass of `size` empty faces takes, its pictures included."""
    shape, tokens = studio.painter.latent_shape, studio.hearing.tokens_shape
    latents = studio.keep(np.zeros((size, *shape), np.float32))
    for _ in range(2):
        started = time.monotonic()
        studio.draw(list(latents), [np.zeros(tokens, np.float32)] * size).wait()
    return time.monotonic() - started


def let_threads_sleep() -> None:
    """Let PyTorch's threads sleep while they wait for work; works before its first import only.

    They spin by default, and take the cores from the video encoder and from one another: where two
    programs share two cores a frame takes four times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def give_back_memory() -> None:
    """Return what PyTorch holds in reserve to the GPU."""
    import torch  # noqa: PLC0415  as in `load`

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
