"""A figure with its caption and text alternative, a table with its download."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from redshift_core import figures
from redshift_core.constants import MISSING
from redshift_core.store.tables import csv_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

PLOTLY = {"displaylogo": False, "toImageButtonOptions": {"format": "svg"}}


def chart(
    figure: go.Figure,
    key: str,
    caption: str,
    alt: str,
    about: Mapping[str, Any] | None = None,
    *,
    on_select: Callable[[], None] | None = None,
    selection_mode: str = "points",
) -> None:
    """Plotly figure, a caption with its units, and its text alternative.

    Parameters
    ----------
    caption : str
        Markdown; user text in it must be escaped by the caller.
    alt : str
        One plain sentence: what the figure shows.
    about : mapping, optional
        Facts on the data shown; where they are simulated, the figure says so itself.
    on_select : callable, optional
        Called when points are clicked or a box is drawn (``selection_mode``); it finds them in
        ``st.session_state[key]["selection"]``.
    """
    if (about or {}).get("simulated"):
        figure = figures.mark_simulated(figure)
        alt = f"SIMULATED. {alt}"
    width = "content" if figure.layout.width else "stretch"
    select = {"on_select": on_select, "selection_mode": selection_mode} if on_select else {}
    st.plotly_chart(figure, key=key, config=PLOTLY, alt=alt, width=width, **select)
    st.caption(caption)


def table(
    frame: pd.DataFrame,
    name: str,
    caption: str = "",
    *,
    alt: str,
    formats: Mapping[str, str] | None = None,
    height: int | str = "auto",
) -> None:
    """Table as it is read on the page, and the whole of it as CSV.

    Parameters
    ----------
    name : str
        File name of the download without its ending; also the widget key.
    formats : mapping, optional
        Column → printf format, such as ``"%.4f"``.
    """
    columns = {
        column: st.column_config.NumberColumn(format=form)
        for column, form in (formats or {}).items()
    }
    st.dataframe(
        frame, hide_index=True, column_config=columns, height=height, placeholder=MISSING, alt=alt
    )  # fmt: skip
    if caption:
        st.caption(caption)
    download(frame, name)


def download(
    frame: pd.DataFrame | Callable[[], pd.DataFrame], name: str, label: str = "Download CSV"
) -> None:
    """Button that hands a table over as CSV; the text is made at the click.

    A large table is given as a function that makes it, so that it costs nothing before.
    """
    st.download_button(
        label,
        data=lambda: csv_text(frame() if callable(frame) else frame),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"download_{name}",
        icon=":material/download:",
        on_click="ignore",
    )
