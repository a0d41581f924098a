"""Reader of FITS binary tables, in blocks of rows from memory-mapped files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from redshift_core.data.array_cells import list_array
from redshift_core.data.columnar import BLOCK_ROWS, FIRST_ROWS, ColumnarTable
from redshift_core.errors import InputError

DESCRIPTORS = {"P": ">i4", "Q": ">i8"}  # length and place of an array of variable length


class FitsTable(ColumnarTable):
    """The first binary table of a FITS file."""

    def __init__(self, path: Path):
        with _opened(path) as table:
            first = table.batch(table.names, 0, FIRST_ROWS)
        super().__init__(path, first)

    def batches(self, names: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Rows of some columns, each batch with the bytes of the file done by then."""
        size = self.path.stat().st_size
        with _opened(self.path) as table:
            for start in range(0, table.n_rows, BLOCK_ROWS):
                stop = min(start + BLOCK_ROWS, table.n_rows)
                yield table.batch(names, start, stop), size * stop // table.n_rows


class _Rows:
    """Rows of an open binary table."""

    def __init__(self, path: Path, hdu: Any):
        self.data, self.n_rows = hdu.data, len(hdu.data)
        self.formats = {column.name: column for column in hdu.columns}
        self.names = list(self.formats)
        place = hdu.fileinfo()["datLoc"]
        heap = hdu.header.get("THEAP", hdu.header["NAXIS1"] * hdu.header["NAXIS2"])
        kind = np.dtype(hdu.columns.dtype).newbyteorder(">")
        self._raw = np.memmap(path, kind, "r", offset=place, shape=(self.n_rows,))
        self._heap = np.memmap(path, np.uint8, "r", offset=place + heap) if self._varies() else None

    def batch(self, names: list[str], start: int, stop: int) -> pa.RecordBatch:
        """Some columns of some rows; an empty table has no rows to give."""
        part = self.data[start:stop]
        columns = {
            name: array
            for name in names
            if (array := self._column(part, name, start, stop)) is not None
        }
        return pa.RecordBatch.from_pydict(columns)

    def _varies(self) -> bool:
        return any(_variable(column.format) for column in self.formats.values())

    def _column(self, part: Any, name: str, start: int, stop: int) -> pa.Array | None:
        column = self.formats[name]
        if kind := _variable(column.format):
            return self._variable_column(name, kind, start, stop)
        values = np.asarray(part[name])
        if values.dtype.kind == "U":
            return pa.array([text.strip() or None for text in values.tolist()], pa.string())
        if values.dtype.kind not in "biuf" or values.ndim > 2:
            return None  # complex numbers and images have no use here
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        missing = None
        if column.null is not None and values.dtype.kind in "iu":
            missing = values == column.null
        if values.ndim == 1:
            return pa.array(values, mask=missing)
        flat = pa.array(values.ravel(), mask=None if missing is None else missing.ravel())
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])

    def _variable_column(self, name: str, kind: tuple[str, str], start: int, stop: int) -> pa.Array:
        """Arrays of variable length, from the heap behind the table."""
        descriptor = np.asarray(self._raw[name][start:stop])
        dtype = np.dtype(kind[1]).newbyteorder(">")
        ends = descriptor[:, 1] + descriptor[:, 0] * dtype.itemsize
        if len(ends) and ends.max() > len(self._heap):
            raise OSError("an array ends behind the end of the file")
        return list_array(
            self._heap[begin:end].view(dtype).astype(dtype.newbyteorder("="))
            for begin, end in zip(descriptor[:, 1].tolist(), ends.tolist(), strict=True)
        )


def _variable(form: str) -> tuple[str, str] | None:
    """Descriptor and NumPy type of a format such as ``PD(55)``; None for arrays of fixed length."""
    from astropy.io.fits.column import FITS2NUMPY

    letters = form.lstrip("01")
    if letters[:1] not in DESCRIPTORS:
        return None
    return DESCRIPTORS[letters[0]], FITS2NUMPY[letters[1]]


@contextmanager
def _opened(path: Path) -> Iterator[_Rows]:
    """The first binary table of a file; InputError where the file is broken or has none."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(path, memmap=True) as file:
                hdu = next((hdu for hdu in file if isinstance(hdu, fits.BinTableHDU)), None)
                if hdu is None:
                    raise InputError(
                        f"{path.name} is a FITS file without a binary table; expected one, with a "
                        "spectrum in each row."
                    )
                place = hdu.fileinfo()
                if place["datLoc"] + hdu.size > path.stat().st_size:
                    raise OSError(
                        f"it ends after {path.stat().st_size:,} of {place['datLoc'] + hdu.size:,} "
                        "bytes"
                    )
                yield _Rows(path, hdu)
    except (OSError, KeyError, ValueError, TypeError, fits.VerifyError) as error:
        raise InputError(
            f"{path.name} is a broken FITS file ({str(error).splitlines()[0].rstrip('.')[:150]}). "
            "Export or transfer it again."
        ) from None
