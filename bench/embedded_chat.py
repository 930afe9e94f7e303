"""Benchmark of the embedded language model alone: load, memory, first word, first clause, pace."""

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from bench.embedded_model import embedded_model, fetch_embedded_model
from bench.figure import Figure
from bench.server_process import process_tree, resident_mb
from chat.embedded.embedded_model import EmbeddedModel
from chat.model import ChatMessage, ReplyOptions
from chat.persona import system_text
from chat.personas import read_personas
from tts.text.streamed.streamed_text import StreamedText
from warm.chat_model_factory import EMBEDDED_BUDGET
from warm.installation import shipped

_QUESTIONS = (
    *("Hello, how are you?", "What is the capital of France?", "Tell me about the rain."),
    *("I had a bad day at work.", "What is seven plus five?", "Why is the sky blue?"),
    *("What can I cook with potatoes?", "Do you like music?", "Thank you, that was nice."),
    *("What is your name?", "Where does honey come from?", "Good night!"),
)
PERSONAS = "configs/persona.yaml"
_TURNS = 4
"""Turns of each conversation."""
_OPTIONS = ReplyOptions(
    max_tokens=EMBEDDED_BUDGET.max_tokens, temperature=EMBEDDED_BUDGET.temperature
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Times of one reply, seconds after the request."""

    text: str
    first_word_s: float
    first_clause_s: float
    all_s: float
    tokens: int

    @property
    def tokens_per_s(self) -> float:
        """The pace after the first word."""
        return (self.tokens - 1) / max(1e-3, self.all_s - self.first_word_s)


def measure(_out: Path) -> list[Figure]:
    """Measure conversations of four turns, one after the other."""
    system = ChatMessage("system", system_text(read_personas(shipped(PERSONAS)).default))
    fetch_embedded_model()
    began_s = time.perf_counter()
    with embedded_model(system) as model:
        load_s = time.perf_counter() - began_s
        asked = [each for start in starts() for each in converse(model, system, start)]
        memory_mb = children_memory_mb()
    median = statistics.median
    return [
        Figure.at_most("embedded model: digests, load, reading of the persona", load_s, "s", 3, 1),
        Figure.at_most("embedded model: resident memory", memory_mb, "MB", 250, 1),
        Figure.at_most(
            "embedded model: question -> first word, p50",
            median(each.first_word_s for each in asked), "s", 0.5, len(asked),
        ),
        Figure.at_most(
            "embedded model: question -> first clause that can be spoken, p50",
            median(each.first_clause_s for each in asked), "s", 1.0, len(asked),
        ),
        Figure.at_least(
            "embedded model: pace of its writing, p50",
            median(each.tokens_per_s for each in asked), "tokens/s", 20, len(asked),
        ),
    ]  # fmt: skip


def starts() -> range:
    """Indices of the questions that begin a conversation."""
    return range(0, len(_QUESTIONS), _TURNS)


def converse(model: EmbeddedModel, system: ChatMessage, start: int) -> list[Asked]:
    """Ask the questions of one conversation."""
    messages, asked = [system], []
    for question in _QUESTIONS[start : start + _TURNS]:
        messages.append(ChatMessage("user", question))
        asked.append(ask(model, messages))
        messages.append(ChatMessage("assistant", asked[-1].text))
    return asked


def ask(model: EmbeddedModel, messages: list[ChatMessage]) -> Asked:
    """Ask once and take the times."""
    began_s, text, spoken = time.perf_counter(), "", StreamedText()
    first_word_s = first_clause_s = None
    reply = model.reply(messages, _OPTIONS)
    for piece in reply:
        now_s = time.perf_counter() - began_s
        first_word_s = first_word_s or now_s
        text += piece
        if spoken.feed(piece):
            first_clause_s = first_clause_s or now_s
    all_s = time.perf_counter() - began_s
    tokens = reply.ending.reply_tokens if reply.ending else None
    return Asked(text, first_word_s or all_s, first_clause_s or all_s, all_s, tokens or 1)


def children_memory_mb() -> float:
    """Return the resident memory of the processes that this one has started."""
    return sum(map(resident_mb, list(process_tree(os.getpid()))[1:]))
