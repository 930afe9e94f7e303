"""Conversion of a clip's pictures to the size and rate of a film, upright."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from session.colour_matrix import colour_matrix
from session.errors import ClipUnfitError
from session.film import FilmSpec
from session.media_file import open_media
from session.mp4.clip_file import ClipFile
from session.mp4.clip_probe import ProbedClip, probe_clip
from session.orientation import AS_STORED, OrientationReader
from session.transparency import ALPHA_NOTE, flatten_alpha, has_alpha
from session.video_encoder import VideoEncoder
from session.video_frames import DEINTERLACED_NOTE, DecodingReport, decode_video, main_video

Picture = NDArray[np.uint8]
"""(h, w, 3) BGR."""

_ACCURATE = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Slower than the default conversion, whose rounding is less accurate."""
_RATES_FPS = (24, 25, 30, 50, 60)
_KEY_FRAME_INTERVAL_S = 1
"""Short enough for seeking."""


def common_spec(first: ProbedClip) -> FilmSpec:
    """Return the format of the joined film: the displayed size and the rate of the first clip."""
    width, height = first.video.size
    stored = round(width * first.video.aspect), height
    width, height = first.video.orientation.swapped(stored)
    fps = min(_RATES_FPS, key=lambda rate: abs(rate - first.video.fps))
    return FilmSpec(width=width, height=height, fps=fps)


def matches_spec(clip: ProbedClip, spec: FilmSpec) -> bool:
    """Return True if the pictures equal the output of this program's encoder and can be kept."""
    expected = (VideoEncoder(spec).avcc, spec.coded_size, Fraction(spec.fps), AS_STORED)
    video = clip.video
    found = (video.extradata, video.size, video.fps, video.orientation)
    return not clip.copy_obstacle and found == expected


def normalise(clip: ProbedClip, path: Path, spec: FilmSpec) -> ProbedClip:
    """Encode the clip's pictures to a new file at `path`, without its sound."""
    notes: list[str] = []
    with ClipFile(path, spec) as clip_file:
        group: list[Picture] = []
        for picture in _resampled(clip, spec, notes):
            group.append(picture)
            if len(group) == _KEY_FRAME_INTERVAL_S * spec.fps:
                clip_file.write(group, None)
                group = []
        if group:
            clip_file.write(group, None)
        clip_file.finish(with_sound=False)
    return replace(probe_clip(path), audio=clip.audio, notes=tuple(notes))


def _resampled(clip: ProbedClip, spec: FilmSpec, notes: list[str]) -> Iterator[Picture]:
    """Yield one picture for each frame of the film: the one shown in the middle of the frame.

    Adds what was changed to `notes`.
    """
    count = max(1, round(clip.duration_s * spec.fps))
    yielded, shown, orientations = 0, None, OrientationReader()
    for start_s, frame in _decoded(clip, notes):
        while shown is not None and yielded < count and _middle_s(yielded, spec) < start_s:
            yield shown
            yielded += 1
        upright = orientations.read(frame).applied(_square_pixels(frame, clip))
        shown = fit(upright, (spec.width, spec.height))
    if shown is None:
        raise ClipUnfitError(f"{clip.path} has no picture that can be decoded.")
    for _ in range(yielded, count):
        yield shown


def _middle_s(frame: int, spec: FilmSpec) -> Fraction:
    return Fraction(2 * frame + 1, 2 * spec.fps)


def _decoded(clip: ProbedClip, notes: list[str]) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """Yield the pictures, and the start of each in seconds after the first."""
    report, is_transparent = DecodingReport(), False
    try:
        with open_media(clip.path) as container:
            stream = main_video(container)
            assert stream is not None  # it was probed
            for frame in decode_video(container, stream, report):
                is_transparent |= has_alpha(frame)
                if frame.pts is not None and frame.time_base is not None:
                    yield frame.pts * frame.time_base - clip.start_s, frame
    except av.error.FFmpegError as error:
        raise _undecodable(clip, error) from error
    if report.error is not None:
        raise _undecodable(clip, report.error)
    notes += [DEINTERLACED_NOTE] * bool(report.deinterlaced) + [ALPHA_NOTE] * is_transparent


def _undecodable(clip: ProbedClip, error: av.error.FFmpegError) -> ClipUnfitError:
    return ClipUnfitError(f"The pictures of {clip.path} cannot be decoded: {error}.")


def _square_pixels(frame: av.VideoFrame, clip: ProbedClip) -> Picture:
    """Convert to opaque BGR, and scale to square pixels."""
    pixels = "bgra" if has_alpha(frame) else "bgr24"
    bgr = frame.reformat(
        format=pixels, src_colorspace=colour_matrix(frame), interpolation=_ACCURATE
    )
    picture = flatten_alpha(np.asarray(bgr.to_ndarray(), dtype=np.uint8))
    aspect = clip.video.aspect
    if aspect == 1:
        return picture
    size = (max(1, round(picture.shape[1] * aspect)), picture.shape[0])
    return np.asarray(cv2.resize(picture, size), dtype=np.uint8)


def fit(picture: Picture, size: tuple[int, int]) -> Picture:
    """Scale a picture to fit into (width, height), centred on black."""
    width, height = size
    factor = min(width / picture.shape[1], height / picture.shape[0])
    scaled_size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(picture, scaled_size, interpolation=interpolation)
    left, top = (width - scaled_size[0]) // 2, (height - scaled_size[1]) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + scaled_size[1], left : left + scaled_size[0]] = scaled
    return canvas
