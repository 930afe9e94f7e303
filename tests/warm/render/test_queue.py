"""The bounded queue."""

from threading import Event

import pytest

from warm.render.queue import QueueFull, WorkQueue


@pytest.fixture
def bell() -> Event:
    return Event()


def test_work_comes_out_in_the_order_it_went_in(bell: Event) -> None:
    queue = WorkQueue[int, str](3, bell)
    for work in (1, 2, 3):
        queue.put(work)
    assert [queue.take() for _ in range(4)] == [1, 2, 3, None]


def test_a_full_queue_says_its_limit_and_when_to_come_back(bell: Event) -> None:
    queue = WorkQueue[int, str](2, bell)
    queue.put(1)
    queue.put(2)
    with pytest.raises(QueueFull, match="2 requests are waiting") as caught:
        queue.put(3, retry_after_s=7)
    assert caught.value.retry_after_s == 7
    assert len(queue) == 2


def test_orders_need_no_room_and_are_taken_all_at_once(bell: Event) -> None:
    queue = WorkQueue[int, str](1, bell)
    queue.put(1)
    queue.put_command("first")
    queue.put_command("second")
    assert queue.take_commands() == ["first", "second"]
    assert queue.take_commands() == []
    assert len(queue) == 1


def test_an_order_takes_out_what_was_put_before_it_and_the_rest_keeps_its_order(
    bell: Event,
) -> None:
    queue = WorkQueue[int, str](4, bell)
    for work in (1, 2, 3, 4):
        queue.put(work)
    assert queue.put_command("no even ones", drop=lambda work: work % 2 == 0) == [2, 4]
    queue.put(6)
    assert [queue.take(), queue.take(), queue.take()] == [1, 3, 6]


def test_work_that_does_not_fit_now_lets_later_work_pass(bell: Event) -> None:
    queue = WorkQueue[int, str](4, bell)
    for work in (1, 3, 4, 5):
        queue.put(work)
    assert queue.take(lambda work: work % 2 == 0) == 4
    assert queue.take(lambda work: work > 9) is None
    assert [queue.take(), queue.take(), queue.take()] == [1, 3, 5]


def test_the_bell_rings_for_everything_that_is_put_in(bell: Event) -> None:
    queue = WorkQueue[int, str](1, bell)
    queue.put(1)
    assert bell.is_set()
    bell.clear()
    queue.put_command("now")
    assert bell.is_set()


def test_draining_takes_everything(bell: Event) -> None:
    queue = WorkQueue[int, str](2, bell)
    queue.put(1)
    queue.put_command("now")
    assert queue.drain() == ["now", 1]
    assert queue.take() is None
    assert queue.take_commands() == []
