"""Whether the spectra as a whole are the kind of data that the run was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui.text import escape


def show_verdict(verdict: Mapping[str, Any] | None) -> None:
    """The sentence of a `Verdict`: a warning where the spectra are other data, else a caption.

    Nothing where an earlier version made none.
    """
    if verdict:
        show = st.warning if verdict["unlike"] else st.caption
        show(escape(verdict["text"]))
