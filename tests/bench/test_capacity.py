"""The search for the largest number of sessions that speak at once."""

from typing import Any

import pytest

from bench import capacity
from bench.late_fragments import Arrival


@pytest.mark.parametrize("limit", [0, 1, 3, 7, 8, 9, 11, 12])
def test_the_largest_undisturbed_number_is_found(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def speak(_server: object, count: int, _options: object) -> capacity.Speech:
        late = Arrival(at_s=2.0, needed_s=1.0)
        return capacity.Speech(arrivals=[late] if count > limit else [])

    monkeypatch.setattr(capacity, "speak_at_once", speak)
    server: Any = None
    known = {capacity.GOAL: limit >= capacity.GOAL}
    assert capacity.largest_count(server, {}, known)[0] == limit


def test_a_session_that_waits_for_its_turn_does_not_speak_at_once() -> None:
    assert capacity.Speech(starts_s=[0.1, 0.4]).is_undisturbed
    assert not capacity.Speech(starts_s=[0.1, 1.2]).is_undisturbed
