"""Home: what the store holds, and the way to clean it up."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui.attempt import attempt
from pages.ui.text import count, counted, escape, size
from redshift_core.errors import InputError
from redshift_core.jobs import housekeeping
from redshift_core.jobs.housekeeping import Holding
from redshift_core.store import Store

FRESH = 30  # s for which the sizes are not measured again
ONE = {
    "datasets": "dataset", "runs": "run", "searches": "search", "studies": "study",
    "benches": "bench",
}  # fmt: skip


def show_store(store: Store) -> None:
    """A line of counts and sizes, and a popover that removes the files made for download."""
    held = {one.kind: one for one in _holdings(str(store.root))}
    listed = [_words(one) for one in held.values() if one.count]
    if not listed:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="store_line"):
        st.caption(f"This store holds {', '.join(listed)}.", width="content")
        with st.popover("Clean up", icon=":material/cleaning_services:", type="tertiary"):
            _clean_up(store, held["outputs"])
    if said := st.session_state.pop("cleaned", ""):
        st.toast(said, icon=":material/cleaning_services:")


def _words(one: Holding) -> str:
    if one.kind == "outputs":
        jobs = counted(one.count, "job")
        return f"files made for download by {jobs} ({size(one.n_bytes)})"
    if one.kind == "cached tables":
        return f"cached tables ({size(one.n_bytes)})"
    name = ONE[one.kind] if one.count == 1 else one.kind
    return f"{count(one.count)} {name} ({size(one.n_bytes)})"


def _clean_up(store: Store, made: Holding) -> None:
    """What is removed by itself, what by the button, and where the rest is deleted."""
    try:
        limit = housekeeping.outputs_limit()
        without = limit == float("inf")
        kept = "are kept" if without else f"stay until they exceed {size(limit)} together"
        st.markdown(
            f"Predictions, reports and ZIPs made for download {kept}; they can be made again. "
            f"The environment variable `{housekeeping.LIMIT_NAME}` sets another limit."
        )
    except InputError as error:
        st.warning(escape(str(error)))
    st.button(
        f"Remove them now ({size(made.n_bytes)})", key="clean_outputs", on_click=attempt,
        args=(_clean, store), disabled=not made.count, icon=":material/delete:",
    )  # fmt: skip
    st.caption("Datasets are deleted on the Data page, runs on Train, searches on Tune.")


def _clean(store: Store) -> None:
    try:
        st.session_state["cleaned"] = housekeeping.clean(store).text()
    except InputError as error:
        st.error(escape(str(error)))
    _holdings.clear()


@st.cache_data(ttl=FRESH, max_entries=8, show_spinner=False)
def _holdings(root: str) -> list[Holding]:
    return housekeeping.holdings(Store(Path(root)))
