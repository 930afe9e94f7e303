"""Sound files made by the program ffmpeg, and the pitches in decoded sound."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from warm.media.audio_decoder import AudioDecoder

RATE_HZ = 48_000
STEP_S = 0.25


def ffmpeg(*arguments: object) -> bytes:
    """Run ffmpeg and return its stdout."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def tone(
    path: Path,
    *options: object,
    hz: int = 440,
    seconds: float = 1.5,
    rate_hz: int = 44_100,
    channels: int = 1,
) -> Path:
    """Write a tone; `options` are those of ffmpeg for the output."""
    source = f"sine=frequency={hz}:duration={seconds}:sample_rate={rate_hz}"
    ffmpeg("-f", "lavfi", "-i", source, "-ac", channels, *options, path)
    return path


def piped_tone(path: Path, *options: object, hz: int = 440, seconds: float = 1.5) -> Path:
    """Write a tone as ffmpeg writes it into a pipe, where it cannot return to the header."""
    source = f"sine=frequency={hz}:duration={seconds}:sample_rate=44100"
    path.write_bytes(ffmpeg("-f", "lavfi", "-i", source, *options, "-"))
    return path


def join(path: Path, *sources: Path) -> Path:
    """Write files one after the other, as `cat` does."""
    path.write_bytes(b"".join(source.read_bytes() for source in sources))
    return path


def decode(path: Path) -> tuple[NDArray[np.float32], list[str]]:
    """Return the samples of a file and the remarks on it."""
    decoder = AudioDecoder(path, rate_hz=RATE_HZ)
    chunks = list(decoder.chunks())
    return np.concatenate(chunks), decoder.notes


def pitches_hz(samples: NDArray[np.float32]) -> list[int]:
    """Return the pitch of each quarter second, to 20 Hz; 0 for silence."""
    size = round(STEP_S * RATE_HZ)
    steps = [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]
    return [_pitch_hz(step) if np.abs(step).max() > 0.01 else 0 for step in steps]


def _pitch_hz(step: NDArray[np.float32]) -> int:
    spectrum = np.abs(np.fft.rfft(step * np.hanning(len(step))))
    return round(float(np.argmax(spectrum)) / STEP_S / 20) * 20


def runs(samples: NDArray[np.float32]) -> list[int]:
    """Return the pitches in order, without repetitions, and without steps between two pitches."""
    found: list[int] = []
    for pitch, following in zip(pitches := pitches_hz(samples), pitches[1:], strict=False):
        if pitch == following and (not found or found[-1] != pitch):
            found.append(pitch)
    return found


def damaged(path: Path, target: Path, changes: dict[int, bytes]) -> Path:
    """Write a copy with other bytes at some positions."""
    content = bytearray(path.read_bytes())
    for at, replacement in changes.items():
        content[at : at + len(replacement)] = replacement
    target.write_bytes(content)
    return target
