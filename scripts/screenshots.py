"""Pictures of every page, from a store made for them: ``make screenshots``.

The demo survey (SIMULATED) is read in, a ``fast_cnn`` run is trained for real, judged and applied,
and a second one is at work while its picture is taken. ``--scheme dark``, ``--width 420`` and the
like make the other combinations; ``--whole`` shows each page to its end, ``--empty`` an empty
store.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

from pages.ui.nav import SECTIONS
from redshift_core import data, jobs
from redshift_core.settings.presets import preset
from redshift_core.store import CHECKOUT, JobFolder, Store, demo_file
from tests.browser import Server, Visit, browser

EPOCHS = 12  # of the run that is shown
DRAWN = "!document.querySelector('[data-testid=stSkeleton], [data-testid=stSpinner]')"
COLOURS = 256  # of the palette that keeps a picture small


def main() -> None:
    """Make the pictures that the options ask for."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REDSHIFT_LAB_HOME"] = folder
        store = Store()
        queries = {} if options.empty else fill(store)
        server = Server(store.root, Path(folder) / "server.txt").start()
        try:
            with browser(options.width, options.height, options.scheme) as context:
                visit = Visit(context.new_page(), server)
                for name, address, before in scenes(queries):
                    end = before(store) if before else None
                    take(visit.open(address), options, name)
                    if end:
                        end()
        finally:
            server.stop()


def fill(store: Store) -> dict[str, str]:
    """Demo survey, a finished run, its stress test and predictions; what shows them."""
    dataset = data.ingest(demo_file(), store, name="Demo survey")
    config = preset("fast_cnn", dataset.id).with_values({"epochs": EPOCHS})
    run = jobs.start_training(store, config, "First run")
    expect(run)
    expect(jobs.start(store, "stress", run=run.id))
    predicted = expect(jobs.start(store, "predict", run=run.id, file=str(demo_file())))
    return {"dataset": dataset.id, "run": run.id, "job": predicted.id}


def expect(job: JobFolder) -> JobFolder:
    """Wait for a job; a picture of a failed one would mislead."""
    ended = jobs.wait(job)
    if ended.state != "finished":
        raise SystemExit(f"{job.id} {ended.state}: {ended.message}\n{jobs.log_tail(job)}")
    return job


def scenes(queries: dict[str, str]) -> Iterator[tuple[str, str, Callable | None]]:
    """Name, address and what must be going on, for every page and the states of Train."""
    for _, title, _, _ in (entry for entries in SECTIONS.values() for entry in entries):
        page = title.lower()
        wanted = {"dataset": queries.get("dataset"), "run": queries.get("run")}
        if page == "predict":
            wanted["job"] = queries.get("job")
        yield page, _address("" if page == "home" else page, wanted), None
        if page == "train" and queries:
            yield "train-finished", _address(page, {**wanted, "view": "Runs"}), None
            yield "train-running", _address(page, {"view": "Runs", "run": "latest"}), at_work


def at_work(store: Store) -> Callable[[], None]:
    """Start a training that takes a while and wait for its first epochs; how to end it."""
    config = preset("fast", store.datasets()[0].id).with_values({"epochs": 400})
    run = jobs.start_training(store, config, "Second run")
    while (now := jobs.status(run)).active and now.detail.get("epoch", 0) <= 8:
        time.sleep(0.2)

    def end() -> None:
        jobs.stop(run)
        jobs.wait(run)

    return end


def take(visit: Visit, options: argparse.Namespace, name: str) -> None:
    """One picture, once the page has come to rest."""
    page = visit.page
    page.get_by_role("heading", level=1).first.wait_for()
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(1500)
    if options.whole:
        height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": options.width, "height": max(options.height, height)})
        page.wait_for_timeout(1500)
    path = options.out / f"{name}.png"
    page.screenshot(path=path)
    page.set_viewport_size({"width": options.width, "height": options.height})
    print(f"{path} {shrink(path) // 1000} kB")


def shrink(path: Path) -> int:
    """Store a picture with a palette where Pillow is there; its bytes."""
    try:
        from PIL import Image
    except ImportError:
        return path.stat().st_size
    with Image.open(path) as picture:
        palette = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    palette.save(path, optimize=True)
    return path.stat().st_size


def _address(page: str, query: dict[str, str | None]) -> str:
    given = urlencode({name: value for name, value in query.items() if value})
    return f"{page}?{given}" if given else page


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=CHECKOUT / "docs", help="folder (docs)")
    parser.add_argument("--width", type=int, default=1400, help="of the window, px (1400)")
    parser.add_argument("--height", type=int, default=1000, help="of the window, px (1000)")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--whole", action="store_true", help="each page to its end")
    parser.add_argument("--empty", action="store_true", help="an empty store")
    return parser.parse_args()


if __name__ == "__main__":
    main()
