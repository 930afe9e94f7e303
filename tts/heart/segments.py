"""The symbols of a sentence with the network's durations, as sounds and gaps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tts.heart.symbols import SymbolKind, kind_of
from tts.phonemes import stress_of

UNIT_S = 0.025
"""Unit of the network's durations."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A phoneme with the time that the durations state."""

    symbol: str
    start_s: float
    """Sum of the durations before it; after a space, the middle of that space."""
    units: float
    """Duration, with that of its stress mark and its modifiers."""
    after_space: bool
    stress: int
    """2 primary, 1 secondary, 0 none."""

    @property
    def stressed(self) -> bool:
        """Return True if a stress mark precedes it."""
        return self.stress > 0


@dataclass(frozen=True, slots=True)
class Gap:
    """Punctuation with the spaces next to it, or the silence around the sentence."""

    start_s: float
    end_s: float

    @property
    def middle_s(self) -> float:
        """Return the time in its middle."""
        return (self.start_s + self.end_s) / 2


def segments(symbols: str, durations: Sequence[float]) -> list[Sound | Gap]:
    """Return sounds and gaps in order; the first and the last are gaps.

    `durations`: one per symbol, and one each for the silence before and after.
    """
    if len(durations) != len(symbols) + 2:
        raise ValueError(f"{len(symbols)} symbols need {len(symbols) + 2} durations")
    return list(_Segmentation(symbols, durations))


class _Segmentation:
    """One pass over the symbols."""

    def __init__(self, symbols: str, durations: Sequence[float]) -> None:
        self._kinds = [SymbolKind.PAUSE, *map(kind_of, symbols), SymbolKind.PAUSE]
        self._symbols = ["", *symbols, ""]
        self._units = [float(units) for units in durations]
        self._starts_s = [0.0]
        for units in self._units:
            self._starts_s.append(self._starts_s[-1] + units * UNIT_S)

    def __iter__(self) -> Iterator[Sound | Gap]:
        index = 0
        while index < len(self._kinds):
            if self._kinds[index] in (SymbolKind.PAUSE, SymbolKind.SPACE):
                end = self._end_of(index, SymbolKind.PAUSE, SymbolKind.SPACE)
                if SymbolKind.PAUSE in self._kinds[index:end]:
                    yield Gap(self._starts_s[index], self._starts_s[end])
                index = end
            elif self._kinds[index] is SymbolKind.SOUND:
                end = self._end_of(index + 1, SymbolKind.MODIFIER)
                yield self._sound(index, end)
                index = end
            else:
                index += 1

    def _end_of(self, index: int, *kinds: SymbolKind) -> int:
        """Return the index after a run of symbols of these kinds."""
        while index < len(self._kinds) and self._kinds[index] in kinds:
            index += 1
        return index

    def _sound(self, index: int, end: int) -> Sound:
        first = index
        while self._kinds[first - 1] is SymbolKind.STRESS:
            first -= 1
        space = first
        while self._kinds[space - 1] is SymbolKind.SPACE:
            space -= 1
        after_space = space < first and self._kinds[space - 1] is not SymbolKind.PAUSE
        start_s = self._starts_s[first]
        if after_space:
            start_s = (self._starts_s[space] + start_s) / 2
        return Sound(
            self._symbols[index],
            start_s,
            sum(self._units[first:end]),
            after_space,
            stress_of("".join(self._symbols[first:index])),
        )
