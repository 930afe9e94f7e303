"""Sound that waits to be sent, in messages of the live socket. No input or output."""

from collections import deque
from dataclasses import dataclass, field

from warmtalk_client.errors import WarmtalkError
from warmtalk_client.ledger import Utterance
from warmtalk_client.messages import SAMPLE_BYTES

MAX_WAITING_S = 600.0
"""Sound that may wait in this process."""
PIECE_S = 0.1
"""Longest message of sound."""


class BufferFull(WarmtalkError):
    """More sound waits than is allowed."""

    def __init__(self) -> None:
        super().__init__(
            f"more than {MAX_WAITING_S:.0f} s of sound wait to be spoken; wait for has_room()"
        )


@dataclass(frozen=True)
class Begin:
    """An utterance is to be begun."""

    utterance: Utterance


@dataclass(frozen=True)
class Write:
    """Sound is to be sent."""

    utterance: Utterance
    pcm: bytes

    @property
    def seconds(self) -> float:
        """Duration of the sound."""
        return len(self.pcm) / SAMPLE_BYTES / self.utterance.rate


@dataclass(frozen=True)
class End:
    """An utterance is to be ended."""

    utterance: Utterance


Item = Begin | Write | End


@dataclass
class Outbox:
    """A queue of what is to be sent."""

    _items: deque[Item] = field(default_factory=deque)
    waiting_s: float = 0.0
    """Sound that waits."""

    def begin(self, utterance: Utterance) -> None:
        """Add the beginning of an utterance."""
        self._items.append(Begin(utterance))

    def write(self, utterance: Utterance, pcm: bytes) -> None:
        """Add sound; raises BufferFull. A sample that is split between calls is joined."""
        pcm = utterance.odd + pcm
        whole = len(pcm) - len(pcm) % SAMPLE_BYTES
        seconds = whole / SAMPLE_BYTES / utterance.rate
        if self.waiting_s + seconds > MAX_WAITING_S:
            raise BufferFull
        utterance.odd = pcm[whole:]
        self.waiting_s += seconds
        size = int(PIECE_S * utterance.rate) * SAMPLE_BYTES
        for start in range(0, whole, size):
            self._items.append(Write(utterance, pcm[start : min(start + size, whole)]))

    def end(self, utterance: Utterance) -> None:
        """Add the end of an utterance."""
        self._items.append(End(utterance))

    @property
    def first(self) -> Item | None:
        """The item that is to be sent next."""
        return self._items[0] if self._items else None

    def take(self) -> Item:
        """Remove and return the first item."""
        item = self._items.popleft()
        if isinstance(item, Write):
            self.waiting_s = max(0.0, self.waiting_s - item.seconds)
        return item

    def drop(self, utterances: list[Utterance]) -> None:
        """Remove everything of these utterances."""
        names = {each.name for each in utterances}
        self._items = deque(each for each in self._items if each.utterance.name not in names)
        self.waiting_s = sum(each.seconds for each in self._items if isinstance(each, Write))

    def clear(self) -> None:
        """Remove everything."""
        self._items.clear()
        self.waiting_s = 0.0
