"""The bounded queue of jobs and commands."""

from collections.abc import Callable, Sequence
from threading import Event

import pytest

from warm.render.queue import WorkQueue


@pytest.fixture
def wakeup() -> Event:
    return Event()


def admit(_jobs: Sequence[int]) -> None:
    """Admit every job."""


def first(accepts: Callable[[int], bool] = lambda _job: True) -> Callable[..., int | None]:
    """Choose the first job that is accepted."""
    return lambda jobs: next((job for job in jobs if accepts(job)), None)


def test_jobs_are_taken_in_the_order_in_which_they_were_put(wakeup: Event) -> None:
    queue = WorkQueue[int, str](wakeup)
    for job in (1, 2, 3):
        queue.put(job, check=admit)
    assert [queue.take(first()) for _ in range(4)] == [1, 2, 3, None]


def test_a_job_that_is_refused_is_not_added(wakeup: Event) -> None:
    queue = WorkQueue[int, str](wakeup)
    queue.put(1, check=admit)
    wakeup.clear()

    def refuse(jobs: Sequence[int]) -> None:
        raise ValueError(f"{list(jobs)} are enough")

    with pytest.raises(ValueError, match=r"\[1\] are enough"):
        queue.put(2, check=refuse)
    assert queue.jobs() == [1]
    assert not wakeup.is_set()


def test_commands_have_no_limit_and_are_taken_all_at_once(wakeup: Event) -> None:
    queue = WorkQueue[int, str](wakeup)
    queue.put(1, check=admit)
    queue.put_command("first")
    queue.put_command("second")
    assert queue.take_commands() == ["first", "second"]
    assert queue.take_commands() == []
    assert len(queue) == 1


def test_a_command_drops_earlier_jobs_and_the_others_keep_their_order(
    wakeup: Event,
) -> None:
    queue = WorkQueue[int, str](wakeup)
    for job in (1, 2, 3, 4):
        queue.put(job, check=admit)
    assert queue.put_command("no even ones", drop=lambda job: job % 2 == 0) == [2, 4]
    queue.put(6, check=admit)
    assert [queue.take(first()), queue.take(first()), queue.take(first())] == [1, 3, 6]


def test_a_job_that_is_not_accepted_now_lets_later_jobs_pass(wakeup: Event) -> None:
    queue = WorkQueue[int, str](wakeup)
    for job in (1, 3, 4, 5):
        queue.put(job, check=admit)
    assert queue.take(first(lambda job: job % 2 == 0)) == 4
    assert queue.take(first(lambda job: job > 9)) is None
    assert [queue.take(first()), queue.take(first()), queue.take(first())] == [1, 3, 5]


def test_everything_that_is_put_wakes_the_render_thread(wakeup: Event) -> None:
    queue = WorkQueue[int, str](wakeup)
    queue.put(1, check=admit)
    assert wakeup.is_set()
    wakeup.clear()
    queue.put_command("now")
    assert wakeup.is_set()


def test_a_drain_removes_everything(wakeup: Event) -> None:
    queue = WorkQueue[int, str](wakeup)
    queue.put(1, check=admit)
    queue.put_command("now")
    assert queue.drain() == ["now", 1]
    assert queue.take(first()) is None
    assert queue.take_commands() == []
