"""Parts that the bodies of talks and clips have in common."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from api.body import shorten
from api.caller import caller
from api.context import context
from api.did.errors import BadMember
from api.did.film_config import FilmConfig
from api.did.lenient import Lenient
from api.did.script import Script
from api.did.sources import SOUNDS, stored_file
from api.did.voice_match import match_voice
from api.serializers import absolute_url
from warm.jobs.job import Job
from warm.production.film_options import FilmOptions
from warm.production.film_request import FilmRequest, TextSpeech
from warm.webhooks.errors import WebhookError

MAX_USER_DATA_CHARS = 1000
MAX_NAME_CHARS = 500
BANK = "bank://"
"""Prefix of the addresses of D-ID's own recordings of movements, which have no effect here."""


class FilmBody(Lenient):
    """The members that talks and clips share."""

    script: Script
    config: FilmConfig = FilmConfig()
    name: str | None = Field(default=None, max_length=MAX_NAME_CHARS)
    user_data: Any = Field(default=None, description="Echoed; at most 1000 characters of JSON.")
    webhook: str | None = Field(
        default=None, description="Address to which the object is sent when it has ended."
    )
    result_url: str | None = Field(default=None, description="Not supported: 400.")
    persist: Any = Field(default=None, description="No effect.")

    @field_validator("user_data")
    @classmethod
    def _check_user_data(cls, value: Any) -> Any:
        size = len(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        if size > MAX_USER_DATA_CHARS:
            raise ValueError(f"has {size} characters; at most {MAX_USER_DATA_CHARS} are allowed")
        return value

    @field_validator("result_url")
    @classmethod
    def _refuse_destination(cls, _value: str | None) -> None:
        raise ValueError("films are not sent elsewhere; leave it out and use result_url of GET")


class Spoken:
    """The speech of a script, and its description in answers."""

    def __init__(self, script: Script) -> None:
        """Raise BadMember and BadSpeechRequest for a script that cannot be spoken."""
        self.text: TextSpeech | None = None
        self.recording: str | None = None
        self.remarks: tuple[str, ...] = ()
        self.shown: dict[str, Any] = {"type": script.type, "subtitles": script.subtitles}
        if script.type == "audio":
            self._set_recording(script)
        else:
            self._set_text(script)

    def _set_recording(self, script: Script) -> None:
        if script.audio_url is None:
            raise missing("script.audio_url")
        upload = stored_file("script.audio_url", script.audio_url, SOUNDS)
        self.recording = upload.id
        self.shown["audio_url"] = script.audio_url

    def _set_text(self, script: Script) -> None:
        if script.input is None:
            raise missing("script.input")
        matched = match_voice(context().runtime, script.provider)
        self.text = TextSpeech(
            text=script.input,
            markup="ssml" if script.ssml else "markdown",
            voice=matched.choice.voice,
            language=matched.choice.language,
            speed=matched.choice.speed,
        )
        self.remarks = matched.remarks
        provider = script.provider
        self.shown |= {
            "ssml": script.ssml,
            "length": len(script.input),
            "provider": {
                "type": provider.type or "warmtalk",
                "voice_id": provider.voice_id or matched.choice.voice,
            },
            "voice": matched.choice.voice,
            "language": matched.choice.language,
        }


def missing(member: str) -> BadMember:
    """Return the error of a member that was left out."""
    return BadMember.of(member, "is missing, and is required")


def submit_film(
    body: FilmBody,
    request: FilmRequest,
    *,
    surface: str,
    id_prefix: str,
    extra: Mapping[str, Any],
    idempotency_key: str | None,
) -> Job:
    """Check a request and make its job; raises the errors of `FilmChecks.check` and `Jobs.submit`,
    and BadMember for a webhook."""
    if body.webhook is not None:
        try:
            context().webhooks.check(body.webhook)
        except WebhookError as error:
            raise BadMember.of("webhook", f"= {shorten(body.webhook)}: {error}") from error
    context().films.checks.check(request)
    return context().jobs.submit(
        "film",
        request.model_dump(mode="json"),
        surface=surface,
        owner=caller().name,
        extra={
            "name": body.name or "",
            "user_data": body.user_data,
            "webhook": body.webhook,
            "base_url": absolute_url(""),
            **extra,
        },
        idempotency_key=idempotency_key,
        id_prefix=id_prefix,
        identity=body.model_dump(mode="json"),
        max_queued=caller().max_queued,
    )


def config_json(options: FilmOptions) -> dict[str, Any]:
    """JSON of the configuration in effect."""
    return {
        "fluent": options.fluent,
        "pad_audio": options.pad_audio_s,
        "stitch": options.stitch,
        "result_format": options.result_format,
        "output_resolution": options.output_resolution,
    }
