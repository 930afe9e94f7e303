"""Record of a session: its choices and creation time, in a small file next to its film."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from session.disk import replace_file
from warm.sessions.paths import record_path
from warm.sessions.voice_choice import Choices


class RecordDamaged(ValueError):
    """The record exists and cannot be read."""


def now() -> str:
    """Current time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """Data of a session that is stored next to its film."""

    choices: Choices = field(default_factory=Choices)
    created: str | None = None
    """ISO 8601, UTC, for display only; None before the record is written, and if unknown."""

    def changed(self, named: Mapping[str, Any]) -> "SessionRecord":
        """Return a copy with the named choices; an unknown `created` becomes the current time."""
        return SessionRecord(choices=self.choices.changed(named), created=self.created or now())


def read_record(film: Path) -> SessionRecord | None:
    """Return the record next to a film, None if there is none; raises RecordDamaged, OSError."""
    path = record_path(film)
    try:
        content = json.loads(path.read_bytes())
        return SessionRecord(choices=Choices(**content["choices"]), created=content["created"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RecordDamaged(f"{path} cannot be read ({error})") from error


def write_record(path: Path, record: SessionRecord) -> None:
    """Write a record atomically and durably; raises OSError."""
    replace_file(path, json.dumps(asdict(record), indent=1).encode() + b"\n")
