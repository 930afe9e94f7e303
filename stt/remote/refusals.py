"""Errors that a recognition server reports, as the errors of this package."""

import json
import re
from typing import Any

from stt.errors import (
    RecogniserBusy,
    RecogniserFailed,
    RecogniserKeyRefused,
    RecogniserUnreachable,
    RecordingRefused,
    SpeechError,
)

MAX_SHOWN_CHARS = 300
"""The message of a server is repeated up to this length."""
_MESSAGES = ("message", "msg", "detail", "error", "title")
_DEPTH = 4
_NO_CREDIT = re.compile(r"insufficient|quota|billing|credit", re.IGNORECASE)


def refusal(status: int, body: str, *, server: str) -> SpeechError:
    """Return the error of an answer with an error status. `server`: its name for messages."""
    if 300 <= status < 400:
        return RecogniserUnreachable(
            f"{server} redirects to another address, where the key is not sent. Set transcriber to "
            "that address if you trust it."
        )
    message = message_in(body)
    intro = f"{server} answered with status {status}{f': {message}' if message else ''}."
    if status in (401, 403):
        return RecogniserKeyRefused(
            f"{intro} Set stt_key (WARMTALK_STT_KEY) to a key that it accepts."
        )
    if status in (404, 405):
        return RecogniserUnreachable(
            f"{intro} Check the address in the setting transcriber, and the model in stt_model."
        )
    return _other(status, body, intro)


def _other(status: int, body: str, intro: str) -> SpeechError:
    if status == 429 and _NO_CREDIT.search(body):
        return RecogniserFailed(f"{intro} Check the account of the key.")
    if status in (429, 503):
        return RecogniserBusy(f"{intro} Try again in a few seconds.")
    if status >= 500:
        return RecogniserFailed(f"{intro} Read the log of that server, and try again.")
    return RecordingRefused(f"{intro} Check stt_model, the language, and the recording.")


def message_in(body: str) -> str:
    """Return the message in the body of an error, on one line; empty if there is none."""
    try:
        return _found(json.loads(body), _DEPTH)
    except (ValueError, RecursionError):
        return _one_line(re.sub(r"<[^>]{0,1000}>", " ", body))


def _found(content: Any, depth: int) -> str:
    if isinstance(content, str):
        return _one_line(content)
    if isinstance(content, dict) and depth:
        found = (_found(content.get(name), depth - 1) for name in _MESSAGES)
        return next((each for each in found if each), "")
    if isinstance(content, list) and content and depth:
        return _found(content[0], depth - 1)
    return ""


def _one_line(text: str) -> str:
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    line = line.rstrip(".")
    return line if len(line) <= MAX_SHOWN_CHARS else line[: MAX_SHOWN_CHARS - 1] + "…"
