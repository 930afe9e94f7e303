"""Answers about conversations: turns, their events, personas and the language model."""

from typing import Literal

from pydantic import Field

from api.answers import Answer
from api.example import example

TurnStatus = Literal["queued", "llm", "tts", "render", "done", "error", "cancelled"]

TURN_EXAMPLE = {
    "job_id": "turn_0123456789abcdef0123456789abcdef",
    "status": "done",
    "session_id": "paris",
    "kind": "chat",
    "user_text": "What is the capital of France?",
    "reply_text": "It is **Paris**.",
    "heard_text": "It is **Paris**.",
    "interrupted": False,
    "error": None,
    "has_video": True,
    "video_url": "/video/turn_0123456789abcdef0123456789abcdef",
    "model": "llama3.2",
    "persona": "guide",
    "start_s": 0.0,
    "duration_s": 1.4,
    "first_frame": 0,
    "frames": 35,
    "sentences": [{"text": "It is Paris.", "start": 0, "end": 16, "start_s": 0.0, "end_s": 1.1}],
    "remarks": [],
    "forgotten": False,
    "created_at": "2026-01-02T03:04:05.000+00:00",
    "started_at": "2026-01-02T03:04:05.010+00:00",
    "finished_at": "2026-01-02T03:04:06.200+00:00",
}


class TurnError(Answer):
    """The reason why a turn failed."""

    kind: str
    description: str


class TurnSentenceAnswer(Answer):
    """A sentence of a reply in the film."""

    text: str = Field(description="As it is spoken, without markup.")
    start: int = Field(description="Its first character in `reply_text`.")
    end: int
    start_s: float
    end_s: float


class TurnAnswer(Answer):
    """A turn: a text of the user, and the answer to it."""

    model_config = example(**TURN_EXAMPLE)

    job_id: str
    status: TurnStatus
    session_id: str
    kind: Literal["chat", "greeting", "completion"]
    user_text: str
    reply_text: str = Field(description="As the model wrote it, with its markup.")
    heard_text: str = Field(description="The beginning of it that is part of the conversation.")
    interrupted: bool = Field(
        description="True if it was cancelled, or if the viewer stopped before its end."
    )
    error: TurnError | None
    has_video: bool
    video_url: str | None
    model: str
    persona: str
    start_s: float | None = Field(description="Where the answer begins in the film.")
    duration_s: float | None
    first_frame: int | None
    frames: int
    sentences: list[TurnSentenceAnswer]
    remarks: list[str]
    forgotten: bool = Field(description="True if it is no part of the conversation any more.")
    created_at: str
    started_at: str | None
    finished_at: str | None


class HistoryAnswer(Answer):
    """The conversation of a session, the oldest turn first."""

    session_id: str
    persona: str
    turns: list[TurnAnswer]


class ForgottenAnswer(Answer):
    """A conversation was forgotten."""

    status: Literal["success"]
    session_id: str
    forgotten: int = Field(description="Number of turns.")


class TurnEvent(Answer):
    """A turn begins to be answered, or has ended."""

    turn: TurnAnswer


class TokenEvent(Answer):
    """A piece of the reply, with its markup."""

    text: str


class SentenceEvent(Answer):
    """A sentence has its place in the film."""

    index: int
    text: str
    start: int
    end: int
    start_s: float | None


class PersonaAnswer(Answer):
    """A persona."""

    model_config = example(
        id="guide", name="Nora", language="en", greeting="Hello, I am Nora.", voice=None
    )

    id: str
    name: str
    language: str | None
    greeting: str
    voice: str | None


class PersonasAnswer(Answer):
    """The personas of the server; the default one is first."""

    personas: list[PersonaAnswer]


class SessionPersonaAnswer(Answer):
    """The persona of a session."""

    session_id: str
    persona: PersonaAnswer


class ModelAnswer(Answer):
    """The language model that answers."""

    model_config = example(
        name="SmolLM2-135M-Instruct",
        kind="embedded",
        is_demo=True,
        phase="fetching",
        progress=0.4,
        detail="The model is being fetched.",
        licence="Apache-2.0",
    )

    name: str
    kind: Literal["embedded", "remote", "none"]
    is_demo: bool = Field(description="True for a model that is too small to be relied on.")
    phase: Literal["ready", "unloaded", "loading", "fetching", "absent", "unreachable", "unknown"]
    progress: float | None = Field(description="Share of its files that is fetched.")
    detail: str
    licence: str
