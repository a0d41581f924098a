"""One part of a catalogue: read, predicted and written by whichever process has it.

All that is needed to know stands in an `Order`, which travels with the part to the worker. Each
process opens the run once.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from redshift_core import pdf
from redshift_core.data import Spectra
from redshift_core.data.parts import Part, part_blocks
from redshift_core.errors import InputError
from redshift_core.evaluation.predictions import read_priors
from redshift_core.evaluation.recalibration import Recalibration
from redshift_core.evaluation.verdict import Tally
from redshift_core.prediction.columns import COLUMNS, prediction_table
from redshift_core.prediction.jobs import read_ahead
from redshift_core.prediction.reader import Reader, onnx_predictor, open_coverage
from redshift_core.store import RunFolder, Stopped, file_digest
from redshift_core.store.faults import FullDiskError
from redshift_core.store.writers import TableWriter

Tick = Callable[[int], None]  # told the rows of the part that are done


@dataclass(frozen=True)
class Order:
    """How the parts of a catalogue are predicted."""

    run: Path  # its folder
    model: str  # SHA-256 of its model, so that a run that has learned on is opened anew
    root: Path  # of the catalogue
    out: Path  # folder of the result
    columns: dict[str, str] | None = None  # mapping of the columns that names do not tell
    estimate: str = ""  # text of a `pdf.Estimate`
    prior_file: Path | None = None
    recalibration: Recalibration | None = None
    kept: tuple[str, ...] = ()  # columns of the catalogue that stay in the result
    about: dict[str, Any] = field(default_factory=dict)  # metadata of every part


def predict_part(order: Order, part: Part, tick: Tick = lambda _: None) -> dict[str, Any]:
    """Predict a part and write its result; the line of the manifest about it.

    A part that cannot be read or written gives a line with ``failed``, the reason. What is wrong
    with the run is an error.
    """
    reader = opened(order.run, order.model, order.estimate, order.prior_file, order.recalibration)
    begin, known = time.perf_counter(), {"part": part.name, "input": part.stamp}
    try:
        found = _predicted(order, part, reader, tick)
    except (Stopped, FullDiskError):  # no fault of the part; the others would fail alike
        raise
    except InputError as error:
        return {**known, "failed": str(error)}
    except Exception as error:  # of one part; the others go on
        traceback.print_exc()
        return {**known, "failed": f"{type(error).__name__}: {error}"}
    return {**known, **found, "seconds": round(time.perf_counter() - begin, 3)}


@lru_cache(maxsize=1)
def opened(
    run: Path,
    model: str,
    estimate: str,
    prior_file: Path | None,
    recalibration: Recalibration | None,
) -> Reader:
    """Reader of a run's ONNX file, which must be that of its model; kept for the next part."""
    folder, asked = RunFolder(run), pdf.Estimate.parse(estimate)
    coverage, priors = open_coverage(folder), read_priors(folder, asked, prior_file)
    predict = onnx_predictor(folder.onnx_path.read_bytes(), made_of=model)
    return Reader(predict, coverage, asked, priors, recalibration)


def _predicted(order: Order, part: Part, reader: Reader, tick: Tick) -> dict[str, Any]:
    source, target = order.root / part.name, order.out / part.out
    target.parent.mkdir(parents=True, exist_ok=True)
    rows, n_without_id, flagged, tally = 0, 0, {}, Tally(reader.coverage)
    with TableWriter([target], order.about, COLUMNS) as writer:
        blocks = part_blocks(source, order.columns, order.kept)
        for block, (columns, flags, _), counted in read_ahead(reader, blocks):
            writer.write(prediction_table(block, columns, flags) | _kept(block))
            rows += len(block)
            n_without_id += int((~block.known_id).sum())
            tally.merge(counted)
            for name, values in flags.items():
                flagged[name] = flagged.get(name, 0) + int(values.sum())
            tick(rows)
        now = source.stat()
        if [now.st_size, now.st_mtime_ns] != part.stamp:
            raise InputError(f"{part.name} was changed while it was read; predict it again.")
    return {
        "out": part.out,
        "rows": rows,
        "n_without_id": n_without_id,
        "flagged": {name: n for name, n in flagged.items() if n},
        "bytes": target.stat().st_size,
        "sha256": file_digest(target),
        "tally": tally.counts(),
    }


def _kept(block: Spectra) -> dict[str, Any]:
    """Columns that came along, in their own types."""
    other = block.other
    names = [] if other is None else other.column_names
    return {name: other[name].combine_chunks() for name in names}
