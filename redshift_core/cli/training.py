"""Commands about runs: train, adapt, stop, resume, runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from redshift_core import jobs
from redshift_core.cli.datasets import (
    BasesOption,
    ColumnsOption,
    SamplingOption,
    columns_request,
    existing_file,
)
from redshift_core.cli.follow import check, follow, run_job
from redshift_core.cli.manage import find
from redshift_core.cli.output import (
    JsonOption,
    damaged_lines,
    emit,
    flagged_text,
    listing,
    say,
    say_remarks,
)
from redshift_core.cli.rules import name_option
from redshift_core.constants import counted
from redshift_core.errors import InputError
from redshift_core.settings.names import FORMAT_TITLES
from redshift_core.settings.presets import PRESETS, preset
from redshift_core.settings.run import ON_RESUME, RunConfig
from redshift_core.store import (
    BenchFolder,
    DatasetFolder,
    LimitFolder,
    RunFolder,
    Store,
    TuningFolder,
    origin,
)
from redshift_core.store.base import BASE, is_base
from redshift_core.store.kept_lines import lines_of_runs
from redshift_core.store.simulator_version import simulated_mark

USUAL = "dissertation"  # preset where none is named
STOP_LIMIT = 60.0  # s that `stop` waits for the run to end

RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Id or name of a run; `latest` is the newest, `base` the "
        "network that comes with the product.",
    ),
]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Do not follow: return as soon as it has started.")
]
EpochsOption = Annotated[int | None, typer.Option(help="Epochs in all.")]


def train(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Id or name; `latest` is the newest.")
    ],
    preset_name: Annotated[
        str | None,
        typer.Option("--preset", help=f"{' or '.join(PRESETS)}.", show_default=USUAL),
    ] = None,
    epochs: EpochsOption = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace one setting; may be repeated."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights, order and dropout.")] = None,
    from_trial: Annotated[
        str | None,
        typer.Option(
            metavar="TUNING:TRIAL", help="Settings of a search's trial, or its `best`; no preset."
        ),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Start from the network and scaler of a trained run; no preset.",
        ),
    ] = None,
    name: Annotated[str, name_option("Name of the run.")] = "",
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a network on a dataset and follow it; Ctrl-C stops it, `resume` goes on.

    Settings are those of the Train page: --set batch_size=64 --set dense_units=256,128.

    With --from, the new run goes on from a trained one, which takes far fewer galaxies than from
    scratch where the survey is a similar one: see docs/fine-tuning.md.
    """
    from redshift_core.cli.tuning import run_of_trial
    from redshift_core.settings.layers import layer_table

    store = Store()
    folder = store.dataset(dataset)
    values = parse_settings(settings, epochs=epochs, seed=seed)
    if start_from:
        base = jobs.fine_tuned(store.run(start_from), folder)
    else:
        base = run_of_trial(store, from_trial) if from_trial else preset(preset_name or USUAL)
    config = dataclasses.replace(base, dataset=folder.id).with_values(values)
    layer_table(config.model, config.scaler.name)  # refuses layers that do not fit, before a run
    if not folder.info.get("has_z", True):
        raise InputError(
            f"Dataset {folder.id} has no redshifts to learn from; ingest a file that has a "
            "redshift column, or name the column with --columns."
        )
    say_remarks(_beforehand(config, folder))
    run = jobs.start_training(store, config, name)
    say(f"Run {run.id} on {folder.id}{simulated_mark(folder.info)}.")
    if said := origin.sentence(run):
        say(said)
    _finish(run, detach, as_json)


def _beforehand(config: RunConfig, folder: DatasetFolder) -> list[Any]:
    """What is said of few rows before a run starts; InputError where it has none to learn from."""
    from redshift_core.data import open_dataset
    from redshift_core.data.split import training_rows
    from redshift_core.jobs.preflight import few_rows

    n_rows = len(training_rows(open_dataset(folder), config.split))
    if not n_rows:
        reasons = flagged_text(folder.info.get("flagged", {}))
        raise InputError(
            f"No row of {folder.id} is fit for training: each was flagged at ingest ({reasons}). "
            "Choose another dataset, or mend the file."
        )
    return few_rows(config, n_rows)


def adapt(
    run: RunArgument,
    to: Annotated[
        str,
        typer.Option(
            metavar="SPECTRA",
            help=f"A file of spectra, {FORMAT_TITLES}, or a dataset's id or name; redshifts "
            "in it are not read.",
        ),
    ],
    columns: ColumnsOption = None,
    bases: BasesOption = None,
    sampling: SamplingOption = None,
    name: Annotated[str, name_option("Name of the new run.")] = "",
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a run anew for other spectra without redshifts, and follow it.

    A new dataset holds the run's spectra moved to the mean and covariance of
    the others, and a run with the same settings is trained on it. That mends
    what another instrument, noise or brightness does to the redshifts.

    Use it only where the redshifts of both are distributed alike, as in two
    samples picked by the same rule. Adapted to only distant galaxies, say, the
    new run gives wrong redshifts.
    """
    store = Store()
    folder = store.run(run)
    request: dict[str, Any] = {"run": folder.id, "name": name}
    if Path(to).expanduser().exists():
        request["file"] = str(existing_file(Path(to), folder=True))
    elif columns or bases or sampling:
        raise InputError(
            "--columns, --bases and --sampling say how a file is read, and --to names no file; "
            "leave them out."
        )
    else:
        request["dataset"] = _spectra_in_store(store, to)
    request |= columns_request(columns, bases, sampling)
    result = run_job(jobs.start(store, "adapt", **request), as_json)
    if result:
        dataset = store.dataset(result["dataset"])
        say(
            f"Run {result['run']} on {dataset.id}{simulated_mark(dataset.info)}, moved to "
            f"{counted(result['n_target'], 'spectrum')} of {result['target']}."
        )
        _finish(store.run(result["run"]), detach, as_json)


def _spectra_in_store(store: Store, name: str) -> str:
    """Id of the dataset that ``--to`` names where there is no such file."""
    try:
        return store.dataset(name).id
    except InputError as error:
        raise InputError(f"--to {name!r} is no file, and no dataset: {error}") from None


def stop(
    run: Annotated[
        str, typer.Argument(metavar="RUN-or-OTHER", help="Id or name; `latest` is the newest run.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Stop a run, a search, a study or a bench within a batch; it resumes where it stopped."""
    store = Store()
    kinds = {RunFolder: "run", TuningFolder: "tuning", LimitFolder: "limit", BenchFolder: "bench"}
    folder = store.run(run) if run == "latest" else find(store, run, *kinds)
    jobs.stop(folder)
    state = jobs.wait(folder, timeout=STOP_LIMIT).state
    kind = kinds[type(folder)]
    emit({kind: folder.id, "state": state}, f"{folder.id} is {state}.", as_json)


def resume(
    run: RunArgument,
    epochs: EpochsOption = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help=f"Change one setting from here on; may be repeated: {', '.join(ON_RESUME)}.",
        ),
    ] = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with a stopped, failed or lost run, or with a finished one for more epochs."""
    folder = jobs.resume(Store().run(run), settings=parse_settings(settings, epochs=epochs))
    _finish(folder, detach, as_json)


def runs(as_json: JsonOption = False) -> None:
    """List the runs, newest first."""
    columns = ("id", "name", "state", "preset", "dataset", "epochs", "val_mae", "test_mae")
    listed, damaged = lines_of_runs(Store(), _summary)
    listed += damaged_lines(damaged, (*columns, "note"))

    def text() -> str:
        if not listed:
            return (
                f"No runs yet; redshift-lab train DATASET makes one, and `{BASE}`, the network "
                "that comes with the product, needs no training."
            )
        tuned = any(line.get("start_from") for line in listed)
        return listing(listed, (*columns, "start_from") if tuned else columns)

    emit(listed, text, as_json)


def _finish(run: RunFolder, detach: bool, as_json: bool) -> None:
    """Follow a run to its end, print its result, and fail where it failed."""
    status = jobs.status(run) if detach else follow(run)
    val_mae = None if status.active else jobs.saved_val_mae(run, status)
    said = f" after {jobs.epochs_text(run)}" if status.state == "finished" else ""
    said += "" if val_mae is None else f"; validation MAE {val_mae:.5f}"
    remarks = () if status.active else _remarks(run)
    told = [one.to_dict() for one in remarks]
    emit(
        {"run": run.id, "state": status.state, "val_mae": val_mae, "remarks": told},
        f"{run.id} {status.state}{said}.",
        as_json,
    )
    say_remarks(remarks)
    check(run, status)


def _remarks(run: RunFolder) -> Sequence[Any]:
    """What must be said of a run that has ended."""
    from redshift_core.evaluation.honesty import remarks_of_run

    return remarks_of_run(run)


def parse_settings(items: list[str] | None, **options: Any) -> dict[str, Any]:
    """Settings of ``--set KEY=VALUE``, and those that have options of their own.

    Parameters
    ----------
    options : optional
        Value of the option of that name, ``epochs=…`` of ``--epochs``; None where not given.

    Raises
    ------
    InputError
        Where an item is not KEY=VALUE, or a setting is given twice.
    """
    values: dict[str, Any] = {}
    for item in items or []:
        key, equals, value = (word.strip() for word in item.partition("="))
        if not equals or not key:
            raise InputError(f"--set {item!r} is not KEY=VALUE, for example --set batch_size=64.")
        if key in values:
            raise InputError(f"--set gives {key} twice; leave one of the two out.")
        values[key] = value
    for key, value in options.items():
        if value is not None and key in values:
            raise InputError(f"--{key} and --set {key} both give {key}; leave one of the two out.")
    return values | {key: value for key, value in options.items() if value is not None}


def _summary(run: RunFolder) -> dict[str, Any]:
    """What the list says of a run."""
    config, status, info = run.config, jobs.status(run), run.info
    return {
        "id": run.id,
        "name": info.get("name") or run.name,
        "state": status.state,
        "preset": config.preset,
        "dataset": config.dataset,
        "epochs": run.epochs,
        "val_mae": jobs.saved_val_mae(run, status),
        "test_mae": run.evaluation(config.dataset).mae,
        "start_from": config.start_from,
        "note": info.get("note") or "",
        "remark": "The base network, which comes with the product." if is_base(run) else "",
    }
