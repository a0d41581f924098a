"""What must be said beside the figures of a run, lest they fool: in red where it is of no use.

A network that gives every galaxy nearly the same redshift has a small error on a narrow survey, so
its error is held against that of the median redshift of its training galaxies, which needs no
spectrum. Figures of a handful of galaxies, or of galaxies that the run has learned from, say so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from redshift_core import pdf
from redshift_core.errors import DamagedError
from redshift_core.evaluation.bins import finite_pairs
from redshift_core.store import RunFolder
from redshift_core.store.arrays import load_arrays
from redshift_core.store.records import Evaluation, Guess, Learned, Remark

FEWEST = 30  # galaxies; the mean error of fewer moves by some 15 % and more with other ones
SAME = 1e-6  # MAE of a guess that is right for every galaxy
ERROR, WARNING, NOTE = "error", "warning", "note"  # levels of a remark, gravest first


def median_redshift(run: RunFolder) -> float | None:
    """Median redshift of a run's training galaxies; None where nothing holds it.

    Of a run trained by an earlier version that of its smoothed prior.
    """
    if (known := run.environment.get("guess", {}).get("z")) is not None:
        return float(known)
    if not run.prior_path.exists():
        return None
    return float(pdf.point(load_arrays(run.prior_path)["training"][None])[0])


def guess(z: float | None, z_spec: ArrayLike, z_phot: ArrayLike) -> Guess | None:
    """Error of giving each galaxy the redshift ``z``, of the galaxies that got one from the run.

    Examples
    --------
    >>> found = guess(0.2, [0.1, 0.2, 0.5], [0.1, 0.2, 0.3])
    >>> round(found.mae, 4)
    0.1333
    """
    if z is None:
        return None
    spec, _ = finite_pairs(z_spec, z_phot)
    return Guess(z=z, mae=float(np.abs(spec - z).mean()) if len(spec) else None)


def remarks(metrics: Evaluation) -> tuple[Remark, ...]:
    """What must be said beside the figures of an evaluation, gravest first."""
    found = [*_worse(metrics.mae, metrics.guess, metrics.n, "galaxies")]
    found += _few(metrics.n)
    if metrics.learned:
        found += _learned(metrics.learned, metrics.n)
    return tuple(found)


def remarks_of_run(run: RunFolder) -> tuple[Remark, ...]:
    """What must be said of a run that has ended: of its own test rows, else of validation.

    Reads only JSON; nothing for a run of an earlier version, or one that is not yet validated.
    """
    with contextlib.suppress(DamagedError):
        if metrics := run.metrics(run.config.dataset):
            return metrics.remarks or ()
        known, val_mae = run.environment.get("guess"), run.result.get("val_mae")
        if known and val_mae is not None:
            validation = Guess(z=known["z"], mae=known["val_mae"])
            n = run.environment.get("split", {}).get("val", 0)
            return tuple(_worse(val_mae, validation, n, "validation galaxies"))
    return ()


def _worse(mae: float, known: Guess | None, n: int, what: str) -> Iterator[Remark]:
    if known is None or known.mae is None or not mae > known.mae:
        return
    these = f"these {n:,} {what}" if n != 1 else f"this one {what.replace('ies', 'y')}"
    if known.mae < SAME:
        yield Remark(
            level=ERROR,
            text=f"Of {these} each redshift is {known.z:.4f}, the median one of the training "
            "galaxies, so the figures do not say whether the network can tell redshifts "
            "apart. Train and judge it on galaxies of many redshifts.",
        )
        return
    yield Remark(
        level=ERROR,
        text=f"This run is worse than no network: on {these} its mean absolute error is "
        f"{mae:.4f}, and it is {known.mae:.4f} where each gets {known.z:.4f}, the median redshift "
        "of the training galaxies. Do not use its redshifts: train on more galaxies, or with "
        "another preset.",
    )


def _few(n: int) -> Iterator[Remark]:
    if said := too_few(n):
        yield Remark(level=WARNING, text=said)


def too_few(n: int) -> str:
    """What to say of figures from ``n`` galaxies; nothing where they are enough."""
    if n >= FEWEST:
        return ""
    text = "one galaxy" if n == 1 else f"{n} galaxies"
    return (
        f"Nothing can be concluded from {text}: with others, each figure here could be quite "
        f"another. Judge the run on {FEWEST} or more."
    )


def _learned(learned: Learned, n: int) -> Iterator[Remark]:
    if learned.n_counted:
        yield Remark(
            level=WARNING,
            text=f"{learned.n_counted:,} of these {n:,} galaxies stand in the training or "
            "validation part too, by their spectrum or their source id, so the figures are too "
            "good. Train again with repeats = together.",
        )
    if learned.n_left_out:
        by_id = learned.n_left_out - learned.n_by_spectrum
        yield Remark(
            level=NOTE,
            text=f"{learned.n_left_out:,} rows were left out, since the run has learned from these "
            f"galaxies: {learned.n_by_spectrum:,} are known by their spectrum, and {by_id:,} by "
            "their source id alone.",
        )
    if learned.unknown:
        yield Remark(
            level=WARNING,
            text="Whether the run has learned from some of these galaxies could not be checked: it "
            "does not hold what it has learned from, and neither does this store.",
        )


def gravest(found: Sequence[Remark] | None) -> Sequence[Remark]:
    """Those in red."""
    return [one for one in found or () if one.level == ERROR]
