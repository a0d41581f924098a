"""Searches with several workers, killed and stopped processes: nothing lost, nothing twice."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.jobs.dask_client import open_client
from redshift_core.settings.search import TuningConfig
from redshift_core.settings.space import Parameter
from redshift_core.store import CHECKOUT, JobContext, write_json
from tests.made_up_training import draws_alone, made_up
from tests.searches import BASE, LONG, SMALL, TINY, opened, search


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Two workers without TensorFlow, which every made-up search of this file uses."""
    pytest.importorskip("distributed")
    with open_client(2, None, tmp_path_factory.mktemp("dask")) as client:
        yield client


def made_up_search(store, note="", **values):
    usual = {"algorithm": "random", "trials": 8, "epochs": 2}
    tuning = search(store, **{**usual, **values})
    write_json(tuning.request_path, {"kind": "tune"})
    tuning.update_info(note=note)
    return tuning


def led(tuning, store, client):
    """Whether the user stopped the search, and the search."""
    from redshift_core.learning.tuning.cluster import lead

    fleet = opened(tuning)
    return lead(JobContext(tuning, store), fleet, client, 1, made_up), fleet


def begun(tuning, name) -> int:
    """How often a made-up trial began."""
    return len(list(tuning.path.glob(f"begun-{name}-*")))


def test_two_workers_do_every_trial_once(store, client):
    tuning = made_up_search(store)
    assert led(tuning, store, client)[0] is False
    assert [one.trial for one in tuning.trials] == [str(n) for n in range(8)]
    assert [one.score for one in tuning.trials] == [1.0 + n for n in range(8)]
    assert {one.state for one in tuning.trials} == {"finished"}
    assert len({one.worker for one in tuning.trials}) == 2
    assert [begun(tuning, n) for n in range(8)] == [1] * 8
    assert os.listdir(tuning.trial("0").path) == ["config.json"]


def test_dask_does_not_draw_from_the_numbers_that_a_network_begins_with(client):
    assert client.submit(draws_alone, 1.5, pure=False).result(timeout=60)


def test_the_trial_of_a_killed_worker_is_done_by_another(store, client):
    tuning = made_up_search(store, "die 2 once")
    led(tuning, store, client)
    assert [one.state for one in tuning.trials] == ["finished"] * 8
    assert [one.score for one in tuning.trials] == [1.0 + n for n in range(8)]
    assert begun(tuning, 2) == 2
    assert tuning.trials[2].retries == 1


@pytest.mark.soak
def test_a_trial_that_kills_its_worker_each_time_fails_and_the_others_go_on(store, client):
    tuning = made_up_search(store, "die 2 always")
    led(tuning, store, client)
    states = [one.state for one in tuning.trials]
    assert states == ["finished"] * 2 + ["failed"] + ["finished"] * 5
    assert "Its process died 3 times" in tuning.trials[2].message
    assert [begun(tuning, n) for n in range(8)] == [1, 1, 3, 1, 1, 1, 1, 1]


def test_a_trial_that_fails_says_why(store, client):
    tuning = made_up_search(store, "refuse 2", trials=3)
    led(tuning, store, client)
    assert (tuning.trials[2].state, tuning.trials[2].message) == ("failed", "The loss became NaN.")
    assert begun(tuning, 2) == 1


def test_a_stopped_search_waits_for_its_trials_and_is_resumed(store, client):
    tuning = made_up_search(store, trials=3, epochs=10_000)
    fleet = opened(tuning)
    context = JobContext(tuning, store)
    from redshift_core.learning.tuning.cluster import lead

    def stops() -> bool:
        """Whether both have begun, at which the user stops the search."""
        if all(entry["worker"] for entry in fleet.log.entries.values()) and fleet.log.entries:
            tuning.stop_path.touch()
        return tuning.stop_path.exists()

    context.should_stop = stops
    assert lead(context, fleet, client, 1, made_up)
    assert {one.state for one in tuning.trials} == {"running"}
    assert all(one.worker for one in tuning.trials)
    fleet.log.stop()
    tuning.stop_path.unlink()
    write_json(tuning.config_path, {**tuning.config.to_dict(), "epochs": 2})
    assert led(tuning, store, client)[0] is False
    assert [one.state for one in tuning.trials] == ["finished"] * 3
    assert {one.retries for one in tuning.trials} == {0}


def test_an_attempt_that_was_begun_again_elsewhere_ends_before_it_writes(store):
    from redshift_core.learning.tuning.attempt import Attempt, TakenError, look

    tuning = made_up_search(store)
    folder = tuning.trial("0")
    folder.path.mkdir(parents=True)
    silent = Attempt(folder, tuning.stop_path)
    silent.tell({"epochs_done": 1})
    folder.history_path.write_text("epoch\n1\n")
    other = Attempt(folder, tuning.stop_path)
    assert not folder.history_path.exists()
    assert look(folder)[1] == {}
    other.tell({"epochs_done": 2})
    with pytest.raises(TakenError, match="begun this trial again"):
        silent.tell({"epochs_done": 3})
    with pytest.raises(TakenError):
        silent.should_stop()
    assert not other.should_stop()
    assert look(folder)[1]["epochs_done"] == 2


def test_a_search_that_begins_a_trial_ends_what_is_still_at_it(store):
    from redshift_core.learning.tuning.attempt import Attempt, TakenError

    tuning = made_up_search(store)
    name, _ = opened(tuning).begin()
    left_over = Attempt(tuning.trial(name), tuning.stop_path)
    assert opened(tuning).begin()[0] == name
    with pytest.raises(TakenError):
        left_over.check()


def test_a_worker_that_does_not_see_the_store_says_so(tmp_path):
    from redshift_core.learning.tuning.attempt import train_one

    answer = train_one(str(tmp_path / "elsewhere"), "0", 1, 1)
    assert "does not see" in answer["failed"]
    assert "under the same path" in answer["failed"]


# Real processes.


def wait_for(condition, seconds=240):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    return pytest.fail("waited in vain")


def in_state(tuning, state):
    return [one for one in tuning.trials if one.state == state]


def figures(tuning):
    return [(one.trial, one.values, one.score, one.val_mae, one.epochs) for one in tuning.trials]


@pytest.mark.soak
def test_two_workers_one_killed_the_search_killed_and_resumed_give_the_figures_of_one(
    store, dataset
):
    rate = Parameter("learning_rate", "float", low=1e-4, high=1e-2, log=True)
    usual = {"dataset": dataset.id, "base": BASE, "space": (*TINY, rate), "algorithm": "random"}
    config = TuningConfig(**usual, trials=8, epochs=5, workers=2)
    tuning = jobs.start_tuning(store, config)
    wait_for(lambda: len({one.worker for one in in_state(tuning, "running")} - {""}) == 2)
    lost = in_state(tuning, "running")[1]  # which loads TensorFlow
    os.kill(int(lost.worker.rpartition(":")[2]), signal.SIGKILL)
    wait_for(lambda: in_state(tuning, "finished"))
    main = psutil.Process(jobs.status(tuning).pid)
    workers = main.children(recursive=True)
    main.kill()
    wait_for(lambda: jobs.status(tuning).state == "lost")
    assert psutil.wait_procs(workers, timeout=30)[1] == []  # they end with the search
    before = {one.trial: one for one in in_state(tuning, "finished")}
    jobs.resume_tuning(tuning)
    assert jobs.wait(tuning, timeout=280).state == "finished", jobs.log_tail(tuning, 60)
    after = {one.trial: one for one in tuning.trials}
    assert sorted(after) == [str(n) for n in range(8)]
    assert all(one.state == "finished" for one in after.values())
    assert {name: after[name] for name in before} == before
    assert after[lost.trial].retries >= 1
    assert sum(one.retries for one in after.values()) <= 3  # of the worker, and of the search

    alone = jobs.start_tuning(store, TuningConfig(**usual, trials=3, epochs=5))
    assert jobs.wait(alone, timeout=240).state == "finished", jobs.log_tail(alone, 60)
    assert figures(alone) == figures(tuning)[:3]


@pytest.mark.study  # takes a minute: a scheduler and two workers of the user's, each with its own
def test_a_scheduler_of_the_users_does_eight_trials(store, dataset):
    with contextlib.ExitStack() as stack:
        address = f"tcp://127.0.0.1:{free_port()}"
        run = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
        spawned(stack, *run, "--port", address.rpartition(":")[2], "--no-dashboard")
        for _ in range(2):
            run = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1"]
            spawned(stack, *run, "--no-dashboard", "--local-directory", str(store.root / "dask"))
        space = store.root / "space.json"
        write_json(space, [one.to_dict() for one in SMALL[3:]])
        command = [sys.executable, "-m", "redshift_core.cli", "tune", dataset.id, "--json"]
        command += ["--trials", "8", "--epochs", "2", "--algorithm", "random", "--space", space]
        command += ["--set", "threads=1", "--set", "batch_size=64", "--scheduler", address]
        done = subprocess.run(
            [str(one) for one in command], cwd=CHECKOUT, capture_output=True, text=True, timeout=240
        )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    tuning = store.tuning(told["tuning"])
    assert (told["trials"], told["state"]) == (8, "finished")
    assert [one.state for one in tuning.trials] == ["finished"] * 8
    assert len({one.worker for one in tuning.trials}) == 2
    assert jobs.status(tuning).kind == "coordinate"  # takes no turn on this machine's device


def free_port() -> int:
    import socket

    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def spawned(stack, *command):
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    process = stack.enter_context(subprocess.Popen(command, env=environment, cwd=CHECKOUT))
    stack.callback(process.terminate)


def test_a_search_whose_scheduler_is_not_there_fails_with_a_sentence(store, dataset, monkeypatch):
    tuning = search(store, dataset.id, algorithm="random", trials=2)
    write_json(tuning.request_path, {"kind": "coordinate", "scheduler": "nonsense://x"})
    from redshift_core.learning.tuning.job import tune_job

    with pytest.raises(InputError, match="No Dask scheduler answered at 'nonsense://x'"):
        tune_job(JobContext(tuning, store))


@pytest.mark.study  # takes half a minute; the same without workers is in test_tuning_trials
def test_a_search_is_stopped_within_a_trial_with_workers_too(store, dataset):
    config = TuningConfig(dataset=dataset.id, base=BASE, algorithm="random", workers=2, **LONG)
    tuning = jobs.start_tuning(store, config)
    wait_for(lambda: len(in_state(tuning, "running")) == 2)
    wait_for(lambda: any(one.epochs for one in tuning.trials))
    jobs.stop(tuning)
    assert jobs.wait(tuning, timeout=60).state == "stopped", jobs.log_tail(tuning, 60)
    assert [one.state for one in tuning.trials] == ["stopped"] * 2
