"""What is chosen on the Evaluate page: in the address, so a link or a refresh shows the same.

``?bin=z_spec:0.1,0.15`` or ``?box=0.1,0.2,0.3,0.4`` choose galaxies and ``?galaxy=1234`` one of
them by its row; ``?estimate=…`` how redshifts are read off p(z); ``by``, ``width``,
``against`` and the like are the settings of the figures.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from redshift_core.errors import InputError
from redshift_core.evaluation.predictions import BOX, Choice

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
    if choice == before:
        return
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


def select_rows(key: str, rows: list[int]) -> None:
    """Tick these rows of the table that is about to be shown under a key, and no others."""
    ticked = st.session_state.get(key)
    if (ticked["selection"]["rows"] if ticked else []) != rows:
        # As complete as the browser's own answer, which would count as another choice otherwise.
        st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}


def bound(name: str, default: Any, options: Sequence[Any] | None = None) -> dict[str, Any]:
    """Key and callback of a widget whose value lives in the address under this name.

    Parameters
    ----------
    default : object
        Where the address names nothing, or nothing that makes sense.
    options : sequence, optional
        What the widget offers; without them, the address holds a number.
    """
    key = f"evaluate_{name}"
    text = st.query_params.get(name)
    value = default
    if options is not None:
        value = next((option for option in options if str(option) == text), default)
    elif text is not None:
        with contextlib.suppress(ValueError):
            value = type(default)(text)
        value = value if math.isfinite(value) else default
    st.session_state[key] = value

    def write() -> None:
        st.query_params[name] = str(st.session_state[key])

    return {"key": key, "on_change": write}


def _shown_in(choice: Choice) -> tuple[str, ...]:
    return {BOX: (PLANE,), "z_spec": (BINS,)}.get(choice.by, (BINS, ERRORS))
