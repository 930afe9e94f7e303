"""Sound of a film whose length is not known before its end."""

from threading import Lock

import numpy as np

from session.film import FilmSpec
from tts.speech import Samples

FADE_SAMPLES = 1920
"""40 ms: length of the fade-out of sound that breaks off."""


class GrowingAudio:
    """48 kHz samples that arrive in pieces, of which the latest are kept.

    One thread calls `add` and `end`; any thread may read.
    """

    def __init__(self, spec: FilmSpec) -> None:
        self.is_complete = False
        """True once nothing more can arrive."""
        self.arrived = 0
        """Number of samples that have arrived."""
        self._step = spec.samples_per_frame
        self._first = 0
        """Index of the first sample that is kept."""
        self._kept = np.zeros(1 << 16, np.float32)
        self._lock = Lock()

    @property
    def frames(self) -> int:
        """Video frames whose sound has arrived; with a partial one once it is complete."""
        return -(-self.arrived // self._step) if self.is_complete else self.arrived // self._step

    def add(self, piece: Samples) -> None:
        """Append a piece; the samples are -1…1."""
        with self._lock:
            if self.is_complete:  # it was cut
                return
            start = self.arrived - self._first
            self._reserve(start + len(piece))
            self._kept[start : start + len(piece)] = piece
            self.arrived += len(piece)

    def end(self, *, is_broken: bool = False) -> None:
        """Note that nothing more arrives; fade out the end of sound that breaks off."""
        with self._lock:
            if is_broken:
                stop = self.arrived - self._first
                last = self._kept[max(0, stop - FADE_SAMPLES) : stop]
                last *= np.linspace(1.0, 0.0, len(last), dtype=np.float32)
            self.is_complete = True

    def cut(self, samples: int) -> None:
        """End after the first `samples`; what arrives later is dropped."""
        with self._lock:
            self.arrived = min(self.arrived, max(samples, self._first))
            self.is_complete = True

    def samples(self, start: int, stop: int) -> Samples:
        """Return a copy of samples `start` to `stop`, silent where there are none."""
        out = np.zeros(max(0, stop - start), np.float32)
        with self._lock:
            first, last = max(start, self._first), min(stop, self.arrived)
            if first < last:
                found = self._kept[first - self._first : last - self._first]
                out[first - start : last - start] = found
        return out

    def drop_before(self, start: int) -> None:
        """Keep only the samples from `start` on."""
        with self._lock:
            count = min(start, self.arrived) - self._first
            if count > len(self._kept) // 2:
                rest = self._kept[count : self.arrived - self._first].copy()
                self._kept[: len(rest)] = rest
                self._first += count

    def _reserve(self, size: int) -> None:
        if size > len(self._kept):
            kept = np.zeros(max(size, 2 * len(self._kept)), np.float32)
            kept[: len(self._kept)] = self._kept
            self._kept = kept
