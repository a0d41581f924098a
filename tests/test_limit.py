"""The information-limit study: streamed galaxies, a plan within the time, rows that survive."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from redshift_core import cli, figures, jobs
from redshift_core.cli.follow import describe
from redshift_core.config import RunConfig, ScalerConfig, preset
from redshift_core.errors import InputError
from redshift_core.limit import stream
from redshift_core.limit_config import LimitConfig, affordable_passes, spectra_of, trainings
from redshift_core.runs import Store, write_json
from redshift_core.simulation import simulate
from redshift_core.simulation.survey import CHUNK
from redshift_core.simulation.table import VERSION

ROOT = Path(__file__).parents[1]
SCENES = Path(__file__).with_name("limit_scenes.py")
TINY = {
    "architecture": "resmlp",
    "dense_units": "8",
    "batch_size": "512",
    "threads": "1",
    "epochs": "3",
}
SIZES = (300, 600)
STUDY = {"sizes": SIZES, "n_test": 400, "passes": 1800, "seed": 77}


@pytest.fixture(scope="module")
def whole(simulating):
    """A study done by the command, its worker and all."""
    arguments = ["limit", "--preset", "best", "--sizes", ",".join(map(str, SIZES)), "--json"]
    for name in ("n_test", "passes", "seed"):
        arguments += [f"--{name.replace('_', '-')}", str(STUDY[name])]
    for pair in TINY.items():
        arguments += ["--set", "=".join(pair)]
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, "--name", "whole"])
    assert ended.value.code == 0, jobs.log_tail(simulating.limit("whole"))
    return simulating.limit("whole")


def test_the_command_trains_every_size_and_half_of_the_largest_that_has_two_epochs(whole):
    rows = [(row["n"], row["epochs"], row["check"]) for row in whole.rows]
    assert rows == [(300, 3, False), (600, 3, False), (600, 1.5, True)]
    for row in whole.rows:
        assert 0 < row["crps"] < row["mae"] < 0.3
        assert not whole.training(row["key"]).checkpoint_path.exists()
    assert [row["steps"] for row in whole.rows] == [3, 6, 3]


def test_the_result_says_simulated_in_every_form(whole):
    assert json.loads(whole.limit_path.read_text())["simulated"] is True
    for path in (whole.table_path, whole.figure_path):
        assert "SIMULATED" in path.read_text(encoding="utf-8")
    text = whole.table_path.read_text(encoding="utf-8")
    assert "| 600 | 3 | 1,800 |" in text
    assert "2 sizes are done" in text
    assert "Recipe best, model.architecture resmlp, model.dense_units 8, " in text
    assert "1.5 instead of 3 epochs" in text


def test_stopped_and_killed_inside_a_size_the_rows_are_the_same(simulating):
    base = preset("fast").with_values({**TINY, "epochs": "2"})
    config = LimitConfig(**{**STUDY, "sizes": (300, 9000), "passes": 12_000}, base=base,
                         check_passes=False).to_dict()  # fmt: skip
    studies = [simulating.new_limit(name) for name in ("calm", "troubled")]
    for study in studies:
        write_json(study.config_path, config)
    command = [sys.executable, str(SCENES), str(simulating.root), "9", "4"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    calm, stopped, killed, finished = json.loads((simulating.root / "outcomes.json").read_text())
    under_way = [trainings(studies[0].config, 12_000)[1].key]
    assert (stopped["stopped"], stopped["rows"], stopped["checkpoints"]) == (True, 1, under_way)
    assert (killed["killed"], killed["rows"], killed["checkpoints"]) == (True, 1, under_way)
    assert (finished["stopped"], finished["rows"], finished["checkpoints"]) == (False, 2, [])
    assert calm == {**finished, "limit": calm["limit"]}
    tables = [pd.DataFrame(study.rows).drop(columns="seconds") for study in studies]
    assert tables[0].steps.tolist() == [
        2,
        24,
    ]  # 12,000 spectra; 9000 are windows of 4096, 4096 and 808
    pd.testing.assert_frame_equal(*tables, rtol=1e-5)


def test_a_run_is_quoted_against_a_finished_study(simulating, whole):
    run = simulating.new_run("recipe")
    write_json(run.config_path, preset("best").to_dict())
    write_json(run.environment_path, {"dataset": {"simulated": True}, "split": {"train": 300}})
    run.model_path.write_bytes(whole.training(whole.rows[0]["key"]).model_path.read_bytes())
    with pytest.raises(SystemExit) as ended:
        cli.main(["limit", "--resume", "whole", "--against", run.id, "--json"])
    assert ended.value.code == 0, jobs.log_tail(whole)
    assert [(one["run"], one["n"], one["mae"]) for one in whole.recipes] == [
        (run.id, 300, pytest.approx(whole.rows[0]["mae"]))
    ]
    assert f"| best ({run.name}) | 300 |" in whole.table_path.read_text(encoding="utf-8")
    assert len(whole.rows) == 3


def test_windows_are_the_survey_in_order(simulation_cache, monkeypatch):
    monkeypatch.setattr(stream, "WINDOW", CHUNK)
    made = stream.Stream(9000, 7, RunConfig(scaler=ScalerConfig(name="spectrum")), simulation_cache)
    windows = [made.window(number) for number in (0, 1, 2, 0)]
    made.close()
    survey = simulate(9000, 7, cache=simulation_cache)
    z_spec = np.concatenate([part.z_spec for part in windows[:3]])
    features = np.concatenate([part.features for part in windows[:3]])
    np.testing.assert_array_equal(z_spec, survey.z.astype(np.float32))
    np.testing.assert_array_equal(features, made.scaler.apply(survey.flux))
    np.testing.assert_array_equal(windows[3].features, windows[0].features)


def test_the_passes_fit_the_time_and_every_size_is_seen_once():
    config = LimitConfig(base=preset("best").with_values({"epochs": 10}), sizes=(100, 1000, 5000))
    for spectra in (12_000, 30_000, 55_000):
        passes = affordable_passes(config, spectra)
        assert sum(one.spectra for one in trainings(config, passes)) <= spectra
        more = trainings(config, passes + 1)
        assert sum(one.spectra for one in more) > spectra
    assert affordable_passes(config, 1) == 100
    assert spectra_of(100, 5000, 10) == 1000


def test_no_two_trainings_share_galaxies_with_each_other_or_with_the_test_survey():
    config = LimitConfig(sizes=(100, 1000, 5000), repeats=2, check_passes=False)
    seeds = [one.seed for one in trainings(config, 5000)]
    assert len(set(seeds)) == len(seeds) == 6
    assert config.seed not in seeds


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--sizes", "100,100"], "each of them once"),
        (["--sizes", "many"], "is not a whole number"),
        (["--n-test", "5"], "the lowest value is 100"),
        (["--preset", "perfect"], "Unknown preset 'perfect'"),
        (["--resume", "x"], "No limit 'x' here"),
        (["--against", "x"], "No run 'x' here"),
    ],
)
@pytest.mark.usefixtures("store")
def test_what_the_user_can_fix_is_one_sentence(capsys, arguments, sentence):
    with pytest.raises(SystemExit) as ended:
        cli.main(["limit", *arguments])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err
    assert Store().limits() == []


def test_runs_of_other_surveys_are_not_quoted(store):
    from redshift_core.limit.judge import check_recipe

    dataset = store.new_dataset("d")
    dataset.path.rename(store.root / "datasets" / "d")
    run = store.new_run("r")
    write_json(run.config_path, preset("best", "d").to_dict())
    with pytest.raises(InputError, match="has no saved model yet"):
        check_recipe(store, run, set())
    run.model_path.touch()
    with pytest.raises(InputError, match="trained on real spectra"):
        check_recipe(store, run, set())
    made = {"simulated": True, "redshifts": "flat", "simulator_version": VERSION, "seed": 5}
    info = store.dataset("d").info_path
    write_json(info, {"simulation": made})
    with pytest.raises(InputError, match="a simulated survey \\(flat"):
        check_recipe(store, run, set())
    write_json(info, {"simulation": {**made, "redshifts": "published"}})
    assert check_recipe(store, run, {4})["run"] == run.id
    with pytest.raises(InputError, match="seed 5, which this study uses"):
        check_recipe(store, run, {4, 5})


def test_the_figure_shows_points_curve_band_and_recipes():
    rows = [{"n": 100, "mae": 0.03, "epochs": 2, "check": False},
            {"n": 1000, "mae": 0.025, "epochs": 2, "check": False},
            {"n": 1000, "mae": 0.026, "epochs": 1, "check": True}]  # fmt: skip
    limit = {"limit": 0.02, "b": 0.1, "c": 0.5, "intervals": {"68": [0.019, 0.021]}}
    recipes = [{"name": "mine", "preset": "best", "mae": 0.022}]
    figure = figures.limit_curve(rows, limit, recipes)
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["trained"].y) == [0.03, 0.025]
    assert list(by_name["half the steps"].x) == [1000]
    curve = by_name["a + b·n^(−c)"]
    assert curve.y[0] == pytest.approx(0.02 + 0.1 * 50**-0.5)
    assert {shape.y0 for shape in figure.layout.shapes} == {0.019, 0.022}
    assert "SIMULATED" in [note.text for note in figure.layout.annotations]
    assert figure.layout.xaxis.type == "log"


def test_the_command_tells_how_much_time_is_left():
    status = jobs.Status("running", "limit", "Training 1 of 2.", 1, 2, detail={"seconds_left": 75})
    assert describe(status) == "running  50%. Training 1 of 2. 1 min 15 s left"
