"""The role for viewers: everything is shown, nothing in the store changes, and it says so."""

from __future__ import annotations

import pytest

from pages.ui import access
from redshift_core import data, jobs
from redshift_core.data.archive.unfinished import discard
from redshift_core.errors import ReadOnlyError
from redshift_core.jobs import housekeeping, in_use
from redshift_core.settings.presets import preset
from redshift_core.store import Store, atomic, write_json
from redshift_core.store.archive import import_run
from redshift_core.store.read_only import VARIABLE
from tests.pages.made_up import make_dataset, make_run, make_survey, open_page, texts

SAID = "Nothing was started, changed or deleted"


@pytest.fixture
def viewed(store, monkeypatch):
    """Store with a dataset and a run, looked at in a process for viewers."""
    dataset = make_dataset(store)
    run = make_run(store, dataset, evaluated=True)
    monkeypatch.setenv(VARIABLE, "1")
    return store, dataset, run


def content(store: Store) -> dict[str, int]:
    """Every file and folder of the store, and when it was changed."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in store.root.rglob("*")
        if path.is_file() or not any(path.iterdir())
    }


def test_no_function_of_the_core_writes_into_the_store(viewed, tmp_path, monkeypatch):
    store, dataset, run = viewed
    survey = make_survey(tmp_path / "survey.parquet", n=200)
    before = content(store)
    attempts = (
        lambda: jobs.start(store, "simulate", n=100, seed=1),
        lambda: jobs.start_training(store, preset("fast", dataset.id)),
        lambda: jobs.resume(run, 90),
        lambda: jobs.submit(run, {"kind": "train"}),
        lambda: jobs.kill(run),
        lambda: in_use.delete(store, dataset),
        lambda: run.delete(),
        lambda: run.update_info(name="other"),
        lambda: write_json(run.info_path, {"name": "other"}),
        lambda: import_run(store, tmp_path / "run.zip"),
        lambda: housekeeping.clean(store),
        lambda: discard(store, None),
        lambda: store.new_dataset("new"),
        lambda: data.ingest(survey, store),
    )
    for attempt in attempts:
        with pytest.raises(ReadOnlyError, match=SAID):
            attempt()
    assert content(store) == before
    with atomic(tmp_path / "elsewhere.txt") as part:
        part.write_text("what is asked for outside the store is written")
    monkeypatch.setenv(VARIABLE, "0")
    run.update_info(name="other")
    assert run.name == "other"


def test_pages_show_all_and_refuse_in_one_sentence(viewed):
    store, dataset, run = viewed
    before = content(store)
    for page in ("data", "evaluate", "train"):
        at = open_page(page, dataset=dataset.id, run=run.id)
        assert not at.exception
        assert "For viewers" in texts(at)
        assert not at.get("file_uploader")
        wanted = {"data": "Delete for good", "train": "Start training"}.get(page)
        pressed = [one for one in at.button if one.label == wanted]
        assert bool(pressed) == bool(wanted), [one.label for one in at.button]
        for one in pressed:
            one.click().run()
            assert not at.exception
            assert SAID in texts(at)
    assert "Open the link of a prediction" in texts(open_page("predict"))
    assert content(store) == before


def test_a_server_that_asks_to_sign_in_shows_nothing_before(store, monkeypatch):
    monkeypatch.setenv(access.LOGIN, "1")
    at = open_page("data")
    assert not at.exception
    assert [one.label for one in at.button] == ["Sign in"]
    assert not at.tabs
