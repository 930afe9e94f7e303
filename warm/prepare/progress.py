"""Progress of a preparation: the callback, and a progress bar on the terminal."""

import sys
from collections.abc import Callable
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from session.closeable import Closeable

Progress = Callable[[str, int, int], None]
"""Called as (stage, done, total) from the preparing thread, often; the stages come in order."""


def no_progress(_stage: str, _done: int, _total: int) -> None:
    """Ignore the progress."""


FaceObserver = Callable[[NDArray[np.uint8], NDArray[np.float32]], None]
"""Called with a (h, w, 3) BGR picture and the (468, 3) landmarks of its face, from any thread: once
for a photo, for each frame with a face of a video."""


def no_observer(_picture: NDArray[np.uint8], _landmarks: NDArray[np.float32]) -> None:
    """Ignore the face."""


def stage_progress(progress: Progress, stage: str) -> Callable[[int, int], None]:
    """Return a (done, total) callback that reports to `progress` under the name `stage`."""
    return lambda done, total: progress(stage, done, total)


class ProgressBar(Closeable):
    """Progress bars on stderr, one for each stage."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: tqdm[NoReturn] | None = None

    @property
    def was_shown(self) -> bool:
        """True once a bar was shown; an avatar that is up to date shows none."""
        return self._bar is not None

    def show(self, stage: str, done: int, total: int) -> None:
        """Update the bar of the current stage; a new stage gets a new bar."""
        if self._bar is None or self._stage != stage:
            self.close()
            self._stage = stage
            self._bar = tqdm(total=total, desc=stage, unit="", file=sys.stderr)
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Close the last bar and leave it on the terminal."""
        if self._bar is not None:
            self._bar.close()
