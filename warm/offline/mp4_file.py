"""An ordinary faststart MP4, written while its pictures are made; in place whole or not at all.

Encoded just as a session's film is. Unlike that it has an end: nothing of the sound stays inside
the encoder.
"""

import fcntl
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from glob import escape
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from session import audio_encoder, video_encoder
from session.disk import sync_folder
from session.film import SAMPLE_RATE_HZ, FilmSpec
from session.media_file import open_media
from session.mp4.remux import read_media_length
from warm.offline.errors import UnfinishedFilm

Picture = NDArray[np.uint8]


class Mp4File(AbstractContextManager["Mp4File"]):
    """A film in the making. One thread at a time; outside a `with` it stays unfinished."""

    def __init__(self, path: Path, spec: FilmSpec, *, comment: str) -> None:
        """`comment` is kept in the file; `read_comment` reads it. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._spec = path, spec
        sweep(path)
        self._temporary = path.with_name(f".{path.name}.{uuid4().hex}.new")
        self._lock = self._temporary.open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._container = av.open(  # noqa: TID251  writes
            str(self._temporary), "w", format="mp4", options={"movflags": "+faststart"}
        )
        self._container.metadata["comment"] = comment
        self._pictures = self._container.add_stream(video_encoder.CODEC, rate=spec.fps)
        assert isinstance(self._pictures, VideoStream)
        video_encoder.set_up(self._pictures.codec_context, spec)
        self._sound = self._container.add_stream(audio_encoder.CODEC, rate=SAMPLE_RATE_HZ)
        assert isinstance(self._sound, AudioStream)
        audio_encoder.set_up(self._sound.codec_context)
        self._encoder = video_encoder.VideoEncoder(spec)
        self.frames = 0
        """Written by now."""

    def write(self, pictures: Sequence[Picture], samples: NDArray[np.float32]) -> None:
        """Add (h, w, 3) BGR pictures and the 48 kHz mono that belongs to them.

        The first becomes a key frame. Raises OSError, and ValueError for another length of sound.
        """
        expected = (len(pictures) * self._spec.samples_per_frame,)
        if samples.shape != expected:
            raise ValueError(
                f"samples is {samples.shape}; {len(pictures)} pictures take {expected}."
            )
        for index, sample in enumerate(self._encoder.encode(pictures)):
            self._mux_picture(sample, is_key=index == 0)
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base = SAMPLE_RATE_HZ, Fraction(1, SAMPLE_RATE_HZ)
        frame.pts = (self.frames - len(pictures)) * self._spec.samples_per_frame
        self._container.mux(self._sound.encode(frame))

    def finish(self) -> None:
        """Write the end, read it back, put the film in place; raises UnfinishedFilm, OSError."""
        self._container.mux(self._sound.encode(None))
        self._container.close()
        self._require_whole()
        with self._temporary.open("rb") as file:
            os.fsync(file.fileno())
        self._temporary.replace(self._path)
        sync_folder(self._path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish, or leave nothing behind when something was raised."""
        try:
            if kind is None:
                self.finish()
            else:
                self._container.close()
        finally:
            self._temporary.unlink(missing_ok=True)
            self._lock.close()

    def _mux_picture(self, sample: bytes, *, is_key: bool) -> None:
        packet = av.Packet(sample)
        packet.stream = self._pictures
        packet.time_base = Fraction(1, self._spec.fps)
        packet.pts = packet.dts = self.frames
        packet.duration = 1
        packet.is_keyframe = is_key
        self._container.mux(packet)
        self.frames += 1

    def _require_whole(self) -> None:
        found = read_media_length(self._temporary)
        length = Fraction(self.frames, self._spec.fps)
        if found.video.packets != self.frames or found.audio.end_s < length:
            raise UnfinishedFilm(
                f"{self._path} was not written whole: {found.video.packets} of {self.frames} "
                f"pictures, sound to {float(found.audio.end_s):.3f} of {float(length):.3f} s."
            )


def sweep(path: Path) -> None:
    """Remove unfinished films of `path` that a killed process left; raises OSError."""
    for left in path.parent.glob(f".{escape(path.name)}.*.new"):
        with left.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # somebody is writing it
            left.unlink(missing_ok=True)


def read_comment(path: Path) -> str:
    """What `Mp4File` kept in a film; empty where there is none, or no film."""
    try:
        with open_media(path) as container:
            return container.metadata.get("comment", "")
    except (av.error.FFmpegError, OSError):
        return ""
