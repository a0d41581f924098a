"""Explore: which galaxy is looked at, one after the other within the selection, and beside it."""

from __future__ import annotations

import random

import numpy as np
import streamlit as st

from pages.ui.address import binding
from pages.ui.explore.view import View, selected_rows
from pages.ui.text import count, escape
from redshift_core.errors import InputError

ROW = "row"  # key in the session and in the address
OVERLAY = "overlay"  # in the address: row numbers separated by commas
N_OVERLAY = 12
_SEEN = "_row_seen"  # dataset and selection that the row was last shown under
_ERROR = "_source_error"


def row_controls(view: View) -> int:
    """Row number, previous, random, next, a search by source id; the row is in the address.

    The selection holds at least one row.
    """
    _settle(view)
    n = len(view.data)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(f"Row (0–{n - 1})", 0, n - 1, key=ROW, bind=binding(ROW), width=170)
        for label, icon, key in (
            ("Previous", ":material/arrow_back:", "p"),
            ("Random", ":material/shuffle:", None),
            ("Next", ":material/arrow_forward:", "n"),
        ):
            st.button(
                label, icon=icon, key=f"row_{label.lower()}", shortcut=key, on_click=_go,
                args=(view, label), help="Within the current selection",
            )  # fmt: skip
    right.text_input(
        "Find a source id", key="find_source", placeholder="a whole number",
        on_change=_find, args=(view,),
    )  # fmt: skip
    if message := st.session_state.pop(_ERROR, None):
        st.error(escape(message))
    row = int(st.session_state[ROW])
    rows = selected_rows(view)
    place = int(np.searchsorted(rows, row))
    if holds(rows, row):
        st.caption(f"Galaxy {count(place + 1)} of {count(len(rows))} in the selection.")
    else:
        st.caption(f"Row {count(row)} is outside the current selection of {count(len(rows))}.")
    return row


def overlay_controls(view: View, row: int) -> list[int]:
    """Buttons that keep spectra to compare with; their rows, at most N_OVERLAY."""
    kept = overlaid(len(view.data))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Add to overlay", icon=":material/add:", key="overlay_add",
            disabled=row in kept or len(kept) >= N_OVERLAY, on_click=_overlay,
            args=([*kept, row],), help=f"Keep this spectrum in the figure, up to {N_OVERLAY}.",
        )  # fmt: skip
        if kept:
            st.button(
                f"Clear {len(kept)} overlaid", icon=":material/close:", key="overlay_clear",
                on_click=_overlay, args=([],),
            )  # fmt: skip
    return kept


def overlaid(n: int) -> list[int]:
    """Rows in the address to overlay; what is no row of the dataset is passed over."""
    words = st.query_params.get(OVERLAY, "").split(",")
    rows = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 19]
    return list(dict.fromkeys(row for row in rows if row < n))[:N_OVERLAY]


def holds(rows: np.ndarray, row: int) -> bool:
    """Whether a row is among ascending rows."""
    place = np.searchsorted(rows, row)
    return bool(place < len(rows) and rows[place] == row)


def neighbour(rows: np.ndarray, row: int, step: str) -> int:
    """Row before or after one, or any, of at least one ascending row; the ends stay.

    Parameters
    ----------
    step : {"Previous", "Next", "Random"}
    """
    if step == "Random":
        return int(rows[random.randrange(len(rows))])
    if step == "Next":
        place = min(int(np.searchsorted(rows, row, side="right")), len(rows) - 1)
    else:
        place = max(int(np.searchsorted(rows, row)) - 1, 0)
    return int(rows[place])


def find_source(source_id: np.ndarray, text: str) -> int:
    """Row of a source id given as text; InputError where it is no id or not in the dataset."""
    try:
        wanted = np.int64(int(text))
    except (ValueError, OverflowError) as error:
        raise InputError(f"{text!r} is not a source id; give a whole number.") from error
    rows = np.flatnonzero(source_id == wanted)
    if not len(rows):
        raise InputError(
            f"No source {text} in this dataset; its ids run from {source_id.min()} to "
            f"{source_id.max()}."
        )
    return int(rows[0])


def _settle(view: View) -> None:
    """Before the row's widget: a row of this dataset, within a selection that has just changed."""
    seen, rows = (view.path, view.selection), selected_rows(view)
    fresh = _SEEN not in st.session_state
    moved = st.session_state.get(_SEEN) != seen
    st.session_state[_SEEN] = seen
    if (
        fresh and ROW in st.query_params and binding(ROW)
    ):  # a link decides, inside the selection or not
        return
    row = st.session_state.get(ROW, 0)
    if row >= len(view.data) or (moved and not holds(rows, row)):
        st.session_state[ROW] = int(rows[0])


def _go(view: View, step: str) -> None:
    st.session_state[ROW] = neighbour(selected_rows(view), st.session_state[ROW], step)


def _find(view: View) -> None:
    text = st.session_state["find_source"].strip()
    if not text:
        return
    try:
        st.session_state[ROW] = find_source(view.data.source_id, text)
    except InputError as error:
        st.session_state[_ERROR] = str(error)


def _overlay(rows: list[int]) -> None:
    if rows:
        st.query_params[OVERLAY] = ",".join(map(str, rows))
    else:
        st.query_params.pop(OVERLAY, None)
