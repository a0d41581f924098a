"""Compare: methods side by side in one bench, and how far runs are from the information limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui.compare.runs import labels
from pages.ui.display import chart, table
from pages.ui.empty import lacks_tensorflow, simulated_badge
from pages.ui.jobs.job import show_job
from pages.ui.text import escape
from redshift_core import figures, jobs
from redshift_core.errors import InputError
from redshift_core.evaluation.intervals import fitting
from redshift_core.figures.bench import accuracy_against_time
from redshift_core.reports.bench import NOTES, comparison, extras, lead, remarks
from redshift_core.settings.bench import QUICK, BenchConfig
from redshift_core.settings.limit import LimitConfig
from redshift_core.store import BenchFolder, LongFolder, Store
from redshift_core.store.study_records import BenchResult, LimitResult

ERROR = "studies_error"  # in the session: why something could not be started
POLL = 3.0  # s between two looks at the rows of a running bench


def show_studies(store: Store) -> None:
    """Both kinds of study, their starts and what became of them."""
    if error := st.session_state.pop(ERROR, None):
        st.error(escape(error), icon=":material/error:")
    _show_bench(store)
    _show_limit(store)


def _show_bench(store: Store) -> None:
    """A bench of the store: its table, what must be known of it, accuracy against time."""
    st.subheader("Methods side by side")
    benches = store.benches()
    lacks = bool(benches and (newest := benches[0].outcome) and newest.missing)
    busy = _newest(benches, "Bench", jobs.resume_bench, lacks)
    with st.popover("New bench", icon=":material/add:", disabled=busy):
        n = st.number_input("Galaxies to simulate", 1_000, 10_000_000, QUICK["n"], key="bench_n")
        epochs = st.number_input(
            "Epochs of the dissertation's recipe", 1, 1_000, QUICK["epochs_dissertation"],
            key="bench_epochs",
        )  # fmt: skip
        st.caption(
            "As it stands a few minutes on two cores; 200,000 galaxies and 20 epochs an "
            "hour and more. Times and speeds mean something only on an otherwise idle machine."
        )
        config = BenchConfig(n=int(n), epochs_dissertation=int(epochs))
        _start_button("bench", jobs.start_bench, store, config)
    st.fragment(_benches, run_every=POLL if busy else None)(benches)


def _benches(benches: Sequence[BenchFolder]) -> None:
    """What is done of a bench, row after row while it runs."""
    outcomes = {bench.id: bench.outcome for bench in benches}
    begun = {name: value for name, value in outcomes.items() if value and value.rows}
    if begun:
        _bench(begun[_picked("Bench", list(begun))])
    else:
        st.caption(
            "A bench sets the dissertation's network, `fast`, `fast_cnn` and `best` beside "
            "baselines on the same galaxies, in accuracy, training time, speed and memory. With "
            "`pip install 'redshift-lab[peers]'` XGBoost, LightGBM, CatBoost and FlexZBoost are "
            "among them."
        )


def _show_limit(store: Store) -> None:
    """A study of the information limit: curve, limit with its interval, recipes against it."""
    st.subheader("How good can it get?")
    studies = store.limits()
    names = labels([run for run in store.runs() if run.trained_on.get("simulated")])
    busy = _newest(studies, "Study", lambda study: jobs.resume_limit(study, []))
    with st.popover("New study", icon=":material/add:", disabled=busy):
        minutes = st.number_input("Minutes", 1, 10_000, 30, key="limit_minutes")
        quoted = st.multiselect("Runs to quote", list(names), format_func=names.get)
        _start_button("limit", jobs.start_limit, store, LimitConfig(minutes=minutes), quoted)
    outcomes = {study.id: study.outcome for study in studies}
    begun = {name: value for name, value in outcomes.items() if value and value.rows}
    if begun:
        name = _picked("Study", list(begun))
        _limit(begun[name])
        with st.popover("Quote runs", icon=":material/format_quote:", disabled=busy or not names):
            quoted = st.multiselect("Runs", list(names), format_func=names.get, key="limit_runs")
            _start_button("quote", jobs.resume_limit, store.limit(name), quoted)
    else:
        st.caption(
            "A study trains `best` on up to 4 million fresh SIMULATED galaxies and carries its "
            "error on to infinite data. Runs quoted against that limit show how much more data "
            "could still gain, and what the spectra do not hold."
        )


def _newest(
    folders: Sequence[LongFolder], title: str, resume: Callable[..., Any], lacks: bool = False
) -> bool:
    """The newest one while it runs, or why it ended and a way to go on; whether it runs."""
    if not folders:
        return False
    now = show_job(folders[0], title)
    if now.state in ("stopped", "failed", "lost") or (now.state == "finished" and lacks):
        kind = folders[0].request.get("kind", "")
        st.button(
            "Resume", key=f"resume_{folders[0].id}", icon=":material/play_arrow:",
            on_click=_try, args=(resume, folders[0]), disabled=lacks_tensorflow(kind),
        )  # fmt: skip
    return now.active


def _start_button(key: str, action: Callable[..., Any], *arguments: Any) -> None:
    st.button(
        "Start", key=f"start_{key}", type="primary", icon=":material/play_arrow:",
        on_click=_try, args=(action, *arguments),
        disabled=lacks_tensorflow("limit" if key == "quote" else key),
    )  # fmt: skip


def _try(action: Callable[..., Any], *arguments: Any) -> None:
    """Do what a button says; a refusal is shown when the page is drawn."""
    try:
        action(*arguments)
    except InputError as error:
        st.session_state[ERROR] = str(error)


def _picked(label: str, names: Sequence[str]) -> str:
    """The newest one, or the one chosen by its id where there are several."""
    return st.selectbox(label, names, key=f"compare_{label.lower()}") if names[1:] else names[0]


def _bench(value: BenchResult) -> None:
    about = {"simulated": value.simulated}
    simulated_badge(about)
    st.caption(escape(lead(value)))
    table(comparison(value.rows), "bench", alt="Methods side by side", height="content")
    st.caption("\n".join(f"- {escape(sentence)}" for sentence in remarks(value)))
    chart(
        accuracy_against_time(value.rows), "bench_time",
        "Mean absolute error in z of the test rows against training time in s. Dotted: a "
        "network's validation error after each epoch. Dashed: the dissertation's recipe.",
        f"Accuracy against training time of {len(value.rows)} methods", about,
    )  # fmt: skip
    for heading, extra in extras(value).items():
        with st.expander(heading):
            table(extra.frame, extra.name, extra.caption, alt=extra.alt, height="content")
    with st.expander("What the columns mean"):
        st.markdown(escape(NOTES))


def _limit(result: LimitResult) -> None:
    simulated_badge({"simulated": result.simulated})
    mae = result.limits.get("mae")
    if mae:
        low, high = mae.intervals["68"]
        form = fitting(".4f", (low, high))
        recipe = result.recipe or result.config["base"]["preset"]
        st.markdown(
            f"MAE at infinite data: **{mae.limit:{form}}** (68 %: {low:{form}} to {high:{form}}), "
            f"for the recipe {escape(recipe)}."
        )
    else:
        st.caption("Too few sizes are done for a limit.")
    chart(
        figures.limit_curve(result.rows, mae, result.recipes), "limit_curve",
        "MAE in z on the study's own test galaxies against the number of galaxies trained on. "
        "Band: 68 % interval of the limit.",
        "SIMULATED. Error against training galaxies, and the error it tends to",
    )  # fmt: skip
    if result.recipes:
        table(
            _against(result), "against_the_limit", alt="Runs against the limit", height="content",
            caption="× limit: the run's MAE divided by the limit, with its 68 % interval.",
            formats={"galaxies": "localized", "MAE": "%.4f", "× limit": "%.3f"},
        )  # fmt: skip


def _against(result: LimitResult) -> pd.DataFrame:
    mae = result.limits.get("mae")
    lines = []
    for recipe in sorted(result.recipes, key=lambda one: one.mae):
        line = {"run": recipe.name, "galaxies": recipe.n, "MAE": recipe.mae}
        if mae and (ratio := mae.ratios.get(recipe.run)):
            low, high = ratio.intervals["68"]
            line |= {"× limit": ratio.ratio, "68 %": f"{low:.3f} to {high:.3f}"}
        lines.append(line)
    return pd.DataFrame(lines)
