"""Trials that really train: many small searches, played in one process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from redshift_core import data
from redshift_core.data.split import Split
from redshift_core.settings.space import Parameter, run_config
from redshift_core.store import CHECKOUT, Store
from redshift_core.store.history import COLUMNS
from tests.searches import BASE, TINY, search

SCENES = Path(__file__).with_name("tuning_scenes.py")


@pytest.fixture(scope="module")
def lab(tmp_path_factory, survey_file):
    """Outcome of each search by name, and the searches, played once for the whole file."""
    store = Store(tmp_path_factory.mktemp("lab"))
    dataset = data.ingest(survey_file, store, name="small")
    spoiled = shutil.copytree(dataset.path, dataset.path.with_name("spoiled"))
    scenes, lab = [], type("Lab", (), {"tunings": {}, "store": store})

    def scene(name, dataset_id=dataset.id, stop_after=None, **values):
        if name not in lab.tunings:
            lab.tunings[name] = search(store, dataset_id, **values)
        scenes.append({"tuning": lab.tunings[name].id, "stop_after": stop_after, "name": name})

    two = {"algorithm": "random", "trials": 2, "epochs": 2}
    scene("random", **two)
    scene("spoiled", "spoiled", **two)
    scene("halting", **two, stop_after=4)
    scene("halting", stop_after=6)
    scene("halting")
    rates = (Parameter("learning_rate", "choice", choices=("0.001", "10.0")), TINY[0])
    wild = {"optimizer": "sgd", "loss": "mse", "clip_norm": 0, "momentum": 0.99}
    wild = BASE.with_values({**wild, "schedule": "constant"})
    scene("diverging", algorithm="grid", trials=3, epochs=3, space=rates, base=wild)
    scene(
        "share",
        algorithm="random",
        trials=1,
        space=TINY,
        train_share=0.5,
        repeats=2,
        objective="rmse",
    )
    demanding = BASE.with_values({"min_delta": 0.5})  # no epoch lowers the loss by as much
    options = {"algorithm": "random", "trials": 1, "epochs": 30, "early_stopping": 1}
    scene("patient", **options, space=TINY, base=demanding)
    scene("hyperband", algorithm="hyperband", trials=4, epochs=3, space=TINY)
    _spoil(spoiled, dataset)
    (store.root / "scenes.json").write_text(json.dumps(scenes))
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, str(SCENES), str(store.root)],
        env=environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    *outcomes, lab.n_graphs = json.loads((store.root / "outcomes.json").read_text())
    lab.outcomes = [(one["name"], outcome) for one, outcome in zip(scenes, outcomes, strict=True)]
    return lab


def _spoil(folder, dataset):
    """Make the test rows of a copied dataset worthless."""
    from redshift_core.data.split import new_split

    rows = new_split(BASE.split, data.open_dataset(dataset)).test
    flux = np.load(folder / "flux.npy", mmap_mode="r+")
    flux[rows] = 1e9
    flux.flush()
    catalogue = pd.read_parquet(folder / "catalogue.parquet")
    catalogue.loc[rows, "z_spec"] = 0.59
    catalogue.to_parquet(folder / "catalogue.parquet")


def figures(tuning) -> list[tuple]:
    """What the trials of a search gave, but for times."""
    keys = ("trial", "state", "values", "score", "val_mae", "epochs")
    return [tuple(json.dumps(getattr(one, key)) for key in keys) for one in tuning.trials]


def test_the_test_rows_are_never_touched(lab):
    assert figures(lab.tunings["random"]) == figures(lab.tunings["spoiled"])
    rows = Split.load(lab.tunings["spoiled"].split_path).test
    assert len(rows) == 60


def test_a_search_stopped_and_resumed_is_the_search_that_was_not(lab):
    first, second, third = (o for name, o in lab.outcomes if name == "halting")
    assert (first["stopped"], first["trials"], first["best"]) == (True, 0, None)
    assert second["stopped"]
    assert not third["stopped"]
    assert figures(lab.tunings["halting"]) == figures(lab.tunings["random"])
    assert {one.retries for one in lab.tunings["halting"].trials} == {0}


def test_a_trial_that_diverges_fails_with_its_reason_and_the_search_goes_on(lab):
    trials = lab.tunings["diverging"].trials
    assert [one.state for one in trials] == ["finished", "failed", "finished"]
    assert "The loss became NaN in epoch" in trials[1].message
    assert "now 10" in trials[1].message
    outcome = dict(lab.outcomes)["diverging"]
    assert (outcome["trials"], outcome["failed"]) == (2, 1)


def test_a_trial_leaves_the_run_it_stands_for_and_its_history(lab):
    tuning = lab.tunings["random"]
    for entry in tuning.trials:
        run, repaired = run_config(tuning.config.base, entry.values)
        assert (tuning.trial(entry.trial).config, tuple(repaired)) == (run, entry.repaired)
        history = pd.read_csv(tuning.trial(entry.trial).history_path)
        assert tuple(history.columns) == COLUMNS
        assert (len(history), entry.epochs) == (2, 2)
        assert entry.val_mae == pytest.approx(history.val_mae.min())
        assert entry.score == entry.val_mae
        assert not tuning.trial(entry.trial).model_path.exists()


def test_a_share_of_the_rows_repeats_and_another_objective(lab):
    tuning = lab.tunings["share"]
    split, whole = (Split.load(lab.tunings[n].split_path) for n in ("share", "random"))
    assert len(split.train) == round(len(whole.train) / 2)
    assert set(split.train) < set(whole.train)
    assert split.val.tolist() == whole.val.tolist()
    entry = tuning.trials[0]
    folder = tuning.trial("0")
    maes = [
        pd.read_csv(path).val_mae.min()
        for path in (folder.history_path, folder.path / "repeat_2" / "history.csv")
    ]
    assert maes[0] != maes[1]
    assert entry.val_mae == pytest.approx(np.mean(maes))
    assert entry.score > entry.val_mae  # no RMSE is below its MAE


def test_networks_that_are_done_free_their_memory(lab):
    assert lab.n_graphs == 0


def test_early_stopping_ends_a_trial(lab):
    assert lab.tunings["patient"].trials[0].epochs < 30


def test_hyperband_trains_each_trial_as_long_as_its_round(lab):
    epochs = [one.epochs for one in lab.tunings["hyperband"].trials]
    assert set(epochs) == {1, 3}
