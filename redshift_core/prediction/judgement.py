"""A run judged on a dataset: metrics, predictions and densities of the rows it has not seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redshift_core import data, pdf
from redshift_core.constants import N_Z_BINS
from redshift_core.data.split import Split
from redshift_core.errors import DamagedError, InputError
from redshift_core.evaluation.bins import evaluate, finite_pairs
from redshift_core.evaluation.bootstrap import bootstrap
from redshift_core.evaluation.calibration import evaluate_pdf
from redshift_core.evaluation.predictions import open_densities
from redshift_core.evaluation.verdict import Tally
from redshift_core.prediction.reader import Reader, flag_text, open_coverage, open_reader
from redshift_core.prediction.real import judge_real_galaxies
from redshift_core.store import DatasetFolder, EvaluationFolder, RunFolder, write_json
from redshift_core.store.arrays import RowWriter, read_table
from redshift_core.store.tables import TableWriter

READ_BLOCK = 8192  # spectra taken from the memory map at a time
STORED = "float16"  # type of the densities on disk

Report = Callable[[float, float, str], None]


def evaluate_run(
    run: RunFolder, dataset: DatasetFolder, report: Report = lambda *_: None
) -> dict[str, Any]:
    """Judge a run on a dataset; writes ``metrics.json``, ``predictions.parquet`` and ``pdf.npy``.

    What it says of three real galaxies goes into ``real_galaxies.json``, and into no figure here.
    The files appear together, in place of those of an earlier judgement and what was added to it.

    On the dataset it was trained on only its test rows count, elsewhere every row. Rows that
    ingest flagged never count; their number is told. With a PDF head z_phot is the median of p(z)
    under the training prior.

    Returns
    -------
    dict
        `evaluation.evaluate`, `bootstrap.bootstrap`, and: ``dataset``, ``rows`` ("test" or "all"),
        ``n_flagged`` (rows left out because ingest flagged them), ``simulated``,
        ``scaler_saw_test_rows``, ``n_outside_training_range``, ``verdict`` (a `verdict.Verdict` on
        the spectra as a whole); with a PDF head ``pdf``, see `calibration.evaluate_pdf`.
    """
    coverage = open_coverage(run)
    opened = data.open_dataset(dataset)
    rows, own, n_flagged = rows_to_judge(run, dataset, opened)
    with run.evaluation(dataset.id).renewed() as new:
        reader, tally = open_reader(run, coverage), Tally(coverage)
        table = _read_rows(reader, tally, opened, rows, new.pdf_path, report)
        simulated = bool(dataset.info.get("simulated"))
        result = {
            **_figures(table.z_spec, table.z_phot, report),
            "dataset": dataset.id,
            "rows": "test" if own else "all",
            "n_flagged": n_flagged,
            "simulated": simulated,
            "scaler_saw_test_rows": own and run.config.scaler.fit_on == "all",
            "n_outside_training_range": int(table.pop("outside").sum()),
            "verdict": tally.verdict().to_dict(),
        }
        if "z_low68" in table:
            judged = (table.z_spec, table.z_phot, table.brightness)
            density = open_densities(new.pdf_path, len(table))
            result["pdf"] = evaluate_pdf(density, *judged, report=_drawing(report))
        with TableWriter([new.predictions_path], metadata(run, simulated)) as writer:
            writer.write(table)
        write_json(new.real_galaxies_path, judge_real_galaxies(reader).to_dict())
        write_json(new.metrics_path, result)
    report(len(rows), len(rows), f"Predictions {len(rows):,} spectra.")
    return result


def judge_again(
    run: RunFolder,
    dataset: DatasetFolder,
    estimate: pdf.Estimate,
    priors: Mapping[str, NDArray],
    report: Report = lambda *_: None,
) -> dict[str, Any]:
    """The stored judgement with another point or prior; nothing is written.

    Returns
    -------
    dict
        As of `evaluate_run`, and ``estimate``, its text.
    """
    stored, table, density = run.evaluation(dataset.id).together(_opened)
    z_phot = estimate.redshifts(density, priors)
    judged = evaluate_pdf(
        density,
        table.z_spec,
        z_phot,
        table.brightness,
        _drawing(report),
        lambda block: estimate.densities(block, priors),
    )
    figures = _figures(table.z_spec, z_phot, report)
    return {**stored, **figures, "pdf": judged, "estimate": estimate.text()}


def _opened(folder: EvaluationFolder) -> tuple[dict[str, Any], pd.DataFrame, NDArray]:
    """Metrics, predictions and densities of an evaluation."""
    table = read_table(folder.predictions_path)
    density = open_densities(folder.pdf_path, len(table))
    return folder.metrics, table, density


def _read_rows(
    reader: Reader,
    tally: Tally,
    opened: data.Dataset,
    rows: NDArray[np.int64],
    path: Path,
    report: Report,
) -> pd.DataFrame:
    """`_judged_table` of all rows; densities, where the model gives any, go to a file."""
    tables, densities = [], None
    with ExitStack() as files:
        for start in range(0, len(rows), READ_BLOCK):
            report(start, len(rows), f"Predicted {start:,} of {len(rows):,} spectra.")
            here = rows[start : start + READ_BLOCK]
            columns, flags, density = reader.read(opened.flux[here], tally)
            if density is not None:
                densities = densities or files.enter_context(RowWriter(path, N_Z_BINS, STORED))
                densities.write(density)
            tables.append(_judged_table(opened, here, columns, flags))
    return pd.concat(tables, ignore_index=True)


def _judged_table(
    opened: data.Dataset,
    rows: NDArray[np.int64],
    columns: dict[str, NDArray],
    flags: dict[str, NDArray[np.bool_]],
) -> pd.DataFrame:
    """Lines of ``predictions.parquet``, and the column ``outside`` for counting."""
    table = {
        "row": rows,
        "source_id": np.asarray(opened.source_id)[rows],
        "z_spec": np.asarray(opened.z_spec)[rows],
        **columns,
        "brightness": np.asarray(opened.brightness)[rows],
        "flags": flag_text(flags),
        "outside": flags["outside_training_range"],
    }
    return pd.DataFrame(table)


def _figures(z_spec: pd.Series, z_phot: NDArray, report: Report) -> dict[str, Any]:
    judged = finite_pairs(z_spec, z_phot)
    return {**evaluate(*judged), **bootstrap(*judged, report=_drawing(report))}


def _drawing(report: Report) -> Callable[[int, int], None]:
    return lambda done, n: report(done, n, "Drawing the galaxies again for the intervals.")


class RowsToJudge(NamedTuple):
    """Rows of a dataset that count in a run's figures of merit."""

    rows: NDArray[np.int64]  # ascending; none that the run has seen or ingest has flagged
    own: bool  # whether they are the run's own test rows
    n_flagged: int  # further rows, left out because ingest flagged them


def rows_to_judge(run: RunFolder, dataset: DatasetFolder, opened: data.Dataset) -> RowsToJudge:
    """Rows to judge a run on: its test rows or, on other galaxies, every row; flagged ones never.

    Raises
    ------
    InputError
        Where no such row is left.
    """
    own = is_own(run, dataset)
    candidates = _test_rows(run, opened) if own else np.arange(len(opened))
    if not np.isfinite(opened.z_spec).any():
        raise InputError(
            f"Dataset {opened.id} has no spectrum with a redshift to compare with; "
            "use predict for spectra of unknown redshift."
        )
    rows = np.intersect1d(candidates, opened.usable_rows(), assume_unique=True)
    if not len(rows):
        raise InputError(
            f"Ingest flagged each of the {len(candidates):,} rows of dataset {opened.id} that "
            f"could judge run {run.id}, and flagged rows do not count. Mend the file and ingest it "
            "again; the Data page says what is wrong with them."
        )
    return RowsToJudge(rows, own, len(candidates) - len(rows))


def is_own(run: RunFolder, dataset: DatasetFolder) -> bool:
    """Whether a run was trained on this dataset, or on the same galaxies under another id."""
    if dataset.id == run.config.dataset:
        return True
    if not run.environment_path.exists():
        raise DamagedError.of(
            run.environment_path, "it is missing, so which galaxies the run has seen is not known"
        )
    seen = data.galaxies_of(run.trained_on)
    return bool(seen) and seen == data.galaxies_of(dataset.info)


def _test_rows(run: RunFolder, opened: data.Dataset) -> NDArray[np.int64]:
    rows = np.sort(Split.load(run.split_path).test)
    if not len(rows):
        raise InputError(
            f"Run {run.id} kept no test rows (test_fraction = 0), so it cannot be judged on "
            "the dataset it was trained on; evaluate it on another one."
        )
    if rows[-1] >= len(opened.flux):
        raise InputError(
            f"Run {run.id} was trained on another version of dataset {opened.id}; train again."
        )
    return rows


def metadata(
    run: RunFolder, simulated: bool, estimate: pdf.Estimate | None = None
) -> dict[bytes, bytes]:
    """Where a Parquet table of predictions comes from, for its schema metadata."""
    about: dict[str, Any] = {"run": run.id, "SIMULATED spectra": simulated}
    if estimate is not None and run.config.model.head == "pdf":
        about["estimate"] = estimate.describe()
    return {b"redshift_lab_predictions": json.dumps(about).encode()}
