"""Selects the rows that judge a run: rows that it has not seen and ingest has not flagged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core import data
from redshift_core.data.split import Split
from redshift_core.errors import DamagedError, InputError
from redshift_core.store import DatasetFolder, RunFolder, origin


@dataclass(frozen=True)
class JudgedRows:
    """Rows of a dataset that count in a run's figures of merit."""

    dataset: data.Dataset
    rows: NDArray[np.int64]  # ascending; none that the run has seen or ingest has flagged
    own: bool  # whether they are the run's own test rows
    n_flagged: int  # further rows, left out because ingest flagged them

    @property
    def facts(self) -> dict[str, Any]:
        """Facts about the rows that every judgement records."""
        return {
            "dataset": self.dataset.id,
            "rows": "test" if self.own else "all",
            "n_flagged": self.n_flagged,
            "simulated": bool(self.dataset.info.get("simulated")),
        }


def open_judged(run: RunFolder, folder: DatasetFolder) -> JudgedRows:
    """Open a dataset and select the rows that judge a run.

    On the run's own dataset these are its test rows, elsewhere all rows. Rows that ingest flagged
    are left out.

    Raises
    ------
    InputError
        If no such row is left, or a run that this one started from has seen them.
    """
    dataset = data.open_dataset(folder)
    own = is_own(run, folder)
    if not own and (before := _seen_before(run, folder)):
        raise InputError(
            f"Run {run.id} started from run {before['run']}, which has learned on the galaxies of "
            f"{folder.id}, so they cannot judge it. Evaluate it on a dataset that neither has seen."
        )
    candidates = _test_rows(run, dataset) if own else np.arange(len(dataset))
    if not np.isfinite(dataset.z_spec).any():
        raise InputError(
            f"Dataset {dataset.id} has no spectrum with a redshift to compare with; "
            "use predict for spectra without redshifts."
        )
    rows = np.intersect1d(candidates, dataset.usable_rows(), assume_unique=True)
    if not len(rows):
        raise InputError(
            f"Ingest flagged each of the {len(candidates):,} rows of dataset {dataset.id} that "
            f"could judge run {run.id}, and flagged rows do not count. Correct the file and ingest "
            "it again; the Data page says what is wrong with them."
        )
    return JudgedRows(dataset, rows, own, len(candidates) - len(rows))


def is_own(run: RunFolder, dataset: DatasetFolder) -> bool:
    """Whether a run was trained on this dataset, or on the same galaxies under another id."""
    if dataset.id == run.config.dataset:
        return True
    if not run.environment_path.exists():
        raise DamagedError.of(
            run.environment_path,
            "it is missing, so the galaxies that the run has seen are unknown",
        )
    seen = data.galaxies_of(run.trained_on)
    return bool(seen) and seen == data.galaxies_of(dataset.info)


def _seen_before(run: RunFolder, dataset: DatasetFolder) -> Mapping[str, Any] | None:
    """The run among those that this one goes back to which has learned on a dataset's galaxies."""
    wanted = data.galaxies_of(dataset.info)
    return next(
        (one for one in origin.ancestors(run) if data.galaxies_of(one["dataset"]) == wanted), None
    )


def _test_rows(run: RunFolder, dataset: data.Dataset) -> NDArray[np.int64]:
    rows = np.sort(Split.load(run.split_path).test)
    if not len(rows):
        raise InputError(
            f"Run {run.id} kept no test rows (test_fraction = 0), so it cannot be judged on "
            "the dataset it was trained on; evaluate it on another one."
        )
    if rows[-1] >= len(dataset.flux):
        raise InputError(
            f"Run {run.id} was trained on another version of dataset {dataset.id}; train again."
        )
    return rows
