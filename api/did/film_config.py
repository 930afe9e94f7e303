"""The configuration of a talk or clip, and the options of the film that follow from it."""

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from api.did.errors import BadMember
from api.did.lenient import Lenient
from api.did.sources import PICTURES, stored_file
from warm.production.film_options import Logo

TUNING = (
    *("align_driver", "align_expand_factor", "auto_match", "motion_factor", "sharpen"),
    *("normalization_factor", "reduce_noise", "show_watermark"),
)
"""Members that adjust D-ID's own network; they have no counterpart here."""
COLOURS = {
    "white": "#ffffff", "black": "#000000", "red": "#ff0000", "green": "#008000",
    "lime": "#00ff00", "blue": "#0000ff", "yellow": "#ffff00", "cyan": "#00ffff",
    "magenta": "#ff00ff", "gray": "#808080", "grey": "#808080", "orange": "#ffa500",
    "purple": "#800080", "navy": "#000080", "teal": "#008080", "silver": "#c0c0c0",
}  # fmt: skip
HEX = re.compile(r"#?((?:[0-9a-fA-F]{3}){1,2})")
WHITE = frozenset({"#fff", "#ffffff"})
"""The colour that D-ID's clients send by default."""


class LogoConfig(Lenient):
    """A picture laid over the film."""

    url: str
    position: tuple[int, int] = Field(
        default=(0, 0),
        description="Pixels from the left and the upper edge; negative ones from the others.",
    )


class FilmConfig(Lenient):
    """The form of a film."""

    fluent: bool = False
    pad_audio: float = Field(default=0.0, ge=0, le=60)
    stitch: bool | None = None
    result_format: str = "mp4"
    output_resolution: int | None = Field(default=None, ge=150, le=1080)
    logo: LogoConfig | Literal[False] | None = None
    driver_expressions: Any = None
    align_driver: Any = None
    align_expand_factor: Any = None
    auto_match: Any = None
    motion_factor: Any = None
    sharpen: Any = None
    normalization_factor: Any = None
    reduce_noise: Any = None
    show_watermark: Any = None

    @field_validator("result_format")
    @classmethod
    def _plain_format(cls, value: str) -> str:
        return value.strip().lower().removeprefix(".")

    @field_validator("logo", mode="before")
    @classmethod
    def _without_logo(cls, value: Any) -> Any:
        return None if value is False or value == "false" else value

    @field_validator("driver_expressions")
    @classmethod
    def _check_expressions(cls, value: Any) -> Any:
        listed = value.get("expressions", ()) if isinstance(value, dict) else value
        if not isinstance(listed, list | tuple):
            listed = [listed]
        for each in listed:
            expression = each.get("expression") if isinstance(each, dict) else each
            if expression not in (None, "", "neutral"):
                raise ValueError(
                    "expressions cannot be chosen here; only neutral is allowed. Leave it out"
                )
        return value

    def checked_format(self, allowed: tuple[str, ...]) -> str:
        """Return the format of the result; raises BadMember for one that is not allowed."""
        if self.result_format not in allowed:
            raise BadMember.of(
                "config.result_format",
                f"= {self.result_format[:40]!r}: must be one of {', '.join(allowed)}",
            )
        return self.result_format

    def stored_logo(self) -> Logo | None:
        """Return the logo as an upload; raises BadMember."""
        if not isinstance(self.logo, LogoConfig):
            return None
        upload = stored_file("config.logo.url", self.logo.url, PICTURES)
        x, y = self.logo.position
        return Logo(upload=upload.id, x=x, y=y)

    def remarks(self) -> list[str]:
        """Return a remark on each member that has no effect."""
        return [
            f"config.{name} has no effect" for name in TUNING if getattr(self, name) is not None
        ]


def colour(value: str) -> str:
    """Return a colour as `#rrggbb` or `#rgb`; raises ValueError."""
    word = value.strip().lower()
    found = HEX.fullmatch(word)
    if word in COLOURS:
        return COLOURS[word]
    if not found:
        raise ValueError(f"must be a colour such as #00ff00, or one of {', '.join(COLOURS)}")
    return f"#{found[1]}"
