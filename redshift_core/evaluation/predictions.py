"""The galaxies a run was judged on: read from its predictions, chosen, put in order, compared.

A choice is a bin of the error table or a box in the plane of true and predicted redshift. It fits
into an address, and what it chooses is exactly what the bin counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import (
    FLAGS,
    FLUX_UNIT,
    INCUMBENT_COLUMNS,
    N_Z_BINS,
    Z_MAX,
    FloatArray,
)
from redshift_core.data.nz import read_prior
from redshift_core.errors import JUDGE_AGAIN, InputError
from redshift_core.evaluation import metrics
from redshift_core.evaluation.incumbent import OWN_LIMITS
from redshift_core.pdf import Estimate
from redshift_core.store import RunFolder, reading
from redshift_core.store.arrays import load_arrays, open_array, read_columns

if TYPE_CHECKING:
    import pandas as pd

IntArray = NDArray[np.integer]

BOX = "box"
LIMITS = {"z_spec": 2, "z_phot": 2, "brightness": 2, BOX: 4}  # kind of choice → its numbers
NEEDED = ("row", "source_id", "z_spec", "z_phot")  # and flags: of every table of predictions
N_CELLS = 65_536  # of redshift, in which neighbours are looked for
N_MEAN = 500  # galaxies averaged, at most


@dataclass(frozen=True)
class Predictions:
    """Galaxies with a true and a predicted redshift, in the order of their rows."""

    row: IntArray  # (n,) in the dataset
    source_id: IntArray  # (n,)
    z_spec: FloatArray  # (n,)
    z_phot: FloatArray  # (n,)
    brightness: FloatArray | None  # (n,) mean flux, e⁻ s⁻¹ per pixel; None in older evaluations
    flag: IntArray  # (n,) number of the entry of ``flag_names``
    flag_names: tuple[str, ...]  # flags joined by |
    n_without: int  # further galaxies that got no redshift
    n_flagged: int = 0  # rows flagged by ingest that an earlier version counted; not among these
    incumbent: Mapping[str, FloatArray] = field(default_factory=dict)  # columns of `beside`, if any

    @property
    def error(self) -> FloatArray:
        """Plain error z_phot − z_spec, shape (n,)."""
        return self.z_phot - self.z_spec

    @property
    def reservation(self) -> str:
        """What is wrong with the stored figures of an earlier version; empty where nothing is."""
        if not self.n_flagged:
            return ""
        return (
            "This evaluation was made by an earlier version: its stored figures also count rows "
            f"that ingest flagged ({self.n_flagged:,}). Evaluate the run again."
        )

    def table(self, positions: IntArray) -> pd.DataFrame:
        """One line per galaxy: row, source_id, z_spec, z_phot, error, brightness, flags."""
        import pandas as pd

        columns: dict[str, Any] = {
            "row": self.row[positions],
            "source_id": self.source_id[positions],
            "z_spec": self.z_spec[positions],
            "z_phot": self.z_phot[positions],
            "error": self.z_phot[positions] - self.z_spec[positions],
        }
        if self.brightness is not None:
            columns["brightness"] = self.brightness[positions]
        if self.incumbent:
            columns[INCUMBENT_COLUMNS[0]] = self.incumbent[INCUMBENT_COLUMNS[0]][positions]
        names = np.array(self.flag_names or ("",), object)
        return pd.DataFrame({**columns, "flags": names[self.flag[positions]]})


def read_judged(
    path: Path,
    pdf_path: Path | None = None,
    estimate: Estimate | None = None,
    priors: Mapping[str, FloatArray] | None = None,
) -> Predictions:
    """Content of ``predictions.parquet``; its arrays are read-only.

    Rows that ingest flagged take no part; only earlier versions wrote them.

    With an estimate z_phot is read anew off the densities of ``pdf_path``; the flags stay those of
    the stored judgement.

    Parameters
    ----------
    path, pdf_path : Path
        ``RunFolder.predictions_path`` and ``pdf_path``.
    estimate : Estimate, optional
        Point and prior; the stored z_phot where not given.
    priors : mapping, optional
        Name → prior, shape (240,): content of ``prior.npz``, and any that the estimate names.

    Raises
    ------
    InputError
        An estimate of an evaluation without densities; a table that cannot be used.
    """
    import pyarrow.parquet as pq

    with reading(path, JUDGE_AGAIN):
        known = pq.read_schema(path).names
        flags = pq.read_table(path, columns=["flags"], read_dictionary=["flags"])["flags"]
        flags = flags.combine_chunks().to_pandas().astype("category").cat
    further = ["brightness"]
    if INCUMBENT_COLUMNS[0] in known:
        further += INCUMBENT_COLUMNS + (OWN_LIMITS if estimate is None else ())
    names = [*NEEDED, *(name for name in further if name in known)]
    found = read_columns(path, names, JUDGE_AGAIN)
    if estimate is not None:
        densities = open_densities(pdf_path, len(found["row"]))
        found["z_phot"] = estimate.redshifts(densities, priors or {})
    counted = [FLAGS.keys().isdisjoint(str(names).split("|")) for names in flags.categories]
    codes = flags.codes.to_numpy()
    unflagged = np.array([*counted, True])[codes]  # code −1: no flag is written
    good = unflagged & np.isfinite(found["z_spec"]) & np.isfinite(found["z_phot"])
    found["flag"] = codes
    if not good.all():
        found = {name: values[good] for name, values in found.items()}
    for values in found.values():
        values.setflags(write=False)
    n_flagged = int(len(good) - unflagged.sum())
    n_without = int(len(good) - good.sum()) - n_flagged
    own = ("row", "source_id", "z_spec", "z_phot", "flag")
    return Predictions(
        **{name: found.pop(name) for name in own},
        brightness=found.pop("brightness", None),
        flag_names=tuple(map(str, flags.categories)),
        n_without=n_without,
        n_flagged=n_flagged,
        incumbent=found,
    )


def read_priors(
    run: RunFolder, estimate: Estimate, file: Path | None = None
) -> dict[str, NDArray[np.float64]]:
    """The priors that an estimate of a run's densities takes, by name.

    Parameters
    ----------
    file : Path, optional
        Table of the estimate's prior, where that is the user's own.
    """
    priors = load_arrays(run.prior_path) if run.prior_path.exists() else {}
    return priors | {estimate.prior: read_prior(file)} if file else priors


def open_densities(path: Path | None, n_rows: int) -> NDArray[np.float16]:
    """Densities of an evaluation, (n_rows, 240), memory-mapped; InputError without such a file."""
    density = open_array(path, JUDGE_AGAIN) if path and path.exists() else None
    if density is None or density.shape != (n_rows, N_Z_BINS):
        raise InputError(
            "This evaluation keeps no p(z): its network gives one redshift only, or it was made "
            "by an older version. Train a run with head = pdf, or evaluate the run again."
        )
    return density


@dataclass(frozen=True)
class Choice:
    """Some of the galaxies: those of one bin, or those in a box."""

    by: str  # "z_spec", "z_phot", "brightness": a bin; "box": a box in true and predicted redshift
    limits: tuple[float, ...]  # low, high; of a box z_spec low, high and z_phot low, high

    def __post_init__(self) -> None:
        expected = LIMITS.get(self.by)
        pairs = list(zip(self.limits[::2], self.limits[1::2], strict=False))
        if (
            len(self.limits) != expected
            or not all(map(math.isfinite, self.limits))
            or any(low > high for low, high in pairs)
        ):
            raise InputError(
                f"{self.text()!r} chooses no galaxies by {self.by}; give {expected or 'no'} "
                "numbers separated by commas, each lower limit before its upper one."
            )

    @classmethod
    def parse(cls, by: str, text: str) -> Choice:
        """Choice from ``0.1,0.15`` or, for a box, ``0.1,0.2,0.3,0.4``."""
        try:
            limits = tuple(float(word) for word in text.split(","))
        except ValueError as error:
            raise InputError(f"{text!r} is not a list of numbers separated by commas.") from error
        return cls(by, limits)

    def text(self) -> str:
        """Limits as they stand in an address; `parse` reads the very same numbers.

        Examples
        --------
        >>> Choice("z_spec", (0.1, 0.15)).text()
        '0.1,0.15'
        """
        return ",".join(repr(float(limit)) for limit in self.limits)

    def describe(self) -> str:
        """In words.

        Examples
        --------
        >>> Choice("box", (0.1, 0.2, 0.3, 0.4)).describe()
        'z_spec 0.1–0.2 and z_phot 0.3–0.4'
        """
        low, high, *rest = (f"{limit:.4g}" for limit in self.limits)
        if self.by == BOX:
            return f"z_spec {low}–{high} and z_phot {rest[0]}–{rest[1]}"
        unit = f" {FLUX_UNIT}" if self.by == "brightness" else ""
        return f"{self.by} {low}–{high}{unit}"

    def positions(self, judged: Predictions) -> IntArray:
        """Positions of the galaxies among those judged, rising.

        A bin is [low, high), and closed where it is the last one, as in `evaluation.binned`; a box
        is closed.
        """
        if self.by == BOX:
            low, high, low_phot, high_phot = self.limits
            inside = _within(judged.z_spec, low, high, closed=True)
            inside &= _within(judged.z_phot, low_phot, high_phot, closed=True)
            return np.flatnonzero(inside)
        values = getattr(judged, self.by)
        if values is None:
            raise InputError("This evaluation has no brightness values; evaluate the run again.")
        top = Z_MAX if self.by != "brightness" else float(np.nanmax(values, initial=-np.inf))
        return np.flatnonzero(_within(values, *self.limits, closed=self.limits[1] >= top))


# What a list is sorted by, rising: the values of the galaxies at some positions.
ORDERS: dict[str, Callable[[Predictions, IntArray], FloatArray]] = {
    "Largest error first": lambda judged, at: -np.abs(judged.z_phot[at] - judged.z_spec[at]),
    "Smallest error first": lambda judged, at: np.abs(judged.z_phot[at] - judged.z_spec[at]),
    "Row": lambda judged, at: judged.row[at],
    "z_spec": lambda judged, at: judged.z_spec[at],
    "z_phot": lambda judged, at: judged.z_phot[at],
    "Brightest first": lambda judged, at: -judged.brightness[at],
    "Faintest first": lambda judged, at: judged.brightness[at],
}
BY_BRIGHTNESS = ("Brightest first", "Faintest first")  # orders that need to know it


def ordered(judged: Predictions, positions: IntArray, order: str) -> IntArray:
    """The same positions, sorted by an entry of ``ORDERS``; equal ones by row."""
    return positions[np.argsort(ORDERS[order](judged, positions), kind="stable")]


def match_well_predicted(
    judged: Predictions, positions: IntArray, n: int = N_MEAN, seed: int = 0
) -> tuple[IntArray, IntArray]:
    """Some of the galaxies chosen, and for each the well-predicted one nearest in redshift.

    Well predicted is abs(e_z) < σ_NMAD of all galaxies judged.

    Returns
    -------
    drawn, well : array, shape (min(n, n_positions),)
        Positions; ``well`` is empty where no galaxy is predicted well.
    """
    drawn = positions
    if len(positions) > n:
        drawn = np.sort(np.random.default_rng(seed).choice(positions, n, replace=False))
    e_z = metrics.e_z(judged.z_spec, judged.z_phot)
    good = np.flatnonzero(np.abs(e_z) < metrics.nmad(e_z))
    if not len(good) or not len(drawn):
        return drawn, good[:0]
    z = judged.z_spec[drawn]
    good = _near(judged.z_spec, good, z)
    good = good[np.argsort(judged.z_spec[good], kind="stable")]
    z_good = judged.z_spec[good]
    right = np.clip(np.searchsorted(z_good, z), 1, max(1, len(good) - 1))
    right = np.minimum(right, len(good) - 1)
    left = np.maximum(right - 1, 0)
    nearer = np.where(np.abs(z_good[left] - z) <= np.abs(z_good[right] - z), left, right)
    return drawn, good[nearer]


def _near(z_spec: FloatArray, good: IntArray, z: FloatArray) -> IntArray:
    """Those of the galaxies at ``good`` whose redshift may be next to one of ``z``.

    All of millions need not be sorted for some hundreds: their redshifts alone are, which is fast,
    and what lies in the same cell of a fine grid as a neighbour is kept.
    """
    values = np.sort(z_spec[good])
    right = np.searchsorted(values, z)
    ends = np.r_[right - 1, right].clip(0, len(values) - 1)

    def cell(redshift: FloatArray) -> IntArray:
        scale = N_CELLS / max(values[-1] - values[0], 1e-12)
        return ((redshift - values[0]) * scale).astype(np.int32)

    wanted = np.zeros(N_CELLS + 1, bool)
    wanted[cell(values[ends])] = True
    return good[wanted[cell(z_spec[good])]]


def mean_flux(flux: FloatArray, rows: IntArray) -> FloatArray:
    """Mean spectrum of some rows, a row as often as it is named; shape (n_pixels,)."""
    return np.asarray(flux[np.sort(rows)], np.float64).mean(axis=0)


def _within(values: FloatArray, low: float, high: float, *, closed: bool) -> NDArray[np.bool_]:
    return (values >= low) & ((values <= high) if closed else (values < high))
