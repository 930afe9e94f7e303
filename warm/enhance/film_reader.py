"""Frames of a film with their exact times, decoded in a separate process.

Frames arrive as they are stored: not turned upright, and not converted if they are YUV 4:2:0.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from isolation.item import Item
from session.colour_matrix import colour_matrix
from session.media_file import open_media
from session.orientation import Orientation, OrientationReader
from session.transparency import ALPHA_NOTE, flatten_alpha, has_alpha
from session.video_frames import DEINTERLACED_NOTE, DecodingReport, decode_video, main_video
from warm.enhance.planes import FULL_RANGE, Colours, Planes
from warm.media.file_end import missing_share
from warm.media.isolated import decode_isolated
from warm.media.sniff import DamagedMediaError, MediaError, sniff
from warm.media.video import CUT_NOTE, damage_note

UNSPECIFIED, LIMITED_RANGE = 2, 1
PLANAR = {"yuv420p", "yuvj420p"}
FULL_RANGE_FORMATS = ("yuvj", "gray")
HIGH_DEPTH_NOTE = "The film has {bits} bits per colour; the result has 8."
RESAMPLED_NOTE = "The colours of the film are not stored as YUV 4:2:0; they were converted."
EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
DEFAULT_FPS, SLOWEST_FPS = 25, Fraction(1, 1001)
RATED_FRAMES = 6
"""Frames at the start by which the rate in the header is checked."""
PLAUSIBLE_RATES = Fraction(1, 4), Fraction(2)
"""Rate in the header, relative to that of those frames; outside, it is wrong. Films of a variable
rate may begin with fast motion, so the lower limit is wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmFacts:
    """Facts about a film, from its header and its first frame."""

    width: int
    """Width of the stored pictures, like `height`."""
    height: int
    time_base: Fraction
    """Unit of all times."""
    fps: Fraction
    """Mean rate, approximately, for filters and the encoder; the times are exact."""
    matrix: int
    """H.273 code as the film states it; 2: unspecified. If it is RGB, the same as `used_matrix`."""
    used_matrix: int
    """Matrix of the values of the frames."""
    range: int
    primaries: int
    transfer: int
    aspect: Fraction
    """Aspect ratio of one pixel."""
    orientation: Orientation
    announced_frames: int
    """Number of frames in the header; 0 if there is none."""
    audio_codecs: tuple[str, ...]
    caption_codecs: tuple[str, ...]
    stream: int
    """Index of the video stream in the file."""
    other_streams: int
    """Number of streams that are neither sound, nor captions, nor this video."""
    has_own_keys: bool
    """True if the metadata has keys for which MP4 has no atom."""

    @property
    def colours(self) -> Colours:
        """Interpretation of the values of its frames."""
        return Colours(self.used_matrix, self.range)


@dataclass(frozen=True, slots=True, eq=False)
class FilmFrame:
    """One frame."""

    planes: Planes
    pts: int
    """Presentation time in units of the film's time base; increases from frame to frame."""
    duration: int
    """In the same unit; 0 if it is unknown."""


class Film:
    """A film that another process decodes. Not thread-safe; created by `open_film`."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self.facts = facts_of(next(items).facts)
        self.notes: list[str] = []
        """Remarks about what is unusual in the film; complete after the last frame."""

    def frames(self) -> Iterator[FilmFrame]:
        """Yield all frames in the order in which they are shown."""
        for facts, array in self._items:
            if array is None:
                self.notes = list(facts["notes"])
                return
            planes = Planes.unpacked(array, self.facts.width, self.facts.height)
            yield FilmFrame(planes, facts["pts"], facts["duration"])


@contextmanager
def open_film(path: Path, *, first: int = 0) -> Generator[Film]:
    """Open a film in a separate process, and skip `first` frames; raises MediaError."""
    with closing(decode_isolated(film_items, path, first=first)) as items:
        yield Film(items)


def film_items(path: Path, *, first: int) -> Iterator[Item]:
    """Yield the facts of a film, each frame from the `first`, and the notes."""
    try:
        with open_media(path, demuxer=sniff(path).demuxer) as container:
            stream = main_video(container)
            if stream is None or stream.codec_context is None:
                raise MediaError(f"{path} has no video that can be decoded. Send another file.")
            yield from FilmItems(path, container, stream).items(first)
    except FFmpegError as error:
        raise DamagedMediaError(
            f"The film {path} is damaged or truncated ({error.strerror}). Send the file again."
        ) from error


class FilmItems:
    """Decodes one open film. One thread."""

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream) -> None:
        self._path, self._container, self._stream = path, container, stream
        self._report = DecodingReport()
        self._reformatter = VideoReformatter()
        self._size = (0, 0)
        self._colours = Colours(UNSPECIFIED, LIMITED_RANGE)
        self._notes: list[str] = []

    def items(self, first: int) -> Iterator[Item]:
        """Yield the facts, the frames and the notes."""
        timed = self._timed()
        begin = list(islice(timed, RATED_FRAMES))
        if begin:
            frame = begin[0][0]
            self._size, self._colours = (frame.width, frame.height), colours_of(frame)
            yield Item(self._facts(frame, [pts for _, pts, _ in begin]))
        for index, (frame, pts, duration) in enumerate(chain(begin, timed)):
            if index < first:
                self._note_format(frame)
            else:
                yield Item({"pts": pts, "duration": duration}, self._packed(frame))
        if not self._report.frames:
            raise DamagedMediaError(
                f"The film {self._path} has no picture that can be decoded. Send the file again."
            )
        yield Item({"notes": self._end_notes()})

    def _timed(self) -> Iterator[tuple[VideoFrame, int, int]]:
        """Yield each frame with its time and duration."""
        clock = FrameClock(self._stream)
        for frame in decode_video(self._container, self._stream, self._report):
            yield frame, *clock.times_of(frame)

    def _facts(self, frame: VideoFrame, times: Sequence[int]) -> dict[str, Any]:
        """Return the facts; `frame`: the first, `times`: those of the first frames."""
        streams, context = self._container.streams, self._stream.codec_context
        orientation = OrientationReader().read(frame)
        self._notes += [orientation.note] if orientation.note else []
        matrix = self._colours.matrix if is_rgb(frame) else frame.colorspace
        aspect = self._stream.sample_aspect_ratio or context.sample_aspect_ratio or 1
        return {
            "width": frame.width,
            "height": frame.height,
            "time_base": str(self._stream.time_base),
            "fps": str(plausible_rate(self._stream, times)),
            "matrix": matrix,
            "used_matrix": self._colours.matrix,
            "range": self._colours.range,
            "primaries": frame.color_primaries,
            "transfer": frame.color_trc,
            "aspect": str(Fraction(aspect)),
            "orientation": {
                "is_transposed": orientation.is_transposed,
                "flips_x": orientation.flips_x,
                "flips_y": orientation.flips_y,
            },
            "announced_frames": self._announced(),
            "audio_codecs": [codec_of(each) for each in streams.audio],
            "caption_codecs": [codec_of(each) for each in streams.subtitles],
            "stream": self._stream.index,
            "other_streams": len(streams) - len(streams.audio) - len(streams.subtitles) - 1,
            "has_own_keys": any(key.lower() not in MP4_KEYS for key in self._container.metadata),
        }

    def _announced(self) -> int:
        if self._stream.frames:
            return int(self._stream.frames)
        if self._container.duration is None or not self._stream.average_rate:
            return 0
        return round(self._container.duration / 1_000_000 * self._stream.average_rate)

    def _packed(self, frame: VideoFrame) -> NDArray[np.uint8]:
        planar = self._planar(frame)
        return np.concatenate([lines_of(plane).reshape(-1) for plane in planar.planes])

    def _planar(self, frame: VideoFrame) -> VideoFrame:
        """Return the frame as YUV 4:2:0 of 8 bits, with the size and colours of the first frame."""
        self._note_format(frame)
        if self._is_planar(frame):
            return frame
        if has_alpha(frame):
            frame = self._opaque(frame)
        return self._reformatter.reformat(
            frame,
            width=self._size[0],
            height=self._size[1],
            format="yuv420p",
            dst_colorspace=self._colours.matrix,
            dst_color_range=self._colours.range,
            interpolation=EXACT,
            **source_colours(frame),
        )

    def _opaque(self, frame: VideoFrame) -> VideoFrame:
        bgra = self._reformatter.reformat(frame, format="bgra", **source_colours(frame))
        picture = flatten_alpha(np.asarray(bgra.to_ndarray(), np.uint8))
        return VideoFrame.from_ndarray(picture, format="bgr24")

    def _is_planar(self, frame: VideoFrame) -> bool:
        """Return True if a frame has the format, the size and the colours of the result."""
        is_alike = (frame.width, frame.height) == self._size and colours_of(frame) == self._colours
        return is_alike and frame.format.name in PLANAR

    def _note_format(self, frame: VideoFrame) -> None:
        """Note what is lost by the conversion of a frame."""
        if has_alpha(frame):
            self._note(ALPHA_NOTE)
        elif not self._is_planar(frame):
            self._note_conversion(frame)

    def _note_conversion(self, frame: VideoFrame) -> None:
        bits = max(component.bits for component in frame.format.components)
        if bits > 8:
            self._note(HIGH_DEPTH_NOTE.format(bits=bits))
        elif frame.format.name not in PLANAR:
            self._note(RESAMPLED_NOTE)

    def _note(self, note: str) -> None:
        if note not in self._notes:
            self._notes.append(note)

    def _end_notes(self) -> list[str]:
        notes = list(self._notes)
        notes += [DEINTERLACED_NOTE] if self._report.deinterlaced else []
        notes += [damage_note(self._report)] if self._report.damaged else []
        share = missing_share(self._path)
        return notes + ([CUT_NOTE.format(share=share)] if share else [])


MP4_KEYS = {
    *("title", "artist", "album", "album_artist", "comment", "composer", "copyright", "date"),
    *("description", "encoder", "genre", "grouping", "lyrics", "show", "synopsis", "track"),
    *("major_brand", "minor_version", "compatible_brands", "creation_time", "year", "disc"),
    *("episode_id", "network", "keywords", "media_type", "hd_video", "gapless_playback"),
}


class FrameClock:
    """Times of consecutive frames in units of a stream's time base. One thread."""

    def __init__(self, stream: VideoStream) -> None:
        self._unit = stream.time_base or Fraction(1, 1000)
        rate = stream.average_rate or DEFAULT_FPS
        self._step = max(1, round(1 / (rate * self._unit)))
        self._last: tuple[int, int] | None = None

    def times_of(self, frame: VideoFrame) -> tuple[int, int]:
        """Return the time and the duration of the next frame; a missing time is estimated."""
        scale = (frame.time_base or self._unit) / self._unit
        duration = round((frame.duration or 0) * scale)
        guess = 0 if self._last is None else self._last[0] + (self._last[1] or self._step)
        pts = guess if frame.pts is None else round(frame.pts * scale)
        if self._last is not None and pts <= self._last[0]:
            pts = self._last[0] + 1  # a player could not show both
        self._last = pts, duration
        return pts, duration


def colours_of(frame: VideoFrame) -> Colours:
    """Return the interpretation of a frame's values; an RGB frame's after its conversion."""
    return Colours(colour_matrix(frame), range_of(frame))


def source_colours(frame: VideoFrame) -> dict[str, int]:
    """Return the arguments that tell a reformatter how to read a frame; none for RGB."""
    if is_rgb(frame):
        return {}
    colours = colours_of(frame)
    return {"src_colorspace": colours.matrix, "src_color_range": colours.range}


def is_rgb(frame: VideoFrame) -> bool:
    """Return True for RGB frames, and for those with a palette of RGB colours."""
    return bool(frame.format.is_rgb or frame.format.has_palette)


def plausible_rate(stream: VideoStream, times: Sequence[int]) -> Fraction:
    """Return the frame rate in the header, or that of the first frames if it is implausible.

    `times`: of these frames, in units of the stream's time base; increasing.
    """
    stated = Fraction(stream.average_rate or 0)
    if len(times) < 2 or stream.time_base is None:
        return stated or Fraction(DEFAULT_FPS)
    measured = (len(times) - 1) / ((times[-1] - times[0]) * stream.time_base)
    low, high = (limit * measured for limit in PLAUSIBLE_RATES)
    if low <= stated <= high:
        return stated
    return max(measured, SLOWEST_FPS).limit_denominator(SLOWEST_FPS.denominator)


def range_of(frame: VideoFrame) -> int:
    """Return the range of a frame's values, limited unless it states another."""
    if is_rgb(frame):
        return LIMITED_RANGE
    if frame.format.name.startswith(FULL_RANGE_FORMATS) or frame.color_range == FULL_RANGE:
        return FULL_RANGE
    return LIMITED_RANGE


def codec_of(stream: Any) -> str:
    """Return the name of a stream's codec, not that of its decoder; empty if it is unknown."""
    context = stream.codec_context
    return "" if context is None else str(context.codec.canonical_name)


def lines_of(plane: VideoPlane) -> NDArray[np.uint8]:
    """(h, w) view of a plane, without the padding of its lines."""
    held = np.frombuffer(memoryview(plane), np.uint8)
    return held.reshape(plane.height, plane.line_size)[:, : plane.width]


def facts_of(sent: Mapping[str, Any]) -> FilmFacts:
    """Return the facts that the decoding process has sent."""
    fractions = {name: Fraction(sent[name]) for name in ("time_base", "fps", "aspect")}
    lists = {name: tuple(sent[name]) for name in ("audio_codecs", "caption_codecs")}
    return FilmFacts(
        **{**sent, **fractions, **lists, "orientation": Orientation(**sent["orientation"])}
    )
