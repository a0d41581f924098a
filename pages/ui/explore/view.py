"""What is looked at: a dataset, the selection on it, and a run whose predictions are beside it.

Cached functions take a `View`, a handful of small values, never the rows themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import streamlit as st

from pages.ui import choose
from redshift_core.data import BAD_FLUX, Dataset
from redshift_core.errors import JUDGE_AGAIN
from redshift_core.settings.selection import Selection
from redshift_core.store import DatasetFolder, RunFolder, Store
from redshift_core.store.arrays import read_columns

NO_RUN = "none"


@dataclass(frozen=True)
class View:
    """A dataset, the selection on it, and whose predictions are beside it."""

    path: str  # dataset folder
    changed: int  # time of change of the dataset, ns
    selection: str  # its text
    predictions: str = ""  # table of predictions, where a run is chosen
    predicted: int = 0  # its time of change, ns

    @property
    def folder(self) -> DatasetFolder:
        """The dataset's folder."""
        return DatasetFolder(Path(self.path))

    @property
    def data(self) -> Dataset:
        """The dataset, opened once for every session."""
        return choose.open_cached(self.folder)

    @property
    def chosen(self) -> Selection:
        """The selection."""
        return Selection.parse(self.selection)

    def narrowed(self, selection: Selection) -> View:
        """The same dataset and predictions under another selection."""
        return replace(self, selection=selection.text)


def view_of(folder: DatasetFolder, run: RunFolder | None, selection: Selection) -> View:
    """View of a dataset through a selection, with a run's predictions where one is given."""
    changed = folder.info_path.stat().st_mtime_ns
    view = View(str(folder.path), changed, selection.text)
    if run is None:
        return view
    path = run.predictions_path(folder.id)
    return replace(view, predictions=str(path), predicted=path.stat().st_mtime_ns)


def z_phot(view: View) -> np.ndarray | None:
    """Predicted redshift of every row, NaN where there is none; None without a run."""
    if not view.predictions:
        return None
    return _z_phot(view.predictions, view.predicted, len(view.data))


@st.cache_resource(max_entries=2, show_spinner=False)
def _z_phot(path: str, changed: int, n: int) -> np.ndarray:
    table = read_columns(Path(path), ["row", "z_phot"], JUDGE_AGAIN)
    values = np.full(n, np.nan)
    values[table["row"]] = table["z_phot"]
    values.setflags(write=False)
    return values


@st.cache_resource(max_entries=3, show_spinner=False)
def selected_rows(view: View) -> np.ndarray:
    """Rows within the selection, ascending; shared by every session."""
    rows = view.chosen.rows(view.data, z_phot(view))
    rows.setflags(write=False)
    return rows


@st.cache_resource(max_entries=3, show_spinner=False)
def whole_rows(view: View) -> np.ndarray:
    """Rows within the selection whose flux is finite and not all zero."""
    rows = selected_rows(view)
    good = (view.data.flags[rows] & BAD_FLUX) == 0
    return rows if good.all() else rows[good]


def prediction_picker(folder: DatasetFolder) -> RunFolder | None:
    """Select box over the runs that predicted galaxies of a dataset; none to begin with."""
    runs = {r.id: r for r in Store().runs() if r.predictions_path(folder.id).exists()}
    if not runs:
        return None
    chosen = st.query_params.get("run")
    st.session_state["pick_predictions"] = chosen if chosen in runs else NO_RUN
    st.selectbox(
        "Predictions of", [NO_RUN, *runs], key="pick_predictions", on_change=_pick_run,
        format_func=lambda key: f"{runs[key].name} · {choose.when(runs[key])}" if key in runs
        else "no run",
        help="Runs that were evaluated on this dataset: their z_phot appears beside z_spec.",
    )  # fmt: skip
    return runs.get(chosen)


def _pick_run() -> None:
    chosen = st.session_state["pick_predictions"]
    if chosen == NO_RUN:
        choose.forget("run")
    else:
        choose.select(run=chosen)
