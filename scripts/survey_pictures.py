"""Pictures of docs/simulation.md, from the committed figures of the study: ``make screenshots``.

With the output folder of a bench of sizes, ``python -m scripts.survey_pictures FOLDER``, that of
docs/bench-scale.md instead.

What they show is written by ``redshift-lab study-simulation --write
redshift_core/resources/reference``; nothing is simulated here.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import plotly.graph_objects as go

from redshift_core import constants, figures, reference
from redshift_core.reports.scale import read_scale, scale_figure
from redshift_core.store import CHECKOUT
from scripts.screenshots import shrink
from tests.browser import browser

WIDTH = 1100  # px
PICTURES = {
    "simulation-averages": lambda: figures.absolute_averages(
        reference.average_flux_absolute(),
        reference.simulated_average_flux(),
        constants.wavelength(),
    ),
    "simulation-extremes": lambda: figures.column_extremes(
        reference.recovered_minmax(), reference.simulated_minmax()
    ),
}


def main() -> None:
    """Draw each figure in a browser and keep the picture."""
    with tempfile.TemporaryDirectory() as folder, browser(WIDTH) as context:
        page = context.new_page()
        for name, draw in drawn(sys.argv[1:]).items():
            figure = figures.mark_simulated(draw())
            html = Path(folder) / f"{name}.html"
            figure.write_html(html, include_plotlyjs=True, config={"displayModeBar": False})
            page.set_viewport_size({"width": WIDTH, "height": int(figure.layout.height) + 16})
            page.goto(html.as_uri())
            page.locator(".main-svg").first.wait_for()
            page.wait_for_timeout(500)
            path = CHECKOUT / "docs" / f"{name}.png"
            page.screenshot(path=path)
            print(f"{path} {shrink(path) // 1000} kB")


def drawn(folders: list[str]) -> dict[str, Callable[[], go.Figure]]:
    """What is drawn: the picture of a bench of sizes where its folder is named."""
    found = [read_scale(Path(folder)) for folder in folders]
    return {"bench-scale": lambda: scale_figure(found[0])} if found else PICTURES


if __name__ == "__main__":
    main()
