"""What ingest found in a file: counts, columns, unit, flagged rows by reason; rename and delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui import choose
from pages.ui.data.fetched import show_origin
from pages.ui.empty import simulated_badge
from pages.ui.jobs.job import delete
from pages.ui.text import count, counted, escape, size
from redshift_core.data import FLAG_TEXT, galaxies_of
from redshift_core.jobs import in_use
from redshift_core.store import DatasetFolder, Store, simulator_version
from redshift_core.store.findings import findings


def report(folder: DatasetFolder) -> None:
    """Rows, columns, unit, flags with examples, warnings; rename, note, delete."""
    info = folder.info
    simulated_badge(info)
    remark = simulator_version.remark(info)
    if remark and not simulator_version.outdated(info):  # else the badge has said it
        st.caption(remark)
    with st.container(horizontal=True, gap="medium"):
        st.metric("Galaxies", count(info["n_rows"]), width="content")
        st.metric("Fit for training", count(info["n_usable"]), width="content")
        st.metric("Flagged", count(info["n_flagged"]), width="content")
        st.metric("Redshifts", _range(info["z_range"]), width="content")
    for sentence in findings(info):
        if sentence in info.get("warnings", []):
            st.warning(escape(sentence), icon=":material/warning:")
        else:
            st.caption(escape(sentence))
    if folder.note:
        st.caption(f"Note: {escape(folder.note)}")
    _flags(info)
    show_origin(folder)
    _source(info)
    with st.container(horizontal=True):
        if st.button("Explore it", type="primary", icon=":material/query_stats:"):
            st.switch_page("pages/explore.py", query_params={"dataset": folder.id})
        _edit(folder)
        _delete(folder)


def datasets_table(folders: Sequence[DatasetFolder]) -> None:
    """Every dataset in one table, newest first."""
    infos = [folder.info for folder in folders]
    table = pd.DataFrame(
        {
            "Name": [folder.name for folder in folders],
            "Galaxies": [info["n_rows"] for info in infos],
            "Fit for training": [info["n_usable"] for info in infos],
            "SIMULATED": [bool(info["simulated"]) for info in infos],
            "Added": [choose.when(folder) for folder in folders],
            "Note": [folder.note for folder in folders],
        }
    )
    with st.expander(f"All datasets ({len(folders)})", icon=":material/list:"):
        st.dataframe(table, hide_index=True, alt="All datasets, newest first")


def _range(limits: Sequence[float] | None) -> str:
    return f"{limits[0]:.3f} – {limits[1]:.3f}" if limits else "none"


def _source(info: dict[str, Any]) -> None:
    """Where the spectra came from and what was taken for what."""
    columns = info["columns_found"]
    rows = {
        "File": f"{info['source_file']}, {size(info['source_bytes'])}",
        "SHA-256": galaxies_of(info),
        "Adapted": _adapted(info.get("adapted")),
        "Redshift column": columns["z"] or "none",
        "Source id column": columns["source_id"] or "none: rows are numbered",
        "Flux columns": _fluxes(columns),
        "Further columns": ", ".join(columns["other"]) or "none",
        "Flux unit": info["unit"],
        "Made by the simulator with": ", ".join(f"{k} {v}" for k, v in info["simulation"].items()),
    }
    with st.expander("File and columns", icon=":material/description:"):
        table = pd.DataFrame([(key, escape(str(text))) for key, text in rows.items() if text])
        st.table(table, hide_index=True, hide_header=True, alt="Source file and its columns")


def _fluxes(columns: dict[str, Any]) -> str:
    """Columns of the fluxes, or what the fluxes were made of."""
    if "made_from" not in columns:
        return f"{columns['n_flux']}, {columns['flux_first']} … {columns['flux_last']}"
    bases, grid = (
        columns.get("bases", "those of Gaia DR3"),
        columns.get("sampling", "the inferred one"),
    )
    return (
        f"{columns['n_flux']}, made of the coefficients of mean spectra; basis functions: {bases}; "
        f"grid of pixels: {grid}"
    )


def _adapted(origin: dict[str, Any] | None) -> str:
    """What the spectra were moved to, where they were; see `adaptation.write_adapted`."""
    if not origin:
        return ""
    target = origin["target"]
    return (
        f"spectra of dataset {origin['dataset']}, moved to the mean and covariance of "
        f"{counted(target['n'], 'spectrum')} of {target['name']} for run {origin['run']}"
    )


def _flags(info: dict[str, Any]) -> None:
    """Table of flagged rows by reason, with examples."""
    flagged = {name: n for name, n in info.get("flagged", {}).items() if n}
    if not flagged:
        st.caption("No row was flagged.")
        return
    examples = info.get("examples", {})
    table = pd.DataFrame(
        {
            "Reason": [FLAG_TEXT.get(name, name) for name in flagged],
            "Rows": list(flagged.values()),
            "Examples (row numbers from 0)": [
                ", ".join(str(row) for row in examples.get(name, [])[:5]) for name in flagged
            ],
        }
    )
    st.dataframe(table, hide_index=True, alt="Flagged rows by reason, with examples")
    st.caption("Flagged rows are kept in the dataset and left out of training by default.")


def _edit(folder: DatasetFolder) -> None:
    """Rename and note."""
    with (
        st.popover("Rename or note", icon=":material/edit:"),
        st.form(f"edit_{folder.id}", border=False),
    ):
        name = st.text_input("Name", folder.name, max_chars=80, key=f"name_{folder.id}")
        note = st.text_area("Note", folder.note, max_chars=2000, key=f"note_{folder.id}")
        if st.form_submit_button("Save"):
            folder.update_info(name=name.strip() or folder.name, note=note.strip())
            st.rerun()


def _delete(folder: DatasetFolder) -> None:
    """Delete after asking."""
    with st.popover("Delete", icon=":material/delete:"):
        made = len(in_use.trained_on(Store(), folder))
        st.markdown(
            f"Delete **{escape(folder.name)}** and its files for good? "
            f"{made} run(s) and search(es) were trained on it; they stay."
        )
        pressed = st.button("Delete for good", type="primary", key=f"delete_{folder.id}")
        if pressed and delete(folder):
            choose.forget("dataset")
            st.rerun()
