"""Logging: one JSON object per line, with the id of the request that caused it."""

import json
import logging
import re
import time
import uuid
from typing import Any

from flask import Flask, Response, g, has_request_context, request

from api.caller import caller
from api.client_address import LOCAL

REQUEST_ID_HEADER = "X-Request-Id"
SECRET_PATHS = ("/results/", "/uploads/")
"""Paths whose remainder gives access to one file; the log shows only its beginning."""
SHOWN_CHARS = 8
USABLE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
INVISIBLE = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Characters that control terminals or the direction of text or have no width, and surrogates."""
PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes of every record; the caller added all others."""

log = logging.getLogger(__name__)


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, logger, message, the caller's fields, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without the line break."""
        entry: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context() and "request_id" in g:
            entry["request_id"] = g.request_id
        entry |= {key: value for key, value in vars(record).items() if key not in PLAIN}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return escaped(json.dumps(entry, default=str, ensure_ascii=False))


def escaped(line: str) -> str:
    """Return a line of JSON in which characters that would change the display are escapes."""
    return INVISIBLE.sub(lambda found: json.dumps(found[0])[1:-1], line)


LOG_CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
        "gunicorn.access": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
        # It logs each request to a language model with its whole address, which may have a key.
        "httpx2": {"level": "WARNING"},
    },
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
"""For `logging.config.dictConfig`."""


def log_requests(app: Flask) -> None:
    """Give every request an id, and log it when its response is complete."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    g.request_id = given if USABLE_ID.fullmatch(given) else uuid.uuid4().hex
    g.begun = time.monotonic()


def _end(response: Response) -> Response:
    response.headers[REQUEST_ID_HEADER] = g.request_id
    entry = {
        "request_id": g.request_id,
        "client": request.remote_addr or LOCAL,
        "method": request.method,
        "path": shown_path(request.path),
        "status": response.status_code,
    }
    if caller().name:
        entry["key"] = caller().name
    begun = g.begun
    response.call_on_close(
        lambda: log.info("request", extra=entry | {"took_s": round(time.monotonic() - begun, 4)})
    )
    return response


def shown_path(path: str) -> str:
    """Return a path for the log, without the part that gives access."""
    folder = next((each for each in SECRET_PATHS if path.startswith(each)), None)
    if folder is None or len(path) <= len(folder) + SHOWN_CHARS:
        return path
    return f"{path[: len(folder) + SHOWN_CHARS]}…"
