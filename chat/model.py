"""The interface of a language model: messages in, the pieces of a reply out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant"]
ModelKind = Literal["embedded", "remote", "none"]
ModelPhase = Literal["ready", "unloaded", "loading", "fetching", "absent", "unreachable", "unknown"]
"""Phase of a model.

ready: it can answer now. unloaded: it is loaded by the next reply. absent: its files are not on
this machine. unreachable: its server did not answer the last request. unknown: its server has not
been asked yet.
"""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """End of a reply."""

    reason: Literal["stop", "length"]
    """length: a limit cut it off."""
    model: str
    """Name of the model that answered, as its server reports it."""
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    """Tokens as the server counts them; None if it does not report them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyOptions:
    """Options of one reply; None: the default of the model's server."""

    max_tokens: int | None = None
    temperature: float | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    """Further members of the request, such as `stop` and `seed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """State of a model, for display."""

    name: str
    kind: ModelKind
    is_demo: bool
    """True for the embedded model, which is too small to be relied on."""
    phase: ModelPhase
    progress: float | None = None
    """Share of the files that has arrived, 0 to 1; None if nothing is being fetched."""
    detail: str = ""
    """The reason for the phase and the next step, as a sentence; empty if all is well."""
    licence: str = ""


class Reply(Protocol):
    """A reply that is still being written. Iterated once, by one thread."""

    ending: Ending | None
    """Set when the iteration has ended without an error."""

    def __iter__(self) -> Iterator[str]:
        """Yield the text as it is written; every wait is bounded. Raises ChatError.

        Reasoning that a model writes before its answer is not part of the reply.
        """
        ...

    def cancel(self) -> None:
        """End the reply: its iteration raises ReplyCancelled at once. Any thread."""
        ...

    def close(self) -> None:
        """Release the connection; it may be called more than once."""
        ...


class ChatModel(Protocol):
    """A language model. All methods may be called from any thread."""

    def reply(self, messages: Sequence[ChatMessage], options: ReplyOptions) -> Reply:
        """Ask for the next message of the assistant; returns before the model has answered.

        Errors are raised by the iteration of the reply.
        """
        ...

    def forward(
        self, body: Mapping[str, Any], on_content: Callable[[dict[str, Any]], None]
    ) -> Reply:
        """Pass the body of another program's `POST /v1/chat/completions` to the model's server.

        The reply yields the text of the first choice, and raises RequestRefused if the server
        refuses the request. `on_content` is called by a thread of the reply with each JSON object
        of the answer.
        """
        ...

    def models(self) -> list[str]:
        """Return the names of the models that a request may name; raises ChatError."""
        ...

    def state(self) -> ModelState:
        """Return the state of the model at once; starts nothing."""
        ...

    def prepare(self) -> None:
        """Fetch and load the model in the background, if it is not ready; returns at once."""
        ...

    def close(self) -> None:
        """Cancel all replies and release everything."""
        ...
