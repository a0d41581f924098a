"""Compare: which runs are chosen, and the tables and figures in which they stand side by side."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

from pages.ui.choose import when
from pages.ui.damaged import DatasetNames
from pages.ui.display import chart, table
from pages.ui.text import escape
from redshift_core import figures, reference
from redshift_core.errors import DamagedError
from redshift_core.evaluation.comparison import (
    OF_DENSITIES,
    caveats,
    densities_table,
    differing_settings,
    metrics_table,
)
from redshift_core.evaluation.density_metrics import FIGURES
from redshift_core.settings.run import RunConfig
from redshift_core.store import RunFolder, Store
from redshift_core.store.history import read_history
from redshift_core.store.records import Evaluation

LIMIT = 8  # runs compared at a time
FIRST = 3  # newest runs chosen where the address names none
_PARAMETER = "runs"  # of the address: ids joined by commas


def chosen_runs(runs: Sequence[RunFolder]) -> list[RunFolder]:
    """Multiselect over all runs; the choice is in the address."""
    by_id = {run.id: run for run in runs}
    wanted = [name for name in st.query_params.get(_PARAMETER, "").split(",") if name]
    wanted = wanted or st.session_state.get("_compared", list(by_id)[:FIRST])
    chosen = [name for name in dict.fromkeys(wanted) if name in by_id][:LIMIT]
    if len(chosen) < len(set(wanted)):
        st.warning(f"Some runs in the address are not here, or they are more than {LIMIT}.")
    st.session_state["compared"] = chosen
    names = labels(runs)
    st.multiselect(
        "Runs", list(by_id), key="compared", max_selections=LIMIT, format_func=names.get,
        on_change=lambda: _remember(st.session_state["compared"]),
        help=f"Up to {LIMIT} runs.",
    )  # fmt: skip
    _remember(chosen)
    return [by_id[name] for name in chosen]


def add_run(name: str) -> None:
    """Put a run first among the chosen ones."""
    others = [one for one in st.session_state.get("_compared", []) if one != name]
    _remember([name, *others][:LIMIT])


def labels(runs: Sequence[RunFolder]) -> dict[str, str]:
    """Name of each run by its id; with the time it was made where two share a name."""
    count = Counter(run.name for run in runs)
    return {
        run.id: run.name if count[run.name] == 1 else f"{run.name} ({when(run)}, {run.id})"
        for run in runs
    }


def show_comparison(store: Store, runs: Sequence[RunFolder]) -> None:
    """Everything on the chosen runs: settings, metrics, learning curves, error per bin."""
    names = labels(runs)
    named = {names[run.id]: run for run in runs}
    configs = {name: run.config for name, run in named.items()}
    _settings(configs)
    _curves(named)
    _judged(store, configs, named)


def _settings(configs: Mapping[str, RunConfig]) -> None:
    st.subheader("Settings that differ")
    frame = differing_settings(configs)
    if len(frame):
        table(frame, "settings_that_differ", alt="Settings in which the runs differ",
              caption="All other settings are the same.", height="content")  # fmt: skip
    else:
        st.caption("None: these runs were set up alike." if len(configs) > 1 else "One run only.")


def _curves(runs: Mapping[str, RunFolder]) -> None:
    st.subheader("Learning curves")
    histories = {name: read_history(run) for name, run in runs.items()}
    if missing := [name for name, history in histories.items() if not len(history)]:
        st.caption(escape(f"No epoch completed yet: {', '.join(missing)}."))
    drawn = {html.escape(name): one for name, one in histories.items() if len(one)}
    simulated = any(run.trained_on.get("simulated") for run in runs.values())
    chart(
        figures.validation_curves(drawn, reference.history()),
        "compare_curves",
        "Mean absolute error in z (dimensionless) of the validation rows per epoch. Dotted: the "
        "dissertation's record, on its own galaxies.",
        f"Validation error per epoch of {len(drawn)} runs with the dissertation's record dotted",
        {"simulated": simulated},
    )


def _judged(store: Store, configs: Mapping[str, RunConfig], runs: Mapping[str, RunFolder]) -> None:
    st.subheader("Errors")
    judged = Counter(name for run in runs.values() for name in run.evaluated())
    if not judged:
        st.info("None of these runs has been evaluated yet.")
        st.page_link("pages/evaluate.py", label="Evaluate one", icon=":material/fact_check:")
        return
    names = DatasetNames(store)
    options = [name for name, _ in judged.most_common()]
    dataset = st.selectbox(
        "Evaluated on", options, key="compare_dataset",
        format_func=lambda d: f"{names[d]} · {judged[d]} of {len(runs)} runs",
    )  # fmt: skip
    results = {}
    for name, run in runs.items():
        try:
            results[name] = run.metrics(dataset)
        except DamagedError as error:
            st.warning(escape(str(error)), icon=":material/broken_image:")
    results = {name: metrics for name, metrics in results.items() if metrics}
    if not results:
        return
    for sentence in caveats(configs, results, dataset):
        st.caption(f":material/info: {escape(sentence)}")
    with_densities = any(metrics.pdf for metrics in results.values())
    about = {"simulated": any(metrics.simulated for metrics in results.values())}
    table(
        metrics_table(results), "metrics_of_runs", alt="Every metric of each run",
        caption="e_z = (z_phot − z_spec) / (1 + z_spec); a figure has the digits that "
        "its interval means. The dissertation reports a MAE of 0.021 on its own galaxies."
        + _defined(OF_DENSITIES) * with_densities,
        formats={"galaxies": "localized"}, height="content",
    )  # fmt: skip
    _densities(results)
    chart(
        figures.bias_of_runs(
            {html.escape(name): metrics.bins for name, metrics in results.items()},
            reference.table_3(),
        ),
        "compare_bias",
        "Mean error z_phot − z_spec per bin of true redshift (dimensionless). Dotted: the "
        "dissertation's Table 3.",
        f"Mean error per redshift bin of {len(results)} runs beside the published one",
        about,
    )


def _densities(results: Mapping[str, Evaluation]) -> None:
    frame = densities_table(results)
    if len(frame):
        table(
            frame, "densities_of_runs", alt="Figures of merit of the densities of each run",
            caption="Of p(z), under the prior of each training set." + _defined(FIGURES),
            height="content",
        )  # fmt: skip


def _defined(keys: Iterable[str]) -> str:
    """What some figures of merit of p(z) are, a sentence on each."""
    return "".join(f" {FIGURES[key].title}: {FIGURES[key].definition}" for key in keys)


def _remember(ids: Sequence[str]) -> None:
    st.session_state["_compared"] = list(ids)
    if ids:
        st.query_params[_PARAMETER] = ",".join(ids)
    else:
        st.query_params.pop(_PARAMETER, None)
