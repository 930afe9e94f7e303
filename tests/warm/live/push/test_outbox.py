"""Media in front of a slow network: bounded by its duration, and continued with a key frame."""

import asyncio

import pytest

from warm.live.push.errors import PushFailed
from warm.live.push.outbox import MAX_WAITING_SAMPLES, STUCK_S, Outbox, Unit

PICTURE = 1920


class Clock:
    """Time that the test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def picture(number: int, *, is_key: bool = False) -> Unit:
    return Unit(number * PICTURE, b"picture", is_picture=True, is_key=is_key)


def sound(sample: int) -> Unit:
    return Unit(sample, b"sound", is_picture=False)


def taken(outbox: Outbox) -> list[Unit]:
    """Take everything that waits."""

    async def take() -> list[Unit]:
        found = []
        while True:
            try:
                found.append(await asyncio.wait_for(outbox.take(), 0.01))
            except TimeoutError:
                return found
            outbox.sent(len(found[-1].data))

    return asyncio.run(take())


def test_nothing_is_sent_before_the_first_key_frame() -> None:
    outbox = Outbox()
    for unit in (picture(0), sound(0), picture(1), sound(PICTURE), picture(2, is_key=True)):
        outbox.put(unit)
    outbox.put(sound(2 * PICTURE - 100))
    outbox.put(sound(2 * PICTURE))
    assert taken(outbox) == [picture(2, is_key=True), sound(2 * PICTURE)]
    assert (outbox.dropped, outbox.sent_bytes) == (0, 12)


def test_what_waits_is_bounded_and_the_stream_continues_with_a_key_frame() -> None:
    outbox = Outbox()
    outbox.put(picture(0, is_key=True))
    numbers = range(1, 2 + MAX_WAITING_SAMPLES // PICTURE)
    for number in numbers:
        outbox.put(picture(number))
    assert outbox.wants_key
    outbox.put(picture(20))
    outbox.put(sound(20 * PICTURE))
    outbox.put(picture(21, is_key=True))
    assert taken(outbox) == [sound(20 * PICTURE), picture(21, is_key=True)]
    assert outbox.dropped == 1 + len(numbers) + 1


def test_a_network_that_takes_nothing_is_noticed() -> None:
    clock = Clock()
    outbox = Outbox(clock=clock)
    clock.now_s = 100
    outbox.put(picture(0, is_key=True))
    outbox.require_progress()
    clock.now_s += STUCK_S + 1
    with pytest.raises(PushFailed, match="taken no data for 10 s"):
        outbox.require_progress()
    assert len(taken(outbox)) == 1
    clock.now_s += 100  # nothing waits
    outbox.require_progress()
