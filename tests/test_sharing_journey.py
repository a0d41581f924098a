"""In a real browser: two runs compared, a report taken away and opened from disk, offline."""

from __future__ import annotations

import time
import zipfile

import pytest

from redshift_core.reports.run import write_report
from redshift_core.store.arrays import save_arrays
from tests.browser import Server, Visit, browser
from tests.pages.made_up import make_run
from tests.test_journey import DESKTOP, PHONE, charts, check_clean

pytestmark = pytest.mark.browser

DRAWN = "document.querySelectorAll('.chart .main-svg').length >= 5"
AXIS = "document.querySelectorAll('.chart')[{}].layout.xaxis.range"


def until(page, condition: str, seconds: float = 30.0) -> None:
    """Wait by asking again: the report's own policy forbids what ``wait_for_function`` does."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


@pytest.fixture
def server(store, tmp_path):
    running = Server(store.root, tmp_path / "server.txt").start()
    yield running
    running.stop()


@pytest.fixture
def runs(store, dataset):
    made = [
        make_run(store, dataset, name=name, evaluated=True, batch_size=size)
        for name, size in (("small batches", 16), ("large batches", 256))
    ]
    for run in made:
        save_arrays(run.scaler_path, {})
        save_arrays(run.coverage_path, {})
        with zipfile.ZipFile(run.model_path, "w") as model:
            model.writestr("config.json", "{}")
    return made


def test_two_runs_are_compared_and_the_address_brings_the_same_view_back(server, runs):
    with browser(*DESKTOP) as context:
        visit = Visit(context.new_page(), server).open(f"compare?runs={runs[0].id}")
        charts(visit, 2)
        visit.page.get_by_role("combobox", name="Runs").click()
        visit.page.get_by_role("option", name="large batches").click()
        visit.page.keyboard.press("Escape")
        legend = "[...document.querySelectorAll('.js-plotly-plot')].map(d => d.data.length).join()"
        visit.page.wait_for_function(f"{legend} === '3,3'")
        visit.settle().shot("compare")
        address = visit.page.url
        again = Visit(context.new_page(), server)
        again.page.goto(address)
        again.page.wait_for_function(f"{legend} === '3,3'")
        assert f"runs={runs[0].id}%2C{runs[1].id}" in address.replace(",", "%2C")
        check_clean(visit)
        check_clean(again)


def test_a_report_is_made_taken_away_and_the_reproduction_shown(server, runs, tmp_path):
    with browser(*DESKTOP) as context:
        visit = Visit(context.new_page(), server).open(f"reproduce?run={runs[0].id}")
        charts(visit, 3)
        visit.page.get_by_role("button", name="Report and share").click()
        visit.page.get_by_role("button", name="Make report and ZIP").click()
        link = visit.page.get_by_role("link", name="small-batches.html")
        link.wait_for()
        with visit.page.expect_download() as started:
            link.click()
        started.value.save_as(tmp_path / "small.html")
        assert "small batches" in (tmp_path / "small.html").read_text(encoding="utf-8")
        assert visit.page.get_by_role("link", name="small-batches.zip").is_visible()
        visit.settle().shot("reproduce")
        check_clean(visit)


def test_a_report_opens_from_disk_without_network_and_its_figures_zoom(runs, store, tmp_path):
    report = write_report(runs[0], tmp_path / "report.html", store)
    asked, errors = [], []
    with browser(*DESKTOP) as context:
        context.set_offline(True)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url.partition(":")[0]))
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(report.as_uri())
        until(page, DRAWN)
        before = page.evaluate(AXIS.format(0))
        chart = page.locator(".chart").first
        chart.scroll_into_view_if_needed()
        box = chart.locator(".nsewdrag").first.bounding_box()
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 0.3 * box["width"], middle)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.6 * box["width"], middle + 60, steps=5)
        page.mouse.up()
        until(page, f"{AXIS.format(0)}[0] > {before[0]} + 1")
        after = page.evaluate(AXIS.format(0))
        assert before[0] < after[0] < after[1] < before[1]
        page.emulate_media(color_scheme="dark")  # the zoom outlives a change of colours
        until(page, "document.querySelector('.chart').layout.font.color === '#e3e7ed'")
        assert page.evaluate(AXIS.format(0)) == after
        assert set(asked) <= {"file", "data", "blob"}
        assert asked.count("file") == 1
        assert errors == []


def test_a_report_fits_a_phone(runs, store, tmp_path):
    report = write_report(runs[0], tmp_path / "report.html", store)
    with browser(*PHONE, "dark") as context:
        page = context.new_page()
        page.goto(report.as_uri())
        until(page, DRAWN)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0
