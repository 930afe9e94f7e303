"""Options of a film: the form of its file, and its ending."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from warm.avatars.recipe import EnhanceMethod

ResultFormat = Literal["mp4", "mov", "webm"]
BACKGROUND = r"^(?:transparent|#(?:[0-9a-fA-F]{3}){1,2})$"
TRANSPARENT = "transparent"


class Logo(BaseModel):
    """A picture laid over the film."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    upload: str
    """Id of an uploaded picture. It keeps its size in pixels, and its transparency."""
    x: Annotated[int, Field(ge=-4096, le=4096)] = 0
    """Pixels between the left edges of picture and film; below 0, between their right edges:
    -1 is flush with the right edge."""
    y: Annotated[int, Field(ge=-4096, le=4096)] = 0
    """The same for the upper edges, and below 0 for the lower ones."""


class FilmOptions(BaseModel):
    """Options of a film. The default is the avatar's picture as it is, in an MP4."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    fluent: bool = False
    """The film ends where the avatar's idle loop begins again, so that any other film of the
    avatar can follow it without a visible joint."""
    pad_audio_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    """Silence after the speech, seconds."""
    action: Annotated[str, Field(max_length=64)] | None = None
    """Action of the avatar that the film begins with; the speech is spoken over it."""
    stitch: bool = True
    """The whole picture; else only the square around the face."""
    result_format: ResultFormat = "mp4"
    output_resolution: Annotated[int, Field(ge=150, le=1080)] | None = None
    """Shorter side of the picture, pixels. None: as the avatar has it."""
    background: Annotated[str, Field(pattern=BACKGROUND)] | None = None
    """Colour behind the person, as `#rgb` or `#rrggbb`; or `transparent`, for a WebM file. A source
    without transparent parts is cut out."""
    enhance: EnhanceMethod | None = None
    """Enhance the faces of the finished film: `gfpgan` restores them, `sharpen` only sharpens."""
    logo: Logo | None = None
    fps: Annotated[int, Field(ge=10, le=60)] | None = None
    """Pictures per second. None: as the avatar has them."""
    subtitles: bool = False
    """A track of captions in the file, and a WebVTT file next to it."""
