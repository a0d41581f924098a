"""Figures of densities show the numbers they were given."""

import numpy as np
import pytest

from redshift_core import figures, pdf


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def test_the_pit_histogram_has_its_counts_and_the_band_of_a_uniform_one():
    random = np.random.default_rng(1)
    inside = []
    for _ in range(40):
        counts = np.histogram(random.random(4000), 20, (0, 1))[0]
        figure = figures.pit_histogram(counts.tolist())
        low, high = figure.data[2].y[0], figure.data[3].y[0]
        inside.append(np.mean((counts >= low) & (counts <= high)))
    assert list(figure.data[0].y) == counts.tolist()
    assert figure.data[1].y[0] == 200
    assert np.mean(inside) == pytest.approx(0.95, abs=0.025)


def test_coverage_is_drawn_against_credibility():
    levels = [{"level": 0.5, "share": 0.4}, {"level": 0.9, "share": 0.95}]
    drawn = traces(figures.coverage(levels))
    assert (list(drawn["galaxies"].x), list(drawn["galaxies"].y)) == ([0.5, 0.9], [0.4, 0.95])
    assert list(drawn["as promised"].x) == list(drawn["as promised"].y)


def test_one_density_is_drawn_with_its_intervals_and_redshifts():
    chosen = np.exp(-0.5 * ((pdf.CENTRES - 0.2) / 0.03) ** 2)
    chosen /= chosen.sum() * pdf.WIDTH
    trained = pdf.reweight(chosen[None], np.ones(240), np.linspace(2, 1, 240))[0]
    figure = figures.one_density(trained, chosen, 0.31, 0.2)
    drawn = traces(figure)
    x, y = np.array(drawn["p(z)"].x), np.array(drawn["p(z)"].y)
    assert np.trapezoid(y, x) == pytest.approx(1.0, rel=1e-6)
    for level, name in ((0.68, "68 %"), (0.95, "95 %")):
        (shade,) = (trace for trace in figure.data if trace.name.startswith(name))
        assert np.trapezoid(shade.y, shade.x) == pytest.approx(level, abs=1e-4)
    assert set(drawn["z_spec = 0.3100"].x) == {0.31}
    assert figure.layout.xaxis.range[1] > 0.31
    assert "training prior" in drawn
    assert "training prior" not in traces(figures.one_density(chosen, chosen, None, 0.2))
