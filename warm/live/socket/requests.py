"""Text messages that clients of live sockets send."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

MAX_SHOWN_CHARS = 60
MAX_NAME_CHARS = 128
Rate = Literal[16_000, 24_000, 48_000]


class Message(BaseModel):
    """A message; members that it does not have are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Begin(Message):
    """An utterance begins."""

    type: Literal["begin"]
    utterance: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)] | None = None
    """Its name; without it, the server chooses one."""
    rate: Rate | None = None
    """Samples per second; None: the rate of the socket."""
    text: str = ""
    """Its words."""


class End(Message):
    """The utterance is complete."""

    type: Literal["end"]


class Clear(Message):
    """Stop the current speech, and drop what waits."""

    type: Literal["clear"]


ANY: TypeAdapter[Begin | End | Clear] = TypeAdapter(
    Annotated[Begin | End | Clear, Field(discriminator="type")]
)


class BadMessage(ValueError):
    """A text message is not one of those above."""

    def __init__(self, detail: str, *, is_begin: bool, utterance: str | None) -> None:
        super().__init__(detail)
        self.is_begin = is_begin
        """True if it is a `begin` with a fault."""
        self.utterance = utterance
        """The name in that `begin`."""


def read_message(text: bytes) -> Begin | End | Clear:
    """Return the message that a client has sent; raises BadMessage."""
    try:
        return ANY.validate_json(text)
    except ValidationError as error:
        is_begin, utterance = begun_by(text)
        raise BadMessage(fault(error), is_begin=is_begin, utterance=utterance) from None


def begun_by(text: bytes) -> tuple[bool, str | None]:
    """Return True for a message that is to begin an utterance, whatever its faults; and its name,
    if it has one that can be repeated."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return False, None
    if not isinstance(content, dict) or content.get("type") != "begin":
        return False, None
    name = content.get("utterance")
    return True, name if isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS else None


def fault(error: ValidationError) -> str:
    """Describe the first fault of a message: the member, the value and what is allowed."""
    first = error.errors(include_url=False)[0]
    match first["type"]:
        case "json_invalid":
            return f"a text message must be JSON: {first['msg']}; see docs/live-socket.md"
        case "union_tag_not_found" | "union_tag_invalid" | "dict_type":
            return "type: must be 'begin', 'end' or 'clear'; a message is a JSON object"
        case "extra_forbidden":
            return f"{first['loc'][-1]}: is not a member of {first['loc'][0]!r}; omit it"
    shown = repr(first["input"])
    shown = shown if len(shown) <= MAX_SHOWN_CHARS else f"{shown[:MAX_SHOWN_CHARS]}…"
    return f"{first['loc'][-1]} = {shown}: {first['msg'][0].lower()}{first['msg'][1:]}"
