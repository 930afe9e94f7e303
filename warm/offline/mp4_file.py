"""An MP4 file with its index in front, written while it is rendered and put in place atomically.

It is encoded like a session's film. Unlike that film, it cannot be extended, so the encoders are
flushed.
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
    """An MP4 file being written. Not thread-safe; it is put in place when its `with` block ends."""

    def __init__(self, path: Path, spec: FilmSpec, *, comment: str) -> None:
        """Open a temporary file next to `path`; `comment` goes to its metadata. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._spec = path, spec
        self.frames = 0
        """Frames written so far."""
        remove_abandoned_files(path)
        self._temporary = path.with_name(f".{path.name}.{uuid4().hex}.new")
        self._lock = self._temporary.open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._open_container(comment)

    def _open_container(self, comment: str) -> None:
        self._container = av.open(  # noqa: TID251  writes
            str(self._temporary), "w", format="mp4", options={"movflags": "+faststart"}
        )
        self._container.metadata["comment"] = comment
        self._video = self._container.add_stream(video_encoder.CODEC, rate=self._spec.fps)
        assert isinstance(self._video, VideoStream)
        video_encoder.set_up(self._video.codec_context, self._spec)
        self._audio = self._container.add_stream(audio_encoder.CODEC, rate=SAMPLE_RATE_HZ)
        assert isinstance(self._audio, AudioStream)
        audio_encoder.set_up(self._audio.codec_context)
        self._encoder = video_encoder.VideoEncoder(self._spec)

    def write(self, pictures: Sequence[Picture], samples: NDArray[np.float32]) -> None:
        """Append (h, w, 3) BGR pictures and their 48 kHz mono samples.

        The first picture becomes a key frame. Raises OSError, and ValueError unless the samples
        are exactly as long as the pictures.
        """
        expected = (len(pictures) * self._spec.samples_per_frame,)
        if samples.shape != expected:
            raise ValueError(
                f"samples is {samples.shape}; {len(pictures)} pictures take {expected}."
            )
        for index, sample in enumerate(self._encoder.encode(pictures)):
            self._write_packet(sample, is_key=index == 0)
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base = SAMPLE_RATE_HZ, Fraction(1, SAMPLE_RATE_HZ)
        frame.pts = (self.frames - len(pictures)) * self._spec.samples_per_frame
        self._container.mux(self._audio.encode(frame))

    def finish(self) -> None:
        """Flush, verify and put the film in place; raises UnfinishedFilm, OSError."""
        self._container.mux(self._audio.encode(None))
        self._container.close()
        self._check_complete()
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
        """Finish, or delete the temporary file after an exception."""
        try:
            if kind is None:
                self.finish()
            else:
                self._container.close()
        finally:
            self._temporary.unlink(missing_ok=True)
            self._lock.close()

    def _write_packet(self, sample: bytes, *, is_key: bool) -> None:
        packet = av.Packet(sample)
        packet.stream = self._video
        packet.time_base = Fraction(1, self._spec.fps)
        packet.pts = packet.dts = self.frames
        packet.duration = 1
        packet.is_keyframe = is_key
        self._container.mux(packet)
        self.frames += 1

    def _check_complete(self) -> None:
        found = read_media_length(self._temporary)
        length = Fraction(self.frames, self._spec.fps)
        if found.video.packets != self.frames or found.audio.end_s < length:
            raise UnfinishedFilm(
                f"{self._path} is incomplete: {found.video.packets} of {self.frames} "
                f"pictures, audio to {float(found.audio.end_s):.3f} of {float(length):.3f} s."
            )


def remove_abandoned_files(path: Path) -> None:
    """Remove temporary files of `path` that a killed process left; raises OSError."""
    for abandoned in path.parent.glob(f".{escape(path.name)}.*.new"):
        with abandoned.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # another process is writing it
            abandoned.unlink(missing_ok=True)


def read_comment(path: Path) -> str:
    """Return the comment in the metadata of a film; empty without a comment or a film."""
    try:
        with open_media(path) as container:
            return container.metadata.get("comment", "")
    except (av.error.FFmpegError, OSError):
        return ""
