"""What a session has chosen, in a small file beside its film."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from session.disk import replace_file

RECORD_NAME = "session.json"


def now() -> str:
    """The time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class RecordDamaged(ValueError):
    """The file is there and cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Who speaks in a session, and how; None follows the settings."""

    avatar_id: str | None = None
    voice: str | None = None
    language: str | None = None
    speed: float | None = None

    def changed(self, named: Mapping[str, Any]) -> "Choices":
        """With the named members replaced. Voice and language are one choice of two parts: naming
        one of them lets the other go."""
        speech = {"voice": None, "language": None} if named.keys() & {"voice", "language"} else {}
        return replace(self, **{**speech, **named})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """What is kept of a session apart from its film."""

    choices: Choices = field(default_factory=Choices)
    created: str | None = field(default_factory=now)
    """ISO 8601, UTC; None where nobody knows. Told to people, used for nothing."""


def record_path(film: Path) -> Path:
    """Where the record of the session with this film lies."""
    return film.with_name(RECORD_NAME)


def read_record(film: Path) -> SessionRecord | None:
    """The record beside a film, None where there is none; raises RecordDamaged, OSError."""
    path = record_path(film)
    try:
        content = json.loads(path.read_bytes())
        return SessionRecord(choices=Choices(**content["choices"]), created=content["created"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RecordDamaged(f"{path} cannot be read ({error})") from error


def write_record(path: Path, record: SessionRecord) -> None:
    """Put a record in place, durable and whole or not at all; raises OSError."""
    replace_file(path, json.dumps(asdict(record), indent=1).encode() + b"\n")
