"""The learning record of a run, ``history.csv``: one line per epoch that was completed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redshift_core.store import RunFolder, reading

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("epoch", "loss", "mae", "val_loss", "val_mae", "seconds", "learning_rate")


def read_history(run: RunFolder) -> pd.DataFrame:
    """Loss and MAE (in z) of each epoch; empty before the first, whole while the worker writes.

    Columns: ``epoch`` from 1, ``loss``, ``mae``, ``val_loss``, ``val_mae``, ``seconds``,
    ``learning_rate``.

    Raises
    ------
    DamagedError
        Where the file is no text.
    """
    import pandas as pd

    path = run.history_path
    if not path.exists() or not path.stat().st_size:
        return pd.DataFrame(columns=list(COLUMNS), dtype=float)
    with reading(path):
        history = pd.read_csv(path, on_bad_lines="skip")
    history = history.reindex(columns=list(COLUMNS)).apply(pd.to_numeric, errors="coerce")
    return history.dropna(subset=["epoch", "loss", "val_loss"])
