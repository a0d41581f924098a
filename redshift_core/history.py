"""The learning record of a run, ``history.csv``: one line per epoch that was completed."""

from __future__ import annotations

import pandas as pd

from redshift_core.runs import RunFolder

COLUMNS = ("epoch", "loss", "mae", "val_loss", "val_mae", "seconds", "learning_rate")


def read_history(run: RunFolder) -> pd.DataFrame:
    """Loss and MAE (in z) of each epoch; empty before the first, whole while the worker writes.

    Columns: ``epoch`` from 1, ``loss``, ``mae``, ``val_loss``, ``val_mae``, ``seconds``,
    ``learning_rate``.
    """
    try:
        history = pd.read_csv(run.history_path, on_bad_lines="skip")
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return pd.DataFrame(columns=list(COLUMNS), dtype=float)
    history = history.reindex(columns=list(COLUMNS)).apply(pd.to_numeric, errors="coerce")
    return history.dropna(subset=["epoch", "loss", "val_loss"])
