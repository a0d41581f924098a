"""The door *From the archive*, against a stand-in on the loopback. All data are SIMULATED."""

import time
from pathlib import Path

import filelock
import psutil
import pytest

from pages.ui.data import intake
from redshift_core import jobs
from redshift_core.data.archive import candidates, fetch_job
from redshift_core.data.archive.request import FetchRequest
from redshift_core.data.archive.unfinished import discard, unfinished
from redshift_core.errors import InputError
from redshift_core.store import JobContext, write_json
from tests.archive_galaxies import ids_of, small_archive
from tests.archive_standin import serving
from tests.pages.made_up import open_page, texts

FAST = {"tries": 2, "wait": 0.01, "timeout": 5.0}


@pytest.fixture
def archive(monkeypatch):
    with serving(small_archive(20)) as served:
        monkeypatch.setenv("REDSHIFT_LAB_XMATCH", served.url + "xmatch")
        yield served


def door(archive, **query):
    """The page with the stand-in as its archive."""
    at = open_page("data", **query)
    at.selectbox(key="archive_service").select("other").run()
    at.text_input(key="archive_address").input(archive.url).run()
    assert not at.exception
    return at


def query_of(at):
    return next(area for area in at.text_area if (area.key or "").startswith("archive_adql_"))


def keys(at):
    return {button.key for button in at.button}


def press(at, key, store):
    """Press a button that starts a job, and look again when that has ended."""
    at.button(key=key).click().run()
    jobs.wait(store.jobs()[0], timeout=100)
    at.run()
    assert not at.exception


def broken_off(store, archive, **request):
    """A fetch of 20 sources that failed after its second chunk of five."""
    archive.faults = lambda kind, n: "500" if kind == "data-server" and n >= 2 else ""
    values = {"service": archive.url, "name": "cut <short>", "chunk": 5, **FAST, **request}
    values |= {} if "ids" in request else {"adql": candidates("Gaia DR3")}
    job = store.new_job("fetch")
    write_json(job.request_path, {"kind": "fetch", **values})
    with pytest.raises(InputError, match="What has come is kept"):
        fetch_job(JobContext(job, store))
    archive.faults = lambda *_: ""
    return FetchRequest.from_dict(values)


def test_the_number_comes_first_and_is_that_of_the_query_shown(store, archive):
    at = door(archive)
    assert "archive_fetch" not in keys(at)
    press(at, "archive_count", store)
    assert "**20 sources.** Their spectra take 1 call to" in texts(at)
    assert archive.counts["data-server"] == 0  # nothing large has moved
    at.selectbox(key="archive_redshifts").select("none").run()
    assert "archive_fetch" in keys(at)  # the number is the same, whatever the redshifts
    query_of(at).input("SELECT source_id FROM gaiadr3.gaia_source WHERE ra > 150").run()
    assert "archive_fetch" not in keys(at)
    assert "asked for first" in texts(at)


def test_the_query_follows_the_choice_and_the_visitor_may_change_it(store, archive):
    at = door(archive)
    assert query_of(at).value == candidates("Gaia DR3")
    at.selectbox(key="archive_cuts").select("pure").run()
    assert "radius_sersic IS NOT NULL" in query_of(at).value
    at.segmented_control(key="archive_sample").select("A circle on the sky").run()
    assert "CIRCLE('ICRS', 180.0, 0.0, 1.0)" in query_of(at).value
    at.checkbox(key="archive_only").uncheck().run()
    assert "LEFT JOIN gaiadr3.galaxy_candidates" in query_of(at).value
    query_of(at).input("SELECT nonsense FROM gaiadr3.gaia_source").run()
    press(at, "archive_count", store)
    assert "the query was refused" in texts(at)
    assert "archive_fetch" not in keys(at)
    assert "What could not be read" not in "".join(one.label for one in at.expander)


def test_a_list_of_ids_in_the_inbox_is_a_sample(store, archive):
    (store.inbox / "my.csv").write_text("\n".join(["source_id", *map(str, ids_of(7))]))
    at = door(archive)
    at.segmented_control(key="archive_sample").select("A list of source ids").run()
    assert "Still missing" in texts(at)
    assert "archive_count" not in keys(at)
    at.selectbox(key="inbox_archive_ids").select("my.csv").run()
    assert "archive_count" in keys(at)
    at.button(key="again_ids").click().run()
    assert (store.inbox / "my.csv").exists()
    assert "Still missing" in texts(at)


def test_an_address_that_is_none_is_said(store):
    at = open_page("data")
    at.selectbox(key="archive_service").select("other").run()
    at.text_input(key="archive_address").input("/etc").run()
    assert "'/etc' is no address" in texts(at).replace("\\", "")
    assert "archive_count" not in keys(at)


def test_what_broke_off_is_listed_and_goes_on(store, archive):
    missing = ids_of(20)[3]
    del archive.spectra[missing]
    broken_off(store, archive, redshifts="sdss")
    at = open_page("data")
    assert not at.exception
    said = texts(at)
    assert "10 of 20 sources have come" in said
    assert "cut \\<short\\>" in said
    asked = {one for ids in archive.asked for one in ids}
    (resume,) = [one for one in at.button if (one.key or "").startswith("resume_")]
    press(at, resume.key, store)
    again = {one for ids in archive.asked[2:] for one in ids}
    assert again == set(ids_of(20)) - asked  # what was lacking, and nothing that had come
    (dataset,) = store.datasets()
    assert dataset.info["n_rows"] == 19
    assert not unfinished(store)
    said = texts(at)
    assert "Unfinished fetches" not in said
    assert "no spectrum of 1 of the 20 sources" in said
    assert f"download_missing_{dataset.id}" in {one.key for one in at.get("download_button")}
    assert "From the archive" in {one.label for one in at.expander}
    assert dataset.info["archive"]["adql"] in {code.value for code in at.code}
    at.button(key=f"predict_{dataset.id}").click().run()
    assert not at.exception
    assert at.title[0].value == "Predict"
    assert Path(at.session_state["_file_predict"]).is_file()


def test_what_broke_off_can_be_discarded_but_not_while_it_is_fetched(store, archive):
    broken_off(store, archive)
    (one,) = unfinished(store)
    lock = filelock.FileLock(store.locks / f"{one.folder.name}.lock")
    with lock.acquire(), pytest.raises(InputError, match="stop it first"):
        discard(store, one)
    at = open_page("data")
    next(b for b in at.button if (b.key or "").startswith("discard_")).click().run()
    assert not at.exception
    assert not one.folder.exists()
    assert "Unfinished fetches" not in texts(at)


def test_a_fetch_at_work_is_not_among_the_unfinished(store, archive):
    request = broken_off(store, archive)
    job = store.new_job("fetch")
    write_json(job.request_path, {"kind": "fetch", **request.to_dict()})
    process = psutil.Process()
    alive = {"pid": process.pid, "pid_started": process.create_time(), "heartbeat": time.time()}
    write_json(job.status_path, {"state": "running", "kind": "fetch", **alive})
    at = open_page("data")
    assert "Unfinished fetches" not in texts(at)
    assert f"stop_{job.id}" in keys(at)


def test_an_uploaded_list_stays_until_its_fetch_has_ended_well(store, archive):
    folder = store.inbox / "upload-0a1b2c3d"
    folder.mkdir()
    path = folder / "ids.csv"
    path.write_text("\n".join(["source_id", *map(str, ids_of(20))]))
    broken_off(store, archive, ids=str(path))
    intake.tidy(store)
    assert path.exists()
    discard(store, unfinished(store)[0])
    intake.tidy(store)
    assert not path.exists()


def test_a_damaged_rest_of_a_fetch_is_passed_over(store, archive):
    broken_off(store, archive)
    (one,) = unfinished(store)
    (one.folder / "request.json").write_text("{")
    assert unfinished(store) == []
    assert not open_page("data").exception
