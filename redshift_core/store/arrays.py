"""Arrays and tables on disk: npz and npy without pickles, Parquet; whole or refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from redshift_core.errors import JUDGE_AGAIN, RESTORE
from redshift_core.store import atomic, part_of, reading

if TYPE_CHECKING:
    import pandas as pd


def save_arrays(path: Path, arrays: Mapping[str, NDArray]) -> None:
    """Write named arrays to an npz file; a reader never sees half of it."""
    with atomic(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> dict[str, NDArray]:
    """Read named arrays from an npz file; pickled ones are refused.

    Raises
    ------
    DamagedError
        Where the file is missing, cut off or no such file.
    """
    with reading(path), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


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
        self._file.write(np.ascontiguousarray(rows, self.dtype))
        self._n_rows += len(rows)

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.seek(0)
            self._header()
        self._file.close()
        if kind is None:
            os.replace(self._part, self.path)
        self._part.unlink(missing_ok=True)

    def _header(self) -> None:
        """NumPy pads it, so that it stays as long however many rows there are."""
        about = {"descr": self.dtype.str, "fortran_order": False}
        shape = (self._n_rows, self.n_columns)
        np.lib.format.write_array_header_1_0(self._file, {**about, "shape": shape})
