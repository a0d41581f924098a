"""Folders of the store that cannot be used: which file is wrong, what can be done, and removal."""

from __future__ import annotations

import streamlit as st

from pages.ui.text import escape
from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.jobs import in_use
from redshift_core.store import Folder, JobFolder, Store

SHOWN = 20  # damaged folders in the list
WORDS = {
    "datasets": "dataset", "runs": "run", "tuning": "search", "limits": "study", "bench": "bench",
    "jobs": "job",
}  # fmt: skip


def show_damaged(*parts: str) -> None:
    """List what is damaged, in every part of the store or some; nothing where all is well."""
    damaged = Store().damaged(*parts)
    if not damaged:
        return
    with st.expander(f"Damaged ({len(damaged)})", icon=":material/broken_image:"):
        for folder, why in damaged[:SHOWN]:
            part = folder.path.parent.name
            with st.container(horizontal=True, vertical_alignment="center"):
                st.badge("damaged", color="red")
                st.markdown(f"**{escape(folder.name)}**, {WORDS[part]} {escape(folder.id)}")
                _delete(folder, f"{part}_{folder.id}")
            st.caption(escape(why))
        if len(damaged) > SHOWN:
            st.caption(f"And {len(damaged) - SHOWN} more.")


class DatasetNames(dict[str, str]):
    """Id of a dataset → what it is called, also of one that is damaged or was deleted."""

    def __init__(self, store: Store):
        super().__init__({folder.id: folder.name for folder in store.datasets()})
        damaged = store.damaged("datasets")
        self.update({folder.id: f"{folder.name} (damaged)" for folder, _ in damaged})

    def __missing__(self, name: str) -> str:
        return f"{name} (not here)"


def _delete(folder: Folder, key: str) -> None:
    """Delete after asking."""
    with st.popover("Delete", icon=":material/delete:"):
        if isinstance(folder, JobFolder) and jobs.status(folder).active:
            st.caption("It is still at work; wait until it has ended.")
            return
        st.markdown(f"Delete the folder **{escape(folder.id)}** with all its files for good?")
        if st.button("Delete for good", type="primary", key=f"delete_damaged_{key}"):
            try:
                in_use.delete(Store(), folder)
            except InputError as error:
                st.error(escape(str(error)))
                return
            st.rerun()
