"""Blocks of whole lines as numbers: as fast as Arrow reads them, and with care where it cannot.

A block that does not parse at once is read as text and respelt (`cells`), then freed of lines that
are no rows (comments, strokes, the header once more), and at last looked at cell by cell for the
line and column to name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import replace
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from redshift_core.data import cells
from redshift_core.data.blocks import ID, NUMBER_ROWS, Block
from redshift_core.data.dialect import Dialect
from redshift_core.data.headers import Columns
from redshift_core.data.lines import (
    BOM,
    decode,
    is_passed_over,
    opened,
    quoted_cells,
    records,
    split_line,
    squeeze,
)
from redshift_core.data.text_forms import USUAL_NULLS
from redshift_core.errors import InputError

FEW = 2  # columns that are respelt alone; where more have to be, all of them are
N_LOOK = 6  # first rows that tell which
_COLUMN = re.compile(r"CSV column #(\d+)")


class Parser:
    """Turns blocks of text into numbers; several threads share it.

    Parameters
    ----------
    file : str
        Name of the file, for the sentences.
    line_of : callable
        Number of the line, from 1, that begins after so many bytes of text.
    """

    def __init__(
        self, file: str, dialect: Dialect, columns: Columns, line_of: Callable[[int], int]
    ):
        self.file, self.dialect, self.columns, self.line_of = file, dialect, columns, line_of
        self.names = [str(position) for position in range(len(dialect.names))]
        self.kinds = {str(p): pa.float64() for p in columns.flux}
        self.kinds |= {str(p): pa.binary() for p in columns.other}
        if columns.z is not None:
            self.kinds[str(columns.z)] = pa.float64()
        if columns.source_id is not None:
            self.kinds[str(columns.source_id)] = pa.int64()
        # Columns whose numbers have to be respelt: by the first rows, then as blocks show them.
        self._odd: Set[str] = self._more(
            frozenset(), islice(filter(self._is_odd, self.kinds), FEW + 1)
        )
        # Nothing but numbers as Arrow knows them, until a block proves otherwise: a tenth faster.
        self._plain = not (columns.other or dialect.blanks or self._odd)

    def parse(self, text: memoryview, offset: int, last: bool) -> Block:
        """Numbers of a block that begins after so many bytes; ``last`` where the text ends."""
        if self._plain:
            try:
                return self._block(self._table(text, [""], False, self.kinds))
            except pa.ArrowInvalid:
                self._plain = False
        return self._carefully(bytes(text), offset, last)

    def _carefully(self, text: bytes, offset: int, last: bool) -> Block:
        """Numbers of a block that may hold further columns, quotes, and other spellings."""
        try:
            return self._whole(self._read(text), text, offset)
        except pa.ArrowInvalid as error:
            reason = str(error)
        kept = b"".join(line for _, line in self._rows(text))
        if len(kept) < len(text):
            try:
                return self._whole(self._read(kept), text, offset)
            except pa.ArrowInvalid as error:
                reason = str(error)
        if self.columns.z_is_spare and self.columns.z is not None:
            spare = replace(self.columns, z=None)
            return Parser(self.file, self.dialect, spare, self.line_of)._carefully(
                text, offset, last
            )
        raise self._fault(text, offset, last, reason) from None

    def _whole(self, block: Block, text: bytes, offset: int) -> Block:
        """The block, where no quoted cell holds whole rows, as one that is not closed may."""
        if b'"' in text and len(block.flux) < text.count(b"\n"):
            for start, cell in quoted_cells(text, self.dialect.delimiter):
                inside = cell.count(self.dialect.delimiter.encode())
                if b"\n" in cell and inside >= len(self.names) - 1:
                    line = self.line_of(offset) + text.count(b"\n", 0, start)
                    raise self._unclosed(line)
        return block

    def _read(self, text: bytes) -> Block:
        content = text.removeprefix(BOM)
        if self.dialect.blanks:
            content = squeeze(content)
        if not content.strip():
            return Block.empty()
        quoted = b'"' in content
        while True:
            odd = self._odd
            try:
                return self._block(self._typed(content, quoted, odd))
            except pa.ArrowInvalid as error:
                found = _COLUMN.search(str(error))
                if not found or found[1] in odd:
                    raise
                self._odd = self._more(odd, [found[1]])

    def _more(self, odd: Set[str], names: Iterable[str]) -> Set[str]:
        """Columns to respell with some more: all of them where they are many."""
        found = odd | set(names)
        numbers = {name for name, kind in self.kinds.items() if kind != pa.binary()}
        return numbers if len(found) > FEW else found

    def _is_odd(self, name: str) -> bool:
        """Whether the first cells of a column are not spelt as Arrow knows numbers."""
        if self.kinds[name] == pa.binary():
            return False
        number = float if self.kinds[name] == pa.float64() else int
        for row in self.dialect.first[:N_LOOK]:
            cell = row[int(name)] if int(name) < len(row) else ""
            if cell not in USUAL_NULLS:
                try:
                    number(cell.replace(",", ".") if self.dialect.decimal == "," else cell)
                except ValueError:
                    return True
        return False

    def _typed(self, content: bytes, quoted: bool, odd: Set[str]) -> pa.Table:
        """Table of which some columns are read as text first, for Arrow does not know their cells.

        The text of the file is never rewritten, so that further columns stay as they are.
        """
        kinds = {name: pa.binary() if name in odd else kind for name, kind in self.kinds.items()}
        table = self._table(content, USUAL_NULLS, quoted, kinds)
        columns = {
            name: column.combine_chunks() if name in odd else column
            for name, column in zip(kinds, table.columns, strict=True)
        }
        floats = [name for name in odd if self.kinds[name] == pa.float64()]
        if floats:  # at once, for a call costs more than some cells
            n, whole = table.num_rows, pa.concat_arrays([columns[name] for name in floats])
            whole = cells.numbers(whole, self.dialect.decimal)
            columns |= {name: whole.slice(k * n, n) for k, name in enumerate(floats)}
        for name in odd - set(floats):
            columns[name] = cells.ids(columns[name], self.dialect.decimal)
        return pa.table(list(columns.values()), names=list(kinds))

    def _table(
        self,
        text: bytes | memoryview,
        nulls: list[str] | tuple[str, ...],
        quoted: bool,
        kinds: dict[str, pa.DataType],
    ) -> pa.Table:
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
                null_values=list(nulls),
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

    def _rows(self, text: bytes) -> Iterator[tuple[int, bytes]]:
        """Lines that are rows, each with its number from 1 and its end."""
        for number, line in records(text, self.dialect.delimiter):
            again = self.dialect.header and line.strip() == self.dialect.header
            if not is_passed_over(line) and not again:
                yield number, line

    def _fault(self, text: bytes, offset: int, last: bool, reason: str) -> InputError:
        """Sentence that names the line and column of the first cell that does not fit."""
        first = self.line_of(offset) - 1
        rows = list(self._rows(text))
        for number, line in rows:
            row = split_line(decode(line), self.dialect.delimiter)
            if len(row) != len(self.names):
                if opened(line, self.dialect.delimiter) is not None:
                    return self._unclosed(first + number)
                return self._ragged(first + number, len(row), last and number == rows[-1][0])
            for cell, name in zip(row, self.names, strict=True):
                if not self._fits(cell, name):
                    return self._letters(first + number, cell, int(name))
        return InputError(f"{self.file}, after line {first + 1}: {reason.splitlines()[0][:200]}")

    def _fits(self, cell: str, name: str) -> bool:
        kind = self.kinds.get(name)
        if kind == pa.float64():
            return cells.is_number(cell, self.dialect.decimal)
        return kind != pa.int64() or cells.all_ids([cell], self.dialect.decimal)

    def _unclosed(self, number: int) -> InputError:
        return InputError(
            f'{self.file}, line {number}: a cell begins with a quote (") that is not closed; '
            "close it, or write it twice where it belongs to the text."
        )

    def _ragged(self, number: int, n: int, is_end: bool) -> InputError:
        wanted = len(self.names)
        if is_end and n < wanted:
            return InputError(
                f"{self.file} is cut off: its last line ({number}) has {n} of {wanted} columns. "
                "Export or transfer it again, or take that line out if it is a remark."
            )
        hint = ""
        if n > 1.5 * wanted and self.dialect.delimiter == ",":
            hint = " Decimal commas need another separator: export it with semicolons."
        if self.dialect.blanks:
            hint = ' Text that holds blanks needs quotes (") round it.'
        return InputError(
            f"{self.file}, line {number} has {n} columns; expected {wanted} as in the first line. "
            f"Correct or remove that line.{hint}"
        )

    def _letters(self, number: int, cell: str, position: int) -> InputError:
        name = self.columns.names[position]
        shown = repr(cell.strip()[:40])
        if position == self.columns.source_id:
            return InputError(
                f"{self.file}, line {number}, column {name}: {shown} is not {ID}. Export the ids "
                f"with all their digits. {NUMBER_ROWS}"
            )
        hint = ""
        if self.dialect.decimal == "," and "." in cell:
            hint = " Among decimal commas a point may set off thousands: leave it out."
        return InputError(
            f"{self.file}, line {number}, column {name}: {shown} is not a number. Correct it, or "
            f"leave the cell empty where the value is missing.{hint}"
        )


def _texts(column: pa.Array) -> pa.Array:
    """Bytes as text, null where they say so; what is not UTF-8 is read as Windows or Latin-1."""
    try:
        texts = column.cast(pa.string())
    except pa.ArrowInvalid:
        found = [None if cell is None else decode(cell) for cell in column.to_pylist()]
        texts = pa.array(found, pa.string())
    return pc.if_else(cells.missing(texts), pa.scalar(None, pa.string()), texts)
