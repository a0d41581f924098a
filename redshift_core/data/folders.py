"""A folder whose files are parts of one table, in any format but Parquet, read one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from redshift_core.data.blocks import Block, Table
from redshift_core.data.files import files_of
from redshift_core.data.headers import Columns
from redshift_core.errors import InputError


class FolderTable(Table):
    """Parts of one table, as Spark and Dask write CSV; the first says what the columns are."""

    def __init__(self, path: Path, open_table: Callable[[Path], Table]):
        self.path, self._open_table = path, open_table
        self.files = files_of(path)
        self._first = open_table(self.files[0])
        self.names, self.first = self._first.names, self._first.first
        self.has_header = self._first.has_header

    @property
    def simulation(self) -> dict[str, Any]:
        """How it was simulated, where the first part says so."""
        return self._first.simulation

    def columns(self, wanted: dict[str, str]) -> Columns:
        """Which column is which, by the first part."""
        return self._first.columns(wanted)

    def blocks(self, columns: Columns) -> Iterator[tuple[Block, int]]:
        """Rows part by part, each block with the bytes done by then."""
        before = 0
        for path in self.files:
            part = self._open_table(path)
            if part.names != self.names:
                raise InputError(
                    f"{path.name} in {self.path.name} has other columns than "
                    f"{self.files[0].name}; expected parts of one table."
                )
            for block, done in part.blocks(columns):
                yield block, before + done
            before += path.stat().st_size
