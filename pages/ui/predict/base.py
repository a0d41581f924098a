"""Predict: the network that comes with the package, for those who have trained none."""

from __future__ import annotations

import streamlit as st

from pages.ui import choose
from pages.ui.text import escape
from redshift_core.store import RunFolder, Store
from redshift_core.store.base import about_base, base_run, is_base


def offer_base(store: Store) -> None:
    """What the base network is, and the button that puts it among the runs."""
    with st.container(border=True, key="base_offer"):
        st.markdown("**You have trained no network yet: use the one that comes with the product.**")
        st.markdown(escape(about_base()))
        if st.button(
            "Use the base network", type="primary", key="use_base", icon=":material/auto_awesome:"
        ):
            choose.select(run=base_run(store).id)
            st.rerun()
        st.page_link("pages/train.py", label="Or train one of your own; it takes a minute or more")


def note_base(run: RunFolder) -> None:
    """What the run has learned on and what was measured of it, where it is the base network."""
    if is_base(run):
        st.info(escape(about_base()), icon=":material/info:")
