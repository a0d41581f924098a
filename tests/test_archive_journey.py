"""From the archive to a dataset in a real browser: counted, fetched, stopped, resumed, named.

The archive is a stand-in on the loopback; its data are SIMULATED.
"""

import threading

import pytest

from redshift_core.store import Store
from tests.archive_galaxies import ids_of, small_archive
from tests.archive_standin import serving
from tests.browser import Server, Visit, browser


@pytest.fixture
def archive(monkeypatch):
    """Stand-in with 20 galaxies, one without a spectrum; its third chunk waits for the gate."""
    archive = small_archive(20)
    del archive.spectra[ids_of(20)[3]]
    archive.gate = threading.Event()

    def wait(kind, number):
        if kind == "data-server" and number == 2:
            archive.gate.wait(60)
        return ""

    archive.faults = wait
    with serving(archive):
        monkeypatch.setenv("REDSHIFT_LAB_XMATCH", archive.url + "xmatch")
        yield archive


@pytest.mark.study  # half a minute; tests/pages/test_archive.py has its steps without a browser
def test_a_fetch_is_stopped_and_resumed_in_the_browser(store, archive, tmp_path):
    server = Server(store.root, tmp_path / "server.txt").start()
    try:
        with browser() as context:
            visit = Visit(context.new_page(), server)
            fetch(visit, archive)
            stop_and_resume(visit, archive)
            with visit.page.expect_download() as download:
                visit.page.get_by_role("button", name="Download the missing ids").click()
            text = download.value.path().read_text("utf-8")
            assert text.split() == ["source_id", str(ids_of(20)[3])]
            assert not visit.strangers
            assert not visit.errors
    finally:
        archive.gate.set()
        server.stop()
    (dataset,) = Store().datasets()
    assert dataset.name == "Mine"
    assert (dataset.info["n_rows"], dataset.info["n_usable"]) == (19, 19)
    had = {one for ids in archive.asked[:2] for one in ids}
    again = {one for ids in archive.asked[2:] for one in ids}
    assert len(had) == 10
    assert not had & again - {ids_of(20)[3]}  # what had come before the stop is not asked for anew


def fetch(visit, archive):
    """Choose the stand-in, ask for the number, and begin."""
    page = visit.open("data").page
    page.get_by_role("tab", name="From the archive").click()
    page.get_by_label("Archive", exact=True).click()
    page.get_by_role("option", name="Another service").click()
    enter(visit, "textbox", "Its address", archive.url)
    page.get_by_text("More settings").click()
    enter(visit, "spinbutton", "Sources asked for at once", "5")
    enter(visit, "textbox", "Name of the dataset", "Mine")
    page.get_by_role("button", name="How many are there?").click()
    page.get_by_text("Their spectra take 4 calls").wait_for()
    assert archive.counts["data-server"] == 0
    page.get_by_role("button", name="Fetch them").click()


def stop_and_resume(visit, archive):
    """Stop in the third chunk, come back later, go on."""
    page = visit.page
    page.get_by_text("10 of 20 sources fetched").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Unfinished fetches").wait_for()  # it does not wait for the answer
    archive.gate.set()
    visit.open("data")  # later, by a bare address
    page.get_by_text("sources have come").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("no spectrum of 1 of the 20 sources").wait_for()


def enter(visit, role, name, text):
    """Type into a field as a visitor does, and leave it."""
    field = visit.settle().page.get_by_role(role, name=name)
    field.fill(text)
    field.press("Enter")
    visit.settle()
