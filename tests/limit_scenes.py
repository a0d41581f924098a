"""Plays two studies in one process, since importing TensorFlow costs more than they do.

``python limit_scenes.py FOLDER KILL_AT STOP_AT``: the study "calm" of the store FOLDER is done at
once; "troubled" is broken off without a word at the look KILL_AT, gone on with and stopped by the
user at the look STOP_AT, and gone on with to its end. What each turn came to is written to
``outcomes.json``.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

from redshift_core.learning.studies.limit import limit_job, part
from redshift_core.learning.training import job
from redshift_core.store import JobContext, Store

FOREVER = 10**9


class Killed(BaseException):
    """The process dies here, as far as the disk knows."""


class TroubledContext(JobContext):
    """A user who asks for a stop at the n-th look; or the end of the process then."""

    stop_at = kill_at = FOREVER
    looks = 0

    def should_stop(self) -> bool:
        self.looks += 1
        if self.looks == self.kill_at:
            raise Killed
        return self.looks >= self.stop_at


def play(store: Store, name: str, stop_at: int = FOREVER, kill_at: int = FOREVER) -> dict:
    study = store.limit(name)
    context = TroubledContext(study, store)
    context.request = {"kind": "limit", "against": []}
    context.stop_at, context.kill_at = stop_at, kill_at
    try:
        result = limit_job(context)
    except Killed:
        result = {"killed": True}
    checkpoints = [path.parts[-3] for path in study.path.glob("trainings/*/checkpoint/state.npz")]
    surveys = [survey.name for survey in Store(study.surveys_path).datasets()]
    return {**result, "rows": len(study.rows), "checkpoints": checkpoints, "surveys": surveys}


if __name__ == "__main__":
    gc.set_threshold(200_000)  # as in a worker
    job.SAVE_SECONDS = job.CALL_SECONDS = 0.0  # a checkpoint at every look, a look at every step
    part.MEASURE_SECONDS = 0.1
    here, kill_at, stop_at = Store(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
    outcomes = [
        play(here, "calm"),
        play(here, "troubled", kill_at=kill_at),
        play(here, "troubled", stop_at=stop_at),
        play(here, "troubled"),
    ]
    (here.root / "outcomes.json").write_text(json.dumps(outcomes))
