"""Errors of a speech server, and the texts of its own error messages."""

import json
import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

MAX_ERROR_BYTES = 1 << 16
"""Maximum size of the body of an error that is read."""
MAX_SHOWN_CHARS = 300
"""A server's message is repeated up to this length."""

_MESSAGE_KEYS = ("message", "msg", "detail", "error", "error_description", "title")
_MAX_DEPTH = 4
_SILENT_ELEMENTS = re.compile(r"<(script|style|head)\b.*?(</\1\s*>|$)", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>?")


class ServerFailed(RuntimeError):
    """A speech server did not fulfil a request; the cause is not the text.

    The message is a predicate, such as "refuses the connection"; `remedy` is the next step.
    """

    def __init__(self, reason: str, remedy: str, retry_after_s: int = 1) -> None:
        super().__init__(reason)
        self.remedy = remedy
        self.retry_after_s = retry_after_s


class AnswerTooSlow(ServerFailed):
    """A time limit was reached."""


class ConnectionLost(ServerFailed):
    """A connection ended before the answer was complete."""


class UnusableSound(ValueError):
    """An answer is not usable sound; the message is a predicate of the server."""


class SoundTooLong(UnusableSound):
    """A sentence makes far more sound than any voice needs."""


def error_message(body: bytes) -> str:
    """Return the message in the body of an error: JSON of any shape, HTML or plain text.

    Empty if there is none; one line of at most MAX_SHOWN_CHARS characters.
    """
    text = body[:MAX_ERROR_BYTES].decode("utf-8", "replace")
    try:
        found = _first_message(json.loads(text))
    except (ValueError, RecursionError):
        found = _text_of_html(text) if "<" in text else text
    return one_line(found)


def one_line(text: str) -> str:
    """Return printable text on one line, shortened."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    line = " ".join(printable.split())
    return line if len(line) <= MAX_SHOWN_CHARS else line[: MAX_SHOWN_CHARS - 1] + "…"


def _first_message(content: Any) -> str:
    return next(_messages(content, _MAX_DEPTH), "")


def _messages(content: Any, depth: int) -> Iterator[str]:
    """Yield the texts of a JSON error, the most specific one first."""
    if isinstance(content, str) and content.strip():
        yield content
    elif isinstance(content, Mapping) and depth:
        for key in _MESSAGE_KEYS:
            yield from _messages(content.get(key), depth - 1)
    elif isinstance(content, list) and depth:
        for part in content[:5]:
            yield from _messages(part, depth - 1)


def _text_of_html(text: str) -> str:
    title = _TITLE.search(text)
    visible = _TAG.sub(" ", _SILENT_ELEMENTS.sub(" ", text))
    return unescape(title[1] if title else visible)
