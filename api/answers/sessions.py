"""Answers about sessions, their clips and their archived films."""

from typing import Literal

from pydantic import Field

from api.answers import Answer
from api.example import example

SessionState = Literal["idle", "speaking", "closed", "unusable"]


class ClipAnswer(Answer):
    """One clip and its place in the film."""

    model_config = example(
        index=0, start_s=0.0, duration_s=1.8, frames=45, text="Good morning!", whole=True
    )

    index: int
    start_s: float
    duration_s: float
    frames: int
    text: str
    whole: bool = Field(description="False if an interruption or a crash cut it short.")


class ChoicesAnswer(Answer):
    """The values that a session chose; null follows the settings."""

    avatar_id: str | None
    voice: str | None
    language: str | None
    speed: float | None


class IdleAnswer(Answer):
    """The idle video of an avatar, and the frame of it that follows the film."""

    url: str
    path_url: str
    frames: int
    frame: int


class LimitsAnswer(Answer):
    """The limits in force."""

    max_session_s: float
    max_session_mb: float
    session_idle_s: float


class ArchiveAnswer(Answer):
    """An archived film."""

    model_config = example(
        session_id="paris",
        name="20260102T030405Z-0123456789abcdef.mp4",
        url="/archives/paris/20260102T030405Z-0123456789abcdef.mp4",
        captions_url="/archives/paris/20260102T030405Z-0123456789abcdef.vtt",
        bytes=183_245,
        archived="2026-01-02T03:04:05+00:00",
    )

    session_id: str
    name: str
    url: str
    captions_url: str
    bytes: int
    archived: str = Field(description="Time of the reset, UTC.")


class ArchivesAnswer(Answer):
    """Archived films, newest first."""

    archives: list[ArchiveAnswer]


class SessionAnswer(Answer):
    """The state of a session."""

    model_config = example(
        session_id="paris",
        exists=True,
        film="0123456789abcdef",
        video_path="results/sessions/paris/full_session.mp4",
        video_url="/sessions/paris/full_session.mp4",
        stream_url="/sessions/paris/stream",
        codecs="avc1.64001e,mp4a.40.2",
        width=720,
        height=720,
        fps=25,
        frames=45,
        duration_s=1.8,
        bytes=183_245,
        damage=[],
        clips=[
            {
                "index": 0,
                "start_s": 0.0,
                "duration_s": 1.8,
                "frames": 45,
                "text": "Bonjour !",
                "whole": True,
            }
        ],
        avatar_id="demo",
        idle={
            "url": "/avatars/demo/idle.mp4",
            "path_url": "/avatars/demo/path.json",
            "frames": 250,
            "frame": 45,
        },
        voice="espeak:fr-fr",
        language="fr-FR",
        speed=1.1,
        chosen={"avatar_id": None, "voice": None, "language": "fr", "speed": 1.1},
        state="idle",
        problem="",
        created="2026-01-02T03:04:05+00:00",
        last_spoken="2026-01-02T03:04:09+00:00",
        limits={"max_session_s": 36_000.0, "max_session_mb": 16_000.0, "session_idle_s": 0.0},
        archives=[],
    )

    session_id: str
    exists: bool
    film: str | None = Field(description="The id of the film; it changes with each reset.")
    video_path: str | None
    video_url: str | None
    stream_url: str
    codecs: str | None
    width: int | None
    height: int | None
    fps: int | None
    frames: int
    duration_s: float
    bytes: int
    damage: list[str] = Field(description="Committed bytes that do not match their checksums.")
    clips: list[ClipAnswer]
    avatar_id: str
    idle: IdleAnswer | None
    voice: str | None
    language: str | None
    speed: float | None
    chosen: ChoicesAnswer
    state: SessionState
    problem: str = Field(description="The reason why it is unusable; else empty.")
    created: str | None = Field(description="UTC.")
    last_spoken: str | None = Field(description="UTC.")
    limits: LimitsAnswer
    archives: list[ArchiveAnswer]


class SessionsAnswer(Answer):
    """All sessions that exist."""

    sessions: list[SessionAnswer]


class SuccessAnswer(Answer):
    """A change of a session was made."""

    status: Literal["success"]
    session_id: str
    message: str


class ResetAnswer(SuccessAnswer):
    """A session was reset."""

    model_config = example(
        status="success", session_id="paris", message="session 'paris' is empty", archive=None
    )

    archive: ArchiveAnswer | None = Field(description="The archived film.")


class DeletedAnswer(Answer):
    """Something was deleted."""

    status: Literal["success"]
    message: str


class HeardAnswer(Answer):
    """The beginning of a clip's text, as far as it was heard."""

    clip: int
    text: str


class InterruptAnswer(SuccessAnswer):
    """The end of the film after an interruption."""

    model_config = example(
        status="success",
        session_id="paris",
        message="session 'paris' was interrupted at 1.80 s",
        interrupted=True,
        position_s=1.8,
        frame=45,
        dropped=0,
        played_s=1.24,
        heard={"clip": 0, "text": "Good morning! How"},
    )

    interrupted: bool = Field(description="True if a clip was cut short.")
    position_s: float = Field(description="Where the film ends.")
    frame: int
    dropped: int = Field(description="Waiting requests that were dropped.")
    played_s: float = Field(description="The playback position of a live viewer.")
    heard: HeardAnswer | None = Field(
        description="What was heard of the text at the position of the player; null if that is no "
        "text, or all of it was heard."
    )
