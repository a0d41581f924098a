"""The figures of one row of a bench, from what its run or its job left on disk.

A network's time is the sum of its epochs, validation passes included; a baseline's that of fitting
what was kept. Neither holds the start of the process, the reading and scaling of the spectra or
the judging: ``worker_seconds`` and ``cpu_seconds`` hold all of that too.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from redshift_core.evaluation import calibration
from redshift_core.evaluation.metrics import METRICS
from redshift_core.settings.bench import ROWS
from redshift_core.store import JobFolder, RunFolder
from redshift_core.store.history import read_history
from redshift_core.store.records import Evaluation, StressLine
from redshift_core.store.study_records import BenchRow


def network_row(
    run: RunFolder, dataset: str, speed: JobFolder, resumed: bool, facts: dict[str, Any]
) -> BenchRow:
    """Row of a trained and judged network.

    Parameters
    ----------
    speed : JobFolder
        Finished job of `measure.speed_job`.
    resumed : bool
        Whether it was trained by more than one process; what they spent in all is not known.
    facts : dict
        ``machine``, ``versions``, ``commit`` and ``simulated``, the same for every row.
    """
    history, environment = read_history(run), run.environment
    process = {} if resumed else run.result.get("process", {})
    return _row(
        run.config.preset,
        "network",
        run.metrics(dataset),
        speed,
        run=run.id,
        epochs=len(history),
        n_parameters=environment.get("n_parameters"),
        split=environment.get("split", {}),
        device=environment.get("device", {}).get("text"),
        val_mae=run.result.get("val_mae", float(history.val_mae.iloc[-1])),
        seconds=float(history.seconds.sum()),
        val_curve=tuple(np.column_stack([history.seconds.cumsum(), history.val_mae]).tolist()),
        resumed=resumed,
        **_cost(process),
        spectra_per_second=speed.result["spectra_per_second"],
        predict_memory=speed.result["peak_memory"],
        **facts,
    )


def baseline_row(job: JobFolder, facts: dict[str, Any]) -> BenchRow:
    """Row of a baseline whose job has finished; ``facts`` as for `network_row`."""
    result = job.result
    return _row(
        job.request["baseline"],
        "baseline",
        Evaluation.from_dict(result["metrics"], job.result_path),
        job,
        job=job.id,
        **{key: result[key] for key in ("note", "split", "seconds", "spectra_per_second")},
        **_cost(result["process"]),
        **facts,
    )


def seconds_to_reach(row: BenchRow, val_mae: float) -> float | None:
    """Training time in s at which a network's validation MAE was first this low; None if never.

    Known at the end of each epoch, so it may have been sooner.

    Examples
    --------
    >>> curve = ([5.0, 0.03], [10.0, 0.02])
    >>> row = BenchRow(name="fast", seconds=10.0, intervals={}, val_curve=curve)
    >>> seconds_to_reach(row, 0.025)
    10.0
    """
    reached = (seconds for seconds, mae in row.val_curve or () if mae <= val_mae)
    return next(reached, None)


def now() -> str:
    """Date and time, UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def _row(name: str, kind: str, judged: Evaluation, stress: JobFolder, **values: Any) -> BenchRow:
    """Row with the figures of merit of its test rows, and a job's errors on perturbed spectra."""
    lines = [StressLine.from_dict(one, stress.result_path) for one in stress.result["stress"]]
    pdf = judged.pdf or {}
    figures = {key: judged.figures[key] for key in METRICS}
    if pdf:
        figures |= {key: pdf[key] for key in calibration.MEANS} | {"pit_ks": pdf["pit"]["ks"]}
    return BenchRow(
        name=name,
        kind=kind,
        about=ROWS[name],
        finished=now(),
        figures={key: None if _is_nan(value) else value for key, value in figures.items()},
        n_test=judged.n,
        bins=judged.bins,
        intervals=judged.intervals or {},
        pdf=judged.pdf,
        stress={line.name: line for line in lines},  # the unperturbed first
        **values,
    )


def _cost(process: dict[str, float]) -> dict[str, float | None]:
    names = {"worker_seconds": "seconds", "cpu_seconds": "cpu_seconds"}
    names |= {"peak_memory": "peak_memory"}
    return {name: process.get(key) for name, key in names.items()}


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
