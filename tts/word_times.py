"""Times of the words of a text in the sound of one of its sentences.

Voices mark the sounds that begin a word, as they read the text: they join "of the", and divide
"1984" and "U.S.". So the words of the text and those of the voice are matched in order by their
lengths. Without phonemes, the times follow from the lengths of the words alone.
"""

import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, zip_longest

from tts.pauses import LEAD_S, SENTENCE_PAUSE_S
from tts.speech import Phoneme, Speech, TimedWord
from tts.text.sentences import Sentence, has_word

_WORD = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff][\u0300-\u036f\u0e31-\u0e4e\u3099\u309a]*[^\\w\\s]*|"
    "(?:(?![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff])\\S)+"
)
"""A run without blanks, or a letter of a script that writes no blanks, with its marks."""
_WIDE_LETTERS, _DIGIT_LETTERS, _CAPITAL_LETTERS = 3.0, 5.0, 2.5
"""Usual length of a Chinese character, a digit and a spelled capital, in letters."""
_CAPITALS = re.compile(r"[A-Z]{2,5}\b|(?:[A-Za-z]\.){2,}")
_CLAUSE_END = re.compile(r"[,;:.!?…—–，、；：。！？،؛]\W*$")
_MERGED, _UNPAUSED, _UNMARKED = 0.35, 0.3, 0.6
"""Costs of each further word that is joined, of a mark without a pause, of a pause without one."""
_UNMATCHED = 2.0
"""Cost of a word without sounds, or of sounds without a word."""
_BLANK_LETTERS, _PAUSE_LETTERS = 0.5, 3.0
"""Time between two words, and after a clause, in letters."""
_MOST_JOINED, _MOST_DIVIDED = 4, 8
_BAND = 8
"""Words by which the match may leave the diagonal."""
_SURE = 0.9
"""Highest cost of a word for which equal numbers of words need no search."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The sounds of one word, as the voice divides the text."""

    start_s: float
    end_s: float
    sounds: int
    after_pause: bool


@dataclass(frozen=True, slots=True)
class _Word:
    """A word that is spoken for a part of the text."""

    origin: int
    """Index of its first character in the text that was sent."""
    letters: float
    ends_clause: bool


Times = tuple[float, float] | None
"""Start and end of a word, seconds; None if it has no sound."""


def with_words(speech: Speech, text: str, sentence: Sentence, pause_s: float) -> Speech:
    """Return the speech of a sentence of `text` with its place there, and its words.

    `pause_s`: silence at its end, if its phonemes are not known.
    """
    spoken = list(_spoken_words(sentence))
    phonemes = speech.phonemes or ()
    groups = list(_groups(phonemes))
    is_marked = any(each.begins_word for each in phonemes)
    span_s = (groups[0].start_s, groups[-1].end_s) if groups else _sounding_s(speech, pause_s)
    times = _matched(spoken, groups) if is_marked else []
    is_matched = any(times)
    if not is_matched:  # the marks of the voice do not agree with the text at all
        times = _estimated(spoken, *span_s)
    return replace(
        speech,
        place=(sentence.start, sentence.end),
        words=tuple(_shown_words(text, sentence, spoken, times)),
        has_estimated_words=not is_matched,
    )


def with_estimated_place(speech: Speech, text: str, start: int) -> Speech:
    """Return speech with its place in a text and its words, for voices that do not report them.

    `start`: the end of the sentence before it.
    """
    if speech.place is not None:
        return speech
    found = text.find(speech.text, start)
    begin = start if found < 0 else found
    end = min(begin + len(speech.text), len(text))
    sentence = Sentence(speech.text, is_end=True, start=begin, end=end)
    return with_words(speech, text, sentence, SENTENCE_PAUSE_S)


def _sounding_s(speech: Speech, pause_s: float) -> tuple[float, float]:
    """Return the usual start and end of the sound of a sentence."""
    start_s = min(LEAD_S, speech.duration_s)
    return start_s, max(start_s, speech.duration_s - pause_s)


def _spoken_words(sentence: Sentence) -> Iterator[_Word]:
    for match in _WORD.finditer(sentence.text):
        word = match.group()
        if not has_word(word):
            continue
        index = match.start()
        origin = sentence.origins[index] if sentence.origins else sentence.start + index
        yield _Word(origin, _letters(word), bool(_CLAUSE_END.search(word)))


def _letters(word: str) -> float:
    """Return the length of a word in letters, as it is spoken."""
    if _CAPITALS.search(word):
        return _CAPITAL_LETTERS * sum(character.isalpha() for character in word)
    return sum(_letters_of(character) for character in word)


def _letters_of(character: str) -> float:
    if character.isdigit():
        return _DIGIT_LETTERS
    if not character.isalpha():
        return 0.0
    return _WIDE_LETTERS if unicodedata.east_asian_width(character) == "W" else 1.0


def _groups(phonemes: Sequence[Phoneme]) -> Iterator[_Group]:
    """Yield the sounds of each word, without the pauses between them."""
    group: _Group | None = None
    after_pause = False
    for each in phonemes:
        if not each.symbol:
            after_pause = True
        elif group is None or each.begins_word:
            if group is not None:
                yield group
            group = _Group(each.start_s, each.end_s, 1, after_pause)
            after_pause = False
        else:
            group = replace(group, end_s=each.end_s, sounds=group.sounds + 1)
            after_pause = False
    if group is not None:
        yield group


def _estimated(words: Sequence[_Word], start_s: float, end_s: float) -> list[Times]:
    """Return times in proportion to the lengths of the words and the pauses after clauses."""
    lengths = [word.letters + _BLANK_LETTERS for word in words]
    pauses = [_PAUSE_LETTERS if word.ends_clause else 0.0 for word in words[:-1]]
    ends = list(accumulate(map(sum, zip_longest(lengths, pauses, fillvalue=0.0))))
    factor = (end_s - start_s) / ends[-1] if ends else 0.0
    starts = [0.0, *ends[:-1]]
    return [
        (start_s + factor * start, start_s + factor * (start + length))
        for start, length in zip(starts, lengths, strict=True)
    ]


def _matched(words: Sequence[_Word], groups: Sequence[_Group]) -> list[Times]:
    """Return the times of the groups that belong to each word, in order."""
    match = _Match(words, groups)
    if len(words) == len(groups) and match.is_sure():
        return [(group.start_s, group.end_s) for group in groups]
    return match.times()


class _Match:
    """Cheapest assignment of words to groups of sounds, by dynamic programming."""

    def __init__(self, words: Sequence[_Word], groups: Sequence[_Group]) -> None:
        self._words, self._groups = words, groups
        self._letters = [0.0, *accumulate(word.letters for word in words)]
        self._sounds = [0, *accumulate(group.sounds for group in groups)]
        self._ratio = self._sounds[-1] / max(self._letters[-1], 1.0)

    def is_sure(self) -> bool:
        """Return True if each word fits the group of the same number."""
        return all(self._cost(i, i + 1, i, i + 1) < _SURE for i in range(len(self._words)))

    def times(self) -> list[Times]:
        """Return the times of each word."""
        steps = self._cheapest_steps()
        i, j = len(self._words), len(self._groups)
        found: list[Times] = []
        while i or j:
            before_i, before_j = steps[i, j]
            found += reversed(self._divided(before_i, i, before_j, j))
            i, j = before_i, before_j
        return found[::-1]

    def _cheapest_steps(self) -> dict[tuple[int, int], tuple[int, int]]:
        """Return the last step of the cheapest way to each pair of counts."""
        n, m = len(self._words), len(self._groups)
        costs: dict[tuple[int, int], float] = {(0, 0): 0.0}
        steps: dict[tuple[int, int], tuple[int, int]] = {}
        reach = max(_BAND, math.ceil(m / max(n, 1)))  # the bands of neighbouring rows overlap
        for i in range(n + 1):
            middle = round(i * m / max(n, 1))
            band = range(m + 1) if m <= 3 * _BAND else range(middle - reach, middle + reach + 1)
            for j in band:
                for before in self._before(i, j):
                    known = costs.get(before)
                    if known is None:
                        continue
                    cost = known + self._cost(before[0], i, before[1], j)
                    if cost < costs.get((i, j), math.inf):
                        costs[i, j], steps[i, j] = cost, before
        return steps

    def _before(self, i: int, j: int) -> Iterator[tuple[int, int]]:
        """Yield the pairs of counts from which a step leads to this one."""
        if i and 0 <= j <= len(self._groups):
            yield i - 1, j
            yield from ((i - 1, j - k) for k in range(1, min(j, _MOST_DIVIDED) + 1))
            if j:
                yield from ((i - k, j - 1) for k in range(2, min(i, _MOST_JOINED) + 1))
        if 0 < j <= len(self._groups):
            yield i, j - 1

    def _cost(self, i: int, next_i: int, j: int, next_j: int) -> float:
        """Return the cost of speaking the words from `i` on with the groups from `j` on."""
        if i == next_i or j == next_j:
            return _UNMATCHED
        expected = self._ratio * (self._letters[next_i] - self._letters[i])
        sounds = self._sounds[next_j] - self._sounds[j]
        cost = abs(expected - sounds) / math.sqrt(expected + sounds + 1)
        cost += _MERGED * (max(next_i - i, next_j - j) - 1)
        cost += _UNPAUSED * sum(word.ends_clause for word in self._words[i : next_i - 1])
        if not (i and j):
            return cost
        is_marked, is_paused = self._words[i - 1].ends_clause, self._groups[j].after_pause
        return cost + (_UNPAUSED if is_marked else _UNMARKED) * (is_marked != is_paused)

    def _divided(self, i: int, next_i: int, j: int, next_j: int) -> list[Times]:
        """Return the times of words that are spoken with some groups."""
        if j == next_j:
            return [None] * (next_i - i)
        start_s, end_s = self._groups[j].start_s, self._groups[next_j - 1].end_s
        if next_i - i < 2:
            return [(start_s, end_s)] * (next_i - i)
        letters = self._letters[next_i] - self._letters[i]
        bounds = [
            start_s + (end_s - start_s) * (each - self._letters[i]) / max(letters, 1.0)
            for each in self._letters[i : next_i + 1]
        ]
        return list(pairwise(bounds))


def _shown_words(
    text: str, sentence: Sentence, spoken: Sequence[_Word], times: Sequence[Times]
) -> Iterator[TimedWord]:
    """Yield the words of the text, each with the time of all that is spoken for it."""
    places = [
        (sentence.start + match.start(), sentence.start + match.end())
        for match in _WORD.finditer(text[sentence.start : sentence.end])
    ]
    starts = [start for start, _ in places]
    found: list[list[tuple[float, float]]] = [[] for _ in places]
    for word, time in zip(spoken, times, strict=True):
        if time is not None and places:
            found[max(0, bisect_right(starts, word.origin) - 1)].append(time)
    for (start, end), parts in zip(places, found, strict=True):
        start_s = min((part[0] for part in parts), default=None)
        yield TimedWord(start, end, start_s, max((part[1] for part in parts), default=None))
