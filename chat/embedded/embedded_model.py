"""The embedded language model: a small model on this machine, without an account."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

from chat.address import parse_chat_address
from chat.completions import CompletionsModel
from chat.embedded.embedded_reply import EmbeddedReply
from chat.embedded.keeper import Keeper
from chat.embedded.model_files import ModelFiles
from chat.embedded.model_server import ModelServer
from chat.embedded.options import EmbeddedOptions
from chat.embedded.pins import SMOLLM2, PinnedModel
from chat.embedded.place import Place
from chat.errors import ChatError, ModelAbsent
from chat.forwarding import OnContent
from chat.limits import ReplyLimits
from chat.model import ChatMessage, ModelPhase, ModelState, Reply, ReplyOptions

SERVER_NAME = "The embedded model"
SAMPLING = {"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1}
"""Recommended by the model's authors, except the penalty: without it, the model often repeats one
sentence up to its limit."""
FORWARDED_TOKENS = 200
"""Longest answer to a request from another program without a limit: the model may never stop."""
LENGTHS = frozenset({"max_tokens", "max_completion_tokens", "n_predict"})
_MARK = re.compile(r"<\|(\w{1,40})\|>")


class EmbeddedModel:
    """The embedded model in a process of its own, loaded by the first reply. Thread-safe."""

    def __init__(
        self,
        folder: Path,
        options: EmbeddedOptions | None = None,
        *,
        limits: ReplyLimits | None = None,
        greeting: Sequence[ChatMessage] = (),
        pinned: PinnedModel = SMOLLM2,
    ) -> None:
        """`folder` has the files, or receives them if the options allow it.

        `greeting`: messages that the model reads as soon as it is loaded, so that replies to
        messages that begin with them come sooner.
        """
        self._files = ModelFiles(folder, pinned)
        self._limits = limits or ReplyLimits()
        self._keeper = Keeper(self._files, options or EmbeddedOptions(), on_loaded=self._connect)
        self._place = Place(self._keeper)
        self._greeting = tuple(greeting)
        self._client: CompletionsModel | None = None
        """Client of the latest process. Set by the keeper's thread."""
        self._replies: WeakSet[EmbeddedReply] = WeakSet()

    def reply(self, messages: Sequence[ChatMessage], options: ReplyOptions) -> EmbeddedReply:
        """Ask for the next message of the assistant; starts loading the model, returns at once."""
        asked = tuple(replace(each, content=without_marks(each.content)) for each in messages)
        wanted = replace(options, extra={**SAMPLING, **options.extra})

        def ask() -> Reply:
            assert self._client is not None  # a reply has its turn only after loading
            return self._client.reply(asked, wanted)

        return self._answer(ask)

    def forward(self, body: Mapping[str, Any], on_content: OnContent) -> EmbeddedReply:
        """Pass a request from another program to the model's process, with the model's name."""
        given = {name: value for name, value in body.items() if value is not None}
        limit = {} if LENGTHS & given.keys() else {"max_tokens": FORWARDED_TOKENS}
        named = {**SAMPLING, **limit, **given, "model": self._files.pinned.name}

        def ask() -> Reply:
            assert self._client is not None  # a reply has its turn only after loading
            return self._client.forward(named, on_content)

        return self._answer(ask)

    def models(self) -> list[str]:
        """Return the name of the model."""
        return [self._files.pinned.name]

    def _answer(self, ask: Callable[[], Reply]) -> EmbeddedReply:
        reply = EmbeddedReply(self._place, ask)
        with self._keeper.condition:
            self._replies.add(reply)
        self._keeper.want()
        return reply

    def state(self) -> ModelState:
        """Return the state of the model; starts nothing."""
        phase, detail = self._phase()
        progress = self._keeper.progress
        return ModelState(
            name=self._files.pinned.name,
            kind="embedded",
            is_demo=True,
            phase=phase,
            progress=None if progress is None else progress.fraction,
            detail=str(progress) if progress is not None else detail,
            licence=self._files.pinned.licence,
        )

    def prepare(self) -> None:
        """Fetch and load the model in the background, if it is not ready; returns at once."""
        self._keeper.want()

    def close(self) -> None:
        """Cancel all replies and end the process."""
        with self._keeper.condition:
            replies = list(self._replies)
        for reply in replies:
            reply.cancel()
        if self._client is not None:
            self._client.close()
        self._keeper.close()

    def _phase(self) -> tuple[ModelPhase, str]:
        phase, failure = self._keeper.phase, self._keeper.failure
        if phase != "unloaded":
            return phase, ""
        try:
            if self._files.missing():
                return "absent", str(failure or self._keeper.absence())
        except ModelAbsent as error:  # there is none for this machine
            return "absent", str(error)
        return "unloaded", "" if failure is None else str(failure)

    def _connect(self, server: ModelServer) -> None:
        """Make a client for a process, and have the model read the greeting."""
        if self._client is not None:
            self._client.close()
        self._client = CompletionsModel(
            parse_chat_address(server.url),
            model=self._files.pinned.name,
            key=server.key,
            limits=self._limits,
            kind="embedded",
            server_name=SERVER_NAME,
        )
        if self._greeting and not self._keeper.is_awaited:
            with suppress(ChatError):  # the replies that follow report it
                list(self._client.reply(self._greeting, ReplyOptions(max_tokens=1)))


def without_marks(text: str) -> str:
    """Remove special tokens of the model from a text, which could make it another message."""
    return _MARK.sub(r"\1", text)
