"""Reader of Parquet tables, in blocks of rows and bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from redshift_core.data.blocks import ID, NUMBER_ROWS, Block, Table
from redshift_core.data.dialect import bare
from redshift_core.data.headers import Columns, recognise
from redshift_core.errors import InputError

BLOCK_ROWS = 16_384
FIRST_ROWS = 20
BUFFER = 1 << 20  # bytes of a column read at once, so that one large row group is never held whole
METADATA_KEY = b"redshift_lab"  # JSON by which a simulated survey says that it is one


class ParquetTable(Table):
    """A Parquet file."""

    has_header = True

    def __init__(self, path: Path):
        self.path = path
        try:
            with self._open() as file:
                self.schema = file.schema_arrow
                self.n_rows = file.metadata.num_rows
                batch = next(file.iter_batches(FIRST_ROWS), None) if self.n_rows else None
        except (pa.ArrowException, OSError) as error:
            raise self._broken(error) from None
        self.names = self.schema.names
        if twice := sorted({name for name in self.names if self.names.count(name) > 1}):
            raise InputError(
                f"{path.name} has several columns called {twice[0]!r}; give each its own name."
            )
        rows = batch.to_pylist() if batch is not None else []
        self.first = [["" if v is None else str(v) for v in row.values()] for row in rows]

    @property
    def simulation(self) -> dict[str, Any]:
        """How it was simulated, from the file's own metadata."""
        text = (self.schema.metadata or {}).get(METADATA_KEY)
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def columns(self, wanted: dict[str, str]) -> Columns:
        """Columns by name, or as the user says."""
        columns = recognise(self.path.name, self.names, wanted, self.first)
        used = {columns.z, columns.source_id, *columns.flux} - {None}
        for position in sorted(used):
            if pa.types.is_nested(self.schema.types[position]):
                raise InputError(
                    f"{self.path.name}, column {self.names[position]} holds "
                    f"{self.schema.types[position]}; expected one number a row."
                )
        return columns

    def blocks(self, columns: Columns) -> Iterator[tuple[Block, int]]:
        """Rows in order, each block with the bytes of the file done by then."""
        used = sorted({columns.z, columns.source_id, *columns.flux, *columns.other} - {None})
        names = [self.names[p] for p in used]
        size, done = self.path.stat().st_size, 0
        with self._open() as file:
            batches = file.iter_batches(BLOCK_ROWS, columns=names)
            while (batch := self._next(batches)) is not None:
                block = self._block(batch, columns, done)
                done += len(block.flux)
                yield block, size * done // max(self.n_rows, 1)

    def _next(self, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
        try:
            return next(batches, None)
        except (pa.ArrowException, OSError) as error:
            raise self._broken(error) from None

    def _block(self, batch: pa.RecordBatch, columns: Columns, first: int) -> Block:
        pixels = [self._numbers(batch, p, first) for p in columns.flux]
        kind = pa.float32() if all(c.type == pa.float32() for c in pixels) else pa.float64()
        pixels = [column.cast(kind) for column in pixels]
        joined = pa.RecordBatch.from_arrays(pixels, [str(k) for k in range(len(pixels))])
        with np.errstate(over="ignore"):
            flux = joined.to_tensor(null_to_nan=True).to_numpy().astype(np.float32, order="C")
        z = None if columns.z is None else _redshifts(self._numbers(batch, columns.z, first))
        ids = None if columns.source_id is None else self._ids(batch, columns.source_id, first)
        names = [self.names[p] for p in columns.other]
        other = pa.table([batch.column(n) for n in names], names=names) if names else None
        return Block.of(flux, z, ids, other)

    def _numbers(self, batch: pa.RecordBatch, position: int, first: int) -> pa.Array:
        column = batch.column(self.names[position])
        if pa.types.is_floating(column.type) and column.type != pa.float16():
            return column
        column = bare(column) if _is_text(column) else column
        try:
            return column.cast(pa.float64(), safe=False)
        except pa.ArrowException:
            raise self._letters(column, position, first, pa.float64(), "a number") from None

    def _ids(self, batch: pa.RecordBatch, position: int, first: int) -> pa.Array:
        """Ids as int64; a float that can hold one only roughly is refused."""
        column = batch.column(self.names[position])
        column = bare(column) if _is_text(column) else column
        if pa.types.is_boolean(column.type) or pa.types.is_temporal(column.type):
            raise InputError(
                f"{self.path.name}, column {self.names[position]} holds {column.type}, and not "
                f"source ids. {NUMBER_ROWS}"
            )
        if pa.types.is_floating(column.type):
            self._check_rounding(column, position)
        try:
            return column.cast(pa.int64())
        except pa.ArrowException:
            fault = self._letters(column, position, first, pa.int64(), ID)
            raise InputError(
                f"{fault} Leave the cell null where it is missing. {NUMBER_ROWS}"
            ) from None

    def _check_rounding(self, column: pa.Array, position: int) -> None:
        """InputError where whole numbers lie so far apart that ids may have become equal."""
        values = column.drop_null().to_numpy()
        values = values[np.isfinite(values)]
        exact = 2 ** (np.finfo(values.dtype).nmant + 1)  # from here on neighbours are merged
        if len(values) and np.abs(values).max() >= exact:
            raise InputError(
                f"{self.path.name}, column {self.names[position]} holds {column.type}, which has "
                f"rounded the source ids: it keeps whole numbers apart only below {exact:,}. "
                f"Export them as int64 or text. {NUMBER_ROWS}"
            )

    def _letters(
        self, column: pa.Array, position: int, first: int, kind: pa.DataType, what: str
    ) -> InputError:
        """Sentence that names the first row whose value does not fit."""
        place = f"{self.path.name}, column {self.names[position]}"
        for offset in range(len(column)):
            try:
                column.slice(offset, 1).cast(kind)
            except pa.ArrowException:
                value = str(column[offset].as_py())[:40]
                return InputError(f"{place}, row {first + offset}: {value!r} is not {what}.")
        return InputError(f"{place} holds {column.type}; expected {what} in each row.")

    def _open(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.path, buffer_size=BUFFER, pre_buffer=False)

    def _broken(self, error: Exception) -> InputError:
        reason = str(error).splitlines()[0].rstrip(".")[:150]
        return InputError(
            f"{self.path.name} is a broken Parquet file ({reason}). Export or transfer it again."
        )


def _is_text(column: pa.Array) -> bool:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _redshifts(column: pa.Array) -> np.ndarray:
    """Redshifts in float64; float32 ones as they were written, so that 0.6 does not exceed 0.6."""
    values = column.to_numpy(zero_copy_only=False)
    if values.dtype == np.float32:
        return values.astype("U16").astype(np.float64)
    return values.astype(np.float64)
