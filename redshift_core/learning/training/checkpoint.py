"""Checkpoints: everything that a run needs to continue as if it had never stopped.

    checkpoint/state.npz   weights, optimizer, dropout seeds, kept weights; ``Progress`` as JSON
    history.csv            one line per epoch, made from ``Progress``: no line is written twice

The state is one file, written under a temporary name and then renamed. If the process is killed
at any moment, the previous state stays intact.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.errors import InputError
from redshift_core.store import RunFolder, atomic
from redshift_core.store.arrays import load_arrays, save_arrays
from redshift_core.store.history import COLUMNS

STATE_FILE = "state.npz"


@dataclass
class Progress:
    """Position in the run, and the results of the epochs so far."""

    epoch: int = 0  # epochs completed
    step: int = 0  # steps done of the epoch under way
    seconds: float = 0.0  # s spent in the epoch under way
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])  # loss, |error|, rows
    learning_rate: float = 0.0  # of the last step
    best_val_mae: float | None = None  # lowest so far
    kept_val_mae: float | None = None  # of the kept weights
    start_val_mae: float | None = None  # of the weights of another run that it started from
    best_val_loss: float | None = None  # what early stopping compares with
    n_worse: int = 0  # epochs since the lowest validation loss
    finished: bool = False  # whether every requested epoch is done
    history: list[dict[str, float]] = field(default_factory=list)  # lines of history.csv


@dataclass
class State:
    """Progress of a run, and the values of its variables."""

    progress: Progress
    variables: list[NDArray]  # weights, optimizer, seeds, in the order of ``Loop.variables``
    kept: list[NDArray]  # weights to be saved in model.keras


def save_state(run: RunFolder, state: State) -> None:
    """Write a checkpoint atomically."""
    run.checkpoint_path.mkdir(exist_ok=True)
    arrays = {f"variable_{number}": value for number, value in enumerate(state.variables)}
    arrays |= {f"kept_{number}": value for number, value in enumerate(state.kept)}
    save_arrays(_path(run), {"progress": np.array(json.dumps(asdict(state.progress))), **arrays})


def load_state(run: RunFolder) -> State | None:
    """Read the checkpoint of a run; None where it has none yet.

    Raises
    ------
    InputError
        Where the run has completed epochs but its checkpoint is gone or cannot be read.
    """
    if not _path(run).exists():
        if run.history_path.exists() and len(run.history_path.read_text().splitlines()) > 1:
            raise InputError(
                f"{run.id} has nothing to resume from: its checkpoint folder is gone. "
                "Start a new run with the same settings."
            )
        return None
    try:
        arrays = load_arrays(_path(run))
        values: dict[str, Any] = json.loads(str(arrays["progress"]))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{run.id} has nothing to resume from: {_path(run)} cannot be read ({error}). "
            "Start a new run with the same settings."
        ) from error
    return State(Progress(**values), _numbered(arrays, "variable_"), _numbered(arrays, "kept_"))


def write_history(run: RunFolder, progress: Progress) -> None:
    """Rewrite history.csv atomically."""
    with atomic(run.history_path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(progress.history)


def _numbered(arrays: dict[str, NDArray], prefix: str) -> list[NDArray]:
    n = sum(name.startswith(prefix) for name in arrays)
    return [arrays[f"{prefix}{number}"] for number in range(n)]


def _path(run: RunFolder) -> Path:
    return run.checkpoint_path / STATE_FILE
