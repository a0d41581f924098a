"""What is chosen on the Evaluate page: in the address, so a link or a refresh shows the same.

``?bin=z_spec:0.1,0.15`` or ``?box=0.1,0.2,0.3,0.4`` choose galaxies and ``?galaxy=1234`` one of
them by its row; ``by``, ``width``, ``against`` and the like are the settings of the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from redshift_core.errors import InputError
from redshift_core.judged import BOX, Choice

# Fragments, by the key that a callback reruns them with.
BINS, PLANE, ERRORS, GALAXIES = "bins", "plane", "errors", "galaxies"
GALAXY = "galaxy"


def current() -> Choice | None:
    """Galaxies that the address chooses; None where there are none or they make no sense."""
    try:
        if text := st.query_params.get(BOX):
            return Choice.parse(BOX, text)
        if text := st.query_params.get("bin"):
            by, _, limits = text.partition(":")
            return Choice.parse(by, limits)
    except InputError:
        return None
    return None


def choose(choice: Choice | None) -> None:
    """Choose galaxies, or none; draws what shows the choice anew. Only from a callback."""
    before = current()
    for name in ("bin", BOX, GALAXY):
        st.query_params.pop(name, None)
    if choice is not None:
        name, text = (BOX, "") if choice.by == BOX else ("bin", f"{choice.by}:")
        st.query_params[name] = text + choice.text()
    touched = {where for one in (before, choice) if one for where in _shown_in(one)}
    st.rerun([GALAXIES, *sorted(touched)])


def limits_of(by: str) -> tuple[float, ...] | None:
    """Limits of the chosen galaxies, where they were chosen by this."""
    choice = current()
    return choice.limits if choice is not None and choice.by == by else None


def setting(name: str, default: Any, options: Sequence[Any] | None = None) -> Any:
    """A figure's setting from the address; the default where it is none of the options."""
    text = st.query_params.get(name)
    if text is None:
        return default
    if options is not None:
        return next((option for option in options if str(option) == text), default)
    try:
        return type(default)(text)
    except ValueError:
        return default


def keep(name: str) -> Callable[[], None]:
    """Callback of a widget whose key is ``name``: puts its value into the address."""

    def write() -> None:
        st.query_params[name] = str(st.session_state[name])

    return write


def _shown_in(choice: Choice) -> tuple[str, ...]:
    return (PLANE,) if choice.by == BOX else (BINS, ERRORS)
