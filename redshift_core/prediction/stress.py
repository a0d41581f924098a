"""Judges a run on perturbed spectra: rounding, noise, calibration errors, a shift."""

from __future__ import annotations

import numpy as np

from redshift_core.errors import InputError
from redshift_core.evaluation import stress
from redshift_core.evaluation.perturbations import SEED
from redshift_core.prediction.reader import open_coverage, open_reader
from redshift_core.prediction.rows import open_judged
from redshift_core.store import DatasetFolder, RunFolder, write_json
from redshift_core.store.history import read_history
from redshift_core.store.records import Stress


def stress_run(
    run: RunFolder, dataset: DatasetFolder, report: stress.Report = lambda *_: None
) -> Stress:
    """Judge a run on perturbed spectra of a dataset; adds ``stress.json`` to its evaluation.

    The rows are those of `evaluate_run`; if there are more than 20,000, a fixed and evenly spread
    selection of them. With a PDF head, z_phot is the median of p(z) under the training prior.

    Raises
    ------
    InputError
        If the run was evaluated on the dataset meanwhile; nothing is added then.
    """
    evaluation = run.evaluation(dataset.id)
    stamp = evaluation.stamp
    coverage = open_coverage(run)
    judged = open_judged(run, dataset)
    drawn = stress.some_rows(judged.rows)
    lines = stress.judge(
        open_reader(run, coverage).predict,
        np.asarray(judged.dataset.flux[drawn]),
        np.asarray(judged.dataset.z_spec)[drawn],
        coverage,
        report,
    )
    result = Stress(
        run=run.id,
        **judged.facts,
        n_rows=len(judged.rows),
        epochs=len(read_history(run)),
        seed=SEED,
        lines=tuple(lines),
    )
    with evaluation.unchanged(stamp) as unchanged:
        if not unchanged:
            raise InputError(
                f"Run {run.id} was evaluated on {dataset.id} again while its spectra were "
                "perturbed, so the result was not kept. Start the perturbations again."
            )
        evaluation.path.mkdir(parents=True, exist_ok=True)
        write_json(evaluation.stress_path, result.to_dict())
    return result
