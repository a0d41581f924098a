"""How much larger the error becomes on spectra that have suffered."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from redshift_core.figures.frame import AMBER, BLUE, GREY, RED, layout
from redshift_core.store.records import StressLine

ROW = 26  # px of a line of the figure
NEAR = 3.0  # a ratio beyond it wants the wide axis
NARROW, WIDE = (0.8, 0.9, 1, 1.1, 1.2, 1.5, 2, 3), (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
KINDS = (  # name in the legend, colour, symbol; by whether it is harmed, and whether that is told
    ("error grows by no more than 20 %", BLUE, "circle"),
    ("grows by more, the verdict warns", AMBER, "diamond"),
    ("grows by more, no verdict warns", RED, "x"),
)
STRESS_CAPTION = (
    "Mean absolute error on perturbed spectra over that on the same spectra as they are; 1 means "
    "that nothing is lost, and the axis is logarithmic. Bars: 68 % error from the choice of "
    "galaxies. A cross is what to beware of: the redshifts are worse, and nothing says so."
)


def stress_ratios(lines: Sequence[StressLine]) -> go.Figure:
    """MAE relative to the unperturbed one, a point for each perturbation.

    Parameters
    ----------
    lines : sequence of StressLine
        Of `stress.judge`; the first, of the spectra as they are, is the line at 1.
    """
    shown = [line for line in lines[1:] if line.ratio is not None]
    figure = layout(
        "MAE / MAE of the spectra as they are", "Perturbation", height=120 + ROW * len(shown)
    )
    for number, (name, colour, symbol) in enumerate(KINDS):
        some = [line for line in shown if _kind(line) == number]
        figure.add_scatter(
            x=[line.ratio for line in some],
            y=[line.label for line in some],
            error_x={"array": [line.ratio_error for line in some], "color": colour},
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 9},
            name=name,
            hovertemplate="%{y}: × %{x:.3f}",
        )
    figure.add_vline(x=1, line={"color": GREY, "width": 1, "dash": "dash"})
    far = max((line.ratio for line in shown), default=1.0) > NEAR
    figure.update_xaxes(type="log", tickvals=WIDE if far else NARROW, tickformat=".3~g")
    order = [line.label for line in shown]
    figure.update_yaxes(categoryorder="array", categoryarray=order, autorange="reversed")
    return figure


def _kind(line: StressLine) -> int:
    return 0 if not line.harmed else 1 if line.unlike else 2
