"""Progress of a preparation: the callback, and a bar on the terminal."""

import sys
from collections.abc import Callable
from typing import NoReturn

from tqdm import tqdm

Progress = Callable[[str, int, int], None]
"""Called as (stage, done, all) from the preparing thread, often; the stages come in order."""


def no_progress(_stage: str, _done: int, _all: int) -> None:
    """Progress that nobody watches."""


def stage_progress(progress: Progress, stage: str) -> Callable[[int, int], None]:
    """What one stage's own (done, all) reports to."""
    return lambda done, total: progress(stage, done, total)


class ProgressBar:
    """A progress bar for each stage."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: tqdm[NoReturn] | None = None

    @property
    def was_shown(self) -> bool:
        """Whether there was anything to do."""
        return self._bar is not None

    def show(self, stage: str, done: int, total: int) -> None:
        """Move the stage's bar, or begin it."""
        if self._bar is None or self._stage != stage:
            self.close()
            self._stage = stage
            self._bar = tqdm(total=total, desc=stage, unit="", file=sys.stderr)
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Leave the last bar as it stands."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
