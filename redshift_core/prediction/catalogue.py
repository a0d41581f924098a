"""The job that predicts a catalogue in parts, in this process or by Dask's workers, and resumes.

Only this process writes the manifest. A part is under way in one worker at a time, its result is
renamed when it is whole, and it counts when it stands in the manifest; whatever is killed, each row
is there once.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from redshift_core import __version__, data
from redshift_core.data.files import catalogue_root
from redshift_core.data.parts import check_folders, find_parts
from redshift_core.errors import InputError
from redshift_core.prediction.jobs import asked_estimate, fits_intervals
from redshift_core.prediction.judgement import metadata
from redshift_core.prediction.labels import recalibrated
from redshift_core.prediction.parts import Order, opened
from redshift_core.prediction.reader import onnx_predictor, open_coverage
from redshift_core.prediction.work import Work
from redshift_core.prediction.workers import results
from redshift_core.store import (
    JobContext,
    RunFolder,
    Stopped,
    Store,
    file_digest,
    origin,
    simulator_version,
)
from redshift_core.store.hats import hats_properties, kept_columns, make_hats
from redshift_core.store.manifest import Manifest

SAME = ("run", "model", "options")  # of a manifest, that must stay for the work to go on


def catalogue_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run``, ``file``, ``out`` → rows, parts, failed, flagged, verdict, seconds, rate, ….

    ``file`` is the folder of the catalogue and ``out`` that of the result. ``workers`` is a number
    of processes, by default one for each core, but for one where a training is at work;
    ``scheduler`` is the address of a Dask scheduler. The other entries are those of `predict_job`,
    without ``pdf``.
    """
    request = context.request
    run, root = context.store.run(request["run"]), catalogue_root(Path(request["file"]))
    out = check_folders(root, Path(request["out"]))
    coverage = open_coverage(run)
    order, fitted = _order(context, run, root, out)
    parts = find_parts(root)
    with Manifest(out, _about(order, fitted, request), SAME) as manifest:
        _sweep(out)
        work, more = Work(context, manifest, coverage, parts), {}
        try:
            with closing(results(order, work.undone(), context, work.look)) as lines:
                for record in lines:
                    work.add(record)
        except Stopped:
            more = {"stopped": True}
        finally:
            _sweep(out)
        result = {**work.result(), "simulated": order.about["SIMULATED spectra"], **more}
        result["hats"] = bool(hats_properties(root)) and work.n_done == len(parts)
        if result["hats"]:
            builder = f"redshift-lab {__version__}"
            make_hats(root, out, [part.out for part in parts], work.rows, builder)
        return {**result, **({"recalibration": fitted} if fitted else {})}


def _order(
    context: JobContext, run: RunFolder, root: Path, out: Path
) -> tuple[Order, dict[str, Any]]:
    """How the parts are predicted, and what fitting the intervals anew has brought, if asked."""
    request = context.request
    estimate, _ = asked_estimate(run, request)
    prior_file = Path(request["prior_file"]) if request.get("prior_file") else None
    model = file_digest(run.model_path)
    _have_onnx(run, model, context)
    found, fitted = None, {}
    text = estimate.text()
    if fits_intervals(request):
        reader = opened(run.path, model, text, prior_file, None)
        reader, fitted = recalibrated(reader, run, context)
        found = reader.recalibration
    simulated = bool(simulator_version.trained_on(run, context.store).get("simulated"))
    about = metadata(run, simulated or origin.learned_on_simulated(run), estimate, fitted)
    columns, kept = request.get("columns"), kept_columns(root)
    order = Order(run.path, model, root, out, columns, text, prior_file, found, kept, about)
    return order, fitted


def _about(order: Order, fitted: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """First line of the manifest."""
    columns = data.parse_columns(request.get("columns"))
    prior = file_digest(order.prior_file) if order.prior_file else ""
    return {
        "run": order.run.name,
        "model": order.model,
        "options": {
            "columns": columns, "estimate": order.estimate, "prior": prior, "intervals": fitted
        },
        "catalogue": str(order.root),
        "SIMULATED spectra": order.about["SIMULATED spectra"],
        "redshift-lab": __version__,
    }  # fmt: skip


def _have_onnx(run: RunFolder, model: str, context: JobContext) -> None:
    """Write the run's ONNX file where it has none that fits, in a process that ends."""
    try:
        onnx_predictor(run.onnx_path.read_bytes(), made_of=model)
        return
    except Exception as error:  # whatever is wrong with it, the model itself is there
        print(f"{run.onnx_path} is written: {error}")
    context.report(message="Writing the network as an ONNX file.", now=True)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(_write_onnx, run, context.store).result()


def _write_onnx(run: RunFolder, store: Store) -> None:
    try:
        from redshift_core.learning.onnx_file import write_onnx
    except ImportError as error:
        raise InputError(
            f"Run {run.id} has no ONNX file of its network, and {error.name}, which is needed to "
            f"write it, is not installed. Run `redshift-lab export {run.id} --onnx` where "
            "`redshift-lab[train]` is installed."
        ) from None
    write_onnx(run, run.onnx_path, store)


def _sweep(out: Path) -> None:
    """Remove what workers that were killed had begun to write."""
    for path in out.rglob(".tmp-*"):
        path.unlink(missing_ok=True)
