"""Requests from other programs that are passed on to a chat server."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import httpx2

from chat.address import COMPLETIONS
from chat.chat_server import MAX_ANSWER_BYTES, ChatServer, read_body
from chat.chunks import DONE, chunk_of
from chat.errors import ChatError, ReplyBroken
from chat.model import Ending
from chat.refusals import failure, refusal
from chat.reply import ReplyFeed
from chat.writing import Writing

EVENT_STREAM = "text/event-stream"

OnContent = Callable[[dict[str, Any]], None]
"""Receives each JSON object of the answer as the server sent it."""


class RequestRefused(ChatError):
    """The server refuses a request that was passed to it; its answer can be passed back."""

    def __init__(self, cause: ChatError, status: int, content: Mapping[str, Any] | None) -> None:
        super().__init__(str(cause))
        self.cause, self.status = cause, status
        self.content = content
        """The JSON of its answer; None if it is not a JSON object."""


def forward(
    server: ChatServer, body: Mapping[str, Any], feed: ReplyFeed, on_content: OnContent
) -> Ending:
    """Send a request; pass the text of the first choice to `feed`, and everything to `on_content`.

    Raises ChatError.
    """
    with server.exchange("POST", COMPLETIONS, dict(body), feed) as response:
        if response.status_code != httpx2.codes.OK:
            raise refused(server, response.status_code, read_body(response))
        writing = Writing(feed, str(body.get("model") or ""))
        for content in contents(server, response):
            if not isinstance(content.get("error"), (dict, str)):
                on_content(content)
            add(writing, content, server)
        if writing.reason is None:
            writing.finish()
            raise ReplyBroken(
                f"{server.name} closed the connection before the end of its reply. Read its log, "
                "and try again."
            )
        return writing.ending()


def add(writing: Writing, content: dict[str, Any], server: ChatServer) -> None:
    """Add the first choice of a JSON object; raises the error that it reports."""
    choices = content.get("choices")
    if isinstance(choices, list):
        firsts = [each for each in choices if isinstance(each, dict) and not each.get("index")]
        if choices and not firsts:
            return
        content = {**content, "choices": firsts}
    chunk = chunk_of(content)
    if chunk.error is not None:
        reported = json.loads(server.redacted(json.dumps(chunk.error)))
        raise failure(reported, server=server.name)
    writing.add(chunk)


def refused(server: ChatServer, status: int, body: str) -> RequestRefused:
    """Return the error for an answer whose status is not 200."""
    shown = server.redacted(body)
    content = None
    with suppress(ValueError, RecursionError):
        content = json.loads(shown)
    cause = refusal(status, shown, server=server.name)
    return RequestRefused(cause, status, content if isinstance(content, dict) else None)


def contents(server: ChatServer, response: httpx2.Response) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of an answer; raises ReplyBroken."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != EVENT_STREAM:
        yield json_object(server, read_body(response))
        return
    for event in httpx2.EventSource(response, MAX_ANSWER_BYTES):
        if event.data.strip() == DONE:
            return
        if event.data.strip():
            yield json_object(server, event.data)


def json_object(server: ChatServer, data: str) -> dict[str, Any]:
    """Parse a JSON object; raises ReplyBroken."""
    with suppress(ValueError, RecursionError):
        content = json.loads(data)
        if isinstance(content, dict):
            return content
    raise ReplyBroken(
        f"{server.name} sent data that is not a JSON object. Read its log, and try again."
    )
