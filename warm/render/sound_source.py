"""Sources of given sound: a file, or bytes that are still arriving."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Protocol

from isolation.arriving import ArrivingRead
from isolation.item import Item
from isolation.process import RequestCancelled
from isolation.reading import ReadFailed, ReadLimits
from isolation.standby import Standby
from session.film import SAMPLE_RATE_HZ
from warm.media.arriving_audio import read_arriving_audio
from warm.media.audio_decoder import read_audio
from warm.media.isolated import DecoderFailedError, decode_isolated
from warm.media.recording_errors import RecordingStalled
from warm.media.sniff import MediaError

LIMITS = ReadLimits(item_cpu_s=20.0, item_s=40.0, memory_bytes=1 << 30)
"""Limits of the decoder between two chunks."""
DECODER_MODULES = ("warm.media.arriving_audio",)
"""Modules that a decoder process imports before a recording arrives."""

BYTES_PER_S = 2048
"""Slowest arrival of a recording that is decoded when all of it has arrived."""
SLOWEST_PACE = 0.25
"""Slowest arrival of sound in the long run, seconds per second."""


class SoundSource(Protocol):
    """Decoded chunks of a recording."""

    @property
    def is_file(self) -> bool:
        """True if `items` may be called more than once."""
        ...

    @property
    def has_item(self) -> bool:
        """True if the next item is available at once."""
        ...

    def items(self, is_cancelled: Callable[[], bool]) -> Iterator[Item]:
        """Yield the items of `read_audio` at 48 kHz; raises MediaError and RequestCancelled."""
        ...

    def close(self) -> None:
        """End the decoder. Any thread."""
        ...


class FileSource:
    """A recording in a file."""

    is_file, has_item = True, False

    def __init__(self, path: Path) -> None:
        self._path = path

    def items(self, is_cancelled: Callable[[], bool]) -> Iterator[Item]:
        """Yield the items of the file from its beginning."""
        found = decode_isolated(read_audio, self._path, limits=LIMITS, rate_hz=SAMPLE_RATE_HZ)
        with closing(found) as items:
            for item in items:
                if is_cancelled():
                    raise RequestCancelled("the recording is no longer needed")
                yield item

    def close(self) -> None:
        """Do nothing: the decoder ends with `items`."""


class Patience:
    """Time for which a recording may arrive more slowly than it was spoken."""

    def __init__(self, longest_s: float, rate_hz: int = SAMPLE_RATE_HZ) -> None:
        self.longest_s, self._rate_hz = longest_s, rate_hz
        self._left_s = longest_s
        self._since_s = 0.0
        self._bytes = 0
        self._has_sound = False

    @property
    def is_over(self) -> bool:
        """True if the present wait is too long."""
        earned_s = 0.0 if self._has_sound else self._bytes / BYTES_PER_S
        return time.monotonic() - self._since_s > self._left_s + earned_s

    def credit_bytes(self, count: int) -> None:
        """Count what arrives before there is sound. Another thread."""
        self._bytes += count

    def begin(self) -> None:
        """Begin to wait."""
        self._since_s = time.monotonic()

    def end(self, samples: int) -> None:
        """End a wait that brought this many samples."""
        self._has_sound = self._has_sound or samples > 0
        waited_s = time.monotonic() - self._since_s
        earned_s = samples / self._rate_hz / SLOWEST_PACE
        self._left_s = min(self.longest_s, self._left_s - waited_s + earned_s)


class StreamSource:
    """A recording whose bytes are still arriving.

    A thread sends them to a decoder process that was started beforehand.
    """

    is_file = False

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        decoders: Standby,
        folder: Path,
        stall_s: float,
        rate_hz: int = SAMPLE_RATE_HZ,
    ) -> None:
        """`folder`: for a recording that is decoded when all of it has arrived."""
        self._chunks, self._decoders, self._folder = chunks, decoders, folder
        self._patience, self._rate_hz = Patience(stall_s, rate_hz), rate_hz
        self._read: ArrivingRead | None = None
        self._error: Exception | None = None
        """The error that ended the stream."""
        self._users, self._lock = 2, Lock()
        self._is_closed = False

    @property
    def has_item(self) -> bool:
        """True if the decoder has an item."""
        return self._read is not None and self._read.has_item

    def items(self, is_cancelled: Callable[[], bool]) -> Generator[Item, None, None]:
        """Yield the items as they arrive; then raise the error that ended the stream."""
        read = self._open()
        sender = Thread(target=self._send, args=(read,), name="recording", daemon=True)
        sender.start()
        try:
            while (item := self._next_item(read, is_cancelled)) is not None:
                yield item
        except MediaError:
            if self._error is not None:  # the recording is damaged because it broke off
                raise self._error from None
            raise
        except ReadFailed as error:
            raise DecoderFailedError(str(error)) from error
        finally:
            read.close()
            self._leave(read)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the decoder; `items` then raises an error."""
        self._is_closed = True
        if self._read is not None:
            self._read.close()

    def _open(self) -> ArrivingRead:
        arguments: dict[str, Any] = {"rate_hz": self._rate_hz, "folder": str(self._folder)}
        try:
            self._read = ArrivingRead(
                self._decoders.take(),
                read_arriving_audio,
                raises=MediaError,
                limits=LIMITS,
                **arguments,
            )
        except ReadFailed as error:
            raise DecoderFailedError(str(error)) from error
        if self._is_closed:
            self._read.close()
        return self._read

    def _next_item(self, read: ArrivingRead, is_cancelled: Callable[[], bool]) -> Item | None:
        """Wait for an item; raises RecordingStalled if the sound arrives too slowly."""
        patience = self._patience
        patience.begin()
        try:
            item = read.next_item(lambda: is_cancelled() or patience.is_over)
        except RequestCancelled:
            if is_cancelled() or self._is_closed:
                raise
            raise RecordingStalled(
                f"the recording arrived too slowly, or not at all, for {patience.longest_s:g} s "
                "(recording_stall_s). What had arrived was spoken; send the rest as another one."
            ) from None
        patience.end(0 if item is None or item.array is None else len(item.array))
        return item

    def _send(self, read: ArrivingRead) -> None:
        """Send the bytes to the decoder. A thread of its own."""
        try:
            for chunk in self._chunks:
                self._patience.credit_bytes(len(chunk))
                if self._is_closed or not read.send(chunk):
                    break
        except Exception as error:  # noqa: BLE001 - raised where the recording is read
            self._error = error
        read.finish()
        self._leave(read)

    def _leave(self, read: ArrivingRead) -> None:
        """Release the process when neither the sender nor the receiver uses it any more."""
        with self._lock:
            self._users -= 1
            is_last = not self._users
        if is_last:
            read.dispose()
