"""A search in a real browser: watched, stopped, resumed by a new server, its best trained."""

from __future__ import annotations

import pytest

from redshift_core import jobs
from redshift_core.store import Store
from tests.browser import Server, Visit, browser

pytestmark = pytest.mark.browser

LONG = 120_000  # ms a short search or training may take on a busy machine


@pytest.fixture
def server(store, tmp_path):
    running = Server(store.root, tmp_path / "server.txt").start()
    yield running
    running.stop()
    for job in (*store.tunings(), *store.runs()):
        if jobs.status(job).active:
            jobs.stop(job)
            jobs.wait(job, timeout=60)


def ended(store: Store) -> list[str]:
    """Trials of the only search that have ended."""
    (tuning,) = store.tunings()
    return [one.trial for one in tuning.trials if one.state in ("finished", "failed")]


def fill(visit: Visit, label: str, value: int) -> None:
    box = visit.page.get_by_label(label, exact=True)
    box.fill(str(value))
    box.press("Enter")
    visit.settle()


def curve(visit: Visit, slot: str) -> None:
    """Wait until one of the live charts is drawn."""
    charts = visit.page.locator(f".st-key-{slot}")
    charts.locator("canvas, svg").first.wait_for(timeout=LONG)


def test_a_search_is_watched_stopped_resumed_by_a_new_server_and_its_best_trained(
    server, store, dataset
):
    with browser(1400, 900) as context:
        visit = Visit(context.new_page(), server).open(f"tune?dataset={dataset.id}")
        page = visit.page
        # In the page itself: Streamlit's own Stop stands in the header while a script runs.
        stop = page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True)
        fill(visit, "Trials", 40)
        fill(visit, "Epochs per trial", 1)
        page.get_by_role("button", name="Start the search").click()
        curve(visit, "best_slot")
        curve(visit, "curve_slot")
        assert "SIMULATED" in visit.text()
        visit.shot("tune_live")
        stop.click()
        page.get_by_role("button", name="Resume").wait_for(timeout=LONG)
        (tuning,) = store.tunings()
        before, begun = ended(store), len(tuning.trials)
        assert before
        assert begun < 40

        assert visit.errors == []
        server.stop()
        server.start()
        visit.open(f"tune?search_view=Searches&tuning={tuning.id}")
        visit.errors.clear()  # of the connection that the restart cut
        fill(visit, "Trials in all", begun + 1)
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("button", name="Continue with more trials").wait_for(timeout=LONG)
        assert ended(store)[: len(before)] == before
        assert len(ended(store)) == len(tuning.trials) == begun + 1

        visit.settle()
        page.get_by_role("button", name="Train the best").click()
        page.get_by_role("heading", name="Train", level=1).wait_for()
        stop.wait_for(timeout=LONG)
        (run,) = store.runs()
        best = min((t for t in tuning.trials if t.score), key=lambda one: one.score)
        assert run.config == tuning.trial(best.trial).config
        assert visit.strangers == []
        assert visit.errors == []
        assert "tensorflow" not in server.maps()
        assert "Traceback" not in server.log.read_text()
