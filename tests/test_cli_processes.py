"""The command with its workers: a whole journey, interruptions, bad files and the dashboard."""

import gzip
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import filelock
import numpy as np
import pandas as pd
import psutil
import pytest

from redshift_core import jobs
from redshift_core.store import Store
from tests.commands import COMMAND, ROOT, command


def _bad_files(folder):
    random = np.random.default_rng(0)
    header = ",".join(["z", *(f"flux_{k}" for k in range(186))])
    row = ",".join(["0.1", *(f"{v:.3f}" for v in random.uniform(1, 2, 186))])
    good = "\n".join([header, *[row] * 200]) + "\n"
    files = {
        "prose.csv": b"It was a dark and stormy night; the rain fell,\nexcept at times.\n",
        "image.png": b"\x89PNG\r\n\x1a\n" + random.bytes(3000),
        "short.csv": "\n".join(line.rsplit(",", 1)[0] for line in good.splitlines()).encode(),
        "empty.csv": b"",
        "header.csv": header.encode() + b"\n",
        "letters.csv": f"{header}\n{','.join(['abc'] * 187)}\n".encode() * 5,
        "useless.csv": f"{header}\n{','.join(['nan'] * 187)}\n".encode(),
        "binary.csv": random.bytes(5000),
        "broken.parquet": b"PAR1" + random.bytes(500) + b"PAR1",
        "cut.csv.gz": gzip.compress(good.encode())[:600],
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def test_files_that_are_not_spectra_get_one_sentence_and_leave_nothing(store, tmp_path, here):
    files = _bad_files(tmp_path)
    for file in files:
        code, out, err = here("ingest", file, "--json")  # each with a worker process of its own
        assert (code, out) == (2, ""), (file.name, err)
        assert file.name in err.splitlines()[-1]
        assert not re.search(r"Traceback|Error:|\bat 0x", err), err
    left = {path.parent.name for path in store.root.rglob("*") if path.is_file()}
    assert left <= {"locks", *(job.id for job in store.jobs())}
    assert len(store.jobs()) == len(files)
    assert {jobs.status(job).state for job in store.jobs()} == {"failed"}


@pytest.fixture
def busy(store):
    """Both slots of short jobs taken, so that the next one waits."""
    locks = [filelock.FileLock(store.locks / f"short-{k}.lock") for k in range(2)]
    for lock in locks:
        lock.acquire()
    yield
    for lock in locks:
        lock.release()


def _started(store, *arguments):
    """Command in the background, once its job waits in the queue."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # A shell that runs the tests in the background has SIGINT ignored, and children inherit it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        _until(lambda: store.jobs() and jobs.status(store.jobs()[0]).state == "queued")
    except AssertionError:
        process.kill()  # and say what became of it
        seen = [jobs.status(job) for job in store.jobs()]
        raise AssertionError((process.communicate(), seen, store.damaged())) from None
    return process, store.jobs()[0]


def _until(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def test_ctrl_c_stops_the_job_and_the_command_ends_well(store, busy, survey_file):
    process, job = _started(store, "ingest", survey_file, "--json")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert json.loads(out) == {"job": job.id, "state": "stopped"}
    assert "press Ctrl-C again" in err
    assert store.datasets() == []


def test_a_second_ctrl_c_leaves_the_job_to_itself(store, busy, survey_file):
    process, job = _started(store, "ingest", survey_file, "--json")
    worker = psutil.Process(jobs.status(job).pid)
    worker.suspend()  # a worker that cannot answer yet
    try:
        process.send_signal(signal.SIGINT)
        _until(job.stop_path.exists)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        worker.resume()  # also where the test fails: no process is left suspended
    assert process.returncode == 0, err
    assert json.loads(out)["state"] == "stopping"
    assert "goes on without this command" in err
    assert jobs.wait(job, timeout=30).state == "stopped"


def test_a_worker_that_dies_fails_the_command(store, busy, survey_file):
    process, job = _started(store, "ingest", survey_file, "--json")
    psutil.Process(jobs.status(job).pid).kill()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert f"{job.id} was lost" in err


@pytest.fixture(scope="module")
def journey(tmp_path_factory, survey_file):
    """Answers of the commands of one journey, in a store of its own."""
    home = tmp_path_factory.mktemp("journey")
    answers = {}

    def step(name, *arguments):
        done = command(*arguments, "--json")
        answers[name] = (done, json.loads(done.stdout) if done.stdout else None)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        return answers[name][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDSHIFT_LAB_HOME", str(home))
        step("ingest", "ingest", survey_file, "--name", "small")
        step("again", "ingest", survey_file)
        started = step(
            "train", "train", "small", "--preset", "fast", "--epochs", "20000", "--seed", "3",
            "--set", "dense_units=8", "--set", "batch_size=64", "--name", "first", "--detach",
        )  # fmt: skip
        run = Store(home).run("first")
        _until(lambda: run.model_path.exists() or not jobs.status(run).active, 120)
        step("stop", "stop", started["run"])
        done = len(pd.read_csv(run.history_path))
        answers["epochs"] = done + 2
        step("resume", "resume", "first", "--epochs", done + 2)
        step("evaluate", "evaluate", "first")
        step("predict", "predict", "latest", survey_file, "--out", home / "z.csv")
        step("runs", "runs")
    return Store(home), answers


def test_ingest_answers_with_the_dataset_and_its_counts(journey):
    store, answers = journey
    first, again = answers["ingest"][1], answers["again"][1]
    assert store.datasets()[0].id == first["dataset"] == again["dataset"]
    assert first["rows"] == 600
    assert isinstance(first["flagged"], dict)
    assert (first["existing"], again["existing"]) == (False, True)


def test_a_detached_training_returns_while_it_works(journey):
    store, answers = journey
    _, value = answers["train"]
    assert value["run"] == store.runs()[0].id
    assert value["state"] in ("starting", "queued", "running")
    assert value["val_mae"] is None
    assert store.runs()[0].config.seed == 3
    assert store.runs()[0].config.model.dense_units == (8,)


def test_stop_answers_when_the_run_has_stopped(journey):
    assert journey[1]["stop"][1]["state"] == "stopped"


def test_resume_follows_the_run_to_its_end(journey):
    store, answers = journey
    done, value = answers["resume"]
    assert value["state"] == "finished"
    assert 0 < value["val_mae"] < 10
    assert re.search(r"epoch \d+/\d+", done.stderr)
    assert len(pd.read_csv(store.runs()[0].history_path)) == answers["epochs"]


def test_evaluate_answers_with_the_content_of_metrics_json(journey):
    store, answers = journey
    run, value = store.runs()[0], answers["evaluate"][1]
    assert value == json.loads(run.metrics_path(run.config.dataset).read_text())
    assert set(value) >= {
        "mae", "rmse", "bias_median", "bias_mean", "sigma_nmad", "outlier_fraction_0.05",
        "outlier_fraction_0.15", "n", "bins",
    }  # fmt: skip
    assert value["n"] == 60


def test_predict_answers_with_rows_flags_and_the_file(journey):
    store, answers = journey
    value = answers["predict"][1]
    assert set(value) == {"rows", "flagged", "source_ids", "verdict", "out"}
    assert value["verdict"]["n"] == 600
    assert (value["rows"], value["out"]) == (600, str(store.root / "z.csv"))
    text = pd.read_csv(value["out"])
    assert list(text.columns) == ["row", "source_id", "z_phot", "flags"]
    assert len(text) == 600


def test_the_list_of_runs_shows_the_figures_of_the_finished_run(journey):
    _, answers = journey
    (line,) = answers["runs"][1]
    assert (line["name"], line["state"]) == ("first", "finished")
    assert line["val_mae"] == pytest.approx(answers["resume"][1]["val_mae"])
    assert line["test_mae"] == pytest.approx(answers["evaluate"][1]["mae"])


def test_every_figure_is_printed_for_people_too(journey, monkeypatch, here):
    store, answers = journey
    from redshift_core.cli.results import metrics_text
    from redshift_core.store.records import Evaluation

    text = metrics_text(Evaluation.from_dict(answers["evaluate"][1], Path()))
    assert "(SIMULATED), test rows" in text
    assert "0.10–0.15" in text
    assert "-0.2100" in text  # published, last bin
    monkeypatch.setenv("REDSHIFT_LAB_HOME", str(store.root))
    assert "first" in here("runs")[1]


def test_the_app_command_opens_the_dashboard(tmp_path):
    """The real server, on a free port, then ended."""
    import socket
    import urllib.request

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "REDSHIFT_LAB_HOME": str(tmp_path), "STREAMLIT_SERVER_HEADLESS": "true"}
    server = subprocess.Popen(
        [*COMMAND, "app", "--port", str(port)],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def healthy():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health") as answer:
                return answer.read() == b"ok"
        except OSError:
            return False

    try:
        _until(healthy, 60)
        again = subprocess.run(
            [*COMMAND, "app", "--port", str(port)], env=env, capture_output=True, text=True
        )
        assert again.returncode == 2
        assert again.stderr.startswith(f"Port {port} of 127.0.0.1 is taken")
        assert f"--port {port + 1}" in again.stderr
    finally:
        server.terminate()
        server.wait(timeout=20)
