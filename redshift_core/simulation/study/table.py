"""The study's rows as Markdown, for the terminal and the documentation."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from redshift_core.constants import MISSING, shown
from redshift_core.simulation.study.rows import RANGE_NAMES, Row, Value
from redshift_core.store.tables import markdown_text

OFF = " (!)"  # mark of a figure outside its bounds
NOTHING_OFF = "Everything with a bound lies within it."


def report(rows: Sequence[Row]) -> str:
    """Tables of the rows, one heading per part, and the list of figures outside their bounds."""
    parts = ["# SIMULATED survey beside the published figures"]
    for part in dict.fromkeys(row.part for row in rows):
        inside = [row for row in rows if row.part == part]
        by_range = [row for row in inside if row.range in RANGE_NAMES]
        others = [row for row in inside if row.range not in RANGE_NAMES]
        parts.append(f"## {part}")
        parts += [markdown_text(wide(by_range))] if by_range else []
        parts += [markdown_text(long(others))] if others else []
    return "\n\n".join([*parts, "## Still off", still_off(rows)]) + "\n"


def wide(rows: Sequence[Row]) -> pd.DataFrame:
    """One line for each figure that is given for the six ranges, as texts.

    A cell is ``published → simulated``, or only the simulated figure if nothing is published or the
    aim is obvious.
    """
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        lines.setdefault(row.what, {})[row.range] = _cell(row)
    found = [{"published → SIMULATED": what, **cells} for what, cells in lines.items()]
    return pd.DataFrame(found).fillna(MISSING)


def long(rows: Sequence[Row]) -> pd.DataFrame:
    """One line for each row, as texts."""
    names = [row.what if row.range == "all" else f"{row.what}, {row.range}" for row in rows]
    return pd.DataFrame(
        {
            "what": names,
            "published": [_text(row.published) for row in rows],
            "SIMULATED": [_text(row.simulated) + OFF * row.off for row in rows],
        }
    )


def still_off(rows: Sequence[Row]) -> str:
    """One line for every figure outside its bounds."""
    found = [
        f"- {row.what}, {row.range}: {_text(row.simulated)}, wanted {row.low:g} to {row.high:g}"
        for row in rows
        if row.off
    ]
    return "\n".join(found) or NOTHING_OFF


def _cell(row: Row) -> str:
    simulated = _text(row.simulated) + OFF * row.off
    plain = row.published in (None, 0, 1)  # a ratio of 1 or a difference of 0 is the aim itself
    return simulated if plain else f"{_text(row.published)} → {simulated}"


def _text(value: Value) -> str:
    return value if isinstance(value, str) else shown(value, ".4g")
