"""Settings of a preparation, and the digest that identifies its result."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, get_args

from session.film import SAMPLE_RATE_HZ
from stabilizers.settings import TrackSettings

ENGINES = {"viseme": 17, "musetalk": 1}
"""Every engine, with the version of its prepared data: a higher one makes avatars outdated."""

RECIPE = 14
"""Version of preparation: increased when the same source and settings give a different result."""
ENHANCEMENT = 2
"""Version of the enhancement of faces: increased for the same reason."""
EnhanceMethod = Literal["gfpgan", "sharpen"]
"""Method of enhancing faces: `gfpgan` restores them by a network, `sharpen` only sharpens."""
Teeth = Literal["close", "keep"]
"""Treatment of a photo with parted lips: closed lips, or its own teeth at rest and in speech."""
COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}")
"""A colour as `#rgb` or `#rrggbb`."""
RANGES = {"fps": (10, 60), "max_side": (128, 4096), "max_s": (1, 60), "bbox_shift": (-60, 60)}


class PreparationError(ValueError):
    """The avatar was not created, and none of its files remain."""


class BadPreparationSettings(PreparationError):
    """A setting is outside its range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationSettings:
    """Everything that changes the result of a preparation. Raises BadPreparationSettings."""

    fps: int = 25
    """Frames per second of the avatar; a divisor of the 48 kHz audio clock."""
    max_side: int = 1280
    """Longest side of a frame, pixels; larger pictures are scaled down."""
    max_s: int = 20
    """Seconds of a video that are used; the rest is ignored."""
    bbox_shift: int = 0
    """Vertical shift of the face's box and mask, frame pixels; positive is down."""
    teeth: Teeth = "close"
    """Treatment of a photo whose lips are parted."""
    background: str | None = None
    """Shown in place of what is behind the person: `#rrggbb`, or the path of a picture."""
    enhance: EnhanceMethod | None = None
    """Method by which the faces of the source are enhanced first; None: no enhancement."""
    engine: str = "viseme"
    """The lip engine that prepares its own data."""
    recipe: tuple[tuple[str, str | int], ...] = ()
    """Everything else that changes that data; see `warm.engine_factory.engine_recipe`."""
    track: TrackSettings = field(default_factory=TrackSettings)

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadPreparationSettings(f"{name} is {value}; allowed are {low} to {high}.")
        if self.teeth not in get_args(Teeth):
            raise BadPreparationSettings(
                f"teeth is {self.teeth!r}; allowed are {', '.join(map(repr, get_args(Teeth)))}."
            )
        if self.enhance not in (None, *get_args(EnhanceMethod)):
            raise BadPreparationSettings(
                f"enhance is {self.enhance!r}; allowed are "
                f"{', '.join(map(repr, get_args(EnhanceMethod)))}, and none of them."
            )
        check_background(self.background)
        if self.engine not in ENGINES:
            raise BadPreparationSettings(
                f"engine is {self.engine!r}; allowed are {', '.join(map(repr, ENGINES))}."
            )
        if SAMPLE_RATE_HZ % self.fps:
            raise BadPreparationSettings(
                f"fps is {self.fps}; it must divide {SAMPLE_RATE_HZ}, as 24, 25, 30, 48, 50, 60 do."
            )


def check_background(chosen: str | None) -> None:
    """Raise BadPreparationSettings unless this is a colour, an existing file, or None."""
    if chosen is None or COLOUR.fullmatch(chosen) or (chosen and Path(chosen).is_file()):
        return
    kind = "is not a colour" if chosen.startswith("#") else "is not a file"
    raise BadPreparationSettings(
        f"background is {chosen!r}, which {kind}; allowed are a colour as #rgb or #rrggbb, and the "
        "path of a picture."
    )


def preparation_digest(source: Path, settings: PreparationSettings) -> str:
    """Return the SHA-256 (hex) of a source's content and everything that changes the result."""
    with source.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return digest_of_content(content, settings)


def digest_of_content(content: str, settings: PreparationSettings) -> str:
    """Return the digest of a preparation; `content` is the SHA-256 (hex) of its source."""
    chosen = asdict(settings)
    if not settings.recipe:
        del chosen["recipe"]
    chosen["background"] = background_content(settings.background)
    if settings.background is None:
        del chosen["background"]
    if settings.enhance is None:
        del chosen["enhance"]
    else:
        chosen["enhance"] = [settings.enhance, ENHANCEMENT]
    key = {
        "recipe": RECIPE,
        "engine": ENGINES[settings.engine],
        "content": content,
        "settings": chosen,
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def background_content(chosen: str | None) -> str | None:
    """Return a colour as it is, and the SHA-256 (hex) of the file of a picture."""
    if chosen is None or COLOUR.fullmatch(chosen):
        return chosen
    with Path(chosen).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
