"""How preparation tells how far it is."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as (stage, done, all) from the preparing thread, often; the stages come in order."""


def silent(_stage: str, _done: int, _all: int) -> None:
    """Progress that nobody watches."""


def of_stage(progress: Progress, stage: str) -> Callable[[int, int], None]:
    """What one stage's own (done, all) reports to."""
    return lambda done, total: progress(stage, done, total)
