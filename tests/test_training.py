"""Training: the same history however often it was interrupted, by stop, by kill, by neither."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from redshift_core import data, jobs
from redshift_core.data.split import Split
from redshift_core.errors import InputError
from redshift_core.learning.training import train_job
from redshift_core.learning.training.checkpoint import Progress, State, load_state, save_state
from redshift_core.pdf import training_prior
from redshift_core.prediction.reader import onnx_predictor, predictor
from redshift_core.settings.presets import preset
from redshift_core.settings.run import TrainingConfig
from redshift_core.settings.schedules import learning_rates
from redshift_core.store import JobContext, RunFolder, Store, read_json, write_json
from redshift_core.store.arrays import load_arrays
from redshift_core.store.history import COLUMNS

TINY = {  # each layer more takes longer to compile than to train
    "conv_filters": "4",
    "conv_kernels": "5",
    "dense_units": "16",
    "dropout": 0.2,
    "batch_size": 16,
    "epochs": 3,
    "threads": 1,
}
SHARED = {  # a batch of 25 over two devices is uneven, and so is the last one, of 3
    "epochs": 2,
    "optimizer": "adam",
    "clip_norm": 0.5,
    "dropout": 0.0,
    "l2": 1e-4,
    "batch_size": 25,
    "averaging": 0.9,
}
DENSITIES = {
    "architecture": "resmlp",
    "head": "pdf",
    "members": 2,
    "dense_units": "16",
    "dropout": 0.1,
    "scaler": "whitened",
    "loss": "cross_entropy",
    "optimizer": "adamw",
    "averaging": 0.9,
}
CHANGED = {  # spectra changed at every step
    "architecture": "mlp",
    "scaler": "whitened",
    "dropout": 0.0,
    "white_noise": 0.01,
    "pixel_shift": 0.3,
    "calibration_error": 0.02,
}
TROUBLED = {
    "conv_filters": "64,64",
    "conv_kernels": "5,3",
    "dense_units": "64,32",
    "dropout": 0.1,
    "epochs": 8,
    "threads": 1,
}
LEAPING = {  # some epochs go well, then the steps become too long
    "optimizer": "sgd",
    "loss": "mse",
    "schedule": "one_cycle",
    "dropout": 0.0,
    "epochs": 30,
    "learning_rate": 5.0,
}
SCENES = Path(__file__).with_name("training_scenes.py")


def history(run: RunFolder) -> pd.DataFrame:
    return pd.read_csv(run.history_path).drop(columns="seconds")


def same(one: RunFolder, other: RunFolder) -> None:
    pd.testing.assert_frame_equal(history(one), history(other), rtol=0, atol=1e-6)


class Lab:
    """A store with one dataset, and scenes to play there in one process."""

    def __init__(self, folder: Path, survey_file: Path):
        self.store = Store(folder)
        self.dataset = data.ingest(survey_file, self.store, name="small")
        self.scenes: list[dict] = []
        self.outcomes: list[dict] = []

    def new_run(self, name: str, **values) -> RunFolder:
        run = self.store.new_run(name)
        dataset = values.pop("dataset", self.dataset).id
        config = preset("dissertation", dataset).with_values({**TINY, **values})
        write_json(run.config_path, config.to_dict())
        return run

    def plan(self, run: RunFolder, **scene) -> int:
        self.scenes.append({"run": run.id, **scene})
        return len(self.scenes) - 1

    def play(self, virtual_cpus: int = 1) -> None:
        (self.store.root / "scenes.json").write_text(json.dumps(self.scenes))
        command = [sys.executable, str(SCENES), str(self.store.root), str(virtual_cpus)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr[-3000:]
        self.outcomes = json.loads((self.store.root / "outcomes.json").read_text())


@pytest.fixture(scope="module")
def lab(tmp_path_factory, survey_file):
    """Runs by name, played once for the whole file; ``lab.outcomes`` by their number."""
    lab = Lab(tmp_path_factory.mktemp("lab"), survey_file)
    lab.runs, lab.turns = {}, {}

    def scene(name, key, **values):
        names = ("stop_after", "resume", "epochs_now", "judged", "more", "settings")
        options = {k: values.pop(k) for k in names if k in values}
        if "epochs_now" in options:
            options["epochs"] = options.pop("epochs_now")
        if name not in lab.runs:
            lab.runs[name] = lab.new_run(name, **values)
        lab.turns[key] = lab.plan(lab.runs[name], **options)

    one_cycle = {"schedule": "one_cycle", "optimizer": "adam", "clip_norm": 0.5, "l2": 1e-4}
    scene("whole", "whole", **one_cycle)
    scene("again", "again", **one_cycle)
    scene("other seed", "other seed", **one_cycle, seed=5)
    for turn, looks in enumerate((3, 2, 6, 1)):  # in the steps and in the validation
        scene("halting", f"halt {turn}", **one_cycle, stop_after=looks, resume=turn > 0)
    scene("halting", "halted", resume=True)
    scene("long", "long", epochs=4, optimizer="adamax")
    scene("grown", "before growth", epochs=2, optimizer="adamax")
    scene("grown", "growth refused", resume=True)
    scene("grown", "grown", resume=True, epochs_now=4)
    scene("best", "best", keep="best", epochs=6, learning_rate=0.02, optimizer="adam")
    scene("patient", "patient", epochs=40, early_stopping=2, min_delta=0.5, optimizer="sgd")
    brief = {**one_cycle, "epochs": 1, "min_steps": 72}  # three epochs of 24 steps, as "whole"
    scene("lengthened", "lengthened", **brief, stop_after=4)
    scene("lengthened", "lengthened, resumed", resume=True)
    scene("no better", "no better", epochs=3, min_steps=18, batch_size=128, min_delta=9.0)
    scene("no better", "own epochs", resume=True, epochs_now=4)
    scene("diverging", "diverging", optimizer="sgd", learning_rate=10.0, loss="mse", momentum=0.99)
    scene("leaping", "leaping", **LEAPING, judged="yes")
    scene("mended", "leaping too", **LEAPING, judged="yes")
    lower = {"learning_rate": 0.01, "epochs": 3}
    scene("mended", "mended", judged="yes", resume=True, settings=lower)
    unsteady = {"optimizer": "sgd", "averaging": 0.0, "learning_rate": 10.0, "momentum": 0.99}
    scene("leaping densities", "leaping densities", **{**DENSITIES, **unsteady}, epochs=9,
          schedule="one_cycle", judged="yes")  # fmt: skip
    scene("by hand", "by hand", **one_cycle, judged="yes", stop_after=14)
    scene("bfloat16", "bfloat16", precision="mixed_bfloat16", loss="mae", optimizer="adamw")
    scene("float16", "float16", precision="mixed_float16", clip_norm=1.0)
    scene("leaking", "leaking", fit_on="all", epochs=1, scaler="spectrum", architecture="mlp")
    scene("single", "single", **SHARED)
    scene("densities", "densities", **DENSITIES)
    scene("halting densities", "halt densities", **DENSITIES, stop_after=4)
    scene("halting densities", "halted densities", resume=True)
    scene("changed", "changed", **CHANGED)
    scene("halting changed", "halt changed", **CHANGED, stop_after=4)
    scene("halting changed", "halted changed", resume=True)
    scene("unchanged", "unchanged", **{**CHANGED, "white_noise": 0.0, "pixel_shift": 0.0,
                                       "calibration_error": 0.0})  # fmt: skip
    scene("scores", "scores", **{**DENSITIES, "loss": "crps", "averaging": 0.0})
    scene("untroubled", "untroubled", **TROUBLED)
    patient = {"epochs": 5, "early_stopping": 1, "min_delta": 9.0, "batch_size": 128}
    scene("judged", "judging stopped", judged="stopped", **patient)
    scene("judged", "judged after all", judged="yes", resume=True)
    scene("judged", "judged again", judged="yes", resume=True, epochs_now=6, more=True)
    fewer = lab.store.inbox / "fewer.parquet"
    pq.write_table(pq.read_table(survey_file).slice(0, 300), fewer)
    other = data.ingest(fewer, lab.store)
    scene("orphan", "vanished", judged="vanished", dataset=other, epochs=1, batch_size=128)
    lab.play()
    lab.outcome = {key: lab.outcomes[turn] for key, turn in lab.turns.items()}
    return lab


def test_the_same_seed_gives_the_same_history_and_another_seed_another(lab):
    assert lab.runs["whole"].config.training.threads == 1  # only then to the last digit
    assert history(lab.runs["whole"]).equals(history(lab.runs["again"]))
    assert not np.allclose(history(lab.runs["whole"]).loss, history(lab.runs["other seed"]).loss)


def test_history_has_the_documented_columns_and_a_line_per_epoch(lab):
    table = pd.read_csv(lab.runs["whole"].history_path)
    assert tuple(table.columns) == COLUMNS
    assert table.epoch.tolist() == [1, 2, 3]
    assert (table.seconds > 0).all()
    assert np.isfinite(table).all(axis=None)


def test_stopped_again_and_again_the_history_is_the_same(lab):
    halts = [lab.outcome[f"halt {turn}"] for turn in range(4)]
    assert all(halt["stopped"] for halt in halts)
    assert halts[0]["val_mae"] is None
    assert lab.outcome["halted"] == {
        **lab.outcome["whole"],
        "run": lab.runs["halting"].id,
        "val_mae": pytest.approx(lab.outcome["whole"]["val_mae"], abs=1e-6),
    }
    same(lab.runs["whole"], lab.runs["halting"])


def test_a_finished_run_goes_on_as_if_it_had_been_asked_for_more_at_once(lab):
    assert lab.outcome["before growth"]["epochs"] == 2
    assert "ask for more than 2" in lab.outcome["growth refused"]["refused"]
    assert lab.outcome["grown"]["epochs"] == 4
    same(lab.runs["long"], lab.runs["grown"])


def test_a_run_stopped_while_it_is_judged_is_trained_and_judged_when_it_is_resumed(lab):
    stopped, judged = lab.outcome["judging stopped"], lab.outcome["judged after all"]
    assert (stopped["stopped"], stopped["epochs"], stopped["evaluated"]) == (True, 2, [])
    assert stopped["said"][-1] == (
        "Stopped while judging the run. Its model is saved: evaluate or resume the run."
    )
    assert (judged["stopped"], judged["val_mae"]) == (False, stopped["val_mae"])
    assert judged["evaluated"] == [lab.dataset.id]
    assert judged["said"][-1] == "The run is trained and judged on its test rows."
    assert any("Judging the test rows. Predicted 0 of" in said for said in judged["said"])
    assert not any("epoch" in said for said in judged["said"])  # it was not trained again


def test_a_trained_run_has_its_onnx_file_too(lab):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    pytest.importorskip("onnx", reason="onnx is not installed")
    assert lab.runs["judged"].onnx_path.exists()


def test_a_run_that_stopped_early_and_is_asked_for_more_trains_on(lab):
    again = lab.outcome["judged again"]
    assert again["epochs"] == 3
    assert "Training, epoch 3 of 6." in again["said"]


def test_a_dataset_that_vanishes_before_the_judging_is_told_in_a_sentence(lab):
    refused = lab.outcome["vanished"]["refused"]
    assert "is trained and its model is saved, but its dataset" in refused
    assert "was deleted before its test rows were judged" in refused
    assert lab.runs["orphan"].model_path.exists()


ENDINGS = {  # run → the scene that says what its model can do
    "whole": "whole", "best": "best", "halting": "halted", "bfloat16": "bfloat16",
    "leaking": "leaking", "changed": "changed", "patient": "patient", "judged": "judged again",
    "by hand": "by hand", "mended": "mended", "leaping": "leaping", "densities": "densities",
    "scores": "scores", "halting densities": "halted densities",
    "leaping densities": "leaping densities",
}  # fmt: skip


@pytest.mark.parametrize("name", ENDINGS)
def test_val_mae_is_that_of_the_saved_files_however_the_training_ended(name, lab):
    from redshift_core.learning.models import load_model

    run, outcome = lab.runs[name], lab.outcome[ENDINGS[name]]
    dataset, rows = data.open_dataset(lab.dataset), Split.load(run.split_path).val
    claimed = read_json(run.status_path)["detail"]["saved_val_mae"]
    assert outcome.get("val_mae", claimed) == claimed  # of one that has failed, the status says it
    models = [predictor(load_model(run.model_path), bounded=False)]
    if name in ("judged", "by hand", "mended", "leaping", "leaping densities"):
        models.append(onnx_predictor(run.onnx_path.read_bytes(), bounded=False))
    for model in models:
        found = np.abs(model(dataset.flux[rows]).z_phot - dataset.z_spec[rows]).mean()
        assert found == pytest.approx(claimed, abs=2e-3 if name == "bfloat16" else 1e-5)


@pytest.mark.parametrize("name", ["densities", "scores"])
def test_the_temperature_of_a_pdf_head_fits(name, lab):
    from redshift_core.learning.models import PDF, load_model

    run = lab.runs[name]
    dataset = data.open_dataset(lab.dataset)
    rows = Split.load(run.split_path).val
    z_spec, model = np.asarray(dataset.z_spec)[rows], load_model(run.model_path)
    layer = model.get_layer(PDF)
    own = np.minimum((z_spec / 0.0025).astype(int), 239)
    temperature = float(layer.temperature)

    def surprise(value):
        layer.temperature.assign(value)
        return -np.log(np.asarray(model(dataset.flux[rows]))[np.arange(len(rows)), own]).mean()

    assert temperature != 1.0
    assert surprise(temperature) < min(surprise(0.9 * temperature), surprise(1.1 * temperature))


def test_a_run_that_meets_nan_keeps_its_best_epoch_and_goes_on_from_there(lab):
    run, refused = lab.runs["leaping"], lab.outcome["leaping"]["refused"]
    lines = history(run).val_mae
    best = int(lines.argmin()) + 1
    assert len(lines) > best  # keep = last, and the epochs after the best one were worse
    state = load_state(run)
    assert (state.progress.epoch, state.progress.kept_val_mae) == (best, lines.min())
    detail = read_json(run.status_path)["detail"]
    assert detail["diverged"] == len(lines) + 1
    assert detail["val_mae"] == lines.min()
    assert f"it goes on from epoch {best}, whose model is saved" in refused
    assert f"redshift-lab resume {run.id} --set learning_rate=0.5" in refused
    mended, done = history(lab.runs["mended"]), lab.outcome["mended"]
    assert done["epochs"] == len(mended) == 3
    pd.testing.assert_series_equal(mended.val_mae[:best], lines[:best], check_index=False)
    assert mended.learning_rate[best:].max() <= 0.01
    assert done["val_mae"] < 1.1 * lines.min()


def test_averaged_weights_and_members_go_on_where_they_stopped(lab):
    assert lab.outcome["halt densities"]["stopped"]
    same(lab.runs["densities"], lab.runs["halting densities"])


def test_changed_spectra_are_the_same_ones_after_a_stop(lab):
    assert lab.outcome["halt changed"]["stopped"]
    same(lab.runs["changed"], lab.runs["halting changed"])
    assert not np.allclose(history(lab.runs["changed"]).loss, history(lab.runs["unchanged"]).loss)


def test_keep_best_saves_the_best_epoch_and_keep_last_the_last(lab):
    best, last = history(lab.runs["best"]).val_mae, history(lab.runs["whole"]).val_mae
    assert best.idxmin() != len(best) - 1  # else the test shows nothing
    assert lab.outcome["best"]["val_mae"] == pytest.approx(best.min())
    assert lab.outcome["whole"]["val_mae"] == pytest.approx(last.iloc[-1])


def test_early_stopping_waits_as_long_as_it_was_told(lab):
    # A fall by 0.5 never happens after the first epoch, so two epochs later it is over.
    assert lab.outcome["patient"]["epochs"] == 3
    assert not lab.outcome["patient"]["stopped"]


def test_a_run_lengthened_by_its_least_steps_is_one_of_as_many_epochs(lab):
    assert lab.outcome["lengthened"]["stopped"]
    assert lab.outcome["lengthened, resumed"]["epochs"] == lab.runs["lengthened"].epochs == 3
    same(lab.runs["whole"], lab.runs["lengthened"])
    said = read_json(lab.runs["lengthened"].status_path)
    assert (said["total"], said["detail"]["epochs"]) == (3, 3)


def test_a_lengthened_run_ends_after_a_fifth_without_a_lower_loss_and_goes_on_if_asked(lab):
    # 378 rows make 3 steps an epoch, so 18 steps are 6 epochs; after the first nothing counts.
    assert lab.outcome["no better"]["epochs"] == 3
    assert lab.outcome["own epochs"]["epochs"] == lab.runs["no better"].epochs == 4


def test_a_diverging_run_fails_with_the_epoch_and_a_remedy(lab):
    refused = lab.outcome["diverging"]["refused"]
    assert "became NaN in epoch 1" in refused
    assert "Lower the learning rate (now 10)" in refused
    assert "it begins again" in refused
    assert load_state(lab.runs["diverging"]) is None


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_mixed_precision_learns_and_is_noted(name, lab):
    assert history(lab.runs[name]).loss.iloc[-1] < history(lab.runs[name]).loss.iloc[0]
    environment = read_json(lab.runs[name].environment_path)
    assert environment["device"]["precision"] == f"mixed_{name}"


def test_the_environment_says_what_the_run_was_made_with(lab):
    found = read_json(lab.runs["whole"].environment_path)
    assert found["dataset"]["sha256"] == lab.dataset.info["sha256"]
    assert found["dataset"]["simulated"] is True
    assert found["split"] == {"train": 378, "val": 162, "test": 60}
    assert found["scaler"]["saw_test_rows"] is False
    assert found["device"]["threads"] == 1
    assert {"tensorflow", "keras", "python"} <= set(found["versions"])
    leaking = read_json(lab.runs["leaking"].environment_path)["scaler"]
    assert leaking == {"name": "spectrum", "fit_on": "all", "n_fitted": 600, "saw_test_rows": True}


def test_a_run_keeps_the_prior_of_its_training_rows(lab):
    run = lab.runs["densities"]
    z_spec = np.asarray(data.open_dataset(lab.dataset).z_spec)[Split.load(run.split_path).train]
    assert load_arrays(run.prior_path)["training"].tolist() == training_prior(z_spec).tolist()


def test_a_mirrored_run_gives_the_history_of_a_single_device(tmp_path, survey_file, lab):
    pair = Lab(tmp_path, survey_file)
    values = {**SHARED, "threads": 0}
    mirrored = pair.new_run("mirrored", **values)
    half = pair.new_run("half", **{**values, "precision": "mixed_float16", "dropout": 0.2})
    for run in (mirrored, half):
        pair.plan(run, stop_after=3)
        pair.plan(run, resume=True)
    pair.play(virtual_cpus=2)
    single = history(lab.runs["single"])
    pd.testing.assert_frame_equal(history(mirrored), single, rtol=0, atol=2e-4)
    device = read_json(mirrored.environment_path)["device"]
    assert device["replicas"] == 2
    assert "2 virtual devices" in device["text"]
    assert pair.outcomes[3]["epochs"] == 2
    assert np.isfinite(history(half)).all(axis=None)


def wait_for(run: RunFolder, condition, timeout=120.0) -> None:
    end = time.monotonic() + timeout
    while not condition(jobs.status(run)):
        assert jobs.status(run).active, jobs.log_tail(run)
        assert time.monotonic() < end
        time.sleep(0.02)


def test_stopped_by_the_user_and_killed_it_ends_with_the_same_history(store, survey_file, lab):
    dataset = data.ingest(survey_file, store, name="small")
    config = preset("dissertation", dataset.id).with_values(TROUBLED)
    run = jobs.start_training(store, config, "troubled")
    wait_for(run, lambda status: status.detail.get("step", 0) >= 1)
    jobs.stop(run)
    stopped = jobs.wait(run, timeout=60)
    assert stopped.state == "stopped"
    assert 0 < stopped.done < 8
    jobs.resume(run)
    wait_for(run, lambda status: status.detail.get("epoch", 0) >= 2 or status.done > 1)
    os.kill(jobs.status(run).pid, signal.SIGKILL)
    while jobs.status(run).active:
        time.sleep(0.05)
    assert jobs.status(run).state == "lost"
    jobs.resume(run)
    ended = jobs.wait(run, timeout=120)
    assert ended.state == "finished", jobs.log_tail(run)
    same(lab.runs["untroubled"], run)
    assert run.result["epochs"] == 8
    expected = lab.outcome["untroubled"]["val_mae"]
    assert run.result["val_mae"] == pytest.approx(expected, abs=1e-6)


def test_a_run_whose_checkpoint_is_gone_has_nothing_to_resume_from(store):
    run = store.new_run("bare")
    assert load_state(run) is None  # killed before its first checkpoint: starts anew
    run.history_path.write_text(",".join(COLUMNS) + "\n1,1,1,1,1,1,1\n")
    with pytest.raises(InputError, match="nothing to resume from: its checkpoint folder is gone"):
        load_state(run)


def test_a_broken_checkpoint_is_refused_by_name(store):
    run = store.new_run("broken")
    save_state(run, State(Progress(epoch=1), [np.zeros(3)], []))
    (run.checkpoint_path / "state.npz").write_bytes(b"PK half a file")
    with pytest.raises(InputError, match=r"state\.npz cannot be read"):
        load_state(run)


def test_a_checkpoint_comes_back_as_it_was(store):
    run = store.new_run("kept")
    progress = Progress(epoch=2, step=7, sums=[0.1, 1 / 3, 5.0], history=[{"epoch": 1.0}])
    save_state(
        run, State(progress, [np.arange(3), np.float32(2.5) * np.ones((2, 2))], [np.ones(1)])
    )
    again = load_state(run)
    assert again.progress == progress
    assert [v.tolist() for v in again.variables] == [[0, 1, 2], [[2.5, 2.5], [2.5, 2.5]]]
    assert [v.tolist() for v in again.kept] == [[1.0]]


def test_a_run_whose_dataset_is_gone_says_so(store, dataset):
    config = preset("fast", dataset.id)
    run = store.new_run("orphan")
    write_json(run.config_path, config.to_dict())
    dataset.delete()
    with pytest.raises(InputError, match=r"needs the dataset .* not in the store any more"):
        train_job(JobContext(run, store))


@pytest.mark.parametrize("schedule", ["constant", "exponential", "cosine", "one_cycle"])
def test_a_rate_depends_on_its_step_alone(schedule):
    config = TrainingConfig(schedule=schedule, learning_rate=0.01)
    whole = learning_rates(config, 0, 100, 100)
    parts = [learning_rates(config, first, first + 7, 100) for first in range(0, 98, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole[:98])
    assert whole.max() <= np.float32(0.01)


def test_schedules_start_peak_and_end_where_documented():
    def rates(schedule):
        return learning_rates(TrainingConfig(schedule=schedule, learning_rate=1.0), 0, 1_001, 1_000)

    assert (rates("constant") == 1.0).all()
    assert rates("exponential")[[0, 500, 1_000]] == pytest.approx([1.0, 0.1, 0.01])
    assert rates("cosine")[[0, 500, 1_000]] == pytest.approx([1.0, 0.5005, 0.001])
    assert rates("one_cycle")[[0, 1_000]] == pytest.approx([0.04, 0.001])
    assert rates("one_cycle").argmax() == 200
