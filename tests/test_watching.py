"""A run watched in a real browser: the page stands still while it learns, and tells its end."""

import filelock
import pytest

from redshift_core import jobs
from redshift_core.settings.presets import preset
from tests.browser import Server, Visit, browser

pytestmark = pytest.mark.browser

RECORD = """
window.places = {};
window.watching = setInterval(() => {
    const main = document.querySelector('[data-testid=stMain]');
    if (!document.querySelector('[data-testid=stProgress]')) return;  // it has ended
    for (const [name, selector] of Object.entries({
        bars: '[data-testid=stProgress]', figures: '[data-testid=stMetric]',
        curves: '[data-testid=stColumn]',
    })) document.querySelectorAll(selector).forEach((element, number) => {
        const { top, bottom } = element.getBoundingClientRect();
        const place = [top, bottom].map(y => Math.round(y + main.scrollTop)).join('-');
        (window.places[`${name} ${number}`] ??= new Set()).add(place);
    });
}, 100);
"""
READ = "Object.fromEntries(Object.entries(window.places).map(([k, v]) => [k, [...v]]))"


def test_a_watched_run_stands_still_while_it_learns_and_announces_its_end(store, dataset, tmp_path):
    config = preset("fast", dataset.id).with_values({"epochs": 150})
    server = Server(store.root, tmp_path / "server.txt").start()
    try:
        with browser() as context:
            with filelock.FileLock(store.locks / "device.lock"):  # it begins when the page is there
                run = jobs.start_training(store, config, "Watched")
                visit = Visit(context.new_page(), server).open(f"train?view=Runs&run={run.id}")
                page = visit.page
                page.get_by_text("curve appears after the first epoch").first.wait_for()
            page.get_by_text("Time in epochs").wait_for()
            page.wait_for_timeout(500)  # the page's own parts are loaded
            page.evaluate(RECORD)
            page.get_by_test_id("stVegaLiteChart").first.wait_for()
            page.get_by_test_id("stToast").get_by_text("Watched has finished").wait_for()
            places = page.evaluate(f"clearInterval(window.watching); {READ}")
            assert {"bars 0", "bars 1", "figures 5", "curves 1"} <= set(places)
            assert {name: seen for name, seen in places.items() if len(seen) > 1} == {}
            page.get_by_role("link", name="Evaluate it").click()
            page.get_by_role("heading", name="Evaluate", level=1).wait_for()
            assert visit.settle().errors == []
    finally:
        server.stop()
