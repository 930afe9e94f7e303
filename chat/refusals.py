"""Conversion of the errors that a chat server reports into those of this package."""

import json
import re
from collections.abc import Mapping
from typing import Any

from chat.errors import (
    ChatError,
    ContextTooLong,
    ModelBusy,
    ModelFailed,
    ModelKeyRefused,
    ModelRefused,
)

MAX_SHOWN_CHARS = 300
"""Longest part of a server's message that is shown."""

_TOO_LONG = re.compile(
    r"context.?(length|size|window)|exceed_context|maximum.{0,20}(context|tokens|prompt)"
    r"|too many tokens|(prompt|input|request|messages?).{0,40}too (long|large|many)"
    r"|reduce the length",
    re.IGNORECASE | re.DOTALL,
)
_NO_CREDIT = re.compile(r"insufficient|quota|billing|credit", re.IGNORECASE)
_KEY_STATUS = frozenset({401, 403})
_MESSAGES = ("message", "msg", "detail", "error", "title")
_DEPTH = 4


def refusal(status: int, body: str, *, server: str) -> ChatError:
    """Return the error for an answer with an error status. `server`: its name for messages."""
    content = _json(body)
    message = message_in(content) or _one_line(re.sub(r"<[^>]{0,1000}>", " ", body))
    shown = f": {message}" if message else ""
    intro = f"{server} answered with status {status}{shown}."
    if status in _KEY_STATUS:
        return ModelKeyRefused(
            f"{intro} Set chat_key (WARMTALK_CHAT_KEY) to a key that it accepts."
        )
    if status == 413 or (status < 500 and _TOO_LONG.search(body)):
        return ContextTooLong(
            f"{intro} Start a new conversation, lower chat_history_tokens, or raise the context "
            "size of the model."
        )
    return _other(status, body, intro)


def _other(status: int, body: str, intro: str) -> ChatError:
    if status == 429 and _NO_CREDIT.search(body):
        return ModelRefused(f"{intro} Check the account that the key belongs to.")
    if status in (429, 503):
        return ModelBusy(f"{intro} Try again in a few seconds.")
    if status == 404:
        return ModelRefused(
            f"{intro} Check chat_model and chat_url; GET {{chat_url}}/models lists "
            "the models of most servers."
        )
    if status >= 500:
        return ModelFailed(f"{intro} Read the log of the model's server, and try again.")
    return ModelRefused(f"{intro} Check chat_model, chat_url and the options of the request.")


def failure(error: Mapping[str, Any] | str, *, server: str) -> ChatError:
    """Return the error that a server reports in the middle of a reply."""
    message = message_in(error)
    status = error.get("code") if isinstance(error, Mapping) else None
    if isinstance(status, int) and 400 <= status < 600:
        return refusal(status, json.dumps(error), server=server)
    if _TOO_LONG.search(message):
        return refusal(400, json.dumps(error), server=server)
    return ModelFailed(
        f"{server} failed in the middle of the reply: {message or 'it gave no reason'}. "
        "Read its log, and try again."
    )


def message_in(content: Any, depth: int = _DEPTH) -> str:
    """Return the first message in the JSON of an error, on one line; empty if there is none."""
    if isinstance(content, str):
        return _one_line(content)
    if isinstance(content, Mapping) and depth:
        found = (message_in(content.get(name), depth - 1) for name in _MESSAGES)
        return next((each for each in found if each), "")
    if isinstance(content, list) and content and depth:
        return message_in(content[0], depth - 1)
    return ""


def _json(body: str) -> Any:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, Mapping | list) else None


def _one_line(text: str) -> str:
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    line = line.rstrip(".")
    return line if len(line) <= MAX_SHOWN_CHARS else line[: MAX_SHOWN_CHARS - 1] + "…"
