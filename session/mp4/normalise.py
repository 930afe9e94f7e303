"""Pictures of any clip, encoded again as those of a film: its size, its rate, upright."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from session.errors import ClipUnfitError
from session.film import FilmSpec
from session.media_file import open_media
from session.mp4.clip_file import ClipFile
from session.mp4.clip_probe import ProbedClip, probe_clip
from session.orientation import AS_STORED, OrientationReader
from session.video_encoder import VideoEncoder

Picture = NDArray[np.uint8]
"""(h, w, 3) BGR."""

_EXACTLY = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Slower than the default conversion, which rounds less exactly."""
_RATES = (24, 25, 30, 50, 60)
_KEY_EVERY_S = 1
"""A key picture a second: short enough to seek by."""


def common_spec(first: ProbedClip) -> FilmSpec:
    """What all clips are brought to: the size, as it is shown, and the rate of the first."""
    width, height = first.pictures.size
    stored = round(width * first.pictures.aspect), height
    width, height = first.pictures.orientation.swapped(stored)
    fps = min(_RATES, key=lambda rate: abs(rate - first.pictures.fps))
    return FilmSpec(width=width, height=height, fps=fps)


def is_of(clip: ProbedClip, spec: FilmSpec) -> bool:
    """Whether a clip's pictures are as this program's encoder makes them, so that they stay."""
    ours = (VideoEncoder(spec).avcc, spec.coded_size, Fraction(spec.fps), AS_STORED)
    pictures = clip.pictures
    return not clip.unsteady and ours == (
        pictures.extradata,
        pictures.size,
        pictures.fps,
        pictures.orientation,
    )


def normalise(clip: ProbedClip, path: Path, spec: FilmSpec) -> ProbedClip:
    """The clip's pictures in a new file at `path`; its sound is not in there."""
    clip_file = ClipFile(path, spec)
    try:
        group: list[Picture] = []
        for picture in _at_rate(clip, spec):
            group.append(picture)
            if len(group) == _KEY_EVERY_S * spec.fps:
                clip_file.write(group, None)
                group = []
        if group:
            clip_file.write(group, None)
        clip_file.end(with_sound=False)
    finally:
        clip_file.close()
    made = probe_clip(path)
    return replace(made, sound=clip.sound)


def _at_rate(clip: ProbedClip, spec: FilmSpec) -> Iterator[Picture]:
    """One picture a frame of the film: the one that the clip shows in the frame's middle."""
    count = max(1, round(clip.duration_s * spec.fps))
    given, shown, orientations = 0, None, OrientationReader()
    for begins_s, frame in _decoded(clip):
        while shown is not None and given < count and _middle_s(given, spec) < begins_s:
            yield shown
            given += 1
        upright = orientations.read(frame).applied(_square(frame, clip))
        shown = fit(upright, (spec.width, spec.height))
    if shown is None:
        raise ClipUnfitError(f"{clip.path} has no picture that can be decoded.")
    for _ in range(given, count):
        yield shown


def _middle_s(frame: int, spec: FilmSpec) -> Fraction:
    return Fraction(2 * frame + 1, 2 * spec.fps)


def _decoded(clip: ProbedClip) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """Pictures, and when each begins after the first one's time, seconds."""
    try:
        with open_media(clip.path) as container:
            for frame in container.decode(container.streams.video[0]):
                if frame.pts is not None and frame.time_base is not None:
                    yield frame.pts * frame.time_base - clip.start_s, frame
    except av.error.FFmpegError as error:
        raise ClipUnfitError(f"The pictures of {clip.path} cannot be decoded: {error}.") from error


def _square(frame: av.VideoFrame, clip: ProbedClip) -> Picture:
    """The stored picture with its pixels made square."""
    bgr = frame.reformat(format="bgr24", interpolation=_EXACTLY)
    picture = np.asarray(bgr.to_ndarray(), dtype=np.uint8)
    aspect = clip.pictures.aspect
    if aspect == 1:
        return picture
    size = (round(picture.shape[1] * aspect), picture.shape[0])
    return np.asarray(cv2.resize(picture, size), dtype=np.uint8)


def fit(picture: Picture, size: tuple[int, int]) -> Picture:
    """Scaled to (width, height) as a whole, in the middle of black."""
    width, height = size
    factor = min(width / picture.shape[1], height / picture.shape[0])
    inner = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(picture, inner, interpolation=way)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = scaled
    return canvas
