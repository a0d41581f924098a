"""The command line as a user meets it: output, exit codes, sentences, and one whole journey."""

import gzip
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest

from redshift_core import cli, jobs
from redshift_core.cli.output import table
from redshift_core.store import Store, write_json

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "redshift_core.cli"]
COMMANDS = [
    command.name or command.callback.__name__.replace("_", "-")
    for command in cli.app.registered_commands
]


def command(*arguments):
    """Run the command in a process of its own."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, timeout=200
    )


@pytest.fixture
def here(capsys):
    """Run the command in this process: exit code, stdout, stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


def fake_run(store, name, state="finished", dataset="d", **status):
    """Run folder whose worker has ended, or is said to be this very process."""
    from redshift_core.settings.presets import preset

    run = store.new_run(name)
    write_json(run.config_path, preset("fast", dataset).to_dict())
    process = psutil.Process()
    alive = {"pid": process.pid, "pid_started": process.create_time()}
    write_json(run.status_path, {"state": state, "kind": "train", **alive, **status})
    return run


def test_help_takes_less_than_a_second_and_names_every_command():
    """CPU time of the process itself, so a busy machine does not count."""
    code = (
        "import atexit, sys, time; from redshift_core import cli; "
        "atexit.register(lambda: print(time.process_time(), file=sys.stderr)); cli.main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert float(done.stderr) < 1.0  # about 0.4 s
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


def test_neither_tensorflow_nor_streamlit_nor_pandas_is_loaded_by_the_command():
    code = "import sys, redshift_core.cli; print(*sorted(sys.modules))"
    names = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout.split()
    heavy = {"tensorflow", "keras", "streamlit", "pandas", "sklearn", "redshift_core.prediction"}
    assert not heavy & set(names)


def test_every_command_is_in_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"redshift-lab {name}" not in text] == []


def test_the_commands_of_the_specification_exist():
    assert set(COMMANDS) >= {
        "simulate", "ingest", "train", "stop", "resume", "runs", "datasets", "evaluate", "predict",
        "app", "rename", "note", "delete", "reproduce", "report", "export", "import",
        "tune", "trials",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train"], "Missing argument 'DATASET'; see redshift-lab train --help."),
        (["tarin"], "No such command 'tarin'"),
        (["train", "x", "--epochs", "many"], "Invalid value for '--epochs'"),
        (["train", "x"], "No dataset 'x' here."),
        (["evaluate", "x"], "No run 'x' here."),
        (["adapt", "x", "--to", "y"], "No run 'x' here."),
        (["stress", "x"], "No run 'x' here."),
        (["stop", "x"], "No run or search or study or bench 'x'"),
        (["resume", "latest"], "No run 'latest' here."),
        (["ingest", "nowhere.csv"], "There is no file"),
        (["ingest", "/"], "name the folder of the parts itself"),
        (["rename", "x", "y"], "No dataset or run or search or study or bench 'x'"),
        (["simulate", "--n", "0", "--out", "a.csv"], "0 galaxies cannot be simulated"),
        (["simulate", "--n", "5", "--out", "a.fits"], "none of the endings"),
        (["tune"], "Name a dataset, or a search with --resume."),
        (["tune", "x"], "No dataset 'x' here."),
        (["tune", "--resume", "x"], "No tuning 'x' here."),
        (["tune", "x", "--role", "cook"], "choose chief or worker"),
        (["tune", "x", "--role", "worker"], "needs --chief HOST:PORT"),
        (["trials", "x"], "No tuning 'x' here."),
        (["train", "x", "--from-trial", "y"], "No dataset 'x' here."),
        (["app", "--port", "99999"], "Invalid value for '--port'"),
    ],
)
@pytest.mark.usefixtures("store")
def test_what_the_user_can_fix_is_one_sentence_on_stderr_and_exit_2(here, arguments, sentence):
    forms = [arguments] if arguments[0] == "app" else [arguments, [*arguments, "--json"]]
    for form in forms:
        code, out, err = here(*form)
        assert (code, out) == (2, "")
        assert sentence in err
        assert err.count("\n") == 1


def test_the_command_alone_shows_its_help_and_version_its_version(here):
    code, out, err = here()
    assert (code, err) == (0, "")
    assert "Usage" in out
    assert here("--version")[1].strip() == f"redshift-lab {cli.__version__}"


def test_empty_lists_say_what_to_do_and_are_empty_json(here, store):
    assert "redshift-lab train DATASET" in here("runs")[1]
    assert "redshift-lab ingest FILE" in here("datasets")[1]
    assert json.loads(here("runs", "--json")[1]) == []
    assert json.loads(here("datasets", "--json")[1]) == []


def test_a_store_that_cannot_be_written_is_a_sentence_too(here, store, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("REDSHIFT_LAB_HOME", str(file))
    code, _, err = here("simulate", "--n", "5", "--out", tmp_path / "a.csv")
    assert code == 2, err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "better"], "Unknown preset 'better'; choose dissertation or fast or"),
        (["--set", "batch_size"], "is not KEY=VALUE"),
        (["--set", "batch=3"], "Unknown setting 'batch'"),
        (["--set", "batch_size=many"], "batch_size = 'many' is not a whole number."),
        (["--epochs", "0"], "epochs = 0 is too small"),
        (["--set", "conv_kernels=180"], "pixels long, but only"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_there_is_a_run(
    here, store, dataset, arguments, sentence
):
    code, out, err = here("train", dataset.id, *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert store.runs() == []


def test_a_dataset_without_redshifts_cannot_be_trained_on(here, store, dataset):
    dataset.update_info(has_z=False)
    code, _, err = here("train", dataset.name)
    assert code == 2
    assert "has no redshifts to learn from" in err
    assert store.runs() == []


def test_runs_are_listed_newest_first_with_their_state_and_figures(here, store):
    run = fake_run(store, "one")
    write_json(run.result_path, {"val_mae": 0.031})
    fake_run(store, "two", state="running")
    broken = fake_run(store, "zzz")
    broken.config_path.write_text("{")
    listed = json.loads(here("runs", "--json")[1])
    assert [line["name"] for line in listed] == ["two", "one", "zzz"]
    assert [line["state"] for line in listed] == ["running", "finished", "damaged"]
    assert listed[1]["val_mae"] == 0.031
    assert listed[0]["val_mae"] is None
    assert "config.json is damaged" in listed[2]["remark"]
    assert "0.03100" in here("runs")[1]


def test_a_dataset_is_listed_with_its_counts_and_as_simulated(here, dataset):
    (line,) = json.loads(here("datasets", "--json")[1])
    assert (line["id"], line["name"], line["rows"]) == (dataset.id, "small", 600)
    assert line["state"] == "ready"
    assert line["simulated"] is True


def test_renaming_and_noting_find_datasets_and_runs(here, store, dataset):
    run = fake_run(store, "first")
    assert json.loads(here("rename", run.id, "a  better name", "--json")[1]) == {
        "id": run.id,
        "name": "a better name",
    }
    assert here("note", "small", "seen by cat =1+1")[0] == 0
    assert here("note", "a better name", "")[0] == 0
    assert (store.run("a better name").id, run.note) == (run.id, "")
    assert dataset.note == "seen by cat =1+1"


@pytest.mark.parametrize("name", ["", "   ", "latest", "n" * 101])
def test_a_name_that_would_not_be_found_again_is_refused(here, dataset, name):
    code, _, err = here("rename", dataset.id, name)
    assert code == 2
    assert "A name has 1 to 100 characters" in err
    assert dataset.name == "small"


def test_a_name_that_a_dataset_and_a_run_share_needs_the_id(here, store, dataset):
    run = fake_run(store, "small")
    for name in ("small", "latest"):
        code, _, err = here("delete", name, "--yes")
        assert code == 2
        assert dataset.id in err
        assert run.id in err
    assert store.runs()
    assert store.datasets()


def test_deleting_asks_first_and_is_refused_where_nobody_can_answer(here, store, dataset):
    code, _, err = here("delete", dataset.id)
    assert code == 2
    assert "add --yes" in err
    assert store.datasets()


def test_deleting_a_dataset_names_the_runs_trained_on_it(here, store, dataset):
    run = fake_run(store, "first", dataset=dataset.id)
    code, out, err = here("delete", dataset.id, "--yes", "--json")
    assert code == 0
    assert json.loads(out) == {"deleted": dataset.id}
    assert run.id in err
    assert store.datasets() == []
    assert [left.id for left in store.runs()] == [run.id]


def test_what_a_job_works_on_cannot_be_deleted(here, store, dataset):
    run = fake_run(store, "first", state="running", dataset=dataset.id)
    for target in (run.id, dataset.id):
        code, _, err = here("delete", target, "--yes")
        assert code == 2
        assert f"while {run.id} works on it" in err
    assert store.runs()
    assert store.datasets()


def test_a_run_that_has_ended_cannot_be_stopped(here, store):
    run = fake_run(store, "first")
    code, _, err = here("stop", run.id)
    assert code == 2
    assert "is not running: it is finished" in err


def test_a_resume_that_cannot_work_leaves_the_run_as_it_is(here, store, dataset):
    orphan, done = fake_run(store, "orphan"), fake_run(store, "done", dataset=dataset.id)
    for run in (orphan, done):
        write_json(run.result_path, {"epochs": 10, "val_mae": 0.03})
    for name, sentence in (
        ("orphan", "which is not in the store any more"),
        ("done", "has completed 10 epochs already"),
    ):
        code, _, err = here("resume", name, "--epochs", "10")
        assert code == 2
        assert sentence in err
        run = store.run(name)
        assert jobs.status(run).state == "finished"
        assert run.result["val_mae"] == 0.03


def test_simulate_writes_a_file_and_says_simulated(here, simulating, tmp_path):
    out = tmp_path / "survey.csv"
    code, text, err = here("simulate", "--n", "50", "--seed", "7", "--out", out)
    assert code == 0, err
    assert "SIMULATED" in text
    assert len(pd.read_csv(out)) == 50
    again = json.loads(here("simulate", "--n", "50", "--seed", "7", "--out", out, "--json")[1])
    assert (again["rows"], again["simulated"], again["out"]) == (50, True, str(out))


def test_simulate_without_a_file_makes_a_dataset(here, simulating):
    code, out, err = here("simulate", "--n", "50", "--json")
    assert code == 0, err
    made = json.loads(out)
    assert simulating.dataset(made["dataset"]).info["simulated"] is True
    assert made["rows"] == 50


def test_datasets_names_those_of_an_older_simulator(here, store, survey_file, tmp_path):
    table = pq.read_table(survey_file)
    made = json.loads(table.schema.metadata[b"redshift_lab"]) | {"simulator_version": 1}
    old = tmp_path / "old.parquet"
    pq.write_table(table.replace_schema_metadata({b"redshift_lab": json.dumps(made)}), old)
    sentence = "SIMULATED by version 1 of the simulator, whose survey was unlike Gaia's"
    assert sentence in here("ingest", old)[2]
    assert sentence in here("datasets")[1]
    listed = json.loads(here("datasets", "--json")[1])
    assert listed[0]["simulator_version"] == 1
    assert sentence in listed[0]["remark"]


def test_the_study_prints_published_beside_simulated(here, simulating, tmp_path):
    arguments = ("study-simulation", "--n-per-range", "100", "--rows", "300", "--write", tmp_path)
    code, out, err = here(*arguments, "--json")
    assert code == 0, err
    rows = json.loads(out)
    fields = {"part", "what", "range", "published", "simulated", "low", "high", "off"}
    assert fields == set(rows[0])
    assert rows[-1]["what"] == "MAE of the dissertation's recipe (give a bench)"
    assert {path.name for path in tmp_path.iterdir()} == {
        "simulated_average_flux.csv", "simulated_minmax.csv",
    }  # fmt: skip
    assert "running" in err
    code, out, err = here(*arguments)
    assert code == 0, err
    assert out.startswith("# SIMULATED")


def test_the_study_refuses_before_it_simulates(here, simulating, tmp_path):
    for option, words in (("--write", "There is no folder"), ("--bench", "No bench")):
        code, _, err = here("study-simulation", option, tmp_path / "nowhere")
        assert code == 2
        assert words in err
        assert "running" not in err


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
        "utf16.csv": good.encode("utf-16"),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def test_files_that_are_not_spectra_get_one_sentence_and_leave_nothing(store, tmp_path):
    files = _bad_files(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda file: command("ingest", file, "--json"), files))
    for file, done in zip(files, answers, strict=True):
        assert (done.returncode, done.stdout) == (2, ""), (file.name, done.stderr)
        assert file.name in done.stderr.splitlines()[-1]
        assert not re.search(r"Traceback|Error:|\bat 0x", done.stderr), done.stderr
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
    assert set(value) == {"rows", "flagged", "verdict", "out"}
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


def test_a_table_is_aligned_with_numbers_to_the_right():
    lines = table(("NAME", "N"), [("a", 1), ("bbb", 1234), ("c\nd", None)]).splitlines()
    assert lines == ["NAME      N", "a         1", "bbb   1,234", "c d       –"]


def test_a_number_that_json_does_not_know_is_null(capsys):
    from redshift_core.cli.output import emit

    emit({"a": math.nan, "b": [np.float32(0.5), np.int64(3)]}, "", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [0.5, 3]}


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
    finally:
        server.terminate()
        server.wait(timeout=20)


def fake_tuning(store, name, scores):
    """Search whose worker has ended, with finished trials and a failed one."""
    from redshift_core.settings.presets import preset
    from redshift_core.settings.search import TuningConfig
    from redshift_core.settings.space import run_config

    tuning = store.new_tuning(name)
    write_json(tuning.config_path, TuningConfig(dataset="d").to_dict())
    write_json(tuning.status_path, {"state": "finished", "kind": "tune"})
    entries = []
    for number, score in enumerate(scores):
        values = {"learning_rate": 10.0 ** -(number + 2)}
        folder = tuning.trial(str(number))
        folder.path.mkdir(parents=True)
        write_json(folder.config_path, run_config(preset("fast", "d"), values)[0].to_dict())
        entries.append({
            "trial": str(number), "state": "failed" if score is None else "finished",
            "values": values, "score": score, "val_mae": score, "epochs": 2, "seconds": 1.5,
            "n_parameters": 10, "message": "The loss became NaN." if score is None else "",
        })  # fmt: skip
    write_json(tuning.trials_path, entries)
    return tuning


def test_searches_and_their_trials_are_listed_the_best_first(here, store):
    tuning = fake_tuning(store, "first", [0.03, None, 0.02])
    code, out, _ = here("trials", "latest")
    lines = out.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines[1:]] == ["2", "0", "1"]
    assert "learning_rate=0.0001" in lines[1]
    assert "The loss became NaN." in lines[3]
    listed = json.loads(here("tunings", "--json")[1])
    assert [(one["id"], one["done"], one["val_mae"]) for one in listed] == [(tuning.id, 2, 0.02)]


def test_a_run_is_made_from_a_trial(store, dataset):
    from redshift_core.cli.tuning import run_of_trial
    from redshift_core.errors import InputError

    tuning = fake_tuning(store, "first", [0.03, None, 0.02])
    for name in ("latest:best", "latest:2", f"{tuning.id}:2"):
        assert run_of_trial(store, name).training.learning_rate == pytest.approx(1e-4)
    for name, sentence in (("latest:7", "no trial '7' .* are 0, 1, 2"), ("x", "not TUNING:")):
        with pytest.raises(InputError, match=sentence):
            run_of_trial(store, name)


def test_a_search_is_renamed_noted_and_deleted_like_a_run(here, store):
    tuning = fake_tuning(store, "first", [0.03])
    assert here("rename", tuning.id, "The good one")[0] == 0
    assert here("note", "The good one", "wide nets win")[0] == 0
    assert (store.tuning(tuning.id).name, store.tuning(tuning.id).note) == (
        "The good one", "wide nets win",
    )  # fmt: skip
    code, _, err = here("stop", "The good one")
    assert (code, "is not running: it is finished" in err) == (2, True)
    assert here("delete", "The good one", "--yes")[0] == 0
    assert store.tunings() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--trials", "0"], "trials = 0 is too small; the lowest value is 1."),
        (["--algorithm", "genetic"], "algorithm = 'genetic' is not known"),
        (["--train-share", "2"], "train_share = 2.0 is too large"),
        (["--set", "batch=2"], "Unknown setting 'batch'"),
        (["--space", "EMPTY"], "from 8 to 4 is empty"),
        (["--space", "ZERO"], "conv_filters = 0 is too small; the lowest value is 1."),
        (["--space", "nowhere.json"], "There is no file"),
        (["--space", "TEXT"], "is not JSON"),
        (["--space", "OBJECT"], "must hold a list of parameters"),
        (["--resume", "x"], "leave DATASET out"),
    ],
)
def test_a_search_that_cannot_be_is_one_sentence_and_exit_2(
    here, store, dataset, tmp_path, arguments, sentence
):
    spaces = {
        "EMPTY": '[{"name": "conv_kernels", "low": 8, "high": 4}]',
        "ZERO": '[{"name": "conv_filters", "low": 0, "high": 4}]',
        "TEXT": "conv_filters: 8",
        "OBJECT": '{"name": "conv_filters"}',
    }
    for name, text in spaces.items():
        (tmp_path / name).write_text(text)
    arguments = [str(tmp_path / word) if word in spaces else word for word in arguments]
    code, out, err = here("tune", dataset.id, *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert store.tunings() == []
