"""Gaia's own redshift, where a file holds it: carried along to compare with, never z."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import INCUMBENT_COLUMNS
from redshift_core.store import reading


def is_incumbent(name: str) -> bool:
    """Whether a column is Gaia's own redshift, or a limit of it."""
    return name.strip().lower() in INCUMBENT_COLUMNS


def read_incumbent(catalogue: Path) -> dict[str, NDArray[np.float64]]:
    """Gaia's own redshift and its limits by the names ``INCUMBENT_COLUMNS``, shape (n,) each.

    NaN where unknown; empty where the catalogue lacks the redshift itself.

    Parameters
    ----------
    catalogue : path
        ``catalogue.parquet`` of a dataset, with the columns as its file named them.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    with reading(catalogue):
        written = {name.strip().lower(): name for name in pq.read_schema(catalogue).names}
        if INCUMBENT_COLUMNS[0] not in written:
            return {}
        names = {name: written[name] for name in INCUMBENT_COLUMNS if name in written}
        table = pq.read_table(catalogue, columns=list(names.values())).to_pandas()
    numbers = (pd.to_numeric(table[name], errors="coerce") for name in names.values())
    return {name: one.to_numpy(np.float64) for name, one in zip(names, numbers, strict=True)}
