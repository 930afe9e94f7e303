"""Settings of the stabilizers, derived from the fields of `TrackSettings`.

A field of a nested object gets the name of that object as a prefix: `one_euro.beta` is the setting
`one_euro_beta`. Default, range and description come from the field.
"""

from collections.abc import Iterator
from dataclasses import Field as DataclassField
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from pydantic import Field

from stabilizers.settings import TrackSettings


def track_fields(kind: Any = TrackSettings, prefix: str = "") -> dict[str, Any]:
    """Type and pydantic field of each setting, by name."""
    found: dict[str, Any] = {}
    for field, hint in typed_fields(kind):
        if is_dataclass(hint):
            found |= track_fields(hint, f"{prefix}{field.name}_")
        else:
            found[prefix + field.name] = (hint, Field(default=field.default, **field.metadata))
    return found


def track_settings(settings: object, kind: Any = TrackSettings, prefix: str = "") -> Any:
    """The object whose fields have the values of the settings."""
    return kind(
        **{
            field.name: track_settings(settings, hint, f"{prefix}{field.name}_")
            if is_dataclass(hint)
            else getattr(settings, prefix + field.name)
            for field, hint in typed_fields(kind)
        }
    )


def typed_fields(kind: Any) -> Iterator[tuple[DataclassField[Any], Any]]:
    """The fields of a dataclass that are settings or nested objects, with their types."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        if field.metadata or is_dataclass(hints[field.name]):
            yield field, hints[field.name]
