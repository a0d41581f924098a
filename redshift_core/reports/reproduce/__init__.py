"""The dissertation, figure by figure and table by table, from a dataset and a run here.

Its Tables 1 to 3 and Figures 9 to 18 in the order of its chapters; the page and the HTML file walk
the same items. Source: A. Kiraleos (see ``reference``).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from redshift_core.data import open_dataset
from redshift_core.reports import document
from redshift_core.reports.document import Part, Section, Table
from redshift_core.reports.reproduce import network_items, result_items, survey_items
from redshift_core.reports.reproduce.discrepancies import DISCREPANCIES, Discrepancy
from redshift_core.reports.reproduce.source import FEW_EPOCHS, MANY_EPOCHS, Item, Source
from redshift_core.store import JobContext, RunFolder, Store

__all__ = [
    "CHAPTERS",
    "DISCREPANCIES",
    "FEW_EPOCHS",
    "ITEMS",
    "MANY_EPOCHS",
    "Discrepancy",
    "Item",
    "Source",
    "discrepancies_table",
    "newest_run",
    "notes",
    "reproduce_job",
    "runs_on",
    "sections",
    "write_reproduction",
]

CHAPTERS: dict[str, tuple[Item, ...]] = {
    "Data": survey_items.ITEMS,
    "Network": network_items.ITEMS,
    "Results": result_items.ITEMS,
}
ITEMS = tuple(item for items in CHAPTERS.values() for item in items)


def notes(source: Source) -> list[str]:
    """What must be known before anything here is compared with what was published."""
    if source.is_private:
        return [
            "The three galaxies of the published Table 1 are in this dataset, so it is the "
            "dissertation's own: its numbers can match up to the chance in training."
        ]
    sentences = [
        "The dissertation's file of 520,393 galaxies is not public, and this dataset is another "
        "one: what can match only on that file is said beside each figure."
    ]
    if source.simulated:
        sentences.append(
            "These spectra are SIMULATED, and the simulator was built after the published redshift "
            "distribution and average spectra: agreement in Figures 9 and 11 is no finding."
        )
    return sentences


def discrepancies_table() -> Table:
    """Where the dissertation's text and its own numbers part."""
    frame = pd.DataFrame(
        [(one.text, one.finding) for one in DISCREPANCIES], columns=["The text", "Its own numbers"]
    )
    caption = "Each finding follows from the published Table 3 or from the published listing."
    return Table(frame, "remarks", caption, "What the text says beside what its numbers say")


def runs_on(store: Store, dataset: str) -> list[RunFolder]:
    """Runs on a dataset, the newest first, those of the dissertation's preset before others."""
    found = []
    for run in store.runs():
        try:
            config = run.config
        except ValueError:  # settings that cannot be read
            continue
        if config.dataset == dataset:
            found.append((config.preset != "dissertation", run))
    return [run for _, run in sorted(found, key=lambda pair: pair[0])]


def newest_run(store: Store, dataset: str) -> RunFolder | None:
    """Newest run of the dissertation's preset on a dataset that has finished; None without."""
    return next(
        (
            run
            for run in runs_on(store, dataset)
            if run.config.preset == "dissertation"
            and run.result.get("stopped") is False
            and run.model_path.exists()
        ),
        None,
    )


def sections(source: Source) -> list[Section]:
    """The whole of it for a document: notes, every item, remarks."""
    listed = [Section("Before you compare", notes(source))]
    for item in ITEMS:
        parts: list[Part] = [item.says]
        missing = item.missing(source)
        parts += [missing] if missing else item.build(source)
        parts += filter(None, [item.reservation(source)])
        listed.append(Section(item.heading, parts))
    return [*listed, Section("Where text and numbers disagree", [discrepancies_table()])]


def write_reproduction(source: Source, out: Path) -> Path:
    """Write it all to one self-contained HTML file."""
    run = f"run {source.run.name} ({source.run.id})" if source.run else "no run yet"
    lead = (
        "A. Kiraleos, “Application of Machine Learning Methods on Astronomical Databases”, its "
        f"figures and tables made again from dataset {source.dataset.name} "
        f"({source.dataset.id}), {run}."
    )
    text = document.render("The dissertation, reproduced", lead, sections(source), source.simulated)
    return document.write(out, text)


def reproduce_job(context: JobContext) -> dict[str, Any]:
    """Job: ``dataset``, ``run`` (may be empty), ``seed`` → files: one HTML file."""
    request = context.request
    dataset = open_dataset(context.store.dataset(request["dataset"]))
    run = context.store.run(request["run"]) if request.get("run") else None
    context.report(message="Drawing every figure.", now=True)
    shutil.rmtree(context.folder.output, ignore_errors=True)
    context.folder.output.mkdir()
    out = context.folder.output / "reproduction.html"
    write_reproduction(Source(dataset, run, int(request.get("seed", 0))), out)
    return {"run": request.get("run"), "dataset": dataset.id, "files": [str(out)]}
