"""Soundtrack of joined clips from one AAC encoder: boundaries are inaudible, and nothing drifts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from session.audio_encoder import CODEC, AudioEncoder, Layout, set_up
from session.errors import ClipUnfitError
from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET
from session.media_file import open_media

ChannelSamples = NDArray[np.float32]
"""(channels, n) at 48 kHz."""

_GAP_S = Fraction(1, 50)
"""A larger difference between the time of a frame and the end of the previous one is a gap or an
overlap; a smaller one is the rounding of a coarse clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSegment:
    """Part of the joined film, and the clip with its sound, if it has any."""

    path: Path | None
    start_s: Fraction
    """Start of the segment in the clip's own clock: the time of its first picture."""
    samples: int
    """Length of the segment at 48 kHz."""


def write_soundtrack(path: Path, segments: Sequence[AudioSegment], layout: Layout) -> int:
    """Encode all segments into an audio file, and return its number of packets.

    The last packet is padded with silence. Memory use does not depend on the length.
    """
    encoder = AudioEncoder(lead_in=0, layout=layout)
    packets = -(-sum(segment.samples for segment in segments) // SAMPLES_PER_PACKET)
    with av.open(str(path), "w", format="mp4", options={"use_editlist": "0"}) as container:  # noqa: TID251  writes
        stream = container.add_stream(CODEC, rate=SAMPLE_RATE_HZ)
        assert isinstance(stream.codec_context, AudioCodecContext)
        set_up(stream.codec_context, layout)
        container.start_encoding()
        count = 0
        for encoded in _encode(encoder, segments, layout, packets):
            packet = av.Packet(encoded)
            packet.stream, packet.time_base = stream, Fraction(1, SAMPLE_RATE_HZ)
            packet.pts = packet.dts = count * SAMPLES_PER_PACKET
            packet.duration, packet.is_keyframe = SAMPLES_PER_PACKET, True
            container.mux(packet)
            count += 1
    return count


def _encode(
    encoder: AudioEncoder, segments: Sequence[AudioSegment], layout: Layout, packets: int
) -> Iterator[bytes]:
    count = 0
    for segment in segments:
        for samples in segment_samples(segment, layout):
            encoded = encoder.encode(samples)
            count += len(encoded)
            yield from encoded
    yield from encoder.flush(packets - count)


def segment_samples(segment: AudioSegment, layout: Layout) -> Iterator[ChannelSamples]:
    """Yield the samples of a segment, cut or padded with silence to its exact length."""
    left = segment.samples
    for piece in _resampled(segment, layout) if segment.path else ():
        taken = piece[:, :left]
        left -= taken.shape[1]
        yield taken
        if not left:
            return
    channels = 1 if layout == "mono" else 2
    while left:
        count = min(left, SAMPLE_RATE_HZ)
        left -= count
        yield np.zeros((channels, count), np.float32)


def _resampled(segment: AudioSegment, layout: Layout) -> Iterator[ChannelSamples]:
    """Yield the sound at 48 kHz; each run of frames of one format has its own resampler."""
    assert segment.path is not None
    resampler: av.AudioResampler | None = None
    current = None
    for frame in _continuous(segment.path, segment.start_s):
        found = frame.format.name, frame.layout.name, frame.sample_rate
        if resampler is None or found != current:
            yield from _in_layout(resampler.resample(None) if resampler else [], layout)
            resampler, current = _make_resampler(frame, layout), found
        yield from _in_layout(resampler.resample(frame), layout)
    yield from _in_layout(resampler.resample(None) if resampler else [], layout)


def _make_resampler(frame: av.AudioFrame, layout: Layout) -> av.AudioResampler:
    is_stereo = layout == "stereo" and frame.layout.nb_channels > 1
    return av.AudioResampler("fltp", "stereo" if is_stereo else "mono", SAMPLE_RATE_HZ)


def _in_layout(frames: Sequence[av.AudioFrame], layout: Layout) -> Iterator[ChannelSamples]:
    return (_to_layout(each, layout) for each in frames)


def _to_layout(frame: av.AudioFrame, layout: Layout) -> ChannelSamples:
    """Duplicate a mono channel for stereo, at the same level."""
    samples = np.asarray(frame.to_ndarray(), dtype=np.float32)
    return samples if layout == "mono" or len(samples) == 2 else np.repeat(samples, 2, axis=0)


def _continuous(path: Path, start_s: Fraction) -> Iterator[av.AudioFrame]:
    """Yield the clip's sound from `start_s`, at its own rates, without gaps or overlaps."""
    position_s = Fraction(0)
    for frame in _decoded(path):
        for piece in _fill_or_trim(frame, position_s, start_s):
            piece.pts = None
            position_s += Fraction(piece.samples, piece.sample_rate)
            yield piece


def _fill_or_trim(
    frame: av.AudioFrame, position_s: Fraction, start_s: Fraction
) -> Iterator[av.AudioFrame]:
    """Yield the frame so that it continues at `position_s`.

    A gap is filled with silence; overlapping samples are dropped. A frame without a time follows
    the previous one.
    """
    rate, gap_s = frame.sample_rate, Fraction(0)
    if frame.pts is not None and frame.time_base is not None:
        gap_s = frame.pts * frame.time_base - start_s - position_s
    if position_s and abs(gap_s) <= _GAP_S:
        gap_s = Fraction(0)
    gap = round(gap_s * rate)
    for done in range(0, max(gap, 0), rate):
        yield _silence(frame, min(rate, gap - done))
    kept = frame if gap >= 0 else _without_first(frame, -gap)
    if kept is not None:
        yield kept


def _decoded(path: Path) -> Iterator[av.AudioFrame]:
    try:
        with open_media(path) as container:
            for packet in container.demux(container.streams.audio[0]):
                if packet.size:  # an empty packet would end the decoder, as the last one does
                    yield from (frame for frame in packet.decode() if frame.samples)
            yield from container.streams.audio[0].codec_context.decode(None)
    except av.error.FFmpegError as error:
        raise ClipUnfitError(
            f"The sound of {path} cannot be decoded: {error.strerror}. Get the clip again, or leave"
            " it out."
        ) from error


def _silence(like: av.AudioFrame, count: int) -> av.AudioFrame:
    return _with_samples(like, np.zeros((_rows(like), count * _interleaved(like))))


def _without_first(frame: av.AudioFrame, count: int) -> av.AudioFrame | None:
    if count >= frame.samples:
        return None
    return _with_samples(frame, frame.to_ndarray()[:, count * _interleaved(frame) :])


def _with_samples(like: av.AudioFrame, samples: NDArray[Any]) -> av.AudioFrame:
    contiguous: NDArray[Any] = np.ascontiguousarray(samples, dtype=like.to_ndarray().dtype)
    frame = av.AudioFrame.from_ndarray(contiguous, format=like.format.name, layout=like.layout.name)
    frame.sample_rate = like.sample_rate
    return frame


def _rows(frame: av.AudioFrame) -> int:
    return frame.layout.nb_channels if frame.format.is_planar else 1


def _interleaved(frame: av.AudioFrame) -> int:
    return 1 if frame.format.is_planar else frame.layout.nb_channels
