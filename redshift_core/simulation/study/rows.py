"""One row of the study's table: a published figure and that of the SIMULATED survey."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

RANGES = tuple(number / 10 for number in range(7))  # edges of the dissertation's six ranges
RANGE_NAMES = tuple(f"{low:.1f}–{high:.1f}" for low, high in pairwise(RANGES))
Value = float | int | str | None  # None if there is no such figure


@dataclass(frozen=True)
class Row:
    """A figure of merit of the survey."""

    part: str  # heading of its table
    what: str  # what is compared, with its unit
    range: str  # of redshift, or "all"
    published: Value
    simulated: Value
    low: float | None = None  # lower bound of the simulated figure
    high: float | None = None  # upper bound

    @property
    def off(self) -> bool:
        """Whether the simulated figure lies outside its bounds; False if it has none."""
        if self.low is None or self.high is None or not isinstance(self.simulated, float | int):
            return False
        return not self.low <= self.simulated <= self.high

    def to_dict(self) -> dict[str, Any]:
        """The row for JSON."""
        return {**asdict(self), "off": self.off}
