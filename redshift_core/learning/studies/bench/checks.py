"""Further checks of `best`: a survey with flat redshifts, and spectra that are no galaxies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from redshift_core.evaluation.bins import evaluate
from redshift_core.evaluation.predictions import read_judged
from redshift_core.evaluation.training_range import coverage_of
from redshift_core.pdf import FLAT, TRAINING, Estimate
from redshift_core.reports.bench_rows import now
from redshift_core.store import RunFolder
from redshift_core.store.arrays import load_arrays
from redshift_core.store.records import Evaluation
from redshift_core.store.study_records import Outsiders, Tail

N_OUTSIDERS = 1_000  # spectra of each kind
SEED = 7  # of those spectra


def tail(run: RunFolder, datasets: Mapping[str, str]) -> Tail:
    """Errors of the medians of p(z) under the training prior and the flat one.

    Parameters
    ----------
    run : RunFolder
        A run that gives p(z).
    datasets : mapping
        Name → id of a dataset that the run was evaluated on.
        The names are ``flat`` and ``test``.
    """
    priors = load_arrays(run.prior_path)
    errors: dict[str, dict[str, Evaluation]] = {}
    for name, dataset in datasets.items():
        paths = run.predictions_path(dataset), run.pdf_path(dataset)
        judged = {
            prior: read_judged(*paths, Estimate("median", prior), priors)
            for prior in (TRAINING, FLAT)
        }
        errors[name] = {prior: evaluate(one.z_spec, one.z_phot) for prior, one in judged.items()}
    return Tail(finished=now(), datasets=dict(datasets), **errors)


def outsiders(run: RunFolder, dataset: str, cache: Path) -> Outsiders:
    """Share of spectra flagged as outside the training range, among test rows and no galaxies."""
    from redshift_core.simulation.adversaries import KINDS, adversaries

    coverage = coverage_of(run)
    flux = {kind: adversaries(kind, N_OUTSIDERS, SEED, cache) for kind in KINDS}
    metrics = run.metrics(dataset)
    return Outsiders(
        finished=now(),
        n=N_OUTSIDERS,
        flagged={kind: float(coverage.outside(one).mean()) for kind, one in flux.items()},
        galaxies=metrics.n_outside_training_range / metrics.n,
    )
