"""The Evaluate page: runs with none, one and several evaluations, and starting one."""

import pytest

from pages.ui.display import duration
from redshift_core.runs import write_json
from tests.pages.made_up import (
    add_evaluation,
    every_slot_taken,
    make_dataset,
    make_run,
    open_page,
    texts,
)


def opened(**query):
    return open_page("evaluate", **query)


@pytest.fixture
def waiting(store):
    """Jobs started here are real but wait for a slot, so nothing is computed."""
    with every_slot_taken(store):
        yield


def test_without_a_run_the_page_leads_to_training(store):
    at = opened()
    assert not at.exception
    assert "no run to judge" in texts(at)
    assert "empty_button" in {button.key for button in at.button}


def test_headlines_are_those_of_the_metrics_file(store):
    folder = make_dataset(store)
    run = make_run(store, folder)
    metrics = add_evaluation(run, folder)
    at = opened(run=run.id)
    assert not at.exception
    shown = {metric.label: metric.value for metric in at.metric}
    assert shown["MAE"] == f"{metrics['mae']:.4f}"
    assert shown["Bias, median e_z"] == f"{metrics['bias_median']:+.4f}"
    assert shown["Bias, mean e_z"] == f"{metrics['bias_mean']:+.4f}"
    assert shown["σ_NMAD"] == f"{metrics['sigma_nmad']:.4f}"
    assert "2,000 test rows" in texts(at)
    assert len(at.get("plotly_chart")) == 5


def test_a_run_without_an_evaluation_offers_one(store, waiting):
    folder = make_dataset(store)
    run = make_run(store, folder)
    at = opened(run=run.id)
    at.button(key="evaluate_own").click().run()
    assert not at.exception
    (job,) = store.jobs()
    assert job.request == {"kind": "evaluate", "run": run.id, "dataset": folder.id}
    assert "evaluate_own" not in {button.key for button in at.button}


def test_a_run_still_training_is_not_evaluated(store):
    folder = make_dataset(store)
    run = make_run(store, folder, "stopped")
    at = opened(run=run.id)
    assert not at.exception
    assert "has no model" in texts(at)
    assert "evaluate_own" not in {button.key for button in at.button}


def test_another_dataset_can_be_chosen_for_an_evaluation(store, waiting):
    own = make_dataset(store, "own")
    other = make_dataset(store, "other", seed=5)
    run = make_run(store, own, evaluated=True)
    at = opened(run=run.id)
    at.selectbox(key="other_dataset").set_value(other.id).run()
    at.button(key="evaluate_other").click().run()
    assert not at.exception
    assert store.jobs()[0].request["dataset"] == other.id


def test_the_evaluations_of_a_run_can_be_told_apart(store):
    own = make_dataset(store, "own")
    other = make_dataset(store, "other", seed=5)
    run = make_run(store, own, evaluated=True)
    add_evaluation(run, other, n=777)
    at = opened(run=run.id)
    assert "2,000 test rows of own" in texts(at)
    at.selectbox(key=f"evaluated_on_{run.id}").set_value(other.id).run()
    assert not at.exception
    assert "777 usable rows of other" in texts(at)


def test_an_evaluation_on_a_deleted_dataset_is_still_shown(store):
    folder = make_dataset(store)
    run = make_run(store, folder, evaluated=True)
    folder.delete()
    at = opened(run=run.id)
    assert not at.exception
    assert "deleted" in texts(at)


def test_a_failed_evaluation_shows_its_sentence(store):
    folder = make_dataset(store)
    run = make_run(store, folder)
    job = store.new_job("evaluate")
    write_json(job.request_path, {"kind": "evaluate", "run": run.id, "dataset": folder.id})
    status = {
        "state": "failed",
        "kind": "evaluate",
        "message": "No usable row.",
        "user_error": True,
    }
    write_json(job.status_path, status)
    at = opened(run=run.id)
    assert not at.exception
    assert any("No usable row" in error.value for error in at.error)


def test_a_scaler_that_saw_the_test_rows_is_named(store):
    run = make_run(store, make_dataset(store), evaluated=True, fit_on="all")
    assert "not independent" in texts(opened(run=run.id))


def test_the_density_can_be_drawn_coarser_and_in_other_colours(store):
    run = make_run(store, make_dataset(store), evaluated=True)
    at = opened(run=run.id)
    at.select_slider(key="cells").set_value(50).run()
    at.selectbox(key="colours").set_value("viridis").run()
    assert not at.exception
    assert "0.012 × 0.012" in texts(at)


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.4, "4 s"), (75, "1 min 15 s"), (3700, "1 h 1 min"), (-3, "0 s")]
)
def test_durations_are_written_in_two_units(seconds, text):
    assert duration(seconds) == text
