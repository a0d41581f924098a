"""Judges a run on a dataset: metrics, predictions and densities of rows it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redshift_core import data, pdf
from redshift_core.constants import N_Z_BINS, counted
from redshift_core.evaluation import honesty
from redshift_core.evaluation.bins import evaluate, finite_pairs
from redshift_core.evaluation.bootstrap import bootstrap
from redshift_core.evaluation.calibration import evaluate_pdf
from redshift_core.evaluation.incumbent import OWN_LIMITS, beside
from redshift_core.evaluation.predictions import open_densities, read_priors
from redshift_core.evaluation.recalibration import recalibration_text
from redshift_core.evaluation.stress import Report
from redshift_core.evaluation.summary import write_summary
from redshift_core.evaluation.verdict import Tally
from redshift_core.prediction.reader import Reader, flag_text, open_coverage, open_reader
from redshift_core.prediction.real import judge_real_galaxies
from redshift_core.prediction.rows import JudgedRows, open_judged
from redshift_core.store import DatasetFolder, EvaluationFolder, RunFolder, write_json
from redshift_core.store.arrays import RowWriter, read_table
from redshift_core.store.records import Evaluation
from redshift_core.store.writers import TableWriter

if TYPE_CHECKING:
    import pandas as pd

READ_BLOCK = 8192  # spectra taken from the memory map at a time
FIGURES = ("figures", "n", "bins", "intervals", "bootstrap", "pdf")  # of `judged_figures`
STORED = "float16"  # type of the densities on disk


def evaluate_run(
    run: RunFolder, dataset: DatasetFolder, report: Report = lambda *_: None
) -> Evaluation:
    """Judge a run on a dataset; writes ``metrics.json``, ``predictions.parquet`` and ``pdf.npy``.

    Its answers for three real galaxies are written to ``real_galaxies.json``; they enter no metric.
    All files appear together and replace the whole earlier evaluation.

    On the dataset that the run was trained on, only its test rows count; on other datasets, every
    row counts but those of galaxies that it has learned from. Rows that ingest flagged never count,
    but their number is reported, and that of the former. With a PDF head,
    z_phot is the median of p(z) under the training prior.
    """
    coverage = open_coverage(run)
    judged = open_judged(run, dataset)
    with run.evaluation(dataset.id).renewed() as new:
        reader, tally = open_reader(run, coverage), Tally(coverage)
        table = _read_rows(reader, tally, judged, new.pdf_path, report)
        density = open_densities(new.pdf_path, len(table)) if "z_low68" in table else None
        result = replace(
            judged_figures(table.z_spec, table.z_phot, table.brightness, density, report),
            **judged.facts,
            scaler_saw_test_rows=judged.own and run.config.scaler.fit_on == "all",
            n_outside_training_range=int(table.pop("outside").sum()),
            verdict=tally.verdict().to_dict(),
            incumbent=_beside(table),
            learned=judged.learned,
            guess=honesty.guess(honesty.median_redshift(run), table.z_spec, table.z_phot),
        )
        result = replace(result, remarks=honesty.remarks(result))
        about = metadata(run, bool(result.simulated))
        with TableWriter([new.predictions_path], about) as writer:
            writer.write(table)
        write_json(new.real_galaxies_path, judge_real_galaxies(reader).to_dict())
        write_summary(new, read_priors(run, pdf.USUAL))
        write_json(new.metrics_path, result.to_dict())
    report(len(table), len(table), f"Judged {counted(len(table), 'spectrum')}.")
    return result


def judge_again(
    run: RunFolder,
    dataset: DatasetFolder,
    estimate: pdf.Estimate,
    priors: Mapping[str, NDArray],
    report: Report = lambda *_: None,
) -> Evaluation:
    """The stored judgement with another point or prior; nothing is written."""
    stored, table, density = run.evaluation(dataset.id).together(_opened)
    z_phot = estimate.redshifts(density, priors)
    figures = judged_figures(
        table.z_spec,
        z_phot,
        table.brightness,
        density,
        report,
        lambda block: estimate.densities(block, priors),
    )
    fresh = {name: getattr(figures, name) for name in FIGURES}
    incumbent = _beside(table.drop(columns=[*OWN_LIMITS]).assign(z_phot=z_phot))
    result = replace(stored, **fresh, incumbent=incumbent, estimate=estimate.text())
    if stored.guess:
        result = replace(result, guess=honesty.guess(stored.guess.z, table.z_spec, z_phot))
    return replace(result, remarks=honesty.remarks(result))


def _beside(table: pd.DataFrame) -> dict[str, Any] | None:
    """The run beside Gaia's own redshift; None where the dataset does not hold that."""
    found = beside(table.z_spec, table.z_phot, table)
    return found and found.to_dict()


def _opened(folder: EvaluationFolder) -> tuple[Evaluation, pd.DataFrame, NDArray]:
    """Metrics, predictions and densities of an evaluation."""
    table = read_table(folder.predictions_path)
    density = open_densities(folder.pdf_path, len(table))
    return folder.metrics, table, density


def _read_rows(
    reader: Reader,
    tally: Tally,
    judged: JudgedRows,
    path: Path,
    report: Report,
) -> pd.DataFrame:
    """`_judged_table` of all rows; the densities, if there are any, are written to a file."""
    opened, rows = judged.dataset, judged.rows
    tables, densities = [], None
    with ExitStack() as files:
        for start in range(0, len(rows), READ_BLOCK):
            report(start, len(rows), f"Predicted {start:,} of {counted(len(rows), 'spectrum')}.")
            here = rows[start : start + READ_BLOCK]
            columns, flags, density = reader.read(opened.flux[here], tally)
            if density is not None:
                densities = densities or files.enter_context(RowWriter(path, N_Z_BINS, STORED))
                densities.write(density)
            tables.append(_judged_table(opened, here, columns, flags))
    import pandas as pd

    return pd.concat(tables, ignore_index=True)


def _judged_table(
    opened: data.Dataset,
    rows: NDArray[np.int64],
    columns: dict[str, NDArray],
    flags: dict[str, NDArray[np.bool_]],
) -> pd.DataFrame:
    """Lines of ``predictions.parquet``, and the column ``outside`` for counting."""
    import pandas as pd

    table = {
        "row": rows,
        "source_id": np.asarray(opened.source_id)[rows],
        "z_spec": np.asarray(opened.z_spec)[rows],
        **columns,
        "brightness": np.asarray(opened.brightness)[rows],
        **{name: values[rows] for name, values in opened.incumbent.items()},
        "flags": flag_text(flags),
        "outside": flags["outside_training_range"],
    }
    return pd.DataFrame(table)


def judged_figures(
    z_spec: ArrayLike,
    z_phot: NDArray,
    brightness: ArrayLike,
    density: NDArray | None = None,
    report: Report = lambda *_: None,
    change: Callable[[NDArray], NDArray] = lambda block: block,
) -> Evaluation:
    """Metrics of redshifts with their intervals and, if there are densities, ``pdf``.

    The arrays have shape (n_sources,), the densities (n_sources, 240). ``change`` is applied to
    each block of densities, for example to change the prior.
    """

    def tell(done: int, n: int) -> None:
        report(done, n, "Resampling the galaxies for the intervals.")

    judged = finite_pairs(z_spec, z_phot)
    figures = replace(evaluate(*judged), **bootstrap(*judged, report=tell))
    if density is None:
        return figures
    return replace(figures, pdf=evaluate_pdf(density, z_spec, z_phot, brightness, tell, change))


def metadata(
    run: RunFolder,
    simulated: bool,
    estimate: pdf.Estimate | None = None,
    recalibration: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Where a table of predictions comes from, for the formats that can say it."""
    about: dict[str, Any] = {"run": run.id, "SIMULATED spectra": simulated}
    if estimate is not None and run.config.model.head == "pdf":
        about["estimate"] = estimate.describe()
    if recalibration:
        said = recalibration_text(recalibration)  # a file of labels may have any name
        about["recalibration"] = said.encode("ascii", "replace").decode()
    return about
