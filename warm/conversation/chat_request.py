"""A text that a session is to answer."""

import unicodedata
from dataclasses import dataclass
from typing import Literal

from warm.conversation.errors import BadUserText
from warm.render.jobs import ANONYMOUS, Origin
from warm.sessions.session import Session

WhenBusy = Literal["queue", "interrupt", "refuse"]
"""What happens while the session still answers: wait, end that answer, or fail."""
KEPT_CONTROLS = "\n\t"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A request for an answer."""

    session: Session
    user_text: str
    owner: str = ""
    origin: Origin = ANONYMOUS
    persona: str | None = None
    """None: that of the session, or else the first one."""
    voice: str | None = None
    language: str | None = None
    speed: float | None = None
    lead_s: float | None = None
    when_busy: WhenBusy = "queue"
    position_s: float | None = None
    """Position of the player in the film, seconds; None if it is not known."""
    replaces: str | None = None
    """Turn that is forgotten first, with all later ones."""
    max_tokens: int | None = None
    temperature: float | None = None


def checked_text(text: str, *, max_chars: int) -> str:
    """Return a text without control characters; raises BadUserText if it is empty or too long."""
    if len(text) > max_chars:
        raise BadUserText(
            f"user_text has {len(text)} characters; at most {max_chars} are allowed"
            " (max_text_chars). Send it in parts."
        )
    kept = "".join(each for each in text.replace("\r\n", "\n") if is_kept(each)).strip()
    if not kept:
        raise BadUserText(
            f"user_text = {text[:40]!r}: has nothing to answer; it must contain a character other"
            " than spaces and control characters"
        )
    return kept


def is_kept(character: str) -> bool:
    """True for a character that a model may read: no control character, no half of a pair."""
    return character in KEPT_CONTROLS or unicodedata.category(character) not in ("Cc", "Cs")
