"""Decoder of a recording that is still arriving, in this process.

Formats that can be decoded from their beginning give samples as soon as their bytes arrive. Any
other one, such as M4A with its index at the end, is written to a file first; `read_audio` decodes
that. So each recording gives the same samples as the same bytes in a file; only remarks on lengths
that the end of a file shows may differ.
"""

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.error import FFmpegError

from isolation.item import Item
from session.media_file import open_live_media
from warm.media.arriving_bytes import ByteSource, Rewound
from warm.media.arriving_mp3 import mp3_frames, tag_bytes
from warm.media.arriving_wav import arriving_wav, has_samples
from warm.media.audio_decoder import ROUNDING_S, AudioDecoder, Samples, read_audio
from warm.media.audio_format import HEAD_BYTES, STATES_LENGTH, demuxer_of
from warm.media.audio_report import AudioReport
from warm.media.mpeg_frames import find_frames
from warm.media.recording_errors import RecordingNotStored
from warm.media.sniff import DamagedMediaError, MediaError

STREAMED = frozenset({"ogg", "flac", "matroska", "mov", "aac", "au", "amr"})
"""Demuxers that return samples before they have read all of a file."""
FEWEST_BYTES = 16
"""Fewest bytes from which a format is recognised."""
PIECE_BYTES = 1 << 16
NAME = Path("recording")
"""Name of the recording in messages."""


def read_arriving_audio(source: ByteSource, *, rate_hz: int, folder: str) -> Iterator[Item]:
    """Yield the items of `read_audio` for a recording; `folder` is for unnamed temporary files.

    Chunks have the fact `announced_s` as well, the duration by the header or None. Raises
    MediaError.
    """
    head, demuxer = recognised(source)
    rewound = Rewound(head, source)
    if not demuxer:
        yield from read_spooled(rewound, rate_hz=rate_hz, folder=folder)
        return
    decoder = ArrivingAudioDecoder(rewound, head, demuxer, rate_hz=rate_hz)
    for chunk in decoder.chunks():
        yield Item({"stored": decoder.stored, "announced_s": decoder.announced_s}, chunk)
    yield Item({"stored": decoder.stored, "notes": decoder.notes})


def recognised(source: ByteSource) -> tuple[bytes, str]:
    """Read the head of a recording; return it and its demuxer, "" if a file is needed.

    A tag in front of the head is left out. Raises DamagedMediaError for an empty recording.
    """
    head, tag, count = b"", 0, 0
    while True:
        piece = source.read(PIECE_BYTES)
        count += len(piece)
        head += piece
        tag = tag or tag_bytes(head)
        found = streamed_demuxer(head[tag:]) if len(head) > tag else None
        if found is not None or not piece or len(head) - tag >= HEAD_BYTES:
            break
    if not count:
        raise DamagedMediaError("The recording is empty (0 bytes). Send it again.")
    return (head[tag:], found) if found else (head, "")


def streamed_demuxer(head: bytes) -> str | None:
    """Return the demuxer for a head; None if more of it is needed, "" if a file is needed."""
    if len(head) < FEWEST_BYTES:
        return None
    demuxer = demuxer_of(head)
    if demuxer == "wav":
        return wav_demuxer(head)
    if demuxer == "mov":
        return mov_demuxer(head)
    if demuxer is None:
        frames = find_frames(head)
        return None if frames is None else frames[1].demuxer if frames[0] == 0 else ""
    return demuxer if demuxer in STREAMED else ""


def wav_demuxer(head: bytes) -> str | None:
    """Return `streamed_demuxer` of a WAV."""
    if not has_samples(head):
        return None
    return "wav" if arriving_wav(head) is not None else ""


def mov_demuxer(head: bytes) -> str | None:
    """Return `streamed_demuxer` of an MP4: its index must come before its samples."""
    at = 0
    while at + 8 <= len(head):
        size, name = struct.unpack_from(">I4s", head, at)
        if name in (b"moov", b"moof"):
            return "mov"
        if name == b"mdat" or size < 8:
            return ""
        at += size
    return None


def read_spooled(source: Rewound, *, rate_hz: int, folder: str) -> Iterator[Item]:
    """Write a recording to an unnamed file, and yield the items of `read_audio`.

    Raises RecordingNotStored if the disk is full.
    """
    with TemporaryFile(dir=folder) as file:
        try:
            while piece := source.read(PIECE_BYTES):
                file.write(piece)
            file.flush()
        except OSError as error:
            raise RecordingNotStored(
                f"The recording could not be stored for decoding ({error.strerror}). Free some"
                " space, or send it as WAV, which needs none."
            ) from error
        path = Path(f"/proc/self/fd/{file.fileno()}")
        try:
            yield from read_audio(path, rate_hz=rate_hz)
        except MediaError as error:
            raise type(error)(str(error).replace(str(path), str(NAME))) from error


class ArrivingAudioDecoder(AudioDecoder):
    """Decoder of a recording from its beginning. Not thread-safe."""

    def __init__(self, source: Rewound, head: bytes, demuxer: str, *, rate_hz: int) -> None:
        """`head`: the first bytes of the source, of which none was read."""
        self._path, self._rate_hz = NAME, rate_hz
        self._source, self._head, self._demuxer = source, head, demuxer
        self._report = AudioReport(NAME)
        self.stored = ""
        self.announced_s: float | None = None
        """Duration by the header; None if it states none. Set before the first chunk."""

    def chunks(self) -> Iterator[Samples]:
        """Yield the chunks as their bytes arrive; raises MediaError."""
        try:
            yield from self._resampled(self._arriving_frames())
        except FFmpegError as error:
            self._lose(Fraction(0), error)
        if self.announced_s is not None:
            missing_s = Fraction(self.announced_s) - self._report.decoded_s
            self._report.missing_s = missing_s if missing_s > ROUNDING_S else Fraction(0)
        self._report.check()

    def _arriving_frames(self) -> Iterator[AudioFrame]:
        if self._demuxer == "wav":
            wav = arriving_wav(self._head)
            assert wav is not None
            self.announced_s = wav.announced_s
            yield from self._counted(wav.frames(self._source), wav.codec)
        elif self._demuxer == "mp3":
            yield from self._counted(mp3_frames(self._source, self._head), "mp3")
        else:
            source = cast(BinaryIO, self._source)
            with open_live_media(source, demuxer=self._demuxer) as container:
                stream = self._stream_of(container)
                if self._demuxer in STATES_LENGTH:
                    self.announced_s = announced_s(container)
                yield from self._frames(container, stream)


def announced_s(container: InputContainer) -> float | None:
    """Return the duration by the header of a container; None if it states none."""
    return container.duration / 1_000_000 if container.duration and container.duration > 0 else None
