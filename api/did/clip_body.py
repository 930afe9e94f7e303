"""The body of `POST /clips`."""

from typing import Any

from pydantic import Field, field_validator

from api.did.errors import UnknownPresenter
from api.did.film_bodies import FilmBody, Spoken, config_json, missing
from api.did.film_config import WHITE
from api.did.sources import find_avatar
from api.did.talk_body import Background, background_of, persist_remarks
from api.example import example
from warm.production.film_options import FilmOptions
from warm.production.film_request import FilmRequest

CLIP_FORMATS = ("mp4", "mov", "webm")


class ClipBody(FilmBody):
    """The body of `POST /clips`. Members that are not listed have no effect."""

    model_config = example(
        presenter_id="demo",
        script={"type": "text", "input": "Good morning!"},
        config={"result_format": "mp4", "output_resolution": 720},
    )

    presenter_id: str | None = Field(
        default=None, description="An avatar, as `GET /clips/presenters` lists them."
    )
    driver_id: str | None = Field(default=None, description="No effect.")
    background: Background | None = None
    crop: Any = Field(default=None, description="Only `wide`, which is the whole picture.")

    @field_validator("background", mode="before")
    @classmethod
    def _without_background(cls, value: Any) -> Any:
        return None if value in (False, "false") else value

    @field_validator("crop")
    @classmethod
    def _check_crop(cls, value: Any) -> Any:
        kind = value.get("type") if isinstance(value, dict) else value
        if kind not in (None, "wide", False, "false"):
            raise ValueError("the picture cannot be cropped; leave it out, or send the type wide")
        return None


def film_of_clip(body: ClipBody) -> tuple[FilmRequest, dict[str, Any]]:
    """Return the request for the film and the data of the clip.

    Raises UnknownPresenter, BadMember and BadSpeechRequest.
    """
    if body.presenter_id is None:
        raise missing("presenter_id")
    avatar_id = find_avatar(body.presenter_id)
    if avatar_id is None:
        raise UnknownPresenter(body.presenter_id)
    spoken = Spoken(body.script)
    config = body.config
    colour, remarks = background_of(body.background, config.result_format)
    if colour in WHITE:
        colour = None
        remarks.append("background.color has no effect: the presenter's picture fills the frame")
    options = FilmOptions(
        fluent=config.fluent,
        pad_audio_s=config.pad_audio,
        stitch=config.stitch is not False,
        result_format=config.checked_format(CLIP_FORMATS),  # type: ignore[arg-type]
        output_resolution=config.output_resolution,
        background=colour,
        logo=config.stored_logo(),
        subtitles=body.script.subtitles,
    )
    request = FilmRequest(
        avatar_id=avatar_id,
        text=spoken.text,
        recording=spoken.recording,
        options=options,
    )
    shown = {
        "presenter_id": avatar_id,
        "driver_id": body.driver_id or "",
        "audio_url": body.script.audio_url or "",
        "background": {"color": body.background.color} if body.background else None,
        "script": spoken.shown,
        "config": config_json(options),
        "remarks": [*spoken.remarks, *remarks, *config.remarks(), *persist_remarks(body)],
    }
    return request, shown
