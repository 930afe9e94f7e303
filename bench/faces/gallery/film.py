"""The film of one face: an avatar of the source speaks fixed sentences, encoded as users get it."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tts.catalogue import espeak_voices
from tts.speech import Speech
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarStore
from warm.engine_factory import engine_recipe, make_engine
from warm.engines.base import Engine
from warm.media.film_audio import film_audio
from warm.media.video import open_video
from warm.offline.chunks import Chunk
from warm.offline.mp4_file import Mp4File
from warm.offline.render import RenderSetup, film_spec_of, render_film
from warm.prepare.run import FACE_MODELS, prepare
from warm.settings import Settings

TEXTS = (
    "Bob puts my map by the pump.",
    "Papa saw a farm far from the harbour.",
    "Two new blue shoes, who knew?",
    "Five of them feel fine before four.",
    "She sees six sisters pass the sea.",
    "My father will make bread, and we may buy more.",
)
"""Bilabials, open vowels, /u/, /f/ and /s/."""
PAUSE_S = 0.6
"""Silence after each sentence."""
LARGEST_SIDE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class SpokenPart:
    """One sentence of a film."""

    speech: Speech
    first_frame: int
    track: NDArray[np.float32]
    """(n, 7) by Shape: the requested mouth, with the pause that follows."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceFilm:
    """An encoded film and everything that was requested in it."""

    avatar: Avatar
    engine: Engine
    path: Path
    parts: list[SpokenPart]

    @property
    def track(self) -> NDArray[np.float32]:
        """(n, 7) the requested mouth of every frame."""
        return np.concatenate([part.track for part in self.parts])

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the decoded (h, w, 3) BGR pictures."""
        with open_video(self.path, fps=self.avatar.fps, max_side=LARGEST_SIDE) as video:
            yield from video.frames()


def make_film(source: Path, folder: Path, seconds: float) -> FaceFilm:
    """Prepare an avatar of a photo or video in `folder`, and let it speak.

    Raises MediaError and PreparationError for a source that is refused.
    """
    settings = Settings(models_dir=FACE_MODELS.parent)
    engine = make_engine(settings)
    engine.load()
    avatar = prepare(
        source,
        avatar_id="face",
        store=AvatarStore(folder),
        settings=replace(settings.preparation_settings, recipe=engine_recipe(settings)),
        models=FACE_MODELS,
        engine=lambda: engine,
    )
    engine.load_avatar(avatar)
    parts, chunks = speak(avatar, engine, seconds)
    setup = RenderSetup(
        engine=engine,
        batch_size=settings.batch_size,
        blend_mode=settings.blend_mode,
        subpixel=settings.track.subpixel_enabled,
    )
    path = folder / "film.mp4"
    with Mp4File(path, film_spec_of(avatar), comment="") as film:
        render_film(film, iter(chunks), avatar, setup, lambda _: None)
    return FaceFilm(avatar, engine, path, parts)


def speak(avatar: Avatar, engine: Engine, seconds: float) -> tuple[list[SpokenPart], list[Chunk]]:
    """Return the sentences with a pause after each, until `seconds` are full or all are said."""
    spec = film_spec_of(avatar)
    pause = round(PAUSE_S * avatar.fps)
    parts: list[SpokenPart] = []
    chunks: list[Chunk] = []
    frames = 0
    for speech in speeches():
        if frames >= seconds * avatar.fps:
            break
        samples = film_audio(speech, spec)
        count = len(samples) // spec.samples_per_frame
        track = engine.encode_speech(speech, frames=count, fps=avatar.fps)
        track = np.pad(track, ((0, pause), (0, 0)))
        parts.append(SpokenPart(speech, frames, track))
        padded = np.pad(samples, (0, pause * spec.samples_per_frame))
        chunks.append(Chunk(track, padded, speech))
        frames += len(track)
    return parts, chunks


def speeches() -> Iterator[Speech]:
    """Yield the sentences in the voice of espeak, whose phonemes are known."""
    with closing(espeak_voices()) as voices:
        for text in TEXTS:
            for speech in voices.speak(text, voices.choose()):
                yield speech.completed()
