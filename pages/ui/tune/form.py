"""A new search as widgets: how it chooses, how long it goes on, what it varies."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui.text import count, counted, escape
from pages.ui.tune.space import space_editor
from redshift_core.errors import InputError
from redshift_core.settings import names as choices
from redshift_core.settings.presets import PRESETS, preset
from redshift_core.settings.search import ALGORITHMS, OBJECTIVES, TuningConfig
from redshift_core.settings.space import n_combinations

FIELDS = {item.name: item for item in dataclasses.fields(TuningConfig)}
BUDGET = ("trials", "hours", "epochs", "early_stopping")
COST = ("train_share", "repeats", "workers", "seed")
LABELS = {
    "trials": "Trials",
    "hours": "Hours, at most",
    "epochs": "Epochs per trial",
    "early_stopping": "Early stopping",
    "train_share": "Share of training rows",
    "repeats": "Repeats",
    "workers": "Workers",
    "seed": "Seed",
}
STEPS = {"hours": 0.5, "train_share": 0.1}
USUAL = "fast"  # starting point that is shown first: its recipe learns within few epochs


def tuning_form(dataset: str) -> TuningConfig | None:
    """Every setting of a search; None with the reasons shown where it cannot work.

    Parameters
    ----------
    dataset : str
        Id of the dataset to search on.
    """
    left, middle, right = st.columns(3)
    with left:
        algorithm = _choice("algorithm", "Algorithm", ALGORITHMS)
    with middle:
        start = _choice("base", "Starting point", _presets(), USUAL)
    with right:
        objective = _choice("objective", "Objective, made small", OBJECTIVES)
    values: dict[str, Any] = {"algorithm": algorithm, "objective": objective}
    for row in (BUDGET, COST):
        for column, name in zip(st.columns(len(row)), row, strict=True):
            with column:
                values[name] = _number(name)
    st.subheader("Search space")
    base = preset(start, dataset)
    space = space_editor(base)
    if space is None:
        return None
    try:
        config = TuningConfig(dataset=dataset, base=base, space=space, **values)
    except InputError as error:
        st.error(escape(str(error)))
        return None
    st.markdown(summary(config))
    return config


def summary(config: TuningConfig) -> str:
    """What the search amounts to, in one or two sentences."""
    epochs = config.trials * config.epochs * config.repeats
    limit = f", begun within {config.hours:g} hours" if config.hours else ""
    text = (
        f"**{counted(config.trials, 'trial')}**{limit}: at most {counted(epochs, 'epoch')} over "
        f"{config.train_share:.0%} of the training rows. The test rows are never touched."
    )
    if config.algorithm != "grid":
        return text
    n = n_combinations(config.space, config.base)
    rest = n - config.trials
    more = f"; {count(rest)} of them stay untried" if rest > 0 else ""
    return f"{text} The grid has **{counted(n, 'point')}**{more}."


def _presets() -> dict[str, str]:
    return {name: choices.PRESETS[name] for name in PRESETS}


def _choice(name: str, label: str, meaning: Mapping[str, str], usual: str = "") -> str:
    """Select box, and below it what the chosen name means."""
    names = list(meaning)
    chosen = st.selectbox(
        label, names, index=names.index(usual) if usual else 0, key=f"search_{name}",
        persist_state="session", help=FIELDS[name].metadata.get("help"),
    )  # fmt: skip
    st.caption(meaning[chosen])
    return chosen


def _number(name: str) -> float:
    """One number of the search with the limits and the help of its field."""
    item = FIELDS[name]
    whole = isinstance(item.default, int)
    kind = int if whole else float
    low, high = (None if (v := item.metadata[end]) is None else kind(v) for end in ("low", "high"))
    value = st.number_input(
        LABELS[name], low, high, item.default, step=1 if whole else STEPS[name],
        format=None if whole else "%g", key=f"search_{name}", persist_state="session",
    )  # fmt: skip
    st.caption(item.metadata["help"])
    return value
