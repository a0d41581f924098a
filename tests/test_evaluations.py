"""An evaluation is one folder: whole or not there, whatever is killed, and never mixed."""

import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from redshift_core import data, prediction
from redshift_core.data.split import split_rows
from redshift_core.errors import InputError
from redshift_core.evaluation import stress, training_range
from redshift_core.settings.presets import preset
from redshift_core.store import CHECKOUT, RunFolder, write_json
from redshift_core.store.archive import export_run


@pytest.fixture
def run(store, dataset) -> RunFolder:
    """What a judgement needs of a run, but for a network."""
    config = preset("fast", dataset.id)
    run, opened = store.new_run("judged"), data.open_dataset(dataset)
    write_json(run.config_path, config.to_dict())
    split = split_rows(opened.usable_rows(), config.split)
    split.save(run.split_path)
    training_range.fit_coverage(opened.flux, split.train, split.val).save(run.coverage_path)
    with zipfile.ZipFile(run.model_path, "w") as model:  # never loaded here
        model.writestr("config.json", "{}")
    return run


def fill(run, dataset, value):
    """An evaluation whose files all say the same number."""
    with run.evaluation(dataset).renewed() as new:
        np.save(new.pdf_path, np.full(1000, value))
        write_json(new.predictions_path, {"value": value})
        write_json(new.metrics_path, {"value": value})


def values(folder):
    density = np.load(folder.pdf_path, mmap_mode="r")
    table = json.loads(folder.predictions_path.read_text())
    metrics = json.loads(folder.metrics_path.read_text())
    return {float(density[0]), table["value"], metrics["value"]}


def test_a_kill_at_any_step_leaves_densities_and_redshifts_that_belong_together(
    store, run, dataset
):
    script = Path(__file__).with_name("evaluation_scenes.py")
    done = subprocess.run(
        [sys.executable, str(script), str(run.path), str(dataset.path)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    scenes = [json.loads(line) for line in done.stdout.splitlines()]
    for scene in scenes:
        assert scene["listed"] == [dataset.id], scene
        assert scene["z_phot"] == pytest.approx(scene["z_pdf"], abs=1e-6), scene
        assert scene["mae"] == pytest.approx(scene["error"], abs=1e-6), scene
    # before the leftover of the one before, five files, two renames, a removal; and left alone
    assert len(scenes) == 10
    assert scenes[-1]["z_phot"] == pytest.approx((80.5 + scenes[-1]["step"]) * 0.0025)
    kept = {round(scene["z_phot"], 4) for scene in scenes}
    assert len(kept) == 3  # before the last rename the old one, after it the new ones
    hidden = [one.name for one in (run.path / "evaluations").iterdir() if one.name[0] == "."]
    assert hidden == [], "each evaluation removes what the killed one before it left"
    with zipfile.ZipFile(export_run(run, store.root / "run.zip")) as archive:
        assert not [name for name in archive.namelist() if "/." in name]


def test_an_evaluation_that_was_set_aside_is_found_again(run):
    fill(run, "survey", 1.0)
    folder = run.evaluation("survey").path
    folder.rename(folder.with_name(".old-survey"))
    assert RunFolder(run.path).evaluated() == ["survey"]
    assert values(run.evaluation("survey")) == {1.0}
    assert [one.name for one in folder.parent.iterdir()] == ["survey"]


def test_an_error_leaves_the_old_evaluation_and_nothing_else(run):
    fill(run, "survey", 1.0)
    with pytest.raises(ZeroDivisionError), run.evaluation("survey").renewed() as new:
        write_json(new.metrics_path, {"value": 1 / 0})
    assert values(run.evaluation("survey")) == {1.0}
    assert [one.name for one in (run.path / "evaluations").iterdir()] == ["survey"]


def test_a_folder_under_construction_is_not_listed(run):
    with run.evaluation("survey").renewed() as new:
        write_json(new.metrics_path, {"value": 1.0})
        assert (run.evaluated(), run.last_evaluated()) == ([], 0.0)
    assert run.evaluated() == ["survey"]
    assert run.last_evaluated() > 0


def test_a_reader_during_many_renewals_never_sees_two_at_once(run):
    fill(run, "survey", 0.0)
    ended = threading.Event()

    def renew():
        for value in range(1, 60):
            fill(run, "survey", float(value))
        ended.set()

    writer = threading.Thread(target=renew)
    writer.start()
    n_looks = 0
    while not ended.is_set():
        assert len(run.evaluation("survey").together(values)) == 1
        n_looks += 1
    writer.join()
    assert n_looks > 10


def test_a_result_on_perturbed_spectra_goes_with_the_evaluation_it_was_added_to(
    run, dataset, monkeypatch
):
    lines = [{"name": "none"}]
    monkeypatch.setattr(prediction.stress, "open_reader", lambda run, coverage: _Silent())
    monkeypatch.setattr(stress, "judge", lambda *_: lines)
    fill(run, dataset.id, 1.0)
    prediction.stress_run(run, dataset)
    assert run.stress_path(dataset.id).exists()
    fill(run, dataset.id, 2.0)
    assert not run.stress_path(dataset.id).exists()

    monkeypatch.setattr(stress, "judge", lambda *_: fill(run, dataset.id, 3.0) or lines)
    with pytest.raises(InputError, match=r"was evaluated on .* again while its spectra were"):
        prediction.stress_run(run, dataset)
    assert not run.stress_path(dataset.id).exists()
    assert values(run.evaluation(dataset.id)) == {3.0}


class _Silent:
    def predict(self, flux):
        raise AssertionError("nothing is predicted here")
