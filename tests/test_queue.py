"""Submitting and queueing, with real processes: one worker a job, served as they came."""

import os
import signal
import subprocess
import sys
import threading
import time

import filelock
import psutil
import pytest

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.jobs import launch, machine, queue
from redshift_core.jobs.machine import n_cores
from redshift_core.store import JobContext, JobFolder, Stopped, read_json, write_json
from tests.pages.made_up import make_run
from tests.test_share import DATASET

SUBMIT = """
import sys, threading, time
from pathlib import Path
from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.store import JobFolder

folder, moment, n = JobFolder(Path(sys.argv[1])), float(sys.argv[2]), int(sys.argv[3])
won = []

def submit():
    time.sleep(max(0.0, moment - time.time()))
    try:
        won.append(jobs.submit(folder, {"kind": "evaluate"}))
    except InputError:
        pass

threads = [threading.Thread(target=submit) for _ in range(n)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(won))
"""


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def n_workers(job):
    """Processes of this machine that execute a job."""
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return sum("redshift_core.jobs.worker" in line and str(job.path) in line for line in commands)


@pytest.fixture
def slots(store):
    """Locks of the short slots, held by this process; what waits for them is stopped at the end."""
    locks = [filelock.FileLock(store.locks / f"short-{slot}.lock") for slot in (0, 1)]
    for lock in locks:
        lock.acquire()
    yield locks
    waiting = [job for job in store.jobs() if jobs.status(job).active]
    for job in waiting:
        jobs.stop(job)
    for job in waiting:
        jobs.wait(job, timeout=30)


@pytest.mark.parametrize(("processes", "threads"), [(0, 24), (3, 8)])
def test_of_many_submits_at_one_moment_exactly_one_starts_a_worker(
    store, slots, tmp_path, processes, threads
):
    job = store.new_job("evaluate")
    script = tmp_path / "submit.py"
    script.write_text(SUBMIT)
    if processes:
        command = [sys.executable, str(script), str(job.path), str(time.time() + 3), str(threads)]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(processes)]
        won = sum(int(one.communicate(timeout=60)[0]) for one in started)
    else:
        barrier, results = threading.Barrier(threads), []

        def submit():
            barrier.wait()
            try:
                results.append(jobs.submit(job, {"kind": "evaluate"}))
            except InputError as error:
                assert "is already" in str(error)  # noqa: PT017

        everyone = [threading.Thread(target=submit) for _ in range(threads)]
        for thread in everyone:
            thread.start()
        for thread in everyone:
            thread.join()
        won = len(results)
    wait_for(lambda: jobs.status(job).state == "queued")
    assert (won, n_workers(job)) == (1, 1)


def test_the_settings_are_those_of_the_submit_that_won(store, slots):
    job = store.new_job("evaluate")
    jobs.submit(job, {"kind": "evaluate"}, {"value": 1})
    with pytest.raises(InputError, match="is already"):
        jobs.submit(job, {"kind": "evaluate"}, {"value": 2})
    assert read_json(job.path / "config.json") == {"value": 1}


def test_jobs_are_served_in_the_order_of_their_submission_and_know_their_place(store, slots):
    begun = [jobs.start(store, "no such kind") for _ in range(8)]
    messages = ["another job"] * 3 + [f"{n} other jobs" for n in range(2, 7)]
    wanted = [f"Waiting for {which} to end." for which in messages]
    wait_for(lambda: [jobs.status(job).message for job in begun] == wanted)
    os.kill(jobs.status(begun.pop(3)).pid, signal.SIGKILL)  # its place falls away
    wait_for(lambda: jobs.status(begun[-1]).message == "Waiting for 5 other jobs to end.")
    slots[0].release()
    for job in begun:
        assert jobs.wait(job, timeout=60).state == "failed"  # there is no such kind
    assert sorted(begun, key=lambda job: jobs.status(job).heartbeat) == begun


def in_line(store, name, state="queued", kind="train", submitted=100.0):
    """A job of this very process, as a worker would note it."""
    job = JobFolder(store.root / "jobs" / name)
    job.path.mkdir(parents=True)
    process = psutil.Process()
    alive = {"pid": process.pid, "pid_started": process.create_time()}
    context = JobContext(job, store)
    context.request = {"kind": kind}
    write_json(job.request_path, context.request)
    context.set_state(state, kind=kind, submitted=submitted, **alive)
    return context


def served(context, seconds=0.2):
    """Whether a job gets its slot within some time; it gives it back."""
    done = threading.Event()

    def wait():
        try:
            with queue.slot(context):
                done.set()
        except Stopped:
            pass

    waiting = threading.Thread(target=wait)
    waiting.start()
    done.wait(seconds)
    context.folder.stop_path.touch()
    waiting.join()
    return done.is_set()


@pytest.mark.parametrize(
    ("other", "goes_on"),
    [
        ({"submitted": 99.0}, False),
        ({"submitted": 99.0, "state": "starting"}, False),
        ({"submitted": 99.0, "state": "running"}, True),  # only the lock can tell
        ({"submitted": 99.0, "state": "finished"}, True),
        ({"submitted": 101.0}, True),
        ({"submitted": 100.0, "name": "a"}, False),  # the same instant: the id decides
        ({"submitted": 100.0, "name": "z"}, True),
        ({"submitted": 99.0, "kind": "evaluate"}, True),  # waits for another slot
        ({"submitted": 99.0, "kind": "bench"}, True),  # takes none
    ],
)
def test_a_job_waits_for_those_before_it(store, other, goes_on):
    in_line(store, **{"name": "other", **other})
    assert served(in_line(store, "mine"), seconds=5.0 if goes_on else 0.2) is goes_on


def test_a_short_job_has_one_thread_from_its_first_moment(store, slots, monkeypatch):
    for name in launch.ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    found = {}
    for kind in ("report", "ingest"):
        job = jobs.start(store, kind, file="absent")
        wait_for(lambda job=job: jobs.status(job).state == "queued")
        process = psutil.Process(jobs.status(job).pid)
        found[kind] = process.environ(), process.num_threads()
    environment, n_threads = found["report"]
    assert [environment[name] for name in launch.ONE_THREAD] == ["1", "1", "1"]
    assert environment["CUDA_VISIBLE_DEVICES"] == "-1"
    assert n_threads == 1  # NumPy is loaded, and OpenBLAS has no thread of its own
    environment, n_threads = found["ingest"]
    assert not set(launch.ONE_THREAD) & set(environment)
    assert n_threads == n_cores()


@pytest.mark.parametrize(
    ("cores", "asked", "busy", "threads"),
    [(4, "", False, 4), (4, "", True, 3), (1, "", True, 1), (4, "2", True, 2), (4, "6", True, 3)],
)
def test_applying_a_network_takes_the_cores_and_leaves_one_to_a_training(
    store, monkeypatch, cores, asked, busy, threads
):
    for module in (launch, machine):
        monkeypatch.setattr(module, "n_cores", lambda: cores)
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    run = make_run(store, DATASET)
    if busy:
        me = psutil.Process()
        JobContext(run, store).set_state(
            "running", kind="train", pid=me.pid, pid_started=me.create_time()
        )
    for kind in ("predict", "evaluate", "stress"):
        environment = launch.environment(kind, store.root)
        found = [environment[name] for name in launch.ONE_THREAD]
        assert found == [str(threads), "1", str(threads)]


@pytest.mark.parametrize(("kind", "threads"), [("report", 1), ("train", 0)])
def test_libraries_see_the_limit(kind, threads, store, monkeypatch):
    for name in launch.ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
    code = "import numpy, threadpoolctl; print(threadpoolctl.threadpool_info()[0]['num_threads'])"
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=launch.environment(kind, store.root),
        capture_output=True,
        check=True,
    ).stdout
    assert int(said) == (threads or n_cores())
