"""Answers about sessions, their clips and their archived films."""

from typing import Literal

from pydantic import Field

from api.answers import Answer

SessionState = Literal["idle", "speaking", "closed", "unusable"]


class ClipAnswer(Answer):
    """One clip and its place in the film."""

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
    damage: list[str] = Field(description="Committed bytes that differ from their checksums.")
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

    archive: ArchiveAnswer | None = Field(description="The archived film.")


class DeletedAnswer(Answer):
    """Something was deleted."""

    status: Literal["success"]
    message: str


class InterruptAnswer(SuccessAnswer):
    """The end of the film after an interruption."""

    interrupted: bool = Field(description="True if a clip was cut short.")
    position_s: float = Field(description="Where the film ends.")
    frame: int
    dropped: int = Field(description="Waiting requests that were dropped.")
    played_s: float = Field(description="The playback position of a live viewer.")
