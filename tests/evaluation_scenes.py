"""Kills an evaluation at every step that changes a name, and tells what is to be read afterwards.

``python evaluation_scenes.py RUN DATASET``: paths of a run's folder and of a dataset's. For every
step, a child judges the run anew with another redshift and is killed just before that step. One
JSON line each: ``step``, and of what is left ``z_phot``, ``z_pdf``, ``mae`` (None without an
evaluation), and ``listed``. The last line is that of a child that was left alone.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from redshift_core import pdf
from redshift_core.evaluation.predictions import open_densities
from redshift_core.prediction import judgement
from redshift_core.prediction.reader import Answer, Reader
from redshift_core.store import DatasetFolder, RunFolder, read_json

STEPS = ((os, "replace"), (os, "rename"), (shutil, "rmtree"))


def evaluate(run: RunFolder, dataset: DatasetFolder, place: int) -> None:
    """Judge the run as if its network gave every galaxy the same narrow p(z)."""

    def answer(flux: np.ndarray) -> Answer:
        density = np.zeros((len(flux), 240), np.float32)
        density[:, place] = 1 / pdf.WIDTH
        return Answer(pdf.point(density), density)

    judgement.bootstrap = judgement.evaluate_pdf = lambda *_, **__: {}  # seconds, and no files
    judgement.open_reader = lambda run, coverage: Reader(answer, coverage, pdf.Estimate(), {})
    judgement.evaluate_run(run, dataset)


def pause_before(wanted: int) -> None:
    """Stop this process for good when it comes to one of the steps."""
    steps = itertools.count()
    for module, name in STEPS:

        def step(*arguments, real, **options):
            if next(steps) == wanted:
                os.kill(os.getpid(), signal.SIGSTOP)
                signal.pause()  # another thread may take the signal, and this one go on a while
            return real(*arguments, **options)

        setattr(module, name, functools.partial(step, real=getattr(module, name)))


def seen(run: RunFolder, dataset: str) -> dict:
    """Redshifts, densities and metrics of an evaluation, as a reader finds them."""
    found = {"listed": run.evaluated(), "z_phot": None, "z_pdf": None, "mae": None}
    if run.metrics_path(dataset).exists():
        table = pd.read_parquet(run.predictions_path(dataset))
        density = open_densities(run.pdf_path(dataset), len(table))
        error = float(np.abs(table.z_phot - table.z_spec).mean())
        found |= {"z_phot": table.z_phot.median(), "z_pdf": float(np.median(pdf.point(density)))}
        found |= {"mae": read_json(run.metrics_path(dataset))["mae"], "error": error}
    return found


def main(run: RunFolder, dataset: DatasetFolder) -> None:
    evaluate(run, dataset, 40)
    for step in itertools.count():
        child = os.fork()
        if child == 0:
            pause_before(step)
            evaluate(run, dataset, 80 + step)
            os._exit(0)
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        print(json.dumps({"step": step, **seen(run, dataset.id)}), flush=True)
        if not os.WIFSTOPPED(status):
            return


if __name__ == "__main__":
    begin = time.monotonic()
    main(RunFolder(Path(sys.argv[1])), DatasetFolder(Path(sys.argv[2])))
    print(f"{time.monotonic() - begin:.1f} s", file=sys.stderr)
