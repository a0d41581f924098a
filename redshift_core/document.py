"""One self-contained HTML file of paragraphs, tables and figures: it opens from disk, offline.

plotly.js is embedded once, and a content security policy inside the file forbids every request.
Figures follow the reader's light or dark setting, still zoom, and print in ink. All text is
escaped here, so callers pass it as it is.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from plotly.offline import get_plotlyjs

from redshift_core.export import check_out, csv_text
from redshift_core.figures import mark_simulated
from redshift_core.runs import atomic

SUFFIXES = (".html",)
SHORT = 20  # characters of a cell that stays on one line


@dataclass(frozen=True)
class Chart:
    """A figure with what stands below it and what a reader who cannot see it is told."""

    figure: go.Figure
    caption: str  # with units
    alt: str  # one sentence


@dataclass(frozen=True)
class Table:
    """A table with its caption; ``formats`` are column → ``"%.4f"`` or ``"localized"``."""

    frame: pd.DataFrame
    name: str  # of the file it is downloaded as, without its ending
    caption: str
    alt: str
    formats: Mapping[str, str] = field(default_factory=dict)


Part = Chart | Table | str  # a str is a paragraph


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    parts: Sequence[Part]


def render(title: str, lead: str, sections: Sequence[Section], simulated: bool) -> str:
    """HTML of a document.

    Parameters
    ----------
    lead : str
        One paragraph under the title.
    simulated : bool
        The data shown are simulated: said under the title and in every figure.
    """
    body = [f"<h1>{html.escape(title)}</h1>"]
    if simulated:
        body.append('<p class="mark">SIMULATED: no telescope observed these spectra.</p>')
    body.append(f'<p class="lead">{html.escape(lead)}</p>')
    for number, section in enumerate(sections):
        body.append(f'<section id="s{number}"><h2>{html.escape(section.title)}</h2>')
        body += [_part(part, simulated) for part in section.parts]
        body.append("</section>")
    head = f"<title>{html.escape(title)}</title>\n<style>\n{_resource('report.css')}</style>"
    scripts = f"<script>{get_plotlyjs()}</script>\n<script>\n{_resource('report.js')}</script>"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{_POLICY}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{head}\n</head>\n<body>\n<main>\n" + "\n".join(body) + f"\n</main>\n{scripts}\n"
        "</body>\n</html>\n"
    )


def write(out: Path, text: str) -> Path:
    """Write a document, ``.html``, whole or not at all; the path written."""
    out = check_out(out, suffixes=SUFFIXES)
    with atomic(out) as part:
        part.write_text(text, encoding="utf-8")
    return out


def cell_text(value: Any, form: str = "") -> str:
    """Cell of a table as text; a dash where there is nothing.

    Examples
    --------
    >>> cell_text(0.02163, "%.4f"), cell_text(520393, "localized"), cell_text(None)
    ('0.0216', '520,393', '–')
    """
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if form == "localized":
        return f"{value:,}"
    return form % value if form else f"{value:.6g}" if isinstance(value, float) else str(value)


# 'unsafe-inline' for the scripts and styles in the file itself; blob: and data: for saved pictures.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:\">"
)


def _part(part: Part, simulated: bool) -> str:
    if isinstance(part, str):
        return f"<p>{html.escape(part)}</p>"
    return _chart(part, simulated) if isinstance(part, Chart) else _table(part)


def _chart(chart: Chart, simulated: bool) -> str:
    figure = mark_simulated(go.Figure(chart.figure)) if simulated else chart.figure
    alt = f"SIMULATED. {chart.alt}" if simulated else chart.alt
    spec = figure.to_plotly_json()
    spec["layout"].pop("template", None)  # the colours are the page's
    data = pio.json.to_json_plotly({"data": spec["data"], "layout": spec["layout"]})
    for sign in "<>&":  # inside a JSON string only; nothing can end the script element
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    return (
        f'<figure><div class="chart" role="img" aria-label="{html.escape(alt)}" '
        f'style="min-height:{figure.layout.height or 380}px"></div>'
        f'<script type="application/json">{data}</script>'
        f"<figcaption>{html.escape(chart.caption)}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    frame = table.frame
    head = "".join(f'<th scope="col">{html.escape(str(c).strip())}</th>' for c in frame)
    rows = []
    for line in frame.astype(object).itertuples(index=False, name=None):
        texts = [
            (column, cell_text(value, table.formats.get(column, "")))
            for column, value in zip(frame, line, strict=True)
        ]
        cells = (
            f"<td{_kind(frame[column], text)}>{html.escape(text)}</td>" for column, text in texts
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    address = "data:text/csv;charset=utf-8," + quote(csv_text(frame))
    return (
        f'<div class="table" role="region" tabindex="0" aria-label="{html.escape(table.alt)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="caption">{html.escape(table.caption)} '
        f'<a download="{html.escape(table.name)}.csv" href="{html.escape(address)}">CSV</a></p>'
    )


def _kind(column: pd.Series, text: str) -> str:
    """Numbers stand to the right; they and short words do not wrap."""
    if pd.api.types.is_numeric_dtype(column):
        return ' class="n"'
    return ' class="short"' if len(text) < SHORT else ""


def _resource(name: str) -> str:
    return (files("redshift_core") / "resources" / name).read_text(encoding="utf-8")
