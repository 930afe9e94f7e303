"""One measured figure with the range that it should lie in."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RangedFigure:
    """A number with its goal."""

    name: str
    value: float
    n: int
    """Number of measurements that `value` summarises."""
    low: float | None = None
    high: float | None = None
    """Bounds of the goal; without any the figure is only reported."""
    unit: str = ""

    @property
    def reached(self) -> bool:
        """True if the value lies inside the range; never for a value that is not a number."""
        above = self.low is None or self.value >= self.low
        below = self.high is None or self.value <= self.high
        return above and below and not math.isnan(self.value)

    @property
    def goal(self) -> str:
        """The range in words; empty without bounds."""
        if self.low is None:
            return "" if self.high is None else f"<= {self.high:g}"
        return f">= {self.low:g}" if self.high is None else f"{self.low:g} to {self.high:g}"

    def row(self) -> str:
        """Return a line of a table; `!` marks a missed goal."""
        mark = " " if self.reached else "!"
        return f"{self.name:64} {self.value:>9.3f}{mark} {self.goal:>14} {self.unit:4} n={self.n}"
