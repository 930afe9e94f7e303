"""Figures and their goals; percentiles are those of the population."""

import pytest

from bench.figure import Figure, p95


def test_a_goal_is_an_upper_or_a_lower_bound_and_includes_it() -> None:
    at_most = [Figure.at_most("latency", value, "ms", 5, 3) for value in (4, 5, 6)]
    at_least = [Figure.at_least("speed", value, "fps", 5, 3) for value in (4, 5, 6)]
    assert [figure.reached for figure in at_most] == [True, True, False]
    assert [figure.reached for figure in at_least] == [False, True, True]
    assert {figure.better for figure in at_most} == {"lower"}
    assert {figure.better for figure in at_least} == {"higher"}


def test_the_95th_percentile_lies_between_the_values_around_its_rank() -> None:
    assert p95(range(1, 20)) == 19
    assert p95(range(1, 40)) == 38
    assert p95([3.0, 1.0, 2.0] * 20) == pytest.approx(3.0)
