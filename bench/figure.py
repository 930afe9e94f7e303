"""One measured figure, as the table and `results/bench.json` show it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its goal."""

    name: str
    value: float
    unit: str
    goal: float
    better: Literal["higher", "lower"]
    n: int
    """How many measurements `value` stands for."""

    @property
    def reached(self) -> bool:
        """Whether the goal is met."""
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal
