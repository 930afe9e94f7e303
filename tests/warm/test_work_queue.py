"""The bounded queue."""

import threading

import pytest

from warm.queue import QueueFull, WorkQueue


def test_work_comes_out_in_the_order_it_went_in() -> None:
    queue = WorkQueue[int](3)
    for work in (1, 2, 3):
        queue.put(work)
    assert [queue.take(0) for _ in range(4)] == [1, 2, 3, None]


def test_a_full_queue_says_its_limit_and_when_to_come_back() -> None:
    queue = WorkQueue[int](2)
    queue.put(1)
    queue.put(2)
    with pytest.raises(QueueFull, match="2 requests are waiting") as caught:
        queue.put(3, retry_after_s=7)
    assert caught.value.retry_after_s == 7
    assert len(queue) == 2


def test_urgent_work_goes_first_and_needs_no_room() -> None:
    queue = WorkQueue[int](1)
    queue.put(1)
    queue.put_first(2)
    assert [queue.take(0), queue.take(0)] == [2, 1]


def test_dropped_work_makes_room_and_the_rest_keeps_its_order() -> None:
    queue = WorkQueue[int](4)
    for work in (1, 2, 3, 4):
        queue.put(work)
    assert queue.drop(lambda work: work % 2 == 0) == [2, 4]
    assert [queue.take(0), queue.take(0)] == [1, 3]


def test_a_taker_that_waits_is_woken() -> None:
    queue = WorkQueue[int](1)
    taken: list[int | None] = []
    taker = threading.Thread(target=lambda: taken.append(queue.take(30)))
    taker.start()
    queue.put(5)
    taker.join(30)
    assert taken == [5]


def test_draining_takes_everything() -> None:
    queue = WorkQueue[int](2)
    queue.put(1)
    queue.put_first(0)
    assert queue.drain() == [0, 1]
    assert queue.take(0) is None
