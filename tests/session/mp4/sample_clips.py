"""Sample clips: numbered pictures, and a click on one of them."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

from session.film import SAMPLE_RATE_HZ, FilmSpec
from session.fragmented.writer import FilmWriter
from tests.session.sample_films import SPEC, pictures

CLICK_FRAME = 4
"""Frame of every clip with the click, which is on its first sample."""
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def clicking(count: int, spec: FilmSpec = SPEC) -> NDArray[np.float32]:
    """Return the sound of `count` frames: silence and one click."""
    samples = np.zeros(count * spec.samples_per_frame, np.float32)
    samples[CLICK_FRAME * spec.samples_per_frame] = 0.9
    return samples


def film(path: Path, count: int, *, first: int = 0, spec: FilmSpec = SPEC) -> Path:
    """Write a session film of one clip with pictures from `first` on."""
    with FilmWriter.create(path, spec) as writer:
        clip = writer.begin("a clip")
        clip.write(pictures(first, count, spec), clicking(count, spec))
        clip.finish()
    return path


def clip(path: Path, count: int, *options: str, samples: NDArray[np.float32] | None = None) -> Path:
    """Write an ordinary clip with ffmpeg: the same pictures, and the click or these samples."""
    planes = np.concatenate(pictures(0, count)).tobytes()
    sound = path.with_name(path.name + ".f32")
    sound.write_bytes((clicking(count) if samples is None else samples).tobytes())
    raw = ("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{SPEC.width}x{SPEC.height}")
    command = [FFMPEG, "-v", "error", "-y", *raw, "-r", str(SPEC.fps), "-i", "-"]
    command += ["-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "1", "-i", str(sound)]
    command += ["-c:v", "libx264", "-threads", "1", "-pix_fmt", "yuv420p", "-c:a", "aac", *options]
    subprocess.run([*command, str(path)], input=planes, check=True)
    sound.unlink()
    return path


def again(path: Path, out: Path, *options: str, before: tuple[str, ...] = ()) -> Path:
    """Convert a clip to another file."""
    command = [FFMPEG, "-v", "error", "-y", *before, "-i", str(path), *options, str(out)]
    subprocess.run(command, check=True)
    return out


def clicks(samples: NDArray[np.float32], places: list[int]) -> list[int]:
    """Return the distance in samples from each place to the loudest sample near it."""
    half = SAMPLE_RATE_HZ // 20
    found = [max(0, place - half) for place in places]
    return [
        start + int(np.abs(samples[start : start + 2 * half]).argmax()) - place
        for start, place in zip(found, places, strict=True)
    ]


@contextmanager
def ffmpeg_that(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> Iterator[None]:
    """Replace ffmpeg by a program that runs `script` with `$out` and `$list`, and exits with 0."""
    program = folder / "lying-ffmpeg"
    find = "*list.txt) list=$each;; *.new | */film.mp4) out=$each;;"
    find = f'for each; do case "$each" in {find} esac; done\n'
    program.write_text(f"#!/bin/sh\n{find}{script}\nexit 0\n".replace("FFMPEG", FFMPEG))
    program.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("IMAGEIO_FFMPEG_EXE", str(program))
        yield
    program.unlink()


def names(folder: Path) -> list[str]:
    """Return the names of all files in a folder."""
    return sorted(path.name for path in folder.iterdir())
