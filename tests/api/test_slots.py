"""Slots for long responses: their number, the share of one client, and when they are crowded."""

from contextlib import ExitStack

import pytest

from api.slots import CROWDED_S, Slots


class Full(Exception):
    """No slot is free."""


def test_one_client_may_have_half_of_the_slots_and_clients_of_this_machine_all() -> None:
    slots = Slots(4)
    with ExitStack() as held:
        for client in ("192.0.2.1", "192.0.2.1"):
            held.enter_context(slots.hold(client, Full))
        with pytest.raises(Full, match=r"2.*for one client"), slots.hold("192.0.2.1", Full):
            pass
        assert not slots.is_crowded
        held.enter_context(slots.hold("2001:db8::/64", Full))
        held.enter_context(slots.hold("127.0.0.1", Full))
        with pytest.raises(Full, match=r"4.*in total"), slots.hold("127.0.0.1", Full):
            pass
        assert slots.taken == 4
    assert slots.taken == 0
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(slots.hold("local", Full))


def test_slots_are_crowded_for_some_time_after_a_refusal() -> None:
    now_s = [1000.0]
    slots = Slots(1, clock=lambda: now_s[0])
    with slots.hold("local", Full), pytest.raises(Full), slots.hold("local", Full):
        pass
    assert slots.is_crowded
    now_s[0] += CROWDED_S + 1
    assert not slots.is_crowded
