"""How much of a training is computed in one call, between two looks for a stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redshift_core.learning.training.checkpoint import Progress
    from redshift_core.learning.training.loop import Loop

CALL_SECONDS = 0.5  # s of computing between two checks for a stop request


class Pace:
    """Chooses how many items to compute per call so that a call takes about CALL_SECONDS."""

    def __init__(self) -> None:
        self.n = 1
        self.seconds = 0.0  # per item, as last measured
        self._calls = 0

    def update(self, n: int, seconds: float) -> None:
        """Learn from the duration of a call; the first call also compiles, so it does not count."""
        self._calls += 1
        if self._calls > 1:
            self.seconds = seconds / n
        fitting = int(CALL_SECONDS * n / max(seconds, 1e-6))
        self.n = max(1, min(4 * self.n, fitting if self._calls > 1 else 4))


def seconds_left(
    progress: Progress, loop: Loop, steps: Pace, blocks: Pace, blocks_done: int
) -> float | None:
    """Time that the remaining epochs will take; None before a step was measured."""
    if not steps.seconds:
        return None
    epochs = loop.length.epochs - progress.epoch
    # A validation row costs a third of a training row, until it has been measured.
    guess = steps.seconds / loop.batch / 3 * loop.block
    per_block = blocks.seconds or guess
    n_steps = epochs * loop.n_steps - progress.step
    return steps.seconds * n_steps + per_block * (epochs * loop.n_blocks - blocks_done)
