"""Sound from a file: decoded a piece at a time, mono, at the rate that is wanted.

WAV, MP3, M4A, OGG (Vorbis, Opus), FLAC, AAC, AIFF, and the sound of a video. Three hours take as
little memory as three seconds.
"""

import math
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from session.media_file import open_media
from warm.media.sniff import (
    EBML_SIGNATURE,
    MP4_BOXES,
    DamagedMediaError,
    MediaError,
    UnknownMediaError,
    read_head,
)

READABLE = "WAV, MP3, M4A, OGG, FLAC, AAC, AIFF, MP4, MOV, WebM or MKV"
PIECE_SAMPLES = 48_000
"""Longest piece that `pieces` gives."""
SHORT_BY_S = Fraction(1, 10)
"""A file that ends so much before the length that it announces was truncated."""
SILENT_PEAK = 1e-4
"""-80 dB: below it, nobody hears anything."""
XING_WITHIN_BYTES = 1 << 18
"""Where an MP3 tells its length, if it does: in its first frame, behind a tag with pictures."""
OGG_PAGE, OGG_LAST_PAGE = b"OggS", 4
OGG_HEADER_BYTES = 27
"""Of a page, before the table of its segments; the last byte counts those."""
OGG_TAIL_BYTES = 1 << 17
"""Longer than any page of an OGG file."""

WEIGHTS = {
    **{"FL": 0.7071, "FR": 0.7071, "FC": 1.0, "LFE": 0.0, "LFE2": 0.0},
    **dict.fromkeys(("BL", "BR", "BC", "SL", "SR"), 0.5),
}
"""How much of each channel goes into one (ITU-R BS.775); they are brought to a sum of 1, so that
nothing is cut off, where FFmpeg would leave floats as loud as they add up. No name counts 1."""
WAV_UNKNOWN_BYTES = {0, 0xFFFFFFFF}
"""What programs write in place of the length that they do not know yet."""

Samples = NDArray[np.float32]


class NoAudioError(MediaError):
    """The file holds no sound."""


class AudioTooLongError(MediaError):
    """The sound is longer than allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInfo:
    """What a whole file holds, known after it was read once."""

    samples: int
    """At the rate that was asked for."""
    rate_hz: int
    peak: float
    """1.0 is the loudest that a film can hold."""
    stored: str
    """As it is in the file, in words."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.samples / self.rate_hz

    @property
    def notes(self) -> tuple[str, ...]:
        """What the person who sent it should know."""
        if self.peak < SILENT_PEAK:
            return ("The sound is silent; the mouth stays closed.",)
        if self.peak > 1:
            return (f"The sound goes {20 * math.log10(self.peak):.1f} dB too high; it is cut off.",)
        return ()


@contextmanager
def open_audio(path: Path, *, rate_hz: int) -> Iterator["AudioFile"]:
    """Open a file to be heard as mono at `rate_hz`.

    Raises MediaError, here or while pieces are read, for what is no sound, damaged or truncated.
    """
    demuxer = sniff_sound(path)
    try:
        with open_media(path, demuxer=demuxer) as container:
            yield AudioFile(container, path, rate_hz=rate_hz)
    except FFmpegError as error:
        raise DamagedMediaError(
            f"The sound {path} is damaged or truncated ({error.strerror}). Send the file again."
        ) from error


def examine_audio(path: Path, *, rate_hz: int, longest_s: float) -> AudioInfo:
    """Read a file to its end and tell what it holds; raises MediaError for whatever is wrong."""
    count, peak = 0, 0.0
    with open_audio(path, rate_hz=rate_hz) as sound:
        for piece in sound.chunks():
            count += len(piece)
            peak = max(peak, float(np.abs(piece).max(initial=0.0)))
            if count > longest_s * rate_hz:
                raise AudioTooLongError(
                    f"{path} is longer than {longest_s:g} s (max_audio_s). Raise that, or send it "
                    "in parts."
                )
        if not count:
            raise DamagedMediaError(
                f"The sound {path} is too short to be heard. Send a longer one."
            )
        return AudioInfo(samples=count, rate_hz=rate_hz, peak=peak, stored=sound.stored)


class AudioFile:
    """An opened sound. Not thread-safe; made by `open_audio`."""

    def __init__(self, container: InputContainer, path: Path, *, rate_hz: int) -> None:
        if not container.streams.audio:
            raise NoAudioError(f"{path} holds no sound. Send {READABLE} with sound in it.")
        self._container, self._path, self._rate_hz = container, path, rate_hz
        self._stream = container.streams.audio[0]
        self._is_exact = self._stream.codec_context.name == "flac"
        if self._is_exact:  # frames with another checksum are left out, and missed at the end
            self._stream.codec_context.options = {"err_detect": "crccheck+explode"}
        self._decoded_s = Fraction(0)

    @property
    def stored(self) -> str:
        """How the file keeps it, in words."""
        context = self._stream.codec_context
        channels = context.layout.nb_channels
        return f"{context.name}, {context.sample_rate} Hz, {channels} channel{'s'[: channels - 1]}"

    @property
    def announced_s(self) -> Fraction | None:
        """How long the file says it is; None where it does not say, or where that is a guess."""
        kind = self._container.format.name
        if kind == "mp3" and not has_xing(self._path):
            return None
        if kind == "wav" and (told := wav_length_s(self._path)) is not None:
            return told
        if self._stream.duration is None or self._stream.time_base is None:
            return None
        return self._stream.duration * self._stream.time_base

    def chunks(self) -> Iterator[Samples]:
        """(n,) float32 mono, none longer than PIECE_SAMPLES, without gaps to the end of the file.

        -1…1 is what integer formats hold; floats may go beyond. Raises DamagedMediaError with the
        second at which the file cannot be read.
        """
        resampler = av.AudioResampler(format="flt", rate=self._rate_hz)
        for frame in self._frames():
            frame.pts = None  # gaps in the time stamps of a broken recording are not filled
            for made in resampler.resample(frame):
                yield from self._checked(made)
        for made in resampler.resample(None):
            yield from self._checked(made)

    def _frames(self) -> Iterator[AudioFrame]:
        try:
            for frame in self._container.decode(self._stream):
                self._decoded_s += Fraction(frame.samples, frame.sample_rate)
                yield frame
        except FFmpegError as error:
            raise self._broken(error.strerror or "not decodable") from error
        if not self._decoded_s:
            raise DamagedMediaError(f"The sound {self._path} is empty. Send the file again.")
        self._check_end()

    def _check_end(self) -> None:
        announced_s = self.announced_s
        short_by_s = 0 if self._is_exact else SHORT_BY_S
        if announced_s is not None and announced_s - self._decoded_s > short_by_s:
            raise self._broken(f"{float(announced_s):.2f} s were announced")
        if self._container.format.name == "ogg" and not ends_as_ogg(self._path):
            raise self._broken("the last page of the OGG file is missing")

    def _checked(self, frame: AudioFrame) -> Iterator[Samples]:
        samples = mixed(frame)
        if not np.isfinite(samples).all():
            raise self._broken("it holds NaN or infinity in place of sound")
        for start in range(0, len(samples), PIECE_SAMPLES):
            yield samples[start : start + PIECE_SAMPLES]

    def _broken(self, reason: str) -> DamagedMediaError:
        return DamagedMediaError(
            f"The sound {self._path} is damaged or truncated at {float(self._decoded_s):.2f} s "
            f"({reason}). Send the file again."
        )


def mixed(frame: AudioFrame) -> Samples:
    """(n,) one channel of a packed float frame's many; never louder than the loudest of them."""
    names = [channel.name for channel in frame.layout.channels]
    weights = np.array([WEIGHTS.get(name, 1.0) for name in names], np.float32)
    packed = np.asarray(frame.to_ndarray()[0], np.float32).reshape(-1, len(names))
    total = weights.sum() or 1.0
    return np.asarray(packed @ (weights / total), np.float32)


def sniff_sound(path: Path) -> str:
    """FFmpeg's demuxer for a file, told from its first bytes; raises MediaError."""
    head = read_head(path)
    if not head:
        raise DamagedMediaError(f"{path} is empty (0 bytes). Send the file again.")
    demuxer = demuxer_of(head)
    if demuxer is None:
        raise UnknownMediaError(
            f"{path} is no sound that can be read: it begins with {head[:8].hex(' ')}. "
            f"Send {READABLE}."
        )
    return demuxer


def demuxer_of(head: bytes) -> str | None:
    """The demuxer that these first bytes ask for."""
    form = head[8:12]
    if head[:4] in (b"RIFF", b"RF64") and form == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and form in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] in MP4_BOXES:
        return "mov"
    for signature, name in ((b"OggS", "ogg"), (b"fLaC", "flac"), (EBML_SIGNATURE, "matroska")):
        if head.startswith(signature):
            return name
    return mpeg_of(head)


def mpeg_of(head: bytes) -> str | None:
    """MP3 or AAC in a bare stream, which begin with a tag or with eleven set bits."""
    if head.startswith(b"ID3"):
        return "mp3"
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 3
    return "aac" if layer == 0 else "mp3"


def wav_length_s(path: Path) -> Fraction | None:
    """How long a WAV says that it is; None for what names no length or keeps it elsewhere (RF64).

    FFmpeg believes the size of the file instead, and so never misses anything.
    """
    byte_rate = 0
    with path.open("rb") as file:
        if file.read(12)[:4] != b"RIFF":
            return None
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                known = byte_rate > 0 and size not in WAV_UNKNOWN_BYTES
                return Fraction(size, byte_rate) if known else None
            if name == b"fmt ":
                (byte_rate,) = struct.unpack("<8xI", file.read(12))
                size -= 12
            file.seek(size + size % 2, os.SEEK_CUR)
    return None


def has_xing(path: Path) -> bool:
    """Whether an MP3 tells its own length; without that, FFmpeg guesses by the size."""
    with path.open("rb") as file:
        head = file.read(XING_WITHIN_BYTES)
    return any(mark in head for mark in (b"Xing", b"Info", b"VBRI"))


def ends_as_ogg(path: Path) -> bool:
    """Whether the last page of an OGG file is marked so, and whole (RFC 3533, section 6)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - OGG_TAIL_BYTES))
        tail = file.read()
    page = tail[tail.rfind(OGG_PAGE) :]
    if not page.startswith(OGG_PAGE) or len(page) < OGG_HEADER_BYTES:
        return False
    table = page[OGG_HEADER_BYTES : OGG_HEADER_BYTES + page[OGG_HEADER_BYTES - 1]]
    length = OGG_HEADER_BYTES + page[OGG_HEADER_BYTES - 1] + sum(table)
    return bool(page[5] & OGG_LAST_PAGE) and len(page) >= length
