"""Parts of a document (``redshift_core.reports.document``) shown on a page instead of in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from pages.ui.display import chart, table
from pages.ui.text import escape
from redshift_core.reports.document import Chart, Part


def show_part(part: Part, key: str, about: Mapping[str, Any]) -> None:
    """A figure, a table or a paragraph, the same as in the HTML file.

    Parameters
    ----------
    key : str
        Widget key, unique on the page.
    about : mapping
        Facts on the data shown; where they are simulated, a figure says so.
    """
    if isinstance(part, str):
        st.markdown(escape(part))
    elif isinstance(part, Chart):
        chart(part.figure, key, escape(part.caption), part.alt, about)
    else:
        caption = escape(part.caption)
        table(part.frame, part.name, caption, alt=part.alt, formats=part.formats, height="content")
