"""Films of which only the person is left: over another background, or transparent.

A transparent film is WebM with VP9, whose opacity is a second picture next to each one (the
`BlockAdditional` of Matroska). Browsers and editors read it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from session.media_file import open_media
from session.mp4.delivery import Area
from session.video_encoder import to_frame
from warm.matting.background import Background, opaque_and_colours
from warm.matting.errors import NoPerson
from warm.matting.matte import Matte, Matting, Picture

OPUS_BPS = 96_000
THREADS = 2
SMPTE170M, BT709, TV_RANGE = 6, 1, 1
"""Colours of a film (ITU-T H.273 codes)."""
TRANSPARENT = {
    "crf": "24",
    "b": "0",
    "deadline": "realtime",
    "cpu-used": "6",
    "row-mt": "1",
    "auto-alt-ref": "0",  # FFmpeg's libvpx allows it only without opacity
}
NO_PERSON = (
    "no person was found in the first picture, so nothing can be cut out; use a face whose picture "
    "shows a person, in good light"
)
OPAQUE = {"preset": "veryfast", "crf": "18"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CutForm:
    """Form of a cut film; the default is that of the film itself."""

    background: Background | None = None
    """None: transparent."""
    crop: Area | None = None
    size: tuple[int, int] | None = None
    """(width, height) after the crop; even."""


def cut_film(film: BinaryIO, out: str | BinaryIO, models: Path, form: CutForm) -> None:
    """Write a film without its background to a path or a stream.

    `models`: folder of the face models. With a background the result is Matroska with the sound of
    the film; without one it is WebM with VP9, opacity and Opus. Raises NoPerson, FaceModelError,
    OSError and av.error.FFmpegError.
    """
    with open_media(film) as source:
        kind = "webm" if form.background is None else "matroska"
        with av.open(out, "w", format=kind) as container:  # noqa: TID251  writes
            CutWriter(source, container, Matting(models), form).write()


class CutWriter:
    """Copies the sound of a film and redraws its pictures. One thread."""

    def __init__(
        self,
        source: av.container.InputContainer,
        container: OutputContainer,
        matting: Matting,
        form: CutForm,
    ) -> None:
        self._source, self._container = source, container
        self._matting, self._form = matting, form
        self._has_person = False
        """The first picture shows one."""
        self._is_transparent = form.background is None
        self._background: Background | None = None
        self._pictures, self._sound = source.streams.video[0], source.streams.audio[0]
        self._video = self._add_video()
        self._audio: AudioStream | None = None
        if self._is_transparent:
            self._audio = container.add_stream("libopus", rate=self._sound.rate)
            self._audio.bit_rate = OPUS_BPS
            self._audio.layout = self._sound.layout
            self._copied = None
        else:
            self._copied = container.add_stream_from_template(self._sound)

    def write(self) -> None:
        """Write all pictures and all of the sound, in the order of their times."""
        for packet in self._source.demux(self._pictures, self._sound):
            if packet.stream is self._pictures:
                for frame in packet.decode():
                    assert isinstance(frame, av.VideoFrame)
                    self._write_picture(frame)
            elif self._copied is not None and packet.dts is not None:
                packet.stream = self._copied
                self._container.mux(packet)
            elif self._audio is not None:
                for sound in packet.decode():
                    assert isinstance(sound, av.AudioFrame)
                    self._container.mux(self._audio.encode(sound))
        self._container.mux(self._video.encode(None))
        if self._audio is not None:
            self._container.mux(self._audio.encode(None))

    def _add_video(self) -> VideoStream:
        rate = Fraction(self._pictures.average_rate or 25)
        width, height = self._shown_size()
        codec = "libvpx-vp9" if self._is_transparent else "libx264"
        video = self._container.add_stream(codec, rate=rate)
        assert isinstance(video, VideoStream)
        video.width, video.height = width + width % 2, height + height % 2
        video.pix_fmt = "yuva420p" if self._is_transparent else "yuv420p"
        video.options = dict(TRANSPARENT if self._is_transparent else OPAQUE)
        context = video.codec_context
        context.thread_count = THREADS
        context.colorspace, context.color_range = SMPTE170M, TV_RANGE
        context.color_primaries = context.color_trc = BT709
        return video

    def _shown_size(self) -> tuple[int, int]:
        if self._form.size is not None:
            return self._form.size
        if self._form.crop is not None:
            return self._form.crop.width, self._form.crop.height
        context = self._pictures.codec_context
        return context.width, context.height

    def _write_picture(self, frame: av.VideoFrame) -> None:
        picture = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        matte = self._matting.matte(picture)
        self._has_person = self._has_person or float(matte.max()) > 0
        if not self._has_person:
            raise NoPerson(NO_PERSON)
        drawn = self._drawn(picture, matte)
        drawn = resized(cropped(drawn, self._form.crop), self._form.size)
        made = with_opacity(drawn) if self._is_transparent else to_frame(drawn)
        made.pts, made.time_base = frame.pts, frame.time_base
        self._container.mux(self._video.encode(made))

    def _drawn(self, picture: Picture, matte: Matte) -> NDArray[np.uint8]:
        if self._form.background is None:
            return opaque_and_colours(picture, matte)
        if self._background is None:
            size = picture.shape[1], picture.shape[0]
            self._background = self._form.background.sized(*size)
        return self._background.behind(picture, matte)


def cropped(picture: NDArray[np.uint8], area: Area | None) -> NDArray[np.uint8]:
    """Return the area of a picture."""
    if area is None:
        return picture
    part = picture[area.y : area.y + area.height, area.x : area.x + area.width]
    return np.ascontiguousarray(part)


def resized(picture: NDArray[np.uint8], size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Return a picture scaled to (width, height)."""
    if size is None or size == (picture.shape[1], picture.shape[0]):
        return picture
    method = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)


def with_opacity(picture: NDArray[np.uint8]) -> av.VideoFrame:
    """Convert (h, w, 4) BGR and opacity to planar YUV 4:2:0 with opacity; odd sides grow by one."""
    colours = to_frame(np.ascontiguousarray(picture[..., :3]))
    frame = av.VideoFrame(colours.width, colours.height, "yuva420p")
    for source, target in zip(colours.planes, frame.planes, strict=False):
        lines(target)[:] = lines(source)
    opacity = picture[..., 3]
    grown = np.pad(opacity, [(0, side % 2) for side in opacity.shape], mode="edge")
    lines(frame.planes[3])[:] = grown
    return frame


def lines(plane: av.video.plane.VideoPlane) -> NDArray[np.uint8]:
    """Writable (h, w) view of a plane, without the padding of its lines."""
    held = np.frombuffer(memoryview(plane), np.uint8)
    return held.reshape(plane.height, plane.line_size)[:, : plane.width]


def pictures_of(film: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures of a transparent film, (h, w, 4) BGR and opacity."""
    with open_media(film) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        for packet in container.demux(stream):
            for frame in decoder.decode(packet if packet.size else None):
                yield np.asarray(frame.to_ndarray(format="bgra"), np.uint8)
