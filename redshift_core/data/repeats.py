"""Rows that are the same galaxy twice: the same spectrum, byte by byte, or the same source id.

A galaxy that stands in the training part and in the test part is known by heart where it is judged,
so its rows lie on one side of a split, and a run is not judged on rows that it has learned from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS
from redshift_core.store import reading
from redshift_core.store.arrays import load_arrays, save_arrays

if TYPE_CHECKING:
    from redshift_core.data.dataset import Dataset

BLOCK = 4096  # spectra hashed at a time: what the caches of a processor hold
N_WORDS = N_PIXELS // 2  # of 64 bits in a spectrum
MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, half of its bits set (2^64 over the golden ratio)


@cache
def _factors() -> NDArray[np.uint64]:
    """One odd number for each word; NumPy keeps the stream of a bit generator for good."""
    return np.random.PCG64(N_PIXELS).random_raw(N_WORDS) | np.uint64(1)


def fingerprints(flux: NDArray[np.float32]) -> NDArray[np.uint64]:
    """64-bit hash of each spectrum's bytes, the same on every computer.

    Σ fᵢ · mix(wᵢ) modulo 2^64 over its 93 words: two different spectra of a million agree by chance
    with a probability of 3·10⁻⁸.

    Parameters
    ----------
    flux : array, shape (n, 186), float32

    Returns
    -------
    array, shape (n,), uint64
    """
    found = np.empty(len(flux), np.uint64)
    for start in range(0, len(flux), BLOCK):
        words = np.array(flux[start : start + BLOCK], "<f4", order="C").view("<u8")
        words ^= words >> np.uint64(32)
        words *= MIX
        words ^= words >> np.uint64(29)
        words *= _factors()
        found[start : start + BLOCK] = words.sum(axis=1, dtype=np.uint64)
    return found


def repeated(keys: NDArray, known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows whose key an earlier row has, among the rows whose key is known.

    Examples
    --------
    >>> repeated(np.array([7, 8, 7, 7, 8]), np.array([True, True, True, False, True])).tolist()
    [2, 4]
    """
    rows = np.flatnonzero(known)
    order = rows[np.argsort(keys[rows], kind="stable")]
    return order[1:][keys[order][1:] == keys[order][:-1]]


def groups(*keys: NDArray) -> NDArray[np.int64]:
    """Number of the group of each row: rows that share any of their keys, directly or by others.

    Parameters
    ----------
    keys : arrays, shape (n,) each

    Returns
    -------
    array, shape (n,)
        The first row of the group.

    Examples
    --------
    >>> groups(np.array([1, 1, 2, 3]), np.array([5, 6, 6, 7])).tolist()
    [0, 0, 0, 3]
    """
    n = len(keys[0])
    firsts = []
    for key in keys:
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        firsts.append(first[inverse])
    own = np.arange(n)
    if all(np.array_equal(first, own) for first in firsts):
        return own
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = (np.tile(own, len(keys)), np.concatenate(firsts))
    links = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(n, n))
    _, label = connected_components(links, directed=False)
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return first[inverse]


def galaxies(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Group of each of some rows: place among them of the first row of the same galaxy; (n,)."""
    return groups(fingerprints_of(dataset, rows), np.asarray(dataset.source_id)[rows])


def fingerprints_of(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """`fingerprints` of some rows of a dataset, in their order."""
    parts = [
        fingerprints(dataset.flux[rows[start : start + BLOCK]])
        for start in range(0, len(rows), BLOCK)
    ]
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def identities(dataset: Dataset) -> NDArray[np.int64]:
    """Source id of each row where it names the galaxy beyond this file, else −1; shape (n,).

    Ids that only number the rows do not: without gaps from the first to the last, the row's own
    number, or negative, as the simulator has them.
    """
    ids = np.array(dataset.source_id, np.int64)
    different = np.unique(ids)
    if not len(ids) or int(different[-1]) - int(different[0]) == len(different) - 1:
        return np.full(len(ids), -1)
    ids[ids == np.arange(len(ids))] = -1
    return np.where(ids < 0, -1, ids)


@dataclass(frozen=True)
class Seen:
    """What a run has learned from: the galaxies of its training and validation rows."""

    spectra: NDArray[np.uint64]  # `fingerprints`, ascending
    source_id: NDArray[np.int64]  # `identities`, ascending
    whole: bool = True  # False where a run that this one started from may have seen others

    @classmethod
    def of(cls, dataset: Dataset, rows: NDArray[np.int64]) -> Seen:
        """Galaxies of some rows of a dataset."""
        ids = identities(dataset)[rows]
        return cls(np.unique(fingerprints_of(dataset, np.sort(rows))), np.unique(ids[ids >= 0]))

    def joined(self, other: Seen | None) -> Seen:
        """With the galaxies of a run that this one started from; None where they are unknown."""
        if other is None:
            return Seen(self.spectra, self.source_id, whole=False)
        return Seen(
            np.union1d(self.spectra, other.spectra),
            np.union1d(self.source_id, other.source_id),
            self.whole and other.whole,
        )

    def knows(self, flux: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which spectra (n, 186) are among those learned from; (n,)."""
        return _in(self.spectra, fingerprints(flux))

    def among(self, dataset: Dataset, rows: NDArray[np.int64]) -> Sequence[NDArray[np.bool_]]:
        """Which of some rows are known by their spectrum, and which by their id; (n,) each."""
        return (
            _in(self.spectra, fingerprints_of(dataset, rows)),
            _in(self.source_id, identities(dataset)[rows]),
        )

    def save(self, path: Path) -> None:
        """Write the arrays to an npz file."""
        arrays = {"spectra": self.spectra, "source_id": self.source_id}
        save_arrays(path, {**arrays, "whole": np.array(self.whole)})

    @classmethod
    def load(cls, path: Path) -> Seen:
        """Read what ``save`` wrote."""
        arrays = load_arrays(path)
        with reading(path):
            return cls(arrays["spectra"], arrays["source_id"], bool(arrays["whole"]))


def _in(known: NDArray, values: NDArray) -> NDArray[np.bool_]:
    """Whether each value is among the known ones, which ascend."""
    if not len(known):
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return known[place] == values
