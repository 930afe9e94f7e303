"""The body of `POST /talks`."""

from typing import Any

from pydantic import Field, field_validator

from api.context import context
from api.did.errors import BadMember
from api.did.film_bodies import BANK, FilmBody, Spoken, config_json
from api.did.film_config import colour
from api.did.lenient import Lenient
from api.did.sources import FACES, find_avatar, stored_file
from api.example import example
from warm.production.film_options import TRANSPARENT, FilmOptions
from warm.production.film_request import FilmRequest

TALK_FORMATS = ("mp4", "mov", "webm")


class Background(Lenient):
    """The background of a film."""

    color: str | None = Field(
        default=None,
        description="Colour behind the person: `#rrggbb` or a name; false: transparent, in webm.",
    )
    source_url: str | None = Field(default=None, description="Not supported: 400.")

    @field_validator("color", mode="before")
    @classmethod
    def _check_colour(cls, value: Any) -> Any:
        if value is False or value in ("false", TRANSPARENT):
            return TRANSPARENT
        return colour(value) if isinstance(value, str) else value

    @field_validator("source_url")
    @classmethod
    def _refuse_picture(cls, _value: str | None) -> None:
        raise ValueError("a picture cannot be the background; only a color can")


class TalkBody(FilmBody):
    """The body of `POST /talks`. Members that are not listed have no effect."""

    model_config = example(
        source_url="https://talk.example/uploads/0123456789abcdef0123456789abcdef.jpg",
        script={"type": "text", "input": "Good morning!", "provider": {"voice_id": "heart"}},
        config={"stitch": True, "result_format": "mp4"},
    )

    source_url: str | None = Field(
        default=None,
        description="The face: what `POST /images` has returned, the id of an avatar, or the "
        "address of a picture. By default the configured avatar.",
    )
    avatar_id: str | None = Field(default=None, description="An avatar, in place of `source_url`.")
    driver_url: str | None = Field(default=None, description="`bank://…`, without effect.")
    background: Background | None = None
    face: Any = Field(default=None, description="Not supported: 400.")

    @field_validator("driver_url")
    @classmethod
    def _check_driver(cls, value: str | None) -> str | None:
        if value is not None and not value.lower().startswith(BANK):
            raise ValueError(f"movements cannot be taken from another video; send {BANK}… or none")
        return value

    @field_validator("face")
    @classmethod
    def _refuse_face(cls, _value: Any) -> None:
        raise ValueError("one of several faces cannot be chosen; send a picture of that face alone")

    @field_validator("background", mode="before")
    @classmethod
    def _without_background(cls, value: Any) -> Any:
        return None if value in (False, "false") else value


def background_of(
    background: Background | None, result_format: str
) -> tuple[str | None, list[str]]:
    """Return the background of a film, and remarks: only WebM can be transparent."""
    chosen = background.color if background else None
    if chosen != TRANSPARENT or result_format == "webm":
        return chosen, []
    return None, [f"background.color has no effect: {result_format} has no transparency"]


def film_of_talk(body: TalkBody) -> tuple[FilmRequest, dict[str, Any]]:
    """Return the request for the film and the data of the talk.

    Raises BadMember and BadSpeechRequest.
    """
    avatar_id, source = face_of(body)
    spoken = Spoken(body.script)
    config = body.config
    chosen, remarks = background_of(body.background, config.result_format)
    options = FilmOptions(
        fluent=config.fluent,
        pad_audio_s=config.pad_audio,
        stitch=bool(config.stitch),
        result_format=config.checked_format(TALK_FORMATS),  # type: ignore[arg-type]
        output_resolution=config.output_resolution,
        background=chosen,
        logo=config.stored_logo(),
        subtitles=body.script.subtitles,
    )
    request = FilmRequest(
        avatar_id=avatar_id,
        source=source,
        text=spoken.text,
        recording=spoken.recording,
        options=options,
    )
    shown = {
        "source_url": body.source_url or "",
        "audio_url": body.script.audio_url or "",
        "driver_url": body.driver_url or "",
        "script": spoken.shown,
        "config": config_json(options),
        "remarks": [*spoken.remarks, *remarks, *config.remarks(), *persist_remarks(body)],
    }
    return request, shown


def persist_remarks(body: FilmBody) -> list[str]:
    """Return a remark on the storage if the body asks for a permanent one."""
    if body.persist in (None, False, "false"):
        return []
    return ["persist has no effect: results are kept as long as job_ttl_s says"]


def face_of(body: TalkBody) -> tuple[str | None, str | None]:
    """Return the avatar or the upload that speaks; raises BadMember."""
    if body.avatar_id is not None:
        found = find_avatar(body.avatar_id)
        if found is None:
            raise BadMember.of(
                "avatar_id", f"= {body.avatar_id[:64]!r}: no such avatar; GET /avatars lists them"
            )
        return found, None
    if body.source_url is None:
        return context().settings.avatar_id, None
    found = find_avatar(body.source_url)
    if found is not None:
        return found, None
    return None, stored_file("source_url", body.source_url, FACES).id
