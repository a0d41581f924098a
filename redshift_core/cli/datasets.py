"""Commands about surveys: simulate, study-simulation, ingest, datasets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from redshift_core import jobs
from redshift_core.cli.follow import Progress, run_job
from redshift_core.cli.output import JsonOption, damaged_lines, emit, flagged_text, listing, say
from redshift_core.cli.rules import name_option
from redshift_core.constants import counted
from redshift_core.errors import InputError
from redshift_core.jobs import Status
from redshift_core.settings.names import FORMAT_TITLES
from redshift_core.store import DatasetFolder, Store, simulator_version
from redshift_core.store.findings import findings
from redshift_core.store.simulator_version import simulated_mark

ColumnsOption = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="MAPPING",
        help="Columns that are not recognised by name: z=NAME,source_id=NAME,flux=PREFIX{}; "
        "or flux=FIRST:LAST, and none for what the file does not have.",
    ),
]
BasesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="XML",
        help="Basis functions of another release, as GaiaXPy's configuration, for a file of "
        "coefficients.",
    ),
]
SamplingOption = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV",
        help="Wavelengths of the pixels in nm, as ESA publishes them, for a file of coefficients; "
        "else the inferred grid.",
    ),
]


def simulate(
    n: Annotated[int, typer.Option(help="Number of galaxies.")] = 5000,
    seed: Annotated[int, typer.Option(help="Same seed, same survey.")] = 1,
    redshifts: Annotated[
        str, typer.Option(help="published, the dissertation's distribution, or flat.")
    ] = "published",
    out: Annotated[
        Path | None,
        typer.Option(help="File: .csv, .csv.gz or .parquet; without it, a dataset in the store."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a survey; everything in it is SIMULATED."""
    if out is None:
        job = jobs.start(Store(), "simulate", n=n, seed=seed, redshifts=redshifts)
        _report_dataset(run_job(job, as_json), as_json)
        return
    from redshift_core.simulation import write_survey

    start, cache = time.perf_counter(), Store().cache
    with _progress() as report:
        path = write_survey(
            out.expanduser().absolute(), n, seed, redshifts, report=report, cache=cache
        )
    seconds = time.perf_counter() - start
    value = {"out": str(path), "rows": n, "seed": seed, "redshifts": redshifts}
    value |= {"simulated": True, "seconds": round(seconds, 2)}
    emit(value, f"{counted(n, 'SIMULATED galaxy')} in {path} ({seconds:.1f} s).", as_json)


def study_simulation(
    n_per_range: Annotated[
        int, typer.Option("--n-per-range", "--n", min=100, help="Galaxies of each redshift range.")
    ] = 4000,
    rows: Annotated[
        int,
        typer.Option(
            min=100,
            help="Galaxies whose extremes, brightness and noise are looked at; fewer than the "
            "published survey's reach less far.",
        ),
    ] = 520_393,  # the published survey's; `reference` would bring pandas into every command
    seed: Annotated[int, typer.Option(min=0, help="Seed of the survey.")] = 1,
    bench: Annotated[
        str | None,
        typer.Option(help="Bench that says how hard the survey is for the dissertation's network."),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Also write the mean spectra and extremes as CSV there."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print what the simulated survey must reproduce, published beside SIMULATED."""
    from redshift_core.simulation import study

    store = Store()
    difficulty = study.difficulty_row(store.bench(bench).outcome if bench else None)
    if write and not write.is_dir():  # before a minute of simulating
        raise InputError(f"There is no folder {write}; make it or choose another.")
    with _progress() as report:
        measured = study.measure(n_per_range, rows, seed, store.cache, report)
    for path in study.write(measured, write) if write else ():
        say(f"{path} is written (SIMULATED).")
    found = [*study.compare(measured), difficulty]
    emit([row.to_dict() for row in found], lambda: study.report(found), as_json)


def ingest(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"{FORMAT_TITLES}.")],
    name: Annotated[str, name_option("Name of the dataset; else the file's.")] = "",
    columns: ColumnsOption = None,
    bases: BasesOption = None,
    sampling: SamplingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a file of spectra into the store; the same file twice is one dataset."""
    request: dict[str, Any] = {"file": str(existing_file(file, folder=True)), "name": name}
    request |= columns_request(columns, bases, sampling)
    _report_dataset(run_job(jobs.start(Store(), "ingest", **request), as_json), as_json, name)


def datasets(as_json: JsonOption = False) -> None:
    """List the datasets, newest first."""
    found, listed = Store().listed("datasets"), []
    for folder in (folder for folder, why in found if not why):
        info = folder.info
        listed.append(
            {
                "id": folder.id,
                "name": folder.name,
                "state": "ready",  # a dataset appears when it is whole
                "rows": info.get("n_rows"),
                "usable": info.get("n_usable"),
                "flagged": info.get("flagged", {}),
                "has_z": info.get("has_z"),
                "simulated": bool(info.get("simulated")),
                "simulator_version": simulator_version.version(info),
                "remark": simulator_version.remark(info),
                "note": folder.note,
                "findings": findings(info),
            }
        )
    columns = ("id", "name", "state", "rows", "usable", "has_z", "simulated", "note")
    listed += damaged_lines(found, (*columns, "flagged", "simulator_version"))

    def text() -> str:
        if not listed:
            return "No datasets yet; redshift-lab ingest FILE makes one."
        return listing(listed, columns)

    emit(listed, text, as_json)


def call_it(folder: DatasetFolder, name: str) -> None:
    """Give a dataset that was there already the name that was asked for now."""
    if name and folder.name != name:
        say(f"{folder.id} was called {folder.name}; its name is {name} now.")
        folder.update_info(name=name)


def columns_request(
    columns: str | None, bases: Path | None, sampling: Path | None
) -> dict[str, dict[str, str]]:
    """What a job is asked for of the columns of a file; nothing where no option was given."""
    from redshift_core.data.mapping import parse_columns

    wanted = parse_columns(columns)
    for key, path in (("bases", bases), ("sampling", sampling)):
        if path:
            wanted[key] = str(existing_file(path))
    return {"columns": wanted} if wanted else {}


def existing_file(path: Path, folder: bool = False) -> Path:
    """Absolute path of a file, or also of a folder of Parquet files, that exists."""
    path = path.expanduser().absolute()
    if not path.exists():
        raise InputError(f"There is no file {path}; check the name.")
    if folder and path.is_dir():
        from redshift_core.data.files import files_of

        files_of(path)  # refuses a folder without any
    elif not path.is_file():
        raise InputError(f"{path} is not a file; give a {FORMAT_TITLES} file.")
    return path


@contextmanager
def _progress() -> Iterator[Callable[[float, float, str], None]]:
    """Progress on stderr of what this process does itself: done, total, message."""
    progress = Progress()
    try:
        yield lambda done, total, message: progress(
            Status(state="running", done=done, total=total, message=message)
        )
    finally:
        progress.close()


def _report_dataset(result: dict[str, Any], as_json: bool, name: str = "") -> None:
    """Print what became of an ingest or a simulation; nothing where it was stopped."""
    if not result:
        return
    folder = Store().dataset(result["dataset"])
    call_it(folder, name)
    mark = simulated_mark(folder.info)
    there = "was in the store already" if result.get("existing") else "is in the store"
    said = findings(folder.info)
    text = (
        f"Dataset {folder.id}{mark} {there}: {counted(result['rows'], 'spectrum')}; "
        f"flagged: {flagged_text(result['flagged'])}."
    )
    emit({**result, "findings": said}, "\n".join([text, *said]), as_json)
    if remark := simulator_version.remark(folder.info):
        say(remark)
