"""Sources whose transparent parts are filled with a colour, as files for the preparation."""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from session.film import FilmSpec
from session.transparency import ALPHA_NOTE
from warm.media.cut_out import CutOut, read_cut_out
from warm.media.isolated_pictures import IsolatedVideo, open_isolated_video
from warm.offline.mp4_file import Mp4File
from warm.render.context import background_thread
from warm.uploads.upload import Upload

Colour = tuple[int, int, int]
"""BGR."""
MAX_SIDE = 4096
"""Longest side of a picture, pixels."""
LONGEST_S = 120
"""Part of a video that is used; preparation chooses at most 60 s of it."""
BATCH = 25


def has_transparency(source: Upload) -> bool:
    """Return True if a picture, or the first frame of a video, has transparent parts.

    Raises MediaError.
    """
    if source.kind == "picture":
        return not cut_out(source).is_opaque
    with open_isolated_video(source.path, fps=10, max_side=128) as video:
        next(iter(video.frames()))
        return ALPHA_NOTE in video.notes


def write_backed(
    source: Upload,
    folder: Path,
    colour: Colour,
    *,
    fps: int,
    max_side: int,
    check: Callable[[], None],
) -> Path:
    """Write a source over a colour to a file in `folder`; raises MediaError.

    `fps` and `max_side` apply to videos. `check` is called between pictures; its exception ends
    the work.
    """
    if source.kind == "picture":
        path = folder / "source.png"
        cv2.imwrite(str(path), cut_out(source).over(colour))
        return path
    path = folder / "source.mp4"
    with background_thread("backdrop") as thread:
        thread.submit(write_video, source.path, path, colour, fps, max_side, check).result()
    return path


def cut_out(source: Upload) -> CutOut:
    """Return a picture with its transparency; raises MediaError."""
    return read_cut_out(source.path, max_side=MAX_SIDE)


def write_video(
    source: Path, path: Path, colour: Colour, fps: int, max_side: int, check: Callable[[], None]
) -> None:
    """Write a video over a colour; raises MediaError."""
    with open_isolated_video(source, fps=fps, max_side=max_side, backdrop=colour) as video:
        batches = batches_of(video, LONGEST_S * fps)
        first = next(batches)
        height, width = first[0].shape[:2]
        spec = FilmSpec(width=width, height=height, fps=fps)
        with Mp4File(path, spec, comment="") as film:
            for batch in chain([first], batches):
                check()
                film.write(batch, silence(len(batch), spec))


def batches_of(video: IsolatedVideo, most: int) -> Iterator[list[NDArray[np.uint8]]]:
    """Yield the first `most` pictures of a video, several at a time."""
    pictures = islice(iter(video.frames()), most)
    while batch := list(islice(pictures, BATCH)):
        yield batch


def silence(frames: int, spec: FilmSpec) -> NDArray[np.float32]:
    """Samples without sound for this many frames."""
    return np.zeros(frames * spec.samples_per_frame, np.float32)
