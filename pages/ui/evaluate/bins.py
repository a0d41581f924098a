"""Evaluate, second part: the error per bin, as a table beside others' and as a figure."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from pages.ui.display import chart
from pages.ui.evaluate import data
from pages.ui.evaluate.state import BINS, bound, choose, current, limits_of
from pages.ui.evaluate.table import TITLES, show_table, table_notes
from redshift_core import figures, reference
from redshift_core.constants import BIN_WIDTH, FLUX_UNIT
from redshift_core.evaluation.bins import N_BRIGHTNESS
from redshift_core.evaluation.error_table import error_table
from redshift_core.evaluation.predictions import Choice
from redshift_core.store import RunFolder, Store
from redshift_core.store.records import Evaluation

NONE = "none"
PARTS = [5, 10, 20, 50]  # bins of brightness


@st.fragment(key=BINS)
def show_bins(run: RunFolder, dataset: str, metrics: Evaluation) -> None:
    """Error per bin: settings, table, copy, figure."""
    st.subheader("Error per bin")
    key = data.key(run, dataset)
    by, size, other = _settings(run, dataset, data.has_brightness(key))
    bins = data.bins(key, by, size)
    others = None if other is None else data.bins(other, by, size)
    frame = error_table(bins, by, others)
    show_table(frame, bins, by, f"bins_{by}_{run.id}")
    st.caption(table_notes(frame, by, metrics, others is not None))
    _said(by)
    by_z_spec = by == "z_spec"
    ugc = by_z_spec and st.toggle(
        "Show Gaia's UGC", False, key="show_ugc", persist_state="session"
    )  # fmt: skip
    error_figure(
        figures.error_per_bin(
            bins, reference.table_3() if by_z_spec else None, axis=by, show_ugc=ugc, other=others,
            percentiles=not by_z_spec, chosen=limits_of(by),
        ),
        by, "error_per_bin", metrics,
    )  # fmt: skip


def error_figure(figure: Any, by: str, key: str, metrics: Evaluation) -> None:
    """Error figure in which a click on a point chooses the galaxies of its bin."""
    units = f"mean flux in {FLUX_UNIT}" if by == "brightness" else "dimensionless"
    chart(
        figure,
        key=key,
        caption=f"Mean error z_phot − z_spec (dimensionless) per bin of {TITLES[by]} ({units}), "
        "bars ±σ. Click a point to see its galaxies.",
        alt=f"Mean error and scatter per bin of {TITLES[by]}",
        about=metrics.about,
        on_select=partial(_clicked, key, by),
        selection_mode="points",
    )


def _settings(
    run: RunFolder, dataset: str, has_brightness: bool
) -> tuple[str, float, data.Key | None]:
    """What the bins are made of, their width or number, and the run that stands beside."""
    kinds = [kind for kind in TITLES if has_brightness or kind != "brightness"]
    left, middle, right = st.columns([2, 1, 2], vertical_alignment="bottom")
    by = left.segmented_control(
        "Bins of", kinds, required=True, **bound("by", "z_spec", kinds)
    )  # fmt: skip
    if by == "brightness":
        counts = bound("parts", N_BRIGHTNESS, PARTS)
        size = middle.selectbox("Bins, equally full", PARTS, **counts)
    else:
        width = bound("width", BIN_WIDTH)
        st.session_state[width["key"]] = min(max(st.session_state[width["key"]], 0.01), 0.6)
        size = middle.number_input("Bin width in z", 0.01, 0.6, step=0.01, format="%.3f", **width)
    runs = {one.id: one for one in _comparable(run, dataset)}
    against = right.selectbox(
        "Another run beside it", [NONE, *runs], **bound("against", NONE, list(runs)),
        format_func=lambda name: runs[name].name if name in runs else NONE,
        help="Any other run evaluated on the same dataset.",
    )  # fmt: skip
    if not has_brightness:
        st.caption("Bins of brightness need an evaluation by this version: evaluate the run again.")
    other = data.key(runs[against], dataset) if against in runs else None
    if other and by == "brightness" and not data.has_brightness(other):
        st.caption("The other run's evaluation has no brightness values: evaluate it again.")
        other = None
    return by, float(size), other


def _comparable(run: RunFolder, dataset: str) -> list[RunFolder]:
    others = (one for one in Store().runs() if one.id != run.id)
    return [one for one in others if one.predictions_path(dataset).exists()]


def _clicked(key: str, by: str) -> None:
    points = st.session_state[key]["selection"]["points"]
    if points:
        values = points[0]["customdata"]
        low, high, *_ = values.values() if hasattr(values, "values") else values
        choose(Choice(by, (float(low), float(high))))


def _said(by: str) -> None:
    choice = current()
    if choice is not None and choice.by == by:
        st.markdown(f"Chosen: **{choice.describe()}**. [See the galaxies](#galaxies)")
