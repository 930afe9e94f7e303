"""A turn of a conversation: what a person said, and the answer that was spoken."""

from dataclasses import dataclass, field
from typing import Literal

from warm.conversation.spoken import SpokenSentence
from warm.jobs.job import JobError

TurnState = Literal["queued", "llm", "tts", "render", "done", "error", "cancelled"]
"""State of a turn.

queued: it waits for an earlier turn, or for a place. llm: the model has written nothing that can be
spoken yet. tts: the voice has its first text. render: the answer can be watched. cancelled: it was
ended before its answer was complete.
"""
TurnKind = Literal["chat", "greeting", "completion"]
"""chat: of the session's own history. greeting: spoken without a question. completion: of a client
that brings its own history."""
ENDED: tuple[TurnState, ...] = ("done", "error", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn as it is stored."""

    id: str
    session_id: str
    number: int = 0
    """It grows with each turn of the server."""
    owner: str = ""
    """Name of the key that it was made with; empty without one."""
    kind: TurnKind = "chat"
    user_text: str = ""
    persona: str = ""
    """Id of the persona that answers."""
    state: TurnState = "queued"
    reply_text: str = ""
    """The reply as the model wrote it, with its markup."""
    heard_text: str = ""
    """The beginning of `reply_text` that was heard, or will be unless it is interrupted."""
    interrupted: bool = False
    """True if it was cancelled, or if the viewer stopped before its end."""
    is_settled: bool = False
    """True if `heard_text` does not change any more."""
    model: str = ""
    """Name of the model that answered."""
    film_id: str | None = None
    """The film that has the answer; None if nothing of it was spoken."""
    first_frame: int = 0
    frames: int = 0
    fps: int = 0
    sentences: tuple[SpokenSentence, ...] = field(default=(), repr=False)
    error: JobError | None = None
    remarks: tuple[str, ...] = ()
    created_s: float = 0.0
    """Seconds since the epoch."""
    started_s: float | None = None
    """Time at which the model was asked."""
    finished_s: float | None = None
    is_forgotten: bool = False
    """True if it is no part of the conversation any more; its texts are deleted then."""
    is_reset: bool = False
    """True if its film is gone: its session was reset or deleted."""

    @property
    def is_ended(self) -> bool:
        """True if its answer is complete, or will never be."""
        return self.state in ENDED

    @property
    def end_frame(self) -> int:
        """First frame of the film after its answer."""
        return self.first_frame + self.frames

    @property
    def end_s(self) -> float:
        """Time in the film at which its answer ends, as far as it is rendered."""
        return self.end_frame / self.fps if self.fps else 0.0

    @property
    def has_video(self) -> bool:
        """True if a part of the film belongs to it, and it has ended."""
        is_spoken = self.film_id is not None and self.frames > 0
        return self.is_ended and is_spoken and not self.is_reset
