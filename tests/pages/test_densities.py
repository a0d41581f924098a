"""The Evaluate page of a run that gives p(z): estimates, priors, honesty, flags."""

import json

import numpy as np
import pandas as pd
import pytest

from redshift_core import pdf
from redshift_core.constants import MISSING
from redshift_core.reference.real_galaxies import RealAnswers, real_galaxies
from redshift_core.store import Store, read_json, write_json
from tests.pages.made_up import (
    add_densities,
    every_slot_taken,
    make_dataset,
    make_run,
    open_page,
    texts,
)

N = 600


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Store and a run with densities; nothing here writes into it but priors."""
    store = Store(tmp_path_factory.mktemp("densities"))
    folder = make_dataset(store, n=N)
    run = make_run(store, folder, name="with p(z)", head="pdf", loss="cross_entropy")
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
    if estimate.point == "mean":
        return f"{np.abs(density @ pdf.CENTRES / density.sum(axis=1) - z_spec).mean():.4f}"
    below = np.cumsum(density, axis=1) / density.sum(axis=1, keepdims=True)
    place = np.argmax(below >= 0.5, axis=1)
    rows = np.arange(len(density))
    before = np.where(place > 0, below[rows, place - 1], 0.0)
    part = (0.5 - before) / (below[rows, place] - before)
    return f"{np.abs(0.0025 * (place + part) - z_spec).mean():.4f}"


@pytest.mark.parametrize("share", [0.0, 1.0])
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


@pytest.mark.parametrize("point", ["median", "mean"])
def test_an_address_opens_the_page_under_its_estimate(scene, opened, point):
    at = opened(estimate=f"{point},flat,0.5")
    assert mae(at) == wanted(scene, pdf.Estimate(point, "flat", 0.5))
    assert at.segmented_control(key="evaluate_point").value == point
    assert at.slider(key="evaluate_share").value == 0.5


@pytest.mark.parametrize("text", ["median,../../etc/passwd,1", "best"])
def test_an_address_that_makes_no_sense_shows_what_is_stored(scene, opened, text):
    at = opened(estimate=text)
    assert not at.exception
    run, folder = scene
    assert mae(at) == f"{read_json(run.metrics_path(folder.id))['mae']:.4f}"


def test_the_trade_is_told_with_the_runs_own_figures(scene, opened):
    said = texts(opened())
    for estimate in (pdf.Estimate(), pdf.Estimate("median", "flat")):
        assert f"MAE {wanted(scene, estimate)}" in said.replace("MAE of", "MAE")


def test_densities_are_judged_by_the_figures_of_the_metrics_file(scene, opened):
    run, folder = scene
    judged = read_json(run.metrics_path(folder.id))["pdf"]
    at = opened()
    assert not at.exception
    shown = {one.label: one.value for one in at.metric}
    assert shown["CRPS"] == f"{judged['crps']:.4f}"
    assert shown["PIT, KS"] == f"{judged['pit']['ks']:.4f}"
    assert shown["In 68 % interval"] == f"{judged['coverage68']:.1%}"
    table = next(one.value for one in at.dataframe if "mean PIT" in one.value)
    assert table.n.tolist() == [one["n"] for one in judged["by_z_phot"]]
    at.segmented_control(key="densities_by").set_value("brightness").run()
    table = next(one.value for one in at.dataframe if "mean PIT" in one.value)
    assert len(table) == len(judged["by_brightness"])


def test_flags_stand_with_the_errors_of_those_that_carry_them(scene, opened):
    run, folder = scene
    rows = pd.read_parquet(run.predictions_path(folder.id))
    table = next(one.value for one in opened().dataframe if "flag" in one.value)
    line = table.set_index("flag").loc["multimodal"]
    carrying = rows[rows["flags"] == "multimodal"]
    assert line.galaxies == len(carrying) == N // 40
    assert pytest.approx((carrying.z_phot - carrying.z_spec).abs().mean()) == line.MAE
    assert table.set_index("flag").loc["none"].galaxies == N - len(carrying)


def test_one_galaxy_shows_its_density_under_both_priors(scene, opened):
    at = opened(bin="z_spec:0.1,0.15", estimate="median,flat,1.0")
    assert not at.exception
    drawn = next(c for c in at.get("plotly_chart") if c.proto.id.endswith("galaxy_density"))
    names = {trace["name"] for trace in json.loads(drawn.proto.spec)["data"]}
    assert {"training prior", "p(z)"} <= names
    assert r"median of p\(z\) under the flat prior" in texts(at)


def test_a_redshift_distribution_of_ones_own_is_taken_in_and_chosen(scene, opened):
    at = opened()
    at.file_uploader(key="evaluate_file").set_value(("deep.csv", b"z,n\n0,1\n0.6,3", "text/csv"))
    at.run()
    assert not at.exception
    (name,) = Store().prior_names()
    assert at.selectbox(key="evaluate_target").value == name
    before = mae(at)
    at.slider(key="evaluate_share").set_value(0.5).run()
    assert mae(at) != before
    at.file_uploader(key="evaluate_file").set_value(("bad.csv", b"z,n\n0,1\n0,3", "text/csv"))
    at.run()
    assert "stands there twice" in texts(at)
    assert Store().prior_names() == [name]


def test_a_run_without_densities_has_none_of_it(scene, opened):
    run, folder = scene
    plain = make_run(Store(), folder, name="plain", evaluated=True)
    at = open_page("evaluate", run=plain.id, estimate="median,flat,1.0")
    assert not at.exception
    assert "honest" not in " ".join(one.value for one in at.subheader)
    assert "evaluate_share" not in {one.key for one in at.slider}
    assert mae(at) == f"{read_json(plain.metrics_path(folder.id))['mae']:.4f}"
    at = open_page("compare", runs=f"{run.id},{plain.id}")
    assert not at.exception
    metrics = next(one.value for one in at.dataframe if "CRPS" in one.value)
    assert metrics.set_index("run").CRPS.eq(MISSING).to_dict() == {
        "with p(z)": False,
        "plain": True,
    }
    frame = next(one.value for one in at.dataframe if "CDE loss" in one.value)
    assert frame.run.tolist() == ["with p(z)"]


def test_a_prediction_is_asked_for_with_the_estimate_and_the_densities(scene, opened):
    run, _ = scene
    with every_slot_taken(Store()):
        at = open_page("predict", run=run.id, estimate="mean,flat,0.5")
        assert not at.exception
        assert "50 % of the way" in texts(at)
        at.toggle(key="predict_keep_pdf").set_value(True).run()
        at.button(key="predict_demo").click().run()
        request = Store().jobs()[0].request
    assert (request["estimate"], request["pdf"]) == ("mean,flat,0.5", True)


def test_three_real_galaxies_stand_with_their_densities(scene, opened):
    run, folder = scene
    known = real_galaxies()
    density = np.exp(-0.5 * ((pdf.CENTRES - known.z_spec[:, None] - 0.02) / 0.03) ** 2)
    density /= density.sum(axis=1, keepdims=True) * pdf.WIDTH
    z_phot, flags = pdf.point(density), ("", "low_signal", "")
    ends = {level: pdf.interval(density, level / 100) for level in (68, 95)}
    answers = RealAnswers(z_phot, np.full(3, 0.0013), flags, ends, density)
    path = run.real_galaxies_path(folder.id)
    write_json(path, answers.to_dict())
    try:
        at = opened()
    finally:
        path.unlink()
    assert not at.exception
    assert "3 of 3 in the 68 % interval" in texts(at)
    assert "can reveal a failure" in texts(at)
    table = next(one.value for one in at.dataframe if "scatter" in one.value)
    np.testing.assert_allclose(table.error, 0.02, atol=1e-3)
    assert table["flags"].tolist() == list(flags)
    drawn = next(c for c in at.get("plotly_chart") if c.proto.id.endswith("real_densities"))
    assert len(json.loads(drawn.proto.spec)["data"]) == 6
    assert all("real" not in one.label.lower() for one in at.metric)


def test_an_older_evaluation_says_how_to_learn_of_the_real_galaxies(scene, opened):
    at = opened()
    assert not at.exception
    assert "nothing of the three real galaxies" in texts(at)
    assert "evaluate_real" in {one.key for one in at.button}
