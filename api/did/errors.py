"""Errors of these routes, with the statuses and kinds that clients of D-ID know."""

from dataclasses import replace
from http import HTTPStatus

from flask import Blueprint, Response, g

from api.forms import STORED
from api.problem import BadBody, Problem, problem_of
from tts.voice import BadSpeechRequest
from warm.production.errors import UnsupportedOption
from warm.uploads.errors import UploadDamaged, UploadTooLarge
from warm.uploads.upload import Upload

KINDS_OF_STATUS = {
    401: "AuthorizationError",
    403: "PermissionError",
    404: "NotFoundError",
    415: "UnsupportedMimeTypeError",
}
SPEECH_FIELDS = {
    "text": "script.input",
    "voice": "script.provider.voice_id",
    "language": "script.provider.language",
    "speed": "script.provider.voice_config.rate",
}
"""Members of D-ID's bodies, by the fields of a request to speak."""
OPTION_FIELDS = {
    "options.background": "background.color",
    "options.logo": "config.logo",
    "options.output_resolution": "config.output_resolution",
    "options.result_format": "config.result_format",
    "options.subtitles": "script.subtitles",
    "options.pad_audio_s": "config.pad_audio",
    "options.fluent": "config.fluent",
    "options.stitch": "config.stitch",
}
"""The same, by the options of a film."""


class BadMember(ValueError):
    """Members of the body are invalid; D-ID answers that with 400."""

    def __init__(self, fields: dict[str, str]) -> None:
        """`fields`: each member, with those around it (`script.input`), and what is wrong."""
        super().__init__("; ".join(fields.values()))
        self.fields = fields

    @classmethod
    def of(cls, member: str, fault: str) -> "BadMember":
        """Return the error of one member; `fault` is a predicate."""
        return cls({member: f"{member}{'' if fault.startswith('=') else ':'} {fault}"})


class UnknownPresenter(LookupError):
    """There is no presenter with this id."""

    def __init__(self, presenter_id: str) -> None:
        super().__init__(
            f"presenter_id = {presenter_id[:64]!r}: no such presenter; GET /clips/presenters lists"
            " them"
        )


def did_blueprint(name: str) -> Blueprint:
    """Return a blueprint whose errors are answered as D-ID answers them."""
    blueprint = Blueprint(name, __name__)
    blueprint.register_error_handler(Exception, answer_did_problem)
    return blueprint


def note_fetched(upload: Upload) -> None:
    """Note a file that was fetched for this request, to remove it if the request fails."""
    g.setdefault(STORED, []).append(upload)


def answer_did_problem(error: Exception) -> Response:
    """Answer an error of one of these routes."""
    return did_problem(error).response()


def did_problem(error: Exception) -> Problem:
    """Return the answer to an error."""
    if isinstance(error, BadMember):
        return validation(str(error), error.fields)
    if isinstance(error, UnknownPresenter):
        return Problem(
            status=404,
            kind="NotFoundError",
            detail=str(error),
            details={"presenter_id": str(error)},
        )
    if isinstance(error, BadSpeechRequest):
        member = SPEECH_FIELDS.get(error.field, "script")
        return validation(f"{member}: {error}", {member: f"{member}: {error}"})
    if isinstance(error, UnsupportedOption):
        detail = in_terms_of_did(str(error))
        return validation(detail, {OPTION_FIELDS.get(error.option, "config"): detail})
    return translated(problem_of(error), error)


def in_terms_of_did(description: str) -> str:
    """Return the description of an error with D-ID's name of the option that it begins with."""
    option, blank, rest = description.partition(" ")
    return f"{OPTION_FIELDS.get(option, option)}{blank}{rest}"


def validation(detail: str, details: dict[str, str]) -> Problem:
    """Return the answer to an invalid body."""
    return Problem(status=400, kind="ValidationError", detail=detail, details=details)


def translated(problem: Problem, error: Exception) -> Problem:
    """Return a problem with the status and the kind of D-ID."""
    cause = error.__cause__ if isinstance(error, BadBody) else error
    if isinstance(cause, UploadTooLarge):
        return replace(problem, status=400, kind="InvalidFileSizeError")
    if isinstance(cause, UploadDamaged):
        return replace(problem, status=400, kind="BadRequestError")
    if problem.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return replace(problem, status=400, kind="ValidationError")
    return replace(problem, kind=KINDS_OF_STATUS.get(problem.status, problem.kind))
