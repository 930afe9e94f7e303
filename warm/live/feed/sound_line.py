"""Sound line of a feed: samples on its clock, taken in packets of 20 ms."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warm.live.feed.subscriber import PACKET_SAMPLES

DECAY = 128
"""Samples in which a sound that breaks off goes to zero, so that it does not click."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Packet:
    """20 ms of sound."""

    sample: int
    """Its first sample on the feed's clock."""
    samples: NDArray[np.float32]
    """(960,), read-only."""
    is_silent: bool
    utterance: str | None = None
    position: int | None = None
    """Sample of the utterance that is heard `offset` samples after the first."""
    offset: int = 0


@dataclass(slots=True, eq=False)
class Piece:
    """Consecutive samples of one origin."""

    samples: NDArray[np.float32]
    is_silent: bool
    utterance: str | None = None
    position: int | None = None


class SoundLine:
    """Queue of samples; its start and end are places on the clock."""

    def __init__(self) -> None:
        self.start = 0
        """Sample of the clock that is taken next."""
        self._pieces: deque[Piece] = deque()
        self._length = 0
        self._last = 0.0
        """Last sample of the line."""

    @property
    def end(self) -> int:
        """First sample of the clock that the line does not have."""
        return self.start + self._length

    def say(
        self, samples: NDArray[np.float32], utterance: str | None, position: int | None
    ) -> None:
        """Append speech."""
        if len(samples):
            self._append(Piece(samples, False, utterance, position))
            self._last = float(samples[-1])

    def rest(self, end: int) -> None:
        """Append silence up to a sample of the clock."""
        count = end - self.end
        if count <= 0:
            return
        silence = np.zeros(count, np.float32)
        has_tail = abs(self._last) > 0
        if has_tail:
            decay = self._last * np.linspace(1, 0, DECAY, dtype=np.float32) ** 2
            silence[:DECAY] = decay[:count]
        self._last = 0.0
        self._append(Piece(silence, not has_tail))

    def remaining(self) -> NDArray[np.float32]:
        """Return the samples that were not taken."""
        return np.concatenate([np.zeros(0, np.float32), *(each.samples for each in self._pieces)])

    def replace(self, samples: NDArray[np.float32]) -> None:
        """Replace the samples that were not taken."""
        self._pieces.clear()
        self._length = 0
        self._last = 0.0
        if len(samples):
            self._append(Piece(samples, False))

    def skip_to(self, sample: int) -> None:
        """Drop everything; the line goes on at a later sample of the clock."""
        self.replace(np.zeros(0, np.float32))
        self.start = sample

    def take(self) -> Packet:
        """Take the next 960 samples; the line must have them."""
        sample, parts, needed = self.start, [], PACKET_SAMPLES
        first: Piece | None = None
        offset = 0
        is_silent = True
        while needed:
            piece = self._pieces[0]
            if first is None and piece.position is not None:
                first, offset = (
                    Piece(piece.samples, False, piece.utterance, piece.position),
                    PACKET_SAMPLES - needed,
                )
            part, rest = piece.samples[:needed], piece.samples[needed:]
            is_silent = is_silent and piece.is_silent
            parts.append(part)
            needed -= len(part)
            if len(rest):
                piece.samples = rest
                if piece.position is not None:
                    piece.position += len(part)
            else:
                self._pieces.popleft()
        self.start += PACKET_SAMPLES
        self._length -= PACKET_SAMPLES
        samples = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return Packet(
            sample=sample,
            samples=samples,
            is_silent=is_silent,
            utterance=None if first is None else first.utterance,
            position=None if first is None else first.position,
            offset=offset,
        )

    def _append(self, piece: Piece) -> None:
        self._pieces.append(piece)
        self._length += len(piece.samples)
