"""Whole numbers in the address."""

from __future__ import annotations

import math

import streamlit as st


def binding(name: str) -> str | None:
    """``bind`` of an input of whole numbers whose key is ``name``.

    None where the address holds an infinite number under that name, such as ``row=1e400``:
    Streamlit ends with an error at those, and passes over all other nonsense.
    """
    try:
        endless = math.isinf(float(st.query_params.get(name, "")))
    except ValueError:
        return "query-params"
    return None if endless else "query-params"
