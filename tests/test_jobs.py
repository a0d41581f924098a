"""Jobs with real child processes: finish, fail, stop, crash, queue, resume."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import filelock
import pytest

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.jobs import watch
from redshift_core.settings.presets import preset
from redshift_core.store import JobContext, write_json
from redshift_core.store.files import clear_unpacked, own_passing_folder


def ended(folder, seconds=60):
    status = jobs.wait(folder, timeout=seconds)
    assert not status.active, f"{status} {jobs.log_tail(folder)}"
    return status


def test_a_job_finishes_and_leaves_its_result(store, survey_file):
    job = jobs.start(store, "ingest", file=str(survey_file), name="Small")
    assert ended(job).state == "finished", jobs.log_tail(job)
    assert job.result["rows"] == 600
    assert store.dataset(job.result["dataset"]).name == "Small"


def test_what_a_process_puts_aside_goes_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with own_passing_folder():
        (inside := Path(tempfile.mkdtemp())).joinpath("more").touch()
        assert inside.parent.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    with own_passing_folder():
        left = Path(tempfile.gettempdir())
    left.mkdir()  # as a kill leaves it
    clear_unpacked()
    assert left.exists()  # its process is at work
    gone = left.rename(left.with_name(left.name.replace(str(os.getpid()), str(2**22 + 1))))
    clear_unpacked()
    assert not gone.exists()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with own_passing_folder():
        assert tempfile.tempdir == str(tmp_path / "absent")


def test_what_the_user_can_fix_is_kept_as_one_sentence(store, tmp_path):
    job = jobs.start(store, "ingest", file=str(tmp_path / "absent.csv"))
    status = ended(job)
    assert (status.state, status.user_error) == ("failed", True)
    assert "absent.csv" in status.message
    assert "Traceback" not in status.message
    assert store.datasets() == []


def test_a_bug_is_told_apart_and_its_traceback_logged(store):
    job = jobs.start(store, "evaluate")
    status = ended(job)
    assert (status.state, status.user_error) == ("failed", False)
    assert "KeyError" in status.message
    assert "Traceback" in jobs.log_tail(job)


def queued(store, kind="ingest", **request):
    """A job that waits, because all its slots are taken by this process."""
    locks = [filelock.FileLock(store.locks / f"short-{slot}.lock") for slot in (0, 1)]
    for lock in locks:
        lock.acquire()
    job = jobs.start(store, kind, **request)
    deadline = time.monotonic() + 30
    while jobs.status(job).state == "starting" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert jobs.status(job).state == "queued", jobs.log_tail(job)
    return job, locks


def test_a_queued_job_runs_when_a_slot_is_free(store, survey_file):
    job, locks = queued(store, file=str(survey_file))
    locks[0].release()
    assert ended(job).state == "finished"


def test_a_queued_job_stops_when_asked(store, survey_file):
    job, _locks = queued(store, file=str(survey_file))
    jobs.stop(job)
    assert jobs.status(job).state in ("stopping", "stopped")
    assert ended(job).state == "stopped"
    with pytest.raises(InputError, match="is not running: it is stopped"):
        jobs.stop(job)


def test_a_killed_worker_is_lost(store, survey_file):
    job, _locks = queued(store, file=str(survey_file))
    os.kill(jobs.status(job).pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while jobs.status(job).active and time.monotonic() < deadline:
        time.sleep(0.05)
    assert jobs.status(job).state == "lost"
    assert "ended without a report" in jobs.status(job).message


def test_a_job_outlives_its_launcher(store, survey_file):
    code = (
        "import sys; from redshift_core import jobs, store; "
        "print(jobs.start(store.Store(), 'ingest', file=sys.argv[1]).id)"
    )
    launched = subprocess.run(
        [sys.executable, "-c", code, str(survey_file)], capture_output=True, text=True, check=True
    )
    assert ended(store.job(launched.stdout.strip())).state == "finished"


def test_a_reused_pid_is_not_mistaken_for_the_worker(store):
    job = store.new_job("ingest")
    JobContext(job, store).set_state("running", pid=os.getpid(), pid_started=1.0)
    assert jobs.status(job).state == "lost"


def test_a_job_that_never_got_a_process_is_lost_after_a_while(store):
    job = store.new_job("ingest")
    JobContext(job, store).set_state("starting", submitted=time.time())
    assert jobs.status(job).state == "starting"
    JobContext(job, store).set_state("starting", submitted=time.time() - 2 * watch.START_LIMIT)
    assert jobs.status(job).state == "lost"


def test_a_running_job_cannot_be_started_again(store):
    job = store.new_job("ingest")
    JobContext(job, store).set_state("starting", submitted=time.time())
    with pytest.raises(InputError, match="is already starting; stop it first"):
        jobs.submit(job, {"kind": "ingest"})


def test_a_finished_run_goes_on_only_for_more_epochs(store):
    run = store.new_run("done")
    write_json(run.config_path, preset("fast", "any").to_dict())
    JobContext(run, store).set_state("finished")
    with pytest.raises(InputError, match="say how many epochs"):
        jobs.resume(run)


def test_progress_is_written_with_a_heartbeat(store):
    job = store.new_job("ingest")
    context = JobContext(job, store)
    context.report(3, 12, "Reading", now=True, rows=7)
    context.report(6, now=True)
    written = json.loads(job.status_path.read_text())
    assert (written["done"], written["total"], written["message"]) == (6, 12, "Reading")
    assert written["detail"] == {"rows": 7}
    assert abs(written["heartbeat"] - time.time()) < 5
    assert jobs.status(job).fraction == 0.5


def test_a_job_of_another_machine_lives_by_its_heartbeat(store):
    job = store.new_job("ingest")
    context = JobContext(job, store)
    context.set_state("running", host="another machine", pid=1, pid_started=1.0)
    assert jobs.status(job).state == "running"
    silent = time.time() - 2 * watch.SILENCE
    write_json(job.status_path, {**json.loads(job.status_path.read_text()), "heartbeat": silent})
    assert jobs.status(job).state == "lost"
