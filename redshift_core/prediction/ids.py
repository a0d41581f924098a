"""What is said of the source ids of a file that was predicted: missing ones and repeated ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from redshift_core.data import Spectra

MOST = 10_000_000  # ids remembered: 80 MB; of a longer file only the first are compared


class SeenIds:
    """Counts rows without an id and rows whose id an earlier row has."""

    def __init__(self) -> None:
        self.has_ids = True
        self.n_missing = 0
        self._ids: list[np.ndarray] = []
        self._left = MOST

    def add(self, block: Spectra) -> None:
        """Count the rows of a block."""
        self.has_ids = block.has_ids
        self.n_missing += int((~block.known_id).sum())
        ids = block.source_id[block.known_id][: self._left]
        self._ids.append(ids)
        self._left -= len(ids)

    def result(self) -> dict[str, Any]:
        """Counts and the sentence about them, which is empty where every row has its own id."""
        ids = np.concatenate([*self._ids, np.empty(0, np.int64)])
        n_repeated = len(ids) - len(np.unique(ids))
        said = ""
        if not self.has_ids:
            said = "The file has no source ids, so the redshifts go by row, counted from 0."
        elif self.n_missing:
            said = f"Rows without a source_id, which go by row, counted from 0: {self.n_missing:,}."
        if n_repeated:
            said += f" Rows with the source_id of an earlier row: {n_repeated:,}."
        return {"missing": self.n_missing, "repeated": n_repeated, "text": said.strip()}
