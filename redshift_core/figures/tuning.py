"""A search for a network: every trial as a line through its values, and what mattered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from redshift_core.figures.frame import AMBER, BLUE, GREY, RED, TEAL, layout

TICKS = 6  # most marks on the axis of a number
LOG_RATIO = 8.0  # ratio of the ends above which an axis is logarithmic
SCORE_SCALE = [[0.0, BLUE], [0.35, TEAL], [0.7, AMBER], [1.0, RED]]
WORST_SHOWN = 0.9  # quantile of the scores that takes the last colour: failures to learn share it


def parallel_coordinates(trials: pd.DataFrame, parameters: Sequence[str]) -> go.Figure:
    """One line per finished trial through its values, coloured by its score.

    Parameters
    ----------
    trials : DataFrame
        `evaluation.trials.table` of the finished trials; a missing value is a layer that the
        network lacks, and lies below the others as "none".
    parameters : sequence of str
        Columns to draw, left to right; the score comes last.
    """
    score = trials.score.to_numpy(float)
    worst = float(np.quantile(score, WORST_SHOWN)) if len(score) else 1.0
    figure = layout("", "", height=420)
    figure.add_parcoords(
        dimensions=[
            *(_axis(name, trials[name]) for name in parameters),
            _axis("score", trials.score),
        ],
        line={
            "color": score,
            "colorscale": SCORE_SCALE,
            "cmin": float(score.min(initial=worst)),
            "cmax": worst,
        },
        domain={"y": [0.0, 0.93]},  # the mark of simulated data stands above the axes
        labelside="bottom",
        labelangle=20,
        labelfont={"size": 12},
        tickfont={"size": 11},
        rangefont={"size": 1, "color": "rgba(0,0,0,0)"},  # the marks name the ends already
        unselected={"line": {"color": GREY, "opacity": 0.15}},
    )
    figure.update_layout(margin={"l": 56, "r": 24, "t": 8, "b": 60})
    return figure


def importance_bars(table: pd.DataFrame) -> go.Figure:
    """Importance of each hyperparameter, the largest on top, with its scatter between folds.

    Parameters
    ----------
    table : DataFrame
        ``parameter``, ``importance`` and ``std`` of `redshift_core.evaluation.trials.Importance`.
    """
    rising = table.iloc[::-1]
    figure = layout("Loss of R² when shuffled", "", height=90 + 24 * len(table))
    figure.add_bar(
        x=rising.importance,
        y=[name.replace("_", " ") for name in rising.parameter],
        orientation="h",
        marker={"color": BLUE, "line_width": 0},
        error_x={"type": "data", "array": rising["std"], "color": GREY, "thickness": 1.4},
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    figure.update_layout(margin={"t": 8}, showlegend=False)
    figure.update_yaxes(domain=[0.0, 0.94])  # likewise
    return figure


def _axis(name: str, values: pd.Series) -> dict[str, Any]:
    """Axis of a number (logarithmic where it spans much), or of names in alphabetical order."""
    label = name.replace("_", " ")
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    if (numbers.isna() & values.notna()).any():
        names = sorted({str(value) for value in values.dropna()})
        places = {text: place for place, text in enumerate(names)}
        positions = values.map(lambda value: places.get(str(value), -1.0)).astype(float)
        ticks = {float(place): text for text, place in places.items()}
    else:
        positive = (numbers.dropna() > 0).all() and numbers.notna().any()
        log = bool(positive and numbers.max() / numbers.min() > LOG_RATIO)
        positions = np.log10(numbers) if log else numbers
        ticks = {
            float(np.log10(tick) if log else tick): format(tick, ".4g")
            for tick in _ticks(numbers.dropna().to_numpy(), log)
        }
    if values.isna().any():
        low = min(ticks, default=0.0)
        gap = 0.15 * (max(ticks, default=1.0) - low) or 1.0
        positions = positions.where(values.notna(), low - gap)
        ticks[low - gap] = "none"
    return {
        "label": label,
        "values": positions.to_numpy(float),
        "tickvals": list(ticks),
        "ticktext": list(ticks.values()),
    }


def _ticks(values: np.ndarray, log: bool) -> np.ndarray:
    """The values themselves where they are few and whole, else evenly spaced between their ends."""
    unique = np.unique(values)
    whole = not (unique % 1).any()
    if len(unique) < 2 or (whole and len(unique) <= TICKS):
        return unique
    space = (np.geomspace if log else np.linspace)(unique[0], unique[-1], TICKS)
    return np.unique(space.round()) if whole else space
