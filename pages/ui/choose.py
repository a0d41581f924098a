"""Which dataset, run and search the visitor looks at: ids in the address, truth on disk.

The address carries ``?dataset=…&run=…&tuning=…``, so a link, a refresh and the back button all
find the same page again; the session remembers the ids only to put them back after a change of
page.
``latest`` in the address stands for the newest one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import streamlit as st

from pages.ui.damaged import show_damaged
from redshift_core.data import Dataset, open_dataset
from redshift_core.jobs import status
from redshift_core.store import DatasetFolder, Folder, RunFolder, Store, TuningFolder
from redshift_core.store.base import base_id, base_run, is_base

LATEST = "latest"
PACKAGED = "base · comes with the product · learned on SIMULATED galaxies"
PARTS = {"dataset": "datasets", "run": "runs", "tuning": "tuning"}  # kind → part of the store
KEPT = tuple(PARTS)


def keep_in_url() -> None:
    """Put the chosen ids back into the address after a change of page, which drops them."""
    for kind in KEPT:
        if kind in st.query_params:
            st.session_state[f"_{kind}"] = st.query_params[kind]
        elif f"_{kind}" in st.session_state:
            st.query_params[kind] = st.session_state[f"_{kind}"]


def select(**ids: str) -> None:
    """Choose a dataset, a run or a search by id: ``select(dataset="20261123-…")``."""
    for kind, name in ids.items():
        st.session_state[f"_{kind}"] = name
        st.query_params[kind] = name


def choose_line(key: str, kind: str, ids: Sequence[str]) -> None:
    """Choose the one whose line is ticked in the table of that key: for its ``on_select``."""
    if picked := st.session_state[key]["selection"]["rows"]:
        select(**{kind: ids[picked[0]]})


def turn_to(view: str, value: str, **ids: str) -> None:
    """Choose folders by id and a view, and draw the page anew.

    A start button calls it in the run of the page in which it was clicked: a callback would get
    the settings of the run before, and miss what was chosen an instant before the click.

    Parameters
    ----------
    view : str
        Key of the widget that shows the view; `take_turn` gives it its value.
    """
    select(**ids)
    st.session_state["_turn"] = (view, value)
    st.rerun()


def take_turn() -> None:
    """Show the view that `turn_to` asked for; before the widget of the view is drawn."""
    if turn := st.session_state.pop("_turn", None):
        st.session_state[turn[0]] = turn[1]


def forget(kind: str) -> None:
    """Choose nothing: the newest one is shown."""
    st.session_state.pop(f"_{kind}", None)
    st.query_params.pop(kind, None)


def chosen(kind: str, folders: Sequence[Folder]) -> Folder | None:
    """The folder that the address names, else the newest; None where there is none."""
    if not folders:
        return None
    wanted = st.query_params.get(kind) or st.session_state.get(f"_{kind}") or LATEST
    by_id = {folder.id: folder for folder in folders}
    if wanted not in (*by_id, LATEST):
        gone = wanted not in {folder.id for folder, _ in Store().damaged(PARTS[kind])}
        what = "not here any more" if gone else "damaged"
        st.warning(f"The {kind} in the address is {what}; showing the newest one.")
    folder = by_id.get(wanted, folders[0])
    select(**{kind: folder.id})
    return folder


def dataset_picker(label: str = "Dataset") -> DatasetFolder | None:
    """Select box over all datasets; None where there is none."""
    return _picker("dataset", label, Store().datasets(), lambda folder: folder.name)


def run_picker(
    label: str = "Run", *, with_model: bool = False, base: bool = False
) -> RunFolder | None:
    """Select box over all runs with their states; None where there is none.

    Parameters
    ----------
    with_model : bool
        Only runs that have saved a model.
    base : bool
        Also the base network of the package, which is put into the store when it is chosen.
    """
    runs = [run for run in Store().runs() if not with_model or run.model_path.exists()]
    name = base_id()
    more = {name: PACKAGED} if base and name and name not in [run.id for run in runs] else {}
    return _picker("run", label, runs, _run_text, more)


def _run_text(run: RunFolder) -> str:
    return PACKAGED if is_base(run) else f"{run.name} · {status(run).state} · {when(run)}"


def tuning_picker(label: str = "Search") -> TuningFolder | None:
    """Select box over all searches with their states; None where there is none."""
    return _picker(
        "tuning", label, Store().tunings(),
        lambda tuning: f"{tuning.name} · {status(tuning).state} · {when(tuning)}",
    )  # fmt: skip


def open_cached(folder: DatasetFolder) -> Dataset:
    """Dataset opened once for every session: its flux is mapped from disk, never copied."""
    return _open(str(folder.path), folder.info_path.stat().st_mtime_ns)


def when(folder: Folder) -> str:
    """Time at which a folder was made, from its id: ``23 Nov 07:04 UTC`` as 2026-11-23 07:04."""
    day, clock, *_ = (*folder.id.split("-"), "")
    return f"{day[:4]}-{day[4:6]}-{day[6:]} {clock[:2]}:{clock[2:4]} UTC"


@st.cache_resource(max_entries=8, show_spinner=False)
def _open(path: str, changed: int) -> Dataset:
    return open_dataset(DatasetFolder(Path(path)))


def _picker(
    kind: str,
    label: str,
    folders: Sequence[Any],
    describe: Callable[[Any], str],
    more: Mapping[str, str] = MappingProxyType({}),
) -> Any | None:
    folder = chosen(kind, folders)
    if folder is None:
        show_damaged(PARTS[kind])
        return None
    key = f"pick_{kind}"
    st.session_state[key] = folder.id
    texts = {f.id: describe(f) for f in folders} | more
    often = Counter(texts.values())  # the browser answers with the text, so each must be its own
    texts = {name: f"{text} · {name}" if often[text] > 1 else text for name, text in texts.items()}

    def chose() -> None:
        if st.session_state[key] in more:
            base_run(Store())
        select(**{kind: st.session_state[key]})

    st.selectbox(label, list(texts), format_func=texts.get, key=key, on_change=chose)
    show_damaged(PARTS[kind])
    return folder
