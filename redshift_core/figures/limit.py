"""How the error falls with training galaxies, and where it would end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from redshift_core.figures.frame import AMBER, BLUE, FAINT, GREY, RED, TEAL, layout, mark_simulated
from redshift_core.store.study_records import Limit, LimitRow, QuotedRun

BEYOND = 10.0  # how far the curve is drawn past the largest size, as a factor


def limit_curve(
    rows: Sequence[LimitRow], limit: Limit | None = None, recipes: Sequence[QuotedRun] = ()
) -> go.Figure:
    """MAE against training galaxies, the fitted curve, its asymptote and band; SIMULATED.

    Parameters
    ----------
    recipes : sequence of QuotedRun
        Runs to compare with, each a horizontal mark.
    """
    figure = layout("Training galaxies", "MAE in z on the same test galaxies", height=460)
    largest = max(row.n for row in rows)
    ends = min(row.n for row in rows) / 2, BEYOND * largest
    if limit:
        _add_limit(figure, limit, ends)
    for check, name, colour, symbol in (
        (False, "trained", BLUE, "circle"),
        (True, "half the steps", AMBER, "circle-open"),
    ):
        part = [row for row in rows if row.check is check]
        if part:
            figure.add_scatter(
                x=[row.n for row in part],
                y=[row.mae for row in part],
                customdata=[row.epochs for row in part],
                mode="markers",
                name=name,
                marker={
                    "size": 9,
                    "color": colour,
                    "symbol": symbol,
                    "line": {"width": 2, "color": colour},
                },
                hovertemplate="%{x:,} galaxies, %{customdata:.3g} epochs: MAE %{y:.5f}",
            )
    for recipe in recipes:
        figure.add_hline(
            y=recipe.mae,
            line={"color": RED, "width": 1.2, "dash": "dot"},
            annotation_text=f"{recipe.name} {recipe.mae:.4f}",
            annotation_position="top left",
        )
    figure.update_xaxes(type="log", range=np.log10(ends).tolist(), dtick=1, tickformat=",d")
    return mark_simulated(figure)


def _add_limit(figure: go.Figure, limit: Limit, ends: tuple[float, float]) -> None:
    low, high = limit.intervals["68"]
    figure.add_hrect(y0=low, y1=high, fillcolor=FAINT, line_width=0, layer="below")
    n = np.geomspace(*ends, 120)
    figure.add_scatter(
        x=n,
        y=limit.limit + limit.b * n**-limit.c,
        mode="lines",
        name="a + b·n^(−c)",
        line={"color": TEAL, "width": 2},
        hovertemplate="%{x:,.0f} galaxies: %{y:.5f}",
    )
    figure.add_scatter(
        x=list(ends),
        y=[limit.limit] * 2,
        mode="lines",
        name=f"limit {limit.limit:.5f} (band: 68 %)",
        line={"color": GREY, "width": 2, "dash": "dash"},
        hovertemplate="limit %{y:.5f}",
    )
