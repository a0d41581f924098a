"""Evaluate, second part: the error per bin, as a table beside others' and as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from pages.ui import evaluation_data
from pages.ui.display import chart, download
from pages.ui.evaluation_state import BINS, choose, current, keep, limits_of, setting
from redshift_core import figures, reference
from redshift_core.constants import BIN_WIDTH, FLUX_UNIT
from redshift_core.error_table import FORMATS, better, error_table
from redshift_core.evaluation import N_BRIGHTNESS
from redshift_core.export import csv_text, latex_text, markdown_text
from redshift_core.judged import Choice
from redshift_core.runs import RunFolder, Store

TABLE = "bin_table"
NONE = "none"
MARK = "✓ "
BEST = "color: #1f9d86; font-weight: 600"
TALL = 15  # lines from which the table scrolls
TITLES = {"z_spec": "true redshift", "z_phot": "predicted redshift", "brightness": "brightness"}


@st.fragment(key=BINS)
def show_bins(run: RunFolder, dataset: str, metrics: Mapping[str, Any]) -> None:
    """Error per bin: settings, table, copy, figure."""
    st.subheader("Error per bin")
    found = evaluation_data.key(run, dataset)
    known = evaluation_data.galaxies(*found)
    by, size, other = _settings(run, dataset, known.brightness is not None)
    bins = evaluation_data.bins(*found, by, size)
    others = None if other is None else evaluation_data.bins(*other, by, size)
    frame = error_table(bins, by, others)
    _table(frame, bins, by)
    st.caption(_caption(frame, by, metrics, others is not None))
    with st.container(horizontal=True):
        download(frame, f"bins_{by}_{run.id}")
        _copy(frame)
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


def error_figure(figure: Any, by: str, key: str, metrics: Mapping[str, Any]) -> None:
    """Error figure in which a click on a point chooses the galaxies of its bin."""
    units = f"mean flux in {FLUX_UNIT}" if by == "brightness" else "dimensionless"
    chart(
        figure,
        key=key,
        caption=f"Mean error z_phot − z_spec (dimensionless) per bin of {TITLES[by]} ({units}), "
        "bars ±σ. Click a point to see its galaxies.",
        alt=f"Mean error and scatter per bin of {TITLES[by]}",
        about=metrics,
        on_select=partial(_clicked, key, by),
        selection_mode="points",
    )


def _settings(
    run: RunFolder, dataset: str, has_brightness: bool
) -> tuple[str, float, evaluation_data.Key | None]:
    """What the bins are made of, their width or number, and the run that stands beside."""
    kinds = [kind for kind in TITLES if has_brightness or kind != "brightness"]
    left, middle, right = st.columns([2, 1, 2], vertical_alignment="bottom")
    st.session_state["by"] = setting("by", "z_spec", kinds)
    by = left.segmented_control("Bins of", kinds, key="by", required=True, on_change=keep("by"))
    if by == "brightness":
        counts = [5, 10, 20, 50]
        st.session_state["parts"] = setting("parts", N_BRIGHTNESS, counts)
        size = middle.selectbox(
            "Bins, equally full", counts, key="parts", on_change=keep("parts")
        )  # fmt: skip
    else:
        st.session_state["width"] = min(max(setting("width", BIN_WIDTH), 0.01), 0.6)
        size = middle.number_input(
            "Bin width in z", 0.01, 0.6, step=0.01, format="%.3f", key="width",
            on_change=keep("width"),
        )  # fmt: skip
    runs = {one.id: one for one in _comparable(run, dataset)}
    st.session_state["against"] = setting("against", NONE, list(runs))
    against = right.selectbox(
        "Another run beside it", [NONE, *runs], key="against", on_change=keep("against"),
        format_func=lambda name: runs[name].name if name in runs else NONE,
        help="Any other run evaluated on the same dataset.",
    )  # fmt: skip
    if not has_brightness:
        st.caption("Bins of brightness need an evaluation by this version: evaluate the run again.")
    other = evaluation_data.key(runs[against], dataset) if against in runs else None
    if other and by == "brightness" and evaluation_data.galaxies(*other).brightness is None:
        st.caption("The other run's evaluation knows no brightness: evaluate it again.")
        other = None
    return by, float(size), other


def _comparable(run: RunFolder, dataset: str) -> list[RunFolder]:
    others = (one for one in Store().runs() if one.id != run.id)
    return [one for one in others if one.predictions_path(dataset).exists()]


def _table(frame: pd.DataFrame, bins: list[dict[str, Any]], by: str) -> None:
    name = "brightness" if by == "brightness" else "z"
    choices = [Choice(by, (one[f"{name}_low"], one[f"{name}_high"])) for one in bins]
    rows = [place for place, choice in enumerate(choices) if choice == current()]
    if st.session_state.get(TABLE, {"selection": {"rows": []}})["selection"]["rows"] != rows:
        st.session_state[TABLE] = {"selection": {"rows": rows}}
    st.dataframe(
        styled(frame),
        hide_index=True,
        key=TABLE,
        on_select=partial(_picked, choices),
        selection_mode="single-row",
        height="content" if len(frame) <= TALL else 560,
        alt=f"Error per bin of {TITLES[by]} beside published values; choose a row to see its "
        "galaxies",
    )


def styled(frame: pd.DataFrame) -> Styler:
    """Table with formatted numbers, the best value of a line marked by a sign and a colour."""
    best = better(frame)
    style = frame.style
    for column in frame:
        if form := FORMATS.get(column):
            show = partial(_shown, "{:,}" if column == "n" else form)
            style = style.format(show, subset=[column])
            if best[column].any():
                style = style.format(
                    lambda value, show=show: MARK + show(value), subset=(best[column], column)
                )
    return style.apply(lambda _: best.replace({True: BEST, False: ""}), axis=None)


def _shown(form: str, value: float) -> str:
    if value != value:
        return "–"
    return form.format(value) if form.startswith("{") else form % value


def _picked(choices: list[Choice]) -> None:
    rows = st.session_state[TABLE]["selection"]["rows"]
    choose(choices[rows[0]] if rows else None)


def _clicked(key: str, by: str) -> None:
    points = st.session_state[key]["selection"]["points"]
    if points:
        values = points[0]["customdata"]
        low, high, *_ = values.values() if hasattr(values, "values") else values
        choose(Choice(by, (float(low), float(high))))


def _caption(
    frame: pd.DataFrame, by: str, metrics: Mapping[str, Any], compared: bool
) -> str:  # fmt: skip
    parts = [
        "Choose a row to see its galaxies. Error = z_phot − z_spec; σ with ddof 0, standard error "
        "= σ/√n; σ_NMAD and the shares of outliers are of e_z."
    ]
    if by == "brightness":
        parts.append(
            f"Brightness is the mean flux in {FLUX_UNIT}; each bin holds as many galaxies."
        )
    if "published mean" in frame:
        parts.append(
            "Published: the dissertation's Table 3. UGC: Gaia DR3's own classifier, read off a "
            "figure (±0.003)."
        )
        if metrics.get("simulated"):
            parts.append(
                "This run's galaxies are SIMULATED, the published ones real: a better value here "
                "says nothing of real galaxies."
            )
    if "other mean" in frame:
        parts.append("Other: the other run on its own test rows of this dataset.")
    elif compared:
        parts.append("The other run's bins have other limits, so nothing stands beside.")
    if "published mean" in frame or "other mean" in frame:
        parts.append(f"{MARK.strip()} marks the mean nearest to 0 and the smallest σ of a line.")
    return " ".join(parts)


def _copy(frame: pd.DataFrame) -> None:
    with st.popover("Copy the table", icon=":material/content_copy:"):
        for tab, language, text in zip(
            st.tabs(["CSV", "Markdown", "LaTeX"]),
            (None, "markdown", "latex"),
            (csv_text(frame), markdown_text(frame, FORMATS), latex_text(frame, FORMATS)),
            strict=True,
        ):
            tab.code(text, language=language, height=320)


def _said(by: str) -> None:
    choice = current()
    if choice is not None and choice.by == by:
        st.markdown(f"Chosen: **{choice.describe()}**. [See the galaxies](#galaxies)")
