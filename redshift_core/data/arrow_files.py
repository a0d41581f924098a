"""Readers of Arrow's formats, in blocks and bounded memory: Parquet, folders of it, Feather."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from redshift_core.data.array_cells import plain
from redshift_core.data.columnar import BLOCK_ROWS, FIRST_ROWS, ColumnarTable
from redshift_core.data.files import files_of
from redshift_core.errors import InputError
from redshift_core.store.files import is_text

BUFFER = 1 << 16  # bytes of a column read at once: a large row group is not held whole
METADATA_KEY = b"redshift_lab"  # JSON by which a simulated survey says that it is one


class ParquetTable(ColumnarTable):
    """A Parquet file, or a folder whose Parquet files are parts of one table."""

    def __init__(self, path: Path):
        self.path = path
        self.files = files_of(path)
        first = self._look(self.files[0])
        for file in self.files[1:]:  # Spark writes parts without rows, too
            if first.num_rows:
                break
            first = self._look(file)
        super().__init__(path, first)

    def _look(self, path: Path) -> pa.RecordBatch:
        """First rows of a file."""
        with _reading(path), self._open(path) as file:
            self.schema, self._n_rows = file.schema_arrow, file.metadata.num_rows
            names, batch = self.schema.names, None
            if len(set(names)) == len(names):
                batch = next(file.iter_batches(FIRST_ROWS), None)
        return _empty(self.schema) if batch is None else batch

    @property
    def n_rows(self) -> int | None:
        """Rows of a table of one file; those of a folder are counted as they are read."""
        return self._n_rows if len(self.files) == 1 else None

    @property
    def simulation(self) -> dict[str, Any]:
        """How it was simulated, from the file's own metadata."""
        text = (self.schema.metadata or {}).get(METADATA_KEY)
        try:
            found = json.loads(text) if text else {}
            json.dumps(found, allow_nan=False)  # infinity is no JSON, though Python reads it
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def batches(self, names: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Rows of some columns, part by part, each batch with the bytes done by then."""
        before = 0
        for path in self.files:
            size, done = path.stat().st_size, 0
            with _reading(path), self._open(path) as file:
                self._check_part(path, file.schema_arrow, names)
                n_rows = file.metadata.num_rows
                for batch in file.iter_batches(BLOCK_ROWS, columns=names):
                    done += batch.num_rows
                    yield batch, before + size * done // max(n_rows, 1)
            before += size

    def _check_part(self, path: Path, schema: pa.Schema, names: list[str]) -> None:
        if missing := [name for name in names if name not in schema.names]:
            raise InputError(
                f"{path.name} in {self.path.name} has no column {missing[0]!r}, which "
                f"{self.files[0].name} has; expected parts of one table."
            )

    def _open(self, path: Path) -> pq.ParquetFile:
        return pq.ParquetFile(_mapped(path), buffer_size=BUFFER, pre_buffer=False)


def _mapped(path: Path, always: bool = False) -> Path | pa.NativeFile:
    """A path for Arrow, or the file mapped to memory: it takes no name whose bytes are no UTF-8."""
    if not is_text(str(path)):
        return pa.BufferReader(pa.py_buffer(np.memmap(path, np.uint8, "r")))
    return pa.memory_map(str(path)) if always else path


class FeatherTable(ColumnarTable):
    """A Feather file (version 2), which is an Arrow IPC file."""

    def __init__(self, path: Path):
        with _reading(path, "Feather"), _mapped(path, True) as memory:
            file = pa.ipc.open_file(memory)
            first = _empty(file.schema)
            for number in range(file.num_record_batches):
                if not (batch := _sound(file.get_batch(number)).slice(0, FIRST_ROWS)).num_rows:
                    continue
                columns = [_copy(plain(column)) for column in batch.columns]
                first = pa.RecordBatch.from_arrays(columns, batch.schema.names)
                break
        super().__init__(path, first)

    def batches(self, names: list[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Rows of some columns, each batch with the bytes done by then."""
        size = self.path.stat().st_size
        with _reading(self.path, "Feather"), _mapped(self.path, True) as memory:
            n = pa.ipc.open_file(memory).num_record_batches
            for number in range(n):
                # Opened anew, so that what was read of the last batch is not kept.
                batch = _sound(pa.ipc.open_file(memory).get_batch(number)).select(names)
                for start in range(0, batch.num_rows, BLOCK_ROWS):
                    part = batch.slice(start, BLOCK_ROWS)
                    share = (start + part.num_rows) / batch.num_rows
                    yield part, int(size * (number + share) / n)


def _sound(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch whose buffers are as long as it says; ArrowInvalid for any other."""
    batch.validate()
    return batch


def _copy(column: pa.Array) -> pa.Array:
    """The same values in memory of their own, for the file is closed."""
    return pa.array(column.to_pylist(), column.type)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, kind) for kind in schema.types], schema=schema)


@contextmanager
def _reading(path: Path, title: str = "Parquet") -> Iterator[None]:
    """InputError where a file is broken."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:150]
        raise InputError(
            f"{path.name} is a broken {title} file ({reason}). Export or transfer it again."
        ) from None
