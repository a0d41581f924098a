"""The command that lists short jobs and removes the files that they made for download."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from redshift_core.cli.output import JsonOption, emit, table
from redshift_core.constants import size_text
from redshift_core.jobs import housekeeping, status
from redshift_core.store import Store


def list_jobs(
    clean: Annotated[
        bool,
        typer.Option(
            "--clean", help="Remove the outputs of jobs that have ended, and leftovers, for good."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the short jobs, newest first, with the size of the files they made for download."""
    store = Store()
    if clean:
        cleaned = housekeeping.clean(store)
        value = {"cleaned": cleaned.jobs, "leftovers": cleaned.leftovers, "bytes": cleaned.n_bytes}
        emit(value, cleaned.text, as_json)
        return
    listed = _lines(store)
    emit(listed, lambda: _text(listed), as_json)


def _lines(store: Store) -> list[dict[str, Any]]:
    sizes = {output.job.id: output.n_bytes for output in housekeeping.outputs(store)}
    lines = []
    for job in store.jobs():
        state = status(job)
        age = round(time.time() - state.submitted) if state.submitted else None
        lines.append(
            {
                "id": job.id,
                "kind": state.kind,
                "state": state.state,
                "age": age,  # s since it was submitted
                "bytes": sizes.get(job.id, 0),  # of its output
            }
        )
    return lines


def _text(lines: list[dict[str, Any]]) -> str:
    if not lines:
        return "No short jobs yet; evaluate, predict, report and others make one each."
    rows = [
        (
            line["id"], line["kind"], line["state"],
            None if line["age"] is None else age_text(line["age"]),
            size_text(line["bytes"]) if line["bytes"] else None,
        )
        for line in lines
    ]  # fmt: skip
    total = size_text(sum(line["bytes"] for line in lines))
    listed = table(("ID", "KIND", "STATE", "AGE", "OUTPUT"), rows)
    return f"{listed}\nOutputs: {total} in all; redshift-lab jobs --clean removes them."


def age_text(seconds: float) -> str:
    """Time since something, in its largest unit.

    Examples
    --------
    >>> age_text(50), age_text(7300), age_text(200_000)
    ('50 s', '2 h', '2 d')
    """
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"
