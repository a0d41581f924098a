"""Reader of text tables with arrays in their cells: ECSV, and the archive's CSV of coefficients."""

from __future__ import annotations

import gzip
import itertools
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv

from redshift_core.data.array_cells import is_array_text
from redshift_core.data.columnar import FIRST_ROWS, ColumnarTable
from redshift_core.data.limits import Unpacked
from redshift_core.data.lines import records, split_line
from redshift_core.data.sniff import gzip_error
from redshift_core.errors import InputError

BLOCK_BYTES = 8 << 20  # text parsed at once
MAX_LINE = 16 << 20
ECSV = b"# %ECSV"
_DELIMITER = re.compile(rb"#\s*delimiter:\s*'(.)'")


class ArrayTextTable(ColumnarTable):
    """An ECSV file, or a CSV with arrays in its cells, plain or compressed with gzip."""

    def __init__(self, path: Path, packed: bool = False):
        self.path, self.packed = path, packed
        with self._open() as (stream, _):
            self.start, self.header, self.delimiter = _header(path.name, stream)
        if len(set(self.header)) == len(self.header):
            with self._open() as (stream, _):
                batch = next(self._parsed(stream, self.header), None)
            first = batch.slice(0, FIRST_ROWS) if batch is not None else _empty(self.header)
        else:
            first = _empty(self.header)
        super().__init__(path, first)

    def batches(self, names: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Rows of some columns, each batch with the bytes of the file done by then."""
        with self._open() as (stream, raw):
            for batch in self._parsed(stream, names):
                yield batch, raw.tell()

    def _parsed(self, stream: BinaryIO, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Columns as text: what they hold is known by whoever uses them."""
        yield from pyarrow.csv.open_csv(
            stream,
            pyarrow.csv.ReadOptions(
                column_names=self.header, skip_rows=self.start, block_size=BLOCK_BYTES,
                use_threads=False,
            ),
            pyarrow.csv.ParseOptions(
                delimiter=self.delimiter, ignore_empty_lines=True, newlines_in_values=True
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=names,
                null_values=["", "null"],
                strings_can_be_null=True,
            ),
        )  # fmt: skip

    @contextmanager
    def _open(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """Text of the file, and the file itself for the place reached."""
        with self.path.open("rb") as raw:
            stream = Unpacked(self.path.name, raw) if self.packed else raw
            try:
                yield stream, raw
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise gzip_error(self.path.name, error) from None
            except pa.ArrowInvalid as error:
                reason = str(error).splitlines()[0][:150].rstrip(".")
                raise InputError(
                    f"{self.path.name} is no whole table ({reason}). Export or transfer it again."
                ) from None


def holds_arrays(head: bytes) -> bool:
    """Whether the first bytes of a text table show coefficients or arrays in cells, or ECSV."""
    if head.startswith(ECSV):
        return True
    found = (line for _, line in records(head, ","))
    lines = (line.strip() for line in found if line.strip() and not line.startswith(b"#"))
    header, first = next(lines, b""), next(lines, b"")
    if b"bp_coefficients" in header.lower():
        return True
    if b"(" not in first and b"[" not in first:
        return False
    cells = split_line(first.decode("utf-8", "replace"), ",")
    return any(map(is_array_text, cells))


def _header(file: str, stream: BinaryIO) -> tuple[int, list[str], str]:
    """Lines before the first row of data, names of the columns, delimiter."""
    ecsv, delimiter, number = False, ",", 0
    for number in itertools.count(1):
        line = stream.readline(MAX_LINE)
        if not line:
            raise InputError(f"{file} has no header; expected the names of its columns.")
        ecsv = ecsv or line.startswith(ECSV)
        if found := _DELIMITER.match(line):
            delimiter = found[1].decode()
        elif ecsv and number == 1:
            delimiter = " "
        if line.strip() and not line.startswith(b"#"):
            break
    if delimiter == " " and b"," in line and b" " not in line.strip():
        delimiter = ","  # of an ECSV whose head does not say so
    names = split_line(line.decode("utf-8", "replace").strip(), delimiter)
    return number, [name.strip() for name in names], delimiter


def _empty(names: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], pa.string())] * len(names), names)
