"""Synthetic pictures, sound and films for the film benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from session.audio_encoder import AudioEncoder
from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET, TICKS_PER_FRAME, FilmSpec
from session.fragmented.boxes import build_fragment
from session.fragmented.film_files import create_film
from session.fragmented.fragment_log import FragmentLog
from session.fragmented.journal import JournalEntry, journal_path, write_journal
from session.video_encoder import VideoEncoder

PictureList = list[NDArray[np.uint8]]
"""(h, w, 3) BGR each."""
Sound = NDArray[np.float32]
"""(n,) 48 kHz mono."""

PORTRAIT = FilmSpec(width=512, height=600, fps=25)
SMALL = FilmSpec(width=64, height=64, fps=25)

_PORTRAIT_FILE = "sample_data/grace_hopper.jpg"
_CYCLE_S = 8
"""A multiple of the time after which video frames and AAC packets end together."""


@dataclass(frozen=True, slots=True)
class EncodedFragment:
    """Samples of one fragment."""

    video: list[bytes]
    sound: list[bytes]


def portrait(count: int, *, sway: float) -> PictureList:
    """Draw the demo portrait with a moving mouth and a head that sways by `sway` pixels."""
    still = cv2.imread(str(Path(mpl.get_data_path()) / _PORTRAIT_FILE))
    assert still is not None
    size = (PORTRAIT.width, PORTRAIT.height)
    pictures = []
    for index in range(count):
        shift = np.array([[1, 0, sway * np.sin(index / 17)], [0, 1, sway * np.sin(index / 9)]])
        picture = cv2.warpAffine(
            still, shift, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        opening = int(6 + 6 * np.sin(index * 1.3))
        cv2.ellipse(picture, (245, 275), (28, opening), 0, 0, 360, (40, 30, 90), -1, cv2.LINE_AA)
        pictures.append(np.asarray(picture, dtype=np.uint8))
    return pictures


def blurred_portrait(count: int) -> PictureList:
    """Draw a soft portrait, so that a film of ten hours takes 3 GB."""
    sharp = portrait(count, sway=0.0)
    return [np.asarray(cv2.GaussianBlur(each, (0, 0), 2), dtype=np.uint8) for each in sharp]


def murmur(count: int) -> Sound:
    """Synthesise noise with the spectrum and syllables of a voice, as complex for AAC as speech."""
    random = np.random.default_rng(7)
    noise = np.convolve(random.standard_normal(count), np.ones(24) / 24, mode="same")
    syllables = 0.5 + 0.5 * np.sin(np.arange(count) * (2 * np.pi * 4 / SAMPLE_RATE_HZ))
    return np.asarray(0.4 * noise * syllables, dtype=np.float32)


def encode(pictures: PictureList, samples: Sound, frames: int) -> list[EncodedFragment]:
    """Encode fragments of `frames` pictures each with one pair of encoders."""
    video, audio = VideoEncoder(PORTRAIT), AudioEncoder(lead_in=0)
    per_frame = PORTRAIT.samples_per_frame
    return [
        EncodedFragment(
            video.encode(pictures[first : first + frames]),
            audio.encode(samples[first * per_frame : (first + frames) * per_frame]),
        )
        for first in range(0, len(pictures), frames)
    ]


def encoded_cycle() -> list[EncodedFragment]:
    """Encode one-second fragments that can be repeated without drift between sound and pictures."""
    frames = _CYCLE_S * PORTRAIT.fps
    samples = murmur(2 * frames * PORTRAIT.samples_per_frame)
    return encode(blurred_portrait(frames) * 2, samples, PORTRAIT.fps)[_CYCLE_S:]


def synthesise_film(path: Path, fragments: Sequence[EncodedFragment], seconds: int) -> None:
    """Write a film of repeated one-second fragments with continuous times, and its journal."""
    create_film(path, PORTRAIT)
    fragment_log = FragmentLog(path)
    film_id, end = fragment_log.init_segment.film_id, len(fragment_log.init_segment.data)
    fragment_log.close()
    entries: list[JournalEntry] = []
    frames = samples = 0
    with path.open("ab", buffering=1 << 20) as file:
        for index, fragment in zip(range(seconds), cycle(fragments), strict=False):
            data = _fragment_bytes(index + 1, fragment, frames, samples)
            file.write(data)
            end += len(data)
            frames += len(fragment.video)
            samples += len(fragment.sound) * SAMPLES_PER_PACKET
            text = "as before" if index % 5 == 0 else None
            entries.append(
                JournalEntry(end=end, crc32=None, frames=frames, samples=samples, text=text)
            )
    write_journal(journal_path(path), film_id, entries)


def append(fragment_log: FragmentLog, fragment: EncodedFragment) -> None:
    """Append one encoded fragment to an open film."""
    data = _fragment_bytes(fragment_log.sequence, fragment, *fragment_log.totals)
    samples = len(fragment.sound) * SAMPLES_PER_PACKET
    fragment_log.append(data, frames=len(fragment.video), samples=samples, text=None)


def _fragment_bytes(sequence: int, fragment: EncodedFragment, frames: int, samples: int) -> bytes:
    starts = (frames * TICKS_PER_FRAME, samples)
    return build_fragment(sequence, pictures=fragment.video, sound=fragment.sound, starts=starts)
