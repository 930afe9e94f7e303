"""Numbered pictures, and decoding of films by two independent decoders."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from session.film import SAMPLE_RATE_HZ, Cue, FilmSpec, Fragment
from session.fragmented.writer import FragmentClipWriter

SPEC = FilmSpec(width=64, height=64, fps=25)
_BLOCK = 16
_BITS = np.arange(16)


def picture(number: int, spec: FilmSpec = SPEC) -> NDArray[np.uint8]:
    """Draw a picture whose 16 blocks, black or white, encode `number`; the rest is grey."""
    canvas = np.full((spec.height, spec.width, 3), 128, np.uint8)
    blocks = ((number >> _BITS) & 1).reshape(4, 4).astype(np.uint8) * 219 + 16
    canvas[:64, :64] = np.kron(blocks, np.ones((_BLOCK, _BLOCK), np.uint8))[..., None]
    return canvas


def number(shown: NDArray[np.uint8]) -> int:
    """Read the number of a picture from the middle of each block."""
    middles = shown[8:64:_BLOCK, 8:64:_BLOCK].astype(int).reshape(16, -1).mean(axis=1)
    return int(((middles > 128) << _BITS).sum())


def pictures(first: int, count: int, spec: FilmSpec = SPEC) -> list[NDArray[np.uint8]]:
    return [picture(first + index, spec) for index in range(count)]


def tone(first_sample: int, count: int, hz: float = 440.0) -> NDArray[np.float32]:
    """Return a part of a continuous sine, so that consecutive parts join without a step."""
    times = np.arange(first_sample, first_sample + count) / SAMPLE_RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hz * times)).astype(np.float32)


def write(
    clip: FragmentClipWriter,
    first: int,
    count: int,
    spec: FilmSpec = SPEC,
    cues: Sequence[Cue] = (),
) -> Fragment:
    """Write pictures from `first` on, and the part of the tone that belongs to them."""
    sound = tone(first * spec.samples_per_frame, count * spec.samples_per_frame)
    return clip.write(pictures(first, count, spec), sound, cues)


@dataclass
class Shown:
    numbers: list[int]
    picture_ticks: list[int]
    samples: NDArray[np.float32]
    """Back to back, as they came out of the decoder."""
    sample_starts: list[int]


def watch(path: Path) -> Shown:
    """Decode a film with PyAV."""
    shown = Shown([], [], np.zeros(0, np.float32), [])
    pieces = [shown.samples]
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            shown.numbers.append(number(frame.to_ndarray(format="bgr24")))
            shown.picture_ticks.append(frame.pts)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            pieces.append(frame.to_ndarray()[0])
            shown.sample_starts.append(frame.pts)
    shown.samples = np.concatenate(pieces)
    return shown


def watch_with_ffmpeg(path: Path, spec: FilmSpec = SPEC) -> tuple[list[int], NDArray[np.float32]]:
    """Decode a film with the ffmpeg program; any warning fails the test."""
    width, height = spec.coded_size
    raw = _ffmpeg(
        path, "-map", "0:v", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray"
    )
    planes = np.frombuffer(raw, np.uint8).reshape(-1, height, width)
    sound = np.frombuffer(_ffmpeg(path, "-map", "0:a", "-f", "f32le"), np.float32)
    return [number(plane) for plane in planes], sound


def _ffmpeg(path: Path, *options: str) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning", "-i", str(path), *options, "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert not done.stderr, done.stderr.decode()
    return done.stdout
