"""Limits of a reply."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyLimits:
    """Limits of one reply."""

    connect_s: float = 5.0
    """Time to open a connection."""
    first_token_s: float = 60.0
    """Time until the first token of text or reasoning; some servers load the model first."""
    token_s: float = 15.0
    """Time between two tokens."""
    reply_s: float = 300.0
    """Time for the whole reply."""
    max_chars: int = 20_000
    """A longer reply is ended as if `max_tokens` had been reached."""
