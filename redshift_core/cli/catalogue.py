"""What ``predict`` does with a catalogue: a folder of parts, with a folder for the redshifts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from redshift_core import jobs
from redshift_core.cli.follow import check, describe, follow
from redshift_core.cli.output import emit, flagged_text
from redshift_core.constants import counted, duration
from redshift_core.errors import InputError
from redshift_core.settings.names import WRITTEN
from redshift_core.store import Store

FIGURES = (
    "rows", "parts", "n_parts", "n_failed", "failed", "flagged", "n_without_id", "seconds",
    "rows_now", "rate", "verdict", "out", "manifest", "hats", "simulated",
)  # fmt: skip


def is_catalogue(source: Path, out: Path | None) -> bool:
    """Whether a folder is to be predicted in parts, into a folder."""
    return source.is_dir() and out is not None and out.suffix.lower() not in WRITTEN


def predict_catalogue(
    store: Store,
    request: dict[str, Any],
    workers: int | None,
    scheduler: str | None,
    as_json: bool,
) -> None:
    """Follow the job, print what it came to, and end with exit code 1 where parts have failed."""
    from redshift_core.data.files import catalogue_root
    from redshift_core.data.parts import check_folders

    check_folders(catalogue_root(Path(request["file"])), Path(request["out"]))
    more = {"workers": workers, "scheduler": scheduler}
    request |= {name: value for name, value in more.items() if value is not None}
    job = jobs.start(store, "catalogue", **request)
    status = check(job, follow(job))
    if status.active:  # left to itself
        emit({"job": job.id, "state": status.state}, describe(status), as_json)
        return
    result = job.result
    value = {"job": job.id, "state": status.state} | {name: result[name] for name in FIGURES}
    if "recalibration" in result:
        value["recalibration"] = result["recalibration"]
    emit(value, lambda: text(value), as_json)
    if value["n_failed"]:
        raise typer.Exit(1)


def refuse_options(workers: int | None, scheduler: str | None) -> None:
    """InputError where an option was given that a single file has no use for."""
    given = {"--workers": workers, "--scheduler": scheduler}
    if named := [name for name, value in given.items() if value is not None]:
        raise InputError(
            f"{named[0]} is for a catalogue: give a folder of parts, and with --out a folder for "
            "the redshifts."
        )


def refuse_pdf(pdf: Path | None) -> None:
    """InputError where the densities of a catalogue were asked for."""
    if pdf:
        raise InputError(
            f"--pdf {pdf} is one file of p(z), and a catalogue is written in parts without them; "
            "predict a part by itself for its p(z)."
        )


def text(value: dict[str, Any]) -> str:
    """What a job on a catalogue came to, in lines."""
    lines = [
        f"{counted(value['rows'], 'redshift')} of {value['parts']:,} of "
        f"{counted(value['n_parts'], 'part')} in "
        f"{value['out']}; flagged: {flagged_text(value['flagged'])}."
    ]
    if n := value["n_without_id"]:
        lines.append(f"Rows without a source_id, which go by row of their part, from 0: {n:,}.")
    if value["rows_now"]:
        lines.append(
            f"{value['rows_now']:,} of them now, in {duration(value['seconds'])}: "
            f"{value['rate']:,.0f} spectra/s."
        )
    if value["rows"]:
        mark = " The run was trained on SIMULATED spectra." if value["simulated"] else ""
        lines.append(f"{value['verdict']['text']}{mark}")
    if value["hats"]:
        lines.append("The folder is a HATS catalogue, as the input is.")
    if found := value.get("recalibration"):
        from redshift_core.evaluation.recalibration import recalibration_text

        lines.append(recalibration_text(found))
    if n := value["n_failed"]:
        lines.append(f"{counted(n, 'part')} failed:")
        lines += [f"  {one['part']}: {one['why']}" for one in value["failed"]]
        lines += ["  …"] * (n > len(value["failed"]))
    if value["parts"] < value["n_parts"]:
        lines.append("The same command does what is missing.")
    return "\n".join(lines)
