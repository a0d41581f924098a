"""Compare: benches and studies of the information limit that the command line made."""

import json

import numpy as np
import pytest

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.evaluation.extrapolation import extrapolate
from redshift_core.reports.bench import write_tables
from redshift_core.settings.bench import BenchConfig
from redshift_core.settings.limit import LimitConfig
from redshift_core.store import JobContext, write_json
from tests.pages.made_up import bench_row, make_dataset, make_run, open_page, texts

SIZES = (1_000, 4_000, 16_000, 64_000)


def add_bench(store, name="a bench", mae=0.02):
    bench = store.new_bench(name)
    rows = ("prior", "fast", "dissertation")
    write_json(bench.config_path, BenchConfig(dataset="d", rows=rows).to_dict())
    write_json(bench.environment_path, {
        "dataset": {"simulated": True}, "split": {"train": 70, "val": 20, "test": 10},
        "device": {"text": "a machine"}, "versions": {"keras": "3"},
    })  # fmt: skip
    bench.write_row("prior", bench_row("prior", 0.06, 0.0))
    curve = {"epochs": 2, "val_mae": mae, "val_curve": [[2.0, 0.03], [4.0, mae]]}
    bench.write_row("fast", bench_row("fast", mae, 4.0, **curve))
    bench.write_row("dissertation", {"error": "out of memory"})
    write_tables(bench)
    JobContext(bench, store).set_state("finished")
    return bench


def add_limit(store, sizes=SIZES):
    random = np.random.default_rng(0)
    errors = np.array([0.016 + 0.2 / n**0.5 + 0.002 * random.random(300) for n in sizes])
    found = extrapolate(list(sizes), errors, {"r": errors[1]}, draws=50) if len(sizes) > 3 else None
    rows = [{"n": n, "key": f"{n:09d}-0", "mae": one.mean(), "epochs": 1.0, "check": False}
            for n, one in zip(sizes, errors, strict=True)]  # fmt: skip
    study = store.new_limit("a study")
    write_json(study.config_path, LimitConfig().to_dict())
    write_json(study.limit_path, {
        "simulated": True, "config": {"base": {"preset": "best"}}, "rows": rows,
        "recipe": "best, training.weight_decay 0.1",
        "recipes": [{"run": "r", "name": "my run", "n": 4_000, "mae": float(errors[1].mean())}],
        "limits": {"mae": found.to_dict()} if found else {},
    })  # fmt: skip
    JobContext(study, store).set_state("finished")
    return found


def test_without_them_the_page_says_what_they_are(store):
    at = open_page("compare")
    assert not at.exception
    assert "A bench sets" in texts(at)
    assert "A study trains" in texts(at)
    assert not at.get("plotly_chart")


def test_a_bench_is_started_with_what_was_typed_and_can_be_stopped(store):
    at = open_page("compare")
    at.number_input(key="bench_n").set_value(2_000)
    at.number_input(key="bench_epochs").set_value(1).run()
    at.button(key="start_bench").click().run()
    (bench,) = store.benches()
    assert (bench.config.n, bench.config.epochs_dissertation) == (2_000, 1)
    assert at.button(key=f"stop_{bench.id}")
    at.button(key=f"stop_{bench.id}").click().run()
    assert jobs.wait(bench, timeout=60).state == "stopped"
    at = open_page("compare")
    assert not at.exception
    assert at.button(key=f"resume_{bench.id}")


def test_a_bench_that_lacks_a_row_goes_on_at_a_click(store, monkeypatch):
    bench, resumed = add_bench(store), []
    monkeypatch.setattr(jobs, "resume_bench", resumed.append)
    open_page("compare").button(key=f"resume_{bench.id}").click().run()
    assert [one.id for one in resumed] == [bench.id]


def test_what_cannot_be_started_says_why(store, monkeypatch):
    def refuse(*_):
        raise InputError("The disk is full.")

    monkeypatch.setattr(jobs, "start_bench", refuse)
    at = open_page("compare").button(key="start_bench").click().run()
    assert "The disk is full" in texts(at)


def test_a_run_is_quoted_against_the_study_that_is_shown(store, monkeypatch):
    add_limit(store)
    run = make_run(store, make_dataset(store), name="mine")
    write_json(run.environment_path, {"dataset": {"simulated": True}})
    asked = []
    monkeypatch.setattr(jobs, "resume_limit", lambda study, runs: asked.append((study.id, runs)))
    at = open_page("compare")
    at.multiselect(key="limit_runs").set_value([run.id]).run()
    at.button(key="start_quote").click().run()
    assert asked == [(store.limits()[0].id, [run.id])]


def test_a_bench_shows_what_is_done_and_what_is_not(store):
    add_bench(store)
    at = open_page("compare")
    assert not at.exception
    frame = at.dataframe[0].value
    assert frame.method.tolist() == ["fast (2 epochs)", "prior"]
    assert frame.MAE.tolist() == ["0.0200", "0.0600"]
    assert "dissertation failed: out of memory" in texts(at).replace("\\", "")
    assert "SIMULATED" in str(json.loads(at.get("plotly_chart")[0].proto.spec)["layout"])


def test_of_several_benches_the_newest_is_shown_first_and_another_can_be_chosen(store):
    older = add_bench(store, mae=0.03)
    add_bench(store, "another")
    at = open_page("compare")
    assert at.dataframe[0].value.MAE[0] == "0.0200"
    at.selectbox(key="compare_bench").set_value(older.id).run()
    assert at.dataframe[0].value.MAE[0] == "0.0300"


def test_a_study_tells_the_limit_and_how_far_each_run_is_from_it(store):
    found = add_limit(store)
    at = open_page("compare")
    assert not at.exception
    assert f"infinite data: **{found.limit:.4f}**" in texts(at)
    assert "the recipe best, training.weight_decay 0.1." in texts(at).replace("\\", "")
    line = at.dataframe[0].value.iloc[0]
    assert line["run"] == "my run"
    assert line["× limit"] == pytest.approx(found.ratios["r"].ratio)


def test_a_study_of_too_few_sizes_has_no_limit_yet(store):
    add_limit(store, SIZES[:2])
    at = open_page("compare")
    assert not at.exception
    assert "Too few sizes" in texts(at)
    assert "× limit" not in at.dataframe[0].value
