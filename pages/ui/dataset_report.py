"""What ingest found in a file: counts, columns, unit, flagged rows by reason; rename and delete."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages.ui import choose
from pages.ui.empty import simulated_badge
from pages.ui.text import count, escape
from redshift_core.data import FLAG_TEXT
from redshift_core.runs import DatasetFolder, Store


def report(folder: DatasetFolder) -> None:
    """Rows, columns, unit, flags with examples, warnings; rename, note, delete."""
    info = folder.info
    simulated_badge(info)
    cells = st.columns(4)
    cells[0].metric("Galaxies", count(info["n_rows"]))
    cells[1].metric("Fit for training", count(info["n_usable"]))
    cells[2].metric("Flagged", count(info["n_rows"] - info["n_usable"]))
    cells[3].metric("Redshifts", "known" if info.get("has_z") else "none")
    for warning in info.get("warnings", []):
        st.warning(escape(warning), icon=":material/warning:")
    if folder.note:
        st.caption(f"Note: {escape(folder.note)}")
    _flags(info)
    with st.expander("File and columns", icon=":material/description:"):
        st.markdown(
            f"Read from {escape(str(info.get('source_file', '')))}, "
            f"SHA-256 {escape(str(info.get('sha256', '')))}.  \n"
            f"Flux unit: {escape(str(info.get('unit', '')))}."
        )
        st.json(info.get("columns_found", {}), expanded=False)
    with st.container(horizontal=True):
        if st.button("Explore it", type="primary", icon=":material/query_stats:"):
            st.switch_page("pages/explore.py", query_params={"dataset": folder.id})
        _edit(folder)
        _delete(folder)


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
        used = sum(run.config.dataset == folder.id for run in Store().runs())
        st.markdown(
            f"Delete **{escape(folder.name)}** and its files for good? "
            f"{used} run(s) were trained on it; they stay."
        )
        if st.button("Delete for good", type="primary", key=f"delete_{folder.id}"):
            folder.delete()
            choose.forget("dataset")
            st.rerun()
