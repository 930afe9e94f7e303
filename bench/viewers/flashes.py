"""Films in which a white picture and a click come at the same moment, second after second."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from session.film import SAMPLE_RATE_HZ, FilmSpec
from session.fragmented.writer import FilmWriter
from session.mp4.concat_film import ConcatFilm

CLIP_S = 1
FLASH_S = 0.6
"""Where in each clip."""
BATCHES = (3, 6, 16)
"""Frames that the server would add at once."""

Pictures = list[NDArray[np.uint8]]
Samples = NDArray[np.float32]
Clip = tuple[Pictures, Samples]


def flat(spec: FilmSpec, grey: int) -> NDArray[np.uint8]:
    """(height, width, 3) of one grey."""
    return np.full((spec.height, spec.width, 3), grey, np.uint8)


def flash(spec: FilmSpec, late_s: float = 0.0) -> Clip:
    """A second of black silence with one white picture, and one click where that comes up.

    The click comes `late_s` after it.
    """
    pictures = [flat(spec, 0)] * (CLIP_S * spec.fps)
    pictures[round(FLASH_S * spec.fps)] = flat(spec, 255)
    samples = np.zeros(CLIP_S * SAMPLE_RATE_HZ, np.float32)
    samples[round((FLASH_S + late_s) * SAMPLE_RATE_HZ)] = 1.0
    return pictures, samples


def add(film: FilmWriter | ConcatFilm, clip: Clip, batches: Sequence[int] = BATCHES) -> None:
    """A clip at the end of a film, in batches of so many frames."""
    open_clip = film.begin("A flash and a click.")
    for pictures, samples in _in_batches(clip, film.spec, batches):
        open_clip.write(pictures, samples)
    open_clip.finish()


def _in_batches(clip: Clip, spec: FilmSpec, batches: Sequence[int]) -> Iterator[Clip]:
    pictures, samples = clip
    step = SAMPLE_RATE_HZ // spec.fps
    for first, end in pairwise(accumulate(batches, initial=0)):
        yield pictures[first:end], samples[first * step : end * step]


def write_ordinary(path: Path, spec: FilmSpec, clip: Clip, count: int) -> None:
    """The same as an ordinary MP4, by FFmpeg's own encoders and muxer in one go."""
    pictures, samples = clip
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=spec.fps, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = spec.width, spec.height, "yuv420p"
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        for picture in pictures * count:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        sound = np.tile(samples, count)[np.newaxis]
        heard = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
        heard.sample_rate = SAMPLE_RATE_HZ
        heard.pts = 0  # else nothing tells players to skip what the encoder puts before the sound
        container.mux(audio.encode(heard))
        for stream in (video, audio):
            container.mux(stream.encode(None))
