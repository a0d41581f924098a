"""What every table of typed columns has in common: arrays in cells, coefficients, numbers, ids.

A format hands out Arrow batches (`ColumnarTable.batches`); here they become blocks of spectra. The
values of arrays in cells appear as columns ``flux_0``, ``flux_1`` …, so that arrays are recognised
as columns are, and coefficients of Gaia's mean spectra appear as the 186 fluxes that they make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS
from redshift_core.data.array_cells import array_length, is_text, lists_of, matrix, plain
from redshift_core.data.blocks import ID, NUMBER_ROWS, Block, Table
from redshift_core.data.cells import ids, numbers
from redshift_core.data.coefficients import Converter
from redshift_core.data.headers import Columns, recognise
from redshift_core.data.mapping import MADE_KEYS, UnknownColumnsError
from redshift_core.data.mean_spectra import MADE_FLUX, MeanSpectra
from redshift_core.errors import InputError

BLOCK_ROWS = 8_192
FIRST_ROWS = 20
Convert = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True)
class Cell:
    """Where the values of one of the table's columns stand in the file."""

    column: str | None  # of the file; None where they are made of coefficients
    index: int | None = None  # in the arrays of that column; None where each cell is one value
    n: int = 0  # values of each array


class ColumnarTable(Table):
    """A table whose format knows columns and their types.

    Parameters
    ----------
    path : Path
    first : pa.RecordBatch
        Its first rows, at most FIRST_ROWS, with every column of the file.
    """

    has_header = True
    chosen = ""  # which of several tables in the file this is, as a sentence

    def __init__(self, path: Path, first: pa.RecordBatch):
        self.path, self.is_empty = path, first.num_rows == 0
        names = first.schema.names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(
                f"{path.name} has several columns called {twice[0]!r}; give each its own name."
            )
        self.mean_spectra = MeanSpectra.find(path.name, names)
        self.cells = self._cells(first)
        self.nested = next(  # a column of which no number can be read
            (
                (field.name, str(field.type)[:60])
                for field in first.schema
                if _holds_more(field.type) and array_length(first.column(field.name)) is None
            ),
            None,
        )
        self.names = list(self.cells)
        parsed = self._with_lists(first)
        shown = [self._shown(parsed, cell) for cell in self.cells.values()]
        rows = zip(*shown, strict=True)
        self.first = [["" if v is None else str(v) for v in row] for row in rows]

    def batches(self, names: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Rows of some columns of the file, each batch with the bytes of the file done by then."""
        raise NotImplementedError

    def columns(self, wanted: dict[str, str]) -> Columns:
        """Columns by name, or as the user says."""
        made_with = None
        if self.mean_spectra:
            made_with = {key: wanted[key] for key in MADE_KEYS if key in wanted}
            wanted = {key: value for key, value in wanted.items() if key not in MADE_KEYS}
        try:
            found = recognise(self.path.name, self.names, wanted, self.first, made_with=made_with)
            return replace(found, doubts=(*found.doubts, *filter(None, [self.chosen])))
        except InputError as error:
            if self.is_empty:  # the length of arrays in cells is not known then
                raise InputError(
                    f"{self.path.name} has a header and no rows; expected spectra below it."
                ) from None
            without = [name for name in self._without if len(self.names) < N_PIXELS]
            if without:
                raise InputError(
                    f"{self.path.name}: the first {FIRST_ROWS} rows have no array in column "
                    f"{without[0]!r}, so its length is not known. Move rows with spectra to the "
                    "top, or leave the others out."
                ) from None
            if self.nested and len(self.names) < N_PIXELS:
                name, kind = self.nested
                raise type(error)(
                    f"{error} Its column {name!r} holds {kind}; fluxes in one column have to be "
                    "lists of numbers."
                ) from None
            raise

    def blocks(self, columns: Columns) -> Iterator[tuple[Block, int]]:
        """Rows in order, each block with the bytes of the file done by then."""
        used = {columns.z, columns.source_id, *columns.flux, *columns.other} - {None}
        names = {self.cells[self.names[p]].column for p in used}
        converter = None
        if None in names:
            names = (names - {None}) | set(self.mean_spectra.names)
            made_with = {key: Path(name) for key, name in columns.made_with.items()}
            converter = Converter(**made_with)
        row = 0
        for batch, done in self.batches(sorted(names)):
            yield self._block(batch, columns, converter, row), done
            row += batch.num_rows

    def _cells(self, first: pa.RecordBatch) -> dict[str, Cell]:
        """Every column that the table shows → where its values stand."""
        cells: dict[str, Cell] = {}
        self._without: list[str] = []  # columns of arrays, none of which is there
        for name in first.schema.names:
            if self.mean_spectra and self.mean_spectra.describes_fit(name):
                continue
            length = array_length(first.column(name))
            if length == 0:
                self._without.append(name)
            if length is None or length == 1:
                cells[name] = Cell(name, None if length is None else 0, 1)
            else:
                cells |= {f"{name}_{k}": Cell(name, k, length) for k in range(length)}
        if self.mean_spectra:
            cells |= dict.fromkeys(MADE_FLUX, Cell(None))
        return cells

    def _with_lists(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The same rows, whose arrays as text are lists: parsed once, not for every value."""
        indexed = {cell.column for cell in self.cells.values() if cell.index is not None}
        arrays = list(batch.columns)
        for place, name in enumerate(batch.schema.names):
            with suppress(InputError):
                if name in indexed:
                    arrays[place] = self._lists(arrays[place], name)
        return pa.RecordBatch.from_arrays(arrays, batch.schema.names)

    def _shown(self, batch: pa.RecordBatch, cell: Cell) -> list[Any]:
        """Values of a column, for a preview; none where they cannot be read."""
        with suppress(InputError):
            if cell.column is not None:
                return self._values(batch, cell).to_pylist()
        return [None] * batch.num_rows

    def _values(self, batch: pa.RecordBatch, cell: Cell) -> pa.Array:
        """One value a row."""
        column = plain(batch.column(cell.column))
        if cell.index is None:
            return column
        lists = self._lists(column, cell.column)
        enough = pc.greater(pc.list_value_length(lists), cell.index)
        return pc.list_element(pc.if_else(enough, lists, pa.scalar(None, lists.type)), cell.index)

    def _block(
        self, batch: pa.RecordBatch, columns: Columns, converter: Converter | None, first: int
    ) -> Block:
        if converter:
            flux = self.mean_spectra.flux(batch, converter)
        else:
            flux = self._flux(batch, columns, first)
        z = self._z_spec(batch, columns, first)
        ids = None if columns.source_id is None else self._ids(batch, columns.source_id, first)
        names = [self.names[p] for p in columns.other]
        values = [self._values(batch, self.cells[name]) for name in names]
        return Block.of(flux, z, ids, pa.table(values, names=names) if names else None)

    def _z_spec(
        self, batch: pa.RecordBatch, columns: Columns, first: int
    ) -> NDArray[np.float64] | None:
        """Redshifts of the rows; None where there are none, or nothing depends on them."""
        if columns.z is None:
            return None
        try:
            return _redshifts(self._numbers(batch, columns.z, first))
        except InputError:
            if columns.z_is_spare:
                return None
            raise

    def _flux(self, batch: pa.RecordBatch, columns: Columns, first: int) -> NDArray[np.float32]:
        cells = [self.cells[self.names[p]] for p in columns.flux]
        if any(cell.index is not None for cell in cells):
            return self._flux_of_arrays(batch, cells, first)
        pixels = [self._numbers(batch, p, first) for p in columns.flux]
        kind = pa.float32() if all(c.type == pa.float32() for c in pixels) else pa.float64()
        pixels = [column.cast(kind) for column in pixels]
        joined = pa.RecordBatch.from_arrays(pixels, [str(k) for k in range(len(pixels))])
        with np.errstate(over="ignore"):
            return joined.to_tensor(null_to_nan=True).to_numpy().astype(np.float32, order="C")

    def _flux_of_arrays(
        self, batch: pa.RecordBatch, cells: list[Cell], first: int
    ) -> NDArray[np.float32]:
        """Fluxes that stand in columns of arrays; NaN where an array is missing."""
        flux = np.empty((batch.num_rows, len(cells)), np.float32)
        for name in dict.fromkeys(cell.column for cell in cells):
            pixels = [k for k, cell in enumerate(cells) if cell.column == name]
            lists = self._lists(batch.column(name), name, f", after row {first}")
            place = f"{self.path.name}, column {name}"
            values = matrix(lists, cells[pixels[0]].n, place, first)
            for target, source in _runs(pixels, [cells[k].index for k in pixels]):
                with np.errstate(over="ignore"):
                    flux[:, target] = values[:, source]
        return flux

    def _lists(self, column: pa.Array, name: str, where: str = "") -> pa.Array:
        """Lists of numbers of a column of arrays."""
        try:
            return lists_of(column)
        except pa.ArrowException as error:
            raise InputError(
                f"{self.path.name}, column {name}{where}: a cell is no array of numbers "
                f"({str(error)[:150]})."
            ) from None

    def _numbers(self, batch: pa.RecordBatch, position: int, first: int) -> pa.Array:
        name = self.names[position]
        column = self._values(batch, self.cells[name])
        if pa.types.is_floating(column.type) and column.type != pa.float16():
            return column
        if pa.types.is_boolean(column.type):
            raise InputError(
                f"{self.path.name}, column {name} holds {column.type}; expected a number in each "
                "row. Export the table again."
            )
        convert = numbers if is_text(column) else _as_float
        try:
            return convert(column)
        except pa.ArrowException:
            raise self._letters(column, name, first, convert, "a number") from None

    def _ids(self, batch: pa.RecordBatch, position: int, first: int) -> pa.Array:
        """Ids as int64; a float that can hold one only roughly is refused."""
        name = self.names[position]
        column = self._values(batch, self.cells[name])
        if pa.types.is_boolean(column.type) or pa.types.is_temporal(column.type):
            raise InputError(
                f"{self.path.name}, column {name} holds {column.type}, and not source ids. "
                f"{NUMBER_ROWS}"
            )
        if pa.types.is_floating(column.type):
            self._check_rounding(column, name)
        convert = ids if is_text(column) else _as_int
        try:
            return convert(column)
        except pa.ArrowException:
            fault = self._letters(column, name, first, convert, ID)
            raise InputError(
                f"{fault} Leave the cell null where it is missing. {NUMBER_ROWS}"
            ) from None

    def _check_rounding(self, column: pa.Array, name: str) -> None:
        """InputError where whole numbers lie so far apart that ids may have become equal."""
        values = column.drop_null().to_numpy()
        values = values[np.isfinite(values)]
        exact = 2 ** (np.finfo(values.dtype).nmant + 1)  # from here on neighbours are merged
        if len(values) and np.abs(values).max() >= exact:
            raise InputError(
                f"{self.path.name}, column {name} holds {column.type}, which has "
                f"rounded the source ids: it keeps whole numbers apart only below {exact:,}. "
                f"Export them as int64 or text. {NUMBER_ROWS}"
            )

    def _letters(
        self, column: pa.Array, name: str, first: int, convert: Convert, what: str
    ) -> InputError:
        """Sentence that names the first row whose value does not fit."""
        place = f"{self.path.name}, column {name}"
        cure = "" if what == ID else " Correct it, or leave it null where the value is missing."
        for offset in range(len(column)):
            try:
                convert(column.slice(offset, 1))
            except pa.ArrowException:
                value = str(column[offset].as_py())[:40]
                return InputError(f"{place}, row {first + offset}: {value!r} is not {what}.{cure}")
        return InputError(f"{place} holds {column.type}; expected {what} in each row.")


def _holds_more(kind: pa.DataType) -> bool:
    """Whether each value is more than one number or text."""
    return pa.types.is_nested(kind) or pa.types.is_binary(kind)


def _as_float(column: pa.Array) -> pa.Array:
    """Column as float64; of a decimal by its text, for Arrow's own cast is not the nearest."""
    exact = column.cast(pa.string()) if pa.types.is_decimal(column.type) else column
    return exact.cast(pa.float64(), safe=False)


def _as_int(column: pa.Array) -> pa.Array:
    return column.cast(pa.int64())


def _runs(targets: list[int], sources: list[int]) -> Iterator[tuple[slice, slice]]:
    """Neighbours among pairs of positions as pairs of slices, which NumPy copies fastest."""
    begin = 0
    for k in range(1, len(targets) + 1):
        whole = k < len(targets) and (targets[k], sources[k]) == (
            targets[begin] + k - begin, sources[begin] + k - begin,
        )  # fmt: skip
        if not whole:
            length = k - begin
            yield (
                slice(targets[begin], targets[begin] + length),
                slice(sources[begin], sources[begin] + length),
            )
            begin = k


def _redshifts(column: pa.Array) -> np.ndarray:
    """Redshifts in float64; float32 ones as they were written, so that 0.6 does not exceed 0.6."""
    values = column.to_numpy(zero_copy_only=False)
    if values.dtype == np.float32:
        return values.astype("U16").astype(np.float64)
    return values.astype(np.float64)


def with_spectra(path: Path, firsts: list[pa.RecordBatch]) -> tuple[int, str]:
    """Which of the tables in a file holds the spectra, from their first rows; if need be a remark.

    It is the first that is recognised. Where none is, it is the first whose columns the user may
    name, else the first of all.
    """
    if len(firsts) == 1:
        return 0, ""
    place = _with_spectra(path, firsts)
    return place, f"The file holds {len(firsts)} tables, of which number {place + 1} was read."


def _with_spectra(path: Path, firsts: list[pa.RecordBatch]) -> int:
    nameable = []
    for place, first in enumerate(firsts):
        try:
            ColumnarTable(path, first).columns({})
            return place
        except UnknownColumnsError:
            nameable.append(place)
        except InputError:
            continue
    return nameable[0] if nameable else 0


class WholeTable(ColumnarTable):
    """A table that can only be read whole: all its rows are in memory.

    Parameters
    ----------
    path : Path
    batch : pa.RecordBatch
        Its rows, with every column of the file.
    """

    def __init__(self, path: Path, batch: pa.RecordBatch):
        self._batch = batch
        super().__init__(path, batch.slice(0, FIRST_ROWS))

    def batches(self, names: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Rows of some columns, each batch with the bytes of the file done by then."""
        size, n = self.path.stat().st_size, self._batch.num_rows
        batch = self._batch.select(names)
        for start in range(0, n, BLOCK_ROWS):
            part = batch.slice(start, BLOCK_ROWS)
            yield part, size * (start + part.num_rows) // n
