"""Named arrays on disk: npz without pickles, written whole or not at all."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def save_arrays(path: Path, arrays: Mapping[str, NDArray]) -> None:
    """Write named arrays to an npz file; a reader never sees half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(part, path)


def load_arrays(path: Path) -> dict[str, NDArray]:
    """Read named arrays from an npz file; pickled ones are refused."""
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
