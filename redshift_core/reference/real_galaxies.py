"""Three real galaxies with redshifts of SDSS, and what a run says of them.

Everything else that a run is judged on may be simulated; these three are not. They are shown and
never chosen by: no preset, setting or survey was or is decided by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS, N_Z_BINS
from redshift_core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "real_galaxies.csv"  # in ``resources``; made by ``scripts/fill_real_galaxies.py``
DIGITISED = 5e-4  # error of a flux read off a figure, of the peak of its spectrum
LEVELS = (68, 95)  # % of p(z) inside the intervals that are looked at
SOURCE = (
    "Three galaxies shown in figures of A. Kiraleos's dissertation, read off those figures; "
    "redshifts of SDSS, spectra of Gaia DR3"
)
CAVEAT = (
    "Three galaxies can reveal a failure, such as redshifts wrong by 0.3 to 0.4; they can neither "
    "rank runs or presets nor prove that intervals are right. Their spectra were read off "
    "published figures, to 5e-4 of the peak."
)


@dataclass(frozen=True)
class RealGalaxies:
    """Spectra of three real galaxies, with the redshifts of SDSS."""

    row: NDArray[np.int64]  # (3,) in the dissertation's table
    z_spec: NDArray[np.float64]  # (3,) from SDSS
    flux: NDArray[np.float64]  # (3, 186) e⁻ s⁻¹ per pixel
    filled: NDArray[np.bool_]  # (3, 186) hidden in the figure, filled in without the redshift


@cache
def real_galaxies() -> RealGalaxies:
    """The three galaxies; their arrays are read-only.

    Source: figures of A. Kiraleos, "Application of Machine Learning Methods on Astronomical
    Databases: Predicting Galaxy Redshifts with Convolutional Neural Networks". Samples hidden
    behind other curves were filled in by ``scripts/fill_real_galaxies.py``.
    """
    import pandas as pd

    path = files("redshift_core") / "resources" / FILE_NAME
    with path.open(encoding="utf-8") as file:
        table = pd.read_csv(file, dtype={"filled": str}, keep_default_na=False)
    filled = np.zeros((len(table), N_PIXELS), bool)
    for marks, pixels in zip(filled, table.filled, strict=True):
        marks[[int(pixel) for pixel in pixels.split()]] = True
    arrays = {
        "row": table.row.to_numpy(np.int64, copy=True),
        "z_spec": table.z_spec.to_numpy(np.float64, copy=True),
        "flux": table.filter(regex=r"^flux_\d+$").to_numpy(np.float64, copy=True),
        "filled": filled,
    }
    for values in arrays.values():
        values.setflags(write=False)
    return RealGalaxies(**arrays)


@dataclass(frozen=True)
class RealAnswers:
    """What a run says of the three galaxies; NaN where it says nothing."""

    z_phot: NDArray[np.float64]  # (3,) of a p(z) its median under the training prior
    scatter: NDArray[np.float64]  # (3,) standard deviation of z_phot over noisy copies
    flags: tuple[str, ...]  # (3,) names joined by |, as in ``predictions.parquet``
    intervals: Mapping[int, NDArray[np.float64]]  # % of p(z) → (3, 2) ends; none without p(z)
    density: NDArray[np.float64] | None  # (3, 240) p(z) in 1/z, under the training prior

    @property
    def mae(self) -> float:
        """Mean of |z_phot − z_spec|; NaN where one of them has no redshift."""
        return float(np.abs(self.z_phot - real_galaxies().z_spec).mean())

    def inside(self, level: int) -> NDArray[np.bool_] | None:
        """Whether z_spec lies in the interval of ``level`` % of p(z), (3,); None without p(z)."""
        if level not in self.intervals:
            return None
        low, high = self.intervals[level].T
        z_spec = real_galaxies().z_spec
        return (low <= z_spec) & (z_spec <= high)

    def sentence(self) -> str:
        """MAE, how many redshifts lie in their intervals, and which flags are set."""
        n = len(self.flags)
        parts = [f"MAE {self.mae:.4f}" if np.isfinite(self.mae) else "not all have a redshift"]
        for level in self.intervals:
            parts.append(f"{np.count_nonzero(self.inside(level))} of {n} in the {level} % interval")
        flagged = [flags.replace("|", " and ") for flags in self.flags if flags]
        which = "; ".join(dict.fromkeys(flagged))
        parts.append(f"{len(flagged)} flagged" + (f" ({which})" if which else ""))
        return f"Three real galaxies: {', '.join(parts)}."

    def table(self) -> pd.DataFrame:
        """A line per galaxy: row, z_spec, z_phot, error, ends of the intervals, scatter, flags."""
        import pandas as pd

        known = real_galaxies()
        columns: dict[str, Any] = {
            "row": known.row,
            "z_spec": known.z_spec,
            "z_phot": self.z_phot,
            "error": self.z_phot - known.z_spec,
        }
        for level, ends in self.intervals.items():
            columns |= {f"z_low{level}": ends[:, 0], f"z_high{level}": ends[:, 1]}
        columns |= {"scatter": self.scatter, "filled": known.filled.sum(axis=1)}
        return pd.DataFrame({**columns, "flags": self.flags})

    def to_dict(self) -> dict[str, Any]:
        """Content of ``real_galaxies.json``; None stands for NaN."""
        known = real_galaxies()
        values: dict[str, Any] = {
            "row": known.row.tolist(),
            "z_spec": known.z_spec.tolist(),
            "mae": self.mae if np.isfinite(self.mae) else None,
            "z_phot": _plain(self.z_phot),
            "scatter": _plain(self.scatter),
            "flags": list(self.flags),
        }
        for level, ends in self.intervals.items():
            values[f"inside{level}"] = int(np.count_nonzero(self.inside(level)))
            values |= {f"z_low{level}": _plain(ends[:, 0]), f"z_high{level}": _plain(ends[:, 1])}
        if self.density is not None:
            values["density"] = [_plain(one) for one in self.density.round(5)]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RealAnswers:
        """Answers from ``real_galaxies.json``; InputError where they are not of these galaxies."""
        known = real_galaxies()
        if values.get("row") != known.row.tolist():
            raise InputError(
                "This evaluation says nothing of the three real galaxies: it was made by an "
                "older version. Evaluate the run again."
            )
        n = len(known.row)
        flags = tuple(map(str, values["flags"]))
        if len(flags) != n:
            raise InputError(f"real_galaxies.json has {len(flags)} flags; it must have {n}.")
        intervals = {
            level: np.stack(
                [_array(values[f"z_{end}{level}"], (n,)) for end in ("low", "high")], axis=1
            )
            for level in LEVELS
            if f"z_low{level}" in values
        }
        density = values.get("density")
        return cls(
            _array(values["z_phot"], (n,)),
            _array(values["scatter"], (n,)),
            flags,
            intervals,
            None if density is None else _array(density, (n, N_Z_BINS)),
        )


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _array(values: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.array(values, np.float64)  # None becomes NaN
    if array.shape != shape:
        raise InputError(f"real_galaxies.json has an array of {array.shape}; it must be {shape}.")
    return array
