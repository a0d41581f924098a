"""Predict's door for a catalogue: two folders, progress, what failed, resume."""

import os
import time

import psutil
import pytest

from pages.ui import server
from redshift_core import jobs
from redshift_core.store import write_json
from tests.pages.made_up import (
    every_slot_taken,
    make_dataset,
    make_run,
    make_survey,
    open_page,
    texts,
)

VERDICT = {"unlike": False, "text": "They are the kind of data the run was trained on."}
RESULT = {
    "rows": 1200, "rows_now": 800, "parts": 3, "n_parts": 4, "n_failed": 1, "rate": 4321.4,
    "seconds": 2.0, "flagged": {}, "verdict": VERDICT, "out": "/data/out", "hats": False,
    "manifest": "/data/out/manifest.jsonl", "simulated": True,
    "failed": [{"part": "deep/b.parquet", "why": "b.parquet is a broken Parquet file."}],
}  # fmt: skip


@pytest.fixture
def run(store):
    return make_run(store, make_dataset(store))


def ended(store, run, state="finished", **status):
    job = store.new_job("catalogue")
    request = {"run": run.id, "file": "/data/in", "out": "/data/out", "workers": 2}
    write_json(job.request_path, {"kind": "catalogue", **request})
    write_json(job.status_path, {"state": state, "kind": "catalogue", **status})
    return job


def test_two_folders_start_the_job(store, run, tmp_path):
    at = open_page("predict")
    at.text_input(key="catalogue_source").set_value(str(tmp_path / "no"))
    at.text_input(key="catalogue_out").set_value(str(tmp_path / "out"))
    press(at, "Predict the catalogue")
    assert "There is no folder" in texts(at)
    root = tmp_path / "parts"
    root.mkdir()
    make_survey(root / "a.parquet", 30, with_z=False)
    at.text_input(key="catalogue_source").set_value(f" {root} ")
    at.number_input(key="catalogue_workers").set_value(1)
    with every_slot_taken(store):
        press(at, "Predict the catalogue")
        assert not at.exception
        (job,) = store.jobs()
        wanted = {
            "kind": "catalogue", "run": run.id, "file": str(root), "out": str(tmp_path / "out"),
            "workers": 1,
        }  # fmt: skip
        assert {key: job.request.get(key) for key in wanted} == wanted
        assert "pdf" not in job.request


def test_folders_are_not_chosen_where_others_reach_the_dashboard(store, run, monkeypatch):
    monkeypatch.setattr(server, "is_local", lambda: False)
    at = open_page("predict")
    assert "can be reached from other machines" in texts(at)
    assert "catalogue_source" not in {field.key for field in at.text_input}


def test_the_server_listens_to_this_machine_by_default():
    assert server.is_local()


def test_while_it_runs_the_page_says_how_far_it_is(store, run):
    me = psutil.Process()
    said = "Predicted 1,000 spectra in 2 of 4 parts, 500 spectra/s, 1 failed."
    job = ended(
        store, run, "running", message=said, done=50, total=100, pid=os.getpid(),
        pid_started=me.create_time(), heartbeat=time.time(), submitted=time.time(),
        detail={"seconds_left": 90.0, "n_failed": 1, "failed": RESULT["failed"]},
    )  # fmt: skip
    at = open_page("predict", job=job.id)
    assert not at.exception
    shown = at.get("progress")[0].proto
    assert (shown.value, "2 of 4 parts" in shown.text) == (50, True)
    assert "left" in shown.text
    at.button(key=f"stop_{job.id}").click().run()
    assert job.stop_path.exists()
    assert "1 part could not be predicted" in texts(at)


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_what_is_missing_is_named_and_done_by_a_click(store, run, state):
    job = ended(store, run, state, message="Something.", user_error=True)
    if state != "failed":
        write_json(job.result_path, RESULT)
    at = open_page("predict", job=job.id)
    assert not at.exception
    if state != "failed":
        assert [metric.value for metric in at.metric] == ["1,200", "3 of 4", "4,321"]
        assert VERDICT["text"] in texts(at)
        assert f"in, by run {run.id}, trained on SIMULATED spectra" in texts(at)
        table = next(one.value for one in at.dataframe if "Reason" in one.value)
        assert table.Part.tolist() == ["deep/b.parquet"]
    with every_slot_taken(store):
        at.button(key="resume_catalogue").click().run()
        again = next(one for one in store.jobs() if one.id != job.id)
        assert again.request == job.request
        assert jobs.status(again).kind == "catalogue"


def test_a_whole_catalogue_has_nothing_to_resume(store, run):
    job = ended(store, run)
    whole = {"parts": 4, "n_failed": 0, "failed": [], "hats": True}
    write_json(job.result_path, {**RESULT, **whole})
    at = open_page("predict", job=job.id)
    assert "a HATS catalogue as the input is" in texts(at)
    assert "resume_catalogue" not in {button.key for button in at.button}


def press(at, label):
    next(button for button in at.button if button.label == label).click().run()
