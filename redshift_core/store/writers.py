"""Writes a table that comes in blocks into files of any written format, in bounded memory.

A file is written under a temporary name and renamed when it is whole, so nobody reads half of it.
The rows of FITS and of VOTable's BINARY2 are the same packed big-endian numbers, so astropy makes
the header of an empty table and the rows follow as they come. It is imported only for the formats
that need it.

A new format is a class with the members of `Writer`, one line in WRITERS and one in
``settings.names.FORMATS``.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from redshift_core.settings.names import WRITTEN
from redshift_core.store import part_of
from redshift_core.store.faults import writing
from redshift_core.store.tables import safe_cells

if TYPE_CHECKING:
    import pandas as pd
    from astropy.table import Table

PARQUET_KEY = b"redshift_lab_predictions"  # of the JSON in the schema's metadata
ODD_TEXT = r'[",\r\n]|^[=+@\t-]'  # what CSV quotes, and what `safe_cells` changes
FITS_BLOCK = 2880  # bytes that the parts of a FITS file are filled up to


@dataclass(frozen=True)
class Column:
    """What a column means, for the formats that can say it."""

    description: str  # one line of ASCII, at most 68 characters: one card of a FITS header
    ucd: str  # IVOA's word for the kind of quantity, UCD1+
    unit: str | None = None  # "" dimensionless, None where a unit makes no sense
    width: int = 0  # bytes that the longest text takes; 0 for numbers
    missing: int | None = None  # whole number that FITS and VOTable write where there is none


About = Mapping[str, Any]  # where a table comes from, ASCII name → value
Columns = Mapping[str, Column]  # column → what it means


class Writer(Protocol):
    """One file that is being written."""

    def __init__(self, path: Path, first: pa.Table, about: About, columns: Columns) -> None:
        """Open the file; ``first`` is the block with which it will begin."""

    def write(self, table: pa.Table) -> None:
        """Append rows."""

    def close(self) -> None:
        """Complete the file."""


class TableWriter:
    """Writes tables of the same columns one below the other, in every format asked for.

    Use it in a ``with`` block: the files appear when it ends, and not at all when it fails.

    Parameters
    ----------
    paths : sequence of Path
        Files to be written; the ending of each chooses its format.
    about : mapping, optional
        Where the table comes from; CSV has no place for it.
    columns : mapping, optional
        What its columns mean. FITS, VOTable and ECSV need every column of the table in it.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        about: About | None = None,
        columns: Columns | None = None,
    ):
        self.paths = [Path(path) for path in paths]
        self._about, self._columns = about or {}, columns or {}
        self._parts = [part_of(path) for path in self.paths]
        self._writers: list[Writer] = []

    def __enter__(self) -> TableWriter:
        return self

    def write(self, table: pd.DataFrame | Mapping[str, NDArray]) -> None:
        """Append rows; NaN becomes a missing value in formats that know one."""
        rows = _rows(table)
        with self._room():
            if not self._writers:
                for path, part in zip(self.paths, self._parts, strict=True):
                    kind = WRITERS[WRITTEN[path.suffix.lower()]]
                    self._writers.append(kind(part, rows, self._about, self._columns))
            for writer in self._writers:
                writer.write(rows)

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            if kind is not None:  # what has failed is removed, so whatever closing it says is moot
                for writer in self._writers:
                    with contextlib.suppress(Exception):
                        writer.close()
                return
            with self._room():
                for writer in self._writers:
                    writer.close()
            for path, part in zip(self.paths, self._parts, strict=True):
                if part.exists():
                    os.replace(part, path)
        finally:
            for part in self._parts:
                part.unlink(missing_ok=True)

    def _room(self) -> contextlib.AbstractContextManager[None]:
        return writing(self.paths[0], *self._parts)


class _Csv:
    def __init__(self, path: Path, first: pa.Table, *_: object):
        self._file = path.open("wb")
        self._header = True

    def write(self, table: pa.Table) -> None:
        from pyarrow import csv

        header, self._header = self._header, False
        if not _is_plain(table):
            text = safe_cells(table.to_pandas()).to_csv(index=False, header=header)
            self._file.write(text.encode())
            return
        if header:
            self._file.write(f"{','.join(table.column_names)}\n".encode())
        csv.write_csv(
            table, self._file, csv.WriteOptions(include_header=False, quoting_style="none")
        )

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path, first: pa.Table, about: About, columns: Columns):
        import pyarrow.parquet as pq

        schema = first.schema
        said = {PARQUET_KEY: json.dumps(dict(about)).encode()} if about else {}
        self._metadata = {**(schema.metadata or {}), **said}
        fields = [_described(field, columns.get(field.name)) for field in schema]
        self._schema = pa.schema(fields, self._metadata)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table.cast(self._schema))

    def close(self) -> None:
        self._writer.close()


class _Fits:
    """A binary table; units in TUNIT, descriptions in TCOMM, UCDs in TUCD, as TOPCAT reads them."""

    def __init__(self, path: Path, first: pa.Table, about: About, columns: Columns):
        from astropy.io import fits

        self._columns, self._n_bytes = columns, 0
        empty = _one_row(first, columns)[:0]
        self._header = fits.BinTableHDU(empty, name="PREDICTIONS").header
        for number, name in enumerate(empty.colnames, 1):
            self._header.set(f"TCOMM{number}", columns[name].description, after=f"TFORM{number}")
            self._header.set(f"TUCD{number}", columns[name].ucd, after=f"TCOMM{number}")
            if columns[name].missing is not None:
                self._header.set(f"TNULL{number}", columns[name].missing, after=f"TFORM{number}")
        for name, value in about.items():
            self._header[name[:8].upper()] = (value, name)  # TOPCAT passes over longer keywords
        self._file = path.open("wb")
        self._file.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        self._start = self._file.tell()
        self._file.write(self._header.tostring().encode("ascii"))

    def write(self, table: pa.Table) -> None:
        self._n_bytes += self._file.write(_packed(table, self._columns).tobytes())

    def close(self) -> None:
        self._file.write(bytes(-self._n_bytes % FITS_BLOCK))
        self._header["NAXIS2"] = self._n_bytes // self._header["NAXIS1"]
        self._file.seek(self._start)
        self._file.write(self._header.tostring().encode("ascii"))
        self._file.close()


class _VOTable:
    """BINARY2 within XML: before each row one bit per column, set where an id is missing."""

    def __init__(self, path: Path, first: pa.Table, about: About, columns: Columns):
        from astropy.io.votable import from_table
        from astropy.io.votable.tree import Info

        file = from_table(_one_row(first, columns))
        table, text = file.get_first_table(), io.BytesIO()
        table.name = "predictions"
        for field in table.fields:
            field.values.null = columns[field.name].missing
        for name, value in about.items():
            table.infos.append(Info(name=name.replace(" ", "_"), value=str(value)))
        file.to_xml(text, tabledata_format="binary2")
        head, mark, rest = text.getvalue().partition(b'<STREAM encoding="base64">')
        self._columns, self._left = columns, b""
        self._tail = b"\n" + rest[rest.index(b"</STREAM>") :]
        self._file = path.open("wb")
        self._file.write(head + mark)

    def write(self, table: pa.Table) -> None:
        packed = _packed(table, self._columns, (table.num_columns + 7) // 8)
        packed["f0"] = _null_bits(table).view(packed.dtype["f0"])[:, 0]
        rows = self._left + packed.tobytes()
        whole = len(rows) // 3 * 3  # base64 turns three bytes into four letters
        self._left = rows[whole:]
        self._file.write(b"\n" + base64.b64encode(rows[:whole]))

    def close(self) -> None:
        self._file.write(base64.b64encode(self._left) + self._tail)
        self._file.close()


class _Ecsv:
    """Text whose header, in YAML, says what the columns are."""

    def __init__(self, path: Path, first: pa.Table, about: About, columns: Columns):
        empty = _one_row(first, columns)[:0]
        empty.meta.update(about)
        text = io.StringIO()
        empty.write(text, format="ascii.ecsv", delimiter=",")
        self._file = path.open("wb")
        self._file.write(text.getvalue().encode())

    def write(self, table: pa.Table) -> None:
        from pyarrow import csv

        csv.write_csv(table, self._file, csv.WriteOptions(include_header=False))

    def close(self) -> None:
        self._file.close()


WRITERS: dict[str, type[Writer]] = {
    "csv": _Csv,
    "parquet": _Parquet,
    "fits": _Fits,
    "votable": _VOTable,
    "ecsv": _Ecsv,
}


def _described(field: Any, column: Column | None) -> Any:
    """Field of a Parquet schema with what its column means."""
    if column is None:
        return field
    said = {"description": column.description, "ucd": column.ucd}
    if column.unit is not None:
        said["unit"] = column.unit
    return field.with_metadata(said)


def _rows(table: pd.DataFrame | Mapping[str, NDArray]) -> pa.Table:
    """The same rows as an Arrow table, null where a number is NaN."""
    if isinstance(table, Mapping):
        return pa.table({name: pa.array(one, from_pandas=True) for name, one in table.items()})
    return pa.Table.from_pandas(table, preserve_index=False)


def _is_plain(table: pa.Table) -> bool:
    """Whether names and texts of a table mean the same in CSV without quotes, formulas aside."""
    import pyarrow.compute as pc

    def all_of(*kinds: Callable[[pa.DataType], bool]) -> list[pa.ChunkedArray]:
        return [one for one in table.columns if any(is_kind(one.type) for is_kind in kinds)]

    numbers = all_of(pa.types.is_integer, pa.types.is_floating)
    texts = all_of(pa.types.is_string, pa.types.is_large_string)
    if len(numbers) + len(texts) < table.num_columns:
        return False
    texts.append(pa.chunked_array([table.column_names]))
    return not any(pc.any(pc.match_substring_regex(one, ODD_TEXT)).as_py() for one in texts)


def _one_row(first: pa.Table, columns: Columns) -> Table:
    """Columns of a table with their meaning, and one row of zeros."""
    from astropy.table import Column as AstropyColumn
    from astropy.table import Table

    rows = np.zeros(1, _packed(first[:0], columns).dtype)
    return Table(
        {
            name: AstropyColumn(
                rows[name],
                unit=columns[name].unit,
                description=columns[name].description,
                meta={"ucd": columns[name].ucd},
            )
            for name in first.column_names
        }
    )


def _packed(table: pa.Table, columns: Columns, n_before: int = 0) -> NDArray[np.void]:
    """Rows as big-endian records without gaps, shape (n,), each after ``n_before`` zero bytes."""
    kinds: list[tuple[str, str]] = [
        (name, f"S{columns[name].width}" if columns[name].width else f">{_letter(kind)}8")
        for name, kind in zip(table.column_names, table.schema.types, strict=True)
    ]
    before = [("", f"V{n_before}")] * bool(n_before)
    rows = np.zeros(len(table), before + kinds)
    for name, _ in kinds:
        missing = columns[name].missing
        column = table[name] if missing is None else table[name].fill_null(missing)
        rows[name] = column.to_numpy()
    return rows


def _null_bits(table: pa.Table) -> NDArray[np.uint8]:
    """One bit per column, set where a whole number is missing, shape (n, bytes)."""
    null = np.zeros((len(table), table.num_columns), bool)
    for place, column in enumerate(table.columns):
        if column.null_count and pa.types.is_integer(column.type):
            null[:, place] = column.is_null().to_numpy()
    return np.packbits(null, axis=1)


def _letter(kind: pa.DataType) -> str:
    """NumPy's letter for a kind of number: i or f."""
    return np.dtype(kind.to_pandas_dtype()).kind
