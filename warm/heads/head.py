"""One of several heads, as the others know it."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A server that shares its results folder with others."""

    name: str
    url: str
    """Address at which the other heads reach it, without final slash."""
    version: str = ""

    def __str__(self) -> str:
        return f"head {self.name!r} ({self.url})"


def encoded(head: Head, **more: str) -> bytes:
    """Return the note that a head leaves in a file that it locks."""
    return json.dumps({**asdict(head), **more}).encode() + b"\n"


def decoded(note: bytes) -> tuple[Head, dict[str, str]] | None:
    """Return the head that left a note, and what else is in it; None if it cannot be read.

    A note is being written, or its disk was full, if it cannot be read.
    """
    try:
        members = json.loads(note)
        names = ("name", "url", "version")
        head = Head(**{name: str(members.pop(name)) for name in names})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return head, {str(name): str(value) for name, value in members.items()}
