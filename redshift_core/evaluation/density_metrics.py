"""Figures of merit of the densities p(z), each with its title and what it says of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from redshift_core.constants import Z_MAX, Z_MIN, shown

Values = Mapping[str, Any]  # entry ``pdf`` of ``metrics.json``
FLAT = 1 / (Z_MAX - Z_MIN)  # the p(z) that knows nothing but the range, in 1/z


@dataclass(frozen=True)
class DensityFigure:
    """One figure of merit of densities, and how it is shown."""

    title: str  # a few words
    value: Callable[[Values], float | None]
    meaning: Callable[[Values], str]  # one sentence, of densities that have a value
    form: str = ".4f"  # of the number

    def text(self, value: float | None) -> str:
        """Number as it is shown; a dash where there is none."""
        return shown(value, self.form)


def _chance(p: float) -> str:
    """What a p-value says, in half a sentence."""
    return f"right densities reach that in {100 * p:.2g} % of surveys."


def _coverage(share: float, level: float) -> str:
    if abs(share - level) < 0.01:
        return "Share of true redshifts inside: as it should be, to a per cent."
    side = "wide" if share > level else "narrow"
    return f"Share of true redshifts inside: the intervals are too {side}."


FIGURES: dict[str, DensityFigure] = {
    "crps": DensityFigure(
        "CRPS",
        lambda pdf: pdf.get("crps"),
        lambda _: (
            "Error of the whole p(z), in z; less is better. Of a p(z) that is one point it "
            "is the MAE."
        ),
    ),
    "cde_loss": DensityFigure(
        "CDE loss",
        lambda pdf: pdf.get("cde_loss"),
        lambda _: f"Less is better: p(z) sharp in the right place. A flat p(z) has {-FLAT:.2f}.",
        ".3f",
    ),
    "log_likelihood": DensityFigure(
        "Log-likelihood",
        lambda pdf: pdf.get("log_likelihood"),
        lambda pdf: (
            "The true redshift is typically "
            f"{math.exp(pdf['log_likelihood']) / FLAT:.1f} times as probable as under a flat p(z)."
        ),
        ".3f",
    ),
    "ks": DensityFigure(
        "PIT, KS",
        lambda pdf: pdf.get("pit", {}).get("ks"),
        lambda pdf: (
            "Largest distance of the PIT from an even spread; " + _chance(pdf["pit"]["ks_p"])
        ),
    ),
    "cvm": DensityFigure(
        "PIT, CvM",
        lambda pdf: pdf.get("pit", {}).get("cvm"),
        lambda pdf: (
            "Cramér–von Mises, the squared distance over the whole range; "
            + _chance(pdf["pit"]["cvm_p"])
        ),
        ".3f",
    ),
    "coverage68": DensityFigure(
        "In 68 % interval",
        lambda pdf: pdf.get("coverage68"),
        lambda pdf: _coverage(pdf["coverage68"], 0.68),
        ".1%",
    ),
    "coverage95": DensityFigure(
        "In 95 % interval",
        lambda pdf: pdf.get("coverage95"),
        lambda pdf: _coverage(pdf["coverage95"], 0.95),
        ".1%",
    ),
}
COLUMNS = {  # of a bin of ``by_z_phot`` or ``by_brightness`` → title, printf format
    "n": ("n", "localized"),
    "coverage68": ("% in 68 % interval", "%.1f"),
    "coverage95": ("% in 95 % interval", "%.1f"),
    "pit_mean": ("mean PIT", "%.3f"),
    "pit_ks": ("PIT, KS", "%.4f"),
    "crps": ("CRPS", "%.4f"),
    "cde_loss": ("CDE loss", "%.3f"),
    "log_likelihood": ("log-likelihood", "%.3f"),
}
FORMATS = dict(COLUMNS.values())


def bin_table(bins: Sequence[Values]) -> pd.DataFrame:
    """Bins of z_phot or brightness as they are read, a line each; shares in per cent."""
    lines = []
    for one in bins:
        brightness = "brightness_low" in one
        name = "brightness" if brightness else "z"
        digits = ".4g" if brightness else ".2f"
        limits = f"{one[f'{name}_low']:{digits}}–{one[f'{name}_high']:{digits}}"
        line = {f"{'brightness' if brightness else 'z_phot'} bin": limits}
        for key, (title, _) in COLUMNS.items():
            value = one.get(key)
            share = key.startswith("coverage") and value is not None
            line[title] = 100 * value if share else value
        lines.append(line)
    frame = pd.DataFrame(lines)
    numbers = [title for title in FORMATS if title in frame and title != "n"]
    frame[numbers] = frame[numbers].astype(float)  # None becomes NaN
    return frame
