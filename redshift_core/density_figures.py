"""Figures of merit of the densities p(z), each with its title and what it says of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from redshift_core.constants import Z_MAX, Z_MIN

Values = Mapping[str, Any]  # entry ``pdf`` of ``metrics.json``
BIN_FORMATS = {  # column of the table by bin → printf format
    "n": "%d",
    "CRPS": "%.4f",
    "PIT, KS": "%.4f",
    "in 68 % interval": "%.4f",
    "in 95 % interval": "%.4f",
    "log-likelihood": "%.3f",
}


@dataclass(frozen=True)
class DensityFigure:
    """One figure of merit of densities, and how it is shown."""

    title: str  # a few words
    value: Callable[[Values], float | None]
    meaning: Callable[[Values], str]  # one sentence, of densities that have a value
    form: str = ".4f"  # of the number

    def text(self, value: float | None) -> str:
        """Number as it is shown; a dash where there is none."""
        return "–" if value is None else format(value, self.form)


def _flat() -> float:
    """Log-likelihood of a p(z) that knows nothing but the range."""
    return -math.log(Z_MAX - Z_MIN)


def _p_value(pit: Values, name: str) -> str:
    return f"honest densities would give as much or more in {100 * pit[name]:.2g} % of surveys."


FIGURES: dict[str, DensityFigure] = {  # key of ``metrics["pdf"]["intervals"]`` → figure
    "crps": DensityFigure(
        "CRPS",
        lambda pdf: pdf.get("crps"),
        lambda pdf: "The error of the whole p(z), in z; for a p(z) that is one point it is the "
        "MAE. Less is better.",
    ),
    "cde_loss": DensityFigure(
        "CDE loss",
        lambda pdf: pdf.get("cde_loss"),
        lambda pdf: "Falls as p(z) gets sharper in the right place; the flat p(z) has "
        f"{-1 / (Z_MAX - Z_MIN):.2f}.",
        ".3f",
    ),
    "log_likelihood": DensityFigure(
        "Log-likelihood",
        lambda pdf: pdf.get("log_likelihood"),
        lambda pdf: f"p(z_spec) is typically {math.exp(pdf['log_likelihood'] - _flat()):.1f} times "
        "that of a flat p(z).",
        ".3f",
    ),
    "ks": DensityFigure(
        "PIT, KS",
        lambda pdf: pdf.get("pit", {}).get("ks"),
        lambda pdf: "Largest distance of the PIT's distribution from a uniform one; "
        + _p_value(pdf["pit"], "ks_p"),
    ),
    "cvm": DensityFigure(
        "PIT, Cramér–von Mises",
        lambda pdf: pdf.get("pit", {}).get("cvm"),
        lambda pdf: "Squared distance over the whole range; " + _p_value(pdf["pit"], "cvm_p"),
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


def _coverage(found: float, level: float) -> str:
    side = "wider" if found > level else "narrower"
    return f"Share of true redshifts inside; the intervals are {side} than they should be." * (
        abs(found - level) >= 0.01
    ) or "Share of true redshifts inside, as it should be to a per cent."
