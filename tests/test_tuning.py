"""Searches: nothing lost, nothing twice, whatever is stopped, killed or silent."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from redshift_core import data, jobs
from redshift_core.data.split import Split
from redshift_core.errors import InputError
from redshift_core.settings.presets import preset
from redshift_core.settings.search import ALGORITHMS, TuningConfig
from redshift_core.settings.space import DEFAULT_SPACE, Parameter, n_combinations, run_config
from redshift_core.store import CHECKOUT, JobContext, Store, TuningFolder, read_json, write_json
from redshift_core.store.history import COLUMNS

SCENES = Path(__file__).with_name("tuning_scenes.py")
BASE = preset("fast").with_values({"threads": 1, "batch_size": 64})
SMALL = (
    Parameter("conv_layers", "int", low=0, high=2),
    Parameter("conv_filters", "int", low=2, high=8, step=2, log=True),
    Parameter("conv_kernels", "int", low=2, high=5),
    Parameter("dense_layers", "int", low=1, high=2),
    Parameter("dense_units", "int", low=4, high=16, step=2, log=True),
    Parameter("loss", "choice", choices=("huber", "mse")),
)
TINY = (Parameter("dense_layers", "int", low=0, high=1), *SMALL[4:])  # 2 · (1 + 3) combinations
LONG = {"epochs": 100_000, "trials": 2, "space": TINY}  # a trial that does not end by itself


def search(store, dataset="d", **values) -> TuningFolder:
    """Folder of a search that has not begun."""
    usual = {"base": BASE, "space": SMALL, "epochs": 1}
    config = TuningConfig(dataset=dataset, **{**usual, **values})
    tuning = store.new_tuning("search")
    write_json(tuning.config_path, config.to_dict())
    return tuning


# The oracle, with trials that are made up.


def opened(tuning):
    from redshift_core.learning.tuning.oracle import open_oracle
    from redshift_core.learning.tuning.trial_log import TrialLog

    config = tuning.config
    return open_oracle(tuning, config, TrialLog(tuning, config))


def score(values) -> float:
    """Made-up score of a choice of values."""
    return 0.01 * len(values) + values.get("dense_units_1", 1) / 1000


def end(oracle, trial, worker="0", message=None):
    """End a trial with its made-up score, or with a failure."""
    values = {n: v for n, v in trial.hyperparameters.values.items() if not n.startswith("tuner/")}
    trial.status, trial.message = ("FAILED", message) if message else ("COMPLETED", None)
    if not message:
        figures = {"val_mae": score(values), "epochs": 1, "seconds": 0.1}
        oracle.update_trial(trial.trial_id, figures)
    if worker == "0":
        oracle.end_trial(trial)
        return True
    return oracle.end_trial_of(worker, trial)


def play(tuning, reopen=False):
    """Do every trial; ``reopen`` as if the process was killed before and after each."""
    oracle = opened(tuning)
    while (trial := oracle.create_trial("0")).status == "RUNNING":
        if reopen and int(trial.trial_id) % 2:
            oracle = opened(tuning)
            again = oracle.create_trial("0")
            assert again.trial_id == trial.trial_id
            assert again.hyperparameters.values == trial.hyperparameters.values
            trial = again
        end(oracle, trial)
        if reopen:
            oracle = opened(tuning)
    return [one.values for one in tuning.trials]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_killed_at_every_trial_is_the_search_that_was_not(store, algorithm):
    values = {"algorithm": algorithm, "trials": 9, "epochs": 3}
    whole, killed = search(store, **values), search(store, **values)
    assert play(killed, reopen=True) == play(whole)
    assert [one.state for one in killed.trials] == ["finished"] * 9
    assert sorted({one.retries for one in killed.trials}) == [0, 1]
    assert opened(killed).create_trial("0").status == "STOPPED"


@pytest.mark.parametrize("algorithm", ["bayesian", "random", "hyperband"])
def test_the_same_seed_gives_the_same_trials_and_another_seed_others(store, algorithm):
    one, two, other = (
        search(store, algorithm=algorithm, trials=8, epochs=3, seed=seed) for seed in (0, 0, 5)
    )
    assert play(one) == play(two)
    assert play(one) != play(other)


def test_neighbouring_seeds_draw_different_trials(store):
    drawn = [play(search(store, algorithm="random", trials=8, epochs=3, seed=s)) for s in (1, 2)]
    one, two = ({json.dumps(values, sort_keys=True) for values in trials} for trials in drawn)
    assert len(one & two) <= 1  # counted up, most would be shared


def test_a_grid_goes_through_every_combination_once(store):
    tuning = search(store, algorithm="grid", trials=100, space=TINY)
    seen = [json.dumps(values, sort_keys=True) for values in play(tuning)]
    assert len(seen) == len(set(seen)) == n_combinations(TINY, BASE) == 8
    assert all(isinstance(one.get("dense_units_1", 1), int) for one in map(json.loads, seen))
    assert opened(tuning).create_trial("0").status == "STOPPED"


def test_a_small_space_ends_before_the_trials_do(store):
    space = (Parameter("loss", "choice", choices=("mae", "mse")),)
    tuning = search(store, algorithm="random", trials=100, space=space)
    assert sorted(one["loss"] for one in play(tuning)) == ["mae", "mse"]


def test_bayesian_trials_after_the_first_half_are_better_than_random_ones(store):
    later = {}
    for algorithm in ("bayesian", "random"):
        played = play(search(store, algorithm=algorithm, trials=16, space=DEFAULT_SPACE))
        later[algorithm] = np.median([score(values) for values in played[8:]])
    assert later["bayesian"] < later["random"]


def test_only_layers_that_exist_have_values(store):
    tuning = search(store, algorithm="random", trials=20)
    for values in play(tuning):
        n_conv, n_dense = values["conv_layers"], values["dense_layers"]
        assert sum(name.startswith("conv_filters") for name in values) == n_conv
        assert sum(name.startswith("conv_kernels") for name in values) == n_conv
        assert sum(name.startswith("dense_units") for name in values) == n_dense
        run, repaired = run_config(BASE, values)
        assert (run.model.architecture == "cnn", repaired) == (n_conv > 0, [])


def test_an_architecture_without_convolutions_draws_none(store):
    space = (Parameter("architecture", "choice", choices=("cnn", "mlp")), *SMALL[1:])
    tuning = search(store, algorithm="random", trials=20, space=space)
    drawn = {(v["architecture"], "conv_filters_1" in v) for v in play(tuning)}
    assert drawn == {("cnn", True), ("mlp", False)}


def test_hyperband_trains_the_best_of_a_round_for_longer(store):
    tuning = search(store, algorithm="hyperband", trials=4, epochs=3)
    oracle, epochs, parents = opened(tuning), [], []
    while (trial := oracle.create_trial("0")).status == "RUNNING":
        epochs.append(trial.hyperparameters.values["tuner/epochs"])
        parents.append(trial.hyperparameters.values.get("tuner/trial_id"))
        end(oracle, trial)
    assert epochs == [1, 1, 1, 3]
    scores = [one.score for one in tuning.trials]
    assert (parents[:3], int(parents[3])) == ([None] * 3, int(np.argmin(scores[:3])))


def test_a_finished_trial_that_kerastuner_still_lists_as_under_way_is_not_repeated(store):
    tuning = search(store, algorithm="random", trials=2)
    oracle = opened(tuning)
    end(oracle, oracle.create_trial("0"))
    state = read_json(tuning.oracle_path / "oracle.json")
    write_json(tuning.oracle_path / "oracle.json", {**state, "ongoing_trials": {"0": "0"}})
    assert opened(tuning).create_trial("0").trial_id == "1"


def test_a_trial_that_only_its_own_file_knows_is_done_again(store):
    tuning = search(store, algorithm="random", trials=2)
    oracle = opened(tuning)
    end(oracle, oracle.create_trial("0"))
    before = read_json(tuning.oracle_path / "oracle.json")
    oracle.create_trial("0")
    write_json(tuning.oracle_path / "oracle.json", before)
    oracle = opened(tuning)
    assert oracle.create_trial("0").trial_id == "1"
    assert oracle.start_order == ["0", "1"]


def test_a_trial_that_takes_its_process_down_twice_is_left_out(store):
    tuning = search(store, algorithm="random", trials=2)
    for _ in range(2):
        assert opened(tuning).create_trial("0").trial_id == "0"
    assert opened(tuning).create_trial("0").trial_id == "1"
    first = tuning.trials[0]
    assert (first.state, first.retries) == ("failed", 1)
    assert "Its process died 2 times" in first.message


def test_a_failed_trial_keeps_its_reason_and_five_in_a_row_end_the_search(store):
    tuning = search(store, algorithm="random", trials=20)
    oracle = opened(tuning)
    for number in range(8):
        end(oracle, oracle.create_trial("0"), message="The loss became NaN." if number != 2 else "")
    assert [one.state for one in tuning.trials] == ["failed"] * 2 + ["finished"] + ["failed"] * 5
    assert tuning.trials[0].message == "The loss became NaN."
    assert oracle.create_trial("0").status == "STOPPED"
    assert oracle.failed
    assert oracle.closed == "5 trials in a row failed. The last failure was: The loss became NaN."
    assert opened(tuning).create_trial("0").status == "RUNNING"  # the user may go on


@pytest.mark.parametrize("text", ["", "{}", '{"ongoing_trials": {"0": "7"}}'])
def test_a_damaged_oracle_is_refused_with_a_sentence(store, text):
    tuning = search(store)
    opened(tuning).create_trial("0")
    (tuning.oracle_path / "oracle.json").write_text(text)
    with pytest.raises(InputError, match=r"cannot continue: .*oracle cannot be read .*new search"):
        opened(tuning)


# Starting and resuming.


def test_what_cannot_be_resumed_says_why(store, dataset):
    tuning = search(store, dataset.id, trials=2, algorithm="random")
    play(tuning)
    JobContext(tuning, store).set_state("finished")
    for trials, sentence in (
        (None, "has finished its 2 trials; say how many"),
        (2, "has begun 2 trials already; ask for more than 2"),
    ):
        with pytest.raises(InputError, match=sentence):
            jobs.resume_tuning(tuning, trials)
    write_json(tuning.config_path, {**tuning.config.to_dict(), "schema_version": 99})
    with pytest.raises(InputError, match="has schema version 99, this program reads up to 1"):
        jobs.resume_tuning(tuning, 5)
    tuning.config_path.write_text("{")
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        jobs.resume_tuning(tuning, 5)


def test_a_search_whose_dataset_is_gone_says_so(store, dataset):
    tuning = search(store, dataset.id)
    JobContext(tuning, store).set_state("stopped")
    dataset.delete()
    with pytest.raises(InputError, match=r"needs the dataset .* not in the store any more"):
        jobs.resume_tuning(tuning)
    assert jobs.status(tuning).state == "stopped"


# The chief, with workers that only pretend to train.


class Pretender(threading.Thread):
    """A worker that ends each trial at once; ``silent_at``: the trial it falls silent at."""

    def __init__(self, address, name, silent_at=None):
        super().__init__(daemon=True)
        self.address, self.worker, self.silent_at = address, name, silent_at
        self.done, self.refused, self.wake = [], [], threading.Event()

    def run(self):
        from redshift_core.learning.tuning.search import NotMine
        from redshift_core.learning.tuning.worker import Client

        client = Client(self.address, self.worker)
        client.greet()
        while (trial := client.create_trial(self.worker)).status != "STOPPED":
            if trial.status == "IDLE":
                time.sleep(0.02)
                continue
            if len(self.done) == self.silent_at:
                client.gone = True  # ends the heartbeat
                self.wake.wait(60)
                client.gone = False
            try:
                time.sleep(0.05)
                client.update_trial(trial.trial_id, {"val_mae": 0.1, "epochs": 1, "seconds": 1.0})
                trial.status = "COMPLETED"
                client.end_trial(trial)
                self.done.append(trial.trial_id)
            except NotMine:
                self.refused.append(trial.trial_id)


@pytest.fixture
def chief(store, monkeypatch):
    """A chief in a thread of this process, which takes two seconds of silence for death."""
    from redshift_core.learning.tuning import chief as module
    from redshift_core.learning.tuning import worker

    monkeypatch.setattr(module, "SILENCE", 2.0)
    monkeypatch.setattr(worker, "SILENCE", 2.0)
    monkeypatch.setattr(worker, "BEAT", 0.2)
    tuning = search(store, algorithm="random", trials=8)
    oracle = opened(tuning)
    chief = module.Chief(JobContext(tuning, store), tuning.config, oracle, oracle.trial_log)
    chief.where = f"127.0.0.1:{free_port()}"
    chief.thread = threading.Thread(target=chief.run, args=(chief.where,), daemon=True)
    chief.thread.start()
    return chief


def free_port() -> int:
    import socket

    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_two_workers_do_every_trial_once_and_the_chief_ends(chief):
    workers = [Pretender(chief.where, name) for name in "ab"]
    for one in workers:
        one.start()
    chief.thread.join(30)
    assert not chief.thread.is_alive()
    assert sorted(workers[0].done + workers[1].done) == [str(n) for n in range(8)]
    assert [one.state for one in chief.tuning.trials] == ["finished"] * 8
    assert {one.worker for one in chief.tuning.trials} == {"a", "b"}
    for one in workers:
        one.join(30)
        assert not one.is_alive()


def test_the_trial_of_a_silent_worker_goes_to_another_and_its_late_result_is_refused(chief):
    silent, other = Pretender(chief.where, "a", silent_at=1), Pretender(chief.where, "b")
    silent.start()
    deadline = time.monotonic() + 20
    while len(silent.done) < 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    other.start()
    while len(other.done) < 7 and time.monotonic() < deadline:
        time.sleep(0.02)
    silent.wake.set()
    chief.thread.join(30)
    assert not chief.thread.is_alive()
    assert sorted(silent.done + other.done) == [str(n) for n in range(8)]
    assert silent.done == ["0"]
    entries = {one.trial: one for one in chief.tuning.trials}
    assert [entries[str(n)].state for n in range(8)] == ["finished"] * 8
    again = [name for name, one in entries.items() if one.retries]
    assert again == silent.refused or silent.refused == []  # the chief may have ended before
    assert len(again) == 1


def test_a_stopped_chief_waits_only_for_workers_that_are_still_at_it(chief):
    from redshift_core.learning.tuning.worker import Client

    client = Client(chief.where, "a")
    assert client.create_trial("a").trial_id == "0"
    chief.tuning.stop_path.touch()
    time.sleep(0.5)
    assert chief.thread.is_alive()
    client.leave()
    client.gone = True
    chief.thread.join(30)
    assert not chief.thread.is_alive()


def test_a_worker_whose_chief_is_gone_ends_with_a_sentence(monkeypatch):
    from redshift_core.learning.tuning import worker

    monkeypatch.setattr(worker, "SILENCE", 1.0)
    monkeypatch.setattr(worker, "BEAT", 0.2)
    monkeypatch.setattr(worker, "GREETING", 0.5)
    client = worker.Client(f"127.0.0.1:{free_port()}", "a")
    with pytest.raises(InputError, match=r"No chief answered at 127\.0\.0\.1"):
        client.greet()
    with pytest.raises(worker.ChiefGoneError, match="is gone: it ended, or the network failed"):
        client.create_trial("a")


def test_a_chief_that_cannot_listen_says_so(store):
    from redshift_core.learning.tuning.chief import Chief

    tuning = search(store, algorithm="random")
    oracle = opened(tuning)
    chief = Chief(JobContext(tuning, store), tuning.config, oracle, oracle.trial_log)
    with pytest.raises(InputError, match=r"cannot listen at nowhere\.invalid:5500: give HOST:PORT"):
        chief.run("nowhere.invalid:5500")


# Real training, many small searches in one process.


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
    from redshift_core.learning.training.prepare import new_split

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


# Real processes.


def wait_for(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail("waited in vain")


def in_state(tuning, state):
    return [one for one in tuning.trials if one.state == state]


def test_a_killed_search_goes_on_and_repeats_only_what_was_under_way(store, dataset):
    config = TuningConfig(
        dataset=dataset.id, base=BASE, space=TINY, algorithm="random", trials=3, epochs=40
    )
    tuning = jobs.start_tuning(store, config)
    running = wait_for(lambda: in_state(tuning, "finished") and in_state(tuning, "running"))
    os.kill(jobs.status(tuning).pid, signal.SIGKILL)
    wait_for(lambda: jobs.status(tuning).state == "lost")
    before = {one.trial: one for one in tuning.trials}
    jobs.resume_tuning(tuning)
    assert jobs.wait(tuning, timeout=90).state == "finished", jobs.log_tail(tuning)
    assert running
    after = {one.trial: one for one in tuning.trials}
    assert sorted(after) == ["0", "1", "2"]
    assert all(one.state == "finished" for one in after.values())
    for name, entry in before.items():
        again = entry.state != "finished"
        assert (after[name].started != entry.started) == again
    assert sum(one.retries for one in after.values()) <= 1


def test_a_killed_worker_is_not_waited_for(store, dataset):
    config = TuningConfig(
        dataset=dataset.id, base=BASE, space=TINY, algorithm="random", trials=6, epochs=30,
        workers=2,
    )  # fmt: skip
    tuning = jobs.start_tuning(store, config)
    wait_for(lambda: {one.worker for one in in_state(tuning, "running")} == {"0", "1"})
    lost = next(one.trial for one in in_state(tuning, "running") if one.worker == "1")
    os.kill(worker_pid(jobs.status(tuning).pid, "1"), signal.SIGKILL)
    assert jobs.wait(tuning, timeout=120).state == "finished", jobs.log_tail(tuning, 60)
    entries = {one.trial: one for one in tuning.trials}
    assert [entries[str(n)].state for n in range(6)] == ["finished"] * 6
    assert tuning.result["trials"] == 6
    again = [name for name, one in entries.items() if one.retries]
    assert len(again) <= 1
    assert again in ([lost], []) or entries[lost].state == "finished"
    assert f"Worker 1 ended; its trial {again[0] if again else ''}" in jobs.log_tail(tuning, 60)


def worker_pid(chief: int, name: str) -> int:
    import psutil

    for child in psutil.Process(chief).children():
        if child.cmdline()[-2:] == ["--name", name]:
            return child.pid
    pytest.fail(f"no worker {name}")


def test_a_chief_and_two_workers_of_a_cluster_do_eight_trials(store, dataset):
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "redshift_core.cli", "tune", dataset.id]
    space = store.root / "space.json"
    write_json(space, [one.to_dict() for one in SMALL[3:]])
    chosen = ["--trials", 8, "--epochs", 1, "--algorithm", "random", "--space", space, "--json"]
    chosen += ["--set", "threads=1", "--set", "batch_size=64"]
    chief = _spawn(*command, *chosen, "--role", "chief", "--chief", address)
    workers = [_spawn(*command, "--role", "worker", "--chief", address) for _ in range(2)]
    out, err = chief.communicate(timeout=120)
    assert chief.returncode == 0, err
    told = json.loads(out)
    tuning = store.tuning(told["tuning"])
    assert (told["trials"], told["state"]) == (8, "finished")
    assert told["val_mae"] == min(one.val_mae for one in tuning.trials)
    assert [one.state for one in tuning.trials] == ["finished"] * 8
    assert len({one.trial for one in tuning.trials}) == 8
    assert all(one.retries == 0 for one in tuning.trials)
    for one in workers:
        out, err = one.communicate(timeout=60)
        assert one.returncode == 0, err
        assert "no trial is left" in out


def _spawn(*command):
    return subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT,
    )  # fmt: skip


def test_a_search_is_stopped_within_a_trial_with_workers_too(store, dataset):
    config = TuningConfig(dataset=dataset.id, base=BASE, algorithm="random", workers=2, **LONG)
    tuning = jobs.start_tuning(store, config)
    wait_for(lambda: len(in_state(tuning, "running")) == 2)
    wait_for(lambda: any(one.epochs for one in tuning.trials))
    jobs.stop(tuning)
    assert jobs.wait(tuning, timeout=60).state == "stopped", jobs.log_tail(tuning, 60)
    assert [one.state for one in tuning.trials] == ["stopped"] * 2
