"""Predict: how far the spectra of a file are from those that the run has learned from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui.display import chart, table
from redshift_core import figures


def show_likeness(outcome: Mapping[str, Any]) -> None:
    """Figure and table of a finished prediction; nothing where an earlier version made none."""
    known = outcome.get("spectra") or {}
    if not known.get("file"):
        return
    with st.expander("How far is this file from what the run knows?", icon=":material/straighten:"):
        chart(
            figures.likeness(known),
            key="likeness",
            caption=figures.LIKENESS_CAPTION,
            alt=_alt(known),
            about=outcome,
        )
        if not known.get("training"):
            st.caption(
                "What the run's training spectra were is not known: the run is of an earlier "
                "version, and its dataset is not in the store."
            )
        numbers = figures.likeness_table(known)
        table(
            numbers, "likeness", alt="The same quantiles in numbers",
            formats={name: "%.4g" for name in numbers if name.endswith("%")},
        )  # fmt: skip


def _alt(known: Mapping[str, Any]) -> str:
    parts = []
    for quantity, word in (("distance", "distance"), ("brightness", "flux"), ("colour", "BP/RP")):
        beside = known.get("training")
        own = f", training set {beside[quantity][2]:.3g}" if beside else ""
        parts.append(f"{word} {known['file'][quantity][2]:.3g}{own}")
    return f"Quantiles of this file's spectra; medians: {'; '.join(parts)}."
