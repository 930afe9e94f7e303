"""Models behind any server with OpenAI's `POST /v1/chat/completions`."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from weakref import WeakSet

import httpx2

from chat.address import COMPLETIONS, ChatAddress
from chat.chat_server import MAX_ANSWER_BYTES, ChatServer, read_body
from chat.chunks import DONE, Chunk, chunk_of, chunks_of
from chat.errors import ChatError, ModelUnreachable, ReplyBroken, ReplyCancelled
from chat.forwarding import OnContent, forward
from chat.limits import ReplyLimits
from chat.model import ChatMessage, Ending, ModelKind, ModelPhase, ModelState, ReplyOptions
from chat.refusals import failure, refusal
from chat.reply import ReplyFeed, ThreadedReply, empty_reply
from chat.request import Quirk, quirk_in, request_body
from chat.writing import Writing

EVENT_STREAM = "text/event-stream"
MAX_ATTEMPTS = 5
"""A request is repeated once for each deviation that the server reports."""

CLOSING_S = 1.0
"""Time for which `close` waits for the thread of each reply."""

_UNFIT_STATUS = frozenset({400, 422, 500})


class CompletionsModel:
    """A model behind an OpenAI-compatible server. Thread-safe."""

    def __init__(
        self,
        address: ChatAddress,
        *,
        model: str = "",
        key: str | None = None,
        limits: ReplyLimits | None = None,
        kind: ModelKind = "remote",
        server_name: str = "",
    ) -> None:
        """`model`: empty for the first one that the server lists. `server_name`: for messages."""
        self._limits = limits or ReplyLimits()
        self._kind: ModelKind = kind
        self._server = ChatServer(address, self._limits, key=key, name=server_name)
        self._lock = threading.Lock()
        """Guards the members below."""
        self._model = self._configured = model
        self._quirks: frozenset[Quirk] = frozenset()
        self._phase: ModelPhase = "unknown"
        self._detail = ""
        self._replies: WeakSet[ThreadedReply] = WeakSet()

    def reply(self, messages: Sequence[ChatMessage], options: ReplyOptions) -> ThreadedReply:
        """Ask for the next message of the assistant; returns at once."""
        asked = tuple(messages)
        reply = ThreadedReply(
            lambda feed: self._received(asked, options, feed),
            self._limits,
            server=self._server.name,
            model=lambda: self._model,
        )
        with self._lock:
            self._replies.add(reply)
        return reply

    def forward(self, body: Mapping[str, Any], on_content: OnContent) -> ThreadedReply:
        """Pass a request from another program to the server; returns at once."""
        limits = self._limits
        if not body.get("stream"):  # nothing arrives before the whole reply is written
            limits = replace(limits, first_token_s=limits.reply_s)
        reply = ThreadedReply(
            lambda feed: self._forwarded(body, feed, on_content),
            limits,
            server=self._server.name,
            may_be_empty=True,
        )
        with self._lock:
            self._replies.add(reply)
        return reply

    def state(self) -> ModelState:
        """Return the model's name, and the outcome of the last request to its server."""
        with self._lock:
            return ModelState(
                name=self._model or "the first model of its server",
                kind=self._kind,
                is_demo=False,
                phase=self._phase,
                detail=self._detail,
            )

    def prepare(self) -> None:
        """Ask the server for its models on another thread; the state then has the outcome."""
        threading.Thread(target=self._probe, name="chat-probe", daemon=True).start()

    def models(self) -> list[str]:
        """Return the names of the server's models; empty if it has no list. Raises ChatError."""
        return self._server.models()

    def close(self) -> None:
        """Cancel all replies and close the connections."""
        with self._lock:
            replies = list(self._replies)
        for reply in replies:
            reply.cancel()
        for reply in replies:
            reply.join(CLOSING_S)
        self._server.close()

    def _probe(self) -> None:
        try:
            self._server.models()
        except ChatError as error:
            self._note_error(error)
        else:
            self._set_phase("ready")

    def _received(
        self, messages: Sequence[ChatMessage], options: ReplyOptions, feed: ReplyFeed
    ) -> Ending:
        try:
            ending = self._converse(messages, options, feed)
        except ChatError as error:
            if feed.is_cancelled:
                raise ReplyCancelled("the reply was cancelled") from error
            self._note_error(error)
            raise
        self._set_phase("ready")
        return ending

    def _forwarded(self, body: Mapping[str, Any], feed: ReplyFeed, on_content: OnContent) -> Ending:
        try:
            model = self._configured or body.get("model") or self._name_of_model()
            return forward(self._server, {**body, "model": model}, feed, on_content)
        except ChatError as error:
            if feed.is_cancelled:
                raise ReplyCancelled("the reply was cancelled") from error
            raise

    def _note_error(self, error: ChatError) -> None:
        is_unreachable = isinstance(error, ModelUnreachable)
        self._set_phase("unreachable" if is_unreachable else "ready", str(error))

    def _set_phase(self, phase: ModelPhase, detail: str = "") -> None:
        with self._lock:
            self._phase, self._detail = phase, detail

    def _name_of_model(self) -> str:
        """Return the configured model, or the first one of the server."""
        if not self._model:
            first = next(iter(self._server.models()), "default")
            with self._lock:
                self._model = self._model or first
        return self._model

    def _converse(
        self, messages: Sequence[ChatMessage], options: ReplyOptions, feed: ReplyFeed
    ) -> Ending:
        model = self._name_of_model()
        status, refused = 0, ""
        for _ in range(MAX_ATTEMPTS):
            body = request_body(model, messages, options, self._quirks)
            with self._server.exchange("POST", COMPLETIONS, body, feed) as response:
                status = response.status_code
                if status == httpx2.codes.OK:
                    return self._read_reply(response, model, feed)
                refused = read_body(response)
            if not self._learn(status, refused):
                self._server.check_status(status, refused)
        raise refusal(status, self._server.redacted(refused), server=self._server.name)

    def _learn(self, status: int, body: str) -> bool:
        """Record a deviation that explains the error; return False if there is none."""
        quirk = quirk_in(body, self._quirks) if status in _UNFIT_STATUS else None
        if quirk is not None:
            with self._lock:
                self._quirks |= {quirk}
        return quirk is not None

    def _read_reply(self, response: httpx2.Response, model: str, feed: ReplyFeed) -> Ending:
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type == EVENT_STREAM:
            return self._pass_on(_chunks(response), model, feed)
        body = read_body(response)
        with suppress(ValueError, RecursionError):
            content = json.loads(body)
            if isinstance(content, dict):  # the server does not stream
                return self._pass_on(iter([chunk_of(content)]), model, feed)
        raise ModelUnreachable(
            f"{self._server.name} answered with {media_type or 'no content type'}, not with a "
            "stream of events. Check the setting chat_url."
        )

    def _pass_on(self, chunks: Iterator[Chunk], model: str, feed: ReplyFeed) -> Ending:
        """Pass the text of the chunks to the feed; raises the error that they report."""
        writing = Writing(feed, model)
        try:
            for chunk in chunks:
                if chunk.error is not None:
                    raise failure(_redacted(chunk.error, self._server), server=self._server.name)
                writing.add(chunk)
        except httpx2.TransportError:
            if writing.reason is None:  # otherwise only the end of the stream is missing
                raise
        if writing.reason is None:
            writing.finish()
            raise self._broken_off(writing)
        if not writing.has_text:
            raise empty_reply(self._server.name, writing.detail)
        return writing.ending()

    def _broken_off(self, writing: Writing) -> ReplyBroken:
        when = "in the middle of its reply" if writing.has_text else "before its reply"
        return ReplyBroken(
            f"{self._server.name} closed the connection {when}. Read its log, and try again."
        )


def _redacted(error: Any, server: ChatServer) -> Any:
    return json.loads(server.redacted(json.dumps(error)))


def _chunks(response: httpx2.Response) -> Iterator[Chunk]:
    """Yield the chunks of a stream up to its end, or up to `[DONE]`, which is an end as well."""
    has_ended = False
    for event in httpx2.EventSource(response, MAX_ANSWER_BYTES):
        if event.data.strip() == DONE:
            if not has_ended:
                yield Chunk(reason="stop")
            return
        for chunk in chunks_of(event.data) if event.data.strip() else ():
            has_ended = has_ended or chunk.reason is not None
            yield chunk
