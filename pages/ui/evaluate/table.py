"""The error table on the page: numbers beside others', the best marked, rows to choose, to copy."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from pages.ui.display import download
from pages.ui.evaluate.state import choose, current, select_rows
from redshift_core.constants import FLUX_UNIT, MISSING
from redshift_core.evaluation.error_table import FORMATS, better
from redshift_core.evaluation.predictions import Choice
from redshift_core.store.records import Bin, Evaluation
from redshift_core.store.tables import cell_text, csv_text, latex_text, markdown_text

TABLE = "bin_table"
MARK = "✓ "
BEST = "color: #1f9d86; font-weight: 600"
TALL = 15  # lines from which the table scrolls
TITLES = {"z_spec": "true redshift", "z_phot": "predicted redshift", "brightness": "brightness"}


def show_table(frame: pd.DataFrame, bins: list[Bin], by: str, name: str) -> None:
    """Table in which a row chooses the galaxies of its bin; below it a download and a copy.

    Parameters
    ----------
    frame, bins : DataFrame, list of Bin
        `error_table` and the bins it was made of, line by line.
    by : {"z_spec", "z_phot", "brightness"}
        What the bins are made of.
    name : str
        File name of the download without its ending.
    """
    choices = [Choice(by, one.limits) for one in bins]
    rows = [place for place, choice in enumerate(choices) if choice == current()]
    select_rows(TABLE, rows)
    st.dataframe(
        styled(frame),
        hide_index=True,
        placeholder=MISSING,
        key=TABLE,
        on_select=partial(_picked, choices),
        selection_mode="single-row",
        height="content" if len(frame) <= TALL else 560,
        alt=f"Error per bin of {TITLES[by]} beside published values; choose a row to see its "
        "galaxies",
    )
    with st.container(horizontal=True):
        download(frame, name)
        _copy(frame)


def styled(frame: pd.DataFrame) -> Styler:
    """Table with formatted numbers, the best value of a line marked by a sign and a colour."""
    best = better(frame)
    style = frame.style
    for column in frame:
        if form := FORMATS.get(column):
            show = partial(cell_text, form="localized" if column == "n" else form)
            style = style.format(show, subset=[column])
            if best[column].any():
                style = style.format(
                    lambda value, show=show: MARK + show(value), subset=(best[column], column)
                )
    return style.apply(lambda _: best.replace({True: BEST, False: ""}), axis=None)


def _picked(choices: list[Choice]) -> None:
    rows = st.session_state[TABLE]["selection"]["rows"]
    choose(choices[rows[0]] if rows else None)


def table_notes(
    frame: pd.DataFrame, by: str, metrics: Evaluation, compared: bool
) -> str:  # fmt: skip
    """What the columns of the table are, in sentences.

    Parameters
    ----------
    compared : bool
        Whether another run was asked to stand beside.
    """
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
        if metrics.simulated:
            parts.append(
                "This run's galaxies are SIMULATED, the published ones real: a better value here "
                "says nothing of real galaxies."
            )
    if "other mean" in frame:
        parts.append("Other: the other run, on the rows it was judged on.")
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
