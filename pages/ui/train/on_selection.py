"""Train within the selection that Explore shows."""

from __future__ import annotations

import streamlit as st

from pages.ui.choose import open_cached
from pages.ui.explore.selection import current, restore
from pages.ui.text import counted, escape
from redshift_core.data.split import training_rows
from redshift_core.errors import InputError
from redshift_core.settings.run import RunConfig
from redshift_core.settings.selection import Selection
from redshift_core.store import DatasetFolder


def only_selected(config: RunConfig, folder: DatasetFolder) -> RunConfig | None:
    """Toggle that narrows a configuration to the selection, if there is one on z or brightness.

    None, with the reason shown, where no usable galaxy is within it.
    """
    restore()
    selection = current().for_training()
    if selection == Selection():
        return config
    limits = [phrase for name, phrase in selection.describe().items() if name != "flag"]
    label = f"Only the current selection: {escape(' and '.join(limits))}"
    if not st.toggle(label, key="on_selection", bind="query-params"):
        return config
    config = config.with_values({"selection": selection.text})
    try:
        n = len(training_rows(open_cached(folder), config.split))
    except InputError as error:
        st.warning(escape(str(error)))
        return None
    st.caption(
        f"{counted(n, 'usable galaxy')}. Train, validation and test rows are all taken from this "
        "selection: test figures of such a run hold for such galaxies only."
    )
    return config
