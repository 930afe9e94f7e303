"""The bounded queue of jobs and commands."""

from threading import Event

import pytest

from warm.render.queue import QueueFull, WorkQueue


@pytest.fixture
def wakeup() -> Event:
    return Event()


def test_jobs_are_taken_in_the_order_in_which_they_were_put(wakeup: Event) -> None:
    queue = WorkQueue[int, str](3, wakeup)
    for job in (1, 2, 3):
        queue.put(job)
    assert [queue.take() for _ in range(4)] == [1, 2, 3, None]


def test_a_full_queue_names_its_limit_and_when_to_retry(wakeup: Event) -> None:
    queue = WorkQueue[int, str](2, wakeup)
    queue.put(1)
    queue.put(2)
    with pytest.raises(QueueFull, match="2 requests are waiting") as caught:
        queue.put(3, retry_after_s=7)
    assert caught.value.retry_after_s == 7
    assert len(queue) == 2


def test_commands_have_no_limit_and_are_taken_all_at_once(wakeup: Event) -> None:
    queue = WorkQueue[int, str](1, wakeup)
    queue.put(1)
    queue.put_command("first")
    queue.put_command("second")
    assert queue.take_commands() == ["first", "second"]
    assert queue.take_commands() == []
    assert len(queue) == 1


def test_a_command_drops_earlier_jobs_and_the_others_keep_their_order(
    wakeup: Event,
) -> None:
    queue = WorkQueue[int, str](4, wakeup)
    for job in (1, 2, 3, 4):
        queue.put(job)
    assert queue.put_command("no even ones", drop=lambda job: job % 2 == 0) == [2, 4]
    queue.put(6)
    assert [queue.take(), queue.take(), queue.take()] == [1, 3, 6]


def test_a_job_that_is_not_accepted_now_lets_later_jobs_pass(wakeup: Event) -> None:
    queue = WorkQueue[int, str](4, wakeup)
    for job in (1, 3, 4, 5):
        queue.put(job)
    assert queue.take(lambda job: job % 2 == 0) == 4
    assert queue.take(lambda job: job > 9) is None
    assert [queue.take(), queue.take(), queue.take()] == [1, 3, 5]


def test_everything_that_is_put_wakes_the_render_thread(wakeup: Event) -> None:
    queue = WorkQueue[int, str](1, wakeup)
    queue.put(1)
    assert wakeup.is_set()
    wakeup.clear()
    queue.put_command("now")
    assert wakeup.is_set()


def test_a_drain_removes_everything(wakeup: Event) -> None:
    queue = WorkQueue[int, str](2, wakeup)
    queue.put(1)
    queue.put_command("now")
    assert queue.drain() == ["now", 1]
    assert queue.take() is None
    assert queue.take_commands() == []
