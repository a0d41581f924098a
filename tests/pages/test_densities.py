"""The Evaluate page of a run that gives p(z): estimates, priors, honesty, flags."""

import numpy as np
import pandas as pd
import pytest

from redshift_core import pdf
from redshift_core.runs import Store, read_json
from tests.pages.made_up import add_densities, make_dataset, make_run, open_page, texts

N = 600


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Store and a run with densities; nothing here writes into it but priors."""
    store = Store(tmp_path_factory.mktemp("densities"))
    folder = make_dataset(store)
    run = make_run(store, folder)
    add_densities(run, folder, n=N)
    return run, folder


@pytest.fixture
def opened(scene, monkeypatch):
    run, _ = scene
    monkeypatch.setenv("REDSHIFT_LAB_HOME", str(run.path.parent.parent))
    return lambda **query: open_page("evaluate", run=run.id, **query)


def mae(at):
    return {one.label: one.value for one in at.metric}["MAE"]


def wanted(scene, estimate):
    """MAE written out from the stored densities."""
    run, folder = scene
    density = np.load(run.pdf_path(folder.id)).astype(float)
    if estimate.changes_prior:
        with np.load(run.prior_path) as arrays:
            density = density / arrays["training"] ** estimate.share
    z_spec = pd.read_parquet(run.predictions_path(folder.id)).z_spec
    below = np.cumsum(density, axis=1) / density.sum(axis=1, keepdims=True)
    place = np.argmax(below >= 0.5, axis=1)
    rows = np.arange(len(density))
    before = np.where(place > 0, below[rows, place - 1], 0.0)
    part = (0.5 - before) / (below[rows, place] - before)
    return f"{np.abs(0.0025 * (place + part) - z_spec).mean():.4f}"


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_slider_moves_every_headline_and_stands_in_the_address(scene, opened, share):
    at = opened()
    at.slider(key="evaluate_share").set_value(share).run()
    assert not at.exception
    estimate = pdf.Estimate("median", "flat", share) if share else pdf.Estimate()
    assert mae(at) == wanted(scene, estimate)
    found = at.query_params.get("estimate", [])
    assert found in ([], estimate.text(), [estimate.text()])
    assert bool(found) is estimate.changes_prior
    assert ("intervals are drawn for the median" in texts(at)) is estimate.changes_prior


def test_an_address_opens_the_page_under_its_estimate(scene, opened):
    at = opened(estimate="median,flat,0.5")
    assert mae(at) == wanted(scene, pdf.Estimate("median", "flat", 0.5))
    assert at.slider(key="evaluate_share").value == 0.5


@pytest.mark.parametrize("text", ["median,flat,7", "median,../../etc/passwd,1", "best"])
def test_an_address_that_makes_no_sense_shows_what_is_stored(scene, opened, text):
    at = opened(estimate=text)
    assert not at.exception
    run, folder = scene
    assert mae(at) == f"{read_json(run.metrics_path(folder.id))['mae']:.4f}"


def test_the_trade_is_told_with_the_runs_own_figures(scene, opened):
    said = texts(opened())
    for estimate in (pdf.Estimate(), pdf.Estimate("median", "flat")):
        assert f"MAE {wanted(scene, estimate)}" in said.replace("MAE of", "MAE")


def test_another_point_of_p_of_z_is_another_headline(scene, opened):
    at = opened()
    before = mae(at)
    at.segmented_control(key="evaluate_point").set_value("mode").run()
    assert not at.exception
    assert mae(at) != before
