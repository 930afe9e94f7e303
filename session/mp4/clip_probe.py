"""What is in a clip that somebody wants joined, found by reading all of its packets."""

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
from av.stream import Disposition
from numpy.typing import NDArray

from session.disk import open_regular
from session.errors import ClipUnfitError, FilmDamagedError
from session.film import SAMPLES_PER_PACKET
from session.media_file import open_media
from session.mp4.sample_tables import top_level_boxes
from session.orientation import Orientation, OrientationReader


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoProperties:
    """What the pictures of all clips must agree in to be copied into one track."""

    codec: str
    tag: str
    extradata: bytes
    """The decoder's configuration: avcC, hvcC, …"""
    size: tuple[int, int]
    fps: Fraction
    time_base: Fraction
    orientation: Orientation
    """Turn and mirror by which players show it."""
    aspect: Fraction
    """Width of a pixel against its height."""

    def difference(self, other: "VideoProperties") -> str:
        """The first field in which `other` is another, and both values; empty where they agree."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            if mine != theirs:
                return f"its {each.name} is {_show(theirs)} instead of {_show(mine)}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioProperties:
    """What a clip has of sound."""

    config: bytes
    rate_hz: int
    channels: int
    packets: int
    is_aligned: bool
    """AAC without priming that begins with the first picture and ends with the last, exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedClip:
    """A clip, and what a list of clips needs to know of it."""

    path: Path
    pictures: VideoProperties
    frames: int
    start_s: Fraction
    """Time of its first picture in the file's own clock."""
    duration_s: Fraction
    has_b_frames: bool
    sizes: NDArray[np.uint32]
    """Of the coded pictures, bytes."""
    sound: AudioProperties | None
    unsteady: str = ""
    """Why its pictures cannot be copied, whatever the other clips are; empty where they can."""


@dataclass(slots=True)
class _Track:
    """The packets of one stream, counted in."""

    starts: "array[int]" = field(default_factory=lambda: array("q"))
    sizes: "array[int]" = field(default_factory=lambda: array("L"))
    begins_with_key: bool = False
    is_cut: bool = False
    """An edit list hides packets."""
    is_primed: bool = False
    """Samples must be skipped, or dropped at the end."""
    has_b_frames: bool = False

    def count(self, packet: "Packet[Any]") -> None:
        """Take one packet in."""
        self.is_cut |= packet.is_discard
        self.is_primed |= packet.is_discard or packet.has_sidedata("skip_samples")
        if packet.is_discard:
            return
        if not self.starts:
            self.begins_with_key = packet.is_keyframe
        assert packet.pts is not None
        self.has_b_frames |= packet.pts != packet.dts
        self.starts.append(packet.pts)
        self.sizes.append(packet.size)


def probe_clip(path: Path) -> ProbedClip:
    """Read a clip. ClipUnfitError where it is missing, cut short, unreadable or has no pictures."""
    _require_whole(path)
    try:
        with open_media(path) as container:
            video = _video(container, path)
            audio = next(iter(container.streams.audio), None)
            seen, heard = _count_packets(container, video, audio, path)
            pictures = _pictures(video, seen, _orientation(path, video.index))
            sound = _sound(audio, heard, _span(seen, pictures)) if audio else None
    except (av.error.FFmpegError, ArithmeticError, AttributeError) as error:
        said = getattr(error, "strerror", None) or error
        raise ClipUnfitError(f"{path} cannot be read: {said}.") from error
    start_s, end_s = _span(seen, pictures)
    return ProbedClip(
        path=path,
        pictures=pictures,
        frames=len(seen.starts),
        start_s=start_s,
        duration_s=end_s - start_s,
        has_b_frames=seen.has_b_frames,
        sizes=np.asarray(seen.sizes, np.uint32),
        sound=sound,
        unsteady="; ".join(_unsteady(seen)),
    )


def _require_whole(path: Path) -> None:
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
        if (
            os.pread(fd, 8, 0)[4:] == b"ftyp"
            and max(each.end for each in top_level_boxes(fd)) > size
        ):
            raise _cut_short(path)
    finally:
        os.close(fd)


def _cut_short(path: Path) -> ClipUnfitError:
    return ClipUnfitError(
        f"{path} is cut short: its index tells of bytes that it does not have. Get it again, or"
        " leave it out."
    )


def _video(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise ClipUnfitError(f"{path} has no pictures; leave it out, or give it some.")


def _count_packets(
    container: av.container.InputContainer,
    video: av.VideoStream,
    audio: av.AudioStream | None,
    path: Path,
) -> tuple[_Track, _Track]:
    tracks = {video.index: _Track()} | ({audio.index: _Track()} if audio else {})
    for packet in container.demux(*(each for each in (video, audio) if each)):
        if packet.is_corrupt:
            raise _cut_short(path)
        if packet.size and packet.pts is not None:
            tracks[packet.stream.index].count(packet)
    if not tracks[video.index].starts:
        raise ClipUnfitError(f"{path} has no pictures; leave it out, or give it some.")
    return tracks[video.index], tracks[audio.index] if audio else _Track()


def _pictures(video: av.VideoStream, track: _Track, orientation: Orientation) -> VideoProperties:
    base = video.time_base or Fraction(1)
    usual = _steps(track).most_common(1)
    context = video.codec_context
    return VideoProperties(
        codec=context.name,
        tag=_tag(context),
        extradata=bytes(context.extradata or b""),
        size=(context.width, context.height),
        fps=1 / (usual[0][0] * base) if usual else Fraction(video.average_rate or 0),
        time_base=base,
        orientation=orientation,
        aspect=Fraction(video.sample_aspect_ratio or 1),
    )


def _tag(context: av.VideoCodecContext) -> str:
    try:
        return context.codec_tag if context.codec_tag.isprintable() else ""
    except UnicodeDecodeError:  # PyAV reads ASCII; transport streams have numbers there
        return ""


def _orientation(path: Path, stream: int) -> Orientation:
    """Of the first picture, which must decode for that."""
    with open_media(path) as container:
        for frame in container.decode(container.streams[stream]):
            assert isinstance(frame, av.VideoFrame)
            return OrientationReader().read(frame)
    raise ClipUnfitError(f"{path} has no picture that can be decoded.")


def _steps(track: _Track) -> Counter[int]:
    """Ticks from picture to picture, and how often they are that many."""
    return Counter(np.diff(np.sort(np.asarray(track.starts))).tolist())


def _span(track: _Track, pictures: VideoProperties) -> tuple[Fraction, Fraction]:
    """When the first picture begins and the last one ends, seconds."""
    start_s = min(track.starts) * pictures.time_base
    last_s = max(track.starts) * pictures.time_base
    return start_s, last_s + (1 / pictures.fps if pictures.fps else 0)


def _sound(
    audio: av.AudioStream, track: _Track, span_s: tuple[Fraction, Fraction]
) -> AudioProperties | None:
    if not track.starts:
        return None
    context, base = audio.codec_context, audio.time_base or Fraction(1)
    starts = np.asarray(track.starts)
    end = track.starts[-1] + SAMPLES_PER_PACKET
    return AudioProperties(
        config=bytes(context.extradata or b""),
        rate_hz=context.sample_rate,
        channels=context.layout.nb_channels,
        packets=len(starts),
        is_aligned=(
            context.name == "aac"
            and not track.is_primed
            and base == Fraction(1, context.sample_rate)
            and set(np.diff(starts).tolist()) <= {SAMPLES_PER_PACKET}
            and (track.starts[0] * base, end * base) == span_s
        ),
    )


def _unsteady(video: _Track) -> Iterator[str]:
    if video.is_cut:
        yield "an edit list hides some of its pictures"
    if len(_steps(video)) > 1:
        yield "its pictures do not last equally long"
    if not video.begins_with_key:
        yield "it does not begin with a key picture"


def _show(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
