"""Raw sound of a live client: 16-bit samples that arrive piece by piece."""

from collections import deque
from collections.abc import Callable, Iterator
from threading import Condition

import numpy as np

from isolation.item import Item
from isolation.process import RequestCancelled
from session.film import SAMPLE_RATE_HZ
from tts.speech import Samples
from warm.media.film_audio import Resampler
from warm.media.recording_errors import PcmOverflow, PcmRateUnsupported, RecordingStalled
from warm.render.sound_source import Patience

RATES_HZ = (8_000, 96_000)
"""Lowest and highest rate."""
BYTES_PER_SAMPLE = 2
LONGEST_WAITING_S = 120.0
"""Sound that may wait to be spoken; a client that sends more at once is refused."""
LONGEST_ITEM = SAMPLE_RATE_HZ
"""Samples that `items` yields at once."""
CHECK_S = 0.2
"""Interval at which a reader that waits checks whether the sound is still wanted."""


class PcmStream:
    """Mono s16le samples that one thread writes and another reads: a `SoundSource`.

    A piece may end within a sample. What the client sends is one utterance, which `end` completes.
    """

    is_file = False

    def __init__(self, rate_hz: int, *, stall_s: float) -> None:
        """`stall_s`: longest pause of the client. Raises PcmRateUnsupported."""
        low, high = RATES_HZ
        if not low <= rate_hz <= high:
            raise PcmRateUnsupported(
                f"rate is {rate_hz}; it must be {low} to {high} samples per second"
            )
        self.rate_hz = rate_hz
        self._patience = Patience(stall_s, rate_hz)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._rest = b""
        """The first byte of a sample whose second one has not been read."""
        self._is_ended = self._is_closed = False
        self._error: Exception | None = None
        self._changed = Condition()

    @property
    def waiting_s(self) -> float:
        """Sound that has arrived and was not taken, seconds. Any thread."""
        return self._waiting_bytes / BYTES_PER_SAMPLE / self.rate_hz

    @property
    def is_over(self) -> bool:
        """True if nothing more is taken: it has ended, or its clip has. Any thread."""
        return self._is_ended or self._is_closed

    @property
    def has_item(self) -> bool:
        """True if sound waits to be read."""
        return self._waiting_bytes >= BYTES_PER_SAMPLE

    def write(self, data: bytes) -> None:
        """Append sound; never waits. What comes after the end is ignored.

        Raises PcmOverflow if more than `LONGEST_WAITING_S` would wait; the sound so far is spoken.
        """
        with self._changed:
            if self.is_over or not data:
                return
            seconds = self.waiting_s + len(data) / BYTES_PER_SAMPLE / self.rate_hz
            if seconds > LONGEST_WAITING_S:
                self._end(overflow(seconds))
                raise overflow(seconds)
            self._waiting.append(bytes(data))
            self._waiting_bytes += len(data)
            self._changed.notify_all()

    def end(self, error: Exception | None = None) -> None:
        """End the utterance after what was written, because of an error if one is given."""
        with self._changed:
            if not self.is_over:
                self._end(error)

    def close(self) -> None:
        """Drop what waits; the reader gets RequestCancelled."""
        with self._changed:
            self._is_closed = True
            self._waiting.clear()
            self._waiting_bytes = 0
            self._changed.notify_all()

    def items(self, is_cancelled: Callable[[], bool]) -> Iterator[Item]:
        """Yield the sound at 48 kHz as it arrives; then raise the error that ended it.

        Raises RequestCancelled, and RecordingStalled if the client sends nothing for too long.
        """
        resampler = None if self.rate_hz == SAMPLE_RATE_HZ else Resampler(self.rate_hz)
        while (data := self._next(is_cancelled)) is not None:
            samples = self._samples(data)
            if resampler is not None:
                samples = resampler.add(samples)
            if len(samples):
                yield Item({}, samples)
        if resampler is not None:
            yield Item({}, resampler.finish())
        yield Item({"notes": ["the last sample had one byte, and was ignored"] * bool(self._rest)})
        if self._error is not None:
            raise self._error

    def _end(self, error: Exception | None) -> None:
        self._is_ended, self._error = True, error
        self._changed.notify_all()

    def _next(self, is_cancelled: Callable[[], bool]) -> bytes | None:
        """Wait for the next bytes; None after the last ones."""
        with self._changed:
            self._patience.begin()
            while not (self._waiting or self._is_ended or self._is_closed):
                if is_cancelled():
                    break
                if self._patience.is_over:
                    raise stalled(self._patience.longest_s)
                self._changed.wait(CHECK_S)
            if self._is_closed or is_cancelled():
                raise RequestCancelled("the sound is no longer needed")
            data = self._taken()
        self._patience.end(len(data) // BYTES_PER_SAMPLE)
        return data or None

    def _taken(self) -> bytes:
        """Take what waits, up to `LONGEST_ITEM`."""
        most = LONGEST_ITEM * BYTES_PER_SAMPLE
        taken, size = [], 0
        while self._waiting and size + len(self._waiting[0]) <= most:
            taken.append(self._waiting.popleft())
            size += len(taken[-1])
        if self._waiting and not taken:
            whole = self._waiting.popleft()
            taken.append(whole[:most])
            self._waiting.appendleft(whole[most:])
            size = most
        self._waiting_bytes -= size
        return b"".join(taken)

    def _samples(self, data: bytes) -> Samples:
        """(n,) float32, within ±1; a byte without its other half waits for the next call."""
        data = self._rest + data
        whole = len(data) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
        self._rest = data[whole:]
        return np.frombuffer(data[:whole], "<i2").astype(np.float32) / np.float32(32768)


def overflow(seconds: float) -> PcmOverflow:
    """Return the error of a client that sends too much sound at once."""
    return PcmOverflow(
        f"{seconds:.0f} s of sound wait to be spoken; at most {LONGEST_WAITING_S:g} s may. Send it"
        " at the pace at which it is spoken, or end the utterance and send the rest as another one."
    )


def stalled(longest_s: float) -> RecordingStalled:
    """Return the error of a client that sends nothing."""
    return RecordingStalled(
        f"no sound arrived for {longest_s:g} s (recording_stall_s). What had arrived was spoken; "
        "end an utterance when it is over, and send the rest as another one."
    )
