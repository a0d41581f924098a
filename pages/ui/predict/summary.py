"""What the Predict page shows of a table of predictions: read once, binned here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from redshift_core.constants import Z_MAX, Z_MIN

if TYPE_CHECKING:
    import plotly.graph_objects as go

WIDTH = 0.01  # bin of the histogram, in z
HEAD = 100  # rows shown


@dataclass(frozen=True)
class Summary:
    """A table of predictions in few numbers."""

    n_predicted: int  # spectra that got a redshift
    n_flagged: int  # spectra with any flag
    n_outside: int  # predicted outside the histogram
    median: float  # of z_phot
    edges: NDArray[np.float64]  # (n_bins + 1,)
    counts: NDArray[np.int64]  # (n_bins,)
    head: pd.DataFrame  # first rows


@st.cache_data(max_entries=8, show_spinner=False)
def summary(path: str, changed: int) -> Summary:
    """Summary of a Parquet table of predictions, by path and time of change."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    z_phot = file.read(["z_phot"])["z_phot"].to_numpy()
    flags = file.read(["flags"])["flags"].to_pandas()
    redshifts = z_phot[np.isfinite(z_phot)]
    edges = np.linspace(Z_MIN, Z_MAX, round((Z_MAX - Z_MIN) / WIDTH) + 1)
    counts, _ = np.histogram(redshifts, edges)
    head = next(file.iter_batches(batch_size=HEAD), None)
    return Summary(
        n_predicted=len(redshifts),
        n_flagged=int((flags.fillna("") != "").sum()),
        n_outside=int(len(redshifts) - counts.sum()),
        median=float(np.median(redshifts)) if len(redshifts) else float("nan"),
        edges=edges,
        counts=counts,
        head=head.to_pandas() if head is not None else pd.DataFrame(),
    )


def figure(seen: Summary) -> go.Figure:
    """Histogram of the predicted redshifts."""
    from redshift_core import figures

    drawn = figures.redshift_histogram(seen.edges, seen.counts)
    drawn.update_xaxes(title="Predicted redshift z_phot")
    return drawn
