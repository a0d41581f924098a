"""What a configuration amounts to before it starts: layers, parameters, memory, time, remarks."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pandas as pd
import streamlit as st

from pages.ui.display import table
from pages.ui.text import count, counted, escape, size
from redshift_core import reference
from redshift_core.constants import MISSING, duration
from redshift_core.data.split import split_counts
from redshift_core.errors import InputError
from redshift_core.jobs import cost, preflight
from redshift_core.settings.layers import LayerRow, layer_table
from redshift_core.settings.length import run_length
from redshift_core.settings.run import RunConfig
from redshift_core.store import Store

SHOW = {"error": st.error, "warning": st.warning, "note": st.info}


def show_network(config: RunConfig, n_rows: int) -> bool:
    """Parameters, cost, remarks and layer table; False, with the reason, where it cannot run.

    Parameters
    ----------
    n_rows : int
        Usable rows of the dataset.
    """
    try:
        rows = layer_table(config.model, config.scaler.name)
    except InputError as error:
        st.error(str(error))
        return False
    n_parameters = sum(row.n_parameters for row in rows)
    n_flops = sum(row.n_flops for row in rows)
    same = " (the dissertation's own number)" if n_parameters == reference.N_PARAMETERS else ""
    st.markdown(
        f"**{count(n_parameters)} trainable parameters**{same}; "
        f"{n_flops / 1e6:.1f} million operations per spectrum forward."
    )
    remarks = preflight.remarks(config, n_rows)
    runs = not any(one.level == "error" for one in remarks)
    if runs:
        _cost(config, *split_counts(n_rows, config.split))
    for one in remarks:
        SHOW[one.level](one.text)
    with st.expander("Layer table"):
        show_layers(rows, n_parameters)
    return runs


def _cost(config: RunConfig, n_train: int, n_val: int, n_test: int) -> None:
    """Rows, memory and time, with what the time rests on."""
    needed = cost.memory(config, n_train, n_val)
    epoch = cost.epoch_time(config, n_train, n_val, _past_runs())
    n_epochs = run_length(config.training, n_train).epochs
    with st.container(horizontal=True, gap="medium"):
        rows = f"{count(n_train)} · {count(n_val)} · {count(n_test)}"
        st.metric("Rows: training · validation · test", rows, width="content")
        st.metric("Memory, about", size(needed.total), width="content")
        one, whole = (_span(epoch.seconds * n) if epoch else MISSING for n in (1, n_epochs))
        st.metric("One epoch, about", one, width="content")
        st.metric(f"All {counted(n_epochs, 'epoch')}, about", whole, width="content")
    parts = [f"{item.name} {size(getattr(needed, item.name))}" for item in fields(needed)]
    st.caption(f"{_basis(epoch)} Memory: {', '.join(parts)}.")


def _span(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else "under 1 s"


def _basis(epoch: cost.EpochTime | None) -> str:
    if epoch is None:
        return "Time: no finished run on a GPU here yet to judge by."
    if not epoch.n_runs:
        return (
            f"Time: from a matrix product timed on this {escape(epoch.device)}; there is no "
            "finished run of this kind here yet to judge by, so it may be off by a factor of two."
        )
    runs = "one finished run" if epoch.n_runs == 1 else f"{epoch.n_runs} finished runs"
    return f"Time: judged by {runs} of this kind here on {escape(epoch.device)}."


def _past_runs() -> list[cost.PastRun]:
    store = Store()
    newest = [
        (run.id, run.history_path.stat().st_mtime_ns)
        for run in store.runs()[: cost.RECENT]
        if run.result_path.exists() and run.history_path.exists()
    ]
    return _read_runs(str(store.root), tuple(newest))


@st.cache_data(max_entries=4, show_spinner=False)
def _read_runs(root: str, newest: tuple[tuple[str, int], ...]) -> list[cost.PastRun]:
    return cost.past_runs(Store(Path(root)))


def show_layers(rows: list[LayerRow], n_parameters: int, name: str = "layers") -> None:
    """Layer table with its download; ``name`` is the file's."""
    table(
        pd.DataFrame(row.cells() for row in rows),
        name,
        "Output shape of one spectrum; operations of one spectrum forward, a multiply-add "
        "counted as two.",
        alt=f"Layer table with {count(n_parameters)} parameters in all",
        formats={"parameters": "localized", "operations": "localized"},
    )
