"""Decoding of films by two decoders: PyAV with its time stamps, and ffmpeg by counting."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from bench.films.synthetic import SMALL
from session.film import SAMPLE_RATE_HZ

Values = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedFilm:
    """Film as returned by one decoder; times in seconds."""

    picture_times: Values
    brightness: Values
    sample_times: Values
    values: Values


def decode_with_times(path: Path) -> DecodedFilm:
    """Decode a film of size SMALL with PyAV, timed by its time stamps."""
    with av.open(str(path)) as container:
        pictures = [
            (_time_s(frame), frame.to_ndarray()[: SMALL.height].mean())
            for frame in container.decode(video=0)
        ]
    with av.open(str(path)) as container:
        pieces = [(_time_s(frame), frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
    times = [time_s + np.arange(len(piece)) / SAMPLE_RATE_HZ for time_s, piece in pieces]
    picture_times, brightness = np.array(pictures, dtype=np.float64).T
    return DecodedFilm(
        picture_times=picture_times,
        brightness=brightness,
        sample_times=np.concatenate(times),
        values=np.concatenate([piece for _, piece in pieces]),
    )


def _time_s(frame: av.VideoFrame | av.AudioFrame) -> float:
    assert frame.pts is not None
    assert frame.time_base is not None
    return float(frame.pts * frame.time_base)


def decode_in_order(path: Path) -> DecodedFilm:
    """Decode a film of size SMALL with ffmpeg, timed by counting pictures and samples."""
    video = ("-map", "0:v", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray")
    planes = np.frombuffer(_ffmpeg_output(path, *video), np.uint8)
    brightness = planes.reshape(-1, SMALL.width * SMALL.height).mean(axis=1)
    values = decode_sound(path)
    return DecodedFilm(
        picture_times=np.arange(len(brightness)) / SMALL.fps,
        brightness=brightness,
        sample_times=np.arange(len(values)) / SAMPLE_RATE_HZ,
        values=values,
    )


def decode_sound(path: Path) -> NDArray[np.float32]:
    """Decode the sound of a film with ffmpeg, as (n,)."""
    return np.frombuffer(_ffmpeg_output(path, "-map", "0:a", "-f", "f32le"), np.float32)


def _ffmpeg_output(path: Path, *options: str) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), *options, "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout
