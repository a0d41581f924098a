"""What each step costs as the number of galaxies grows: tables, a picture, slopes on log axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from redshift_core.constants import shown
from redshift_core.figures.scale import growth
from redshift_core.reports import document
from redshift_core.reports.document import Chart, Section, Table
from redshift_core.store import read_json, write_json
from redshift_core.store.files import write_text
from redshift_core.store.study_records import Scale, ScaleStep
from redshift_core.store.tables import markdown_text

NAME = "scale"  # of the files, before their endings
LARGE = 3  # largest sizes that a slope is taken of: below them what is constant hides it


STEPS = {  # what is measured → title
    "ingest": "Ingest from Parquet",
    "ingest_csv": "Ingest from CSV",
    "train": "Train fast, one epoch",
    "predict": "Predict a file",
    "evaluate": "Evaluate",
    "page_explore": "First paint of Explore",
    "page_evaluate": "First paint of Evaluate",
}
MEASURES = {  # name in a step → heading, factor
    "cpu_seconds": ("CPU time / s", 1.0),
    "seconds": ("Time on the clock / s", 1.0),
    "private_memory": ("Private memory / MB", 1e-6),
}
NOTES = (
    "CPU time is that of the whole worker, its start included, and of a page from the click until "
    "it is drawn; time on the clock is, of a training, that of the epoch. Private memory is the "
    "most that the process had at once, without the pages of files that it maps. The slope is that "
    "of the straight line through the three largest sizes on logarithmic axes: 1 is linear, 0 "
    "constant. Other programs on the machine lengthen the time on the clock."
)


def slope(rows: Sequence[float], values: Sequence[float]) -> float | None:
    """Slope of log(value) against log(rows), by least squares; None with fewer than two points.

    Examples
    --------
    >>> round(slope([10, 100, 1000], [2, 20, 200]), 6), round(slope([10, 1000], [3, 3]), 6)
    (1.0, 0.0)
    """
    if len(rows) < 2:
        return None
    return float(np.polyfit(np.log(rows), np.log(values), 1)[0])


def read_scale(output: Path) -> Scale | None:
    """What is measured so far; None before the first step."""
    path = output / f"{NAME}.json"
    found = read_json(path)
    return Scale.from_dict(found, path) if found else None


def write_scale(found: Scale, output: Path) -> None:
    """Write ``scale.json``, ``scale.md`` and ``scale.html``."""
    write_json(output / f"{NAME}.json", found.to_dict())
    write_text(output / f"{NAME}.md", scale_text(found))
    figure = scale_figure(found)
    tables = [_table(found, key) for key in MEASURES]
    spoken = "; ".join(line.name for line in figure.data)
    chart = Chart(figure, NOTES, f"Time and memory against galaxies, with slopes: {spoken}.")
    sections = [Section("Against the number of galaxies", [chart]), Section("Numbers", tables)]
    html = document.render(_title(found), _lead(found), sections, found.simulated)
    document.write(output / f"{NAME}.html", html)


def scale_figure(found: Scale) -> go.Figure:
    """Time and memory of every step against the number of galaxies; the legend has the slopes."""
    return growth(*(_named(_curves(found, key)) for key in ("cpu_seconds", "private_memory")))


def scale_text(found: Scale) -> str:
    """All tables as Markdown."""
    parts = [f"# {_title(found)}", _lead(found)]
    for key in MEASURES:
        frame = _table(found, key).frame
        parts += [f"## {MEASURES[key][0]}", markdown_text(frame, right=frame.columns[1:])]
    parts += [NOTES, *(f"{name} failed: {why}" for name, why in found.failed.items())]
    return "\n\n".join(parts) + "\n"


def _curves(found: Scale, key: str) -> dict[str, list[tuple[int, float]]]:
    """Step → (rows, value), rising."""
    factor = MEASURES[key][1]
    ordered = sorted(found.steps, key=lambda one: one.rows)
    curves = {name: [_point(o, key, factor) for o in ordered if o.step == name] for name in STEPS}
    return {name: curve for name, curve in curves.items() if curve}


def _point(one: ScaleStep, key: str, factor: float) -> tuple[int, float]:
    return one.rows, factor * getattr(one, key)


def _named(curves: dict[str, list[tuple[int, float]]]) -> dict[str, list[tuple[int, float]]]:
    """The curves by their titles, each with its slope."""
    return {
        f"{STEPS[name]}, slope {shown(_slope(curve), '.2f')}": curve
        for name, curve in curves.items()
    }


def _slope(curve: list[tuple[int, float]]) -> float | None:
    return slope(*zip(*curve[-LARGE:], strict=True))


def _table(found: Scale, key: str) -> Table:
    """A line a step, a column a size, and the slope."""
    lines = []
    for name, curve in _curves(found, key).items():
        known = dict(curve)
        digits = ",.0f" if key == "private_memory" else ",.2f"
        sizes = {f"{rows:,}": shown(known.get(rows), digits) for rows in found.rows}
        lines.append({"step": STEPS[name], **sizes, "slope": shown(_slope(curve), "z.2f")})
    title = MEASURES[key][0]
    return Table(pd.DataFrame(lines), f"scale_{key}", title, f"{title} of every step and size.")


def _title(found: Scale) -> str:
    return f"Cost against the number of galaxies ({'SIMULATED' if found.simulated else 'real'})"


def _lead(found: Scale) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in found.versions.items())
    return f"{found.machine}; {versions}; {found.started} to {found.finished}."
