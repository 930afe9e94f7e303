"""Problem details (RFC 9457): the HTTP answer to every error, from one table."""

import json
import logging
from dataclasses import dataclass, field
from functools import singledispatch
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Response, g, has_request_context, request
from werkzeug.exceptions import (
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestedRangeNotSatisfiable,
)

from api.access import KeyRequired, ScopeMissing, TooManyRequests
from api.cross_site import CrossSiteRequest
from api.hosts import BadHost, UnknownHost
from api.instruments import count_error
from api.proxies import BadForwarding
from api.voice_samples import SamplesBusy
from api.websocket import BadHandshake, UpgradeRequired
from chat.errors import (
    ChatDisabled,
    ChatError,
    ContextTooLong,
    EmptyReply,
    ModelAbsent,
    ModelBusy,
    ModelKeyRefused,
    ModelRefused,
    ModelTimeout,
    ModelUnreachable,
    ReplyBroken,
    ReplyCancelled,
)
from chat.forwarding import RequestRefused
from isolation.process import RequestCancelled
from session.errors import (
    CopyFailedError,
    FilmBusyError,
    FilmClosedError,
    FilmDamagedError,
    FilmDiskError,
    FilmEmptyError,
    FilmFullError,
    FilmGoneError,
    FilmNotLiveError,
    RangeNotSatisfiableError,
    disk_error,
    is_disk_fault,
    is_out_of_space,
)
from stt.errors import (
    LanguageNotSupported,
    RecogniserAbsent,
    RecogniserBusy,
    RecogniserFailed,
    RecogniserFetching,
    RecogniserKeyRefused,
    RecogniserUnreachable,
    RecognitionTimeout,
    RecordingRefused,
    TranscriptionDisabled,
)
from tts.voice import BadSpeechRequest, VoiceUnavailable
from warm.avatars.action import UnknownAction
from warm.avatars.recipe import PreparationError
from warm.avatars.store import AvatarDamaged, AvatarMissing, AvatarOutdated, BadAvatarId
from warm.conversation.errors import (
    BadUserText,
    NoRoomForReply,
    SessionAnswering,
    TurnGone,
    TurnNotReady,
    UnknownPersona,
    UnknownTurn,
)
from warm.engines.base import EngineLost, EngineOutOfMemory
from warm.engines.weights.errors import WeightsError
from warm.enhance.errors import EnhanceError
from warm.fetch.errors import FetchBusy, FetchError
from warm.heads.errors import (
    HeadLost,
    HeadSilent,
    HeldElsewhere,
    KeyHomeAbsent,
    LocksNotShared,
    NoHeads,
    NotAHead,
    NotDistinct,
    SecretIncomplete,
)
from warm.heads.head import HeadNewer
from warm.installation import PackageMissing
from warm.jobs.errors import (
    BadIdempotencyKey,
    BadJobToken,
    IdempotencyMismatch,
    JobQueueFull,
    JobRunning,
    JobStoreError,
    JobStoreFull,
    ResultGone,
    ResultNotReady,
    UnknownJob,
)
from warm.live.errors import LiveRefused, LiveUnavailable
from warm.live.push.errors import BadPush, TooManyPushes, UnknownPush
from warm.live.wire.control import MessageTooLong
from warm.matting.errors import NoPerson
from warm.media.recording_errors import RecordingNotStored, RecordingStalled
from warm.media.sniff import MediaError, UnknownMediaError
from warm.prepare.errors import (
    CutOffFaceError,
    DiskFullError,
    FaceMissingError,
    NoFaceError,
    NotWritableError,
    OpenMouthError,
    SmallFaceError,
)
from warm.preparer.errors import (
    AvatarBeingPrepared,
    AvatarInUse,
    PreparationCancelled,
    PreparationTimedOut,
    UnreadableSource,
)
from warm.production.errors import FilmIncomplete, UnsupportedOption
from warm.render.health import NotReady
from warm.render.jobs import Interrupted
from warm.render.shares import QueueFull
from warm.rooms.errors import (
    BadRoom,
    JoinFailed,
    JoinTimedOut,
    NoAddress,
    TooManyRooms,
    WorkerMissing,
)
from warm.sessions.archive import UnknownArchive
from warm.sessions.avatar_cache import AvatarFpsMismatch
from warm.sessions.errors import (
    BadSessionId,
    DiskNearlyFull,
    SessionBusy,
    SessionExists,
    SessionFull,
    TooManySessions,
    UnknownSession,
    UnusableSession,
)
from warm.sessions.shares import Limit
from warm.uploads.errors import (
    UnknownUpload,
    UploadDamaged,
    UploadInUse,
    UploadNotAllowed,
    UploadsBusy,
    UploadsFull,
    UploadTooLarge,
)

MAX_SHOWN_CHARS = 60
"""Received values are repeated in answers up to this length."""
RETRY_S = 1
DISK_RETRY_S = 30
"""A failed disk takes longer to recover."""

BODY_KINDS = {
    HTTPStatus.BAD_REQUEST: "BadRequestError",
    HTTPStatus.REQUEST_TIMEOUT: "RequestTimeoutError",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "ContentTooLargeError",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "UnsupportedMediaTypeError",
    HTTPStatus.UNPROCESSABLE_ENTITY: "ValidationError",
}

log = logging.getLogger(__name__)


class BadBody(ValueError):
    """The body or query of a request is invalid."""

    def __init__(
        self, status: HTTPStatus, detail: str, fields: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.fields = fields or {}
        """Faults by field."""


class TooManyViewers(RuntimeError):
    """All viewer slots are taken, or all that one client may have."""

    def __init__(self, limit: int, scope: str) -> None:
        super().__init__(f"{limit} streams are open, which is the limit {scope} (max_watchers)")


class TooManyDownloads(RuntimeError):
    """All slots for downloads are taken, or all that one client may have."""

    def __init__(self, limit: int, scope: str) -> None:
        super().__init__(f"{limit} downloads are open, which is the limit {scope} (max_downloads)")


class TooManyUploads(RuntimeError):
    """All slots for bodies with files are taken, or all that one client may have."""

    def __init__(self, limit: int, scope: str) -> None:
        super().__init__(
            f"{limit} uploads are being received, which is the limit {scope}; try again soon"
        )


class TooManyTranscriptions(RuntimeError):
    """All places of recordings that are recognised are taken, or all that one client may have."""

    def __init__(self, limit: int, scope: str) -> None:
        super().__init__(
            f"{limit} recordings are being recognised, which is the limit {scope} "
            "(max_transcriptions); try again soon"
        )


class NoPreparation(LookupError):
    """An avatar was not prepared over HTTP, or its preparation has found no face yet."""

    def __init__(self, avatar_id: str, reason: str) -> None:
        super().__init__(f"avatar_id = {avatar_id!r}: {reason}")


class TooManyExports(RuntimeError):
    """All export slots are taken, or all that one client may have."""

    def __init__(self, limit: int, scope: str) -> None:
        super().__init__(
            f"{limit} exports are being made, which is the limit {scope}; try again soon"
        )


class FilmReplaced(LookupError):
    """A request names a film that its session had before a reset."""

    def __init__(self, film_id: str) -> None:
        super().__init__(
            f"film = {film_id!r}: is no longer the film of this session; omit `film`, and start at"
            " the beginning of its current film"
        )


class FailedPrecondition(RuntimeError):
    """The representation does not have an entity tag that the request expects."""

    def __init__(self, expected: str, tag: str | None) -> None:
        current = "has no entity tag" if tag is None else f"has the entity tag {tag!r}"
        super().__init__(
            f"If-Match = {expected!r}: this resource {current}; request it again without If-Match"
        )


class BadQuery(ValueError):
    """A parameter of the query is invalid."""

    def __init__(self, name: str, received: str, allowed: str) -> None:
        super().__init__(f"{name} = {received!r}: {allowed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The answer to a failed request."""

    status: int
    kind: str
    detail: str
    headers: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    """Faults by field of the body."""
    limit: Limit | None = None
    """The limit that the request has reached."""

    def body(self) -> dict[str, Any]:
        """Return the members of the JSON object; D-ID clients read `kind` and `description`."""
        members: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "kind": self.kind,
            "description": self.detail,
        }
        if self.details:
            members["details"] = {
                f"body.{name}": {"message": message} for name, message in self.details.items()
            }
        if self.limit is not None:
            members["limit"] = limit_json(self.limit)
        if has_request_context() and "request_id" in g:
            members["request_id"] = g.request_id
        return members

    def response(self) -> Response:
        """Return the HTTP response, and have the metrics count it."""
        count_error(self.kind)
        return Response(
            json.dumps(self.body()),
            status=self.status,
            headers=self.headers,
            mimetype="application/problem+json",
        )


def limit_json(limit: Limit) -> dict[str, Any]:
    """JSON of a limit: the setting and its value, the scope that it applies to and the places
    that this scope may take and has taken."""
    members = ("setting", "value", "scope", "share", "used")
    return {name: getattr(limit, name) for name in members}


FACE_ERRORS = (NoFaceError, SmallFaceError, CutOffFaceError, OpenMouthError, FaceMissingError)

CAUSES: dict[type[Exception], tuple[int, str]] = {
    BadHost: (400, "BadRequestError"),
    BadForwarding: (400, "BadRequestError"),
    UnknownHost: (421, "MisdirectedRequestError"),
    HeldElsewhere: (421, "MisdirectedRequestError"),
    HeadSilent: (503, "HeadError"),
    HeadLost: (503, "HeadError"),
    KeyHomeAbsent: (503, "HeadError"),
    HeadNewer: (503, "HeadError"),
    NoHeads: (404, "NotFoundError"),
    NotAHead: (403, "ForbiddenError"),
    LocksNotShared: (503, "HeadError"),
    SecretIncomplete: (503, "HeadError"),
    NotDistinct: (409, "SessionError"),
    CrossSiteRequest: (403, "ForbiddenError"),
    KeyRequired: (401, "AuthorizationError"),
    ScopeMissing: (403, "PermissionError"),
    TooManyRequests: (429, "TooManyRequestsError"),
    BadAvatarId: (422, "ValidationError"),
    UnknownSession: (404, "NotFoundError"),
    UnknownArchive: (404, "NotFoundError"),
    AvatarMissing: (404, "NotFoundError"),
    UnknownAction: (404, "NotFoundError"),
    AvatarDamaged: (409, "AvatarError"),
    AvatarOutdated: (409, "AvatarError"),
    AvatarFpsMismatch: (409, "AvatarError"),
    NoPreparation: (404, "NotFoundError"),
    AvatarBeingPrepared: (409, "NotReadyError"),
    AvatarInUse: (409, "AvatarError"),
    UnreadableSource: (422, "MediaError"),
    PreparationError: (422, "PreparationError"),
    **dict.fromkeys(FACE_ERRORS, (422, "InvalidFaceError")),
    PreparationTimedOut: (422, "TimeoutError"),
    PreparationCancelled: (409, "InterruptedError"),
    DiskFullError: (507, "StorageError"),
    NotWritableError: (503, "StorageError"),
    WeightsError: (503, "NotReadyError"),
    PackageMissing: (503, "NotReadyError"),
    UnusableSession: (409, "SessionError"),
    TooManySessions: (409, "SessionError"),
    SessionExists: (409, "SessionError"),
    SessionFull: (409, "SessionError"),
    DiskNearlyFull: (507, "StorageError"),
    FilmClosedError: (409, "SessionError"),
    FilmDamagedError: (409, "SessionError"),
    FilmGoneError: (409, "SessionError"),
    FilmNotLiveError: (409, "NotLiveError"),
    FilmEmptyError: (404, "NotFoundError"),
    NoPerson: (409, "AvatarError"),
    CopyFailedError: (503, "StorageError"),
    Interrupted: (409, "InterruptedError"),
    FilmBusyError: (503, "SessionError"),
    SessionBusy: (503, "SessionError"),
    NotReady: (503, "NotReadyError"),
    LiveUnavailable: (503, "NotReadyError"),
    EngineOutOfMemory: (503, "NotReadyError"),
    EngineLost: (503, "NotReadyError"),
    VoiceUnavailable: (503, "NotReadyError"),
    QueueFull: (503, "QueueFullError"),
    UnknownJob: (404, "NotFoundError"),
    JobRunning: (409, "NotReadyError"),
    ResultNotReady: (409, "NotReadyError"),
    ResultGone: (410, "GoneError"),
    JobQueueFull: (503, "QueueFullError"),
    JobStoreError: (503, "StorageError"),
    JobStoreFull: (507, "StorageError"),
    BadJobToken: (422, "ValidationError"),
    BadIdempotencyKey: (422, "ValidationError"),
    IdempotencyMismatch: (422, "ValidationError"),
    TooManyViewers: (503, "QueueFullError"),
    TooManyDownloads: (503, "QueueFullError"),
    TooManyExports: (503, "QueueFullError"),
    SamplesBusy: (503, "QueueFullError"),
    TooManyUploads: (503, "QueueFullError"),
    UploadsBusy: (503, "QueueFullError"),
    FetchBusy: (503, "QueueFullError"),
    FetchError: (422, "ValidationError"),
    UnknownUpload: (404, "NotFoundError"),
    UploadInUse: (409, "NotReadyError"),
    UploadTooLarge: (413, "ContentTooLargeError"),
    MessageTooLong: (413, "ContentTooLargeError"),
    UploadNotAllowed: (415, "UnsupportedMediaTypeError"),
    UploadDamaged: (422, "ValidationError"),
    UploadsFull: (507, "StorageError"),
    UnknownMediaError: (415, "UnsupportedMediaTypeError"),
    RecordingStalled: (408, "RequestTimeoutError"),
    RecordingNotStored: (507, "StorageError"),
    MediaError: (422, "RecordingError"),
    LanguageNotSupported: (422, "ValidationError"),
    RecordingRefused: (422, "RecordingError"),
    TranscriptionDisabled: (409, "RecognitionDisabledError"),
    RecogniserAbsent: (503, "RecogniserAbsentError"),
    RecogniserFetching: (503, "RecogniserFetchingError"),
    RecogniserBusy: (503, "QueueFullError"),
    TooManyTranscriptions: (503, "QueueFullError"),
    RecogniserFailed: (503, "RecogniserFailedError"),
    RecogniserUnreachable: (503, "RecogniserUnreachableError"),
    RecogniserKeyRefused: (502, "RecogniserKeyError"),
    RecognitionTimeout: (504, "RecognitionTimeoutError"),
    RequestCancelled: (409, "InterruptedError"),
    WorkerMissing: (501, "NotInstalledError"),
    JoinFailed: (502, "RoomError"),
    JoinTimedOut: (504, "RoomTimeoutError"),
    TooManyRooms: (503, "QueueFullError"),
    NoAddress: (503, "NotReadyError"),
    UnknownPush: (404, "NotFoundError"),
    TooManyPushes: (503, "QueueFullError"),
    FilmReplaced: (410, "GoneError"),
    FailedPrecondition: (412, "PreconditionFailedError"),
    BadQuery: (400, "BadRequestError"),
    BadHandshake: (400, "BadRequestError"),
    UpgradeRequired: (426, "UpgradeRequiredError"),
    UnsupportedOption: (400, "BadRequestError"),
    EnhanceError: (422, "MediaError"),
    FilmIncomplete: (409, "SessionError"),
    UnknownTurn: (404, "NotFoundError"),
    UnknownPersona: (422, "ValidationError"),
    BadUserText: (422, "ValidationError"),
    SessionAnswering: (409, "NotReadyError"),
    NoRoomForReply: (409, "SessionError"),
    TurnNotReady: (409, "NotReadyError"),
    TurnGone: (410, "GoneError"),
    ChatError: (502, "ModelFailedError"),
    ModelUnreachable: (503, "ModelUnreachableError"),
    ModelKeyRefused: (502, "ModelKeyError"),
    ModelTimeout: (504, "ModelTimeoutError"),
    ModelBusy: (503, "ModelBusyError"),
    ModelRefused: (502, "ModelRefusedError"),
    ContextTooLong: (422, "ContextTooLongError"),
    ReplyBroken: (502, "ReplyBrokenError"),
    EmptyReply: (502, "EmptyReplyError"),
    ModelAbsent: (503, "ModelAbsentError"),
    ChatDisabled: (409, "ChatDisabledError"),
    ReplyCancelled: (409, "InterruptedError"),
}
"""Status and kind of each cause; the message of the exception is the detail."""
LIVE_REFUSALS = {
    "no-session": (404, "NotFoundError"),
    "live_off": (409, "NotLiveError"),
    "bad_offer": (400, "BadRequestError"),
    "unusable_offer": (422, "ValidationError"),
    "ice_restart": (422, "ValidationError"),
    "unknown_viewer": (404, "NotFoundError"),
    "viewers_full": (503, "QueueFullError"),
    "feeds_full": (503, "QueueFullError"),
    "no-feed": (503, "NotReadyError"),
    "stream_ended": (503, "NotReadyError"),
}
"""Status and kind of each kind of `LiveRefused`."""
LIMITED = (QueueFull, TooManySessions, JobQueueFull)
"""Errors that name the limit that the request has reached."""


OTHER_KINDS = (
    *((404, "NotFoundError"), (405, "MethodNotAllowedError")),
    *((414, "BadRequestError"), (431, "BadRequestError")),
    *((416, "RangeError"), (416, "RequestedRangeNotSatisfiableError")),
    *((422, "ValidationError"), (500, "InternalError"), (503, "StorageError")),
    (507, "StorageError"),
    *((400, "ValidationError"), (400, "InvalidFileSizeError"), (415, "UnsupportedMimeTypeError")),
)
"""Status and kind of the errors that functions answer, here and in `api/server`."""


def problem_kinds() -> dict[int, list[str]]:
    """Return the kinds of error with each status, sorted."""
    body_kinds = [(int(status), kind) for status, kind in BODY_KINDS.items()]
    found: dict[int, list[str]] = {}
    for status, kind in sorted({*CAUSES.values(), *body_kinds, *OTHER_KINDS}):
        found.setdefault(status, []).append(kind)
    return found


@singledispatch
def problem_of(error: Exception) -> Problem:
    """Return the answer to an error; an unexpected one is logged and answered with 500."""
    for cause in type(error).__mro__:
        if cause in CAUSES:
            status, kind = CAUSES[cause]
            headers = headers_of(status, error)
            limit = error.limit if isinstance(error, LIMITED) else None
            return Problem(
                status=status, kind=kind, detail=str(error), headers=headers, limit=limit
            )
    return problem_of_bug(error)


@problem_of.register
def _(error: HTTPException) -> Problem:
    """An error raised by Flask."""
    return problem_of_flask(error, error.description or error.name)


@problem_of.register
def _(error: NotFound) -> Problem:
    return problem_of_flask(
        error, f"path = {request.path!r}: not found; docs/http.md lists every route"
    )


@problem_of.register
def _(error: MethodNotAllowed) -> Problem:
    allowed = ", ".join(sorted(error.valid_methods or ()))
    return problem_of_flask(
        error, f"method = {request.method!r}: {request.path} accepts only {allowed}"
    )


@problem_of.register
def _(error: RequestedRangeNotSatisfiable) -> Problem:
    received = request.headers.get("Range", "")[:MAX_SHOWN_CHARS]
    size = "" if error.length is None else f", which has {error.length} bytes"
    return problem_of_flask(error, f"Range = {received!r}: is not within {request.path}{size}")


def problem_of_flask(error: HTTPException, detail: str) -> Problem:
    """Return the answer to an error of Flask or werkzeug, with its headers."""
    kept = ("Allow", "Retry-After", "Content-Range")
    return Problem(
        status=error.code or 500,
        kind=error.name.title().replace(" ", "") + "Error",
        detail=detail,
        headers={name: value for name, value in error.get_headers() if name in kept},
    )


@problem_of.register
def _(error: RequestRefused) -> Problem:
    return problem_of(error.cause)


@problem_of.register
def _(error: BadBody) -> Problem:
    kind = BODY_KINDS[error.status]
    return Problem(status=error.status, kind=kind, detail=str(error), details=error.fields)


@problem_of.register
def _(error: LiveRefused) -> Problem:
    status, kind = LIVE_REFUSALS.get(error.kind, (422, "ValidationError"))
    headers = headers_of(status, error)
    return Problem(status=status, kind=kind, detail=error.detail, headers=headers)


@problem_of.register
def _(error: BadSpeechRequest) -> Problem:
    detail = str(error)
    return Problem(status=422, kind="ValidationError", detail=detail, details={error.field: detail})


@problem_of.register
def _(error: BadRoom) -> Problem:
    detail = str(error)
    return Problem(status=422, kind="ValidationError", detail=detail, details={error.field: detail})


@problem_of.register
def _(error: BadPush) -> Problem:
    detail = str(error)
    return Problem(status=422, kind="ValidationError", detail=detail, details={error.field: detail})


@problem_of.register
def _(error: BadSessionId) -> Problem:
    detail = str(error)
    return Problem(
        status=422, kind="ValidationError", detail=detail, details={"session_id": detail}
    )


@problem_of.register
def _(error: RangeNotSatisfiableError) -> Problem:
    headers = {"Content-Range": f"bytes */{error.size}"}
    return Problem(status=416, kind="RangeError", detail=str(error), headers=headers)


@problem_of.register
def _(error: OSError) -> Problem:
    if is_disk_fault(error):
        return problem_of_disk(
            disk_error(error, Path(error.filename or "the results folder")), error
        )
    if not is_out_of_space(error):
        return problem_of_bug(error)
    return Problem(
        status=507,
        kind="StorageError",
        detail=f"{error}. The film is complete up to its last fragment.",
    )


@problem_of.register
def _(error: FilmDiskError) -> Problem:
    return problem_of_disk(error, error)


def problem_of_disk(error: FilmFullError | FilmDiskError, cause: OSError) -> Problem:
    """Return the answer to a fault of the disk; `cause` is logged."""
    log.error("disk error", exc_info=cause)
    return Problem(
        status=503,
        kind="StorageError",
        detail=f"{error}. The film is complete up to its last fragment.",
        headers={"Retry-After": str(DISK_RETRY_S)},
    )


def problem_of_bug(error: BaseException) -> Problem:
    """Return the answer to an unexpected error, which is logged under the id of the request."""
    log.error("unexpected error", exc_info=error)
    has_id = has_request_context() and "request_id" in g
    where = f" under request id {g.request_id}" if has_id else ""
    detail = f"internal error; the server's log has the details{where}"
    return Problem(status=500, kind="InternalError", detail=detail)


def headers_of(status: int, error: Exception) -> dict[str, str]:
    """Return the headers of the answer: those of the error itself, Retry-After of a 503."""
    if isinstance(error, KeyRequired | TooManyRequests | UpgradeRequired):
        return error.headers
    if status != 503:
        return {}
    seconds = RETRY_S
    if isinstance(error, QueueFull | JobQueueFull | NotReady | VoiceUnavailable | LiveUnavailable):
        seconds = error.retry_after_s
    if isinstance(error, HeadSilent | HeadLost | HeadNewer | KeyHomeAbsent | LocksNotShared):
        seconds = error.retry_after_s
    if isinstance(error, RecogniserFetching | RecogniserBusy | ModelBusy):
        seconds = error.retry_after_s
    return {"Retry-After": str(seconds)}


def answer_problem(error: Exception) -> Response:
    """Answer an error: the error handler of the application."""
    return problem_of(error).response()
