"""One self-contained HTML file of paragraphs, tables and figures: it opens from disk, offline.

plotly.js is embedded once, and a content security policy inside the file forbids every request.
Figures follow the reader's light or dark setting, still zoom, and print in ink. All text is
escaped by the template, so callers pass it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from jinja2 import Environment, PackageLoader, StrictUndefined
from pandas.api.types import is_numeric_dtype
from plotly.offline import get_plotlyjs

from redshift_core.figures import mark_simulated
from redshift_core.store.files import write_text
from redshift_core.store.tables import cell_text, check_out, csv_text

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


@dataclass(frozen=True)
class Said:
    """A paragraph that must not be missed: an ``error`` in red, a ``warning``, or a ``note``."""

    level: str
    text: str


Part = Chart | Table | Said | str  # a str is a paragraph


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    parts: Sequence[Part]


def render(title: str, lead: str, sections: Sequence[Section], simulated: bool) -> str:
    """HTML of a document, by the template ``resources/document.html``.

    Parameters
    ----------
    lead : str
        One paragraph under the title.
    simulated : bool
        The data shown are simulated: said under the title and in every figure.
    """
    template = _templates().get_template("document.html")
    return template.render(
        title=title, lead=lead, sections=sections, simulated=simulated, plotly=get_plotlyjs()
    )


def write(out: Path, text: str) -> Path:
    """Write a document, ``.html``, whole or not at all; the path written."""
    out = check_out(out, suffixes=SUFFIXES)
    write_text(out, text)
    return out


@cache
def _templates() -> Environment:
    """Reads the templates; everything that they insert is escaped."""
    templates = Environment(
        loader=PackageLoader("redshift_core", "resources"), undefined=StrictUndefined,
        autoescape=True, trim_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    templates.globals |= {"drawn": _drawn, "cells": _cells, "csv_address": _csv_address}
    # The filter tojson, which also escapes "<" and "&": nothing can end the script element.
    templates.policies |= {"json.dumps_function": pio.json.to_json_plotly, "json.dumps_kwargs": {}}
    return templates


def _drawn(figure: go.Figure, simulated: bool) -> dict[str, Any]:
    """Data and layout of a figure, without the template: the colours are the page's."""
    figure = mark_simulated(go.Figure(figure)) if simulated else figure
    spec = figure.to_plotly_json()
    spec["layout"].pop("template", None)
    return {"data": spec["data"], "layout": spec["layout"]}


def _cells(table: Table) -> Iterable[Sequence[tuple[str, str]]]:
    """Text and class of each cell of a table, line by line."""
    columns = []
    for name, column in table.frame.items():
        form = table.formats.get(name, "")
        texts = [cell_text(value, form) for value in column.astype(object)]
        columns.append([(text, _kind(column, text)) for text in texts])
    return zip(*columns, strict=True)


def _kind(column: pd.Series, text: str) -> str:
    """Numbers stand to the right; they and short words do not wrap."""
    return "n" if is_numeric_dtype(column) else "short" if len(text) < SHORT else ""


def _csv_address(table: Table) -> str:
    return "data:text/csv;charset=utf-8," + quote(csv_text(table.frame))
