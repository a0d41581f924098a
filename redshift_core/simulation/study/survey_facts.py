"""Summary of a simulated survey: extremes of the columns, brightness and some spectra."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from redshift_core import reference
from redshift_core.constants import FloatArray
from redshift_core.simulation.study.rows import RANGE_NAMES, RANGES, Row
from redshift_core.simulation.survey import blocks

PART = "Brightness"
PIXELS = (0, 73, 80, 140, 185)  # pixels whose extremes are shown: the ends and peaks of the bands
HIGHEST_BOUNDS = (0.6, 1.4)  # of the highest flux, simulated : published, at the published size
PIXEL_140 = 140  # near the peak of RP
PERCENTS = (1, 16, 50, 84, 99)
KEPT = 60_000  # number of first spectra kept to measure their noise


@dataclass(frozen=True)
class SurveyFacts:
    """Summary of a SIMULATED survey."""

    n: int  # galaxies
    low: FloatArray  # (186,): lowest flux of each column, e⁻ s⁻¹ per pixel
    high: FloatArray  # (186,): highest
    z: FloatArray  # (n,)
    flux_140: FloatArray  # (n,): e⁻ s⁻¹ per pixel
    first: FloatArray  # (up to KEPT, 186): the first spectra


def survey_facts(
    n: int,
    seed: int = 1,
    cache: Path | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> SurveyFacts:
    """Simulate ``n`` galaxies as ``redshift-lab simulate`` does, and keep the compared data."""
    low, high, first = np.inf, -np.inf, []
    z, flux_140 = np.empty(n), np.empty(n, np.float32)
    done = 0
    for block in blocks(n, seed, cache=cache):
        rows = slice(done, done + len(block.z))
        z[rows], flux_140[rows] = block.z, block.flux[:, PIXEL_140]
        low = np.minimum(low, block.flux.min(axis=0))
        high = np.maximum(high, block.flux.max(axis=0))
        if done < KEPT:
            first.append(block.flux[: KEPT - done])
        done = rows.stop
        report(done)
    return SurveyFacts(n, low, high, z, flux_140, np.concatenate(first))


def extreme_rows(facts: SurveyFacts) -> list[Row]:
    """Rows of the study about the lowest and highest flux of the columns."""
    known = reference.recovered_minmax()
    part, whole = f"Extremes of the columns, {facts.n:,} galaxies", facts.n == reference.N_GALAXIES
    if not whole:
        part += f" (published: {reference.N_GALAXIES:,}, which reach farther)"
    rows = [
        Row(part, f"{end}est flux of pixel {pixel}", "all", float(known[end][pixel]),
            float(simulated[pixel]))
        for end, simulated in (("high", facts.high), ("low", facts.low))
        for pixel in PIXELS
    ]  # fmt: skip
    ratio = facts.high / known.high.to_numpy()
    bounds = HIGHEST_BOUNDS if whole else ()
    for name, value in (("lowest", ratio.min()), ("median", np.median(ratio)),
                        ("highest", ratio.max())):  # fmt: skip
        what = f"highest flux, simulated : published, {name} of the 186 columns"
        rows.append(Row(part, what, "all", 1, float(value), *bounds))
    return rows


def brightness_rows(facts: SurveyFacts) -> list[Row]:
    """Rows about ln(flux_140 / its mean in the range): scatter, percentiles, six real galaxies."""
    rows = []
    real_ranges = np.digitize([z for z, _ in reference.REAL_LN_BRIGHTNESS], RANGES) - 1
    for number, name in enumerate(RANGE_NAMES):
        flux = facts.flux_140[np.digitize(facts.z, RANGES) - 1 == number].astype(float)
        if not (flux > 0).any():
            continue
        relative = np.log(flux[flux > 0] / flux.mean())
        scatter = float(relative.std())
        rows.append(Row(PART, "sd of ln f, f = flux of pixel 140 / its mean", name, None, scatter))
        values = " ".join(f"{value:+.2f}" for value in np.percentile(relative, PERCENTS))
        rows.append(Row(PART, f"{_listed(PERCENTS)} % of ln f", name, None, values))
        real = [value for (_, value), at in zip(reference.REAL_LN_BRIGHTNESS, real_ranges,
                                                strict=True) if at == number]  # fmt: skip
        known = " ".join(f"{value:+.2f}" for value in real) or None
        where = ", ".join(f"{100 * np.mean(relative < value):.0f}" for value in real) or None
        rows.append(
            Row(PART, "ln f of real galaxies, and the percentile they are at", name, known, where)
        )
    bright = facts.flux_140 > 0
    correlation = np.corrcoef(facts.z[bright], np.log(facts.flux_140[bright]))[0, 1]
    rows.append(Row(PART, "correlation of z and ln f", "all", None, float(correlation)))
    return rows


def _listed(numbers: tuple[int, ...]) -> str:
    return "/".join(map(str, numbers))
