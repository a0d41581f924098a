"""What must be said beside the figures of a run: in red where they are of no use."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from pages.ui.text import escape
from redshift_core.store.records import Remark

ICON = ":material/report:"  # of a remark in red: the page is well, the figures are not
SHOW = {"error": partial(st.error, icon=ICON), "warning": st.warning, "note": st.caption}


def show_remarks(remarks: Sequence[Remark] | None) -> None:
    """One box for each remark; nothing where an earlier version made none."""
    for one in remarks or ():
        SHOW.get(one.level, st.warning)(escape(one.text))
