"""Writer of one clip: MP4, WAV and JSON, each put in place atomically, the JSON last."""

import io
import json
import os
import wave
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from session import audio_encoder
from session.disk import replace_file, temporary_path
from warm.training_data.analysis import Analysis
from warm.training_data.clip_frames import Colours
from warm.training_data.config import FPS, PreprocessConfig
from warm.training_data.layout import ClipPaths, Layout
from warm.training_data.segments import Segment
from warm.training_data.source_sound import CLIP_HZ, WAV_HZ, Pcm
from warm.training_data.write_errors import write_errors_explained

KEY_FRAME_EVERY = 50
"""The training reads from random frames; it decodes from the key frame before each."""
SAMPLES_PER_FRAME = CLIP_HZ // FPS


class ClipWriter:
    """An MP4 clip being written. Not thread-safe; put in place when its `with` block ends.

    The pictures have no B-frames and therefore no edit list, so that every reader counts the same
    frames. One thread encodes, so that the bytes do not depend on the number of processors.
    """

    def __init__(
        self, path: Path, size: tuple[int, int], colours: Colours, config: PreprocessConfig
    ) -> None:
        """Open a temporary file next to `path` for pictures of (width, height) `size`."""
        self._path, self._temporary = path, temporary_path(path)
        self._frames = 0
        with write_errors_explained(path):
            self._container = av.open(  # noqa: TID251  writes
                str(self._temporary), "w", format="mp4", options={"fflags": "+bitexact"}
            )
        self._video = self._container.add_stream("libx264", rate=FPS)
        assert isinstance(self._video, VideoStream)
        set_up_video(self._video, size, colours, config)
        self._audio = self._container.add_stream(audio_encoder.CODEC, rate=CLIP_HZ)
        assert isinstance(self._audio, AudioStream)
        audio_encoder.set_up(self._audio.codec_context)

    def write(self, video: VideoFrame, sound: Pcm) -> None:
        """Append a frame and its 48 kHz samples; raises TrainingDataError."""
        video.pts, video.time_base = self._frames, Fraction(1, FPS)
        video.pict_type = PictureType.NONE  # as the encoder decides, not as it was stored
        samples = sound.astype(np.float32)[np.newaxis] / np.float32(32768)
        audio = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        audio.sample_rate, audio.time_base = CLIP_HZ, Fraction(1, CLIP_HZ)
        audio.pts = self._frames * SAMPLES_PER_FRAME
        self._frames += 1
        with write_errors_explained(self._path):
            self._container.mux(self._video.encode(video))
            self._container.mux(self._audio.encode(audio))

    def finish(self) -> None:
        """Flush the encoders and put the file in place; raises TrainingDataError."""
        with write_errors_explained(self._path):
            self._container.mux(self._video.encode(None))
            self._container.mux(self._audio.encode(None))
            self._container.close()
            with self._temporary.open("rb+") as file:
                os.fsync(file.fileno())
            self._temporary.replace(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish, or delete the temporary file after an exception."""
        if kind is None:
            self.finish()
            return
        with suppress(OSError, av.FFmpegError):
            self._container.close()
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)


def set_up_video(
    stream: VideoStream, size: tuple[int, int], colours: Colours, config: PreprocessConfig
) -> None:
    """Set the parameters of the H.264 encoder."""
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, FPS)
    context.thread_count = 1
    context.gop_size = KEY_FRAME_EVERY
    context.max_b_frames = 0
    context.flags |= Flags.global_header | Flags.bitexact
    context.colorspace, context.color_range = colours.matrix, colours.range
    context.color_primaries, context.color_trc = colours.primaries, colours.transfer
    context.options = {"preset": config.preset, "crf": str(config.crf), "x264-params": "threads=1"}


def write_wav(path: Path, samples: Pcm) -> None:
    """Write 16 kHz mono samples; raises TrainingDataError."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(WAV_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
    with write_errors_explained(path):
        replace_file(path, buffer.getvalue())


def clip_meta(
    analysis: Analysis, segment: Segment, paths: ClipPaths, layout: Layout
) -> dict[str, Any]:
    """Return the JSON of a clip; all lists have one entry per frame."""
    part = slice(segment.start, segment.stop)
    boxes: list[list[int]] = analysis.box[part].tolist()
    width, height = analysis.size.tolist()
    left, top, right, bottom = boxes[0]
    return {
        "mp4_path": layout.written(paths.mp4),
        "wav_path": layout.written(paths.wav),
        "video_size": [height, width],
        "face_size": [bottom - top, right - left],
        "frames": segment.frames,
        "face_list": boxes,
        "landmark_list": analysis.landmarks[part].tolist(),
        "isvalid": True,
    }


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically; raises TrainingDataError."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    with write_errors_explained(path):
        replace_file(path, text.encode("ascii") + b"\n")


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """Write a text file atomically; raises TrainingDataError."""
    text = "".join(f"{line}\n" for line in lines)
    with write_errors_explained(path):
        replace_file(path, text.encode("utf-8", "backslashreplace"))
