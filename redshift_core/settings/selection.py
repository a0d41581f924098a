"""Which galaxies of a dataset are looked at, or trained on: limits that narrow its rows.

A selection is a few numbers, never a list of rows: it fits into an address
(``?z=0.1..0.2&brightness=1..5``), into a setting (``z=0.1..0.2 brightness=1..5``), and applies to
any dataset.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import FLAGS, Z_MAX, FloatArray
from redshift_core.errors import InputError

IntArray = NDArray[np.integer]
Interval = tuple[float | None, float | None]  # low ≤ value < high; None leaves an end open

OPEN: Interval = (None, None)
LIMITS = {"z": "z", "brightness": "mean flux", "z_phot": "z_phot"}  # limit → what is limited
COLUMNS = {"z": "z_spec", "brightness": "brightness"}  # limit → column of a catalogue
FLAG_CHOICES = {  # besides the name of a single flag
    "none": "unflagged only",
    "all": "flagged or not",
    "any": "flagged only",
}


class Catalogue(Protocol):
    """What a selection looks at: arrays of shape (n,), such as those of ``data.Dataset``."""

    @property
    def z_spec(self) -> FloatArray: ...  # noqa: D102

    @property
    def brightness(self) -> FloatArray: ...  # noqa: D102

    @property
    def flags(self) -> IntArray: ...  # noqa: D102


@dataclass(frozen=True)
class Selection:
    """Limits on the rows of a dataset; without any, the unflagged rows.

    Raises
    ------
    InputError
        Where a limit is not finite, an interval is empty, or the flag is unknown.

    Examples
    --------
    >>> Selection.parse("z=0.1..0.2 flag=any").describe()
    {'z': '0.1 ≤ z < 0.2', 'flag': 'flagged only'}
    >>> Selection.parse("z=0.1..0.2") == Selection(z=(0.1, 0.2))
    True
    """

    z: Interval = OPEN  # spectroscopic redshift
    brightness: Interval = OPEN  # mean flux, in the unit of the flux
    z_phot: Interval = OPEN  # redshift that a run predicted
    flag: str = "none"  # a key of FLAG_CHOICES, or the name of a flag that rows must have

    def __post_init__(self) -> None:
        for name in LIMITS:
            object.__setattr__(self, name, _checked(name, getattr(self, name)))
        if self.flag not in (*FLAG_CHOICES, *FLAGS):
            raise InputError(
                f"flag = {self.flag!r} is not known; choose {', '.join((*FLAG_CHOICES, *FLAGS))}."
            )

    @classmethod
    def from_params(cls, values: Mapping[str, str]) -> Selection:
        """Selection from texts by name, as ``params`` gives them; other names are ignored."""
        limits = {name: _interval(name, values[name]) for name in LIMITS if name in values}
        flag = {"flag": values["flag"]} if "flag" in values else {}
        return cls(**limits, **flag)

    @property
    def params(self) -> dict[str, str]:
        """Each limit as a short text, for an address; those that limit nothing are left out."""
        found = {name: _text(getattr(self, name)) for name in LIMITS if getattr(self, name) != OPEN}
        return found if self.flag == "none" else {**found, "flag": self.flag}

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Selection from one line such as ``z=0.1..0.2 brightness=1..``; empty limits nothing."""
        values = dict(word.partition("=")[::2] for word in text.split())
        if unknown := sorted(set(values) - {*LIMITS, "flag"}):
            raise InputError(
                f"{', '.join(map(repr, unknown))} in the selection {text!r} is not known; give "
                "limits like z=0.1..0.2 brightness=1.. z_phot=..0.3 flag=any."
            )
        return cls.from_params(values)

    @property
    def text(self) -> str:
        """The selection in one line, which ``parse`` reads."""
        return " ".join(f"{name}={value}" for name, value in self.params.items())

    def describe(self) -> dict[str, str]:
        """One phrase for each limit, by its name; that on flags too, unless every row passes."""
        found = {
            name: _phrase(name, getattr(self, name))
            for name in LIMITS
            if getattr(self, name) != OPEN
        }
        if self.flag != "all":
            found["flag"] = FLAG_CHOICES.get(self.flag, f"flagged {self.flag}")
        return found

    def without(self, name: str) -> Selection:
        """The same selection with one limit lifted; ``flag`` lifted lets every row in."""
        return dataclasses.replace(self, **{name: "all" if name == "flag" else OPEN})

    def for_training(self) -> Selection:
        """Only the limits a training can have: on redshift and brightness."""
        return Selection(z=self.z, brightness=self.brightness)

    def rows(self, catalogue: Catalogue, z_phot: FloatArray | None = None) -> IntArray:
        """Rows that lie within every limit, ascending, int64.

        Parameters
        ----------
        catalogue : Catalogue
            Such as a ``data.Dataset``.
        z_phot : array, shape (n,), optional
            Predicted redshift, NaN where there is none; without it no row lies within limits on it.
        """
        keep = _flagged(np.asarray(catalogue.flags), self.flag)
        for name in LIMITS:
            low, high = limits = getattr(self, name)
            if limits == OPEN:
                continue
            column = z_phot if name == "z_phot" else getattr(catalogue, COLUMNS[name])
            column = np.full(len(keep), np.nan) if column is None else column
            if low is not None:
                keep &= column >= low
            if high is not None:
                keep &= column <= high if _closed(name, high) else column < high
        return np.flatnonzero(keep)


def snap(low: float, high: float, edges: FloatArray) -> tuple[float, float]:
    """A brushed range moved to the nearest bin edges; at least the bin under its middle.

    Examples
    --------
    >>> snap(0.19, 0.07, np.array([0.0, 0.1, 0.2, 0.3]))
    (0.1, 0.2)
    """
    low, high = sorted((low, high))
    first, last = (int(np.abs(edges - value).argmin()) for value in (low, high))
    if first == last:
        middle = np.searchsorted(edges, (low + high) / 2, side="right") - 1
        first = int(np.clip(middle, 0, len(edges) - 2))
        last = first + 1
    return float(edges[first]), float(edges[last])


def _flagged(flags: IntArray, choice: str) -> NDArray[np.bool_]:
    if choice == "all":
        return np.ones(len(flags), bool)
    if choice in FLAG_CHOICES:
        return (flags != 0) == (choice == "any")
    return (flags & FLAGS[choice]) > 0


def _closed(name: str, high: float) -> bool:
    """Whether an upper limit belongs to its interval: that of the last redshift bin does."""
    return name != "brightness" and high == Z_MAX


def _checked(name: str, limits: Interval) -> Interval:
    low, high = (None if end is None else float(end) for end in limits)
    if not all(math.isfinite(end) for end in (low, high) if end is not None):
        raise InputError(f"{name} = {_text((low, high))} is not finite; leave an end open instead.")
    if low is not None and high is not None and not low < high:
        raise InputError(
            f"{name} = {_text((low, high))} holds nothing; the first limit must be the lower one."
        )
    return low, high


def _interval(name: str, text: str) -> Interval:
    low, dots, high = text.partition("..")
    try:
        ends = tuple(float(end) if end.strip() else None for end in (low, high))
    except ValueError:
        dots = ""
    if not dots:
        raise InputError(
            f"{name} = {text!r} is not an interval; give it like 0.1..0.2, or 0.1.. for no upper "
            "limit."
        )
    return ends


def _text(limits: Interval) -> str:
    return "..".join("" if end is None else repr(end).removesuffix(".0") for end in limits)


def _phrase(name: str, limits: Interval) -> str:
    low, high = limits
    what = LIMITS[name]
    sign = "<" if high is None or not _closed(name, high) else "≤"
    if low is None:
        return f"{what} {sign} {high:.9g}"
    return f"{what} ≥ {low:.9g}" if high is None else f"{low:.9g} ≤ {what} {sign} {high:.9g}"
