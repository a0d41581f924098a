"""What the store holds, and what goes by itself, on request, and never."""

import json
import os
import time

import filelock
import pytest

from redshift_core import cli, jobs
from redshift_core.cli.short_jobs import age_text
from redshift_core.constants import size_text
from redshift_core.errors import InputError
from redshift_core.jobs import housekeeping, worker
from redshift_core.jobs.housekeeping import LIMIT_NAME, STALE
from redshift_core.store import JobContext, Store, write_json


def made(store: Store, state: str = "finished", n_bytes: int = 1000, age: float = 0.0):
    """A short job with an output of some bytes."""
    job = store.new_job("predict")
    write_json(job.request_path, {"kind": "predict"})
    write_json(job.result_path, {"files": [], "rows": 0, "flagged": {}})
    context = JobContext(job, store)
    own = {"host": os.uname().nodename, "pid": os.getpid(), "pid_started": _started()}
    context.set_state(state, kind="predict", submitted=time.time() - age, **own)
    job.output.mkdir()
    (job.output / "densities.npy").write_bytes(bytes(n_bytes))
    for path in (job.output / "densities.npy", job.output):
        os.utime(path, (time.time() - age, time.time() - age))
    return job


def _started() -> float:
    import psutil

    return psutil.Process().create_time()


def aged(path, seconds: float):
    """The path, as if nobody had touched it for a while."""
    for one in (*path.rglob("*"), path):
        os.utime(one, (time.time() - seconds, time.time() - seconds))
    return path


def test_the_oldest_outputs_go_until_the_rest_is_within_the_limit(store, monkeypatch):
    monkeypatch.setenv(LIMIT_NAME, "2.5 kB")
    middle, oldest, newest = made(store, age=50), made(store, age=99), made(store, age=1)
    other = made(store, "failed", age=60)
    cleaned = housekeeping.keep_within_limit(store)
    assert cleaned.jobs == (oldest.id, other.id)
    assert cleaned.n_bytes == 2000
    assert [job.output.exists() for job in (middle, oldest, newest, other)] == [
        True, False, True, False,
    ]  # fmt: skip
    assert len(store.jobs()) == 4, "request, result and log of a job stay"
    assert sorted(path.name for path in oldest.path.iterdir()) == [
        "request.json",
        "result.json",
        "status.json",
    ]
    assert housekeeping.keep_within_limit(store).jobs == ()


def test_an_active_job_and_the_newest_output_keep_theirs(store, monkeypatch):
    monkeypatch.setenv(LIMIT_NAME, "0 B")
    active, newest = made(store, "running", age=99), made(store, age=9)
    writing = made(store, "running", age=1)
    assert housekeeping.keep_within_limit(store).jobs == ()
    assert housekeeping.clean(store).jobs == (newest.id,)
    assert active.output.exists()
    assert writing.output.exists()


@pytest.mark.parametrize(
    ("text", "limit"),
    [("", 5e9), ("500MB", 5e8), (" 1.5 gb ", 1.5e9), ("2 TB", 2e12), ("none", float("inf"))],
)
def test_the_limit_is_a_setting_of_the_environment(monkeypatch, text, limit):
    monkeypatch.setenv(LIMIT_NAME, text)
    assert housekeeping.outputs_limit() == limit


@pytest.mark.parametrize("text", ["20", "-1 GB", "much", "5 GiB"])
def test_another_limit_is_refused_with_what_it_must_be(monkeypatch, text):
    monkeypatch.setenv(LIMIT_NAME, text)
    with pytest.raises(InputError, match="it must be a size with its unit, such as 500 MB"):
        housekeeping.outputs_limit()


def test_what_killed_processes_left_goes_after_a_day_and_nothing_else(store, dataset):
    run, job = store.new_run("one"), store.new_job("predict")
    run.metrics_path("survey").parent.mkdir(parents=True)
    write_json(run.metrics_path("survey"), {"mae": 0.1})
    left = [
        dataset.path.parent / ".new-20260101-000000-survey", run.path / ".tmp-1-ab-status.json",
        run.path.parent / ".import-1-2", run.path.parent / ".deleted-x-3",
        run.path / "evaluations" / ".tmp-1-ab-survey", job.path / ".deleted-output-4",
        store.cache / ".tmp-1-ab-table.npz",
    ]  # fmt: skip
    for path in left:
        path.mkdir()
        (path / "flux.npy").write_bytes(bytes(10))
    assert housekeeping.clean(store).leftovers == 0, "they may still be written to"
    for path in left:
        aged(path, 2 * STALE)
    (left[0] / "flux.npy").touch()  # somebody is at work
    own = store.inbox / ".tmp-mine"
    own.touch()
    aged(own, 2 * STALE)
    cleaned = housekeeping.clean(store)
    assert (cleaned.leftovers, cleaned.n_bytes) == (6, 60)
    assert [path.exists() for path in left] == [True] + [False] * 6
    assert own.exists()
    assert [one.id for one in store.datasets()] == [dataset.id]
    assert run.evaluated() == ["survey"]


def test_locks_that_nobody_holds_go_after_a_day(store):
    names = ("runs-old", "jobs-held", "datasets-new", "device")
    for name in names:
        (store.locks / f"{name}.lock").touch()
        aged(store.locks / f"{name}.lock", 2 * STALE * (name != "datasets-new"))
    with filelock.FileLock(store.locks / "jobs-held.lock"):
        assert housekeeping.clean(store).leftovers == 1
    assert sorted(path.stem for path in store.locks.iterdir()) == sorted(names[1:])


def test_an_evaluation_set_aside_by_a_killed_process_is_put_back(store):
    run = store.new_run("one")
    aside = run.path / "evaluations" / ".old-survey"
    aside.mkdir(parents=True)
    (aside / "metrics.json").write_text('{"mae": 0.1}')
    assert housekeeping.clean(store).leftovers == 0
    assert [path.name for path in aside.parent.iterdir()] == ["survey"]


def test_the_holdings_count_each_kind_with_all_its_bytes(store, dataset):
    run = store.new_run("one")
    (run.path / "checkpoint").mkdir()
    (run.path / "checkpoint" / "weights").write_bytes(bytes(500))
    write_json(run.config_path, {})
    made(store, n_bytes=300)
    store.new_job("evaluate")  # made nothing
    (dataset.path.parent / ".new-half").mkdir()
    held = {one.kind: (one.count, one.n_bytes) for one in housekeeping.holdings(store)}
    assert held["runs"] == (1, 500 + run.config_path.stat().st_size)
    assert held["outputs"] == (1, 300)
    wanted = sum(path.stat().st_size for path in dataset.path.rglob("*") if path.is_file())
    assert held["datasets"] == (1, wanted)
    assert held["searches"] == held["studies"] == held["benches"] == (0, 0)
    assert {one.n_bytes for one in housekeeping.holdings(Store(store.root / "none"))} == {0}


def test_a_worker_keeps_house_when_its_job_has_ended(store, tmp_path, monkeypatch):
    monkeypatch.setenv(LIMIT_NAME, "1 kB")
    old, new = made(store, age=50), made(store, age=5)
    job = jobs.start(store, "ingest", file=str(tmp_path / "absent.csv"))
    assert jobs.wait(job, timeout=60).state == "failed"
    end = time.monotonic() + 30
    while old.output.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not old.output.exists()
    assert new.output.exists()


def test_a_wrong_limit_does_not_fail_a_job(store, monkeypatch, capsys):
    monkeypatch.setenv(LIMIT_NAME, "much")
    job = made(store)
    worker.keep_house(str(job.path))
    assert "it must be a size" in capsys.readouterr().out
    assert job.output.exists()


def command(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_command_lists_short_jobs_and_cleans_them(store, capsys):
    assert command(capsys, "jobs").startswith("No short jobs yet")
    old, active = made(store, age=7300, n_bytes=250_000), made(store, "running", age=3)
    text = command(capsys, "jobs")
    assert text.splitlines()[0].split() == ["ID", "KIND", "STATE", "AGE", "OUTPUT"]
    assert f"{old.id}" in text
    assert "2 h" in text
    assert "250 kB" in text
    listed = {line["id"]: line for line in json.loads(command(capsys, "jobs", "--json"))}
    assert {*listed} == {old.id, active.id}
    assert listed[old.id] | {"age": 7300} == {
        "id": old.id, "kind": "predict", "state": "finished", "age": 7300, "bytes": 250_000,
    }  # fmt: skip
    assert 7300 <= listed[old.id]["age"] < 7400
    value = json.loads(command(capsys, "jobs", "--clean", "--json"))
    assert value == {"cleaned": [old.id], "leftovers": 0, "bytes": 250_000}
    assert command(capsys, "jobs", "--clean") == "There was nothing to remove.\n"
    assert active.output.exists()


def test_sizes_and_ages_are_written_in_their_largest_unit():
    assert [size_text(n) for n in (5, 1e3, 2.5e8, 5e9)] == ["5 bytes", "1 kB", "250 MB", "5 GB"]
    assert [age_text(n) for n in (-1, 59, 61, 90_000)] == ["0 s", "59 s", "1 min", "1 d"]
    cleaned = housekeeping.Cleaned(("a", "b"), 1, 2000)
    assert cleaned.text() == "Removed the outputs of 2 jobs and 1 leftover: 2 kB."
