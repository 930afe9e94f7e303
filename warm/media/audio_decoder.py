"""Decoder of sound files, in this process: chunks of mono samples, and remarks on what was odd.

Whatever FFmpeg can decode is used. `audio_report` says which files are refused nevertheless.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from numpy.typing import NDArray

from isolation.item import Item
from session.media_file import open_media
from warm.media.audio_format import READABLE_AUDIO, audio_parts
from warm.media.audio_part import AudioPart
from warm.media.audio_report import AudioReport, FrameFormat
from warm.media.file_part import FilePart
from warm.media.sniff import MediaError

CHUNK_SAMPLES = 48_000
"""Longest chunk that `chunks` yields."""
ROUNDING_S = Fraction(1, 10)
"""A file may end this much before its announced length: headers count the padding of encoders."""
RATES_HZ = range(1000, 1_000_000)
"""Sample rates; others are damage."""
DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d\.\d+)")
"""Duration of a stream in the tags of a Matroska file: hours, minutes, seconds."""
DOWNMIX_WEIGHTS = {
    **{"FL": 0.7071, "FR": 0.7071, "FC": 1.0, "LFE": 0.0, "LFE2": 0.0},
    **dict.fromkeys(("BL", "BR", "BC", "SL", "SR"), 0.5),
}
"""Weight of each channel in the mono mix (ITU-R BS.775), 1 for other names. The weights are
normalised to a sum of 1, so that the mix never clips; FFmpeg normalises integers only."""

Samples = NDArray[np.float32]


class NoAudioError(MediaError):
    """The file has no audio stream."""


def read_audio(path: Path, *, rate_hz: int) -> Iterator[Item]:
    """Yield the chunks of a file with the fact `stored`; then, without a chunk, also `notes`."""
    decoder = AudioDecoder(path, rate_hz=rate_hz)
    for chunk in decoder.chunks():
        yield Item({"stored": decoder.stored}, chunk)
    yield Item({"stored": decoder.stored, "notes": decoder.notes})


class AudioDecoder:
    """One read of a sound file. Not thread-safe."""

    def __init__(self, path: Path, *, rate_hz: int) -> None:
        """Detect the format; raises MediaError."""
        self._path, self._rate_hz = path, rate_hz
        self._parts = audio_parts(path)
        self._report = AudioReport(path)
        self.stored = ""
        """Codec, rate and channels of the file, in words; set before the first chunk."""

    @property
    def notes(self) -> list[str]:
        """Remarks for the user; complete after the last chunk."""
        return self._report.notes()

    def chunks(self) -> Iterator[Samples]:
        """Yield (n,) float32 mono chunks of at most CHUNK_SAMPLES, without gaps, to the end.

        Integer formats give -1…1; floats may exceed that. Raises MediaError, with the second at
        which the file breaks off.
        """
        for part in self._parts:
            try:
                yield from self._part_chunks(part)
            except FFmpegError as error:
                self._lose(Fraction(0), error)
        self._report.check()

    def _part_chunks(self, part: AudioPart) -> Iterator[Samples]:
        began_s = self._report.decoded_s
        with opened(self._path, part) as container:
            stream = self._stream_of(container)
            yield from self._resampled(self._frames(container, stream))
            decoded_s = self._report.decoded_s - began_s
            self._report.missing_s += missing_length_s(container, stream, part, decoded_s)
        self._report.part_notes += part.notes

    def _stream_of(self, container: InputContainer) -> AudioStream:
        decodable = [each for each in container.streams.audio if each.codec_context is not None]
        if not container.streams.audio:
            raise NoAudioError(
                f"{self._path} has no audio. Send a file with audio: {READABLE_AUDIO}."
            )
        if not decodable:
            raise NoAudioError(
                f"The codec of the audio of {self._path} is unknown, or its header is damaged. "
                "Convert it to WAV or M4A."
            )
        best = container.streams.best("audio")
        stream = next((each for each in decodable if each is best), decodable[0])
        if len(decodable) > 1:
            number = decodable.index(stream) + 1
            note = f"The file has {len(decodable)} audio tracks; number {number} is used."
            self._report.part_notes.append(note)
        if stream.codec_context.name == "flac":  # frames with a wrong checksum are not decoded
            stream.codec_context.options = {"err_detect": "crccheck+explode"}
        return stream

    def _frames(self, container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
        """Yield all frames; packets that cannot be decoded are counted and left out."""
        name = stream.codec_context.name
        try:
            for packet in container.demux(stream):
                if packet.size:  # an empty packet would end the decoder, as the last one does
                    yield from self._counted(self._decoded(packet, stream), name)
        except FFmpegError as error:
            self._lose(Fraction(0), error)
        yield from self._counted(self._flushed(stream), name)

    def _decoded(self, packet: "Packet[AudioStream]", stream: AudioStream) -> list[AudioFrame]:
        try:
            return packet.decode()
        except FFmpegError as error:
            self._lose(Fraction(packet.duration or 0) * (stream.time_base or 0), error)
            return []

    def _flushed(self, stream: AudioStream) -> list[AudioFrame]:
        """Return the frames that the decoder still holds."""
        try:
            return stream.codec_context.decode(None)
        except FFmpegError as error:
            self._lose(Fraction(0), error)
            return []

    def _lose(self, duration_s: Fraction, error: FFmpegError) -> None:
        if isinstance(error, MemoryError):
            raise error
        self._report.lose(duration_s, error.strerror or "not decodable")

    def _counted(self, frames: Iterable[AudioFrame], codec: str) -> Iterator[AudioFrame]:
        """Yield the frames that have samples at a possible rate."""
        for frame in frames:
            if frame.sample_rate not in RATES_HZ:
                self._report.lose(Fraction(0), f"its sample rate is {frame.sample_rate} Hz")
            elif frame.samples:
                self.stored = self.stored or f"{codec}, {FrameFormat.of(frame)}"
                self._report.count(frame)
                yield frame

    def _resampled(self, frames: Iterator[AudioFrame]) -> Iterator[Samples]:
        """Yield mono samples; each run of frames of one format has its own resampler."""
        resampler: av.AudioResampler | None = None
        last: FrameFormat | None = None
        for frame in frames:
            found = FrameFormat.of(frame)
            if resampler is None or found != last:
                yield from self._mixed(resampler.resample(None) if resampler else [])
                resampler = av.AudioResampler(format="flt", rate=self._rate_hz)
            last = found
            frame.pts = None  # no silence for gaps in the time stamps of a broken recording
            yield from self._mixed(resampler.resample(frame))
        yield from self._mixed(resampler.resample(None) if resampler else [])

    def _mixed(self, frames: list[AudioFrame]) -> Iterator[Samples]:
        for frame in frames:
            samples = self._finite(mix_to_mono(frame))
            for start in range(0, len(samples), CHUNK_SAMPLES):
                yield samples[start : start + CHUNK_SAMPLES]

    def _finite(self, samples: Samples) -> Samples:
        is_finite = np.isfinite(samples)
        self._report.invalid_samples += int(len(samples) - np.count_nonzero(is_finite))
        return samples if is_finite.all() else np.where(is_finite, samples, np.float32(0))


@contextmanager
def opened(path: Path, part: AudioPart) -> Iterator[InputContainer]:
    """Open a part of a file; raises FFmpegError."""
    if not part.start and not part.corrections and part.end == path.stat().st_size:
        with open_media(path, demuxer=part.demuxer) as container:
            yield container
        return
    with (
        closing(FilePart(path, part.start, part.end, part.corrections)) as file,
        open_media(cast(BinaryIO, file), demuxer=part.demuxer) as container,
    ):
        yield container


def missing_length_s(
    container: InputContainer, stream: AudioStream, part: AudioPart, decoded_s: Fraction
) -> Fraction:
    """Return the duration that the header announces and that was not decoded; 0 if it is unknown.

    The decoder's own losses are not counted again.
    """
    if part.present_share is not None:
        return decoded_s / part.present_share - decoded_s if part.present_share else Fraction(0)
    announced_s = part.announced_s
    if announced_s is None and part.container_states_length:
        announced_s = container_length_s(container, stream)
    missing_s = (announced_s or 0) - decoded_s
    tolerance_s = 0 if stream.codec_context.name == "flac" else ROUNDING_S
    return missing_s if missing_s > tolerance_s else Fraction(0)


def container_length_s(container: InputContainer, stream: AudioStream) -> Fraction | None:
    """Return the duration of a stream by the header of its container; None if it states none."""
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    if tag := DURATION_TAG.match(stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = tag.groups()
        return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
    if container.duration is not None and len(container.streams) == 1:
        return Fraction(container.duration, av.time_base)
    return None


def mix_to_mono(frame: AudioFrame) -> Samples:
    """(n,) the weighted mean of a packed float frame's channels."""
    names = [channel.name for channel in frame.layout.channels]
    weights = np.array([DOWNMIX_WEIGHTS.get(name, 1.0) for name in names], np.float32)
    packed = np.asarray(frame.to_ndarray()[0], np.float32).reshape(-1, len(names))
    total = weights.sum() or 1.0
    return np.asarray(packed @ (weights / total), np.float32)
