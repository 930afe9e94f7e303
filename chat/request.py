"""The body of a request for a reply, adapted to the deviations of its server."""

import re
from collections.abc import Sequence
from typing import Any, Literal

from chat.model import ChatMessage, ReplyOptions

Quirk = Literal["no stream_options", "max_completion_tokens", "no temperature", "no system"]
"""A deviation of a server.

no stream_options: it does not report tokens. max_completion_tokens: it expects OpenAI's newer name
of max_tokens. no temperature: it accepts only its default. no system: the template of the model has
no system message.
"""

_SIGNS: dict[Quirk, re.Pattern[str]] = {
    "no stream_options": re.compile(r"stream_options|include_usage"),
    "max_completion_tokens": re.compile(r"max_completion_tokens"),
    "no temperature": re.compile(r"temperature"),
    "no system": re.compile(
        r"system.{0,30}(not|n't).{0,30}support|support.{0,20}system"
        r"|system.{0,20}(role|message).{0,30}(not|invalid|only)"
        r"|only user.{0,20}assistant|unknown role.{0,10}system",
        re.IGNORECASE | re.DOTALL,
    ),
}


def quirk_in(error_body: str, known: frozenset[Quirk]) -> Quirk | None:
    """Return the deviation that explains an error of a server, if it is not known yet."""
    found = (quirk for quirk, sign in _SIGNS.items() if sign.search(error_body))
    return next((quirk for quirk in found if quirk not in known), None)


def request_body(
    model: str,
    messages: Sequence[ChatMessage],
    options: ReplyOptions,
    quirks: frozenset[Quirk],
) -> dict[str, Any]:
    """Return the JSON of a request for a streamed reply."""
    body: dict[str, Any] = {
        **options.extra,
        "model": model,
        "messages": [
            {"role": message.role, "content": _encodable(message.content)}
            for message in (_without_system(messages) if "no system" in quirks else messages)
        ],
        "stream": True,
    }
    if "no stream_options" not in quirks:
        body["stream_options"] = {"include_usage": True}
    if options.max_tokens is not None:
        is_renamed = "max_completion_tokens" in quirks
        body["max_completion_tokens" if is_renamed else "max_tokens"] = options.max_tokens
    if options.temperature is not None and "no temperature" not in quirks:
        body["temperature"] = options.temperature
    return body


def _encodable(text: str) -> str:
    """Return a text that UTF-8 can encode: lone surrogates are replaced."""
    return text.encode("utf-8", "replace").decode()


def _without_system(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Move the system texts to the start of the first message of the user."""
    systems = [message.content for message in messages if message.role == "system"]
    others = [message for message in messages if message.role != "system"]
    if not systems:
        return others
    if others and others[0].role == "user":
        systems.append(others.pop(0).content)
    return [ChatMessage("user", "\n\n".join(systems)), *others]
