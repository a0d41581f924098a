"""Arrays and tables on disk: npz and npy without pickles, Parquet; whole or refused."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from redshift_core.errors import JUDGE_AGAIN, RESTORE
from redshift_core.store import atomic, part_of, reading
from redshift_core.store.faults import writing

if TYPE_CHECKING:
    import pandas as pd

HEADERS = {  # version of the npy format → reader of its header
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
READ_ROWS = 65_536  # rows of a table read at a time


def save_arrays(path: Path, arrays: Mapping[str, NDArray]) -> None:
    """Write named arrays to an npz file; a reader never sees half of it."""
    needed = sum(np.asarray(array).nbytes for array in arrays.values())
    with atomic(path, needed) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> dict[str, NDArray]:
    """Read named arrays from an npz file; pickled ones are refused.

    Raises
    ------
    DamagedError
        Where the file is missing, cut off or no such file.
    """
    with reading(path), path.open("rb") as file:
        _check_sizes(file)
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)


def _check_sizes(file: BinaryIO) -> None:
    """ValueError where the header of an array claims more numbers than are there.

    NumPy takes the memory for them before it looks.
    """
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            with archive.open(info) as member:
                read = HEADERS[np.lib.format.read_magic(member)]
                shape, _, dtype = read(member)
            if math.prod(shape) * dtype.itemsize > info.file_size:
                raise ValueError(f"{info.filename} is said to have shape {shape}")
    file.seek(0)


def open_array(path: Path, remedy: str = RESTORE) -> NDArray:
    """Array of an npy file, mapped from disk and read-only; DamagedError as `load_arrays`."""
    with reading(path, remedy):
        return np.load(path, mmap_mode="r", allow_pickle=False)


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Table of predictions of an evaluation, all of it or some columns.

    Raises
    ------
    DamagedError
        Where the file is missing, cut off, or lacks one of the columns.
    """
    import pandas as pd

    with reading(path, JUDGE_AGAIN):
        return pd.read_parquet(path, columns=columns)


def count_rows(path: Path) -> int:
    """Rows of a table of predictions, from its last bytes; DamagedError as `read_table`."""
    import pyarrow.parquet as pq

    with reading(path, JUDGE_AGAIN):
        return pq.read_metadata(path).num_rows


def read_columns(path: Path, names: Sequence[str], remedy: str = RESTORE) -> dict[str, NDArray]:
    """Columns of numbers of a Parquet file, read-only, NaN where a float is missing.

    Read block by block, so that the arrays are all the memory it takes; what Arrow would keep
    for its next file is given back.

    Raises
    ------
    DamagedError
        As `read_table`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(path, remedy), pq.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
        types = {name: file.schema_arrow.field(name).type for name in names}
        n_rows = file.metadata.num_rows
        found = {name: np.empty(n_rows, one.to_pandas_dtype()) for name, one in types.items()}
        done = 0
        for batch in file.iter_batches(READ_ROWS, columns=list(names)):
            for name, values in found.items():
                values[done : done + len(batch)] = batch[name].to_numpy(zero_copy_only=False)
            done += len(batch)
    pa.default_memory_pool().release_unused()
    for values in found.values():
        values.setflags(write=False)
    return found


def read_lines(path: Path, rows: NDArray[np.integer], remedy: str = RESTORE) -> pd.DataFrame:
    """Some lines of a Parquet file in the order given; only blocks that hold one are kept.

    Raises
    ------
    DamagedError
        As `read_table`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    order = np.argsort(rows, kind="stable")
    wanted = np.asarray(rows)[order]
    with reading(path, remedy), pq.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
        sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
        ends = np.cumsum(sizes)
        kept = [file.schema_arrow.empty_table()]
        for group in np.unique(np.searchsorted(ends, wanted, side="right")):
            start = ends[group] - sizes[group]
            last = wanted[np.searchsorted(wanted, ends[group]) - 1]
            for batch in file.iter_batches(READ_ROWS, row_groups=[int(group)]):
                low, high = np.searchsorted(wanted, (start, start + len(batch)))
                if low < high:
                    lines = pa.Table.from_batches([batch])
                    kept.append(lines.take(wanted[low:high] - start))
                start += len(batch)
                if start > last:
                    break
        table = pa.concat_tables(kept).take(np.argsort(order, kind="stable"))
        return table.to_pandas(
            integer_object_nulls=True  # a float column would round the ids beside a missing one
        )


class RowWriter:
    """An npy file of a table whose rows come in blocks and are not counted beforehand.

    It appears under its name when the ``with`` block ends, and not at all if that fails.

    Parameters
    ----------
    path : Path
        The file.
    n_columns : int
        Of each row.
    dtype : str
        NumPy name of the type, such as ``float16``.
    """

    def __init__(self, path: Path, n_columns: int, dtype: str):
        self.path, self.n_columns, self.dtype = path, n_columns, np.dtype(dtype)
        self._part = part_of(path)
        self._n_rows = 0

    def __enter__(self) -> RowWriter:
        self._file = self._part.open("wb")
        self._header()
        return self

    def write(self, rows: NDArray) -> None:
        """Append rows, shape (n, n_columns)."""
        if np.ndim(rows) != 2 or rows.shape[1] != self.n_columns:
            raise ValueError(
                f"The rows have shape {np.shape(rows)}; the table has {self.n_columns} columns."
            )
        with writing(self.path, self._part):
            self._file.write(np.ascontiguousarray(rows, self.dtype))
        self._n_rows += len(rows)

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        try:
            with writing(self.path, self._part):
                if kind is None:
                    self._file.seek(0)
                    self._header()
                self._file.close()
                if kind is None:
                    os.replace(self._part, self.path)
        finally:
            self._part.unlink(missing_ok=True)

    def _header(self) -> None:
        """NumPy pads it, so that it stays as long however many rows there are."""
        about = {"descr": self.dtype.str, "fortran_order": False}
        shape = (self._n_rows, self.n_columns)
        np.lib.format.write_array_header_1_0(self._file, {**about, "shape": shape})
