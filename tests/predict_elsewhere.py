"""Has tests predict in another process, which cannot import TensorFlow.

``REDSHIFT_LAB_WITHOUT_TENSORFLOW=1 pytest tests/test_prediction.py tests/test_flagged.py …``: what
a test asks of `redshift_core.prediction` is computed there, with the ONNX file of the run, which is
written here beforehand as a training does. The tests compare that with Keras, which they load here.
"""

from __future__ import annotations

import functools
import os
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from redshift_core import prediction
from redshift_core.prediction import reader
from redshift_core.store import CHECKOUT, RunFolder, Store

WANTED = os.environ.get("REDSHIFT_LAB_WITHOUT_TENSORFLOW") == "1"
BLOCKED = Path(__file__).with_name("without_tensorflow")
CALLS = ("evaluate_job", "evaluate_run", "judge_again", "predict_job", "stress_job", "stress_run")


def patch_all(patch: pytest.MonkeyPatch) -> ProcessPoolExecutor:
    """Have the calls computed elsewhere; the process that does, which is to be shut down."""
    with pytest.MonkeyPatch.context() as env:
        env.setenv("PYTHONPATH", os.pathsep.join([str(BLOCKED), str(CHECKOUT)]))
        pool = ProcessPoolExecutor(1, get_context("spawn"))
        assert pool.submit(find_spec, "tensorflow").result() is None
    for name in CALLS:
        patch.setattr(prediction, name, functools.partial(_elsewhere, pool, name))
    return pool


def _elsewhere(pool: ProcessPoolExecutor, name: str, first: Any, *arguments: Any) -> Any:
    run = first if isinstance(first, RunFolder) else first.store.run(first.request["run"])
    _make_portable(run)
    return pool.submit(_apply, name, first, *arguments).result()


def _apply(name: str, *arguments: Any) -> Any:
    return getattr(prediction, name)(*arguments)


def _make_portable(run: RunFolder) -> None:
    """Write the ONNX file of a run that has none, or one of another model."""
    from redshift_core.learning.training.portable import leave_onnx

    if not run.model_path.exists():
        return
    try:
        reader.onnx_predictor(
            run.onnx_path.read_bytes(), made_of=reader.file_digest(run.model_path)
        )
    except Exception:
        leave_onnx(run, Store(run.path.parent.parent))
