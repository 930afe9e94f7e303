"""The embedded lip engine: warps and paint, on the CPU, led by phonemes or by sound."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tts.speech import Speech
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.engines.base import Patch, PatchRequest, ReadyPatches
from warm.engines.viseme.audio_curves import mouth_track_from_audio
from warm.engines.viseme.mouth import Mouth
from warm.engines.viseme.phoneme_curves import mouth_track_from_phonemes
from warm.engines.viseme.preparation import load_mouth, prepare_mouth, store_mouth
from warm.face.mesh import FaceMesh

MODELS = Path(__file__).parents[3] / "models" / "face"


class VisemeEngine:
    """Implements `warm.engines.base.Engine`. One thread owns it.

    `models` is the folder of the face models; only `prepare` opens them.
    """

    name = "viseme"
    benefits_from_batching = False
    largest_batch = None

    def __init__(self, models: Path = MODELS) -> None:
        self._models = models
        self._mouths: dict[tuple[str, str], Mouth] = {}
        """By name and digest: two avatars of one source have the same digest."""

    def round_up_batch(self, frames: int) -> int:
        """Each frame takes its own time."""
        return frames

    def load(self) -> None:
        """Nothing to load: all this engine needs lies in the avatar."""

    def unload(self) -> None:
        """Nothing was loaded."""

    def release_cached_memory(self) -> None:
        """Nothing is kept."""

    def prepare(self, build: AvatarBuild) -> None:
        """Make the avatar's mouth and keep it in `viseme_*` arrays; raises FaceModelError."""
        store_mouth(prepare_mouth(build, FaceMesh(self._models)), build)

    def load_avatar(self, avatar: Avatar) -> None:
        """Keep an avatar's mouth ready; raises AvatarOutdated when it was made for another version.

        Drawing it once brings its pages into memory.
        """
        mouth = Mouth(load_mouth(avatar), avatar.frames)
        mouth.draw(0, np.full(7, 0.5, np.float32))
        self._mouths[avatar.id, avatar.digest] = mouth

    def unload_avatar(self, avatar: Avatar) -> None:
        """Let go of an avatar's mouth."""
        self._mouths.pop((avatar.id, avatar.digest), None)

    def encode_speech(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        """(frames, 7) mouth track by `Shape`: from the phonemes, else from the sound alone."""
        if speech.phonemes is None:
            return mouth_track_from_audio(speech, frames=frames, fps=fps)
        return mouth_track_from_phonemes(speech, frames=frames, fps=fps)

    def submit(self, requests: Sequence[PatchRequest]) -> ReadyPatches:
        """One patch a job, on its frame's own pixel grid; the avatars must have been adopted."""
        return ReadyPatches([self._patch(request) for request in requests])

    def device_status(self) -> dict[str, Any]:
        """This engine uses no device but the processor."""
        return {"device": "cpu", "memory_used_gb": None, "memory_total_gb": None}

    def _patch(self, job: PatchRequest) -> Patch:
        drawn = self._mouths[job.avatar.id, job.avatar.digest].draw(job.frame, job.features)
        move = np.array([[1.0, 0.0, drawn.box.left], [0.0, 1.0, drawn.box.top]])
        return Patch(drawn.picture, drawn.mask, move)
