"""Three hundred answers in the style of language models, cut as a person would read them.

The answers and the sentences that a person would read aloud are in `tests`. Each answer arrives
in random pieces, like the tokens of a model.
"""

import random
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figure import Figure, p95
from tts.text.streamed.speakable_unit import SpeakableUnit
from tts.text.streamed.streamed_text import StreamedText

REPLIES = Path(__file__).parents[2] / "tests" / "tts" / "text" / "streamed" / "replies"
_MARK, _SPEAKS = "@@ ", "speaks"
_LONGEST_TOKEN = 7
_ROUNDS = 3
_BLANK_BEFORE_MARK = re.compile(r"\s+(?=[.,!?;:…。，！？])")
_BLANK_BETWEEN_WIDE = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef]) (?=[“\u3000-\u9fff])")
_FINAL_STOP = re.compile(r"[.。]+$")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of a language model."""

    name: str
    text: str
    spoken: tuple[str, ...]
    """Its sentences as a person reads them."""


def read_replies(folder: Path = REPLIES) -> list[Reply]:
    """Return the answers of all files of a folder."""
    return [reply for path in sorted(folder.glob("*.txt")) for reply in _replies(path)]


def _replies(path: Path) -> Iterator[Reply]:
    parts = path.read_text("utf-8").split(f"\n{_MARK}")
    for text, spoken in zip(parts[::2], parts[1::2], strict=True):
        name, _, answer = text.removeprefix(_MARK).partition("\n")
        lines = spoken.removeprefix(_SPEAKS).strip().splitlines()
        yield Reply(f"{path.stem}: {name}", answer, tuple(lines))


def random_pieces(text: str, random_source: random.Random) -> Iterator[str]:
    """Divide a text into pieces of the size of tokens."""
    start = 0
    while start < len(text):
        length = random_source.randint(1, _LONGEST_TOKEN)
        yield text[start : start + length]
        start += length


def units_of(pieces: Iterable[str]) -> list[SpeakableUnit]:
    """Return the units of a text that arrives in pieces."""
    streamed = StreamedText()
    units = [unit for piece in pieces for unit in streamed.feed(piece)]
    return [*units, *streamed.end()]


def timed_units(pieces: Iterable[str], times_us: list[float]) -> list[SpeakableUnit]:
    """Return the units of a text that arrives in pieces; add the time that each piece took."""
    streamed = StreamedText()
    units = list[SpeakableUnit]()
    for piece in pieces:
        began_s = time.perf_counter()
        units += streamed.feed(piece)
        times_us.append((time.perf_counter() - began_s) * 1e6)
    return [*units, *streamed.end()]


def sentences_of(units: Sequence[SpeakableUnit]) -> list[str]:
    """Return the sentences of units; a sentence may have come in several."""
    found, parts = list[str](), list[str]()
    for unit in units:
        parts.append(unit.plain.text)
        if unit.is_sentence_end:
            found.append(" ".join(parts))
            parts = []
    return [*found, " ".join(parts)] if parts else found


def is_cut_right(reply: Reply, units: Sequence[SpeakableUnit]) -> bool:
    """Return True if the units are the sentences that a person would read.

    Blanks and the stop at the end of a line do not count.
    """
    return [*map(_comparable, sentences_of(units))] == [*map(_comparable, reply.spoken)]


def _comparable(sentence: str) -> str:
    line = _BLANK_BEFORE_MARK.sub("", " ".join(sentence.split()))
    line = _BLANK_BETWEEN_WIDE.sub("", line)
    return _FINAL_STOP.sub("", line)


def measure(out: Path) -> list[Figure]:
    """Cut all answers several times; those that are cut wrongly go to `out`."""
    replies, source = read_replies(), random.Random(1)
    wrong, times_us = dict[str, list[str]](), list[float]()
    for _ in range(_ROUNDS):
        for reply in replies:
            units = timed_units(random_pieces(reply.text, source), times_us)
            if not is_cut_right(reply, units):
                wrong[reply.name] = sentences_of(units)
    lines = [f"{name}\n" + "\n".join(f"  {each}" for each in wrong[name]) for name in wrong]
    (out / "cuts.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    name = f"{len(replies)} answers that arrive in pieces: {{}}"
    return [
        Figure.at_most(name.format("cut wrongly"), len(wrong), "", 0, len(replies)),
        Figure.at_most(
            name.format("time per piece, p95"), p95(times_us), "us", 1000, len(times_us)
        ),
    ]
