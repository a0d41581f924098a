"""A run judged on spectra that have suffered: rounding, noise, calibration errors, a shift."""

from __future__ import annotations

from typing import Any

import numpy as np

from redshift_core import data
from redshift_core.errors import InputError
from redshift_core.evaluation import stress
from redshift_core.evaluation.perturbations import SEED
from redshift_core.prediction.judgement import Report, rows_to_judge
from redshift_core.prediction.reader import open_coverage, open_reader
from redshift_core.store import DatasetFolder, RunFolder, write_json
from redshift_core.store.history import read_history


def stress_run(
    run: RunFolder, dataset: DatasetFolder, report: Report = lambda *_: None
) -> dict[str, Any]:
    """Judge a run on perturbed spectra of a dataset; adds ``stress.json`` to its evaluation.

    The rows are those of `evaluate_run`, of more than 20,000 a fixed part, evenly spread. With a
    PDF head z_phot is the median of p(z) under the training prior.

    Returns
    -------
    dict
        ``run``, ``dataset``, ``rows`` ("test" or "all"), ``n_rows`` there are, ``n_flagged`` (left
        out because ingest flagged them), ``simulated``, ``epochs`` the model was trained, ``seed``,
        and ``lines``: see `stress.judge`.

    Raises
    ------
    InputError
        Where the run was evaluated on the dataset meanwhile; nothing is added then.
    """
    evaluation = run.evaluation(dataset.id)
    stamp = evaluation.stamp
    coverage = open_coverage(run)
    opened = data.open_dataset(dataset)
    rows, own, n_flagged = rows_to_judge(run, dataset, opened)
    drawn = stress.some_rows(rows)
    lines = stress.judge(
        open_reader(run, coverage).predict,
        np.asarray(opened.flux[drawn]),
        np.asarray(opened.z_spec)[drawn],
        coverage,
        report,
    )
    result = {
        "run": run.id,
        "dataset": dataset.id,
        "rows": "test" if own else "all",
        "n_rows": len(rows),
        "n_flagged": n_flagged,
        "simulated": bool(dataset.info.get("simulated")),
        "epochs": len(read_history(run)),
        "seed": SEED,
        "lines": lines,
    }
    with evaluation.unchanged(stamp) as unchanged:
        if not unchanged:
            raise InputError(
                f"Run {run.id} was evaluated on {dataset.id} anew while its spectra were "
                "perturbed, so the result was not kept; perturb them again."
            )
        evaluation.path.mkdir(parents=True, exist_ok=True)
        write_json(evaluation.stress_path, result)
    return result
