"""The command that fetches spectra from an archive into a dataset."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from redshift_core import jobs
from redshift_core.cli.datasets import BasesOption, SamplingOption, call_it, existing_file
from redshift_core.cli.follow import JobFailed, run_job
from redshift_core.cli.output import JsonOption, emit, flagged_text, say
from redshift_core.cli.rules import name_option
from redshift_core.constants import counted
from redshift_core.errors import InputError
from redshift_core.store import JobFolder, Store
from redshift_core.store.findings import findings

WORDS = ("sdss", "desi", "ugc", "none")  # redshifts that are no file


def fetch(
    cuts: Annotated[
        str,
        typer.Argument(
            metavar="CUTS",
            help="With --candidates: pure, or a condition in ADQL on g (gaia_source) and c "
            "(galaxy_candidates).",
        ),
    ] = "",
    service: Annotated[
        str,
        typer.Option(
            help="esa, aip, ari, the URL of a service that speaks ESA's protocol, NAME=URL for a "
            "mirror, or a folder of XpContinuousMeanSpectrum_*.csv.gz files.",
        ),
    ] = "esa",
    ids: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Table with a column source_id, or one id a line."),
    ] = None,
    adql: Annotated[
        str, typer.Option(metavar="TEXT", help="Query that gives source_id, ra, dec and others.")
    ] = "",
    candidates: Annotated[
        bool, typer.Option("--candidates", help="Galaxy candidates that have a spectrum.")
    ] = False,
    cone: Annotated[
        str,
        typer.Option(
            metavar="RA,DEC,RADIUS",
            help="Circle in degrees: of candidates, or alone of all sources with a spectrum.",
        ),
    ] = "",
    redshifts: Annotated[
        str,
        typer.Option(
            metavar="FILE|sdss|desi|ugc|none",
            help="Where redshifts come from: a table with z and source_id or ra and dec, CDS "
            "X-Match, or the archive's own (only to compare with).",
        ),
    ] = "none",
    matched_only: Annotated[
        bool, typer.Option("--matched-only", help="Fetch only sources that have a redshift.")
    ] = False,
    name: Annotated[str, name_option("Name of the dataset.")] = "",
    release: Annotated[str, typer.Option(help="Release of the archive.")] = "Gaia DR3",
    count: Annotated[
        bool,
        typer.Option("--count", help="Only say how many sources it would be, and show the query."),
    ] = False,
    bases: BasesOption = None,
    sampling: SamplingOption = None,
    chunk: Annotated[
        int, typer.Option(min=0, help="Sources asked for at once; 0: what suits the service.")
    ] = 0,
    tries: Annotated[int, typer.Option(min=1, help="Times a call is made before giving up.")] = 6,
    wait: Annotated[
        float, typer.Option(min=0, help="s before the second try, doubled for each further one.")
    ] = 4.0,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="s of silence after which a call is given up.")
    ] = 900.0,
    as_json: JsonOption = False,
) -> None:
    """Fetch spectra from Gaia's archive; stopped or killed, the same command goes on."""
    request: dict[str, Any] = {
        "service": _service(service), "release": release,
        "redshifts": redshifts if redshifts in WORDS else str(existing_file(Path(redshifts))),
        "matched_only": matched_only, "count": count, "chunk": chunk, "tries": tries,
        "wait": wait, "timeout": timeout,
    }  # fmt: skip
    for key, path in (("bases", bases), ("sampling", sampling)):
        request[key] = str(existing_file(path)) if path else ""
    request |= _sample(ids, adql, candidates, cuts, cone, release)
    if matched_only and redshifts == "none":
        raise InputError(
            "--matched-only leaves nothing with --redshifts none; name where redshifts come from."
        )
    if not (name or count):
        raise InputError("Give the dataset a name: --name NAME.")
    try:
        result = run_job(_job({**request, "name": name}), as_json)
    except JobFailed as error:
        if error.code == 1:  # it was killed, or crashed
            say(_goes_on())
        raise
    if count and result:
        emit(result, lambda: _counted(result), as_json)
    elif result:
        call_it(Store().dataset(result["dataset"]), name)
        _report(result, as_json)
    else:
        say(_goes_on())


def _sample(
    ids: Path | None, adql: str, candidates: bool, cuts: str, cone: str, release: str
) -> dict[str, str]:
    """The sample as a job's request names it: a file of ids, or a query."""
    from redshift_core.data.archive import adql as queries

    circle = queries.parse_cone(cone) if cone else None
    chosen = [ids is not None, bool(adql), candidates or circle is not None]
    if sum(chosen) != 1:
        raise InputError(
            "Choose one sample: --ids FILE, --adql TEXT, or --candidates [CUTS] and --cone "
            "RA,DEC,RADIUS."
        )
    if ids is not None:
        return {"ids": str(existing_file(ids))}
    if candidates:
        adql = queries.candidates(release, cuts, circle)
    elif circle:
        adql = queries.around(release, circle)
    return {"adql": adql}


def _service(text: str) -> str:
    """A service that is known; a folder by its absolute path."""
    from redshift_core.data.archive.services import site_of

    site_of(text)
    path = Path(text).expanduser()
    return str(path.absolute()) if path.is_dir() else text


def _job(request: dict[str, Any]) -> JobFolder:
    """The job that does this already, else a new one."""
    store = Store()
    for job, now in jobs.at_work(store):
        if now.kind == "fetch" and job.request == {"kind": "fetch", **request}:
            say(f"{job.id} fetches this already.")
            return job
    return jobs.start(store, "fetch", **request)


def _goes_on() -> str:
    return (
        f"What has come is kept; the same command goes on: redshift-lab {shlex.join(sys.argv[1:])}"
    )


def _counted(result: dict[str, Any]) -> str:
    lines = [
        f"{counted(result['rows'], 'source')}: {counted(result['calls'], 'call')} to "
        f"{result['service']} for their spectra, about {result['megabytes']:,} MB. Nothing was "
        "fetched."
    ]
    return "\n".join([*lines, *filter(None, [result["adql"]])])


def _report(result: dict[str, Any], as_json: bool) -> None:
    n_missing = len(result["missing"])
    there = "was in the store already" if result.pop("existing") else "is in the store"
    lacking = (
        f" The archive has no spectrum of {counted(n_missing, 'source')}; "
        "missing.csv in the dataset's folder names them."
    )
    text = (
        f"Dataset {result['dataset']} {there}: {counted(result['rows'], 'spectrum')}; "
        f"flagged: {flagged_text(result['flagged'])}.{lacking if n_missing else ''}"
    )
    if result["file"]:
        text += f" As a file, for predict: {result['file']}"
    value = {key: value for key, value in result.items() if key != "process"}
    said = findings(Store().dataset(result["dataset"]).info)
    emit({**value, "findings": said}, "\n".join([text, *said]), as_json)
