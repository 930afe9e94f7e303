"""The sound of many clips through one AAC encoder, so that no joint is heard and none drifts."""

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
"""(channels, n) 48 kHz."""

_GAP_S = Fraction(1, 50)
"""Packets whose times are further apart than their samples last were lost between; less is the
rounding of a coarse clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSegment:
    """A stretch of the joined film, and the clip whose sound is heard there, if it has any."""

    path: Path | None
    start_s: Fraction
    """Time in the clip's own clock at which the stretch begins: that of its first picture."""
    samples: int
    """Length of the stretch, at 48 kHz."""


def write_soundtrack(path: Path, slots: Sequence[AudioSegment], layout: Layout) -> int:
    """Encode all slots into a file of sound alone; returns its packets, silence up to the last's
    end included. Memory does not grow with the length."""
    encoder = AudioEncoder(lead_in=0, layout=layout)
    packets = -(-sum(slot.samples for slot in slots) // SAMPLES_PER_PACKET)
    with av.open(str(path), "w", format="mp4", options={"use_editlist": "0"}) as container:  # noqa: TID251  writes
        stream = container.add_stream(CODEC, rate=SAMPLE_RATE_HZ)
        assert isinstance(stream.codec_context, AudioCodecContext)
        set_up(stream.codec_context, layout)
        container.start_encoding()
        count = 0
        for encoded in _encode(encoder, slots, layout, packets):
            packet = av.Packet(encoded)
            packet.stream, packet.time_base = stream, Fraction(1, SAMPLE_RATE_HZ)
            packet.pts = packet.dts = count * SAMPLES_PER_PACKET
            packet.duration, packet.is_keyframe = SAMPLES_PER_PACKET, True
            container.mux(packet)
            count += 1
    return count


def _encode(
    encoder: AudioEncoder, slots: Sequence[AudioSegment], layout: Layout, packets: int
) -> Iterator[bytes]:
    made = 0
    for slot in slots:
        for samples in slot_samples(slot, layout):
            encoded = encoder.encode(samples)
            made += len(encoded)
            yield from encoded
    yield from encoder.end(packets - made)


def slot_samples(slot: AudioSegment, layout: Layout) -> Iterator[ChannelSamples]:
    """Exactly the samples of a slot: cut, or filled up with silence, to the picture's length."""
    left = slot.samples
    for piece in _resampled(slot, layout) if slot.path else ():
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


def _resampled(slot: AudioSegment, layout: Layout) -> Iterator[ChannelSamples]:
    assert slot.path is not None
    resampler: av.AudioResampler | None = None
    channels = 1
    for frame in _unbroken(slot.path, slot.start_s):
        if resampler is None:
            channels = min(2, frame.layout.nb_channels)
            kept: Layout = "stereo" if channels == 2 and layout == "stereo" else "mono"
            resampler = av.AudioResampler("fltp", kept, SAMPLE_RATE_HZ)
        yield from (_spread(each, layout) for each in resampler.resample(frame))
    if resampler is not None:
        yield from (_spread(each, layout) for each in resampler.resample(None))


def _spread(frame: av.AudioFrame, layout: Layout) -> ChannelSamples:
    """One channel is heard from both sides as loud as alone."""
    samples = np.asarray(frame.to_ndarray(), dtype=np.float32)
    return samples if layout == "mono" or len(samples) == 2 else np.repeat(samples, 2, axis=0)


def _unbroken(path: Path, start_s: Fraction) -> Iterator[av.AudioFrame]:
    """The clip's sound from `start_s` on without holes or overlaps, in its own rate."""
    at = 0
    for frame in _decoded(path):
        for piece in _fitted(frame, at, start_s):
            piece.time_base, piece.pts = Fraction(1, piece.sample_rate), at
            at += piece.samples
            yield piece


def _fitted(frame: av.AudioFrame, at: int, start_s: Fraction) -> Iterator[av.AudioFrame]:
    """The frame as it goes on after `at` samples: behind silence, or without its first samples."""
    assert frame.pts is not None
    assert frame.time_base is not None
    rate = frame.sample_rate
    apart = round((frame.pts * frame.time_base - start_s) * rate) - at
    if at and abs(apart) <= _GAP_S * rate:
        apart = 0
    for done in range(0, max(apart, 0), rate):
        yield _silence(frame, min(rate, apart - done))
    kept = frame if apart >= 0 else _without_first(frame, -apart)
    if kept is not None:
        yield kept


def _decoded(path: Path) -> Iterator[av.AudioFrame]:
    try:
        with open_media(path) as container:
            yield from container.decode(container.streams.audio[0])
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
    plain: NDArray[Any] = np.ascontiguousarray(samples, dtype=like.to_ndarray().dtype)
    frame = av.AudioFrame.from_ndarray(plain, format=like.format.name, layout=like.layout.name)
    frame.sample_rate = like.sample_rate
    return frame


def _rows(frame: av.AudioFrame) -> int:
    return frame.layout.nb_channels if frame.format.is_planar else 1


def _interleaved(frame: av.AudioFrame) -> int:
    return 1 if frame.format.is_planar else frame.layout.nb_channels
