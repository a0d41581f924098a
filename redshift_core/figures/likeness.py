"""How far a file's spectra are from those that a run has learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from redshift_core.figures.frame import BLUE, GREY, RED, layout

TITLES = {  # quantity → title of its axis
    "distance": "Distance (1 is the limit)",
    "brightness": "Mean flux, e⁻ s⁻¹ per pixel",
    "colour": "Flux in BP / flux in RP",
}
NAMES = {"file": "this file", "training": "training set"}  # whose quantiles
COLOURS = {"file": RED, "training": BLUE}
GAP = 0.24  # of the figure's height, between two panels
TOP = 0.93  # of the figure's height, which leaves the mark SIMULATED its place
LIKENESS_CAPTION = (
    "Spectra of this file beside those of the run's training set (its validation rows): distance "
    "from the training spectra, brightness and colour. Dot, median; thick line, the middle half; "
    "thin line, the middle 90 %. Logarithmic axes. Where the lines hardly overlap, the run knows "
    "little of such spectra."
)


def likeness(quantiles: Mapping[str, Any]) -> go.Figure:
    """Median, middle half and middle 90 % of distance, brightness and colour.

    Parameters
    ----------
    quantiles : mapping
        ``file`` and, where it is known, ``training``: quantity → its quantiles at 5, 25, 50, 75
        and 95 %, as `evaluation.spread` gives them.
    """
    figure = layout("", "", height=360, showlegend=False)
    shown = [who for who in NAMES if quantiles.get(who)]
    height = (TOP - GAP * (len(TITLES) - 1)) / len(TITLES)
    for number, (quantity, title) in enumerate(TITLES.items()):
        top = TOP - number * (height + GAP)
        place = str(number + 1) if number else ""
        figure.update_layout({
            f"xaxis{place}": {
                "title": title, "type": "log", "anchor": f"y{place}", "tickformat": ".3~g",
            },
            f"yaxis{place}": {
                "domain": [max(top - height, 0), top], "anchor": f"x{place}", "title": "",
                "automargin": True, "range": [-0.6, len(shown) - 0.4],
            },
        })  # fmt: skip
        for who in reversed(shown):
            _bars(figure, place, who, quantiles[who][quantity])
    figure.add_vline(x=1, line={"color": GREY, "width": 1, "dash": "dash"})
    return figure


def likeness_table(quantiles: Mapping[str, Any]) -> pd.DataFrame:
    """The same in numbers: a line per quantity and whose it is."""
    lines = [
        {"quantity": title, "spectra": NAMES[who]}
        | {
            f"{level} %": value
            for level, value in zip((5, 25, 50, 75, 95), quantiles[who][quantity], strict=True)
        }
        for quantity, title in TITLES.items()
        for who in NAMES
        if quantiles.get(who)
    ]
    return pd.DataFrame(lines)


def _bars(figure: go.Figure, place: str, who: str, values: Sequence[float]) -> None:
    low, lower, middle, upper, high = values
    name, axes = NAMES[who], {"xaxis": f"x{place}", "yaxis": f"y{place}"}
    hover = f"{name}: %{{x:.4g}}<extra></extra>"
    for ends, width in (((low, high), 2), ((lower, upper), 8)):
        figure.add_scatter(
            x=ends, y=[name, name], mode="lines", hovertemplate=hover,
            line={"color": COLOURS[who], "width": width}, **axes,
        )  # fmt: skip
    figure.add_scatter(
        x=[middle], y=[name], mode="markers", hovertemplate=hover,
        marker={"color": COLOURS[who], "size": 13, "line": {"color": "white", "width": 2}}, **axes,
    )  # fmt: skip
