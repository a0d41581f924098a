"""The command line as a user meets it: help, lists, names, refusals, exit codes."""

import json
import math
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest

from redshift_core import cli, jobs
from redshift_core.cli.output import table
from redshift_core.store import atomic, write_json
from tests.commands import ROOT

COMMANDS = [
    command.name or command.callback.__name__.replace("_", "-")
    for command in cli.app.registered_commands
]


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
        (["tune", "x", "--role", "worker"], "are gone: start `dask scheduler` and `dask worker`"),
        (["tune", "x", "--chief", "n:1"], "the scheduler's address with --scheduler tcp://HOST"),
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
    if name.strip():
        code, _, err = here("train", dataset.id, "--name", name)
        assert code == 2
        assert "A name has 1 to 100 characters" in err


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
    for name, options, sentence in (
        ("orphan", ("--epochs", "10"), "which is not in the store any more"),
        ("done", ("--epochs", "10"), "has completed 10 epochs already"),
        ("done", ("--set", "learning_rate=0.1"), "say how many epochs it should have in all"),
        ("done", ("--set", "batch_size=8"), "batch_size cannot change when a run goes on; what"),
        ("done", ("--set", "bath_size=8"), "Unknown setting 'bath_size'"),
    ):
        code, _, err = here("resume", name, *options)
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


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_command_that_is_ended_leaves_no_half_file(monkeypatch, tmp_path, name):
    def writing(**_):
        with atomic(tmp_path / "out.csv") as part:
            part.write_text("half")
            signal.raise_signal(number)

    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)  # under nohup, SIGHUP is ignored
    monkeypatch.setattr(cli, "app", writing)
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main([])
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert ended.value.code == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_its_dataset_says_how_it_can_be_judged(store, here):
    fake_run(store, "moved", dataset="elsewhere")
    code, _, err = here("evaluate", "moved")
    assert code == 2
    assert "'elsewhere'" in err
    assert "is not in the store, so its test rows are not there; name another one" in err


def test_a_table_is_aligned_with_numbers_to_the_right():
    lines = table(("NAME", "N"), [("a", 1), ("bbb", 1234), ("c\nd", None)]).splitlines()
    assert lines == ["NAME      N", "a         1", "bbb   1,234", "c d       –"]


def test_a_number_that_json_does_not_know_is_null(capsys):
    from redshift_core.cli.output import emit

    emit({"a": math.nan, "b": [np.float32(0.5), np.int64(3)]}, "", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [0.5, 3]}
