"""Audio files, decoded in chunks to mono at a given rate.

WAV, MP3, M4A, OGG (Vorbis, Opus), FLAC, AAC, AIFF, and the audio of a video. Memory does not grow
with the length of the file.
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

READABLE_AUDIO = "WAV, MP3, M4A, OGG, FLAC, AAC, AIFF, MP4, MOV, WebM or MKV"
CHUNK_SAMPLES = 48_000
"""Longest chunk that `chunks` yields."""
TRUNCATION_S = Fraction(1, 10)
"""A file that ends this much before its announced length counts as truncated."""
SILENT_PEAK = 1e-4
"""-80 dB: audio with a lower peak counts as silent."""
XING_WITHIN_BYTES = 1 << 18
"""Search range for the length of an MP3: its first frame, which may follow a tag with pictures."""
OGG_PAGE, OGG_LAST_PAGE = b"OggS", 4
OGG_HEADER_BYTES = 27
"""Header of a page before its segment table; the last byte is the number of segments."""
OGG_TAIL_BYTES = 1 << 17
"""More than the largest page of an OGG file."""

DOWNMIX_WEIGHTS = {
    **{"FL": 0.7071, "FR": 0.7071, "FC": 1.0, "LFE": 0.0, "LFE2": 0.0},
    **dict.fromkeys(("BL", "BR", "BC", "SL", "SR"), 0.5),
}
"""Weight of each channel in the mono mix (ITU-R BS.775), 1 for other names. The weights are
normalised to a sum of 1, so that the mix never clips; FFmpeg normalises integers only."""
WAV_UNKNOWN_BYTES = {0, 0xFFFFFFFF}
"""Sizes that programs write before they know the length."""

Samples = NDArray[np.float32]


class NoAudioError(MediaError):
    """The file has no audio stream."""


class AudioTooLongError(MediaError):
    """The audio is longer than allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInfo:
    """Properties of an audio file, known after one complete read."""

    samples: int
    """Number of samples at `rate_hz`."""
    rate_hz: int
    peak: float
    """Largest absolute sample; a film clips above 1.0."""
    stored: str
    """Codec, rate and channels of the file, in words."""

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.samples / self.rate_hz

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings for the user."""
        if self.peak < SILENT_PEAK:
            return ("The audio is silent; the mouth stays closed.",)
        if self.peak > 1:
            excess_db = 20 * math.log10(self.peak)
            return (f"The audio exceeds full scale by {excess_db:.1f} dB; it clips.",)
        return ()


@contextmanager
def open_audio(path: Path, *, rate_hz: int) -> Iterator["AudioFile"]:
    """Open a file for decoding to mono at `rate_hz`.

    Raises MediaError, here or while chunks are read, for a file without audio or a damaged or
    truncated file.
    """
    demuxer = sniff_audio(path)
    try:
        with open_media(path, demuxer=demuxer) as container:
            yield AudioFile(container, path, rate_hz=rate_hz)
    except FFmpegError as error:
        raise DamagedMediaError(
            f"The audio file {path} is damaged or truncated ({error.strerror}). "
            "Send the file again."
        ) from error


def examine_audio(path: Path, *, rate_hz: int, longest_s: float) -> AudioInfo:
    """Read a file to its end and return its properties; raises MediaError for any fault."""
    count, peak = 0, 0.0
    with open_audio(path, rate_hz=rate_hz) as audio:
        for chunk in audio.chunks():
            count += len(chunk)
            peak = max(peak, float(np.abs(chunk).max(initial=0.0)))
            if count > longest_s * rate_hz:
                raise AudioTooLongError(
                    f"{path} is longer than {longest_s:g} s (max_audio_s). Raise that setting, or "
                    "split the file."
                )
        if not count:
            raise DamagedMediaError(
                f"The audio file {path} is too short: it has no sample. Send a longer one."
            )
        return AudioInfo(samples=count, rate_hz=rate_hz, peak=peak, stored=audio.stored)


class AudioFile:
    """An open audio file. Not thread-safe; created by `open_audio`."""

    def __init__(self, container: InputContainer, path: Path, *, rate_hz: int) -> None:
        if not container.streams.audio:
            raise NoAudioError(f"{path} has no audio. Send a file with audio: {READABLE_AUDIO}.")
        self._container, self._path, self._rate_hz = container, path, rate_hz
        self._stream = container.streams.audio[0]
        self._has_checksums = self._stream.codec_context.name == "flac"
        if self._has_checksums:  # drops frames with a wrong checksum; `_check_end` detects the gap
            self._stream.codec_context.options = {"err_detect": "crccheck+explode"}
        self._decoded_s = Fraction(0)

    @property
    def stored(self) -> str:
        """Codec, rate and channels of the file, in words."""
        context = self._stream.codec_context
        channels = context.layout.nb_channels
        return f"{context.name}, {context.sample_rate} Hz, {channels} channel{'s'[: channels - 1]}"

    @property
    def announced_s(self) -> Fraction | None:
        """Duration that the file announces; None if it announces none or FFmpeg only guesses it."""
        kind = self._container.format.name
        if kind == "mp3" and not has_length_header(self._path):
            return None
        if kind == "wav" and (length_s := wav_length_s(self._path)) is not None:
            return length_s
        if self._stream.duration is None or self._stream.time_base is None:
            return None
        return self._stream.duration * self._stream.time_base

    def chunks(self) -> Iterator[Samples]:
        """Yield (n,) float32 mono chunks of at most CHUNK_SAMPLES, without gaps, to the end.

        Integer formats give -1…1; floats may exceed that. Raises DamagedMediaError with the second
        at which the file cannot be read.
        """
        resampler = av.AudioResampler(format="flt", rate=self._rate_hz)
        for frame in self._frames():
            frame.pts = None  # no silence for gaps in the time stamps of a broken recording
            for resampled in resampler.resample(frame):
                yield from self._checked(resampled)
        for resampled in resampler.resample(None):
            yield from self._checked(resampled)

    def _frames(self) -> Iterator[AudioFrame]:
        try:
            for frame in self._container.decode(self._stream):
                self._decoded_s += Fraction(frame.samples, frame.sample_rate)
                yield frame
        except FFmpegError as error:
            raise self._damaged(error.strerror or "not decodable") from error
        if not self._decoded_s:
            raise DamagedMediaError(f"The audio file {self._path} is empty. Send the file again.")
        self._check_end()

    def _check_end(self) -> None:
        announced_s = self.announced_s
        tolerance_s = 0 if self._has_checksums else TRUNCATION_S
        if announced_s is not None and announced_s - self._decoded_s > tolerance_s:
            raise self._damaged(f"it announces {float(announced_s):.2f} s")
        if self._container.format.name == "ogg" and not has_last_ogg_page(self._path):
            raise self._damaged("the last page of the OGG file is missing")

    def _checked(self, frame: AudioFrame) -> Iterator[Samples]:
        samples = mix_to_mono(frame)
        if not np.isfinite(samples).all():
            raise self._damaged("it contains NaN or infinity")
        for start in range(0, len(samples), CHUNK_SAMPLES):
            yield samples[start : start + CHUNK_SAMPLES]

    def _damaged(self, reason: str) -> DamagedMediaError:
        return DamagedMediaError(
            f"The audio file {self._path} is damaged or truncated at "
            f"{float(self._decoded_s):.2f} s ({reason}). Send the file again."
        )


def mix_to_mono(frame: AudioFrame) -> Samples:
    """(n,) the weighted mean of a packed float frame's channels."""
    names = [channel.name for channel in frame.layout.channels]
    weights = np.array([DOWNMIX_WEIGHTS.get(name, 1.0) for name in names], np.float32)
    packed = np.asarray(frame.to_ndarray()[0], np.float32).reshape(-1, len(names))
    total = weights.sum() or 1.0
    return np.asarray(packed @ (weights / total), np.float32)


def sniff_audio(path: Path) -> str:
    """Return FFmpeg's demuxer for a file, by its first bytes; raises MediaError."""
    head = read_head(path)
    if not head:
        raise DamagedMediaError(f"{path} is empty (0 bytes). Send the file again.")
    demuxer = demuxer_of(head)
    if demuxer is None:
        raise UnknownMediaError(
            f"{path} is not a readable audio file: it begins with {head[:8].hex(' ')}. "
            f"Send {READABLE_AUDIO}."
        )
    return demuxer


def demuxer_of(head: bytes) -> str | None:
    """Return the demuxer for these first bytes."""
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
    return mpeg_demuxer_of(head)


def mpeg_demuxer_of(head: bytes) -> str | None:
    """Return the demuxer of bare MP3 or AAC, which begin with a tag or with eleven set bits."""
    if head.startswith(b"ID3"):
        return "mp3"
    if len(head) < 2 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 3
    return "aac" if layer == 0 else "mp3"


def wav_length_s(path: Path) -> Fraction | None:
    """Return the announced duration of a WAV; None if it has none or stores it elsewhere (RF64).

    FFmpeg uses the size of the file instead, and so never notices a truncation.
    """
    byte_rate = 0
    with path.open("rb") as file:
        if file.read(12)[:4] != b"RIFF":
            return None
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                is_known = byte_rate > 0 and size not in WAV_UNKNOWN_BYTES
                return Fraction(size, byte_rate) if is_known else None
            if name == b"fmt ":
                (byte_rate,) = struct.unpack("<8xI", file.read(12))
                size -= 12
            file.seek(size + size % 2, os.SEEK_CUR)
    return None


def has_length_header(path: Path) -> bool:
    """Return True if an MP3 stores its length; otherwise FFmpeg guesses it from the size."""
    with path.open("rb") as file:
        head = file.read(XING_WITHIN_BYTES)
    return any(mark in head for mark in (b"Xing", b"Info", b"VBRI"))


def has_last_ogg_page(path: Path) -> bool:
    """Return True if the last page of an OGG file is complete and marked (RFC 3533, section 6)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - OGG_TAIL_BYTES))
        tail = file.read()
    page = tail[tail.rfind(OGG_PAGE) :]
    if not page.startswith(OGG_PAGE) or len(page) < OGG_HEADER_BYTES:
        return False
    table = page[OGG_HEADER_BYTES : OGG_HEADER_BYTES + page[OGG_HEADER_BYTES - 1]]
    length = OGG_HEADER_BYTES + page[OGG_HEADER_BYTES - 1] + sum(table)
    return bool(page[5] & OGG_LAST_PAGE) and len(page) >= length
