"""Account of the utterances of one speaker: each is finished exactly once. No input or output."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_REMEMBERED = 256
"""Utterances whose numbers and drops are remembered: media on its way may still name them."""


@dataclass(eq=False)
class Utterance:
    """One utterance, from `begin` to its end."""

    name: str
    rate: int
    """Sample rate of the sound that goes in."""
    odd: bytes = b""
    """The beginning of a sample whose end has not been written yet."""
    sent: int = 0
    """Samples that were sent to the server."""
    is_begun: bool = False
    """True if its `begin` was sent to the server."""
    is_closed: bool = False
    """True if all of its sound was written."""
    played_s: float = 0.0
    """Seconds that were played, by the packets that arrived."""

    @property
    def ahead_s(self) -> float:
        """Seconds that were sent and not played yet."""
        return max(0.0, self.sent / self.rate - self.played_s)


@dataclass
class Ledger:
    """The utterances that are not finished, in their order."""

    _open: dict[str, Utterance] = field(default_factory=dict)
    _dropped: dict[str, Utterance] = field(default_factory=dict)
    """Utterances that were cleared, of which the server has not reported the end yet."""
    _names: "OrderedDict[int, str]" = field(default_factory=OrderedDict)
    """Names by the numbers that the server has given, also of the last finished ones."""
    _silenced: "OrderedDict[str, None]" = field(default_factory=OrderedDict)
    """Names of the last dropped utterances, finished or not."""

    def begin(self, name: str, rate: int) -> Utterance:
        """Add an utterance; raises ValueError for a name that is in use."""
        if name in self._open or name in self._dropped:
            raise ValueError(f"utterance = {name!r}: is in use; choose another name")
        self._silenced.pop(name, None)
        self._open[name] = Utterance(name, rate)
        return self._open[name]

    def get(self, name: str | None) -> Utterance | None:
        """Return an utterance that is neither finished nor dropped."""
        return None if name is None else self._open.get(name)

    def number(self, name: str, number: int) -> None:
        """Note the number that the server has given an utterance."""
        self._names[number] = name
        if len(self._names) > MAX_REMEMBERED:
            self._names.popitem(last=False)

    def name_of(self, number: int) -> str | None:
        """Return the name of the utterance with a number; None if it is not of this speaker."""
        return self._names.get(number)

    def is_silenced(self, name: str | None) -> bool:
        """True for an utterance that was dropped: nothing of it is passed on."""
        return name in self._silenced

    def played(self, name: str, seconds: float) -> None:
        """Note how much of an utterance was played."""
        utterance = self._open.get(name) or self._dropped.get(name)
        if utterance is not None:
            utterance.played_s = max(utterance.played_s, seconds)

    def finish(self, name: str) -> Utterance | None:
        """Remove an utterance; None if it has been finished before, or was never begun."""
        return self._open.pop(name, None) or self._dropped.pop(name, None)

    def clear(self) -> list[Utterance]:
        """Drop all open utterances; return, and remove, those that the server does not know."""
        for name in self._open:
            self._silenced[name] = None
        while len(self._silenced) > MAX_REMEMBERED:
            self._silenced.popitem(last=False)
        unknown = [each for each in self._open.values() if not each.is_begun]
        self._dropped.update({each.name: each for each in self._open.values() if each.is_begun})
        self._open.clear()
        return unknown

    def take_dropped(self) -> list[Utterance]:
        """Remove and return the utterances that were dropped."""
        return self._take([*self._dropped.values()])

    def take_begun(self) -> list[Utterance]:
        """Remove and return the utterances that the server knows."""
        self._names.clear()
        return self._take([each for each in self if each.is_begun])

    def take_all(self) -> list[Utterance]:
        """Remove and return every utterance."""
        return self._take([*self])

    def _take(self, utterances: list[Utterance]) -> list[Utterance]:
        for each in utterances:
            self.finish(each.name)
        return utterances

    @property
    def ahead_s(self) -> float:
        """Seconds of sound that the server has and has not played."""
        return sum(each.ahead_s for each in self._open.values())

    @property
    def begun(self) -> int:
        """Number of utterances that the server knows."""
        return sum(each.is_begun for each in self)

    @property
    def is_empty(self) -> bool:
        """True if every utterance is finished."""
        return not self._open and not self._dropped

    def __iter__(self) -> Iterator[Utterance]:
        return iter([*self._dropped.values(), *self._open.values()])
