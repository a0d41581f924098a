"""Errors: mean, scatter and percentiles per bin of true redshift, predicted one or brightness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from redshift_core.constants import FLUX_UNIT, Z_MAX, Z_MIN
from redshift_core.figures.frame import AMBER, BLUE, GREY, TEAL, layout
from redshift_core.store.records import Bin

TITLES = {
    "z_spec": "True redshift, z_spec",
    "z_phot": "Predicted redshift, z_phot",
    "brightness": f"Brightness, mean flux / {FLUX_UNIT}",
}
BAND = "rgba(59, 130, 214, 0.16)"  # BLUE, translucent


def error_per_bin(
    bins: Sequence[Bin],
    published: pd.DataFrame | None = None,
    *,
    axis: str = "z_spec",
    show_ugc: bool = False,
    other: Sequence[Bin] | None = None,
    other_name: str = "other run",
    percentiles: bool = False,
    chosen: Sequence[float] | None = None,
) -> go.Figure:
    """Mean error z_phot − z_spec with ±σ bars per bin.

    Parameters
    ----------
    bins : sequence of Bin
        Of redshift or of brightness; empty ones are left out.
    published : DataFrame, optional
        ``reference.table_3()``, drawn beside them.
    axis : {"z_spec", "z_phot", "brightness"}
        What the bins are made of.
    show_ugc : bool
        Also draw Gaia's own classifier, read off a figure.
    other : sequence of Bin, optional
        Another run's bins, or those of what ``other_name`` says.
    percentiles : bool
        Also a band between the 16th and 84th percentile of the errors of each bin.
    chosen : pair of numbers, optional
        Limits of a bin to be shaded.
    """
    figure = layout(TITLES[axis], "Mean error z_phot − z_spec, ± σ")
    filled = _points(bins)
    if percentiles and len(filled):
        _add_band(figure, filled)
    if len(filled):
        _add_errors(figure, filled, "this run", BLUE, "mean_error", "std")
    if len(others := _points(other or ())):
        _add_errors(figure, others, other_name, TEAL, "mean_error", "std", shift=0.004)
    if published is not None:
        _add_errors(figure, published, "dissertation", AMBER, "mean_error", "std", shift=0.008)
        if show_ugc:
            names = ("ugc_mean_error", "ugc_std")
            title = "Gaia UGC (read off a figure)"
            _add_errors(figure, published, title, GREY, *names, shift=-0.008)
    if axis == "brightness":
        limits = filled.low if len(filled) else []
        figure.update_xaxes(type="log" if len(limits) and min(limits) > 0 else "linear")
    else:
        figure.update_xaxes(range=[Z_MIN - 0.01, Z_MAX + 0.01])
    shapes = [_zero_line()] + ([_shade(*chosen)] if chosen is not None else [])
    figure.update_layout(shapes=shapes)
    return figure


def _points(bins: Sequence[Bin]) -> pd.DataFrame:
    """Bins that hold a galaxy, with ``low`` and ``high`` whatever they are made of."""
    filled = pd.DataFrame([b.to_dict() for b in bins if b.mean_error is not None])
    if len(filled):
        filled["std"] = filled["std"].astype(float)  # None, where too few, becomes no bar
    return filled.rename(columns={"brightness_low": "low", "brightness_high": "high"})


def _add_errors(
    figure: go.Figure,
    table: pd.DataFrame,
    name: str,
    colour: str,
    mean: str,
    std: str,
    *,
    shift: float = 0.0,
) -> None:
    """Points with error bars in the middle of each bin; a shift keeps bars side by side."""
    low, high = _limits(table)
    figure.add_scatter(
        x=_middle(table) + shift,
        y=table[mean],
        error_y={"type": "data", "array": table[std], "color": colour, "thickness": 1.4},
        mode="markers",
        marker={"color": colour, "size": 7},
        unselected={"marker": {"opacity": 1}},  # a click chooses a bin; it dims nothing
        name=name,
        customdata=np.stack([low, high, table[std]], axis=1),
        hovertemplate="%{customdata[0]:.3~g}–%{customdata[1]:.3~g}<br>mean %{y:+.4f}"
        "<br>σ %{customdata[2]:.4f}",
    )


def _add_band(figure: go.Figure, table: pd.DataFrame) -> None:
    """Area in which the middle 68 % of the errors of each bin lie."""
    middle = _middle(table)
    figure.add_scatter(
        x=np.concatenate([middle, middle[::-1]]),
        y=np.concatenate([table.p16_error, table.p84_error[::-1]]),
        fill="toself",
        fillcolor=BAND,
        mode="none",
        name="16–84 % of the errors",
        hoverinfo="skip",
    )


def _limits(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    names = ("low", "high") if "low" in table else ("z_low", "z_high")
    return table[names[0]].to_numpy(float), table[names[1]].to_numpy(float)


def _middle(table: pd.DataFrame) -> np.ndarray:
    """Middle of each bin; of a bin of brightness on its logarithmic axis."""
    low, high = _limits(table)
    return np.sqrt(low * high) if "low" in table and min(low) > 0 else (low + high) / 2


def _zero_line() -> dict[str, Any]:
    line = {"color": GREY, "width": 1, "dash": "dash"}
    return {"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": 0, "y1": 0, "line": line}


def _shade(low: float, high: float) -> dict[str, Any]:
    """Bin over the whole height of the plot."""
    side = {"x0": low, "x1": high, "y0": 0, "y1": 1, "yref": "paper"}
    return {"type": "rect", **side, "fillcolor": AMBER, "opacity": 0.18, "line": {"width": 0}}
