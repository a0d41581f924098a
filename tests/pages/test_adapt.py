"""Predict: the offer to adapt a run to the spectra it has just been applied to."""

import numpy as np
import pandas as pd
import pytest

from pages.ui import server
from pages.ui.data import intake
from redshift_core import jobs
from redshift_core.store import Store, write_json
from redshift_core.store.arrays import save_arrays
from tests.pages.made_up import (
    every_slot_taken,
    make_dataset,
    make_run,
    make_survey,
    open_page,
    texts,
)


@pytest.fixture
def predicted(store):
    """Finished prediction of a file by a run of 600 made-up galaxies, whose median z is 0.1512."""
    run = make_run(store, make_dataset(store, n=600))
    prior = np.zeros(240)
    prior[60] = 400.0  # 0.15 to 0.1525
    save_arrays(run.prior_path, {"training": prior})
    return prediction(store, run, make_survey(store.inbox / "new.parquet", 500, 2, with_z=False))


def prediction(store, run, file):
    job = store.new_job("predict")
    job.output.mkdir()
    table = pd.DataFrame({"row": range(3), "z_phot": [0.2, 0.3, 0.4], "flags": [""] * 3})
    out = job.output / "predictions.parquet"
    table.to_parquet(out)
    write_json(job.request_path, {"kind": "predict", "run": run.id, "file": str(file)})
    write_json(job.status_path, {"state": "finished", "kind": "predict"})
    write_json(job.result_path, {"rows": 3, "flagged": {}, "out": str(out), "files": [str(out)]})
    return job


def test_the_offer_says_when_not_to_and_how_the_redshifts_differ(predicted):
    at = open_page("predict", job=predicted.id)
    assert not at.exception
    assert "near ones are turned into their likeness" in texts(at)
    assert "median redshift 0.151, and it gave these spectra 0.300" in texts(at)
    assert at.button(key="adapt_run")


def test_the_button_adapts_the_run_and_leads_to_the_new_one(store, predicted):
    at = open_page("predict", job=predicted.id)
    with every_slot_taken(store):  # the training is real but waits
        at.button(key="adapt_run").click().run()
        (job,) = (one for one in store.jobs() if one.request["kind"] == "adapt")
        assert jobs.wait(job, timeout=60).state == "finished", jobs.log_tail(job)
        at.run()
        assert not at.exception
        assert job.result["n_target"] == 500
        assert any("500 spectra of new.parquet" in one.value for one in at.success)
        (link,) = [one for one in at.get("page_link") if "Watch the new run" in one.proto.label]
        assert f"run={job.result['run']}" in link.proto.query_string
        assert store.run(job.result["run"]).config.dataset == job.result["dataset"]
    at = open_page("data", dataset=job.result["dataset"])
    assert not at.exception
    shown = "".join(table.value.to_string() for table in at.table)
    assert "moved to the mean and covariance of 500 spectra of new.parquet" in shown


def test_a_file_that_is_gone_must_be_chosen_again(store, predicted):
    (store.inbox / "new.parquet").unlink()
    at = open_page("predict", job=predicted.id)
    assert "not here any more" in texts(at)
    assert "adapt_run" not in {button.key for button in at.button}


def test_the_upload_that_was_predicted_last_is_kept(store):
    def uploaded(name):
        folder = store.inbox / f"{server.UPLOAD_PREFIX}{name}"
        folder.mkdir()
        (folder / "a.csv").write_text("z")
        return folder / "a.csv"

    run = make_run(store, make_dataset(store))
    earlier, last = uploaded("earlier"), uploaded("last")
    for file in (earlier, last):
        prediction(store, run, file)
    intake.tidy(Store())
    assert (earlier.exists(), last.exists()) == (False, True)
