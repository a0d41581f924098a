"""A run beside Gaia's own redshift, UGC, on the very same galaxies.

Gaia publishes a redshift of its galaxy candidates (``redshift_ugc`` of the table
``galaxy_candidates``; Delchambre et al. 2023, A&A 674, A31, section 7). Where a dataset's file
holds that column, both are judged on the galaxies that have both, so that neither gains by the
galaxies it leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core.constants import INCUMBENT_COLUMNS, FloatArray, counted
from redshift_core.evaluation.bins import binned, evaluate
from redshift_core.evaluation.bootstrap import N_RESAMPLES, SEED, middle
from redshift_core.evaluation.intervals import FEWEST, fitting
from redshift_core.evaluation.metrics import METRICS
from redshift_core.store.records import Bin

if TYPE_CHECKING:
    import pandas as pd

NAME = "UGC"  # of the incumbent
OWN_LIMITS = ("z_low68", "z_high68")  # columns of a run's own 68 % interval
TELLING = 2.0  # half widths of the 68 % interval that a difference must reach to be called one
ORIGIN = (
    "UGC is the redshift that Gaia publishes itself (redshift_ugc). It was trained on galaxies "
    "with SDSS redshifts, so it may have seen some of these."
)
FIGURE_CAPTION = (
    "Mean error z_phot − z_spec (dimensionless) per bin of true redshift, bars ±σ, of the very "
    "same galaxies."
)
FIGURE_ALT = f"Mean error and scatter of the run and of {NAME} per bin of true redshift"
CAPTION = "Of the very same galaxies; dimensionless, shares from 0 to 1."


@dataclass(frozen=True)
class Interval:
    """How well intervals around redshifts hold the true ones."""

    n: int  # galaxies that have one
    coverage: float  # share of true redshifts inside, from 0 to 1
    width: float  # mean, in z

    def text(self) -> str:
        """In half a sentence.

        Examples
        --------
        >>> Interval(200, 0.683, 0.0512).text()
        'holds 68.3 % of the true redshifts and is 0.051 wide on average'
        """
        return (
            f"holds {100 * self.coverage:.1f} % of the true redshifts and is {self.width:.3f} wide "
            "on average"
        )


@dataclass(frozen=True)
class Beside:
    """Figures of merit of a run and of the incumbent on the galaxies that have both."""

    n: int  # galaxies that have both redshifts
    n_judged: int  # galaxies that have the run's
    run: dict[str, float | None]  # metric → value
    incumbent: dict[str, float | None]
    difference: (
        float | None
    )  # MAE of the incumbent minus that of the run; above 0 the run is better
    interval: list[float] | None  # its 68 % interval: the galaxies drawn again, in pairs
    run_interval: Interval | None  # the run's own 68 % interval
    incumbent_interval: Interval | None  # the one that Gaia publishes

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Beside:
        """What `to_dict` gave."""
        found = {one.name: values[one.name] for one in fields(cls)}
        for name in ("run_interval", "incumbent_interval"):
            found[name] = found[name] and Interval(**found[name])
        return cls(**found)

    @property
    def share(self) -> float:
        """Share of the galaxies judged that the incumbent has a redshift of, from 0 to 1."""
        return self.n / self.n_judged if self.n_judged else 0.0

    def to_dict(self) -> dict[str, Any]:
        """For ``metrics.json``."""
        return {"name": NAME, **asdict(self), "share": self.share, "text": self.text()}

    def text(self) -> str:
        """Which is better and by how much, in two or three sentences."""
        known = f"{NAME} is known of {self.n:,} of the {counted(self.n_judged, 'galaxy')}"
        if self.difference is None or self.interval is None:
            return f"{known}, so there is nothing to compare."
        said = [
            f"{known} ({100 * self.share:.1f} %). On these the MAE of the run is "
            f"{self.run['mae']:.4f} and that of {NAME} {self.incumbent['mae']:.4f}: {_who(self)}."
        ]
        if theirs := self.incumbent_interval:
            own = self.run_interval and f"; the run's 68 % interval {self.run_interval.text()}"
            said.append(f"The interval of {NAME} {theirs.text()}{own or ''}.")
        return " ".join(said)

    def table(self) -> pd.DataFrame:
        """Every metric of both: ``figure``, ``run``, ``UGC``."""
        import pandas as pd

        return pd.DataFrame(
            {
                "figure": [metric.title for metric in METRICS.values()],
                "run": [self.run[key] for key in METRICS],
                NAME: [self.incumbent[key] for key in METRICS],
            }
        ).astype({"run": float, NAME: float})


FORMATS = {"run": "%.4f", NAME: "%.4f"}  # of `Beside.table`


def beside(
    z_spec: ArrayLike,
    z_phot: ArrayLike,
    columns: Mapping[str, ArrayLike],
    n_draws: int = N_RESAMPLES,
    seed: int = SEED,
) -> Beside | None:
    """Judge a run and the incumbent on the galaxies that have both redshifts.

    Parameters
    ----------
    z_spec, z_phot : array, shape (n_sources,)
        Spectroscopic redshift, and that of the run; NaN where there is none.
    columns : mapping
        Name → array, shape (n_sources,): the incumbent's redshift and, if known, its limits, by
        the names in ``INCUMBENT_COLUMNS``, and those of the run's own 68 % interval, by those
        in ``OWN_LIMITS``. Others take no part.
    n_draws, seed : int
        Bootstrap draws of the galaxies for the interval of the difference.

    Returns
    -------
    Beside or None
        None where the incumbent's redshift is not among the columns, or is the spectroscopic one:
        a dataset whose redshifts are UGC's own cannot judge it.
    """
    if INCUMBENT_COLUMNS[0] not in columns:
        return None
    both, spec, phot, theirs = _both(z_spec, z_phot, columns[INCUMBENT_COLUMNS[0]])
    if len(spec) and np.array_equal(spec, theirs):
        return None
    gains = np.abs(theirs - spec) - np.abs(phot - spec)

    def inside(names: tuple[str, ...]) -> Interval | None:
        if any(name not in columns for name in names):
            return None
        return _intervals(spec, *(np.asarray(columns[name], np.float64)[both] for name in names))

    return Beside(
        len(spec), len(_both(z_spec, z_phot)[1]),
        evaluate(spec, phot).figures, evaluate(spec, theirs).figures,
        float(gains.mean()) if len(gains) else None, _drawn(gains, n_draws, seed),
        inside(OWN_LIMITS), inside(INCUMBENT_COLUMNS[1:]),
    )  # fmt: skip


def bins_beside(
    z_spec: ArrayLike, z_phot: ArrayLike, columns: Mapping[str, ArrayLike]
) -> tuple[list[Bin], list[Bin]]:
    """Error table of the run and of the incumbent, by z_spec, of the galaxies that have both."""
    spec, phot, theirs = _both(z_spec, z_phot, columns[INCUMBENT_COLUMNS[0]])[1:]
    return binned(spec, phot), binned(spec, theirs)


def _both(*redshifts: ArrayLike) -> tuple[NDArray[Any], ...]:
    """Which galaxies have each of the redshifts, shape (n_sources,), and these redshifts."""
    arrays = [np.asarray(z, np.float64) for z in redshifts]
    both = np.isfinite(arrays).all(axis=0)
    return both, *(z[both] for z in arrays)


def _drawn(gains: FloatArray, n: int, seed: int) -> list[float] | None:
    """Middle 68 % of the mean of the gains, the galaxies drawn again and again."""
    if len(gains) < FEWEST:
        return None
    random = np.random.default_rng(seed)
    draws = [gains[random.integers(0, len(gains), len(gains))].mean() for _ in range(n)]
    return middle(["gain"], np.array(draws)[:, None])["gain"]


def _intervals(z_spec: FloatArray, low: FloatArray, high: FloatArray) -> Interval | None:
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return None
    spec, low, high = z_spec[known], low[known], high[known]
    inside = (spec >= low) & (spec <= high)
    return Interval(int(known.sum()), float(inside.mean()), float((high - low).mean()))


def _who(found: Beside) -> str:
    """Which of the two is better, if that can be told."""
    low, high = found.interval
    difference = found.difference
    form = fitting(".4f", (low, high))
    if abs(difference) < TELLING * (high - low) / 2:
        return f"they differ by {abs(difference):{form}}, too little to call one of them better"
    who, ends = ("the run", (low, high)) if difference > 0 else (NAME, (-high, -low))
    first, last = (f"{end:{form}}" for end in ends)
    return f"{who} is better by {abs(difference):{form}} (68 % interval {first} to {last})"
