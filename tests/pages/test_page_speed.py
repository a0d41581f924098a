"""How quickly the pages answer at the real size; a study, not part of the test command.

    REDSHIFT_LAB_SPEED_HOME=<store> pytest tests/pages/test_page_speed.py -m study -s

The store's newest dataset has 520,393 galaxies and two runs evaluated on it. A Markdown table
comes out: first paint with a cold and a warm browser cache, every interaction, and the server's
private memory with three visitors. The machine must be idle.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redshift_core.store import RunFolder, Store
from tests.browser import Server, Visit, browser
from tests.test_journey import ADDRESSES

HOME = os.environ.get("REDSHIFT_LAB_SPEED_HOME")

pytestmark = [
    pytest.mark.study,
    pytest.mark.browser,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not HOME, reason="REDSHIFT_LAB_SPEED_HOME names no store"),
]

REPEATS = 5
COLD, WARM, ANSWER = 6.0, 3.0, 1.0  # s
MEMORY = 600.0  # MB
FIGURE = "[data-testid=stPlotlyChart] .main-svg, [data-testid=stVegaLiteChart] canvas"
QUIET = 700  # ms without a change after which the page stands still
WATCH = """() => {
  window.lastChange = performance.now()
  window.watcher?.disconnect()
  window.watcher = new MutationObserver(() => { window.lastChange = performance.now() })
  const all = { subtree: true, childList: true, characterData: true, attributes: true }
  window.watcher.observe(document.querySelector("[data-testid=stMain]"), all)
}"""
NOW = "performance.now()"
WITH_FIGURE = ("Home", "Explore", "Evaluate", "Compare", "Reproduce")


class Table:
    """The table as it grows, and what was too slow."""

    def __init__(self) -> None:
        self.slow: list[str] = []
        print("\n| page | what | median / s | all / s |\n|---|---|---|---|")

    def add(self, page: str, what: str, times: list[float], limit: float) -> None:
        middle = statistics.median(times)
        every = " ".join(f"{seconds:.2f}" for seconds in times)
        line = f"| {page} | {what} | {middle:.2f} | {every} |"
        print(line, flush=True)
        if middle > limit:
            self.slow.append(line)


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("REDSHIFT_LAB_HOME", HOME)
    running = Server(Path(HOME), tmp_path / "server.txt").start()
    yield running
    running.stop()


def judged_runs() -> tuple[str, list[RunFolder]]:
    """Newest dataset, and the runs evaluated on it."""
    store = Store()
    dataset = store.datasets()[0].id
    return dataset, [run for run in store.runs() if run.predictions_path(dataset).exists()]


def paint(visit: Visit, page: str, query: str) -> float:
    """Seconds until heading and first figure stand on a page opened by its address."""
    begun = time.monotonic()
    visit.page.goto(f"{visit.server.url}/{ADDRESSES[page]}?{query}", wait_until="commit")
    visit.page.locator("h1").first.wait_for()
    if page in WITH_FIGURE:
        visit.page.locator(FIGURE).first.wait_for()
    return time.monotonic() - begun


def answer(visit: Visit, do: Callable[[], object]) -> float:
    """Seconds from an action to the last change that the page draws in answer to it.

    An action that prepares itself returns the time, in ms of the page, at which it was done.
    """
    visit.page.evaluate(WATCH)
    begun = visit.page.evaluate(NOW)
    begun = do() or begun
    visit.page.wait_for_timeout(50)
    visit.settle()
    visit.page.wait_for_function(f"{NOW} - window.lastChange > {QUIET}")
    last = visit.page.evaluate("window.lastChange")
    assert last > begun, "the action changed nothing on the page"
    return (last - begun) / 1000


def typed(visit: Visit, role: str, name: str, values: Iterator[object]) -> Callable[[], None]:
    """Action: put the next value into an input."""

    def do() -> None:
        box = visit.page.get_by_role(role, name=name, exact=True)
        box.fill(str(next(values)))
        box.press("Enter")

    return do


def clicked(visit: Visit, name: str, role: str = "button") -> Callable[[], None]:
    """Action: click what has this name."""
    return lambda: visit.page.get_by_role(role, name=name).first.click()


def dragged(
    visit: Visit, key: str, ends: Iterator[tuple[float, float, float, float]]
) -> Callable[[], float]:
    """Action: draw a box on a figure, its corners as shares of the plot's width and height."""

    def do() -> float:
        plot = visit.page.locator(f".st-key-{key} .nsewdrag").first
        plot.scroll_into_view_if_needed()
        visit.page.wait_for_timeout(300)
        box, (x0, y0, x1, y1) = plot.bounding_box(), next(ends)
        mouse = visit.page.mouse
        mouse.move(box["x"] + x0 * box["width"], box["y"] + y0 * box["height"])
        visit.page.wait_for_timeout(100)
        mouse.down()
        mouse.move(box["x"] + x1 * box["width"], box["y"] + y1 * box["height"], steps=4)
        begun = visit.page.evaluate(NOW)
        mouse.up()
        return begun

    return do


def explore(visit: Visit) -> dict[str, Callable[[], None]]:
    seeds = iter(range(1, 99))
    brush = iter([(0.1 + 0.03 * i, 0.5, 0.3 + 0.03 * i, 0.6) for i in range(20)])
    return {
        "brush on the histogram": dragged(visit, "redshift_histogram", brush),
        "logarithmic count": lambda: visit.page.get_by_text("Logarithmic count").click(),
        "next spectrum": clicked(visit, "Next"),
        "random spectrum": clicked(visit, "Random"),
        "seed of the averages": typed(visit, "spinbutton", "Seed of the draw", seeds),
        "normalised averages": lambda: visit.page.get_by_text("Normalised at the peak").click(),
        "rest-frame lines": lambda: visit.page.get_by_text("Rest-frame lines").click(),
        "add to the overlay": lambda: (
            visit.page.get_by_role("button", name="Add to overlay").click()
            if visit.page.get_by_role("button", name="Add to overlay").is_enabled()
            else visit.page.get_by_role("button", name="Random").click()
        ),
    }


def evaluate(visit: Visit) -> dict[str, Callable[[], None]]:
    widths = iter([0.04, 0.06, 0.1, 0.02, 0.05] * 9)
    boxes = iter([(0.2 + 0.03 * i, 0.7, 0.4 + 0.03 * i, 0.4) for i in range(15)])
    kinds = iter(["z_phot", "brightness", "z_spec"] * 9)

    def bins_of() -> None:
        visit.page.get_by_role("radio", name=next(kinds), exact=True).click()

    return {
        "bin width": typed(visit, "spinbutton", "Bin width in z", widths),
        "bins of z_phot, brightness, z_spec": bins_of,
        "box in the plane": dragged(visit, "plane", boxes),
        "next galaxy": clicked(visit, "Next"),
        "previous galaxy": clicked(visit, "Previous"),
    }


def train(visit: Visit) -> dict[str, Callable[[], None]]:
    return {
        "epochs": typed(visit, "spinbutton", "Epochs", iter(range(21, 99))),
        "batch size": typed(visit, "spinbutton", "Batch size", iter(range(17, 99))),
    }


def reproduce(visit: Visit) -> dict[str, Callable[[], None]]:
    chapters = iter(["Network", "Results", "Remarks", "Data"] * 9)
    return {
        "other galaxies": clicked(visit, "Draw other galaxies"),
        "chapter": lambda: visit.page.get_by_role("radio", name=next(chapters), exact=True).click(),
    }


ACTIONS = {"Explore": explore, "Evaluate": evaluate, "Train": train, "Reproduce": reproduce}


def test_every_page_answers_within_a_second_at_the_real_size(server):
    dataset, runs = judged_runs()
    assert len(runs) >= 2, "the study needs two runs evaluated on the newest dataset"
    query = f"dataset={dataset}&run={runs[0].id}"
    queries = {"Compare": "runs=" + ",".join(run.id for run in runs[:8])}
    table = Table()
    with browser() as context:  # what the server does once, such as importing, is not the page's
        visit = Visit(context.new_page(), server)
        for page in ADDRESSES:
            visit.open(f"{ADDRESSES[page]}?{queries.get(page, query)}")
    for page in ADDRESSES:
        with browser() as context:
            visit = Visit(context.new_page(), server)
            cold = paint(visit, page, queries.get(page, query))
            visit.settle().page.wait_for_timeout(1000)
            warm = [paint(visit, page, queries.get(page, query)) for _ in range(3)]
            visit.settle().page.wait_for_timeout(1500)
            table.add(page, "first paint, cold cache", [cold], COLD)
            table.add(page, "first paint, warm cache", warm, WARM)
            for what, do in ACTIONS.get(page, lambda _: {})(visit).items():
                times = [answer(visit, do) for _ in range(REPEATS)]
                table.add(page, what, times, ANSWER)
            assert visit.errors == []
            assert visit.strangers == []
    with browser() as context:
        for page in ("Explore", "Evaluate", "Compare"):
            address = f"{ADDRESSES[page]}?{queries.get(page, query)}"
            Visit(context.new_page(), server).open(address)
        time.sleep(3)
        memory = server.rss_anon()
    print(f"\nRssAnon with three visitors: {memory:.0f} MB")
    assert memory <= MEMORY
    assert table.slow == []
