"""Chunks of a streamed reply, as the servers of OpenAI, Ollama, llama.cpp and vLLM send them.

https://platform.openai.com/docs/api-reference/chat/streaming; the deviations are noted below.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chat.errors import ReplyBroken

DONE = "[DONE]"

_CUT_OFF = frozenset({"length", "max_tokens", "model_length"})
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_AGAIN = "Try again; if the error persists, read the log of the model's server."


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk of a reply."""

    text: str = ""
    has_thought: bool = False
    """The chunk has reasoning, which is not part of the reply."""
    reason: Literal["stop", "length"] | None = None
    """Set by the chunk that ends the reply."""
    detail: str = ""
    """The server's own name for that reason."""
    model: str = ""
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    error: Mapping[str, Any] | str | None = None
    """An error that the server reports in the middle of a reply, as vLLM and llama.cpp do."""


def chunks_of(data: str) -> list[Chunk]:
    """Parse the data of one event; raises ReplyBroken.

    Servers that separate events by a single line end send several chunks in one event.
    """
    try:
        return [chunk_of(_parsed(data))]
    except ReplyBroken:
        lines = [line for line in data.splitlines() if line.strip() not in ("", DONE)]
        if len(lines) < 2:
            raise
        return [chunk_of(_parsed(line)) for line in lines]


def _parsed(data: str) -> Mapping[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ReplyBroken(f"the model's server sent a chunk that is not JSON. {_AGAIN}") from error
    if not isinstance(content, Mapping):
        raise ReplyBroken(f"the model's server sent a chunk that is not a JSON object. {_AGAIN}")
    return content


def chunk_of(content: Mapping[str, Any]) -> Chunk:
    """Return the chunk of a JSON object; members that are missing, null or of another type count as
    empty."""
    choice = _first(content.get("choices"))
    delta = _mapping(choice.get("delta")) or _mapping(choice.get("message"))
    ended = choice.get("finish_reason")
    usage = _mapping(content.get("usage"))
    return Chunk(
        text=_text(delta.get("content"))
        or _text(delta.get("refusal"))
        or _text(choice.get("text")),
        has_thought=any(_text(delta.get(name)) for name in _THOUGHTS),
        reason=None if not isinstance(ended, str) or not ended else _reason(ended),
        detail=ended if isinstance(ended, str) else "",
        model=_text(content.get("model")),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        reply_tokens=_count(usage.get("completion_tokens")),
        error=_error(content),
    )


def _reason(name: str) -> Literal["stop", "length"]:
    return "length" if name in _CUT_OFF else "stop"


def _error(content: Mapping[str, Any]) -> Mapping[str, Any] | str | None:
    error = content.get("error")
    if isinstance(error, Mapping) or (isinstance(error, str) and error):
        return error
    if content.get("object") == "error":  # vLLM's older form: the members of the error at the top
        return content
    return None


def _first(choices: Any) -> Mapping[str, Any]:
    return _mapping(choices[0]) if isinstance(choices, list) and choices else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    """Return a text, or the joined texts of a list of parts."""
    if isinstance(value, list):
        return "".join(_text(_mapping(part).get("text")) for part in value)
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count else None
