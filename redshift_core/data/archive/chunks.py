"""What has come of a fetch: one file a chunk, each written whole or not at all.

sources-<k>.parquet    what the catalogue says of the sources
redshifts-<k>.parquet  their counterparts that have a redshift
spectra-<k>.parquet    sources with everything, coefficients among it
parts.json             how many sources each chunk of spectra asks for
tried.json             what the archive was found to call things
request.json           what is fetched
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from redshift_core.store import atomic, read_json, write_json


class Chunks:
    """The folder in which the chunks of one fetch are kept."""

    def __init__(self, folder: Path):
        self.folder = folder

    @property
    def memory_path(self) -> Path:
        """What the archive was found to call things."""
        return self.folder / "tried.json"

    def begin(self, request: dict[str, object]) -> None:
        """Write down what is fetched, and clear what a killed process left half written."""
        for left in self.folder.glob(".tmp-*"):
            left.unlink()
        write_json(self.folder / "request.json", request)

    def has(self, kind: str, number: int) -> bool:
        """Whether a chunk has come."""
        return self._path(kind, number).exists()

    def any(self) -> bool:
        """Whether a chunk of any kind has come."""
        return any(self.folder.glob("*-*.parquet"))

    def table(self, kind: str, number: int, make: Callable[[], pa.Table]) -> pa.Table:
        """Table of a chunk: as it was kept, else made and kept."""
        path = self._path(kind, number)
        if path.exists():
            return pq.read_table(path)
        table = make()
        with atomic(path) as part:
            pq.write_table(table, part, compression="zstd")
        return table

    def parts(self, make: Callable[[], list[int]]) -> list[int]:
        """Number of sources in each chunk of spectra, as it was when the fetch began."""
        path = self.folder / "parts.json"
        if not path.exists():
            write_json(path, {"parts": make()})
        return read_json(path)["parts"]

    def join(self, kind: str, n_parts: int, path: Path) -> pa.ChunkedArray:
        """Write the chunks of a kind into one file, one after another.

        Returns
        -------
        array
            Ids in the file.
        """
        ids: list[pa.Array] = []
        path.parent.mkdir(exist_ok=True)
        schema = pq.read_schema(self._path(kind, 0))
        with atomic(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
            for number in range(n_parts):
                table = pq.read_table(self._path(kind, number))
                writer.write_table(table.cast(schema))
                ids += table["source_id"].chunks
        return pa.chunked_array(ids, pa.int64())

    def _path(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number:05d}.parquet"
