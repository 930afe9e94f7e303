"""One of several heads, as the others know it."""

import json
from dataclasses import asdict, dataclass

FORMAT = 1
"""Version of the locks and of their notes. A release with another meaning of them raises it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A server that shares its results folder with others."""

    name: str
    url: str
    """Address at which the other heads reach it, without final slash."""
    version: str = ""

    def __str__(self) -> str:
        return f"head {self.name!r} ({self.url})"


class HeadNewer(RuntimeError):
    """A head of a newer release keeps its locks in a way that this release does not know."""

    retry_after_s = 30

    def __init__(self, members: dict[str, object]) -> None:
        name, version, found = (members.get(each, "?") for each in ("name", "version", "format"))
        super().__init__(
            f"head {name!r} is of a newer release ({version}), whose locks have format {found!r};"
            f" this release knows {FORMAT}. Update this server, and do not run both releases on"
            " one results_dir"
        )


def encoded(head: Head, **more: str) -> bytes:
    """Return the note that a head leaves in a file that it locks."""
    return json.dumps({"format": FORMAT, **asdict(head), **more}).encode() + b"\n"


def decoded(note: bytes) -> tuple[Head, dict[str, str]] | None:
    """Return the head that left a note, and what else is in it; None if it cannot be read.

    A note is being written, or its disk was full, if it cannot be read. Raises HeadNewer.
    """
    try:
        members = json.loads(note)
        if int(members.pop("format", FORMAT)) > FORMAT:
            raise HeadNewer(json.loads(note))
        names = ("name", "url", "version")
        head = Head(**{name: str(members.pop(name)) for name in names})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return head, {str(name): str(value) for name, value in members.items()}
