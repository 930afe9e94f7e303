"""Renders sentences with an avatar and tracks the lips in the composited pictures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.avatars import TALKING_VIDEO, film_spec, load_engine
from bench.faces.lip_measures import Curve, MeasuredSentence
from session.film import FilmSpec
from tts.catalogue import espeak_voices
from tts.heart.voices import HeartVoices
from tts.registry import VoiceRegistry
from tts.speech import Speech
from warm.avatars.avatar import Avatar
from warm.avatars.recipe import PreparationSettings
from warm.engines.base import Engine
from warm.face.attention_mesh import AttentionMesh
from warm.face.landmarks import lip_gap, lip_width
from warm.media.film_audio import film_audio
from warm.media.video import open_video
from warm.prepare.run import FACE_MODELS
from warm.render.compositing import composite, idle_shown, patch_requests

BATCH = 16


def heart_voices() -> VoiceRegistry:
    """Return the voice `heart` alone."""
    return VoiceRegistry([HeartVoices()])


def measure_sentences(
    avatar: Avatar,
    texts: Sequence[str],
    open_voices: Callable[[], VoiceRegistry] = espeak_voices,
) -> Iterator[MeasuredSentence]:
    """Say and render every text in turn, and track the lips in every picture."""
    tracker, cursor = LipTracker.create(avatar), 0
    with closing(open_voices()) as voices:
        for text in texts:
            for speech in voices.speak(text, voices.choose()):
                sentence = tracker.measure(speech.completed(), cursor)
                cursor += len(sentence.gap)
                yield sentence


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LipTracker:
    """An engine that draws the mouth of one avatar, and the face mesh that measures it."""

    avatar: Avatar
    engine: Engine
    mesh: AttentionMesh
    spec: FilmSpec

    @classmethod
    def create(cls, avatar: Avatar) -> "LipTracker":
        """Load the default engine and the mesh."""
        return cls(
            avatar=avatar,
            engine=load_engine(avatar),
            mesh=AttentionMesh(FACE_MODELS),
            spec=film_spec(avatar),
        )

    def measure(self, speech: Speech, cursor: int) -> MeasuredSentence:
        """Render one sentence from frame `cursor` on and measure its pictures."""
        frames = len(film_audio(speech, self.spec)) // self.spec.samples_per_frame
        track = self.engine.encode_speech(speech, frames=frames, fps=self.spec.fps)
        landmarks = np.stack(
            [
                self.mesh.track(picture, self.avatar.landmarks[self.avatar.index_at(frame)]).points
                for frame, picture in enumerate(self._pictures(cursor, track), cursor)
            ]
        )
        gap, width = lip_gap(landmarks), lip_width(landmarks)
        return MeasuredSentence(speech, cursor, track, gap, width, self.spec.fps)

    def _pictures(self, cursor: int, track: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        """Yield the (h, w, 3) BGR picture of each row of the track."""
        for start in range(0, len(track), BATCH):
            rows, first = track[start : start + BATCH], cursor + start
            shown = idle_shown(self.avatar, first, len(rows))
            patches = self.engine.submit(patch_requests(self.avatar, shown, rows)).patches()
            yield from composite(self.avatar, shown, patches, mode="feather", subpixel=True)


def talking_video_gaps(avatar: Avatar) -> Curve:
    """Return the (frames,) lip gap in the talking video, whose avatar this is, IOD."""
    mesh, settings = AttentionMesh(FACE_MODELS), PreparationSettings()
    with open_video(TALKING_VIDEO, fps=avatar.fps, max_side=settings.max_side) as video:
        landmarks = [
            mesh.track(picture, avatar.landmarks[index]).points
            for index, picture in enumerate(video.frames())
        ]
    return lip_gap(np.stack(landmarks))
