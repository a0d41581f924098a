"""Evaluate, last section: the redshifts on perturbed spectra, with and without a result."""

import time

import pytest

from redshift_core.evaluation import stress
from redshift_core.store import write_json
from tests.pages.made_up import (
    add_evaluation,
    every_slot_taken,
    make_dataset,
    make_run,
    open_page,
    stress_lines,
    texts,
)

WANTED = "stress"  # key of the button


@pytest.fixture
def judged(store):
    folder = make_dataset(store)
    run = make_run(store, folder)
    add_evaluation(run, folder, n=400)
    return run, folder


def keys(at):
    return {button.key for button in at.button}


def add_result(run, folder, epochs=5):
    result = {
        "run": run.id, "dataset": folder.id, "rows": "test", "n_rows": 400, "simulated": True,
        "epochs": epochs, "seed": 12, "lines": stress_lines(),
    }  # fmt: skip
    write_json(run.stress_path(folder.id), result)


def test_without_a_result_one_click_asks_for_it(store, judged):
    run, folder = judged
    with every_slot_taken(store):
        at = open_page("evaluate", run=run.id)
        assert not at.exception
        at.button(key=WANTED).click().run()
        assert not at.exception
        (job,) = store.jobs()
        assert job.request == {"kind": "stress", "run": run.id, "dataset": folder.id}
        assert WANTED not in keys(at)
        assert f"stop_{job.id}" in keys(at)


def test_a_result_is_a_table_a_figure_and_sentences(judged):
    run, folder = judged
    before = open_page("evaluate", run=run.id)
    add_result(run, folder)
    at = open_page("evaluate", run=run.id)
    assert not at.exception
    assert len(at.get("plotly_chart")) == len(before.get("plotly_chart")) + 1
    shown = at.dataframe[-1].value
    assert shown.MAE.tolist() == [line["mae"] for line in stress_lines()]
    assert shown.spectra[0] == "as they are"
    said = texts(at)
    assert "does not warn of white noise 1e-2" in said
    assert "100 galaxies, evenly spread over 400 rows" in said
    assert stress.CAPTION in said
    assert at.button(key=WANTED).label == "Judge again"


def test_a_result_of_fewer_epochs_is_not_shown(judged):
    run, folder = judged
    add_result(run, folder, epochs=4)
    at = open_page("evaluate", run=run.id)
    assert not at.exception
    assert at.button(key=WANTED).label == "Perturb the spectra"
    assert "does not warn" not in texts(at)


def test_a_job_that_failed_says_why_and_can_be_tried_again(store, judged):
    run, folder = judged
    job = store.new_job("stress")
    write_json(job.request_path, {"kind": "stress", "run": run.id, "dataset": folder.id})
    status = {"state": "failed", "message": "It is gone.", "heartbeat": time.time()}
    write_json(job.status_path, {**status, "user_error": True})
    at = open_page("evaluate", run=run.id)
    assert not at.exception
    assert "It is gone." in texts(at)
    assert WANTED in keys(at)


def test_of_a_deleted_dataset_nothing_is_offered(judged):
    run, folder = judged
    add_result(run, folder)
    folder.delete()
    at = open_page("evaluate", run=run.id)
    assert not at.exception
    assert WANTED not in keys(at)
    assert "does not warn" in texts(at)
