"""How one redshift is read off a p(z): the point, and the prior it is to hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_Z_BINS
from redshift_core.errors import InputError
from redshift_core.pdf.density import POINTS, FloatArray, checked, in_blocks
from redshift_core.pdf.prior import mixed_prior, normalised, reweight

FLAT, TRAINING = "flat", "training"  # priors that need no file


@dataclass(frozen=True)
class Estimate:
    """How one redshift is read off a p(z): the point, and the prior it is to hold."""

    point: str = "median"  # entry of ``POINTS``
    prior: str = TRAINING  # "training", "flat", or a name among the priors given
    share: float = 1.0  # of the way from the training prior (0) to that one (1), in logarithms

    def __post_init__(self) -> None:
        if self.point not in POINTS:
            raise InputError(f"No estimate {self.point!r} of p(z); choose {', '.join(POINTS)}.")
        if not self.prior or "," in self.prior:
            raise InputError(f"{self.prior!r} is no name of a prior: it is empty or has a comma.")
        if not 0 <= self.share <= 1:
            raise InputError(
                f"The share of another prior lies between 0 (that of the training set) and 1; "
                f"it is {self.share:g}."
            )

    @property
    def changes_prior(self) -> bool:
        """Whether p(z) is another one than the network's."""
        return self.prior != TRAINING and self.share > 0

    @property
    def own_prior(self) -> bool:
        """Whether its prior is a table of the user's."""
        return self.prior not in (FLAT, TRAINING)

    def text(self) -> str:
        """As it stands in an address; `parse` reads the very same.

        Examples
        --------
        >>> Estimate("mean", "flat", 0.5).text()
        'mean,flat,0.5'
        >>> Estimate.parse("mean,flat,0.5") == Estimate("mean", "flat", 0.5)
        True
        """
        return f"{self.point},{self.prior},{float(self.share)!r}"

    @classmethod
    def parse(cls, text: str) -> Estimate:
        """Estimate from ``point,prior,share``; what is missing at the end is the default."""
        words = text.split(",") if text else []
        try:
            return cls(*words[:2], *map(float, words[2:]))
        except (TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{text!r} is no estimate; give point,prior,share, such as median,flat,0.5."
            ) from error

    @classmethod
    def asked_of(cls, values: Mapping[str, Any]) -> Estimate:
        """The one named in a job's request or in metrics; the usual one where none is."""
        return cls.parse(values.get("estimate") or "")

    def request(self, prior_file: Path | None = None) -> dict[str, str]:
        """What it adds to the request of a job; `asked_of` reads it.

        Parameters
        ----------
        prior_file : Path, optional
            Table of its prior, where that is the user's own.
        """
        file = {"prior_file": str(prior_file)} if prior_file else {}
        return {"estimate": self.text(), **file}

    def describe(self) -> str:
        """In words.

        Examples
        --------
        >>> Estimate("mode", "flat", 0.5).describe()
        'mode of p(z), 50 % of the way from the training prior to the flat one'
        """
        if not self.changes_prior:
            return f"{self.point} of p(z) under the training prior"
        if self.share == 1:
            return f"{self.point} of p(z) under the {self.prior} prior"
        way = f"{100 * self.share:.3g} % of the way from the training prior to the {self.prior} one"
        return f"{self.point} of p(z), {way}"

    def weight(self, priors: Mapping[str, FloatArray]) -> NDArray[np.float64]:
        """Factor by which the network's p(z) is multiplied, new(z) / old(z), shape (240,).

        Parameters
        ----------
        priors : mapping
            Name → prior, shape (240,): ``training`` (``prior.npz`` of a run), and any other that
            may be asked for; ``flat`` needs none.
        """
        if not self.changes_prior:
            return np.ones(N_Z_BINS)
        known = {FLAT: np.ones(N_Z_BINS), **priors}
        missing = [name for name in (TRAINING, self.prior) if name not in known]
        if missing:
            raise InputError(
                f"The prior {missing[0]!r} is not known here; known are {', '.join(known)}."
            )
        old = np.asarray(known[TRAINING], np.float64)
        return mixed_prior(old, known[self.prior], self.share) / normalised(old)

    def densities(
        self, density: FloatArray, priors: Mapping[str, FloatArray]
    ) -> NDArray[np.float32]:
        """p(z) under the prior asked for, shape (n_sources, 240)."""
        if not self.changes_prior:
            return np.asarray(checked(density), np.float32)
        return reweight(density, np.ones(N_Z_BINS), self.weight(priors))

    def redshifts(
        self, density: FloatArray, priors: Mapping[str, FloatArray]
    ) -> NDArray[np.float64]:
        """z_phot of each p(z), shape (n_sources,), without a copy of all densities."""
        weight = self.weight(priors).astype(np.float32)
        return in_blocks(lambda block: POINTS[self.point](block * weight))(density)


USUAL = Estimate()  # the one that stored predictions hold
