"""Explore in a real browser: what AppTest cannot do, a box drawn, a row ticked, a key pressed."""

from __future__ import annotations

import re

import numpy as np
import pytest

from redshift_core.data import open_dataset
from tests.browser import Server, Visit, browser

pytestmark = pytest.mark.browser

DESKTOP = (1400, 2400)  # high enough for the whole of the histogram and its tables


@pytest.fixture
def server(store, tmp_path):
    running = Server(store.root, tmp_path / "server.txt").start()
    yield running
    running.stop()


def drag(visit: Visit, low: float, high: float) -> None:
    """Draw a box over the histogram, from one redshift to another of its axis from 0 to 0.6."""
    plot = visit.page.locator(".st-key-redshift_histogram .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    x = [box["x"] + box["width"] * z / 0.6 for z in (low, high)]
    y = box["y"] + box["height"] / 2
    visit.page.mouse.move(x[0], y)
    visit.page.wait_for_timeout(500)  # Plotly attaches its handlers to what the mouse rests on
    visit.page.mouse.down()
    visit.page.mouse.move(x[1], y + 20, steps=8)
    visit.page.mouse.up()


def selected(visit: Visit) -> int:
    """Number of galaxies that the page says are selected."""
    return int(re.search(r"([\d,]+) of [\d,]+ galaxies", visit.text()).group(1).replace(",", ""))


def chip(visit: Visit):
    """The button that removes the limit on z."""
    return visit.page.get_by_role("button", name="0.1 ≤ z < 0.2")


def row(visit: Visit) -> str:
    """Number of the row shown, in its box."""
    return visit.page.get_by_role("spinbutton", name="Row").input_value()


def view(visit: Visit) -> dict[str, object]:
    """What a visitor sees: chips, counts, captions of the figures, the row shown."""
    text = visit.settle().text()
    return {
        "chips": visit.page.locator("[class*=st-key-chip_]").all_inner_texts(),
        "selected": selected(visit),
        "captions": re.findall(r"Galaxies per bin .*|Galaxies of the current .*|Row \d.*", text),
        "row": row(visit),
    }


def test_a_brush_narrows_every_figure_and_a_new_tab_shows_the_same_view(server, dataset):
    z = open_dataset(dataset).z_spec
    with browser(*DESKTOP) as context:
        visit = Visit(context.new_page(), server).open("explore")
        visit.page.locator(".st-key-redshift_histogram .nsewdrag").first.wait_for()
        assert selected(visit.settle()) == 600
        drag(visit, 0.1003, 0.1996)
        chip(visit).wait_for()
        visit.page.get_by_text("Galaxy 1 of").wait_for()
        rows = np.flatnonzero((z >= 0.1) & (z < 0.2))
        visit.shows(lambda: row(visit), str(rows[0]))
        first = view(visit)
        assert "z=0.1..0.2" in visit.page.url
        assert first["selected"] == len(rows)
        assert any(f"{len(rows)} of the current selection" in c for c in first["captions"])
        assert any(f"0.1–0.2: {len(rows)} of {len(rows)}." in c for c in first["captions"])

        visit.page.keyboard.press("n")
        visit.page.get_by_text(f"Galaxy 2 of {len(rows)}").wait_for()
        visit.shows(lambda: row(visit), str(rows[1]))
        first = view(visit)
        again = Visit(context.new_page(), server).open(visit.page.url.split("/")[-1])
        again.page.get_by_text(f"Galaxy 2 of {len(rows)}").wait_for()
        again.shows(lambda: view(again), first)

        chip(visit).click()
        visit.page.get_by_text("Galaxy 2 of").wait_for(state="detached")
        visit.shows(lambda: selected(visit), 600)
        for each in (visit, again):
            assert each.strangers == []
            assert each.errors == []
        assert "Traceback" not in server.log.read_text()


def test_a_ticked_row_shows_its_spectrum(server, dataset):
    with browser(*DESKTOP) as context:
        visit = Visit(context.new_page(), server).open("explore?z=0.2..0.3")
        rows = np.flatnonzero(
            (open_dataset(dataset).z_spec >= 0.2) & (open_dataset(dataset).z_spec < 0.3)
        )
        visit.page.wait_for_function(
            "document.querySelectorAll('.js-plotly-plot .main-svg').length >= 3"
        )  # the table stays where it is once every figure has its place
        visit.settle().page.wait_for_timeout(1500)
        table = visit.page.locator(".st-key-galaxies canvas").first
        table.scroll_into_view_if_needed()
        visit.page.wait_for_timeout(300)
        box = table.bounding_box()
        visit.page.mouse.click(box["x"] + 20, box["y"] + 35 * 3 + 17)  # third line below the head
        visit.page.get_by_text(f"Galaxy 3 of {len(rows)}").wait_for()
        visit.shows(lambda: row(visit), str(rows[2]))
