"""A run that starts from another: weights, scaler, resuming, provenance and refusals."""

import dataclasses
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from redshift_core import cli, data, jobs
from redshift_core.data.scaling import Scaler
from redshift_core.errors import InputError
from redshift_core.evaluation.comparison import differing_settings
from redshift_core.learning.adaptation.job import _start as start_adapted
from redshift_core.pdf import training_prior
from redshift_core.reports.run import write_report
from redshift_core.settings.presets import PRESETS, fine_tuning
from redshift_core.settings.run import RunConfig
from redshift_core.store import (
    CHECKOUT,
    JobContext,
    RunFolder,
    Store,
    demo_file,
    origin,
    read_json,
    write_json,
)
from redshift_core.store.archive import export_run, import_run
from redshift_core.store.arrays import load_arrays
from redshift_core.store.base import base_id
from tests.pages.made_up import every_slot_taken, make_dataset, make_run, open_page, texts

SCENES = Path(__file__).with_name("fine_tuning_scenes.py")
STARTED = "Started from run source (20"


class Lab:
    """The store of the scenes, and what came out of them."""

    def __init__(self, folder: Path, survey_file: Path):
        self.store = Store(folder)
        self.old = data.ingest(survey_file, self.store, name="old survey")
        table = pq.read_table(demo_file()).slice(600, 300)
        brighter = table.to_pandas()
        flux = [name for name in brighter.columns if name.startswith("flux")]
        brighter[flux] *= 1.3
        file = self.store.inbox / "new.parquet"
        brighter.to_parquet(file)
        self.new = data.ingest(file, self.store, name="new survey")
        command = [sys.executable, str(SCENES), str(folder), self.old.id, self.new.id]
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr[-3000:]
        self.outcomes = json.loads((folder / "outcomes.json").read_text())


@pytest.fixture(scope="module")
def lab(tmp_path_factory, survey_file):
    return Lab(tmp_path_factory.mktemp("lab"), survey_file)


def history(run: RunFolder) -> pd.DataFrame:
    return pd.read_csv(run.history_path).drop(columns="seconds")


def test_it_starts_with_the_weights_of_the_other_run(lab):
    start = lab.outcomes["whole"]["start_val_mae"]
    first = history(lab.store.run("whole")).val_mae[0]
    assert abs(first - start) < 0.01
    assert start == pytest.approx(lab.outcomes["start, by its file"], rel=2e-3)


def test_scaler_of_the_other_run_prior_and_range_of_the_new_galaxies(lab):
    run = lab.store.run("whole")
    start, own = Scaler.load(run.start.scaler_path), Scaler.load(run.scaler_path)
    assert all(np.array_equal(own.numbers[name], start.numbers[name]) for name in start.numbers)
    z_spec = data.open_dataset(lab.new).z_spec
    prior = training_prior(np.asarray(z_spec)[load_arrays(run.split_path)["train"]])
    np.testing.assert_allclose(load_arrays(run.prior_path)["training"], prior, rtol=1e-9)
    assert run.coverage_path.exists()
    source, whole = lab.outcomes["temperatures"]
    assert whole != source


def test_weights_that_no_epoch_improves_are_kept(lab):
    """A learning rate of 10 ruins the network in its only epoch."""
    worse = lab.outcomes["worse"]
    # The figure of the saved model knows its fitted temperature, which moves a median a little.
    assert worse["val_mae"] == pytest.approx(worse["start_val_mae"], rel=0.06)
    assert history(lab.store.run("worse")).val_mae[0] > 1.5 * worse["val_mae"]


def test_stopped_before_its_first_step_it_resumes_without_the_other_run(lab):
    assert lab.outcomes["halted at once"]["stopped"]
    with pytest.raises(InputError, match="No run 'source'"):
        lab.store.run("source")
    whole, halted = (history(lab.store.run(name)) for name in ("whole", "halted"))
    pd.testing.assert_frame_equal(whole, halted, rtol=0, atol=1e-6)
    assert lab.outcomes["resumed"] == {
        **lab.outcomes["whole"],
        "run": lab.store.run("halted").id,
        "val_mae": pytest.approx(lab.outcomes["whole"]["val_mae"], abs=1e-6),
        "start_val_mae": pytest.approx(lab.outcomes["whole"]["start_val_mae"], abs=1e-6),
    }


def test_it_remembers_where_it_started_through_several_runs(lab):
    run = lab.store.run("worse")
    assert [one["name"] for one in origin.ancestors(run)] == ["whole", "source"]
    said = origin.sentence(run)
    assert "which learned on new survey (SIMULATED) and started from run source (2" in said
    assert said.endswith("which learned on old survey (SIMULATED).")


def test_galaxies_that_the_other_run_has_seen_do_not_judge_it(lab):
    assert "which has learned on the galaxies" in lab.outcomes["judged on what the source saw"]


def test_report_and_zip_say_where_it_started(lab, tmp_path):
    run = lab.store.run("whole")
    page = write_report(run, tmp_path / "report.html", lab.store).read_text()
    assert STARTED in page
    assert "which learned on" in page
    elsewhere = Store(tmp_path / "elsewhere")
    write_json(run.status_path, {"state": "finished"})
    packed = export_run(run, tmp_path / "run.zip")
    taken_in, _ = import_run(elsewhere, packed)
    assert origin.sentence(taken_in) == origin.sentence(run)
    assert not taken_in.start.path.exists()


@pytest.fixture
def source(store, dataset):
    """A run with a model and a scaler that nothing reads, on simulated galaxies."""
    run = make_run(store, dataset, name="source")
    run.scaler_path.write_bytes(b"not read before the training")
    about = {"id": dataset.id, "name": "far survey", "sha256": "1" * 64, "simulated": True}
    write_json(run.environment_path, {"dataset": about})
    return run


def test_the_settings_are_those_of_the_network_and_of_a_trained_start(store, dataset, source):
    config = jobs.fine_tuned(source, dataset)
    assert (config.model, config.start_from) == (source.config.model, source.id)
    assert config.training.loss == source.config.training.loss
    assert config.training.learning_rate < source.config.training.learning_rate
    assert RunConfig.from_dict(config.to_dict()) == config
    beside = differing_settings({"tuned": config, "scratch": source.config})
    assert source.id in beside.set_index("setting").loc["start_from"].tolist()
    assert RunConfig().start_from == ""


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_started_from(name):
    tuned = fine_tuning(PRESETS[name])
    assert tuned.model == PRESETS[name].model
    assert tuned.scaler.name == PRESETS[name].scaler.name
    assert tuned.augmentation == dataclasses.replace(PRESETS[name].augmentation, noise_rows=0)


def test_other_layers_or_another_split_of_seen_galaxies_are_refused(store, dataset, source):
    config = jobs.fine_tuned(source, dataset)
    with pytest.raises(InputError, match="dense_units, scaler cannot be set"):
        jobs.start_training(store, config.with_values({"dense_units": "64,32", "scaler": "minmax"}))
    facts = read_json(source.environment_path)
    facts["dataset"]["sha256"] = dataset.info["sha256"]
    write_json(source.environment_path, facts)
    with pytest.raises(InputError, match="must keep its split"):
        jobs.start_training(store, config.with_values({"random_state": 5}))
    assert [run.id for run in store.runs()] == [source.id]


def test_the_same_galaxies_keep_the_split_and_what_the_scaler_saw(store, dataset):
    run = make_run(store, dataset, random_state=7, fit_on="all")
    run.scaler_path.write_bytes(b"not read here")
    write_json(run.environment_path, {"dataset": {"sha256": dataset.info["sha256"]}})
    config = jobs.fine_tuned(run, dataset)
    assert config.split.random_state == 7
    assert config.scaler.fit_on == "all"
    write_json(run.environment_path, {"dataset": {"sha256": "of others"}})
    config = jobs.fine_tuned(run, dataset)
    assert (config.split.random_state, config.scaler.fit_on) == (4, "train")


def test_an_adapted_run_starts_from_the_fine_tuned_one(store, dataset, source):
    tuned = make_run(store, dataset, name="tuned")
    tuned.scaler_path.write_bytes(b"not read before the training")
    config = replace(tuned.config, start_from="a run that is gone")
    write_json(tuned.config_path, config.to_dict())
    context = JobContext(store.new_job("adapt"), store)
    write_json(context.folder.request_path, {"kind": "adapt"})
    with every_slot_taken(store):
        new = start_adapted(context, tuned, dataset.id, {"name": "a file", "n": 400})
    assert new.config == replace(config, start_from=tuned.id)
    assert new.start.model_path.exists()


def asked(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main([str(one) for one in arguments])
    return ended.value.code, capsys.readouterr()


def test_the_command_starts_lists_and_refuses(store, dataset, source, capsys):
    with every_slot_taken(store):
        code, said = asked(
            capsys, "train", dataset.id, "--from", "source", "--set", "epochs=3", "--detach"
        )
    assert code == 0, said.err
    assert "which learned on far survey (SIMULATED)" in said.err + said.out
    run = store.runs()[0]
    assert (run.config.start_from, run.config.training.epochs) == (source.id, 3)
    assert run.start.model_path.read_bytes() == source.model_path.read_bytes()
    code, said = asked(capsys, "runs", "--json")
    assert [one["start_from"] for one in json.loads(said.out)] == [source.id, ""]
    code, said = asked(capsys, "train", dataset.id, "--from", "source", "--preset", "best")
    assert code == 2
    assert "--preset cannot be given with it" in said.err
    source.model_path.unlink()
    code, said = asked(capsys, "train", dataset.id, "--from", "source")
    assert code == 2
    assert "has saved no model to start from" in said.err


def plain(at):
    """What the page says, without the backslashes of Markdown."""
    return texts(at).replace("\\", "")


def test_the_train_page_starts_from_a_run(store, source):
    folder = make_dataset(store)
    at = open_page("train", dataset=folder.id)
    assert not at.exception
    at.selectbox(key="from_run").set_value(source.id).run()
    assert not at.exception
    assert "which learned on far survey (SIMULATED)" in plain(at)
    assert at.query_params["from_run"] in (source.id, [source.id])
    prefix = f"set_from {source.id}"
    assert at.session_state[f"{prefix}_training_weight_decay"] == 0.1
    for fixed in ("model_dense_units", "scaler_name"):
        assert f"{prefix}_{fixed}" not in at.session_state
    with every_slot_taken(store):
        at.button(key="start_training").click().run()
        assert not at.exception
        run = store.runs()[0]
        assert run.config == replace(jobs.fine_tuned(source, folder), dataset=folder.id)
        assert "Started from run source" in plain(at)


def test_the_address_of_the_train_page_says_which_run(store, dataset, source):
    at = open_page("train", from_run=source.id)
    assert at.selectbox(key="from_run").value == source.id
    at.selectbox(key="from_run").set_value("").run()
    assert at.selectbox(key="preset").value == "dissertation"
    assert "from_run" not in at.query_params
    at = open_page("train", from_run="gone")
    assert not at.exception
    assert "is not here" in texts(at)


def test_the_base_network_is_there_to_start_from_without_any_run(store):
    folder = make_dataset(store)
    at = open_page("train", dataset=folder.id)
    assert not store.runs()
    at.selectbox(key="from_run").set_value(base_id()).run()
    assert not at.exception
    assert "of run base, which learned on" in plain(at)
    assert "(SIMULATED)" in plain(at)
    config = jobs.fine_tuned(store.run("base"), folder)
    assert (config.start_from, config.model.head) == (base_id(), "pdf")
    with every_slot_taken(store):
        at.button(key="start_training").click().run()
        assert not at.exception
        assert store.runs()[0].config == config


def test_real_galaxies_after_simulated_ones_still_say_so(store, dataset, source):
    run = make_run(store, dataset, name="tuned")
    about = {"run": source.id, "name": "source", "dataset": source.trained_on}
    real = {"id": dataset.id, "simulated": False}
    write_json(run.environment_path, {"dataset": real})
    assert not origin.learned_on_simulated(run)
    write_json(run.environment_path, {"dataset": real, "started_from": about})
    assert origin.learned_on_simulated(run)


def test_pages_of_a_fine_tuned_run_say_where_it_started(store, dataset, source):
    run = make_run(store, dataset, name="tuned", evaluated=True)
    about = {"run": source.id, "name": "source", "dataset": source.trained_on}
    write_json(run.environment_path, {"dataset": {"id": dataset.id}, "started_from": about})
    for page in ("train", "evaluate", "predict"):
        at = open_page(page, run=run.id, view="Runs")
        assert not at.exception
        assert "which learned on far survey (SIMULATED)" in plain(at), page
