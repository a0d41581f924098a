"""Compare: what the command line measured, methods side by side and the information limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.display import chart, table
from pages.ui.empty import simulated_badge
from pages.ui.text import escape
from redshift_core import figures
from redshift_core.bench.table import NOTES, comparison, extras, lead, remarks
from redshift_core.figures.bench import accuracy_against_time
from redshift_core.runs import Store, read_json


def show_bench(store: Store) -> None:
    """A bench of the store: its table, what must be known of it, accuracy against time."""
    st.subheader("Methods side by side")
    found = {bench.id: read_json(bench.json_path) for bench in store.benches()}
    begun = {name: value for name, value in found.items() if value.get("rows")}
    if not begun:
        st.caption(
            "No bench yet. `redshift-lab bench` sets the dissertation's network, `fast`, "
            "`fast_cnn` and `best` beside six baselines on the same galaxies, in accuracy, "
            "training time, speed and memory; `--quick` takes about two minutes."
        )
        return
    _bench(_picked("Bench", begun))


def show_limit(store: Store) -> None:
    """A study of the information limit: curve, limit with its interval, recipes against it."""
    st.subheader("How good can it get?")
    found = {study.id: read_json(study.limit_path) for study in store.limits()}
    begun = {name: value for name, value in found.items() if value.get("rows")}
    if not begun:
        st.caption(
            "No study of the information limit yet. `redshift-lab limit --against RUN` trains a "
            "recipe on up to millions of SIMULATED galaxies, about half an hour, and tells how "
            "far a run is from what the spectra allow."
        )
        return
    _limit(_picked("Study", begun))


def _picked(label: str, results: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The first result, or the one chosen by its id where there are several."""
    if len(results) == 1:
        return next(iter(results.values()))
    return results[st.selectbox(label, list(results), key=f"compare_{label.lower()}")]


def _bench(value: Mapping[str, Any]) -> None:
    about = {"simulated": value["simulated"]}
    simulated_badge(about)
    st.caption(escape(lead(value)))
    table(comparison(value["rows"]), "bench", alt="Methods side by side", height="content")
    st.caption("\n".join(f"- {escape(sentence)}" for sentence in remarks(value)))
    chart(
        accuracy_against_time(value["rows"]), "bench_time",
        "Mean absolute error in z of the test rows against training time in s. Dotted: a "
        "network's validation error after each epoch. Dashed: the dissertation's recipe.",
        f"Accuracy against training time of {len(value['rows'])} methods", about,
    )  # fmt: skip
    for heading, extra in extras(value).items():
        with st.expander(heading):
            table(extra.frame, extra.name, extra.caption, alt=extra.alt, height="content")
    with st.expander("What the columns mean"):
        st.markdown(escape(NOTES))


def _limit(result: Mapping[str, Any]) -> None:
    simulated_badge(result)
    found = result["limits"].get("mae")
    if found:
        low, high = found["intervals"]["68"]
        changed = "".join(f", {name} {text}" for name, text in result.get("changed", {}).items())
        st.markdown(
            f"MAE at infinite data: **{found['limit']:.4f}** (68 %: {low:.4f} to {high:.4f}), for "
            f"the recipe `{result['config']['base']['preset']}`{escape(changed)}."
        )
    else:
        st.caption("Too few sizes are done for a limit.")
    chart(
        figures.limit_curve(result["rows"], found, result["recipes"]), "limit_curve",
        "MAE in z on the study's own test galaxies against the number of galaxies trained on. "
        "Band: 68 % interval of the limit.",
        "SIMULATED. Error against training galaxies, and the error it tends to",
    )  # fmt: skip
    if result["recipes"]:
        table(
            _against(result), "against_the_limit", alt="Runs against the limit", height="content",
            caption="× limit: the run's MAE divided by the limit, with its 68 % interval.",
            formats={"galaxies": "localized", "MAE": "%.4f", "× limit": "%.3f"},
        )  # fmt: skip


def _against(result: Mapping[str, Any]) -> pd.DataFrame:
    ratios = (result["limits"].get("mae") or {}).get("ratios", {})
    lines = []
    for recipe in sorted(result["recipes"], key=lambda one: one["mae"]):
        line = {"run": recipe["name"], "galaxies": recipe["n"], "MAE": recipe["mae"]}
        if ratio := ratios.get(recipe["run"]):
            low, high = ratio["intervals"]["68"]
            line |= {"× limit": ratio["ratio"], "68 %": f"{low:.3f} to {high:.3f}"}
        lines.append(line)
    return pd.DataFrame(lines)
