"""The information-limit study: surveys of its own, a plan within the time, rows that survive."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from redshift_core import cli, figures, jobs
from redshift_core.cli.follow import describe
from redshift_core.data.split import split_counts
from redshift_core.errors import InputError
from redshift_core.learning.studies.limit import part
from redshift_core.settings.limit import (
    LimitConfig,
    Training,
    affordable_passes,
    spectra_of,
    trainings,
)
from redshift_core.settings.presets import preset
from redshift_core.settings.schedules import learning_rates
from redshift_core.simulation.table import VERSION
from redshift_core.store import Store, read_json, write_json
from redshift_core.store.history import read_history
from redshift_core.store.records import dicts
from redshift_core.store.study_records import Limit, LimitRow, QuotedRun

ROOT = Path(__file__).parents[1]
SCENES = Path(__file__).with_name("limit_scenes.py")
TINY = {  # what is left out takes longer to compile than all trainings
    "architecture": "mlp",
    "dense_units": "8",
    "averaging": "0",
    "clip_norm": "0",
    "white_noise": "0",
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
    rows = [(row.n, row.epochs, row.check) for row in whole.rows]
    assert rows == [(300, 3, False), (600, 3, False), (600, 1.5, True)]
    for row in whole.rows:
        assert 0 < row.figures["crps"] < row.mae < 0.3
        assert not whole.training(row.key).checkpoint_path.exists()
    assert [row.steps for row in whole.rows] == [3, 6, 3]
    assert not whole.surveys_path.exists()


def test_a_training_is_an_ordinary_run_whose_last_epoch_may_end_early(whole):
    half = whole.training(whole.rows[-1].key)
    assert read_json(half.environment_path)["split"] == {"train": 600, "val": 4800, "test": 0}
    history = read_history(half)
    assert history.epoch.tolist() == [1, 2]  # of two steps and of one
    rates = learning_rates(half.config.training, 0, 3, 3)
    assert history.learning_rate.tolist() == pytest.approx([rates[1], rates[2]])
    assert half.config.training.keep == "last"


def test_the_result_says_simulated_in_every_form(whole):
    assert json.loads(whole.limit_path.read_text())["simulated"] is True
    for path in (whole.table_path, whole.figure_path):
        assert "SIMULATED" in path.read_text(encoding="utf-8")
    text = whole.table_path.read_text(encoding="utf-8")
    assert "| 600 | 3 | 1,800 |" in text
    assert "2 sizes are done" in text
    assert "Recipe best, model.architecture mlp, model.dense_units 8, " in text
    assert "1.5 instead of 3 epochs" in text


@pytest.mark.soak
def test_killed_and_stopped_inside_a_size_the_rows_are_the_same(simulating):
    base = preset("fast").with_values({**TINY, "epochs": "2"})
    measured = LimitConfig(base, (300, 1500), n_test=400, seed=77, minutes=0.01, check_passes=False)
    planned = replace(measured, passes=300)  # each size once: what such a time allows
    studies = [simulating.new_limit(name) for name in ("calm", "troubled")]
    for study, config in zip(studies, (measured, planned), strict=True):
        write_json(study.config_path, config.to_dict())
    under_way = trainings(planned, 300)[1].key
    old = studies[1].training(under_way).checkpoint_path
    old.mkdir(parents=True)
    (old / "state.npz").write_bytes(b"of a version that trained in another way")
    # Looks: while the survey of the second size is made; after the second of its three steps.
    command = [sys.executable, str(SCENES), str(simulating.root), "10", "6"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    calm, killed, stopped, finished = json.loads((simulating.root / "outcomes.json").read_text())
    interrupted = {"rows": 1, "checkpoints": [under_way]}
    assert killed == {"killed": True, **interrupted, "surveys": []}
    assert stopped.items() >= {"stopped": True, **interrupted}.items()
    assert stopped["surveys"] == ["1500-79"]
    assert finished.items() >= {"stopped": False, "rows": 2, "checkpoints": []}.items()
    assert calm == {**finished, "limit": calm["limit"]}
    tables = [pd.DataFrame(dicts(study.rows)).drop(columns="seconds") for study in studies]
    assert tables[0].steps.tolist() == [1, 3]
    pd.testing.assert_frame_equal(*tables, rtol=1e-5)
    plan = read_json(studies[0].plan_path)
    assert plan["passes"] == 300
    assert min(plan["rate"], plan["survey_rate"]) > 0
    for study in studies:
        assert not study.surveys_path.exists()
        assert len(list(study.path.glob("trainings/*"))) == 2


def test_a_run_is_quoted_against_a_finished_study(simulating, whole):
    run = simulating.new_run("recipe")
    write_json(run.config_path, preset("best").to_dict())
    write_json(run.environment_path, {"dataset": {"simulated": True}, "split": {"train": 300}})
    run.model_path.write_bytes(whole.training(whole.rows[0].key).model_path.read_bytes())
    with pytest.raises(SystemExit) as ended:
        cli.main(["limit", "--resume", "whole", "--against", run.id, "--json"])
    assert ended.value.code == 0, jobs.log_tail(whole)
    assert [(one.run, one.n, one.mae) for one in whole.recipes] == [
        (run.id, 300, pytest.approx(whole.rows[0].mae))
    ]
    assert f"| best ({run.name}) | 300 |" in whole.table_path.read_text(encoding="utf-8")
    assert len(whole.rows) == 3


@pytest.mark.parametrize("n", [1, 300, 16_000, 65_537, 4_096_000, 100_000_000])
def test_a_survey_holds_what_is_trained_on_and_a_validation_part(n):
    one = Training(n, n, 0, 1)
    split = part.recipe(LimitConfig(), one).split
    assert split_counts(part.n_rows(one), split) == (n, part.n_rows(one) - n, 0)


def test_a_training_too_large_for_memory_or_disk_is_refused(tmp_path, monkeypatch):
    config, surveys = LimitConfig(), part.Surveys(tmp_path / "surveys", tmp_path)
    part.check_room(config, Training(16_000, 16_000, 0, 1), surveys)
    with pytest.raises(InputError, match=r"on 100,000,000 galaxies: This needs about .* GB; the"):
        part.check_room(config, Training(100_000_000, 100_000_000, 0, 1), surveys)
    monkeypatch.setattr(part, "DISK_BYTES", 10**12)
    with pytest.raises(InputError, match=r"GB free, and the survey of 16,000 galaxies needs"):
        part.check_room(config, Training(16_000, 16_000, 0, 1), surveys)


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


def test_runs_of_other_surveys_are_not_quoted(store, dataset):
    from redshift_core.learning.studies.limit.judge import check_recipe

    known = {**dataset.info, "simulated": False}
    write_json(dataset.info_path, {**known, "simulation": {}})
    run = store.new_run("r")
    write_json(run.config_path, preset("best", dataset.id).to_dict())
    with pytest.raises(InputError, match="has no saved model yet"):
        check_recipe(store, run, set())
    run.model_path.touch()
    with pytest.raises(InputError, match="trained on real spectra"):
        check_recipe(store, run, set())
    made = {"simulated": True, "redshifts": "flat", "simulator_version": VERSION, "seed": 5}
    write_json(dataset.info_path, {**known, "simulation": made})
    with pytest.raises(InputError, match="a simulated survey \\(flat"):
        check_recipe(store, run, set())
    write_json(dataset.info_path, {**known, "simulation": {**made, "redshifts": "published"}})
    assert check_recipe(store, run, {4})["run"] == run.id
    with pytest.raises(InputError, match="seed 5, which this study uses"):
        check_recipe(store, run, {4, 5})


def test_the_figure_shows_points_curve_band_and_recipes():
    rows = [
        LimitRow(n=n, check=check, key="", epochs=epochs, figures={"mae": mae})
        for n, mae, epochs, check in (
            (100, 0.03, 2, False), (1000, 0.025, 2, False), (1000, 0.026, 1, True),
        )
    ]  # fmt: skip
    limit = Limit(limit=0.02, b=0.1, c=0.5, intervals={"68": [0.019, 0.021]})
    recipes = [QuotedRun(run="r", name="mine", preset="best", figures={"mae": 0.022})]
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


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("Writing the catalogue", "finished."),
        ("Predicted 2 spectra.", "finished. Predicted 2 spectra."),
    ],
)
def test_a_finished_job_says_what_it_has_done_not_what_it_was_doing(message, line):
    assert describe(jobs.Status("finished", "ingest", message, 1, 2)) == line
