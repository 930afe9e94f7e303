"""Answers of `POST /speak`: the clip, and the events until it is complete."""

from typing import Literal

from pydantic import Field

from api.answers import Answer
from api.answers.sessions import ClipAnswer
from api.example import example


class FilmLengthAnswer(Answer):
    """The film of a session after a clip."""

    duration_s: float
    clips: int
    bytes: int


class TimingsAnswer(Answer):
    """Seconds since the request arrived; null for a step that did not take place."""

    tts_first_s: float | None
    first_fragment_s: float | None
    render_s: float | None
    total_s: float | None
    reload_s: float | None


class SpeakAnswer(Answer):
    """A clip that is on disk; also the data of the event `done`."""

    model_config = example(
        status="success",
        session_id="paris",
        video_path="results/sessions/paris/full_session.mp4",
        video_url="/sessions/paris/full_session.mp4",
        interrupted=False,
        truncated=None,
        clip={
            "index": 0,
            "start_s": 0.0,
            "duration_s": 1.8,
            "frames": 45,
            "text": "Bonjour !",
            "whole": True,
        },
        session={"duration_s": 1.8, "clips": 1, "bytes": 183_245},
        voice="espeak:fr-fr",
        remarks=[],
        timings={
            "tts_first_s": 0.012,
            "first_fragment_s": 0.041,
            "render_s": 0.31,
            "total_s": 0.34,
            "reload_s": None,
        },
        message="clip 0 was added to session 'paris'",
    )

    status: Literal["success"]
    session_id: str
    video_path: str
    video_url: str
    interrupted: bool
    truncated: str | None = Field(description="The setting whose limit cut off the last sentences.")
    clip: ClipAnswer
    session: FilmLengthAnswer
    voice: str | None = Field(description="The chosen voice; null for a recording.")
    remarks: list[str]
    timings: TimingsAnswer
    message: str


class LoadingEvent(Answer):
    """The request waits for the engine."""

    reason: str


class LoadedEvent(Answer):
    """The engine is loaded."""

    reload_s: float


class SpeechEvent(Answer):
    """The sound of a sentence begins."""

    sentence: int
    text: str
    duration_s: float | None = Field(description="Null for a recording that is still arriving.")
    voice: str | None = Field(description="Null for a recording.")


class CommittedEvent(Answer):
    """A fragment of the clip can be played."""

    clip: int
    fragment: int
    first_frame: int
    frames: int
    start_s: float
    duration_s: float
    offset: int = Field(description="Its first byte in the film.")
    bytes: int = Field(description="The length of the film with it.")
