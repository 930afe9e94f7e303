"""Video files, decoded frame by frame to upright BGR pictures at an exact frame rate."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from session.colour_matrix import colour_matrix
from session.media_file import open_media
from session.orientation import AS_STORED, OrientationReader
from session.transparency import ALPHA_NOTE, WHITE, flatten_alpha, has_alpha
from session.video_frames import DEINTERLACED_NOTE, DecodingReport, decode_video, main_video
from warm.media.file_end import missing_share
from warm.media.picture_size import crop_to_even, scaled_size
from warm.media.sniff import DamagedMediaError, MediaError, sniff

AnyFrame = TypeVar("AnyFrame")

EXACT_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Takes 2 ms a frame instead of 0.2, but interpolates the chroma and has no bias. The fast scaler
makes greys 0.4 levels too dark; ACCURATE_RND alone makes one channel 1.6 levels too dark."""
HDR_TRANSFERS = {16, 18}
"""PQ and HLG, by their ITU-T H.273 codes."""
EARLY_SHARE, EARLY_S = Fraction(1, 20), Fraction(1, 2)
"""A video that ends earlier than announced by more than both gets a note."""
LONGEST_CREDIBLE_S = 100 * 3600
"""Recorders announce longer durations before they know the real one."""
LONGEST_LAST_FRAME_S = 1
"""The last frame is shown for at most this long, or as long as the longest one before it."""
HDR_NOTE = "The video is HDR; its colours will look pale. Record or export it as SDR (Rec. 709)."
CUT_NOTE = "The file is cut off: {share:.0%} of it is missing. The part that is there is used."


@contextmanager
def open_video(
    path: Path, *, fps: int, max_side: int, backdrop: Sequence[int] = WHITE
) -> Iterator["Video"]:
    """Open a video for decoding at `fps` frames a second, with no side above `max_side`.

    `backdrop` is the BGR colour behind transparent parts. Raises MediaError, here or while frames
    are read, if nothing of it can be decoded.
    """
    demuxer = sniff(path).demuxer
    try:
        with open_media(path, demuxer=demuxer) as container:
            video = Video(container, path, fps=fps, max_side=max_side)
            video.backdrop = backdrop
            yield video
    except FFmpegError as error:
        raise DamagedMediaError(
            f"The video {path} is damaged or truncated ({error.strerror}). Send the file again."
        ) from error


class Video:
    """An open video. Not thread-safe; created by `open_video`."""

    def __init__(self, container: InputContainer, path: Path, *, fps: int, max_side: int) -> None:
        stream = main_video(container)
        if not container.streams:
            raise DamagedMediaError(
                f"The video {path} is damaged or truncated: it lists no streams, perhaps because "
                "the recording was not finished. Send the file again."
            )
        if stream is None:
            raise MediaError(f"{path} has no video stream. Send a photo or a video.")
        if stream.codec_context is None:
            raise MediaError(
                f"The codec of the video {path} is unknown, or its header is damaged. Convert it "
                "to H.264 in MP4."
            )
        self._container, self._path, self._stream = container, path, stream
        self._fps, self._max_side = fps, max_side
        self._scaler = VideoReformatter()
        self._size: tuple[int, int] | None = None
        """Size of the first frame, upright; all others are scaled to it."""
        self._orientations = OrientationReader()
        self.orientation = AS_STORED
        """Orientation of the first frame; set when it is read."""
        self.stored_size = (0, 0)
        """(width, height) upright, before scaling; set when the first frame is read."""
        self.is_hdr = False
        """True if the transfer function is PQ or HLG, which is not tone-mapped; set likewise."""
        self.backdrop: Sequence[int] = WHITE
        """BGR colour behind transparent parts."""
        self.interpolation = EXACT_SCALING
        """Interpolation of the conversion and scaling to pictures."""
        self._has_alpha = False
        self.start_s = Fraction(0)
        """Timestamp of the first frame, on the file's clock; set when that frame is read."""
        self._end_s = Fraction(0)
        """End of the last frame that was decoded."""
        self._is_read_to_end = False
        self._report = DecodingReport()

    @property
    def announced_s(self) -> Fraction | None:
        """Duration that the file announces for its pictures, or else in all; None without one."""
        if (own := self._announced_pictures_s()) is not None:
            return own
        return credible_s(self._container.duration, Fraction(1, av.time_base))

    def _announced_pictures_s(self) -> Fraction | None:
        if (stated := credible_s(self._stream.duration, self._stream.time_base)) is not None:
            return stated
        return matroska_duration_s(self._stream.metadata.get("DURATION", ""))

    @property
    def notes(self) -> list[str]:
        """Remarks for the user about what is unusual in the frames read so far."""
        notes = [self.orientation.note] if self.orientation.note else []
        notes += [HDR_NOTE] * self.is_hdr + [ALPHA_NOTE] * self._has_alpha
        if self._report.deinterlaced:
            notes.append(DEINTERLACED_NOTE)
        if self._report.damaged:
            notes.append(damage_note(self._report))
        if self._is_read_to_end:
            notes += self._end_notes()
        return notes

    def _end_notes(self) -> list[str]:
        missing = (self._announced_pictures_s() or self._end_s) - self._end_s
        if missing > EARLY_S and missing > EARLY_SHARE * self._end_s:
            return [
                f"The pictures end at {float(self._end_s):.1f} s, although "
                f"{float(self._end_s + missing):.1f} s are announced; they are used up to there."
            ]
        share = missing_share(self._path)
        return [CUT_NOTE.format(share=share)] if share else []

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield upright (h, w, 3) BGR frames with even sides: the one shown midway in each 1/fps.

        Each array is new, except that a frame that is shown for longer is yielded again.
        """
        last: tuple[VideoFrame, NDArray[np.uint8]] | None = None
        for frame in self.stored_frames():
            if last is None or last[0] is not frame:
                last = frame, self.picture(frame)
            yield last[1]

    def stored_frames(self) -> Iterator[VideoFrame]:
        """Yield the frames of `frames` as stored; a frame that is shown longer is repeated."""
        yield from frames_at_rate(self._timed(), self._fps)

    def _timed(self) -> Iterator[tuple[Fraction, Fraction, VideoFrame]]:
        """Yield (start, end, frame) in seconds from the first frame; ends may be estimates."""
        default_s = 1 / Fraction(self._stream.average_rate or self._fps)
        longest_s = max(default_s, Fraction(LONGEST_LAST_FRAME_S))
        origin: Fraction | None = None
        start = self._end_s = Fraction(0)
        self._report = DecodingReport()
        for frame in decode_video(self._container, self._stream, self._report):
            previous, start = start, self._end_s
            if frame.pts is not None and frame.time_base is not None:
                stamp = frame.pts * frame.time_base
                if origin is None:
                    origin = self.start_s = stamp
                start = stamp - origin
            longest_s = max(longest_s, start - previous)
            shown_s = frame.duration * (frame.time_base or 0)
            self._end_s = start + (min(shown_s, longest_s) if shown_s > 0 else default_s)
            yield start, self._end_s, frame
        self._is_read_to_end = True
        if not self._report.frames:
            raise self._without_frames()

    def _without_frames(self) -> DamagedMediaError:
        error = self._report.error
        reason = (
            f"has no frame that can be decoded ({error.strerror})" if error else "has no frames"
        )
        return DamagedMediaError(f"The video {self._path} {reason}. Send the file again.")

    def picture(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Return a frame of `stored_frames` as `frames` yields it."""
        orientation = self._orientations.read(frame)
        if self._size is None:
            stored = square_pixel_size(frame, self._stream.sample_aspect_ratio)
            self.stored_size = orientation.swapped(stored)
            self._size = scaled_size(*self.stored_size, self._max_side)
            self.orientation = orientation
            self.is_hdr = frame.color_trc in HDR_TRANSFERS
            self._has_alpha = has_alpha(frame)
        stored_picture = self._to_bgr(frame, orientation.swapped(self._size))
        return np.ascontiguousarray(crop_to_even(orientation.applied(stored_picture)))

    def _to_bgr(self, frame: VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
        converted = self._scaler.reformat(
            frame,
            width=size[0],
            height=size[1],
            format="bgra" if has_alpha(frame) else "bgr24",
            src_colorspace=colour_matrix(frame),
            interpolation=self.interpolation,
        )
        return flatten_alpha(np.asarray(converted.to_ndarray(), np.uint8), self.backdrop)


def damage_note(report: DecodingReport) -> str:
    """Describe the damage found while decoding."""
    at = "" if report.first_damage_s is None else f", first at {float(report.first_damage_s):.1f} s"
    return (
        f"{report.damaged} of about {report.frames + report.damaged} pictures of the video are "
        f"damaged{at}; the rest is used. Send the file again if you have it whole."
    )


def credible_s(duration: int | None, time_base: Fraction | None) -> Fraction | None:
    """Return a duration in seconds; None if it is unknown, negative or a placeholder."""
    if duration is None or time_base is None:
        return None
    seconds = duration * time_base
    return seconds if 0 < seconds <= LONGEST_CREDIBLE_S else None


def matroska_duration_s(tag: str) -> Fraction | None:
    """Return the seconds of a Matroska track's tag DURATION, HH:MM:SS.NNN; None for another."""
    try:
        hours, minutes, seconds = tag.strip("\0 ").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except (ValueError, ZeroDivisionError):
        return None


def square_pixel_size(frame: VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) of a frame whose pixels are made square by scaling its width."""
    if not aspect or aspect == 1:
        return frame.width, frame.height
    return max(1, round(frame.width * aspect)), frame.height


def frames_at_rate(
    timed: Iterable[tuple[Fraction, Fraction, AnyFrame]], fps: int
) -> Iterator[AnyFrame]:
    """Yield the frame shown in the middle of each 1/fps, from (start_s, end_s, frame) in order.

    A frame is shown until the next one starts; only the end of the last frame counts. Frames that
    do not start later than the one before are dropped. A video shorter than half a frame still
    yields its first frame.
    """
    middles = (Fraction(2 * k + 1, 2 * fps) for k in count())
    middle = next(middles)
    current: tuple[Fraction, Fraction, AnyFrame] | None = None
    has_yielded = False
    for item in timed:
        if current is not None and item[0] <= current[0]:
            continue
        while current is not None and middle < item[0]:
            yield current[2]
            has_yielded, middle = True, next(middles)
        current = item
    while current is not None and (middle < current[1] or not has_yielded):
        yield current[2]
        has_yielded, middle = True, next(middles)
