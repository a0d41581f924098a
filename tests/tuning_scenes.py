"""Does many small searches in one process, since importing TensorFlow costs more than they do.

``python tuning_scenes.py FOLDER``: FOLDER holds the store and ``scenes.json``, a list of searches
to do in order: ``{"tuning": id, "stop_after": looks}``. What each returned, or the sentence it was
refused with, is written to ``outcomes.json``, and at last how many of TensorFlow's graphs are left.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import keras
import tensorflow as tf

from redshift_core.errors import InputError
from redshift_core.learning.tuning.job import tune_job
from redshift_core.store import JobContext, Store


class StoppingContext(JobContext):
    """A user who asks for a stop at the n-th look."""

    stop_after: int | None = None
    looks = 0

    def should_stop(self) -> bool:
        self.looks += 1
        return self.stop_after is not None and self.looks >= self.stop_after


def play(store: Store, scene: dict) -> dict:
    context = StoppingContext(store.tuning(scene["tuning"]), store)
    context.request = {"kind": "tune"}
    context.stop_after = scene.get("stop_after")
    try:
        return tune_job(context)
    except InputError as error:
        return {"refused": str(error)}


def main(folder: Path) -> None:
    store = Store(folder)
    scenes = json.loads((folder / "scenes.json").read_text())
    outcomes = [play(store, scene) for scene in scenes]
    keras.utils.clear_session()  # as before every trial
    graphs = [
        one for one in gc.get_objects() if isinstance(one, tf.Graph) and hasattr(one, "captures")
    ]
    outcomes.append(len(graphs))
    (folder / "outcomes.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
