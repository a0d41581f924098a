"""Trainings of made-up trials, for the workers of a Dask cluster: no TensorFlow, a known end.

The note of the search says what goes wrong: ``die 2 once`` and ``die 2 always`` kill the process
that is at trial 2, ``refuse 2`` fails it.
"""

import os
import random
import signal
import time
from pathlib import Path

from redshift_core.learning.tuning.attempt import Attempt, answer_of, keep_random
from redshift_core.store import Stopped, TuningFolder


def made_up(path: str, name: str, epochs: int, threads: int) -> dict:
    """Task in place of `train_one`: its figures are those of the trial's number."""
    tuning = TuningFolder(Path(path))
    what, which, *how = (tuning.note or "nothing -1").split()

    def train(attempt: Attempt) -> dict:
        (tuning.path / f"begun-{name}-{attempt.facts['attempt']}").touch()
        first = len(list(tuning.path.glob(f"begun-{name}-*"))) == 1
        if which == name and what == "refuse":
            return {"failed": "The loss became NaN."}
        if which == name and what == "die" and (first or how == ["always"]):
            os.kill(os.getpid(), signal.SIGKILL)
        for epoch in range(1, epochs + 1):
            if attempt.should_stop():
                raise Stopped
            attempt.tell({"epochs_done": epoch, "epoch": epoch, "epochs": epochs, "val_mae": 0.5})
            time.sleep(0.1)
        return {"val_mae": 1.0 + int(name), "epochs": epochs, "seconds": 0.1 * epochs}

    return answer_of(tuning, name, train)


def draws_alone(seconds: float) -> bool:
    """Task: whether nobody else draws from Python's ``random`` in a while, as Keras needs it."""
    keep_random()
    random.seed(1)
    before = random.getstate()
    time.sleep(seconds)
    return random.getstate() == before
