"""Photos and videos from outside, decoded in a process of their own."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isolation.item import Item
from session.transparency import WHITE
from warm.media.isolated import decode_isolated
from warm.media.photo import Photo, read_photo
from warm.media.video import open_video


def photo_items(path: Path, *, max_side: int) -> Iterator[Item]:
    """Yield the photo and its facts."""
    photo = read_photo(path, max_side=max_side)
    yield Item({"stored_size": photo.stored_size, "notes": photo.notes}, photo.picture)


def read_photo_isolated(path: Path, *, max_side: int) -> Photo:
    """Decode a photo as `read_photo` does, in a process of its own; raises MediaError."""
    with closing(decode_isolated(photo_items, path, max_side=max_side)) as items:
        facts, picture = next(items)
    assert picture is not None
    width, height = facts["stored_size"]
    return Photo(picture, (width, height), tuple(facts["notes"]))


def video_items(
    path: Path, *, fps: int, max_side: int, backdrop: Sequence[int] = WHITE
) -> Iterator[Item]:
    """Yield the announced duration, then each frame with the facts that it adds, then the last.

    A frame that is shown again has no array.
    """
    with open_video(path, fps=fps, max_side=max_side, backdrop=backdrop) as video:
        announced_s = video.announced_s
        yield Item({"announced_s": None if announced_s is None else str(announced_s)})
        last: NDArray[np.uint8] | None = None
        for picture in video.frames():
            facts = {"notes": video.notes, "stored_size": video.stored_size}
            yield Item(facts, None if picture is last else picture)
            last = picture
        yield Item({"notes": video.notes, "is_end": True})


class IsolatedVideo:
    """A video that another process decodes. Not thread-safe; created by `open_isolated_video`."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        announced = next(items).facts["announced_s"]
        self.announced_s = None if announced is None else Fraction(announced)
        """Duration that the file announces; None if it announces none."""
        self.stored_size = (0, 0)
        """(width, height) upright, before scaling; set when the first frame is read."""
        self.notes: list[str] = []
        """Remarks for the user about what is unusual in the frames read so far."""

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames as `Video.frames` does."""
        last: NDArray[Any] | None = None
        for facts, array in self._items:
            self.notes = list(facts["notes"])
            if "is_end" in facts:
                return
            self.stored_size = tuple(facts["stored_size"])
            last = last if array is None else array
            assert last is not None
            yield last


@contextmanager
def open_isolated_video(
    path: Path, *, fps: int, max_side: int, backdrop: Sequence[int] = WHITE
) -> Iterator[IsolatedVideo]:
    """Open a video as `open_video` does, decoded in a process of its own; raises MediaError."""
    reading = decode_isolated(
        video_items, path, fps=fps, max_side=max_side, backdrop=list(backdrop)
    )
    with closing(reading) as items:
        yield IsolatedVideo(items)
