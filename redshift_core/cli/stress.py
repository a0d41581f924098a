"""The command that says how far a run's redshifts can be trusted on other spectra."""

from __future__ import annotations

from typing import Annotated

import typer

from redshift_core import jobs
from redshift_core.cli.follow import run_job
from redshift_core.cli.output import JsonOption, emit, table
from redshift_core.cli.results import judged_dataset
from redshift_core.cli.training import RunArgument
from redshift_core.constants import shown
from redshift_core.store import Store
from redshift_core.store.records import Stress


def stress(
    run: RunArgument,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Another dataset, all of whose usable rows count; else the run's test rows."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a run on rounded, noisy, miscalibrated and shifted spectra: where it can be trusted."""
    store = Store()
    folder = store.run(run)
    chosen = judged_dataset(store, folder, dataset)
    job = jobs.start(store, "stress", run=folder.id, dataset=chosen.id)
    if result := run_job(job, as_json):
        found = Stress.from_dict(result, job.result_path)
        emit(result, lambda: stress_text(found), as_json)


def stress_text(result: Stress) -> str:
    """The table for people, and what it says."""
    from redshift_core.evaluation.stress import sentences

    mark = " (SIMULATED)" if result.simulated else ""
    what = "test rows" if result.rows == "test" else "every usable row"
    headers = (
        "SPECTRA", "MAE", "RATIO", "± (68 %)", "σ_NMAD", "68 % COVERS", "OUTSIDE", "UNLIKE",
    )  # fmt: skip
    rows = [
        (
            line.label, line.mae, shown(line.ratio, ".3f"),
            shown(line.ratio_error, ".3f"), line.sigma_nmad,
            shown(line.coverage68, ".1%"), shown(line.outside, ".1%"), line.unlike,
        )
        for line in result.lines
    ]  # fmt: skip
    if n_flagged := result.n_flagged:
        what += f"; flagged rows, not counted: {n_flagged:,}"
    lines = [f"{result.dataset}{mark}, {what}", table(headers, rows), ""]
    return "\n".join([*lines, *sentences(result.lines)])
