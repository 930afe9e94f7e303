"""A tiny model in a wheel, as the embedded one is, and replies of it in a few milliseconds."""

from collections.abc import Sequence
from pathlib import Path

from chat.embedded.pins import PinnedModel
from chat.model import ChatMessage, ChatModel, ReplyOptions
from tests.chat.embedded.tiny_gguf import tiny_gguf
from tests.wheels.made_wheels import make_wheel

WORDS = ("Good", " morning", ". How", " are", " you?")
REPLY = "".join(WORDS)
FILE = "tiny_chat/tiny.gguf"
HELLO = (ChatMessage("system", "You are Grace."), ChatMessage("user", "Hello!"))


def tiny_model(
    folder: Path, words: Sequence[str] = WORDS, *, is_endless: bool = False
) -> PinnedModel:
    """Write the wheel of a model to a folder that stands for the package index."""
    return model_of(folder, tiny_gguf(words, is_endless=is_endless))


def model_of(folder: Path, content: bytes) -> PinnedModel:
    """Write the wheel of a model with this content of its file."""
    wheel = make_wheel(folder, {FILE: content}, parts=[FILE], name="tiny_chat")
    return PinnedModel(name="Tiny", licence="None needed", wheel=wheel, file=FILE)


def answer(
    model: ChatModel, messages: Sequence[ChatMessage] = HELLO, *, max_tokens: int | None = 40
) -> str:
    """Return a whole reply."""
    return "".join(model.reply(messages, ReplyOptions(max_tokens=max_tokens, temperature=0.0)))
