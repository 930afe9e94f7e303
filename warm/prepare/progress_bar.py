"""What a person at the terminal sees of a preparation."""

import sys
from typing import NoReturn

from tqdm import tqdm


class Bar:
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

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
