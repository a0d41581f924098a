"""Train, validation and test rows of a dataset: one seeded shuffle, then two cuts.

The default settings are the dissertation's own split, to the row: scikit-learn's
``train_test_split(test_size=0.1, random_state=4)``, whose remaining rows, in shuffled order,
Keras's ``validation_split=0.3`` cuts once more: of 520,393 rows 327,847 / 140,506 / 52,040.

Rows of one galaxy (`repeats`) stay together: whole galaxies are shuffled, and a cut through one is
moved to its nearer end. Without repeats that is the same split.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from redshift_core.data.repeats import galaxies
from redshift_core.errors import InputError
from redshift_core.settings.run import SplitConfig
from redshift_core.settings.selection import Selection
from redshift_core.store import reading
from redshift_core.store.arrays import load_arrays, save_arrays

if TYPE_CHECKING:
    from redshift_core.data import Dataset

RowArray = NDArray[np.int64]
ANYWHERE = "anywhere"  # setting ``repeats`` that lets each row go for itself


@dataclass(frozen=True)
class Split:
    """Row numbers of a dataset, each in the order of the shuffle."""

    train: RowArray
    val: RowArray
    test: RowArray

    @property
    def all(self) -> RowArray:
        """Every row of the split: train, then validation, then test."""
        return np.concatenate([self.train, self.val, self.test])

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows of each part."""
        return {"train": len(self.train), "val": len(self.val), "test": len(self.test)}

    def save(self, path: Path) -> None:
        """Write the three parts to an npz file."""
        save_arrays(path, {"train": self.train, "val": self.val, "test": self.test})

    @classmethod
    def load(cls, path: Path) -> Split:
        """Read a split that ``save`` wrote."""
        arrays = load_arrays(path)
        with reading(path):
            return cls(**{part: arrays[part] for part in ("train", "val", "test")})


def split_counts(n_rows: int, config: SplitConfig) -> tuple[int, int, int]:
    """Number of train, validation and test rows that ``n_rows`` usable rows are cut into.

    Raises
    ------
    InputError
        Where a part that the settings ask for would be empty.

    Examples
    --------
    >>> split_counts(520_393, SplitConfig())
    (327847, 140506, 52040)
    """
    n_test = math.ceil(config.test_fraction * n_rows)
    cut = math.floor((n_rows - n_test) * (1.0 - config.val_fraction))
    if cut < 1 or n_rows - n_test - cut < 1:
        raise InputError(
            f"The dataset has {n_rows} usable rows; cut into {config.test_fraction:.0%} test "
            f"and {config.val_fraction:.0%} validation rows, that leaves a part empty. "
            "Use a dataset with more rows, or smaller fractions."
        )
    return cut, n_rows - n_test - cut, n_test


def training_rows(dataset: Dataset, config: SplitConfig) -> RowArray:
    """Rows that a training may use, ascending: the usable ones within the settings' selection.

    Raises
    ------
    InputError
        Where the dataset has no redshifts, or the selection holds no usable row.
    """
    rows = dataset.usable_rows(config.include_flagged)
    if not len(rows) and not np.isfinite(dataset.z_spec).any():
        raise InputError(
            f"{dataset.name} has no redshifts, so there is nothing to learn from. "
            "Choose a dataset with a redshift column."
        )
    if not config.selection:
        return rows
    chosen = dataclasses.replace(Selection.parse(config.selection), flag="all")
    rows = np.intersect1d(rows, chosen.rows(dataset), assume_unique=True)
    if not len(rows):
        raise InputError(
            f"No usable row of {dataset.name} lies in the selection {config.selection!r}; widen it."
        )
    return rows


def new_split(config: SplitConfig, dataset: Dataset) -> Split:
    """Split the rows of a dataset that a training may use."""
    rows = training_rows(dataset, config)
    return split_rows(rows, config, None if config.repeats == ANYWHERE else galaxies(dataset, rows))


def split_rows(rows: RowArray, config: SplitConfig, galaxy: RowArray | None = None) -> Split:
    """Divide row numbers into train, validation and test.

    Parameters
    ----------
    rows : array, shape (n,), int64
        Row numbers that may be used.
    galaxy : array, shape (n,), optional
        Place in ``rows`` of the first row of the same galaxy; its rows come into one part. None
        lets each row go for itself.

    Raises
    ------
    InputError
        Where a part that the settings ask for would be empty.

    References
    ----------
    scikit-learn ``ShuffleSplit``: a ``RandomState`` permutation whose first ceil(fraction · n) rows
    are the test rows; Keras ``validation_split``: the cut is at floor(n · (1 − fraction)).
    """
    rows = np.asarray(rows, dtype=np.int64)
    n_train, _, n_test = split_counts(len(rows), config)
    order = np.random.RandomState(config.random_state).permutation(len(rows))
    cuts = (n_test, n_test + n_train)
    if galaxy is not None and (galaxy != np.arange(len(rows))).any():
        order, ends = _by_galaxy(order, galaxy)
        cuts = _nearest(cuts, ends)
    test, train, val = np.split(rows[order], cuts)
    return Split(train=train, val=val, test=test)


def _by_galaxy(order: RowArray, galaxy: RowArray) -> tuple[RowArray, RowArray]:
    """The shuffle with each galaxy's rows behind its first one, and where a galaxy ends there."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    order = np.lexsort((place, place[galaxy]))
    return order, np.flatnonzero(np.diff(galaxy[order])) + 1


def _nearest(cuts: tuple[int, int], ends: RowArray) -> tuple[int, int]:
    """Ends of galaxies nearest to the two cuts, so that each part has a galaxy."""
    if len(ends) < (2 if cuts[0] else 1):
        raise InputError(
            f"The usable rows are of {len(ends) + 1} galaxies, each repeated, and each part of the "
            "split (training, validation, test) needs a galaxy of its own. Use a dataset with "
            "more galaxies."
        )
    first = 0
    if cuts[0]:
        first = int(ends[np.abs(ends[:-1] - cuts[0]).argmin()])
    later = ends[ends > first]
    return first, int(later[np.abs(later - cuts[1]).argmin()])


def learned_rows(split: Split) -> RowArray:
    """Rows that a run has learned from, ascending: training, and validation, which chooses."""
    return np.sort(np.concatenate([split.train, split.val]))
