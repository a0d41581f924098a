"""Trains many small runs in one process, since importing TensorFlow costs more than they do.

``python training_scenes.py FOLDER VIRTUAL_CPUS``: FOLDER holds the store and ``scenes.json``, a
list of runs to do in order: ``{"run": id, "resume": bool, "stop_after": looks, "epochs": total}``.
``settings`` are changed as ``resume --set`` does. With ``judged`` the run is judged too; "stopped"
stops that, "vanished" takes the dataset away. What each returned, or the sentence it was refused
with, is written to ``outcomes.json``.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

from redshift_core.errors import InputError
from redshift_core.learning.training import train_and_judge, train_job
from redshift_core.store import JobContext, Store, write_json


class StoppingContext(JobContext):
    """A user who asks for a stop at the n-th look, or deletes the dataset; notes what is said."""

    stop_after: int | None = None
    looks = 0

    def __init__(self, folder, store):
        super().__init__(folder, store)
        self.said = []

    def report(self, done=None, total=None, message=None, **detail):
        super().report(done, total, message, **detail)
        self.said.append(message)
        if message == "Judging the test rows." and self.request.get("judged") == "stopped":
            self.stop_after = 0
        if message == "Judging the test rows." and self.request.get("judged") == "vanished":
            self.store.dataset(self.folder.config.dataset).delete()

    def should_stop(self) -> bool:
        self.looks += 1
        return self.stop_after is not None and self.looks >= self.stop_after


def play(store: Store, scene: dict, virtual_cpus: int) -> dict:
    run = store.run(scene["run"])
    context = StoppingContext(run, store)
    context.request = {"kind": "train", "resume": False, **scene}
    context.stop_after = scene.get("stop_after")
    changed = scene.get("settings", {}) | ({"epochs": scene["epochs"]} if "epochs" in scene else {})
    if changed:
        write_json(run.config_path, run.config.on_resume(changed).to_dict())
    try:
        if "judged" in scene:
            found = train_and_judge(context)
            return {**found, "said": context.said, "evaluated": run.evaluated()}
        return train_job(context, virtual_cpus)
    except InputError as error:
        return {"refused": str(error)}


def main(folder: Path, virtual_cpus: int) -> None:
    store = Store(folder)
    scenes = json.loads((folder / "scenes.json").read_text())
    outcomes = [play(store, scene, virtual_cpus) for scene in scenes]
    (folder / "outcomes.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    gc.set_threshold(200_000)  # as in a worker
    main(Path(sys.argv[1]), int(sys.argv[2]))
