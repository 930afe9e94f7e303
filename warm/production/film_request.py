"""Request for a film: the face, its text or recording, and the form of the film."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tts.text.markup import Markup
from warm.production.film_options import FilmOptions


class TextSpeech(BaseModel):
    """A text to speak, as `POST /speak` takes it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    text: str
    markup: Markup = "auto"
    voice: str | None = None
    language: str | None = None
    speed: float | None = None


class FilmRequest(BaseModel):
    """Request for a film. `model_dump` and `model_validate` preserve it in JSON."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    avatar_id: str | None = None
    """A prepared avatar."""
    source: str | None = None
    """Id of an uploaded picture or video, which becomes an avatar once."""
    text: TextSpeech | None = None
    recording: str | None = None
    """Id of an uploaded sound that is spoken in place of a text."""
    options: Annotated[FilmOptions, Field(default_factory=FilmOptions)]

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if (self.avatar_id is None) == (self.source is None):
            raise ValueError("needs exactly one of avatar_id and source")
        if (self.text is None) == (self.recording is None):
            raise ValueError("needs exactly one of text and recording")
        return self
