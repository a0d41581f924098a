"""Figures of merit of the densities p(z), each with its title and what it says of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redshift_core.constants import Z_MAX, Z_MIN
from redshift_core.evaluation.bins import limits_text
from redshift_core.evaluation.metrics import SHARE, Figure, Values

if TYPE_CHECKING:
    import pandas as pd

FLAT = 1 / (Z_MAX - Z_MIN)  # the p(z) that knows nothing but the range, in 1/z


def _chance(p: float) -> str:
    """What a p-value says, in half a sentence."""
    return f"right densities reach that in {100 * p:.2g} % of surveys."


def _inside(level: float) -> Figure:
    """Share of true redshifts inside the central interval of a credibility."""

    def says(share: float, *_: Any) -> str:
        if abs(share - level) < 0.01:
            return "Share of true redshifts inside: as it should be, to a per cent."
        side = "wide" if share > level else "narrow"
        return f"Share of true redshifts inside: the intervals are too {side}."

    title, about = f"In {level:.0%} interval".replace("%", " %"), "Share of true redshifts inside"
    definition = f"{about}, which should be {level:g}."
    return Figure(f"coverage{100 * level:.0f}", title, definition, says, ".1%", kind=SHARE)


FIGURES: dict[str, Figure] = {
    one.key: one
    for one in (
        Figure(
            "crps", "CRPS",
            "Error of the whole p(z), in z; less is better. Of a p(z) that is one point it is the "
            "MAE.",
        ),
        Figure(
            "cde_loss", "CDE loss",
            f"Less is better: p(z) sharp in the right place. A flat p(z) has {-FLAT:.2f}.",
            form=".3f",
        ),
        Figure(
            "log_likelihood", "Log-likelihood",
            "Mean of ln p(z) at the true redshift; more is better.",
            lambda value, *_: (
                f"The true redshift is typically {math.exp(value) / FLAT:.1f} times as probable "
                "as under a flat p(z)."
            ),
            ".3f",
        ),
        Figure(
            "ks", "PIT, KS",
            "Largest distance of the PIT from an even spread; 0 for densities that are right on "
            "average.",
            lambda _, pdf, __: (
                "Largest distance of the PIT from an even spread; " + _chance(pdf["pit"]["ks_p"])
            ),
            within="pit",
        ),
        Figure(
            "cvm", "PIT, CvM",
            "Cramér–von Mises, the squared distance of the PIT from an even spread over the whole "
            "range.",
            lambda _, pdf, __: (
                "Cramér–von Mises, the squared distance over the whole range; "
                + _chance(pdf["pit"]["cvm_p"])
            ),
            ".3f",
            "pit",
        ),
        _inside(0.68),
        _inside(0.95),
    )
}  # fmt: skip
COLUMNS = {  # of a bin of ``by_z_phot`` or ``by_brightness`` → title, printf format
    "n": ("n", "localized"),
    "coverage68": ("% in 68 % interval", "%.1f"),
    "coverage95": ("% in 95 % interval", "%.1f"),
    "pit_mean": ("mean PIT", "%.3f"),
    "pit_ks": (FIGURES["ks"].title, "%.4f"),
    **{
        key: (FIGURES[key].title, f"%{FIGURES[key].form}")
        for key in ("crps", "cde_loss", "log_likelihood")
    },
}
FORMATS = dict(COLUMNS.values())


def bin_table(bins: Sequence[Values]) -> pd.DataFrame:
    """Bins of z_phot or brightness as they are read, a line each; shares in per cent."""
    import pandas as pd

    lines = []
    for one in bins:
        name, by = ("brightness",) * 2 if "brightness_low" in one else ("z", "z_phot")
        line = {f"{by} bin": limits_text(one[f"{name}_low"], one[f"{name}_high"], by)}
        for key, (title, _) in COLUMNS.items():
            value = one.get(key)
            share = key.startswith("coverage") and value is not None
            line[title] = 100 * value if share else value
        lines.append(line)
    frame = pd.DataFrame(lines)
    numbers = [title for title in FORMATS if title in frame and title != "n"]
    frame[numbers] = frame[numbers].astype(float)  # None becomes NaN
    return frame
