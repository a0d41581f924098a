"""The bench command: networks and baselines side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from redshift_core import jobs
from redshift_core.cli.follow import check, follow
from redshift_core.cli.output import JsonOption, emit, say
from redshift_core.cli.rules import name_option
from redshift_core.cli.training import DetachOption
from redshift_core.settings.bench import (
    PEERS,
    QUICK,
    ROWS,
    SCALE,
    BenchConfig,
    installed,
    scale_rows,
)
from redshift_core.store import BenchFolder, Store, read_json

USUAL = BenchConfig()
SIZES = ",".join(map(str, SCALE))


def bench(
    n: Annotated[int | None, typer.Option(help=f"Galaxies to simulate; else {USUAL.n}.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the survey.")] = USUAL.seed,
    dataset: Annotated[
        str | None, typer.Option(help="A dataset of the store in place of a simulated survey.")
    ] = None,
    only: Annotated[
        str, typer.Option(metavar="ROWS", help=f"Some of {','.join(ROWS)}, by commas.")
    ] = "",
    epochs_dissertation: Annotated[
        int | None,
        typer.Option(help=f"Of the dissertation's recipe; else {USUAL.epochs_dissertation}."),
    ] = None,
    epochs: Annotated[
        int, typer.Option(help="Epochs of the other networks; 0 takes each preset's own.")
    ] = 0,
    flat_n: Annotated[
        int, typer.Option(help="Galaxies with flat redshifts on which `best` is judged too.")
    ] = 0,
    flat_seed: Annotated[int, typer.Option(help="Seed of those.")] = USUAL.flat_seed,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=f"{QUICK['n']:,} galaxies, {QUICK['epochs_dissertation']} epochs of the "
            "dissertation's recipe: a few minutes.",
        ),
    ] = False,
    resume: Annotated[
        str | None, typer.Option(metavar="BENCH", help="Go on with a bench; `latest` is one too.")
    ] = None,
    scale: Annotated[
        bool,
        typer.Option("--scale", help="Measure instead what each step costs as galaxies grow."),
    ] = False,
    rows: Annotated[
        str | None,
        typer.Option(help="Numbers of galaxies of --scale, by commas.", show_default=SIZES),
    ] = None,
    name: Annotated[str, name_option("Name of the bench.")] = "",
    detach: DetachOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure networks and baselines side by side: accuracy, time, speed, memory.

    Needs an otherwise idle machine. Ctrl-C stops it, --resume goes on; each row is kept when done.
    """
    store = Store()
    if scale:
        _measure_scale(store, rows, resume, detach, as_json)
        return
    if resume:
        folder = store.bench(resume)
        if not jobs.status(folder).active:  # else it goes on by itself and is only followed
            jobs.resume_bench(folder)
    else:
        given = {"n": n, "epochs_dissertation": epochs_dissertation}
        values = {key: value for key, value in given.items() if value is not None}
        chosen = tuple(word.strip() for word in only.split(",")) if only else USUAL.rows
        config = BenchConfig(
            dataset=dataset or "", seed=seed, rows=chosen, epochs=epochs, flat_n=flat_n,
            flat_seed=flat_seed, **{**(QUICK if quick else {}), **values},
        )  # fmt: skip
        _say_what_is_left_out(only)
        folder = jobs.start_bench(store, config, name)
    say(f"Bench {folder.id}; to resume it after a stop: redshift-lab bench --resume {folder.id}")
    _finish(folder, detach, as_json)


def _measure_scale(
    store: Store, rows: str | None, resume: str | None, detach: bool, as_json: bool
) -> None:
    """Start, or go on with, a bench of sizes; print its tables, and fail where a step failed."""
    if resume:
        folder = store.job(resume)
        if not jobs.status(folder).active:
            jobs.submit(folder, folder.request)
    else:
        folder = jobs.start(store, "scale", rows=scale_rows(rows or SIZES))
    command = f"redshift-lab bench --scale --resume {folder.id}"
    say(f"Bench {folder.id} (SIMULATED); to resume it after a stop: {command}")
    status = check(folder, jobs.status(folder) if detach else follow(folder))
    value = {"state": status.state, **(read_json(folder.output / "scale.json") or {})}
    text = folder.output / "scale.md"

    def said() -> str:
        ending = f"{folder.id} is {status.state}. Also in {folder.output}."
        return f"{text.read_text(encoding='utf-8')}\n{ending}" if text.exists() else ending

    emit(value, said, as_json)
    if value.get("failed") and not status.active:
        raise typer.Exit(1)


def _say_what_is_left_out(only: str) -> None:
    """Name the rows that a bench of all rows lacks, as their packages are not installed."""
    missing = [row for row in PEERS if not installed(row)]
    if missing and not only:
        say(f"Left out: {', '.join(missing)}; get them with pip install 'redshift-lab[peers]'.")


def _finish(folder: BenchFolder, detach: bool, as_json: bool) -> None:
    """Follow a bench to its end, print its table, and fail where it or a row failed."""
    status = check(folder, jobs.status(folder) if detach else follow(folder))
    value = {"state": status.state, **(read_json(folder.json_path) or {"bench": folder.id})}

    def text() -> str:
        if not folder.table_path.exists():
            return f"{folder.id} is {status.state}; no row is done yet."
        ending = f"{folder.id} is {status.state}. Also in {folder.output}."
        return f"{folder.table_path.read_text(encoding='utf-8')}\n{ending}"

    emit(value, text, as_json)
    if value.get("failed") and not status.active:
        raise typer.Exit(1)
