"""Sentences in the voice `heart`: all times first, then the sound in pieces."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tts.heart.boundaries import Contours
from tts.heart.excerpt import CONTEXT_SYMBOLS, excerpt, first_words, last_words
from tts.heart.g2p import split_symbols
from tts.heart.level import frame_power, gain_of, predicted_power
from tts.heart.network import MAX_SYMBOLS, HeartNetwork, Prosody
from tts.heart.symbols import PAUSES, SPACE
from tts.heart.timing import Timeline, timeline
from tts.heart.vocoder import HOP, SAMPLE_RATE_HZ
from tts.loudness import limited
from tts.pauses import CLAUSE_PAUSE_S, LEAD_S, SENTENCE_PAUSE_S
from tts.speech import Phoneme
from tts.voice import SentenceFailed

_CLOSING_SYMBOLS = 3
"""Two spaces and a comma between a text and its context."""
_PART_SYMBOLS = MAX_SYMBOLS - 2 * CONTEXT_SYMBOLS - _CLOSING_SYMBOLS - 1
"""Symbols of a part of a text that the network cannot take at once; leaves room for its context."""

_SENTENCE_ENDS, _CLAUSE_ENDS = frozenset(".!?…"), frozenset(",;:—")
_CLOSERS = '"”) '
_ANY_END = "".join(PAUSES) + SPACE
_CONTEXT_LETTERS = 80
"""Letters of neighbouring text that are read: enough for the longest context."""
_FADE_SAMPLES = SAMPLE_RATE_HZ // 100


@dataclass(frozen=True, slots=True, eq=False)
class PlannedSpeech:
    """A sentence whose times are known and whose sound is made piece by piece."""

    phonemes: tuple[Phoneme, ...]
    """In order, without gaps or overlaps, over all samples."""
    samples: int
    """Number of samples of all pieces together, at SAMPLE_RATE_HZ."""
    pieces: Iterator[NDArray[np.float32]]
    """(n,) mono, at the level of all voices; each is made when it is asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """As many symbols as the network takes at once, and the stretch of their sound to use."""

    prosody: Prosody
    timeline: Timeline

    @property
    def samples(self) -> int:
        return self.timeline.hops * HOP

    def hops(self) -> tuple[int, int, int]:
        """Return the numbers of hops before the network's sound, inside it, and after it."""
        first, last = self.timeline.first_hop, self.timeline.first_hop + self.timeline.hops
        before, after = max(-first, 0), max(last - self.prosody.frames, 0)
        return before, self.timeline.hops - before - after, after

    def power(self) -> NDArray[np.float64]:
        """Return the estimated power of each hop."""
        before, inside, after = self.hops()
        first = max(self.timeline.first_hop, 0)
        energy = self.prosody.energy[first : first + inside]
        return np.pad(predicted_power(energy), (before, after))


class HeartSynthesizer:
    """The voice `heart`. Thread-safe, if `symbols_of` is."""

    def __init__(self, network: HeartNetwork, symbols_of: Callable[[str], str]) -> None:
        """`symbols_of` returns the network's symbols for a text."""
        self._network = network
        self._symbols_of = symbols_of

    def plan(
        self,
        text: str,
        *,
        symbols: str | None = None,
        speed: float = 1.0,
        is_end: bool = True,
        neighbours: tuple[str, str] = ("", ""),
        seed: int = 0,
    ) -> Iterator[PlannedSpeech | None]:
        """Yield None after each step of the work, and finally the speech, if the text has sound.

        Most texts take one step of about 20 ms. `is_end` is false if the sentence continues after
        the text; `neighbours` are the texts before and after it in the same sentence. `symbols`
        replaces the network's symbols for the text.
        """
        own = self._symbols_of(text) if symbols is None else symbols
        symbols = _punctuated(own, is_end=is_end)
        limit = MAX_SYMBOLS - 1 if len(symbols) < MAX_SYMBOLS else _PART_SYMBOLS
        pieces = [_closed(piece) for piece in split_symbols(symbols, limit)]
        before, after = neighbours[0][-_CONTEXT_LETTERS:], neighbours[1][:_CONTEXT_LETTERS]
        around = [self._context(before), *pieces, self._context(after)]
        parts = list[_Part]()
        for index, piece in enumerate(pieces):
            if index:
                yield None
            prosody = self._excerpt(piece, around[index], around[index + 2], speed)
            if prosody is None:
                if around[index] or around[index + 2]:
                    yield None
                prosody = self._network.prosody(piece, speed)
            pause_s = SENTENCE_PAUSE_S if is_end and index == len(pieces) - 1 else CLAUSE_PAUSE_S
            parts.append(_Part(prosody, _timeline(prosody, speed, pause_s)))
        if parts:
            samples = sum(part.samples for part in parts)
            yield PlannedSpeech(tuple(_phonemes(parts)), samples, self._sound(parts, seed))

    def _context(self, text: str) -> str:
        """Return the symbols of a neighbouring text, or "" if the voice cannot read it."""
        try:
            return self._symbols_of(text)
        except SentenceFailed:
            return ""

    def _excerpt(self, symbols: str, before: str, after: str, speed: float) -> Prosody | None:
        """Return the prosody of symbols that are spoken between others; None without context."""
        room = MAX_SYMBOLS - len(symbols) - _CLOSING_SYMBOLS
        longest = min(CONTEXT_SYMBOLS, room // 2 if before and after else room)
        if longest <= 0:
            return None
        words = last_words(before, longest), first_words(after, longest)
        head = _closed(words[0]) + SPACE if words[0] else ""
        whole = head + symbols + (SPACE + words[1] if words[1] else "")
        if whole == symbols:
            return None
        prosody = self._network.prosody(whole, speed)
        return excerpt(prosody, len(head), len(head) + len(symbols))

    def _sound(self, parts: Sequence[_Part], seed: int) -> Iterator[NDArray[np.float32]]:
        """Yield the pieces, at the level that the first one and the predictions give."""
        power = np.concatenate([part.power() for part in parts])
        gain: np.float32 | None = None
        for part in parts:
            for piece in self._raw(part, seed):
                if gain is None:
                    gain = np.float32(gain_of(power, frame_power(piece)))
                yield limited(piece * gain)

    def _raw(self, part: _Part, seed: int) -> Iterator[NDArray[np.float32]]:
        """Yield the sound of a part, between silence where the network has made none."""
        before, inside, after = part.hops()
        first = max(part.timeline.first_hop, 0)
        pieces = self._network.pieces(part.prosody, first_hop=first, hops=inside, seed=seed)
        for index, piece in enumerate(_faded(pieces, inside * HOP)):
            yield piece if index else np.pad(piece, (before * HOP, 0))
        if after:
            yield np.zeros(after * HOP, np.float32)


def _timeline(prosody: Prosody, speed: float, pause_s: float) -> Timeline:
    return timeline(
        prosody.symbols,
        prosody.durations.tolist(),
        Contours.of(prosody.energy, prosody.pitch_hz),
        speed,
        lead_s=LEAD_S,
        pause_s=pause_s / speed,
    )


def _faded(pieces: Iterator[NDArray[np.float32]], samples: int) -> Iterator[NDArray[np.float32]]:
    """Fade pieces in and out, because they are cut out of a longer sound, such as breath."""
    done = 0
    for piece in pieces:
        if not done:
            piece[:_FADE_SAMPLES] *= _fade()
        done += len(piece)
        if done == samples:
            piece[-_FADE_SAMPLES:] *= _fade()[::-1]
        yield piece


def _fade() -> NDArray[np.float32]:
    return np.linspace(0, 1, _FADE_SAMPLES, dtype=np.float32)


def _punctuated(symbols: str, *, is_end: bool) -> str:
    """Return symbols that end as a sentence does, or as one that goes on.

    The network was trained on sentences with punctuation; without it, it runs on at the end.
    """
    last = symbols.rstrip(_CLOSERS)[-1:]
    if last in (_SENTENCE_ENDS if is_end else _CLAUSE_ENDS):
        return symbols
    return symbols.rstrip(_ANY_END) + ("." if is_end else ",")


def _closed(symbols: str) -> str:
    """Return symbols that end with a pause."""
    return symbols if symbols[-1:] in PAUSES else symbols + ","


def _phonemes(parts: Sequence[_Part]) -> Iterator[Phoneme]:
    """Yield the phonemes of all parts, with times from the start of the first one."""
    offset_s = 0.0
    for part in parts:
        for phoneme in part.timeline.phonemes:
            yield replace(
                phoneme, start_s=phoneme.start_s + offset_s, end_s=phoneme.end_s + offset_s
            )
        offset_s += part.samples / SAMPLE_RATE_HZ
