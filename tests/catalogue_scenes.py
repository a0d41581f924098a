"""A catalogue of spectra in parts, and a run that predicts it without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

from redshift_core.constants import N_PIXELS, N_Z_BINS
from redshift_core.data.split import split_rows
from redshift_core.evaluation import training_range
from redshift_core.prediction.reader import MADE_OF, PER_CALL
from redshift_core.settings.presets import preset
from redshift_core.store import JobContext, RunFolder, Store, file_digest, write_json
from redshift_core.store.arrays import save_arrays


def make_run(store: Store, flux: np.ndarray, name: str = "light") -> RunFolder:
    """Run that gives p(z): one layer of random weights, as an ONNX file that fits its model."""
    config = preset("fast", "none").with_values({"head": "pdf", "loss": "cross_entropy"})
    run = store.new_run(name)
    write_json(run.config_path, config.to_dict())
    split = split_rows(np.arange(len(flux)), config.split)
    split.save(run.split_path)
    training_range.fit_coverage(flux, split.train, split.val).save(run.coverage_path)
    save_arrays(run.prior_path, {"training": np.linspace(2, 4 / 3, N_Z_BINS)})
    about = {"id": "none", "sha256": "", "simulated": True, "simulator_version": 2}
    write_json(run.environment_path, {"dataset": about})
    learn(run, 1)
    return run


def learn(run: RunFolder, seed: int) -> None:
    """Give a run other weights: a model that only its ONNX file describes."""
    run.model_path.write_bytes(b"model %d" % seed)
    rng = np.random.default_rng(seed)
    weights = rng.normal(0, 2e-3, (N_PIXELS, N_Z_BINS)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["flux", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["p"], axis=1),
        ],
        "light",
        [helper.make_tensor_value_info("flux", TensorProto.FLOAT, ["n", N_PIXELS])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", N_Z_BINS])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    props = {MADE_OF: file_digest(run.model_path), PER_CALL: json.dumps(512)}
    helper.set_model_props(model, props)
    onnx.save(model, run.onnx_path)


def write_part(path: Path, flux: np.ndarray, first: int, **columns: np.ndarray) -> Path:
    """Parquet part whose source ids begin at ``first``, its fluxes lists in one column."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = np.arange(first, first + len(flux), dtype=np.int64)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(flux.ravel()), N_PIXELS)
    pq.write_table(pa.table({"source_id": ids, "flux": lists, **columns}), path)
    return path


def context(store: Store, kind: str, **request: object) -> JobContext:
    """Context of a job that is executed in this process."""
    folder = store.new_job(kind)
    request = {key: str(one) if isinstance(one, Path) else one for key, one in request.items()}
    write_json(folder.request_path, {"kind": kind, **request})
    return JobContext.of(folder)
