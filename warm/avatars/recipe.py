"""What can be chosen about a preparation, and the digest that names its result."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stabilizers.settings import TrackSettings

ENGINES = {"viseme": 5, "musetalk": 1}
"""Every engine, with the version of what its `prepare` writes: a higher one makes avatars anew."""

RECIPE = 4
"""Goes up when preparation makes something else of the same source and settings."""
SAMPLE_RATE_HZ = 48_000
RANGES = {"fps": (10, 60), "max_side": (128, 4096), "max_s": (1, 60), "bbox_shift": (-60, 60)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationSettings:
    """Everything that changes what a source becomes. Raises BadPreparationSettings."""

    fps: int = 25
    """Frames per second of the avatar; divides the 48 kHz audio clock."""
    max_side: int = 1280
    """Larger pictures are scaled down to it, pixels."""
    max_s: int = 20
    """Of a longer video only the beginning is used, seconds."""
    bbox_shift: int = 0
    """Moves the face's box and mask: positive is down, frame pixels."""
    engine: str = "viseme"
    """The lip engine that adds its own data."""
    recipe: tuple[tuple[str, str | int], ...] = ()
    """What else changes that data, as `warm.engines.factory.engine_recipe` tells it."""
    track: TrackSettings = field(default_factory=TrackSettings)

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadPreparationSettings(f"{name} is {value}; allowed are {low} to {high}.")
        if self.engine not in ENGINES:
            raise BadPreparationSettings(
                f"engine is {self.engine!r}; allowed are {', '.join(map(repr, ENGINES))}."
            )
        if SAMPLE_RATE_HZ % self.fps:
            raise BadPreparationSettings(
                f"fps is {self.fps}; it must divide {SAMPLE_RATE_HZ}, as 24, 25, 30, 48, 50, 60 do."
            )


def preparation_digest(source: Path, settings: PreparationSettings) -> str:
    """SHA-256 (hex) of a source's content and everything that changes what becomes of it."""
    with source.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    chosen = asdict(settings)
    if not settings.recipe:
        del chosen["recipe"]
    key = {
        "recipe": RECIPE,
        "engine": ENGINES[settings.engine],
        "content": content,
        "settings": chosen,
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


class PreparationError(ValueError):
    """The avatar was not made, and nothing of it was left behind."""


class BadPreparationSettings(PreparationError):
    """A setting is outside its range."""
