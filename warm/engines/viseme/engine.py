"""The embedded lip engine: warps the face on the CPU, driven by phonemes or by audio."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabilizers.blend import paste
from tts.speech import Speech
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.mouth_report import MouthChoice
from warm.engines.base import Patch, PatchRequest, ReadyPatches
from warm.engines.viseme.audio_curves import mouth_track_from_audio
from warm.engines.viseme.extension import extended_rows
from warm.engines.viseme.live_track import SOUND_LOOKAHEAD_S, LiveTrack
from warm.engines.viseme.mouth import Mouth
from warm.engines.viseme.phoneme_curves import (
    LOOKAHEAD_S,
    mouth_track_from_phonemes,
    mouth_track_part,
)
from warm.engines.viseme.preparation import load_mouth, prepare_mouth
from warm.engines.viseme.recogniser.network import trained_network
from warm.engines.viseme.shape import FrameSpan, Shape
from warm.engines.viseme.warp import PixelRect
from warm.face.attention_mesh import AttentionMesh
from warm.installation import default_face_models

MODELS = default_face_models()
EXAMPLES = {
    "a": {Shape.OPEN: 0.9},
    "i": {Shape.OPEN: 0.35, Shape.WIDE: 0.9},
    "u": {Shape.OPEN: 0.25, Shape.ROUND: 1.0},
    "s": {Shape.OPEN: 0.15, Shape.WIDE: 0.4, Shape.TEETH: 1.0},
}
"""Sounds that the preview shows."""


class VisemeEngine:
    """Implements the interfaces of engines in `warm.engines.base`. Owned by one thread.

    `models` is the folder of the face models; only `prepare` opens them. `mouth` is the kind of
    mouth that `prepare` makes.
    """

    name = "viseme"
    benefits_from_batching = False
    largest_batch = None
    sound_lookahead_s = SOUND_LOOKAHEAD_S

    def __init__(self, models: Path = MODELS, *, mouth: MouthChoice = "auto") -> None:
        self._models, self._choice = models, mouth
        self._mouths: dict[tuple[str, str], Mouth] = {}
        """By id and digest: two avatars of one source have the same digest."""

    def round_up_batch(self, frames: int) -> int:
        """Return `frames`: every frame takes the same time."""
        return frames

    def load(self) -> None:
        """Load the recogniser; everything else is stored with the avatar."""
        self.load_encoder()

    def load_encoder(self) -> None:
        """Load the recogniser."""
        trained_network()

    def unload(self) -> None:
        """Do nothing: nothing was loaded."""

    def release_cached_memory(self) -> None:
        """Do nothing: no memory is cached."""

    def prepare(self, build: AvatarBuild) -> None:
        """Store the avatar's mouth in `viseme_*` arrays.

        Raises FaceModelError, and PreparationError if the chosen mouth cannot be learned.
        """
        prepared = prepare_mouth(build, AttentionMesh(self._models), self._choice)
        prepared.store(build)
        draw_examples(prepared.mouth(build.frames), build)

    def extend(self, build: AvatarBuild, part: AvatarBuild) -> dict[str, NDArray[np.generic]]:
        """Return the rows of the mouth's arrays for the frames of an action."""
        return extended_rows(build, part, AttentionMesh(self._models))

    def load_avatar(self, avatar: Avatar) -> None:
        """Load an avatar's mouth; raises AvatarOutdated if it was prepared for another version.

        Draws it once, which brings its pages into memory.
        """
        mouth = load_mouth(avatar)
        mouth.draw(0, np.full(len(Shape), 0.5, np.float32))
        self._mouths[avatar.id, avatar.digest] = mouth

    def unload_avatar(self, avatar: Avatar) -> None:
        """Drop an avatar's mouth."""
        self._mouths.pop((avatar.id, avatar.digest), None)

    def encode_speech(self, speech: Speech, *, frames: int, fps: int) -> NDArray[np.float32]:
        """(frames, 7) mouth track by `Shape`: from the phonemes if known, else from the audio."""
        if speech.phonemes is None:
            return mouth_track_from_audio(speech, frames=frames, fps=fps)
        return mouth_track_from_phonemes(speech, frames=frames, fps=fps)

    def lookahead_s(self, speech: Speech) -> float:
        """Return a fraction of a second with phonemes; without them, all of the sound is needed."""
        return math.inf if speech.phonemes is None else LOOKAHEAD_S

    def encode_part(
        self, speech: Speech, *, start: int, stop: int, fps: int
    ) -> NDArray[np.float32]:
        """(stop - start, 7) rows of the mouth track of a sentence with phonemes."""
        return mouth_track_part(speech, FrameSpan(start, stop, fps))

    def listen(self, fps: int) -> LiveTrack:
        """Return the mouth track of a recording that begins."""
        return LiveTrack(fps)

    def submit(self, requests: Sequence[PatchRequest]) -> ReadyPatches:
        """Draw one patch per request, on the frame's own pixel grid; the avatars must be loaded."""
        return ReadyPatches([self._patch(request) for request in requests])

    def device_status(self) -> dict[str, Any]:
        """Return the CPU as device, without memory figures."""
        return {"device": "cpu", "memory_used_gb": None, "memory_total_gb": None}

    def _patch(self, request: PatchRequest) -> Patch:
        mouth = self._mouths[request.avatar.id, request.avatar.digest]
        drawn = mouth.draw(request.frame, request.features)
        return Patch(drawn.picture, drawn.mask, translation(drawn.rect))


def draw_examples(mouth: Mouth, build: AvatarBuild) -> None:
    """Draw the mouth of the first frame for some sounds, for the preview."""
    for sound, numbers in EXAMPLES.items():
        shape = np.zeros(len(Shape), np.float32)
        shape[list(numbers)] = list(numbers.values())
        drawn = mouth.draw(0, shape)
        frame = np.array(build.frames[0])
        paste(frame, drawn.picture, drawn.mask, translation(drawn.rect))
        build.spoken[sound] = frame


def translation(rect: PixelRect) -> NDArray[np.float64]:
    """(2, 3) patch to frame pixels."""
    return np.array([[1.0, 0.0, rect.left], [0.0, 1.0, rect.top]])
