"""Reader of FITS binary tables, in blocks of rows from memory-mapped files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from redshift_core.data.array_cells import list_array
from redshift_core.data.columnar import BLOCK_ROWS, FIRST_ROWS, ColumnarTable, with_spectra
from redshift_core.errors import InputError

DESCRIPTORS = {"P": ">i4", "Q": ">i8"}  # length and place of an array of variable length


class FitsTable(ColumnarTable):
    """The binary table of a FITS file that holds spectra: its first, where none is recognised."""

    def __init__(self, path: Path):
        with _opened(path) as tables:
            firsts = [table.batch(table.names, 0, FIRST_ROWS) for table in tables]
            self._place, self.chosen = with_spectra(path, firsts)
            self._n_rows = tables[self._place].n_rows
        super().__init__(path, firsts[self._place])

    @property
    def n_rows(self) -> int:
        """Its rows."""
        return self._n_rows

    def batches(self, names: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Rows of some columns, each batch with the bytes of the file done by then."""
        size = self.path.stat().st_size
        with _opened(self.path) as tables:
            table = tables[self._place]
            for start in range(0, table.n_rows, BLOCK_ROWS):
                stop = min(start + BLOCK_ROWS, table.n_rows)
                yield table.batch(names, start, stop), size * stop // table.n_rows


class _Rows:
    """Rows of a binary table, memory-mapped: astropy would copy the whole table."""

    def __init__(self, path: Path, hdu: Any):
        self.n_rows = hdu.header["NAXIS2"]
        self._columns = {column.name: column for column in hdu.columns}
        self.names = list(self._columns)
        if None in self._columns:
            raise InputError(f"{path.name} has a column without a name (TTYPE); give it one.")
        if len(self.names) < len(hdu.columns.names):
            twice = next(n for n in self.names if hdu.columns.names.count(n) > 1)
            raise InputError(
                f"{path.name} has several columns called {twice!r}; give each its own name."
            )
        place = hdu.fileinfo()["datLoc"]
        heap = hdu.header.get("THEAP", hdu.header["NAXIS1"] * self.n_rows)
        kind = np.dtype(hdu.columns.dtype).newbyteorder(">")
        self._table = np.empty(0, kind)
        if self.n_rows:
            self._table = np.memmap(path, kind, "r", offset=place, shape=(self.n_rows,))
        varies = any(_variable(column.format) for column in self._columns.values())
        self._heap = np.memmap(path, np.uint8, "r", offset=place + heap) if varies else None

    def batch(self, names: list[str], start: int, stop: int) -> pa.RecordBatch:
        """Some columns of some rows, without those that are neither text nor real numbers."""
        columns = {name: self._column(name, start, stop) for name in names}
        known = {name: array for name, array in columns.items() if array is not None}
        return pa.RecordBatch.from_pydict(known)

    def _column(self, name: str, start: int, stop: int) -> pa.Array | None:
        column, raw = self._columns[name], self._table[name][start:stop]
        if kind := _variable(column.format):
            return self._variable_column(np.asarray(raw), *kind)
        if raw.dtype.kind == "S":
            texts = np.char.decode(raw, "latin-1").tolist() if raw.ndim == 1 else []
            return pa.array([text.strip() or None for text in texts]) if raw.ndim == 1 else None
        if raw.dtype.kind not in "iuf" or "X" in str(column.format):
            return None
        values = raw.astype(raw.dtype.newbyteorder("="))
        if "L" in str(column.format):
            return pa.array(values == ord("T")) if values.ndim == 1 else None
        whole = column.null is not None and values.dtype.kind in "iu"
        missing = (values == column.null).ravel() if whole else None
        flat = pa.array(_scaled(values.ravel(), column), mask=missing)
        if values.ndim == 1:
            return flat
        if not values.size and start < stop:  # a format such as 0E: a column of nothing
            return None
        return pa.FixedSizeListArray.from_arrays(flat, int(np.prod(values.shape[1:])))

    def _variable_column(self, places: NDArray[Any], descriptor: str, kind: str) -> pa.Array:
        """Arrays of variable length, from the heap behind the table."""
        places = places.astype(np.int64)
        dtype = np.dtype(kind).newbyteorder(">")
        ends = places[:, 1] + places[:, 0] * dtype.itemsize
        if len(ends) and ends.max() > len(self._heap):
            raise OSError("an array ends behind the end of the file")
        return list_array(
            self._heap[begin:end].view(dtype).astype(dtype.newbyteorder("="))
            for begin, end in zip(places[:, 1].tolist(), ends.tolist(), strict=True)
        )


def _scaled(values: NDArray[Any], column: Any) -> NDArray[Any]:
    """What stored numbers mean: FITS writes unsigned whole numbers with an offset."""
    scale, zero = column.bscale or 1, column.bzero or 0
    if (scale, zero) == (1, 0):
        return values
    if scale == 1 and values.dtype.kind == "i" and zero == 2**63:
        return values.view(np.uint64) ^ np.uint64(2**63)
    if scale == 1 and values.dtype.kind in "iu" and float(zero).is_integer():
        return values.astype(np.int64) + int(zero)
    return values * float(scale) + float(zero)


def _variable(form: str) -> tuple[str, str] | None:
    """Descriptor and NumPy type of a format such as ``PD(55)``; None for others."""
    from astropy.io.fits.column import FITS2NUMPY

    letters = form.lstrip("01")
    if letters[:1] not in DESCRIPTORS:
        return None
    return DESCRIPTORS[letters[0]], FITS2NUMPY[letters[1]]


@contextmanager
def _opened(path: Path) -> Iterator[list[_Rows]]:
    """The binary tables of a file; InputError where the file is broken or has none."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(path, memmap=True) as file:
                found = [hdu for hdu in file if isinstance(hdu, fits.BinTableHDU)]
                if not found:
                    raise _without_table(path.name, list(file))
                for hdu in found:
                    end = hdu.fileinfo()["datLoc"] + hdu.size
                    if end > path.stat().st_size:
                        raise OSError(f"it ends after {path.stat().st_size:,} of {end:,} bytes")
                yield [_Rows(path, hdu) for hdu in found]
    except InputError:
        raise
    except (OSError, KeyError, ValueError, TypeError, fits.VerifyError) as error:
        raise InputError(
            f"{path.name} is a broken FITS file ({str(error).splitlines()[0].rstrip('.')[:150]}). "
            "Export or transfer it again."
        ) from None


def _without_table(file: str, hdus: list[Any]) -> InputError:
    """Sentence for a FITS file of images, or whose table is written as text."""
    from astropy.io import fits

    if any(isinstance(hdu, fits.TableHDU) for hdu in hdus):
        return InputError(
            f"{file} holds its table as text (a FITS ASCII table); save it as a FITS binary table "
            "or as CSV, for instance with TOPCAT."
        )
    return InputError(
        f"{file} is a FITS file without a binary table; expected one, with a spectrum in each row. "
        "Spectra in an image have to become a column of arrays, or 186 columns, first."
    )
