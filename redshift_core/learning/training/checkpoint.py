"""Checkpoints: everything that a run needs to continue as if it had never stopped.

    checkpoint/state.npz   weights, optimizer, dropout seeds, kept weights; ``Progress`` as JSON
    history.csv            one line per epoch, made from ``Progress``: no line is written twice

The state is one file, written under a temporary name and then renamed. If the process is killed
at any moment, the previous state stays intact.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.data.split import Split
from redshift_core.errors import InputError
from redshift_core.settings.length import run_length
from redshift_core.settings.run import RunConfig
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

    def result(self, run: RunFolder, stopped: bool) -> dict[str, Any]:
        """What a job says of a training; see `train_job`."""
        return {
            "run": run.id,
            "val_mae": self.kept_val_mae,
            "epochs": self.epoch,
            "stopped": stopped,
            **({"start_val_mae": self.start_val_mae} if self.start_val_mae else {}),
        }


class DivergedError(InputError):
    """The loss is not a number any more."""


@dataclass
class State:
    """Progress of a run, and the values of its variables."""

    progress: Progress
    variables: list[NDArray]  # weights, optimizer, seeds, as ``Loop.variables``; [] once diverged
    kept: list[NDArray]  # weights to be saved in model.keras
    best: list[NDArray] = field(default_factory=list)  # of the lowest validation MAE; [] if kept


def best_of(progress: Progress) -> Progress:
    """Progress as it was at the end of the epoch with the lowest validation MAE.

    Epoch 0 where that of another run, from which this one has started, is the lowest.
    """
    lines, lowest = progress.history, progress.best_val_mae
    epoch = next((n for n, line in enumerate(lines, 1) if line["val_mae"] == lowest), 0)
    losses = [line["val_loss"] for line in lines[:epoch]]
    return replace(
        progress, epoch=epoch, step=0, seconds=0.0, sums=[0.0, 0.0, 0.0], kept_val_mae=lowest,
        best_val_loss=min(losses, default=None), n_worse=0, history=lines[:epoch],
    )  # fmt: skip


def save_state(run: RunFolder, state: State) -> None:
    """Write a checkpoint atomically."""
    run.checkpoint_path.mkdir(exist_ok=True)
    arrays = {f"variable_{number}": value for number, value in enumerate(state.variables)}
    arrays |= {f"kept_{number}": value for number, value in enumerate(state.kept)}
    arrays |= {f"best_{number}": value for number, value in enumerate(state.best)}
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
    parts = [_numbered(arrays, prefix) for prefix in ("variable_", "kept_", "best_")]
    return State(Progress(**values), *parts)


def state_to_resume(run: RunFolder, config: RunConfig) -> State | None:
    """Checkpoint of the run; None if it ended before it wrote one and so starts again."""
    state = load_state(run)
    if state is None:
        return None
    n_train = Split.load(run.split_path).counts["train"]
    done, wanted = state.progress.epoch, run_length(config.training, n_train).epochs
    if wanted < done or (state.progress.finished and wanted == done):
        raise InputError(
            f"{run.id} has completed {done} epochs already and is asked for {wanted} in all; "
            f"ask for more than {done}."
        )
    state.progress.finished = False
    _as_trained(state, config)
    return state


def _as_trained(state: State, config: RunConfig) -> None:
    """Let the figures be those of the epochs again, without the temperature fitted at the end."""
    progress = state.progress
    progress.kept_val_mae = progress.best_val_mae
    if config.training.keep == "last" and progress.history:
        progress.kept_val_mae = progress.history[-1]["val_mae"]
        if not state.best:  # nothing better is kept, as before there was ``best``
            progress.best_val_mae = progress.kept_val_mae


def forget_state(run: RunFolder) -> None:
    """Remove the checkpoint and the history of a run that has nothing to go on from."""
    for path in (_path(run), run.history_path):
        path.unlink(missing_ok=True)


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
