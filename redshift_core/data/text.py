"""Reader of text tables: blocks of whole lines, parsed side by side in threads, in bounded memory.

Numbers are parsed in float64 and the fluxes then rounded to float32, so that a redshift is exact as
written and an id never passes through a float. A block that does not parse is looked at again, cell
by cell, for the line and column to name.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from redshift_core.data.array_text import ArrayTextTable, holds_arrays
from redshift_core.data.blocks import ID, NUMBER_ROWS, Block, Table
from redshift_core.data.dialect import BOM, NULLS, bare, dialect_of, split_line, squeeze
from redshift_core.data.headerless import by_position
from redshift_core.data.headers import Columns, recognise
from redshift_core.data.limits import Unpacked
from redshift_core.data.sniff import check_text, gzip_error
from redshift_core.errors import InputError
from redshift_core.settings.names import FORMATS, FileFormat

BLOCK_BYTES = 2 << 20  # text parsed at once; its numbers still fit the processor's cache
HEAD_BYTES = 1 << 20  # text looked at for header and delimiter
MAX_LINE = 16 << 20  # a longer line is no table
MAX_THREADS = 8  # beyond these the disk and the hash are the limit


def text_table(path: Path, packed: bool = False) -> Table:
    """Reader of a CSV file, plain or compressed with gzip, by what its first lines hold."""
    table = TextTable(path, packed)
    return ArrayTextTable(path, packed) if table.holds_arrays else table


class TextTable(Table):
    """A CSV file, plain or compressed with gzip, with one number in each cell."""

    def __init__(self, path: Path, packed: bool = False):
        self.path = path
        self.packed = packed
        with self._open() as (stream, _):
            head = self._read(stream, HEAD_BYTES)
            whole = len(head) < HEAD_BYTES
        self.holds_arrays = holds_arrays(head)
        if self.holds_arrays:
            return
        if inner := next((one for one in FORMATS.values() if _begins(head, one)), None):
            raise InputError(f"{path.name} is a packed {inner.title} file; unpack it (gunzip).")
        if not head:
            raise InputError(f"{path.name} holds an empty file; expected a table of spectra.")
        check_text(path.name, head[: 1 << 16])
        if not whole and b"\n" not in head and b"\r" not in head:
            raise InputError(f"{path.name} has a first line of more than 1 MB: it is no table.")
        self.dialect = dialect_of(path.name, head, whole)
        self.names = self.dialect.names
        self.first = self.dialect.first
        self.has_header = self.dialect.has_header

    def columns(self, wanted: dict[str, str]) -> Columns:
        """Columns by header, by position, or as the user says."""
        if not self.has_header and "flux" not in wanted:
            if not wanted:
                return by_position(self.path.name, self.first)
            guess = by_position(self.path.name, self.first).mapping
            wanted = {**guess, **wanted}
        return recognise(self.path.name, self.names, wanted, self.first, self.has_header)

    def blocks(self, columns: Columns) -> Iterator[tuple[Block, int]]:
        """Rows in order, each block with the bytes of the file done by then."""
        threads = min(_n_cores(), MAX_THREADS)
        free: SimpleQueue[bytearray] = SimpleQueue()
        for _ in range(threads + 2):
            free.put(bytearray(BLOCK_BYTES))
        parser = _Parser(self, columns)
        pending: deque[tuple[Future[Block], int]] = deque()
        pool = ThreadPoolExecutor(threads)
        try:
            for text, done in self._texts(free):
                pending.append((pool.submit(parser.parse, text, free), done))
                if len(pending) > threads:
                    yield _result(pending)
            while pending:
                yield _result(pending)
        finally:
            pool.shutdown(cancel_futures=True)

    def line_of(self, offset: int) -> int:
        """Number of the line, from 1, that begins after so many bytes of text."""
        line = 1
        with self._open() as (stream, _):
            while offset > 0 and (part := stream.read(min(offset, BLOCK_BYTES))):
                line += part.count(b"\n")
                offset -= len(part)
        return line

    def _texts(self, free: SimpleQueue[bytearray]) -> Iterator[tuple[_Text, int]]:
        """Blocks of whole lines in used-up buffers, each with the bytes of the file read."""
        offset, rest, last = self.dialect.start, b"", False
        with self._open() as (stream, raw):
            self._read(stream, offset)
            while not last:
                buffer = free.get()
                if len(buffer) < len(rest) + BLOCK_BYTES:
                    buffer = bytearray(len(rest) + BLOCK_BYTES)
                buffer[: len(rest)] = rest
                size = len(rest) + self._fill(stream, memoryview(buffer)[len(rest) :])
                last = size < len(buffer)
                end = size if last else buffer.rfind(b"\n") + 1
                rest = bytes(buffer[end:size])
                if len(rest) > MAX_LINE:
                    raise InputError(
                        f"{self.path.name}, line {self.line_of(offset + end)} is longer than 16 "
                        "MB: it is no table."
                    )
                yield _Text(buffer, end, offset, last), raw.tell()
                offset += end

    def _open(self) -> Any:
        return _Stream(self.path, self.packed)

    def _read(self, stream: BinaryIO, size: int) -> bytes:
        """Exactly ``size`` bytes, less only at the end of the file."""
        buffer = bytearray(size)
        return bytes(buffer[: self._fill(stream, memoryview(buffer))])

    def _fill(self, stream: BinaryIO, view: memoryview) -> int:
        """Fill a buffer; the bytes read, fewer than it holds only at the end of the file."""
        filled = 0
        try:
            while filled < len(view) and (n := stream.readinto(view[filled:])):
                filled += n
        except (EOFError, OSError, zlib.error) as error:
            if self.packed:
                raise gzip_error(self.path.name, error) from None
            raise
        return filled


@dataclass(frozen=True)
class _Text:
    """Whole lines at the beginning of a buffer."""

    buffer: bytearray
    size: int  # bytes of them
    offset: int  # where they stand in the text, in bytes
    last: bool  # whether the text ends with them


class _Stream:
    """Text of a file, and the file itself for the place reached."""

    def __init__(self, path: Path, packed: bool):
        self.raw = path.open("rb", buffering=1 << 20 if packed else 0)
        self.text = Unpacked(path.name, self.raw) if packed else self.raw

    def __enter__(self) -> tuple[BinaryIO, BinaryIO]:
        return self.text, self.raw

    def __exit__(self, *_: object) -> None:
        self.text.close()
        self.raw.close()


def _begins(head: bytes, form: FileFormat) -> bool:
    return bool(form.magic) and head.startswith(form.magic)


def _n_cores() -> int:
    """Cores this process may use; not every system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _result(pending: deque[tuple[Future[Block], int]]) -> tuple[Block, int]:
    future, done = pending.popleft()
    return future.result(), done


class _Parser:
    """Turns blocks of text into numbers; several threads share it."""

    def __init__(self, table: TextTable, columns: Columns):
        self.source, self.file = table, table.path.name
        self.dialect, self.columns = table.dialect, columns
        self.names = [str(position) for position in range(len(columns.names))]
        self.kinds = {str(p): pa.float64() for p in columns.flux}
        self.kinds |= {str(p): pa.binary() for p in columns.other}
        if columns.z is not None:
            self.kinds[str(columns.z)] = pa.float64()
        if columns.source_id is not None:
            self.kinds[str(columns.source_id)] = pa.int64()
        # Nothing but numbers, until a block proves otherwise: a tenth faster.
        self._plain = not columns.other and not self.dialect.blanks

    def parse(self, text: _Text, free: SimpleQueue[bytearray]) -> Block:
        """Numbers of a block; its buffer is free again afterwards."""
        try:
            if self._plain:
                try:
                    return self._block(self._table(memoryview(text.buffer)[: text.size], [""]))
                except pa.ArrowInvalid:
                    self._plain = False
            return self._carefully(text)
        finally:
            free.put(text.buffer)

    def _carefully(self, text: _Text) -> Block:
        """Numbers of a block that may hold further columns, quotes, and words for missing."""
        content = bytes(text.buffer[: text.size]).removeprefix(BOM)
        if self.dialect.blanks:
            content = squeeze(content)
        if not content.strip():
            return Block.empty()
        nulls, quoted = list(NULLS), b'"' in content
        try:
            return self._block(self._table(content, nulls, quoted))
        except pa.ArrowInvalid:  # a cell of nothing but blanks is a missing value, too
            pass
        try:
            return self._block(self._trimmed(content, nulls, quoted))
        except pa.ArrowInvalid as error:
            if self.columns.z_is_spare and self.columns.z is not None:
                return _Parser(self.source, replace(self.columns, z=None))._carefully(text)
            raise self._fault(content, text, str(error)) from None

    def _trimmed(self, content: bytes, nulls: list[str], quoted: bool) -> pa.Table:
        """Table whose numbers are read as text first, because blanks stand around missing ones.

        The text of the file is never rewritten, so that further columns stay as they are.
        """
        table = self._table(content, nulls, quoted, dict.fromkeys(self.kinds, pa.binary()))
        columns = []
        for name, kind in self.kinds.items():
            column = table.column(name).combine_chunks()
            if kind != pa.binary():
                column = bare(column)
                if self.dialect.decimal == ",":
                    column = pc.replace_substring(column, ",", ".")
                column = column.cast(kind)
            columns.append(column)
        return pa.table(columns, names=list(self.kinds))

    def _table(
        self,
        text: bytes | memoryview,
        nulls: list[str],
        quoted: bool = False,
        kinds: dict[str, pa.DataType] | None = None,
    ) -> pa.Table:
        kinds = kinds or self.kinds
        return pyarrow.csv.read_csv(
            pa.BufferReader(pa.py_buffer(text)),
            pyarrow.csv.ReadOptions(
                column_names=self.names, use_threads=False, block_size=len(text) + 1
            ),
            pyarrow.csv.ParseOptions(
                delimiter=self.dialect.delimiter, quote_char='"' if quoted else False
            ),
            pyarrow.csv.ConvertOptions(
                column_types=kinds,
                include_columns=list(kinds),
                null_values=nulls,
                strings_can_be_null=True,
                check_utf8=False,
                decimal_point=self.dialect.decimal,
            ),
        )

    def _block(self, table: pa.Table) -> Block:
        columns = self.columns
        batch = table.combine_chunks().to_batches()[0] if table.num_rows else None
        if batch is None:
            return Block.empty()
        pixels = batch.select([str(p) for p in columns.flux])
        with np.errstate(over="ignore"):
            columns_first = pixels.to_tensor(null_to_nan=True, row_major=False).to_numpy()
            flux = columns_first.astype(np.float32, order="C")
        z = None
        if columns.z is not None:
            z = batch.column(str(columns.z)).to_numpy(zero_copy_only=False)
        ids = None if columns.source_id is None else batch.column(str(columns.source_id))
        names = [columns.names[p] for p in columns.other]
        texts = [_texts(batch.column(str(p))) for p in columns.other]
        return Block.of(flux, z, ids, pa.table(texts, names=names) if names else None)

    def _fault(self, content: bytes, text: _Text, reason: str) -> InputError:
        """Sentence that names the line and column of the first cell that does not fit."""
        first = self.source.line_of(text.offset)
        lines = content.rstrip(b"\r\n").decode("utf-8", "replace").split("\n")
        for number, line in enumerate(lines, first):
            cells = split_line(line.rstrip("\r"), self.dialect.delimiter)
            if line.strip() and len(cells) != len(self.names):
                return self._ragged(
                    number, len(cells), text.last and number == first + len(lines) - 1
                )
            for cell, name in zip(cells, self.names, strict=False):
                if cell.strip() not in NULLS and not self._fits(cell, name):
                    return self._letters(number, cell, int(name))
        return InputError(f"{self.file}, after line {first}: {reason.splitlines()[0][:200]}")

    def _fits(self, cell: str, name: str) -> bool:
        kind = self.kinds.get(name)
        try:
            if kind == pa.float64():
                float(cell if self.dialect.decimal == "." else cell.replace(",", "."))
            elif kind == pa.int64():
                return -(1 << 63) <= int(cell) < 1 << 63 and "_" not in cell
        except ValueError:
            return False
        return kind == pa.binary() or kind is None or "_" not in cell

    def _ragged(self, number: int, n: int, is_end: bool) -> InputError:
        wanted = len(self.names)
        if is_end and n < wanted:
            return InputError(
                f"{self.file} is cut off: its last line ({number}) has {n} of {wanted} columns. "
                "Export or transfer it again."
            )
        return InputError(
            f"{self.file}, line {number} has {n} columns; expected {wanted} as in the first line. "
            "Correct or remove that line."
        )

    def _letters(self, number: int, cell: str, position: int) -> InputError:
        name = self.columns.names[position]
        shown = repr(cell.strip()[:40])
        if position == self.columns.source_id:
            return InputError(
                f"{self.file}, line {number}, column {name}: {shown} is not {ID}. Export the ids "
                f"with all their digits. {NUMBER_ROWS}"
            )
        return InputError(
            f"{self.file}, line {number}, column {name}: {shown} is not a number. Correct it, or "
            "leave the cell empty where the value is missing."
        )


def _texts(column: pa.Array) -> pa.Array:
    """Bytes as text; what is not UTF-8 is read as Latin-1."""
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array(
            [None if v is None else v.decode("latin-1") for v in column.to_pylist()], pa.string()
        )
