"""A bench with real child processes: killed, resumed, written down; and what its tables say."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from redshift_core import cli, data, figures, jobs
from redshift_core.errors import InputError
from redshift_core.evaluation.bins import evaluate
from redshift_core.evaluation.metrics import METRICS
from redshift_core.evaluation.perturbations import PERTURBATIONS
from redshift_core.learning.studies.bench import run as bench_run
from redshift_core.learning.studies.bench.checks import tail
from redshift_core.learning.studies.bench.run import bench_job
from redshift_core.reports.bench import _against_dissertation, comparison, extras
from redshift_core.settings import bench as bench_config
from redshift_core.settings.bench import ORDER, ROWS, BenchConfig
from redshift_core.settings.presets import preset
from redshift_core.store import JobContext, Store, read_json, write_json
from redshift_core.store.study_records import BenchResult, BenchRow
from tests.pages.made_up import bench_row

ROOT = Path(__file__).parent.parent


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def ended(tmp_path_factory, survey_file):
    """A bench of three rows that was killed in its network's row, and resumed by the command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDSHIFT_LAB_HOME", str(tmp_path_factory.mktemp("bench")))
        store = Store()
        dataset = data.ingest(survey_file, store, name="small")
        rows = ("fast", "prior", "ridge")
        bench = jobs.start_bench(store, BenchConfig(dataset=dataset.id, rows=rows, epochs=1))
        until(lambda: "run" in bench.row("fast") or not jobs.status(bench).active)
        first = bench.row("ridge")
        os.kill(jobs.status(bench).pid, signal.SIGKILL)
        until(lambda: jobs.status(bench).state == "lost")
        done = subprocess.run(
            [sys.executable, "-m", "redshift_core.cli", "bench", "--resume", bench.id, "--json"],
            capture_output=True, text=True, cwd=ROOT, timeout=200,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        yield store, bench, json.loads(done.stdout), first


def test_a_killed_bench_goes_on_with_what_it_lacks(ended):
    store, _, value, first = ended
    assert [row["name"] for row in value["rows"]] == ["prior", "ridge", "fast"]
    assert value["rows"][1] == first  # done once
    assert [run.id for run in store.runs()] == [value["rows"][2]["run"]]  # the run begun, no other
    assert (value["state"], value["missing"], value["failed"]) == ("finished", [], {})


def test_its_figures_are_those_of_the_predictions_left_behind(ended):
    store, _, value, _ = ended
    for row in value["rows"]:
        if "job" in row:
            path = store.job(row["job"]).output / "predictions.parquet"
        else:
            path = store.run(row["run"]).predictions_path(value["config"]["dataset"])
        table = pd.read_parquet(path)
        assert row["n_test"] == len(table) == 60
        assert row["simulated"] is True
        assert "cores" in row["machine"]
        for name, metric in METRICS.items():
            assert row[name] == pytest.approx(metric(table.z_spec, table.z_phot))
        assert row["seconds"] > 0
        assert row["spectra_per_second"] > 0
        assert row["worker_seconds"] > row["seconds"]
        assert row["cpu_seconds"] > 0
        assert row["peak_memory"] > 50e6  # bytes; Python with NumPy alone has as much


def test_speed_is_that_of_the_engine_that_users_get(ended):
    speeds = [job.result for job in ended[0].jobs() if job.request["kind"] == "speed"]
    assert speeds
    assert {one["engine"] for one in speeds} == {"ONNX Runtime"}


def test_every_method_had_the_same_rows(ended):
    store, _, value, _ = ended
    assert {str(row["split"]) for row in value["rows"]} == {
        str({"train": 378, "val": 162, "test": 60})
    }
    tested = [
        pd.read_parquet(store.job(row["job"]).output / "predictions.parquet").row
        for row in value["rows"] if "job" in row
    ]  # fmt: skip
    run = store.run(value["rows"][2]["run"])
    tested.append(pd.read_parquet(run.predictions_path(value["config"]["dataset"])).row)
    assert all(np.array_equal(tested[0], one) for one in tested)


def test_table_page_and_json_say_simulated_and_where_it_ran(ended):
    _, bench, value, _ = ended
    text, page = (path.read_text() for path in (bench.table_path, bench.page_path))
    for said in ("SIMULATED", "cores", "tensorflow 2", "| fast (1 epoch) |", "ridge: penalty"):
        assert said in text
    assert "SIMULATED" in page
    assert "accuracy against training time" in page.lower()
    kept = json.loads(bench.json_path.read_text())
    assert kept == {key: v for key, v in value.items() if key != "state"}
    assert kept["simulated"] is True


def test_every_method_is_judged_on_perturbed_spectra_too(ended):
    store, bench, value, _ = ended
    for row in value["rows"]:
        assert list(row["stress"]) == ["none", *PERTURBATIONS]
        assert row["stress"]["none"]["mae"] == pytest.approx(row["mae"], rel=1e-5)
        assert all(line["n"] == 60 for line in row["stress"].values())
        flags = {line["outside"] is None for line in row["stress"].values()}
        assert flags == {row["kind"] == "baseline"}
    run = store.run(value["rows"][2]["run"])
    kept = read_json(run.stress_path(value["config"]["dataset"]))
    assert kept["lines"] == list(value["rows"][2]["stress"].values())
    prior = value["rows"][0]["stress"]
    assert {line["ratio"] for line in prior.values()} == {1.0}  # it looks at no spectrum
    text = bench.table_path.read_text()
    assert "## On perturbed spectra" in text
    assert "| shift ½ pixel |" in text
    assert "## Flagged on perturbed spectra" in text


def test_the_prior_s_density_is_judged_and_its_intervals_hold(ended):
    (row,) = [row for row in ended[2]["rows"] if row["name"] == "prior"]
    assert 0.5 < row["coverage68"] < 0.85  # 60 galaxies of the distribution it describes
    assert row["crps"] < row["mae"]
    assert row["pit_ks"] < 0.25


def leader(store, dataset, **config):
    """A bench that nothing computes, as its job sees it."""
    bench = store.new_bench("made up")
    write_json(bench.config_path, BenchConfig(dataset=dataset.id, **config).to_dict())
    led = bench_run._Leader(JobContext(bench, store))
    led.dataset = dataset.id
    return led


@pytest.mark.parametrize("state", ["stopped", "lost", "failed"])
def test_a_half_trained_network_is_resumed_not_begun_again(store, dataset, monkeypatch, state):
    led, resumed = leader(store, dataset, rows=("fast",)), []
    run = store.new_run("half")
    write_json(run.config_path, preset("fast", dataset.id).to_dict())
    run.history_path.write_text("epoch,loss,mae,val_loss,val_mae,seconds\n1,1,0.1,1,0.1,2.0\n")
    JobContext(run, store).set_state(state)
    led.bench.write_row("fast", {"run": run.id, "resumed": False})
    monkeypatch.setattr(jobs, "resume", resumed.append)
    monkeypatch.setattr(led, "_follow", lambda *_: None)
    assert led._trained("fast") == run
    assert resumed == [run]
    assert led.bench.row("fast") == {"run": run.id, "resumed": True}


def test_a_bench_whose_dataset_is_gone_cannot_go_on(store, dataset):
    led = leader(store, dataset, rows=("prior",))
    dataset.delete()
    with pytest.raises(InputError, match=r"start a new bench on it"):
        jobs.resume_bench(led.bench)


def test_a_row_that_fails_says_why_and_the_others_are_done(store, dataset, monkeypatch):
    led = leader(store, dataset, rows=("prior", "ridge"))

    def compute(_, name):
        if name == "prior":
            raise bench_run._Failed("out of memory")
        led.bench.write_row(name, {"finished": "now", **bench_row("ridge", 0.03, 1.0)})

    monkeypatch.setattr(bench_run._Leader, "_baseline", compute)
    result = bench_job(JobContext(led.bench, store))
    assert result["failed"] == {"prior": "out of memory"}
    assert result["rows"] == ["ridge"]
    assert "prior failed: out of memory" in led.bench.table_path.read_text()


def test_a_row_whose_package_is_missing_says_so_and_starts_nothing(store, dataset, monkeypatch):
    led = leader(store, dataset, rows=("prior", "xgboost"))
    monkeypatch.setattr(bench_config, "find_spec", lambda package: None)
    led.bench.write_row("prior", {"finished": "now", **bench_row("prior", 0.06, 0.001)})
    result = bench_job(JobContext(led.bench, store))
    assert result["failed"]["xgboost"] == (
        "The row xgboost needs the package xgboost, which is not installed; get it with "
        "pip install 'redshift-lab[peers]'."
    )
    assert result["rows"] == ["prior"]
    assert not list(store.jobs())


def test_a_bench_of_all_rows_names_those_whose_packages_are_missing(store, capsys, monkeypatch):
    def start(*_):
        raise InputError("not here")

    monkeypatch.setattr(bench_config, "find_spec", lambda package: None)
    monkeypatch.setattr(jobs, "start_bench", start)
    for arguments, said in ((["--n", "500"], True), (["--only", "prior"], False)):
        with pytest.raises(SystemExit):
            cli.main(["bench", *arguments])
        sentence = "Left out: xgboost, lightgbm, catboost, flexzboost; get them with pip install"
        assert (sentence in capsys.readouterr().err) is said


def test_a_stop_ends_the_job_at_work_and_the_bench(store, dataset, monkeypatch):
    led = leader(store, dataset, rows=("prior",))
    led.bench.stop_path.touch()
    monkeypatch.setattr(bench_run, "STOP_LIMIT", 20.0)
    result = bench_job(JobContext(led.bench, store))
    assert result["stopped"] is True
    assert not jobs.status(store.job(led.bench.row("prior")["job"])).active


def test_a_fit_that_sees_no_stop_is_killed(store, dataset, monkeypatch):
    led = leader(store, dataset, rows=("prior",))
    job = store.new_job("baseline")
    write_json(job.request_path, {"kind": "baseline"})
    deaf = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    JobContext(job, store).set_state(
        "running", host=platform.node(), pid=deaf.pid,
        pid_started=psutil.Process(deaf.pid).create_time(),
    )  # fmt: skip
    led.bench.write_row("prior", {"job": job.id})
    led.bench.stop_path.touch()
    monkeypatch.setattr(bench_run, "STOP_LIMIT", 0.2)
    assert bench_job(JobContext(led.bench, store))["stopped"] is True
    assert not psutil.pid_exists(deaf.pid)
    assert jobs.status(job).state == "lost"


MADE_UP = [
    bench_row("prior", 0.06, 0.001, crps=0.04, pit_ks=0.01, coverage68=0.68, coverage95=0.95),
    bench_row("best", 0.02, 90.0, epochs=2, val_curve=[[45.0, 0.024], [90.0, 0.02]]),
    bench_row(
        "dissertation", 0.025, 5000.0, epochs=20, val_mae=0.0255, val_curve=[[5000.0, 0.0255]]
    ),
]
ROWS_MADE_UP = [BenchRow.from_dict(row, Path("rows.json")) for row in MADE_UP]


def test_the_most_accurate_method_stands_first_with_the_time_it_took_to_beat_the_published():
    table = comparison(ROWS_MADE_UP)
    assert table.method.tolist() == ["best (2 epochs)", "dissertation (20 epochs)", "prior"]
    assert table["reaches / s"].tolist() == ["45.0", "5,000.0", "–"]
    assert table["68 / 95 % covers"].tolist() == ["–", "–", "68.0% / 95.0%"]
    assert table["memory / MB"].tolist() == ["200"] * 3


def test_what_a_network_gains_over_the_published_recipe_is_said():
    (said,) = _against_dissertation(ROWS_MADE_UP)
    assert "0.800 of its MAE, in 1/55.6 of its training time" in said
    assert "reached in 1/111 of that time" in said
    assert _against_dissertation(ROWS_MADE_UP[:2]) == []


def test_the_figure_shows_every_method_on_a_logarithmic_axis():
    figure = figures.accuracy_against_time(ROWS_MADE_UP)
    assert figure.layout.xaxis.type == "log"
    points = {trace.name: trace.x[0] for trace in figure.data if trace.mode != "lines"}
    assert points == {"best": 90.0, "dissertation": 5000.0, "prior": 0.01}
    assert [trace.name for trace in figure.data if trace.mode == "lines"] == [
        "best, validation", "dissertation, validation",
    ]  # fmt: skip


def test_the_tail_is_that_of_the_stored_densities_under_both_priors(store):
    run = store.new_run("with p(z)")
    random = np.random.default_rng(0)
    z_spec = random.uniform(0, 0.6, 50)
    density = random.uniform(0.1, 1, (50, 240)).astype(np.float16)
    training = np.linspace(2, 0.1, 240)
    run.predictions_path("flat").parent.mkdir(parents=True)
    known = {"row": range(50), "source_id": range(50), "z_spec": z_spec, "z_phot": z_spec}
    pd.DataFrame({**known, "flags": ""}).to_parquet(run.predictions_path("flat"))
    np.save(run.pdf_path("flat"), density)
    np.savez(run.prior_path, training=training)
    found = tail(run, {"flat": "flat"})
    for prior, weight in (("training", np.ones(240)), ("flat", 1 / training)):
        below = np.cumsum(density.astype(float) * weight, axis=1)
        half = [np.interp(0.5, [0, *(row / row[-1])], np.linspace(0, 0.6, 241)) for row in below]
        assert found.flat[prior].mae == pytest.approx(
            evaluate(z_spec, half).figures["mae"], abs=1e-5
        )
    result = BenchResult(
        tail=replace(found, test=found.flat), config={}, environment={}, rows=(), missing=()
    )
    table = extras(result)["The tail of best"]
    assert len(table.frame) == 12
    assert "price" in table.caption


def test_cheap_rows_come_first_and_every_row_is_explained():
    assert BenchConfig(rows=("dissertation", "ridge", "prior")).ordered == [
        "prior", "ridge", "dissertation",
    ]  # fmt: skip
    assert set(ROWS) == set(ORDER)
    assert ORDER[-1] == "dissertation"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--only", "prior,perceptron"],
            "rows = 'perceptron' is not known; choose one of prior, ridge",
        ),
        (["--resume", "x"], "No bench 'x' here. Newest benches: none"),
        (["--dataset", "x"], "No dataset 'x' here."),
        (["--dataset", "x", "--n", "500"], "leave one of them out"),
        (["--only", "prior", "--flat-n", "500"], "add it, or leave --flat-n out"),
        (["--n", "5"], "n = 5 is too small"),
        (["--epochs-dissertation", "0"], "epochs_dissertation = 0 is too small"),
    ],
)
def test_what_the_user_can_fix_is_one_sentence(store, capsys, arguments, sentence):
    with pytest.raises(SystemExit) as ended:
        cli.main(["bench", *arguments])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert sentence in err
    assert store.benches() == []
