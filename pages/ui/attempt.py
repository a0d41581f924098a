"""What a button does before the page is drawn, and the sentence where that is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.ui.text import escape
from redshift_core.errors import InputError
from redshift_core.store import faults, store_root

_REFUSED = "_refused"  # sentence on what the last click was refused


def attempt(action: Callable[..., Any], *arguments: Any) -> None:
    """Do what a button is for; a refusal is kept for `show_refused` of the page that follows."""
    try:
        action(*arguments)
    except (InputError, OSError) as error:
        said = str(error) if isinstance(error, InputError) else faults.sentence(error, store_root())
        if not said:
            raise
        st.session_state[_REFUSED] = said


def show_refused() -> None:
    """Say what the last click was refused, once."""
    if said := st.session_state.pop(_REFUSED, ""):
        st.error(escape(said), icon=":material/block:")
