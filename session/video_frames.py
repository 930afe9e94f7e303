"""Decoding of the main video of a container: transparent, deinterlaced, past damaged parts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from errno import ENOMEM
from fractions import Fraction
from itertools import chain, islice
from typing import Any

from av import CodecContext, Packet, VideoCodecContext, VideoFrame, VideoStream
from av.codec.context import ThreadType
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition

from session.deinterlacing import Deinterlacer, find_field_order

ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that read the transparency of a codec, unlike FFmpeg's own."""
PROBED_FRAMES, PROBED_BYTES = 48, 1 << 28
"""Frames at the start that decide whether a video is interlaced, and their maximum total size."""
DEINTERLACED_NOTE = "The video is interlaced; it was deinterlaced."


@dataclass(slots=True)
class DecodingReport:
    """Damage and changes found while the frames of a video were decoded."""

    frames: int = 0
    damaged: int = 0
    """Packets that could not be decoded, and frames with concealed damage."""
    first_damage_s: Fraction | None = None
    """Time of the first of them, from the first frame; None if it has no time."""
    deinterlaced: int = 0
    """Number of frames that were deinterlaced."""
    error: FFmpegError | None = field(default=None, repr=False)
    """The first error; unless it is a decoding error, the file could not be read any further."""


def main_video(container: InputContainer) -> VideoStream | None:
    """Return the stream that players show; None if there is none, or only a cover picture."""
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails)
    ]
    best = container.streams.best("video")
    return next((stream for stream in streams if stream is best), streams[0] if streams else None)


def decode_video(
    container: InputContainer, stream: VideoStream, report: DecodingReport
) -> Iterator[VideoFrame]:
    """Yield the frames of a stream, the interlaced ones deinterlaced.

    Damaged packets are skipped, and recorded in `report`. The first frames are kept in memory until
    it is known whether they are interlaced.
    """
    frames = _decoded(container, stream, report)
    frame_bytes = max(1, stream.codec_context.width * stream.codec_context.height * 2)
    probed = list(islice(frames, max(1, min(PROBED_FRAMES, PROBED_BYTES // frame_bytes))))
    deinterlacer = Deinterlacer(find_field_order(probed))
    for frame in deinterlacer.applied(chain(probed, frames)):
        report.deinterlaced = deinterlacer.frames
        yield frame


def _decoded(
    container: InputContainer, stream: VideoStream, report: DecodingReport
) -> Iterator[VideoFrame]:
    decoder, base = _decoder(stream), stream.time_base or Fraction(1)
    origin = 0
    for packet in _packets(container, stream, report):
        try:
            frames = decoder.decode(packet)
        except FFmpegError as error:
            if error.errno == ENOMEM:
                raise
            pts = packet.pts if packet is not None else None
            _record(report, error, None if pts is None else (pts - origin) * base)
            continue
        for frame in frames:
            if frame.time_base is None:
                frame.time_base = base
            if not report.frames:
                origin = frame.pts or 0
            report.frames += 1
            if frame.is_corrupt:
                _record(report, None, None if frame.pts is None else (frame.pts - origin) * base)
            yield frame


def _packets(
    container: InputContainer, stream: VideoStream, report: DecodingReport
) -> Iterator["Packet[Any] | None"]:
    """Yield the packets up to the end or the first read error, then None."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError as error:
            _record(report, error, None)
            packet = None
        if packet is None or packet.size:
            yield packet
        if packet is None:
            return


def _decoder(stream: VideoStream) -> VideoCodecContext:
    context = stream.codec_context
    if stream.metadata.get("alpha_mode") == "1" and context.name in ALPHA_DECODERS:
        created = CodecContext.create(ALPHA_DECODERS[context.name], "r")
        assert isinstance(created, VideoCodecContext)
        context = created
    if not context.is_open:
        context.thread_type = ThreadType.AUTO
    return context


def _record(report: DecodingReport, error: FFmpegError | None, time_s: Fraction | None) -> None:
    """Count one damaged place, at `time_s` from the first frame if that is known."""
    report.damaged += 1
    report.error = report.error or error
    if report.first_damage_s is None and time_s is not None:
        report.first_damage_s = max(Fraction(0), time_s)
