"""Evaluate, third part: true against predicted redshift, where a box chooses galaxies."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.ui.display import chart
from pages.ui.evaluate import data
from pages.ui.evaluate.state import PLANE, bound, choose, current, limits_of
from pages.ui.text import counted
from redshift_core import figures
from redshift_core.constants import Z_MAX
from redshift_core.errors import InputError
from redshift_core.evaluation.predictions import BOX, Choice
from redshift_core.store import RunFolder
from redshift_core.store.records import Evaluation

CHART = "plane"
CELLS = [50, 100, 150, 200, 300]
RANGES = {  # both axes
    "0–0.6": (0.0, Z_MAX), "0–0.2": (0.0, 0.2), "0–0.4": (0.0, 0.4), "0.2–0.6": (0.2, Z_MAX),
}  # fmt: skip
NUMBERS = ("z_spec from", "z_spec to", "z_phot from", "z_phot to")
DIGITS = 4  # of a limit drawn with the pointer


@st.fragment(key=PLANE)
def show_plane(run: RunFolder, dataset: str, metrics: Evaluation) -> None:
    """Two-dimensional histogram with its settings, and the two one-dimensional ones."""
    st.subheader("True and predicted redshift")
    left, middle, right = st.columns(3)
    n_bins = left.select_slider("Bins per axis", CELLS, **bound("cells", 200, CELLS))
    span = middle.selectbox("Range", list(RANGES), **bound("range", "0–0.6", list(RANGES)))
    scales = figures.PLANE_SCALES
    scale = right.selectbox("Colours", scales, **bound("colours", scales[0], scales))
    key = data.key(run, dataset)
    edges, counts = data.redshift_plane(key, int(n_bins), *RANGES[span])
    plane, lines = st.columns([3, 2])
    with plane:
        _plane(key, edges, counts, scale, metrics)
    with lines:
        _histograms(key, metrics)
        _box_by_numbers()
        _said()


def _plane(found: data.Key, edges: Any, counts: Any, scale: str, metrics: Evaluation) -> None:
    cell = edges[1] - edges[0]
    chart(
        figures.redshift_plane(
            edges, counts, scale, percentiles=data.running_percentiles(found),
            box=limits_of(BOX),
        ),
        key=CHART,
        caption=f"Galaxies per cell of {cell:.3g} × {cell:.3g} in redshift, logarithmic colour; "
        f"{counted(counts.sum(), 'galaxy')} inside {edges[0]:g}–{edges[-1]:g}. Dashed: "
        "z_phot = z_spec. Blue: median and 16–84 % of z_phot per 0.01 of z_spec. Draw a box to "
        "see its galaxies.",
        alt="Two-dimensional histogram of true against predicted redshift with the 1:1 line and "
        "the running median",
        about=metrics.about,
        on_select=_drawn,
        selection_mode="box",
    )  # fmt: skip


def _histograms(found: data.Key, metrics: Evaluation) -> None:
    edges, n_spec, n_phot = data.histograms(found)
    chart(
        figures.true_and_predicted(edges, n_spec, n_phot),
        key="true_and_predicted",
        caption=f"Galaxies per bin of {edges[1]:.3g} in redshift, true and predicted.",
        alt="Histograms of true and predicted redshift",
        about=metrics.about,
    )


def _drawn() -> None:
    boxes = st.session_state[CHART]["selection"]["box"]
    if boxes:
        sides = [sorted(boxes[0][axis]) for axis in ("x", "y")]
        limits = (round(float(limit), DIGITS) for side in sides for limit in side)
        choose(Choice(BOX, tuple(limits)))


def _box_by_numbers() -> None:
    """The same box for the keyboard."""
    limits = limits_of(BOX) or (0.0, Z_MAX, 0.0, Z_MAX)
    with st.popover("Box by numbers", icon=":material/crop_free:"), st.form("box", border=False):
        for name, limit in zip(NUMBERS, limits, strict=True):
            st.session_state[f"box_{name}"] = limit
            st.number_input(name, step=0.01, format="%.4f", key=f"box_{name}")
        st.form_submit_button("Show these galaxies", on_click=_typed)
    if message := st.session_state.pop("box_error", None):
        st.error(message)


def _typed() -> None:
    try:
        choice = Choice(BOX, tuple(float(st.session_state[f"box_{name}"]) for name in NUMBERS))
    except InputError as error:
        st.session_state["box_error"] = str(error)
        return
    choose(choice)


def _said() -> None:
    choice = current()
    if choice is not None and choice.by == BOX:
        st.markdown(f"Chosen: **{choice.describe()}**. [See the galaxies](#galaxies)")
