"""The embedded lip engine: draws mouths with warps and paint, on the CPU, from phonemes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatar import Avatar, AvatarBuild
from warm.engine import Patch, PatchJob
from warm.viseme.anatomy import study
from warm.viseme.fields import Region, build_fields
from warm.viseme.inner import CAVITY_BGR, paint_teeth, paint_tongue
from warm.viseme.mouth import Mouth


class VisemeEngine:
    """Implements `warm.engine.Engine`. One thread owns it."""

    name = "viseme"

    def __init__(self) -> None:
        self._mouths: dict[str, Mouth] = {}

    def load(self) -> None:
        pass

    def prepare(self, build: AvatarBuild) -> None:
        anatomy = study(build.landmarks, build.transforms, build.loop)
        region = Region.of(anatomy)
        fields = build_fields(anatomy)
        size = fields.grid.shape[2]
        scale = float(np.median(np.sqrt(np.abs(np.linalg.det(anatomy.to_frame[:, :, :2])))))
        white = 0.9
        build.write_array("viseme_grid", fields.grid)
        build.write_array("viseme_seam_moves", fields.seam)
        build.write_array(
            "viseme_region", np.array([region.left, region.top, region.right, region.bottom])
        )
        build.write_array("viseme_to_frame", anatomy.to_frame)
        build.write_array("viseme_seams", anatomy.seams.astype(np.float32))
        window = region.window(region.nodes(size)).reshape(size, size)[::2, ::2]
        build.write_array("viseme_mask", np.minimum(window * 4 * 255, 255).astype(np.uint8))
        build.write_array("viseme_upper_teeth", paint_teeth(scale, white, upper=True))
        build.write_array("viseme_lower_teeth", paint_teeth(scale, white, upper=False))
        build.write_array("viseme_tongue", paint_tongue(scale, white))
        build.write_array("viseme_cavity", (CAVITY_BGR * white * 255).astype(np.float32))
        build.write_array("viseme_scale", np.array(scale))

    def adopt(self, avatar: Avatar) -> None:
        self._mouths[avatar.digest] = Mouth(avatar.extras, avatar.frames)

    def conditions(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        from warm.viseme.curves import mouth_track

        return mouth_track(speech, frames=frames, fps=fps)

    def render(self, jobs: Sequence[PatchJob]) -> list[Patch]:
        return [self._patch(job) for job in jobs]

    def _patch(self, job: PatchJob) -> Patch:
        drawn = self._mouths[job.avatar.digest].draw(job.frame, job.condition)
        move = np.array([[1.0, 0.0, drawn.left], [0.0, 1.0, drawn.top]])
        return Patch(drawn.picture, drawn.mask, move)

    def facts(self) -> dict[str, Any]:
        return {"device": "cpu", "memory_used_gb": None, "memory_total_gb": None}
