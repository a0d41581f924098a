"""In a real browser: another prior changes what the whole of Evaluate shows, and its address."""

from __future__ import annotations

import re

import pytest

from redshift_core.runs import Store
from tests.browser import Server, Visit, browser
from tests.pages.made_up import add_densities, make_dataset, make_run

pytestmark = pytest.mark.browser


def headline(visit):
    """The MAE that the page shows."""
    card = visit.page.get_by_test_id("stMetric").filter(has_text=re.compile("^MAE")).first
    return card.get_by_test_id("stMetricValue")


def test_the_slider_between_the_priors_changes_the_headline_and_the_address(tmp_path):
    store = Store(tmp_path / "home")
    folder = make_dataset(store)
    run = make_run(store, folder)
    add_densities(run, folder, n=400)
    server = Server(store.root, tmp_path / "server.txt").start()
    try:
        with browser() as context:
            visit = Visit(context.new_page(), server).open(f"evaluate?run={run.id}")
            mae = headline(visit)
            trained = mae.inner_text()
            visit.page.get_by_role("slider", name=re.compile("^Prior")).press("End")
            visit.page.wait_for_url(re.compile("estimate=median%2Cflat%2C1.0"))
            visit.page.get_by_text("Computed now from the stored p(z)").wait_for()
            flat = mae.inner_text()
            assert flat != trained
            said = visit.page.get_by_text("With the prior of the training set").inner_text()
            assert trained in said
            assert flat in said
            other = Visit(context.new_page(), server)
            other.open(visit.page.url.removeprefix(f"{server.url}/"))
            assert headline(other).inner_text() == flat
            for one in (visit, other):
                assert (one.strangers, one.errors) == ([], [])
    finally:
        server.stop()
