"""Searches with several workers, killed and stopped processes: nothing lost, nothing twice."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.settings.search import TuningConfig
from redshift_core.store import CHECKOUT, JobContext, write_json
from tests.searches import BASE, LONG, SMALL, TINY, opened, search


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


@pytest.mark.study  # takes half a minute; the same without workers is in test_tuning
def test_a_search_is_stopped_within_a_trial_with_workers_too(store, dataset):
    config = TuningConfig(dataset=dataset.id, base=BASE, algorithm="random", workers=2, **LONG)
    tuning = jobs.start_tuning(store, config)
    wait_for(lambda: len(in_state(tuning, "running")) == 2)
    wait_for(lambda: any(one.epochs for one in tuning.trials))
    jobs.stop(tuning)
    assert jobs.wait(tuning, timeout=60).state == "stopped", jobs.log_tail(tuning, 60)
    assert [one.state for one in tuning.trials] == ["stopped"] * 2
