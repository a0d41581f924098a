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


def network_row(run: RunFolder, dataset: str, speed: JobFolder, resumed: bool) -> dict[str, Any]:
    """Row of a trained and judged network.

    Parameters
    ----------
    speed : JobFolder
        Finished job of `measure.speed_job`.
    resumed : bool
        Whether it was trained by more than one process; what they spent in all is not known.
    """
    history, environment = read_history(run), run.environment
    process = {} if resumed else run.result.get("process", {})
    return {
        **_common(run.config.preset, "network"),
        "run": run.id,
        **_accuracy(run.metrics(dataset).to_dict()),
        "epochs": len(history),
        "n_parameters": environment.get("n_parameters"),
        "split": environment.get("split", {}),
        "device": environment.get("device", {}).get("text"),
        "val_mae": run.result.get("val_mae", float(history.val_mae.iloc[-1])),
        "seconds": float(history.seconds.sum()),
        "val_curve": np.column_stack([history.seconds.cumsum(), history.val_mae]).tolist(),
        "resumed": resumed,
        **_cost(process),
        "spectra_per_second": speed.result["spectra_per_second"],
        "predict_memory": speed.result["peak_memory"],
        "stress": _by_name(speed.result["stress"]),
    }


def baseline_row(job: JobFolder) -> dict[str, Any]:
    """Row of a baseline whose job has finished."""
    result = job.result
    return {
        **_common(job.request["baseline"], "baseline"),
        "job": job.id,
        **_accuracy(result["metrics"]),
        **{key: result[key] for key in ("note", "split", "seconds", "spectra_per_second")},
        **_cost(result["process"]),
        "stress": _by_name(result["stress"]),
    }


def seconds_to_reach(row: dict[str, Any], val_mae: float) -> float | None:
    """Training time in s at which a network's validation MAE was first this low; None if never.

    Known at the end of each epoch, so it may have been sooner.

    Examples
    --------
    >>> seconds_to_reach({"val_curve": [[5.0, 0.03], [10.0, 0.02]]}, 0.025)
    10.0
    """
    reached = (seconds for seconds, mae in row.get("val_curve", ()) if mae <= val_mae)
    return next(reached, None)


def now() -> str:
    """Date and time, UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def _by_name(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Lines of `stress.judge` by the name of the perturbation, the unperturbed one first."""
    return {line["name"]: line for line in lines}


def _common(name: str, kind: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "about": ROWS[name], "finished": now()}


def _cost(process: dict[str, float]) -> dict[str, float | None]:
    names = {"worker_seconds": "seconds", "cpu_seconds": "cpu_seconds"}
    names |= {"peak_memory": "peak_memory"}
    return {name: process.get(key) for name, key in names.items()}


def _accuracy(metrics: dict[str, Any]) -> dict[str, Any]:
    """Every metric with its interval, and what is known of the p(z)."""
    figures: dict[str, Any] = {name: metrics[name] for name in METRICS}
    figures |= {"n_test": metrics["n"], "bins": metrics["bins"]}
    figures["intervals"] = metrics["intervals"]
    if found := metrics.get("pdf"):
        figures |= {name: found[name] for name in calibration.MEANS}
        figures["pit_ks"] = found["pit"]["ks"]
        figures["pdf"] = found
    return {key: None if _is_nan(value) else value for key, value in figures.items()}


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
