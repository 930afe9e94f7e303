"""Times as clients of other systems expect them."""

from datetime import UTC, datetime


def iso_time(seconds: float) -> str:
    """Return a Unix time as ISO 8601 in whole seconds, UTC, such as 2026-01-02T03:04:05Z."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_time_or_none(seconds: float | None) -> str | None:
    """Return a Unix time as ISO 8601; None without one."""
    return None if seconds is None else iso_time(seconds)
