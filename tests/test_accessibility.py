"""axe-core on every page: nothing serious in our own content.

Streamlit's own sidebar menu has two known findings, which are allowed there and nowhere else.
"""

from __future__ import annotations

import pytest

from tests.browser import Server, Visit, browser
from tests.pages.made_up import make_run
from tests.test_journey import ADDRESSES

pytestmark = pytest.mark.browser

GRAVE = ("serious", "critical")
FRAMEWORK = {("list", "stSidebarNav"), ("listitem", "stSidebarNav")}  # rule, test id around it


@pytest.fixture
def visit(store, dataset, tmp_path):
    """Browser page on a store with a small survey and one finished, judged run."""
    make_run(store, dataset, "finished", evaluated=True)
    server = Server(store.root, tmp_path / "server.txt").start()
    try:
        with browser() as context:
            yield Visit(context.new_page(), server)
    finally:
        server.stop()


def findings(page) -> list[str]:
    """What axe-core finds grave on the page, each with its place; the framework's own left out."""
    from axe_playwright_python.sync_playwright import Axe

    found = []
    for violation in Axe().run(page).response["violations"]:
        if violation["impact"] not in GRAVE:
            continue
        for node in violation["nodes"]:
            around = page.evaluate(
                "selector => [...function*() { for (let e = document.querySelector(selector); e;"
                " e = e.parentElement) if (e.dataset.testid) yield e.dataset.testid }()]",
                node["target"][0],
            )
            if not any((violation["id"], name) in FRAMEWORK for name in around):
                found.append(f"{violation['id']}: {node['html'][:200]}")
    return found


def test_nothing_grave_is_found_on_any_page(visit):
    visit.open("train?view=Runs")
    for title in ("", *ADDRESSES):  # by the menu: loading all anew takes longer than looking at it
        if title:
            visit.menu(title)
        visit.page.get_by_role("heading", level=1).first.wait_for()
        visit.settle().page.wait_for_timeout(500)  # figures come after the script's end
        assert findings(visit.page) == [], title or "Train, a run"
