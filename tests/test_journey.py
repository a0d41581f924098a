"""A visitor's whole way in a real browser: demo survey, figures, training, judgement, download."""

from __future__ import annotations

import csv
import time

import pytest

from pages.ui.nav import SECTIONS
from redshift_core.store import Store
from tests.browser import Server, Visit, browser

pytestmark = pytest.mark.browser

DESKTOP, PHONE = (1400, 900), (420, 860)
EPOCHS = 120_000  # ms a short training may take on a busy machine
ADDRESSES = {
    title: "" if title == "Home" else title.lower()
    for entries in SECTIONS.values()
    for _, title, _, _ in entries
}


@pytest.fixture
def server(store, tmp_path):
    running = Server(store.root, tmp_path / "server.txt").start()
    yield running
    running.stop()


def check_clean(visit: Visit) -> None:
    """No request left the machine, the console is quiet, the server holds no TensorFlow."""
    assert visit.strangers == []
    assert visit.errors == []
    assert "tensorflow" not in visit.server.maps()
    assert "Traceback" not in visit.server.log.read_text()


def charts(visit: Visit, n: int = 1) -> None:
    """Wait until at least n Plotly charts are drawn."""
    visit.page.wait_for_function(
        f"document.querySelectorAll('.js-plotly-plot .main-svg').length >= {n}"
    )


def test_from_the_demo_button_to_a_downloaded_table_of_redshifts(server, tmp_path):
    with browser(*DESKTOP) as context:
        visit = Visit(context.new_page(), server).open()
        page = visit.page
        begun = time.monotonic()
        page.get_by_role("button", name="Try it with the demo survey").click()
        page.get_by_role("heading", name="Explore", level=1).wait_for()
        charts(visit)
        print(f"demo button to figures: {time.monotonic() - begun:.1f} s")
        page.get_by_test_id("stMain").get_by_text("SIMULATED").first.wait_for()
        visit.settle().shot("explore")

        visit.menu("Train")
        page.get_by_role("combobox", name="Preset").click()
        page.get_by_role("option", name="fast", exact=True).click()
        visit.settle()
        begun = time.monotonic()
        page.get_by_role("button", name="Start training").click()
        page.locator(
            "[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg"
        ).first.wait_for(timeout=EPOCHS)
        print(f"start button to live curve: {time.monotonic() - begun:.1f} s")
        page.get_by_role("button", name="Continue for more epochs").wait_for(timeout=EPOCHS)
        visit.shot("train")

        visit.menu("Evaluate")
        page.get_by_role("heading", name="Error per bin").wait_for()
        charts(visit, 2)
        page.get_by_role("heading", name="True and predicted redshift").wait_for()
        visit.shot("evaluate")

        visit.menu("Predict")
        page.get_by_role("tab", name="Demo survey").click()
        page.get_by_role("button", name="Predict the demo survey").click()
        page.get_by_role("heading", name="Predicted redshifts").wait_for(timeout=EPOCHS)
        charts(visit)
        visit.shot("predict")
        with page.expect_download() as started:
            page.get_by_role("link", name="Download CSV").click()
        path = tmp_path / started.value.suggested_filename
        started.value.save_as(path)
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert path.name == "predictions.csv"
        assert list(rows[0]) == ["row", "source_id", "z_phot", "flags"]
        assert len(rows) == 5000
        assert 0.0 < float(rows[0]["z_phot"]) < 0.6
        visit.menu("Data")
        visit.page.get_by_test_id("stSidebarNav").get_by_role("link", name="Home").click()
        page.get_by_text("Recent runs").wait_for()
        check_clean(visit.settle())
        visit.shot("home")


def test_an_upload_can_be_cancelled_and_the_next_one_streams_in_and_becomes_a_dataset(
    server, survey_file
):
    store = Store(server.home)
    with browser(*DESKTOP) as context:
        visit = Visit(context.new_page(), server).open("data")
        chosen = visit.page.locator("input[type=file]")
        visit.slow_upload(20_000)
        chosen.set_input_files(survey_file)
        visit.page.get_by_role("button", name="Cancel").click()
        visit.page.get_by_text("Upload cancelled").wait_for()
        visit.slow_upload(-1)
        chosen.set_input_files(survey_file)
        visit.page.get_by_text("Fit for training").wait_for()
        assert len(store.jobs()) == 1
        assert list(store.inbox.iterdir()) == []
        visit.page.reload()
        visit.settle().page.get_by_text("Fit for training").wait_for()
        letter = {"name": "letter.csv", "mimeType": "text/csv", "buffer": b"Dear sir,"}
        survey = {**letter, "name": "survey.parquet", "buffer": survey_file.read_bytes()}
        chosen.set_input_files([survey, letter])
        visit.page.get_by_text("2 files have arrived:").wait_for()
        visit.page.get_by_role("button", name="Cancel").last.click()
        visit.page.get_by_text("2 files have arrived:").wait_for(state="detached")
        assert list(store.inbox.iterdir()) == []
        check_clean(visit.settle())
    assert [d.info["n_rows"] for d in store.datasets()] == [600]


def test_a_deep_link_to_a_cold_server_opens_its_page_with_the_menu_and_its_dataset(server, dataset):
    with browser(*DESKTOP) as context:
        visit = Visit(context.new_page(), server).open(f"explore?dataset={dataset.id}")
        visit.page.get_by_role("heading", name="Explore", level=1).wait_for()
        charts(visit)
        menu = visit.page.get_by_test_id("stSidebarNav").inner_text()
        assert "Evaluate" in menu
        assert "app" not in menu.split()
        assert f"dataset={dataset.id}" in visit.page.url
        visit.menu("Data")
        assert f"dataset={dataset.id}" in visit.page.url
        visit.page.reload()
        visit.settle()
        assert f"dataset={dataset.id}" in visit.page.url
        check_clean(visit)


def test_every_page_fits_a_phone(server, dataset):
    with browser(*PHONE, "dark") as context:
        visit = Visit(context.new_page(), server)
        for title, address in ADDRESSES.items():
            visit.open(address)
            name = "Redshift Lab" if title == "Home" else title
            visit.page.get_by_role("heading", name=name, level=1).wait_for()
            visit.settle()
            wide = visit.page.evaluate(
                "(() => { const m = document.querySelector('[data-testid=stMain]');"
                " return m.scrollWidth - m.clientWidth })()"
            )
            assert wide <= 1, f"{title} is {wide} px wider than the window"
        check_clean(visit)
