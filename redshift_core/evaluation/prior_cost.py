"""What another prior costs and brings: the least average error against an unbiased tail."""

from __future__ import annotations

from dataclasses import dataclass

from redshift_core.constants import BIN_WIDTH, Z_MAX, FloatArray
from redshift_core.evaluation import metrics

N_TAIL = 20  # fewest galaxies whose mean error is worth a sentence
WIDEST = 6  # bins of 0.05 that the tail takes in, at most


@dataclass(frozen=True)
class Trade:
    """The same galaxies under the prior of the training set and under a flat one."""

    z_low: float  # the tail begins here; it ends at 0.6
    n: int  # galaxies in the tail
    mae: tuple[float, float]  # of all galaxies: training prior, flat prior
    tail: tuple[float, float]  # mean error z_phot − z_spec of the tail: training prior, flat prior

    def sentences(self) -> str:
        """The trade in two sentences.

        Examples
        --------
        >>> print(Trade(0.45, 60, (0.0196, 0.024), (-0.1, -0.03)).sentences())
        With the prior of the training set the average error is least (MAE 0.0196), but the 60 \
galaxies at z_spec 0.45–0.60 come out 0.100 too low on average. With a flat prior they come out \
0.030 too low, for a MAE of 0.0240.
        """
        where = f"the {self.n:,} galaxies at z_spec {self.z_low:.2f}–{Z_MAX:.2f} come out"
        training, flat = self.tail
        gains = self.mae[0] <= self.mae[1] and abs(flat) < abs(training)
        least = "average error is least (MAE {:.4f}), but" if gains else "MAE is {:.4f} and"
        return (
            f"With the prior of the training set the {least.format(self.mae[0])} {where} "
            f"{_off(training)} on average. With a flat prior they come out {_off(flat)}, for a "
            f"MAE of {self.mae[1]:.4f}."
        )


def prior_cost(z_spec: FloatArray, training: FloatArray, flat: FloatArray) -> Trade | None:
    """The trade on some galaxies; None where too few are distant.

    Parameters
    ----------
    z_spec, training, flat : array, shape (n_sources,)
        True redshift, and the predicted one under either prior. The tail is z_spec from 0.45 on,
        or from as many bins lower as it takes to hold 20 galaxies.
    """
    for n_bins in range(3, WIDEST + 1):
        low = round(Z_MAX - n_bins * BIN_WIDTH, 9)
        inside = (z_spec >= low) & (z_spec <= Z_MAX)
        if inside.sum() >= N_TAIL:
            both = (training, flat)
            mae = tuple(metrics.mae(z_spec, z_phot) for z_phot in both)
            tail = tuple(float((z_phot - z_spec)[inside].mean()) for z_phot in both)
            return Trade(low, int(inside.sum()), mae, tail)
    return None


def _off(error: float) -> str:
    return f"{abs(error):.3f} too {'high' if error > 0 else 'low'}"
