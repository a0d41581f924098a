"""The child process that executes one job: ``python -m redshift_core.jobs.worker <job folder>``.

It waits for its turn, does what `JOBS` names for its kind, and writes down how that ended. Modules
are named by strings, so this process loads only what its job needs.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import platform
import signal
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from redshift_core.errors import InputError
from redshift_core.jobs import extras, housekeeping, lost, queue
from redshift_core.jobs.machine import peak_memory
from redshift_core.store import (
    BenchFolder,
    JobContext,
    JobFolder,
    LimitFolder,
    RunFolder,
    Stopped,
    Store,
    TuningFolder,
    write_json,
)
from redshift_core.store.files import own_passing_folder

FOLDERS = {"runs": RunFolder, "tuning": TuningFolder, "limits": LimitFolder, "bench": BenchFolder}
JOBS = {
    "train": "redshift_core.learning.training:train_and_judge",
    "tune": "redshift_core.learning.tuning.job:tune_job",
    "coordinate": "redshift_core.learning.tuning.job:tune_job",
    "limit": "redshift_core.learning.studies.limit:limit_job",
    "bench": "redshift_core.learning.studies.bench.run:bench_job",
    "scale": "redshift_core.learning.studies.scale:scale_job",
    "baseline": "redshift_core.learning.studies.bench.measure:baseline_job",
    "speed": "redshift_core.learning.studies.bench.measure:speed_job",
    "ingest": "redshift_core.data:ingest_job",
    "fetch": "redshift_core.data.archive:fetch_job",
    "simulate": "redshift_core.simulation:simulate_job",
    "evaluate": "redshift_core.prediction:evaluate_job",
    "predict": "redshift_core.prediction:predict_job",
    "catalogue": "redshift_core.prediction.catalogue:catalogue_job",
    "adapt": "redshift_core.learning.adaptation:adapt_job",
    "stress": "redshift_core.prediction:stress_job",
    "explain": "redshift_core.learning.explain:explain_job",
    "onnx": "redshift_core.learning.onnx_file:onnx_job",
    "report": "redshift_core.reports.run:report_job",
    "reproduce": "redshift_core.reports.reproduce:reproduce_job",
}


def main(path: str) -> int:
    """Execute one job; exit code 0: finished or stopped, 1: failed, 2: the user can fix it."""
    folder = Path(path).resolve()
    job = FOLDERS.get(folder.parent.name, JobFolder)(folder)
    context = JobContext.of(job)
    _stop_when_told_to_end(job)
    process = psutil.Process()
    started = process.create_time()
    try:
        here = {"host": platform.node(), **asdict(lost.own_limits())}
        context.set_state("queued", pid=process.pid, pid_started=started, **here)
        with queue.slot(context):
            context.set_state("running", message="")
            begin = time.monotonic()
            result = _execute(context)
            result = {**result, "process": _spent(time.monotonic() - begin)}
        write_json(job.result_path, result)
    except Stopped:
        context.set_state("stopped", message="Stopped while it waited.")
    except Exception as error:
        if said := lost.remedy(error, job):
            context.set_state("failed", message=said, user_error=True)
        if isinstance(error, InputError):
            return 2
        with contextlib.suppress(OSError):  # the log may be on the disk that is full
            traceback.print_exc()
        if said:
            return 2
        context.set_state("failed", message=f"{type(error).__name__}: {error}")
        return 1
    else:
        context.set_state("stopped" if result.get("stopped") else "finished")
    return 0


def _stop_when_told_to_end(job: JobFolder) -> None:
    """Take SIGTERM, which a machine sends that goes down, for the wish to stop; a second one ends.

    A job that is stopped saves what it has and leaves nothing half-written.
    """

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with contextlib.suppress(OSError):
            job.stop_path.touch()

    signal.signal(signal.SIGTERM, stop)


def _execute(context: JobContext) -> dict[str, Any]:
    kind = context.request["kind"]
    module, function = JOBS[kind].split(":")
    try:
        return getattr(importlib.import_module(module), function)(context)
    except ModuleNotFoundError as error:
        if error.name in extras.PACKAGES:
            raise InputError(extras.sentence(kind)) from error
        raise


def _spent(seconds: float) -> dict[str, float]:
    """What this process took: s since its turn came, s of CPU, most bytes of memory at once."""
    return {
        "seconds": seconds,
        "cpu_seconds": time.process_time(),
        "peak_memory": peak_memory(),
    }


def keep_house(path: str) -> None:
    """Remove outputs above the limit, and leftovers; what goes wrong is only logged."""
    try:
        cleaned = housekeeping.keep_within_limit(Store(Path(path).resolve().parent.parent))
    except InputError as error:
        print(error)
    except Exception:  # the job is done, and must not fail for it
        traceback.print_exc()
    else:
        if cleaned.n_bytes:
            print(f"Housekeeping: {cleaned.text()}")


if __name__ == "__main__":
    gc.set_threshold(200_000)  # TensorFlow has a million objects; at 700 all is search for garbage
    with own_passing_folder():
        code = main(sys.argv[1])
    keep_house(sys.argv[1])
    sys.exit(code)
