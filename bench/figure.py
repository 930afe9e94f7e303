"""One measured figure with its goal, as the table and `results/bench.json` show it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its goal."""

    name: str
    """Identifies the figure across reports; results are compared by it."""
    value: float
    unit: str
    goal: float
    better: Literal["higher", "lower"]
    n: int
    """Number of measurements that `value` summarises."""

    @classmethod
    def at_most(cls, name: str, value: float, unit: str, goal: float, n: int) -> "Figure":
        """Return a figure whose goal is an upper bound."""
        return cls(name=name, value=float(value), unit=unit, goal=goal, better="lower", n=n)

    @classmethod
    def at_least(cls, name: str, value: float, unit: str, goal: float, n: int) -> "Figure":
        """Return a figure whose goal is a lower bound."""
        return cls(name=name, value=float(value), unit=unit, goal=goal, better="higher", n=n)

    @property
    def reached(self) -> bool:
        """True if the goal is met."""
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile, estimated for the population that the sample comes from."""
    return statistics.quantiles(values, n=20)[-1]
