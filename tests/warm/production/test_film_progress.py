"""Progress of a film, whose length is an estimate until all sentences are spoken."""

from pathlib import Path
from typing import cast

from session.film import Fragment
from tts.voice import VoiceChoice
from warm.jobs.progress import JobProgress
from warm.production.film_progress import FilmProgress
from warm.render.jobs import FragmentCommitted, SpeakJob, SpeechReady
from warm.sessions.session import Session


def committed(first: int, frames: int) -> FragmentCommitted:
    fragment = Fragment(index=0, offset=0, end=1, first_frame=first, frames=frames)
    return FragmentCommitted(clip=0, fragment=fragment, fps=25)


def test_a_sentence_that_is_longer_than_estimated_does_not_take_progress_back(
    tmp_path: Path,
) -> None:
    progress = JobProgress(tmp_path, 900.0)
    film = FilmProgress(progress, has_source=False)
    choice = VoiceChoice(voice="espeak:en-us", language="en", speed=1.0)
    film.start(SpeakJob(session=cast(Session, None), text="Oh. Ah.", choice=choice))
    film.note(SpeechReady(sentence=0, text="Oh. ", duration_s=1.0, voice=choice.voice))
    film.note(committed(0, 25))
    before, stage = progress.last
    assert 0 < before < 0.9 and stage.startswith("25 of about")
    film.note(SpeechReady(sentence=1, text="Ah.", duration_s=9.0, voice=choice.voice))
    film.note(committed(25, 5))
    assert progress.last == (before, "30 of about 250 frames")
    film.note(committed(30, 220))
    assert progress.last == (0.9, "250 of about 250 frames")
