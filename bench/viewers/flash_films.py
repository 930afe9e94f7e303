"""Test films in which a white picture and a click coincide, once per second."""

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
"""Time of the flash in each clip."""
BATCHES = (3, 6, 16)
"""Frames of each write, as the server would write them."""

Pictures = list[NDArray[np.uint8]]
Samples = NDArray[np.float32]
Media = tuple[Pictures, Samples]
"""Pictures, (height, width, 3) each, and their sound at SAMPLE_RATE_HZ."""


def uniform_picture(spec: FilmSpec, grey: int) -> NDArray[np.uint8]:
    """Return (height, width, 3) of one grey level."""
    return np.full((spec.height, spec.width, 3), grey, np.uint8)


def flash_and_click(spec: FilmSpec, click_delay_s: float = 0.0) -> Media:
    """Return a black, silent second with a white picture, and a click `click_delay_s` later."""
    pictures = [uniform_picture(spec, 0)] * (CLIP_S * spec.fps)
    pictures[round(FLASH_S * spec.fps)] = uniform_picture(spec, 255)
    samples = np.zeros(CLIP_S * SAMPLE_RATE_HZ, np.float32)
    samples[round((FLASH_S + click_delay_s) * SAMPLE_RATE_HZ)] = 1.0
    return pictures, samples


def append_clip(
    film: FilmWriter | ConcatFilm, media: Media, batches: Sequence[int] = BATCHES
) -> None:
    """Append a clip to a film, in writes of these numbers of frames."""
    open_clip = film.begin("A flash and a click.")
    for pictures, samples in _split(media, film.spec, batches):
        open_clip.write(pictures, samples)
    open_clip.finish()


def _split(media: Media, spec: FilmSpec, batches: Sequence[int]) -> Iterator[Media]:
    pictures, samples = media
    step = spec.samples_per_frame
    for first, end in pairwise(accumulate(batches, initial=0)):
        yield pictures[first:end], samples[first * step : end * step]


def write_reference_mp4(path: Path, spec: FilmSpec, media: Media, count: int) -> None:
    """Write `count` repetitions to an MP4 file by FFmpeg's own encoders and muxer."""
    pictures, samples = media
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=spec.fps, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = spec.width, spec.height, "yuv420p"
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        for picture in pictures * count:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        repeated = np.tile(samples, count)[np.newaxis]
        sound = av.AudioFrame.from_ndarray(repeated, format="fltp", layout="mono")
        sound.sample_rate = SAMPLE_RATE_HZ
        sound.pts = 0  # without it the file has no edit list, and players keep the AAC priming
        container.mux(audio.encode(sound))
        for stream in (video, audio):
            container.mux(stream.encode(None))
