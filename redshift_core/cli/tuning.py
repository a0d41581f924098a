"""Commands about searches: tune, trials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from redshift_core import jobs
from redshift_core.cli.datasets import existing_file
from redshift_core.cli.follow import check, follow
from redshift_core.cli.output import JsonOption, damaged_lines, emit, listing, say, table
from redshift_core.cli.rules import name_option
from redshift_core.cli.training import DetachOption, parse_settings
from redshift_core.constants import counted
from redshift_core.errors import InputError
from redshift_core.settings.presets import PRESETS, preset
from redshift_core.settings.run import RunConfig
from redshift_core.settings.search import ALGORITHMS, OBJECTIVES, TuningConfig
from redshift_core.settings.space import DEFAULT_SPACE, Parameter
from redshift_core.store import Store, TuningFolder
from redshift_core.store.records import Trial, dicts
from redshift_core.store.simulator_version import simulated_mark

USUAL = TuningConfig()
OWN = {  # settings of a run of which a search has its own
    "epochs": "--epochs gives the epochs of each trial",
    "early_stopping": "--early-stopping says when a trial ends",
    "keep": "a trial is judged at its best epoch",
}


def tune(
    dataset: Annotated[
        str | None, typer.Argument(metavar="DATASET", help="Id or name; not with --resume.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(help=f"Trials in all; {USUAL.trials} where not given.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="Epochs of each trial.")] = USUAL.epochs,
    algorithm: Annotated[str, typer.Option(help=f"{', '.join(ALGORITHMS)}.")] = USUAL.algorithm,
    workers: Annotated[int, typer.Option(help="Trials at a time here.")] = USUAL.workers,
    hours: Annotated[
        float, typer.Option(help="Begin no trial later than this; 0 sets no limit.")
    ] = USUAL.hours,
    train_share: Annotated[
        float, typer.Option(help="Share of the training rows that trials see.")
    ] = USUAL.train_share,
    early_stopping: Annotated[
        int, typer.Option(help="End a trial after so many epochs without progress; 0 never.")
    ] = USUAL.early_stopping,
    repeats: Annotated[
        int, typer.Option(help="Trainings of each trial, from different seeds.")
    ] = USUAL.repeats,
    objective: Annotated[
        str, typer.Option(help=f"What is minimised: {', '.join(OBJECTIVES)}.")
    ] = USUAL.objective,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = USUAL.seed,
    preset_name: Annotated[
        str, typer.Option("--preset", help=f"What is not searched: {' or '.join(PRESETS)}.")
    ] = "fast",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Fix one setting; may be repeated."),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(help="JSON file: a list of parameters; else the dissertation's names."),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="TUNING", help="Go on with a search; --trials in all.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler whose workers train the trials."),
    ] = None,
    role: Annotated[str | None, typer.Option(hidden=True)] = None,
    chief: Annotated[str | None, typer.Option(hidden=True)] = None,
    name: Annotated[str, name_option("Name of the search.")] = "",
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Search for a network: Bayesian, random, grid or Hyperband; Ctrl-C stops it.

    Parameters of --space look like {"name": "learning_rate", "kind": "float", "low": 1e-4,
    "high": 1e-2, "log": true}; kinds are int, float, choice (with "choices") and fixed ("value").
    """
    if role or chief:
        raise InputError(
            "--role and --chief are gone: start `dask scheduler` and `dask worker`, and give the "
            "scheduler's address with --scheduler tcp://HOST:8786."
        )
    request = {"scheduler": scheduler} if scheduler else {}
    store = Store()
    if resume:
        tuning = jobs.resume_tuning(store.tuning(resume), trials, **request)
    else:
        if not dataset:
            raise InputError("Name a dataset, or a search with --resume.")
        folder = store.dataset(dataset)
        fixed = _fixed(settings)
        base = preset(preset_name, folder.id).with_values(fixed)
        config = TuningConfig(
            dataset=folder.id,
            base=base,
            algorithm=algorithm,
            trials=USUAL.trials if trials is None else trials,
            epochs=epochs,
            hours=hours,
            early_stopping=early_stopping,
            train_share=train_share,
            repeats=repeats,
            seed=seed,
            objective=objective,
            workers=workers,
            space=_space(space, fixed),
        )
        tuning = jobs.start_tuning(store, config, name, **request)
        say(f"Search {tuning.id} on {folder.id}{simulated_mark(folder.info)}.")
    _finish(tuning, detach, as_json)


def trials(
    tuning: Annotated[
        str, typer.Argument(metavar="TUNING", help="Id or name; `latest` is the newest.")
    ],
    as_json: JsonOption = False,
) -> None:
    """List the trials of a search, the best first."""
    folder = Store().tuning(tuning)
    score = folder.config.objective
    entries = sorted(folder.trials, key=lambda one: (one.score is None, one.score or 0.0))
    columns = {"trial": "trial", "state": "state", score: "score", "val_mae": "val_mae"}
    columns |= {key: key for key in ("epochs", "seconds", "n_parameters")}

    def text() -> str:
        if not entries:
            return f"{folder.id} has no trials yet."
        rows = [[*(getattr(one, key) for key in columns.values()), _values(one)] for one in entries]
        return table([key.upper() for key in (*columns, "values")], rows)

    emit(dicts(entries), text, as_json)


def tunings(as_json: JsonOption = False) -> None:
    """List the searches, newest first."""
    store = Store()
    columns = ("id", "name", "state", "algorithm", "dataset", "done", "trials", "val_mae")
    found = store.listed("tuning")
    listed = [_summary(folder) for folder, why in found if not why]
    listed += damaged_lines(found, (*columns, "note"))

    def text() -> str:
        if not listed:
            return "No searches yet; redshift-lab tune DATASET makes one."
        return listing(listed, columns)

    emit(listed, text, as_json)


def run_of_trial(store: Store, text: str) -> RunConfig:
    """Settings of the run that ``TUNING:TRIAL`` stands for; TRIAL may be ``best``."""
    from redshift_core.evaluation import trials

    name, colon, trial = text.rpartition(":")
    if not colon or not name or not trial:
        raise InputError(f"--from-trial {text!r} is not TUNING:TRIAL, for example latest:best.")
    return trials.run_config(store.tuning(name), trial)


def _fixed(settings: list[str] | None) -> dict[str, Any]:
    """Settings that are not searched; InputError for those of which a search has its own."""
    fixed = parse_settings(settings)
    for name, option in OWN.items():
        if name in fixed or f"training.{name}" in fixed:
            raise InputError(f"--set {name} says nothing in a search: {option}. Leave it out.")
    return fixed


def _space(path: Path | None, fixed: dict[str, Any]) -> tuple[Parameter, ...]:
    """What is searched: of the usual space what is not fixed, or the whole of a file."""
    if path is None:
        return tuple(one for one in DEFAULT_SPACE if one.name not in fixed)
    try:
        listed = json.loads(existing_file(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}.") from error
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise InputError(f"{path} must hold a list of parameters; see redshift-lab tune --help.")
    space = tuple(Parameter.from_dict(one) for one in listed)
    if both := [one.name for one in space if one.name in fixed]:
        raise InputError(
            f"{path} searches {' and '.join(both)}, and --set fixes it; leave it out of one of "
            "them."
        )
    return space


def _finish(tuning: TuningFolder, detach: bool, as_json: bool) -> None:
    """Follow a search to its end, print its result, and fail where it failed."""
    status = jobs.status(tuning) if detach else follow(tuning)
    result = tuning.result if not status.active else {}
    finished = tuning.finished
    best = finished[0] if finished else None
    value = {
        "tuning": tuning.id,
        "state": status.state,
        "trials": result.get("trials", len(finished)),
        "best": best and best.values,
        "trial": best and best.trial,
        "val_mae": best and best.val_mae,
        "score": best and best.score,
    }
    said = f"; best is trial {best.trial}, {_best(tuning, best)}" if best else ""
    emit(value, f"{tuning.id} {status.state}: {counted(value['trials'], 'trial')}{said}.", as_json)
    check(tuning, status)


def _summary(folder: TuningFolder) -> dict[str, Any]:
    """What the list says of a search."""
    config = folder.config
    finished = folder.finished
    return {
        "id": folder.id,
        "name": folder.name,
        "state": jobs.status(folder).state,
        "algorithm": config.algorithm,
        "dataset": config.dataset,
        "done": len(finished),
        "trials": config.trials,
        "val_mae": finished[0].val_mae if finished else None,
        "note": folder.note,
        "remark": "",
    }


def _best(tuning: TuningFolder, best: Trial) -> str:
    objective = tuning.config.objective
    score = "" if objective == "val_mae" else f", {objective} {best.score:.5f}"
    return f"validation MAE {best.val_mae:.5f}{score}"


def _values(trial: Trial) -> str:
    """Values of a trial, or the reason of its failure."""
    values = " ".join(f"{key}={_short(value)}" for key, value in trial.values.items())
    return f"{values} – {trial.message}" if trial.message else values


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
