"""Selects the rows that judge a run: rows that it has not seen and ingest has not flagged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core import data
from redshift_core.data.repeats import Seen, galaxies
from redshift_core.data.split import Split, learned_rows
from redshift_core.errors import DamagedError, InputError
from redshift_core.store import DatasetFolder, RunFolder, Store, origin
from redshift_core.store.records import Learned


@dataclass(frozen=True)
class JudgedRows:
    """Rows of a dataset that count in a run's figures of merit."""

    dataset: data.Dataset
    rows: NDArray[np.int64]  # ascending; none that the run has seen or ingest has flagged
    own: bool  # whether they are the run's own test rows
    n_flagged: int  # further rows, left out because ingest flagged them
    learned: Learned  # which of the rows the run has learned from

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

    On the run's own dataset these are its test rows, elsewhere all rows but those of galaxies that
    it has learned from: known by their spectrum or their source id. Rows that ingest flagged are
    left out.

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
    n_flagged = len(candidates) - len(rows)
    if own:
        return JudgedRows(dataset, rows, own, n_flagged, _learned_of_own(run, dataset, rows))
    rows, learned = _not_learned(run, dataset, rows)
    return JudgedRows(dataset, rows, own, n_flagged, learned)


def _learned_of_own(run: RunFolder, dataset: data.Dataset, rows: NDArray[np.int64]) -> Learned:
    """How many of a run's own test rows are of galaxies that it has learned from too."""
    learned = learned_rows(Split.load(run.split_path))
    every = np.concatenate([learned, rows])
    galaxy = galaxies(dataset, every)
    known = np.isin(galaxy[len(learned) :], galaxy[: len(learned)])
    return Learned(n_counted=int(known.sum()))


def _not_learned(
    run: RunFolder, dataset: data.Dataset, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Learned]:
    """Rows of another dataset whose galaxies the run has not learned from."""
    seen = seen_by(run)
    before = [one["dataset"] for one in origin.ancestors(run)]
    if seen is None:
        return rows, Learned(unknown=_could_overlap(dataset, [run.trained_on, *before]))
    by_spectrum, by_id = seen.among(dataset, rows)
    known = by_spectrum | by_id
    if known.all():
        raise InputError(
            f"Run {run.id} has learned from each of the {len(rows):,} usable galaxies of "
            f"{dataset.id}: it knows {int(by_spectrum.sum()):,} by their spectrum and "
            f"{int((by_id & ~by_spectrum).sum()):,} more by their source id. Evaluate it on "
            "galaxies that it has not seen, such as its own test rows."
        )
    return rows[~known], Learned(
        n_left_out=int(known.sum()),
        n_by_spectrum=int(by_spectrum.sum()),
        unknown=not seen.whole and _could_overlap(dataset, before),
    )


def seen_by(run: RunFolder) -> Seen | None:
    """Galaxies that a run has learned from; None where neither it nor the store knows them."""
    if run.seen_path.exists():
        return Seen.load(run.seen_path)
    try:
        trained_on = Store(run.path.parent.parent).dataset(run.config.dataset)
        if data.galaxies_of(trained_on.info) != data.galaxies_of(run.trained_on):
            return None
        seen = Seen.of(data.open_dataset(trained_on), learned_rows(Split.load(run.split_path)))
    except (InputError, IndexError):
        return None
    return seen.joined(None) if run.config.start_from else seen


def _could_overlap(dataset: data.Dataset, others: Sequence[Mapping[str, Any]]) -> bool:
    """Whether others may hold galaxies of a dataset; those that are simulated hold no real ones."""
    simulated = bool(dataset.info.get("simulated"))
    return any(bool(one.get("simulated")) == simulated for one in others)


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
