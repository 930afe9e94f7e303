"""Properties of a clip that is to be joined, found by reading all of its packets."""

import os
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

from session.disk import open_regular
from session.errors import ClipUnfitError, FilmDamagedError
from session.film import SAMPLES_PER_PACKET
from session.media_file import open_media
from session.mp4.sample_tables import top_level_boxes
from session.orientation import Orientation, OrientationReader
from session.video_frames import main_video


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoProperties:
    """Properties that the pictures of all clips must share to be copied into one track."""

    codec: str
    tag: str
    extradata: bytes
    """Configuration of the decoder: avcC, hvcC, …"""
    size: tuple[int, int]
    fps: Fraction
    time_base: Fraction
    orientation: Orientation
    """Rotation and reflection that players apply."""
    aspect: Fraction
    """Width of a pixel divided by its height."""

    def difference(self, other: "VideoProperties") -> str:
        """Describe the first field in which `other` differs; empty if there is none."""
        for each in fields(self):
            expected, found = getattr(self, each.name), getattr(other, each.name)
            if expected != found:
                return f"its {each.name} is {_format(found)} instead of {_format(expected)}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioProperties:
    """Properties of a clip's sound."""

    config: bytes
    rate_hz: int
    channels: int
    packets: int
    is_aligned: bool
    """True for AAC without priming that starts and ends exactly with the pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedClip:
    """A clip and its properties."""

    path: Path
    video: VideoProperties
    frames: int
    start_s: Fraction
    """Time of the first picture in the file's own clock."""
    duration_s: Fraction
    has_b_frames: bool
    sizes: NDArray[np.uint32]
    """Sizes of the encoded pictures in bytes."""
    audio: AudioProperties | None
    copy_obstacle: str = ""
    """Reason why the pictures of this clip can never be copied; empty if they can."""
    notes: tuple[str, ...] = ()
    """Changes that were made to the pictures when they were encoded again."""


@dataclass(slots=True)
class _PacketStats:
    """Statistics of one stream's packets."""

    starts: "array[int]" = field(default_factory=lambda: array("q"))
    sizes: "array[int]" = field(default_factory=lambda: array("L"))
    begins_with_key_frame: bool = False
    is_cut: bool = False
    """An edit list hides packets."""
    is_primed: bool = False
    """Samples must be skipped at the start or dropped at the end."""
    has_b_frames: bool = False

    def count(self, packet: "Packet[Any]") -> None:
        """Add one packet."""
        self.is_cut |= packet.is_discard
        self.is_primed |= packet.is_discard or packet.has_sidedata("skip_samples")
        if packet.is_discard:
            return
        if not self.starts:
            self.begins_with_key_frame = packet.is_keyframe
        assert packet.pts is not None
        self.has_b_frames |= packet.pts != packet.dts
        self.starts.append(packet.pts)
        self.sizes.append(packet.size)

    def steps(self) -> Counter[int]:
        """Count the distances in ticks from each packet to the next."""
        return Counter(np.diff(np.sort(np.asarray(self.starts))).tolist())


def probe_clip(path: Path) -> ProbedClip:
    """Read a clip; raises ClipUnfitError if it is missing, truncated, unreadable or has no
    pictures."""
    _require_complete(path)
    try:
        with open_media(path) as container:
            video = _video_stream(container, path)
            audio = next(iter(container.streams.audio), None)
            video_stats, audio_stats = _count_packets(container, video, audio, path)
            properties = _video_properties(video, video_stats, _orientation(path, video.index))
            start_s, end_s = _span(video_stats, properties)
            sound = _audio_properties(audio, audio_stats, (start_s, end_s)) if audio else None
    except (av.error.FFmpegError, ArithmeticError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ClipUnfitError(f"{path} cannot be read: {reason}.") from error
    return ProbedClip(
        path=path,
        video=properties,
        frames=len(video_stats.starts),
        start_s=start_s,
        duration_s=end_s - start_s,
        has_b_frames=video_stats.has_b_frames,
        sizes=np.asarray(video_stats.sizes, np.uint32),
        audio=sound,
        copy_obstacle="; ".join(_copy_obstacles(video_stats)),
    )


def _require_complete(path: Path) -> None:
    try:
        fd = open_regular(path)
    except OSError as error:
        raise ClipUnfitError(f"{path} cannot be opened: {error.strerror}.") from error
    except FilmDamagedError as error:
        raise ClipUnfitError(str(error)) from error
    try:
        size = os.fstat(fd).st_size
        if not size:
            raise ClipUnfitError(f"{path} is empty.")
        is_mp4 = os.pread(fd, 8, 0)[4:] == b"ftyp"
        if is_mp4 and max(each.end for each in top_level_boxes(fd)) > size:
            raise _truncated(path)
    finally:
        os.close(fd)


def _truncated(path: Path) -> ClipUnfitError:
    return ClipUnfitError(
        f"{path} is cut short: its index lists bytes that it does not have. Get it again, or leave"
        " it out."
    )


def _without_pictures(path: Path) -> ClipUnfitError:
    return ClipUnfitError(f"{path} has no pictures; leave it out, or add some.")


def _video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    if (stream := main_video(container)) is None:
        raise _without_pictures(path)
    return stream


def _count_packets(
    container: av.container.InputContainer,
    video: av.VideoStream,
    audio: av.AudioStream | None,
    path: Path,
) -> tuple[_PacketStats, _PacketStats]:
    stats = {video.index: _PacketStats()} | ({audio.index: _PacketStats()} if audio else {})
    for packet in container.demux(*(each for each in (video, audio) if each)):
        if packet.is_corrupt:
            raise _truncated(path)
        if packet.size and packet.pts is not None:
            stats[packet.stream.index].count(packet)
    if not stats[video.index].starts:
        raise _without_pictures(path)
    return stats[video.index], stats[audio.index] if audio else _PacketStats()


def _video_properties(
    video: av.VideoStream, stats: _PacketStats, orientation: Orientation
) -> VideoProperties:
    base = video.time_base or Fraction(1)
    usual_step = stats.steps().most_common(1)
    context = video.codec_context
    return VideoProperties(
        codec=context.name,
        tag=_codec_tag(context),
        extradata=bytes(context.extradata or b""),
        size=(context.width, context.height),
        fps=1 / (usual_step[0][0] * base) if usual_step else Fraction(video.average_rate or 0),
        time_base=base,
        orientation=orientation,
        aspect=Fraction(video.sample_aspect_ratio or 1),
    )


def _codec_tag(context: av.VideoCodecContext) -> str:
    try:
        return context.codec_tag if context.codec_tag.isprintable() else ""
    except UnicodeDecodeError:  # PyAV expects ASCII; transport streams have numbers
        return ""


def _orientation(path: Path, stream: int) -> Orientation:
    """Decode the first picture and return its orientation."""
    with open_media(path) as container:
        for frame in container.decode(container.streams[stream]):
            assert isinstance(frame, av.VideoFrame)
            return OrientationReader().read(frame)
    raise ClipUnfitError(f"{path} has no picture that can be decoded.")


def _span(stats: _PacketStats, video: VideoProperties) -> tuple[Fraction, Fraction]:
    """Start of the first picture and end of the last one, in seconds."""
    start_s = min(stats.starts) * video.time_base
    last_s = max(stats.starts) * video.time_base
    return start_s, last_s + (1 / video.fps if video.fps else 0)


def _audio_properties(
    audio: av.AudioStream, stats: _PacketStats, video_span_s: tuple[Fraction, Fraction]
) -> AudioProperties | None:
    if not stats.starts:
        return None
    context, base = audio.codec_context, audio.time_base or Fraction(1)
    starts = np.asarray(stats.starts)
    end = stats.starts[-1] + SAMPLES_PER_PACKET
    return AudioProperties(
        config=bytes(context.extradata or b""),
        rate_hz=context.sample_rate,
        channels=context.layout.nb_channels,
        packets=len(starts),
        is_aligned=(
            context.name == "aac"
            and not stats.is_primed
            and base == Fraction(1, context.sample_rate)
            and set(np.diff(starts).tolist()) <= {SAMPLES_PER_PACKET}
            and (stats.starts[0] * base, end * base) == video_span_s
        ),
    )


def _copy_obstacles(stats: _PacketStats) -> Iterator[str]:
    if stats.is_cut:
        yield "an edit list hides some of its pictures"
    if len(stats.steps()) > 1:
        yield "its pictures do not last equally long"
    if not stats.begins_with_key_frame:
        yield "it does not begin with a key frame"


def _format(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
