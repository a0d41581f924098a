"""Home's line on what the store holds, and what is left of predictions that were removed."""

from redshift_core.jobs import housekeeping
from redshift_core.jobs.housekeeping import LIMIT_NAME
from tests.pages.test_app import app, button, fake_run, words
from tests.test_housekeeping import made


def test_home_says_what_the_store_holds_and_cleans_it_up(store, dataset):
    fake_run(store, dataset.id, "one", "finished")
    job = made(store, n_bytes=250_000)
    at = app()
    assert not at.exception
    assert "This store holds 1 dataset (" in words(at)
    assert "1 run (" in words(at)
    assert "files made for download by 1 job (250 kB)" in words(at)
    assert "stay until they exceed 5 GB" in words(at)
    button(at, "Remove them now (250 kB)").click().run()
    assert not at.exception
    assert not job.output.exists()
    assert at.toast[0].value == "Removed the output of 1 job: 250 kB."
    assert "for download by" not in words(at)
    assert button(at, "Remove them now (0 bytes)").disabled


def test_an_empty_store_has_no_such_line(store):
    assert "This store holds" not in words(app())


def test_a_limit_that_cannot_be_read_is_told(store, monkeypatch):
    monkeypatch.setenv(LIMIT_NAME, "much")
    made(store)
    assert "must be a size with its unit" in words(app())


def test_predictions_that_were_removed_are_offered_again(store, dataset):
    fake_run(store, dataset.id, "one", "finished")
    job = made(store)
    job.request_path.write_text('{"kind": "predict", "file": "/somewhere/new.csv"}')
    table = job.output / "predictions.parquet"
    job.result_path.write_text(f'{{"files": ["{table}"], "rows": 1, "flagged": {{}}}}')
    housekeeping.clean(store)
    at = app("Predict", job=job.id)
    assert not at.exception
    assert "The predictions of new.csv were removed to make room" in words(at)
