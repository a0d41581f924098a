"""What every reader gives: a table that tells its columns and yields blocks of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS
from redshift_core.data.headers import Columns
from redshift_core.data.spectra import Spectra

ID = "a whole number from −2^63 to 2^63 − 1, as a source_id must be"  # what a reader expects
NUMBER_ROWS = "Or ingest with --columns source_id=none to number the rows instead."


@dataclass(frozen=True)
class Block:
    """Rows of a file before they are numbered."""

    flux: NDArray[np.float32]  # (n, 186)
    z_spec: NDArray[np.float64] | None  # (n,), None where the file has no redshift
    source_id: NDArray[np.int64] | None  # (n,), None where the file has no id
    known_id: NDArray[np.bool_] | None  # (n,), False where the id is missing
    other: pa.Table | None

    @classmethod
    def of(
        cls,
        flux: NDArray[np.float32],
        z_spec: NDArray[np.float64] | None,
        ids: pa.Array | None,
        other: pa.Table | None,
    ) -> Block:
        """Block whose ids are still an Arrow array of int64, with nulls."""
        if ids is None:
            return cls(flux, z_spec, None, None, other)
        known = ids.is_valid().to_numpy(zero_copy_only=False)
        return cls(flux, z_spec, ids.fill_null(0).to_numpy(), known, other)

    @classmethod
    def empty(cls) -> Block:
        """Block without rows."""
        return cls(np.empty((0, N_PIXELS), np.float32), None, None, None, None)

    def numbered(self, first: int) -> Spectra:
        """Spectra whose rows begin at ``first``."""
        n = len(self.flux)
        row = np.arange(first, first + n, dtype=np.int64)
        z_spec = np.full(n, np.nan) if self.z_spec is None else self.z_spec
        if self.source_id is None or self.known_id is None:
            return Spectra(self.flux, z_spec, row, row, np.zeros(n, bool), self.other, False)
        source_id = np.where(self.known_id, self.source_id, row)
        return Spectra(self.flux, z_spec, source_id, row, self.known_id, self.other)


class Table(Protocol):
    """A file that can be read: one class for each format."""

    path: Path
    names: list[str]  # its columns
    first: list[list[str]]  # first rows as text
    has_header: bool

    @property
    def n_rows(self) -> int | None:
        """Its rows, where they are known without reading them."""
        return None

    @property
    def simulation(self) -> dict[str, Any]:
        """How it was simulated, where the file says so."""
        return {}

    def columns(self, wanted: dict[str, str]) -> Columns:
        """Which column is which; InputError where that cannot be told."""
        ...

    def blocks(self, columns: Columns) -> Iterator[tuple[Block, int]]:
        """Rows in order, each block with the bytes of the file done by then."""
        ...
