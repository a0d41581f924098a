"""One run as one HTML file: what it was made from and with, how it learned, how good it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from redshift_core import __version__, figures, reference
from redshift_core.constants import MISSING, Z_MAX, Z_MIN, counted
from redshift_core.data import galaxies_of
from redshift_core.errors import InputError
from redshift_core.evaluation import density_metrics, incumbent, statistics
from redshift_core.evaluation.comparison import settings_table
from redshift_core.evaluation.error_table import CAPTION, FORMATS, error_table
from redshift_core.evaluation.incumbent import Beside, beside
from redshift_core.evaluation.metrics import METRICS
from redshift_core.evaluation.predictions import Predictions, read_judged
from redshift_core.reports import document
from redshift_core.reports.document import Chart, Part, Section, Table
from redshift_core.settings.layers import layer_table
from redshift_core.settings.presets import PRESETS
from redshift_core.store import (
    JobContext,
    RunFolder,
    Store,
    archive,
    origin,
    simulator_version,
    slug,
    write_json,
)
from redshift_core.store.history import read_history
from redshift_core.store.records import Evaluation
from redshift_core.store.tables import cell_text


def write_report(run: RunFolder, out: Path, store: Store, dataset: str = "") -> Path:
    """Write the report of a run; needs neither TensorFlow nor the dataset.

    Parameters
    ----------
    dataset : str
        Id of a dataset the run was evaluated on; its own, else the newest, where empty.
    """
    judged = _judged_on(run, dataset)
    metrics = run.metrics(judged) if judged else None
    marked = metrics and metrics.simulated
    simulated = bool(run.trained_on.get("simulated") if marked is None else marked)
    lead = (
        f"Run {run.id}, preset {run.config.preset}, trained on "
        f"{run.trained_on.get('name', MISSING)}; report of Redshift Lab {__version__}."
    )
    if said := origin.sentence(run):
        lead += f" {said}"
    names = {folder.id: folder.name for folder in store.datasets()}
    sections = [
        _results(names.get(judged, judged), metrics),
        _learning(run),
        *(_errors(run, judged, metrics) if metrics else ()),
        _settings(run),
        _provenance(run, store, judged),
        _environment(run),
    ]
    return document.write(out, document.render(run.name, lead, sections, simulated))


def write_explanation(result: Mapping[str, Any], out: Path) -> Path:
    """Write what the job ``explain`` found: a figure, ``.html``, or the numbers, ``.json``."""
    if out.suffix == ".json":
        write_json(out, dict(result))
        return out
    caption = figures.EXPLANATION_CAPTION.format(**result)
    alt = "Spectrum of one galaxy, and the effect of each group of its pixels on the redshift"
    parts = [*result["sentences"], Chart(figures.explanation(result), caption, alt)]
    title = f"Why this redshift? Row {result['row']:,} of {result['dataset']}"
    lead = f"Run {result['run']}."
    if result["source_id"] not in (None, result["row"]):  # else the row number stands in
        lead = f"Source {result['source_id']}, run {result['run']}."
    sections = [Section("What mattered", parts)]
    return document.write(out, document.render(title, lead, sections, result["simulated"]))


def report_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run`` and, if wanted, ``dataset`` → files: the report and the ZIP of the run."""
    run, output = context.store.run(context.request["run"]), context.folder.output
    context.report(message="Writing the report.", now=True)
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    name = slug(run.name, "run")
    report = write_report(
        run, output / f"{name}.html", context.store, context.request.get("dataset", "")
    )
    context.report(message="Packing the run.", now=True)
    packed = archive.export_run(run, output / f"{name}.zip")
    return {"run": run.id, "files": [str(report), str(packed)]}


def _judged_on(run: RunFolder, dataset: str) -> str:
    evaluated = run.evaluated()
    if dataset and dataset not in evaluated:
        raise InputError(
            f"Run {run.id} was not evaluated on {dataset}; evaluate it there first "
            f"(redshift-lab evaluate {run.id} --dataset {dataset}), or leave --dataset out."
        )
    own = [run.config.dataset] if run.config.dataset in evaluated else []
    return next(iter([dataset] if dataset else own + evaluated), "")


def _results(dataset: str, metrics: Evaluation | None) -> Section:
    if not metrics:
        return Section("Results", ["This run has not been evaluated yet."])
    what = "its own test rows" if metrics.rows in (None, "test") else "every usable row"
    lead = f"Predictions on {counted(metrics.n, 'galaxy')} of {dataset}, {what}."
    if n_flagged := metrics.n_flagged:
        lead += f" Flagged rows, not counted: {n_flagged:,}."
    parts: list[Part] = [lead]
    if metrics.scaler_saw_test_rows:
        parts.append(
            "The scaler of this run was fitted on the test rows too, as in the dissertation's "
            "listing: these figures are not independent."
        )
    parts += [document.Said(one.level, one.text) for one in metrics.remarks or ()]
    values = metrics.to_dict()
    frame = pd.DataFrame(
        {
            "figure": [metric.title for metric in METRICS.values()],
            "value": [metric.shown(values) for metric in METRICS.values()],
            "68 % interval": [metric.interval_text(values) or None for metric in METRICS.values()],
            "definition": [metric.definition for metric in METRICS.values()],
        }
    )
    if not metrics.intervals:
        frame = frame.drop(columns="68 % interval")
    caption = "Dimensionless; a figure has the digits that its interval means."
    alt = "Every figure of merit of the run with its definition"
    return Section("Results", [*parts, Table(frame, "metrics", caption, alt)])


def _learning(run: RunFolder) -> Section:
    history, published = read_history(run), reference.history()
    if not len(history):
        return Section("How it learned", ["No epoch was completed."])
    shown = published.head(max(len(history), 20))
    last = history.iloc[-1]
    parts: list[Part] = [
        f"{counted(len(history), 'epoch')} in {history.seconds.sum():,.0f} s; after the last, "
        f"validation MAE {last.val_mae:.5f} and training MAE {last.mae:.5f}. Dotted: the "
        "dissertation's record."
    ]
    for column, title in (("loss", "Loss"), ("mae", "Mean absolute error in z")):
        parts.append(
            Chart(
                figures.learning_curve(history, column, shown),
                f"{title} per epoch, dimensionless.",
                f"{title} of training and validation rows per epoch beside the published record",
            )
        )
    return Section("How it learned", parts)


def _errors(run: RunFolder, dataset: str, metrics: Evaluation) -> list[Section]:
    table = Table(
        error_table(metrics.bins),
        "error_per_bin",
        CAPTION,
        "Mean error and scatter per redshift bin beside the published Table 3",
        FORMATS,
    )
    chart = Chart(
        figures.error_per_bin(metrics.bins, reference.table_3()),
        "Mean error per bin of true redshift, bars ±σ (dimensionless), beside the published.",
        "Mean error and scatter per bin of true redshift beside the published points",
    )
    sections = [Section("Error per redshift bin", [table, chart])]
    path = run.predictions_path(dataset)
    if path.exists():
        predictions = read_judged(path)
        if both := beside(predictions.z_spec, predictions.z_phot, predictions.incumbent):
            parts = _incumbent(predictions, both)
            sections.append(Section("Beside Gaia's own redshift", parts))
        sections.append(Section("True and predicted redshift", _redshifts(predictions)))
    if metrics.pdf:
        sections.append(Section("Densities p(z)", _densities(metrics.pdf)))
    return sections


def _densities(judged: Mapping[str, Any]) -> list[Part]:
    """Whether p(z) says how sure one may be, under the prior of the training set."""
    frame = pd.DataFrame(
        {"figure": one.title, "value": one.text(value), "meaning": one.meaning(judged)}
        for one in density_metrics.FIGURES.values()
        if (value := one.value(judged)) is not None
    )
    return [
        Table(frame, "densities", "Of p(z) under the prior of the training set.",
              "Figures of merit of the densities with their meaning"),
        Chart(
            figures.pit_histogram(judged["pit"]["counts"]),
            "Probability that p(z) puts below the true redshift, dimensionless: flat where the "
            "densities are right.",
            "Histogram of the probability integral transform beside a uniform one",
        ),
        Chart(
            figures.coverage(judged["coverage"]),
            "Share of true redshifts inside the central interval of each credibility.",
            "Share of true redshifts inside intervals against their credibility",
        ),
        Table(density_metrics.bin_table(judged["by_z_phot"]), "densities_per_bin",
              "Per bin of predicted redshift; shares in per cent.",
              "Figures of the densities per bin of predicted redshift", density_metrics.FORMATS),
    ]  # fmt: skip


def _incumbent(predictions: Predictions, both: Beside) -> list[Part]:
    """The run and UGC on the galaxies that have both."""
    run, theirs = incumbent.bins_beside(
        predictions.z_spec, predictions.z_phot, predictions.incumbent
    )
    alt = f"Every figure of merit of the run and of {incumbent.NAME}"
    return [
        f"{both.text()} {incumbent.ORIGIN}",
        Table(both.table(), "incumbent", incumbent.CAPTION, alt, incumbent.FORMATS),
        Chart(
            figures.error_per_bin(run, other=theirs, other_name=incumbent.NAME),
            incumbent.FIGURE_CAPTION, incumbent.FIGURE_ALT,
        ),
    ]  # fmt: skip


def _redshifts(known: Predictions) -> list[Part]:
    edges, counts = statistics.redshift_plane(known.z_spec, known.z_phot, 200)
    fine = np.linspace(Z_MIN, Z_MAX, 121)
    both = [statistics.histogram(z, fine) for z in (known.z_spec, known.z_phot)]
    return [
        *([known.reservation] if known.reservation else []),
        Chart(
            figures.redshift_plane(edges, counts),
            f"Galaxies per cell of {edges[1]:.3f} × {edges[1]:.3f} in redshift, logarithmic "
            f"colour; {counted(counts.sum(), 'galaxy')} inside 0–0.6. Dashed: z_phot = z_spec.",
            "Two-dimensional histogram of true against predicted redshift with the 1:1 line",
        ),
        Chart(
            figures.true_and_predicted(fine, *both),
            f"Galaxies per bin of {fine[1]:.3f} in redshift, true and predicted.",
            "Histograms of true and predicted redshift",
        ),
    ]


def _settings(run: RunFolder) -> Section:
    config = run.config
    mine = settings_table(config)
    usual = settings_table(PRESETS.get(config.preset, PRESETS["dissertation"]))
    frame = pd.DataFrame(
        [
            (name, value, usual[name] if value != usual[name] and name != "dataset" else "")
            for name, value in mine.items()
        ],
        columns=["setting", "value", "preset's value, where it differs"],
    )
    rows = layer_table(config.model, config.scaler.name)
    layers = pd.DataFrame(row.cells() for row in rows)
    total = (
        f"{layers.parameters.sum():,} trainable parameters; output shape of one spectrum, and "
        "operations of one forward, a multiply-add counted as two."
    )
    formats = dict.fromkeys(("parameters", "operations"), "localized")
    return Section(
        "Settings",
        [
            Table(frame, "settings", "Every setting of the run.", "Every setting of the run"),
            Table(layers, "layers", total, "Layers of the network", formats),
        ],
    )


def _provenance(run: RunFolder, store: Store, judged: str) -> Section:
    environment = run.environment
    here = {folder.id: folder.info for folder in store.datasets()}
    lines = [("trained on", run.trained_on.get("name")), ("dataset", run.config.dataset)]
    lines += [("SHA-256 of its file", galaxies_of(run.trained_on))]
    if adapted := run.trained_on.get("adapted"):
        target = adapted["target"]
        lines += [("spectra moved to those of", f"{target['name']} ({target['n']:,})")]
    for one in origin.ancestors(run):
        about = one["dataset"]
        mark = simulator_version.simulated_mark(dict(about))
        learned = f"{about.get('name') or MISSING}{mark}"
        lines += [("started from run", f"{one['name']} ({one['run']})")]
        lines += [("which learned on", learned)]
    about = simulator_version.trained_on(run, store)
    mark = simulator_version.outdated(about) or "SIMULATED"
    lines += [("simulated", mark if about.get("simulated") else "no")]
    info = here.get(run.config.dataset, {})
    if info:
        flagged = ", ".join(f"{n:,} {name}" for name, n in info.get("flagged", {}).items() if n)
        lines += [("file", info.get("source_file")), ("unit of the flux", info.get("unit"))]
        lines += [("spectra", info.get("n_rows")), ("flagged", flagged or "none")]
    else:
        lines += [("file", "not in this store")]
    lines += [(f"{part} rows", n) for part, n in environment.get("split", {}).items()]
    lines += [(f"scaler: {key}", value) for key, value in environment.get("scaler", {}).items()]
    if judged and judged != run.config.dataset:
        lines += [("judged on", here.get(judged, {}).get("name") or judged)]
    return Section("Data", [_facts(lines, "data", "Where the data come from and how they split.")])


def _environment(run: RunFolder) -> Section:
    environment = run.environment
    lines = list(environment.get("versions", {}).items())
    lines += [("platform", environment.get("platform")), ("commit", environment.get("commit"))]
    lines += [("device", (environment.get("device") or {}).get("text"))]
    lines += [("parameters counted in the network", environment.get("n_parameters"))]
    return Section("Environment", [_facts(lines, "environment", "Versions, device and commit.")])


def _fact(value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return cell_text(value, "localized" if whole else "")


def _facts(lines: list[tuple[str, Any]], name: str, caption: str) -> Table:
    frame = pd.DataFrame(
        [(key, None if value in (None, "") else _fact(value)) for key, value in lines],
        columns=["what", "value"],
    )
    return Table(frame, name, caption, caption)
