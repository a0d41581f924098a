"""How long a run is: its epochs, and the steps that they make on a training set of a given size.

A small training set gives so few steps per epoch that the usual epochs leave a network untrained:
630 galaxies and the 6 epochs of preset ``best`` make 12 steps. ``min_steps`` lengthens such a run,
and ``epoch_steps`` makes its batches smaller. Where the set is large, both change nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from redshift_core.settings.run import TrainingConfig

PATIENCE = 0.2  # share of a lengthened run without a lower validation loss that ends it


@dataclass(frozen=True)
class Length:
    """Length of a run on a training set of a given size."""

    batch: int  # spectra of a step; the last of an epoch may have fewer
    steps: int  # of an epoch
    epochs: int  # in all, unless it ends early
    patience: int  # epochs without a lower validation loss that end the run; 0: never
    lengthened: bool  # whether ``min_steps`` asks for more epochs than ``epochs``

    @property
    def n_steps(self) -> int:
        """Steps in all, unless the run ends early."""
        return self.steps * self.epochs


def run_length(training: TrainingConfig, n_train: int) -> Length:
    """Length of a run on ``n_train`` galaxies.

    An epoch has at least ``epoch_steps`` steps, so the batch is at most so large a share of the
    galaxies. With s steps per epoch, the run has max(``epochs``, round(``min_steps`` / s)) epochs.
    The patience of a lengthened run is lengthened as much, or, where ``early_stopping`` is 0, a
    fifth of its epochs.

    Examples
    --------
    >>> usual = TrainingConfig(batch_size=512, epochs=6, min_steps=1500, epoch_steps=10)
    >>> run_length(usual, 126_000)
    Length(batch=512, steps=247, epochs=6, patience=0, lengthened=False)
    >>> run_length(usual, 630)
    Length(batch=63, steps=10, epochs=150, patience=30, lengthened=True)
    """
    batch = min(training.batch_size, max(1, n_train // max(1, training.epoch_steps)))
    steps = math.ceil(n_train / batch)
    epochs = max(training.epochs, round(training.min_steps / steps))
    lengthened = epochs > training.epochs
    patience = training.early_stopping
    if lengthened:
        share = patience / training.epochs if patience else PATIENCE
        patience = math.ceil(round(share * epochs, 6))
    return Length(batch, steps, epochs, patience, lengthened)
