"""The form that names the columns of a file: it starts from what was recognised, and checks."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import server
from pages.ui.text import escape
from redshift_core.constants import N_PIXELS
from redshift_core.data import Preview, preview
from redshift_core.data.mapping import NONE, mapped_flux
from redshift_core.errors import InputError


def question(seen: Preview, with_z: bool) -> str:
    """What only the user can say of a file; empty where everything is clear.

    Parameters
    ----------
    with_z : bool
        Also ask where no column was taken as the redshift but one might be.
    """
    if seen.problem:
        return seen.problem
    if not with_z or seen.mapping["z"] != NONE or not (seen.likely_z or seen.other):
        return ""
    may_be = " or ".join(repr(name) for name in seen.likely_z[:3])
    named = f"{may_be} may be it. " if may_be else ""
    lead = "" if seen.doubts else "No column is called like a redshift. "
    return (
        f"{lead}{' '.join([*seen.doubts, named])}If one of the columns holds the redshift, name it "
        "here; without redshifts the spectra can be looked at and predicted, not trained on."
    )


def columns_form(path: Path, seen: Preview, asked: str, key: str) -> dict[str, str] | None:
    """Form that names the columns; None until it is filled in and fits the first rows.

    Parameters
    ----------
    seen : Preview
        The file, from which the form starts.
    asked : str
        The question; empty where the user wants the form without one.
    """
    st.subheader(f"Which columns of {escape(path.name)}?")
    if asked:
        st.warning(escape(asked), icon=":material/view_column:")
    else:
        st.caption("The form shows what was recognised; change what is wrong.")
    st.dataframe(seen.head, height=220, hide_index=True, alt="First rows of the file")
    chosen, ready = _fields(seen, key)
    if st.button("Cancel", key=f"cancel_{key}"):
        del st.session_state[f"_file_{key}"]
        server.discard(path)
        st.rerun()
    if not ready:
        return None
    if said := _wrong(path, chosen):
        st.error(escape(said))
        return None
    return chosen


def _fields(seen: Preview, key: str) -> tuple[dict[str, str], bool]:
    """What the form says, and whether it was sent."""
    names = list(seen.columns)
    options = [NONE, *names]
    z, source_id = (_place(options, seen.mapping.get(name, NONE)) for name in ("z", "source_id"))
    if not z and seen.likely_z:
        z = options.index(seen.likely_z[0])
    first, last, pattern = _flux(names, seen.mapping.get("flux", ""))
    with st.form(f"columns_{key}", border=True):
        left, right = st.columns(2)
        chosen = {
            "z": left.selectbox("Redshift", options, z, key=f"z_{key}"),
            "source_id": right.selectbox("Source id", options, source_id, key=f"source_id_{key}"),
        }
        left, right = st.columns(2)  # a row of its own, so that a phone keeps the order
        begin = left.selectbox("First flux column", names, first, key=f"first_{key}")
        end = right.selectbox("Last flux column", names, last, key=f"last_{key}")
        pattern = st.text_input(
            "Or flux columns by pattern",
            pattern,
            placeholder="bp{}+rp{}",
            key=f"pattern_{key}",
            help="A name with {} for the number; BP and RP joined by +. Used instead of first "
            "and last where it is filled in.",
        )
        chosen["flux"] = pattern.strip() or f"{begin}:{end}"
        return chosen, st.form_submit_button("Use these columns", type="primary")


def _wrong(path: Path, columns: dict[str, str]) -> str:
    """Why these columns cannot be, as a redshift of 17 cannot; empty where they can."""
    try:
        return preview(path, columns).problem or ""
    except InputError as error:
        return str(error)


def _place(options: list[str], name: str) -> int:
    return options.index(name) if name in options else 0


def _flux(names: list[str], text: str) -> tuple[int, int, str]:
    """Places of the first and the last flux column, or a pattern where they do not follow."""
    usual = max(0, len(names) - N_PIXELS), len(names) - 1
    if not text:
        return *usual, ""
    try:
        found = mapped_flux("The file", names, text)
    except InputError:
        return *usual, text
    follow = found == list(range(found[0], found[0] + len(found)))
    return (found[0], found[-1], "") if follow else (*usual, text)
