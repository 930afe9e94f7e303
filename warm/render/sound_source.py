"""Sources of given sound: a file, or bytes that are still arriving."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

from isolation.arriving import ArrivingRead, Standby
from isolation.item import Item
from isolation.process import RequestCancelled
from isolation.reading import ReadFailed, ReadLimits
from session.film import SAMPLE_RATE_HZ
from warm.media.arriving_audio import read_arriving_audio
from warm.media.audio_decoder import read_audio
from warm.media.isolated import DecoderFailedError, decode_isolated
from warm.media.recording_errors import RecordingTooLarge
from warm.media.sniff import MediaError

LIMITS = ReadLimits(item_cpu_s=20.0, item_s=40.0, memory_bytes=1 << 30)
"""Limits of the decoder between two chunks."""
DECODER_MODULES = ("warm.media.arriving_audio",)
"""Modules that a decoder process imports before a recording arrives."""


class SoundSource(Protocol):
    """Decoded chunks of a recording."""

    @property
    def is_file(self) -> bool:
        """True if `items` may be called more than once."""
        ...

    @property
    def has_item(self) -> bool:
        """True if the next item need not be waited for."""
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
                    raise RequestCancelled("the recording is not needed any more")
                yield item

    def close(self) -> None:
        """Do nothing: the decoder ends with `items`."""


class StreamSource:
    """A recording whose bytes are still arriving.

    A thread sends them to a decoder process, which was started before.
    """

    is_file = False

    def __init__(
        self, chunks: Iterable[bytes], *, decoders: Standby, folder: Path, max_bytes: int
    ) -> None:
        """`folder`: for a recording that is decoded when all of it has arrived."""
        self._chunks, self._decoders, self._folder = chunks, decoders, folder
        self._max_bytes = max_bytes
        self._read: ArrivingRead | None = None
        self._error: Exception | None = None
        """The error that ended the stream."""
        self._is_closed = False

    @property
    def has_item(self) -> bool:
        """True if the decoder has something."""
        return self._read is not None and self._read.has_item

    def items(self, is_cancelled: Callable[[], bool]) -> Iterator[Item]:
        """Yield the items as they arrive; then raise the error that ended the stream."""
        read = self._open()
        sender = Thread(target=self._send, args=(read,), name="recording", daemon=True)
        sender.start()
        try:
            while (item := read.next_item(is_cancelled)) is not None:
                yield item
        except MediaError:
            if self._error is not None:  # the recording is damaged because it broke off
                raise self._error from None
            raise
        except ReadFailed as error:
            raise DecoderFailedError(str(error)) from error
        finally:
            read.close()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the decoder; `items` then raises an error."""
        self._is_closed = True
        if self._read is not None:
            self._read.close()

    def _open(self) -> ArrivingRead:
        arguments: dict[str, Any] = {"rate_hz": SAMPLE_RATE_HZ, "folder": str(self._folder)}
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

    def _send(self, read: ArrivingRead) -> None:
        """Send the bytes to the decoder. A thread of its own."""
        try:
            self._send_all(read)
        except Exception as error:  # noqa: BLE001 - raised where the recording is read
            self._error = error
        read.finish()

    def _send_all(self, read: ArrivingRead) -> None:
        sent = 0
        for chunk in self._chunks:
            sent += len(chunk)
            if sent > self._max_bytes:
                raise RecordingTooLarge(
                    f"The recording has more than {self._max_bytes / 1e6:g} MB "
                    "(max_recording_mb). Send a shorter one, or compress it."
                )
            if self._is_closed or not read.send(chunk):
                return
