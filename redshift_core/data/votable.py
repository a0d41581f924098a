"""Reader of VOTables, whole in memory: the format has no index of its rows."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from redshift_core.data.array_cells import list_array
from redshift_core.data.columnar import FIRST_ROWS, WholeTable, with_spectra
from redshift_core.errors import InputError

MAX_BYTES = 256 << 20  # of a file; reading takes three to five times as much memory


class VOTable(WholeTable):
    """The table of a VOTable that holds spectra, TABLEDATA or BINARY."""

    def __init__(self, path: Path):
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                f"{path.name} is a VOTable of {path.stat().st_size / 1e6:,.0f} MB, which can only "
                f"be read whole; up to {MAX_BYTES / 1e6:,.0f} MB are. Save it as FITS or Parquet "
                "(TOPCAT, stilts tcopy, or astropy's Table.write)."
            )
        batches = _read(path)
        firsts = [batch.slice(0, FIRST_ROWS) for batch in batches]
        place, self.chosen = with_spectra(path, firsts)
        super().__init__(path, batches[place])


def _read(path: Path) -> list[pa.RecordBatch]:
    """Every table of a document."""
    from astropy.io import votable

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small offences against the standard
        try:
            document = votable.parse(path, verify="ignore")
            _refuse_error(path.name, document)
            tables = [one for one in document.iter_tables() if not one.is_empty()]
            return [_batch(table) for table in tables or [document.get_first_table()]]
        except InputError:
            raise
        except Exception as error:  # astropy lets through whatever expat and NumPy raise
            raise InputError(
                f"{path.name} is a broken VOTable, or XML of another kind "
                f"({str(error).splitlines()[0].rstrip('.')[:150]}). Export or transfer it again."
            ) from None


def _batch(table: Any) -> pa.RecordBatch:
    """Columns of one table, without those that are neither text nor real numbers."""
    rows, names = table.array, [field.name for field in table.fields]
    columns = [_column(np.ma.asarray(rows[name])) for name in rows.dtype.names]
    kept = [k for k, column in enumerate(columns) if column is not None]
    return pa.RecordBatch.from_arrays([columns[k] for k in kept], [names[k] for k in kept])


def _refuse_error(file: str, document: Any) -> None:
    """InputError where a document is what a service answers to a query it cannot do."""
    for info in (*document.infos, *(one for part in document.resources for one in part.infos)):
        if info.name == "QUERY_STATUS" and str(info.value).upper() == "ERROR":
            raise InputError(
                f"{file} holds the error message of a service ({str(info.content)[:200]}) and no "
                "table; repeat the query."
            )


def _column(values: Any) -> pa.Array | None:
    """Masked column as Arrow; None for complex numbers and images."""
    data, mask = np.ma.getdata(values), np.ma.getmaskarray(values)
    if data.dtype.kind == "O":
        return _objects(data, mask)
    if data.dtype.kind in "US":
        texts = np.char.decode(data, "utf-8", "replace") if data.dtype.kind == "S" else data
        return pa.array([text or None for text in texts.tolist()], pa.string())
    if data.dtype.kind not in "biuf" or data.ndim > 2:
        return None
    data = data.astype(data.dtype.newbyteorder("="), copy=False)
    if data.ndim == 1:
        return pa.array(data, mask=mask)
    flat = pa.array(data.ravel(), mask=mask.ravel())
    return pa.FixedSizeListArray.from_arrays(flat, data.shape[1])


def _objects(data: Any, mask: Any) -> pa.Array:
    """Column of texts or of arrays of variable length."""
    missing = np.asarray(mask).reshape(len(data), -1).any(axis=1) if len(data) else []
    cells = [None if gone else cell for cell, gone in zip(data, missing, strict=True)]
    if any(isinstance(cell, (str, bytes)) for cell in cells):
        return pa.array([str(cell) if cell else None for cell in cells], pa.string())
    empty = np.empty(0)
    return list_array(
        empty if cell is None else np.ma.filled(np.ma.asarray(cell, float), np.nan)
        for cell in cells
    )
