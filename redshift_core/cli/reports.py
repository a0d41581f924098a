"""Commands that hand results on: reproduce, report, export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from redshift_core import jobs
from redshift_core.cli.datasets import existing_file
from redshift_core.cli.follow import check, follow, run_job
from redshift_core.cli.output import JsonOption, emit, say
from redshift_core.cli.results import say_worse
from redshift_core.cli.training import RunArgument
from redshift_core.errors import InputError
from redshift_core.settings.presets import preset
from redshift_core.store import DatasetFolder, RunFolder, Store
from redshift_core.store.simulator_version import simulated_mark


def reproduce(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Id or name; `latest` is the newest.")
    ],
    run: Annotated[
        str | None,
        typer.Option(
            help="Run to show; else the newest of the dissertation's preset, or a new one."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs in all; a run that has fewer goes on.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="HTML file; reproduction-RUN.html where not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make the dissertation's figures and tables again, the published beside them, as HTML.

    Trains its network where no run of it has finished on the dataset; Ctrl-C stops that.
    """
    from redshift_core.data import open_dataset
    from redshift_core.reports.reproduce import ITEMS, Source, newest_run, write_reproduction
    from redshift_core.store.tables import check_out

    store = Store()
    folder = store.dataset(dataset)
    chosen = store.run(run) if run else newest_run(store, folder.id)
    if chosen and chosen.config.dataset != folder.id:
        raise InputError(
            f"Run {chosen.id} was trained on {chosen.config.dataset}, not on {folder.id}; choose "
            "another run or dataset."
        )
    if out is not None:
        check_out(out, suffixes=(".html",))  # before hours of training
    chosen = _trained(store, folder, chosen, epochs, as_json)
    if chosen is None or not _evaluated(store, chosen, folder, as_json):
        return
    target = write_reproduction(
        Source(open_dataset(folder), chosen), out or Path(f"reproduction-{chosen.id}.html")
    )
    said = f"{len(ITEMS)} figures and tables{simulated_mark(folder.info)} in {target}."
    emit({"run": chosen.id, "out": str(target), "items": len(ITEMS)}, said, as_json)


def report(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="HTML file to write.")],
    dataset: Annotated[
        str | None, typer.Option(help="Evaluation to show; else that of the run's own test rows.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one self-contained HTML file about a run; it opens without network."""
    from redshift_core.reports.run import write_report

    store = Store()
    folder = store.run(run)
    known = {one.id for one in store.datasets()} | set(folder.evaluated())
    judged = dataset if not dataset or dataset in known else store.dataset(dataset).id
    target = write_report(folder, out, store, judged or "")
    emit(_written(folder, target), f"Report of {folder.id} in {target}.", as_json)


def export(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option(help="ZIP file to write; with --onnx RUN.onnx where not given.")
    ] = None,
    onnx: Annotated[
        bool,
        typer.Option("--onnx", help="Write the network as one ONNX file for other programs."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Pack a run into a ZIP file for another store: settings, model, history, evaluations.

    With --onnx: raw flux in, redshift or p(z) out, checked against Keras; docs/use-elsewhere.md.
    """
    from redshift_core.store.archive import export_run

    store = Store()
    folder = store.run(run)
    if (state := jobs.status(folder)).active:
        raise InputError(f"{folder.id} is {state.state}; export it when it has ended.")
    if onnx:
        _export_onnx(store, folder, out or Path(f"{folder.id}.onnx"), as_json)
        return
    if out is None:
        raise InputError("The ZIP file to write is missing; name it: --out run.zip.")
    target = export_run(folder, out)
    say_worse(folder)
    emit(_written(folder, target), f"{folder.id} is packed in {target}.", as_json)


def import_run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="ZIP file that export wrote.")],
    as_json: JsonOption = False,
) -> None:
    """Take in a run that was packed elsewhere; nothing is overwritten."""
    from redshift_core.store.archive import import_run as take_in

    folder, existing = take_in(Store(), existing_file(file))
    said = "was here already" if existing else "is in the store"
    value = {"run": folder.id, "name": folder.name, "existing": existing}
    emit(value, f"Run {folder.id} ({folder.name}) {said}.", as_json)


def _trained(
    store: Store, dataset: DatasetFolder, run: RunFolder | None, epochs: int | None, as_json: bool
) -> RunFolder | None:
    """The run with the epochs asked for, trained where need be; None where that was stopped."""
    if run is None:
        config = preset("dissertation", dataset.id)
        run = jobs.start_training(store, config.with_values({"epochs": epochs} if epochs else {}))
        say(f"Training the dissertation's network{simulated_mark(dataset.info)}: run {run.id}.")
    elif epochs and run.result.get("epochs", 0) < epochs and not jobs.status(run).active:
        jobs.resume(run, epochs)
        say(f"Run {run.id} goes on to {epochs} epochs.")
    elif not jobs.status(run).active:
        return run
    status = check(run, follow(run))
    if status.state == "finished":
        return run
    emit({"run": run.id, "state": status.state}, f"{run.id} is {status.state}.", as_json)
    return None


def _evaluated(store: Store, run: RunFolder, dataset: DatasetFolder, as_json: bool) -> bool:
    """Judge a run on its test rows where it has not been; False where that was stopped."""
    if run.metrics(dataset.id):
        return True
    job = jobs.start(store, "evaluate", run=run.id, dataset=dataset.id)
    return bool(run_job(job, as_json))


def _export_onnx(store: Store, run: RunFolder, out: Path, as_json: bool) -> None:
    from redshift_core.store.tables import check_out

    target = check_out(out, suffixes=(".onnx",))
    result = run_job(jobs.start(store, "onnx", run=run.id, out=str(target)), as_json)
    if result:
        said = (
            f"{run.id} is in {target}, equal to Keras to {result['difference']:.0e} on "
            f"{result['spectra']:,} spectra."
        )
        mark = " The run was trained on SIMULATED spectra." if result["simulated"] else ""
        emit({**_written(run, target), **result}, said + mark, as_json)


def _written(run: RunFolder, path: Path) -> dict[str, Any]:
    return {"run": run.id, "out": str(path), "bytes": path.stat().st_size}
