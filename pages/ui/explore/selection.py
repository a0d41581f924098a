"""The current selection: kept in the address, shown as chips, narrowed by a form.

The address holds each limit as a short text (``?z=0.1..0.2``), so a link shows the same galaxies;
the session remembers the selection only to put it back after a change of page.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.ui.explore.view import View, selected_rows
from pages.ui.text import count, counted, escape
from redshift_core.constants import FLAGS, FLUX_UNIT
from redshift_core.errors import InputError
from redshift_core.settings.selection import FLAG_CHOICES, LIMITS, OPEN, Selection

NAMES = (*LIMITS, "flag")
ENDS = ("from", "up to")
STEPS = {"z": 0.01, "brightness": 1.0, "z_phot": 0.01}
_KEPT = "_selection"  # its text, for the way back to the page
_HERE = "narrow_flag"  # a widget of the form: its key is gone once another page was shown
_ERROR = "_selection_error"


def current() -> Selection:
    """Selection in the address; one that cannot be read is explained and left out."""
    if _HERE not in st.session_state:
        restore()
    try:
        selection = Selection.from_params(
            {name: st.query_params[name] for name in NAMES if name in st.query_params}
        )
    except InputError as error:
        st.error(escape(f"The selection in the address cannot be read: {error}"))
        selection = Selection()
    st.session_state[_KEPT] = selection.text
    return selection


def restore() -> None:
    """Put the remembered selection back into the address, which a change of page empties."""
    if not any(name in st.query_params for name in NAMES):
        keep(Selection.parse(st.session_state.get(_KEPT, "")))


def keep(selection: Selection) -> None:
    """Make a selection the current one."""
    st.session_state[_KEPT] = selection.text
    wanted = selection.params
    for name in NAMES:
        if name in wanted:
            st.query_params[name] = wanted[name]
        else:
            st.query_params.pop(name, None)


def selection_bar(view: View, has_flagged: bool) -> None:
    """How many galaxies are selected, a removable chip for each limit, and the form."""
    selection = view.chosen
    phrases = selection.describe()
    if not has_flagged:
        phrases = {name: text for name, text in phrases.items() if name != "flag"}
    if message := st.session_state.pop(_ERROR, None):
        st.error(escape(message))
    with st.container(horizontal=True, vertical_alignment="center", key="selection_bar"):
        n = count(len(selected_rows(view)))
        st.markdown(f"**{n}** of {counted(len(view.data), 'galaxy')}", width="content")
        for name, phrase in phrases.items():
            st.button(
                escape(phrase), icon=":material/close:", icon_position="right",
                key=f"chip_{name}", help="Remove this limit", on_click=keep,
                args=(selection.without(name),),
            )  # fmt: skip
        with st.popover("Narrow the selection", icon=":material/filter_alt:", key="narrow"):
            _form(selection, with_phot=bool(view.predictions or selection.z_phot != OPEN))
        if selection.for_training() != Selection() and len(selected_rows(view)):
            st.page_link(
                "pages/train.py", label="Train on these", icon=":material/model_training:",
                query_params={
                    "dataset": view.folder.id, "on_selection": "true", **selection.params
                },
            )  # fmt: skip


def empty_selection(view: View) -> None:
    """What to do where no galaxy is within the limits."""
    selection = view.chosen
    with st.container(border=True, key="empty_selection"):
        if selection == Selection():
            st.markdown("Every row of this dataset carries a flag, so none is shown at first.")
            label, wider = "Include flagged rows", Selection(flag="all")
        else:
            hint = ""
            if selection.z_phot != OPEN and not view.predictions:
                hint = " Its limits on z_phot need a run with predictions on this dataset."
            st.markdown(f"No galaxy of this dataset is within the selection.{hint}")
            label, wider = "Clear the selection", Selection()
        st.button(label, type="primary", key="clear_selection", on_click=keep, args=(wider,))


def _form(selection: Selection, with_phot: bool) -> None:
    """Number inputs for every limit; the keyboard's way to a selection."""
    labels = {"z": "z", "brightness": "Mean flux", "z_phot": "z_phot"}
    if not with_phot:
        del labels["z_phot"]
    with st.form("narrow_form", border=False):
        for name, label in labels.items():
            for column, end, value in zip(
                st.columns(2), ENDS, getattr(selection, name), strict=True
            ):
                key = f"narrow_{name}_{end}"
                st.session_state[key] = value
                column.number_input(
                    f"{label} {end}", value=None, step=STEPS[name], format="%.6g", key=key,
                    placeholder="open",
                )  # fmt: skip
        st.caption(f"Mean flux in {FLUX_UNIT}. The upper limit is not part of the range.")
        st.session_state[_HERE] = selection.flag
        st.selectbox(
            "Flags of ingest", [*FLAG_CHOICES, *FLAGS], key=_HERE,
            format_func=lambda key: FLAG_CHOICES.get(key, f"only {key}"),
        )  # fmt: skip
        st.form_submit_button("Apply", type="primary", on_click=_apply, args=(tuple(labels),))


def _apply(names: tuple[str, ...]) -> None:
    state = st.session_state
    limits = {name: tuple(state[f"narrow_{name}_{end}"] for end in ENDS) for name in names}
    try:
        keep(replace(current(), **limits, flag=state[_HERE]))
    except InputError as error:
        state[_ERROR] = str(error)
