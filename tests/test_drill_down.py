"""In a real browser: from a bin, a point or a box on Evaluate to its galaxies; another prior."""

from __future__ import annotations

import re
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest

from redshift_core.store import Store
from tests.browser import Server, Visit, browser
from tests.pages.made_up import add_densities, add_evaluation, make_dataset, make_run

pytestmark = pytest.mark.browser

ROW = 35  # px, height of a line of a table, its head too


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Server, run and its table of predictions."""
    home = tmp_path_factory.mktemp("drill")
    store = Store(home / "home")
    folder = make_dataset(store)
    run = make_run(store, folder)
    add_evaluation(run, folder, n=400)
    running = Server(store.root, home / "server.txt").start()
    yield running, run, pd.read_parquet(run.predictions_path(folder.id))
    running.stop()


@pytest.fixture(scope="module")
def chromium():
    """One browser for the file, which keeps the dashboard's scripts."""
    with browser() as context:
        yield context


@contextmanager
def tabs(context):
    """The browser, whose tabs are closed in the end."""
    try:
        yield context
    finally:
        for page in context.pages:
            page.close()


def pick(visit, key, line):
    """Tick a line of a table, which is a canvas."""
    visit.page.locator(f".st-key-{key} canvas").first.click(
        force=True, position={"x": 14, "y": ROW * (line + 1.5)}
    )


def address(visit, name):
    return parse_qs(urlsplit(visit.page.url).query).get(name, [None])[0]


def drawn(visit, key):
    """Plotly's own element of a chart, once it is drawn."""
    # The last, because the figure before may not have left the page yet.
    chart = visit.page.locator(f".st-key-{key} .js-plotly-plot").last
    chart.locator(".main-svg").first.wait_for()
    chart.scroll_into_view_if_needed()
    return chart


def pixel(chart, x, y):
    """Where a point of the plot lies on the page."""
    return chart.evaluate(
        """(plot, [x, y]) => {
            const area = plot.getBoundingClientRect();
            const {xaxis: across, yaxis: up} = plot._fullLayout;
            return [area.left + across._offset + across.d2p(x), area.top + up._offset + up.d2p(y)];
        }""",
        [x, y],
    )


def listed(visit, tmp_path):
    """The list of galaxies, downloaded."""
    button = visit.page.get_by_role("button", name=re.compile("Download all"))
    with visit.page.expect_download() as started:
        button.click()
    started.value.save_as(tmp_path / "list.csv")
    return pd.read_csv(tmp_path / "list.csv")


def test_from_a_bin_to_its_galaxies_to_a_spectrum_with_lines_at_both_redshifts(
    scene, chromium, tmp_path
):
    server, run, table = scene
    with tabs(chromium) as context:
        visit = Visit(context.new_page(), server).open(f"evaluate?run={run.id}")
        page = visit.page
        drawn(visit, "error_per_bin")
        pick(visit, "bin_table", 1)
        page.get_by_role("button", name="z_spec 0.05–0.1").wait_for()
        visit.settle()
        pick(visit, "bin_table", 2)
        page.get_by_role("button", name="z_spec 0.1–0.15").wait_for()
        assert address(visit, "galaxy") is None  # the row ticked for the bin before
        assert address(visit, "bin") == "z_spec:0.1,0.15"
        found = listed(visit, tmp_path)
        wanted = table[(table.z_spec >= 0.1) & (table.z_spec < 0.15)]
        assert sorted(found.row) == wanted.row.tolist()

        row = int(found.row[1])
        page.get_by_role("button", name="Next").focus()
        page.keyboard.press("n")  # the key, not the button
        page.get_by_text(f"2 of {len(wanted)}").wait_for()
        assert address(visit, "galaxy") == str(row)
        galaxy = table.loc[row]
        legend = drawn(visit.settle(), "galaxy_spectrum").locator(".legend")
        for name in ("z_spec", "z_phot"):
            legend.get_by_text(f"lines at {name} = {galaxy[name]:.4f}").wait_for()

        other = Visit(context.new_page(), server)
        other.open(f"evaluate?{urlsplit(page.url).query}")
        other.page.get_by_text(f"2 of {len(wanted)}").wait_for()
        other.page.get_by_role("button", name="z_spec 0.1–0.15").click()
        other.page.get_by_text("Choose a row of the table").wait_for()
        assert address(other, "bin") is None
        for one in (visit, other):
            assert (one.strangers, one.errors) == ([], [])


def test_a_point_of_an_error_figure_opens_its_bin(scene, chromium):
    server, run, table = scene
    with tabs(chromium) as context:
        visit = Visit(context.new_page(), server).open(f"evaluate?run={run.id}")
        chart = drawn(visit, "error_z_phot")
        inside = table[(table.z_phot >= 0.15) & (table.z_phot < 0.2)]
        visit.settle().page.wait_for_timeout(500)
        x, y = pixel(chart, 0.175, (inside.z_phot - inside.z_spec).mean())
        visit.page.mouse.move(x, y)
        visit.page.wait_for_timeout(500)
        visit.page.mouse.click(x, y)
        visit.page.get_by_role("button", name="z_phot 0.15–0.2").wait_for()
        visit.page.get_by_text(f"{len(inside)} galaxies; error").wait_for()


def test_every_galaxy_listed_for_a_box_lies_in_it_and_a_new_tab_shows_the_same(
    scene, chromium, tmp_path
):
    server, run, table = scene
    with tabs(chromium) as context:
        visit = Visit(context.new_page(), server).open(f"evaluate?run={run.id}")
        chart = drawn(visit, "plane")
        visit.settle().page.wait_for_timeout(500)
        page = visit.page
        (x0, y0), (x1, y1) = (pixel(chart, *corner) for corner in ((0.1, 0.3), (0.22, 0.12)))
        page.mouse.move(x0, y0)
        page.mouse.down()
        page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=4)
        page.mouse.move(x1, y1, steps=4)
        page.mouse.up()
        page.get_by_role("button", name=re.compile("z_spec .* and z_phot")).wait_for()
        limits = [float(limit) for limit in address(visit, "box").split(",")]
        assert limits == pytest.approx([0.1, 0.22, 0.12, 0.3], abs=0.01)
        found = listed(visit, tmp_path)
        low, high, low_phot, high_phot = limits
        assert found.z_spec.between(low, high).all()
        assert found.z_phot.between(low_phot, high_phot).all()
        inside = table.z_spec.between(low, high) & table.z_phot.between(low_phot, high_phot)
        assert sorted(found.row) == np.flatnonzero(inside).tolist()
        assert len(found) > 20

        other = Visit(context.new_page(), server)
        other.open(f"evaluate?run={run.id}&box={address(visit, 'box')}")
        other.page.get_by_text(f"{len(found)} galaxies; error").wait_for()
        assert listed(other, tmp_path).equals(found)


def headline(visit):
    """The MAE that the page shows."""
    card = visit.page.get_by_test_id("stMetric").filter(has_text=re.compile("^MAE")).first
    return card.get_by_test_id("stMetricValue")


def test_the_slider_between_the_priors_changes_the_headline_and_the_address(scene, chromium):
    server, plain, _ = scene
    store = Store(server.home)
    run = make_run(store, store.dataset(plain.config.dataset))
    add_densities(run, store.dataset(plain.config.dataset), n=400)
    with tabs(chromium) as context:
        visit = Visit(context.new_page(), server).open(f"evaluate?run={run.id}")
        trained = headline(visit).inner_text()
        visit.page.get_by_role("slider", name=re.compile("^Prior")).press("End")
        visit.page.wait_for_url(re.compile("estimate=median%2Cflat%2C1.0"))
        visit.page.get_by_text("Computed now from the stored p(z)").wait_for()
        flat = headline(visit).inner_text()
        assert flat != trained
        said = visit.page.get_by_text("With the prior of the training set").inner_text()
        assert trained in said
        assert flat in said
        other = Visit(context.new_page(), server)
        other.open(visit.page.url.removeprefix(f"{server.url}/"))
        other.shows(headline(other).inner_text, flat)
        for one in (visit, other):
            assert (one.strangers, one.errors) == ([], [])
