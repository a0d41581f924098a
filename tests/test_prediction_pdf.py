"""A run with a PDF head applied to spectra: its densities, intervals, flags, points and priors."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from redshift_core import data, pdf, prediction
from redshift_core.cli.results import estimate_request, metrics_text, real_galaxies_text
from redshift_core.data import nz
from redshift_core.data.split import Split
from redshift_core.errors import InputError
from redshift_core.evaluation.bins import evaluate
from redshift_core.evaluation.density_metrics import FIGURES
from redshift_core.evaluation.flags import density_flags, low_signal, signal_to_noise
from redshift_core.evaluation.predictions import open_densities, read_judged
from redshift_core.learning import models
from redshift_core.reference.real_galaxies import RealAnswers, real_galaxies
from redshift_core.store import Store, read_json
from redshift_core.store.arrays import save_arrays
from redshift_core.store.records import Evaluation
from tests.test_prediction import job, make_run, spectra_file

ENDS = ["z_low68", "z_high68", "z_low95", "z_high95"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory, survey_file):
    """Store, dataset, and a run whose untrained network answers firmly; judged once."""
    store = Store(tmp_path_factory.mktemp("pdf") / "home")
    dataset = data.ingest(survey_file, store, name="small")
    run = make_run(store, dataset, head="pdf", loss="cross_entropy")
    model = models.load_model(run.model_path)
    kernel, bias = model.get_layer("logits").get_weights()
    hill = -0.5 * ((pdf.CENTRES - 0.15) / 0.06) ** 2
    model.get_layer("logits").set_weights([2 * kernel, bias + hill])
    model.save(run.model_path)
    z_spec = np.asarray(data.open_dataset(dataset).z_spec)
    prior = pdf.training_prior(z_spec[Split.load(run.split_path).train])
    save_arrays(run.prior_path, {"training": prior})
    return store, dataset, run, prediction.evaluate_run(run, dataset).to_dict()


def stored(scene):
    _, dataset, run, _ = scene
    table = pd.read_parquet(run.predictions_path(dataset.id))
    return table, open_densities(run.pdf_path(dataset.id), len(table))


def test_the_densities_are_the_models_probabilities_over_the_width_of_a_bin(scene):
    table, density = stored(scene)
    _, dataset, run, _ = scene
    flux = np.array(data.open_dataset(dataset).flux)
    wanted = models.load_model(run.model_path).predict(flux[table.row], verbose=0) / 0.0025
    assert density.dtype == np.float16
    np.testing.assert_allclose(density, wanted, rtol=2e-3, atol=1e-6)
    z_phot = prediction.predict_redshift(models.load_model(run.model_path), flux[table.row], 17)
    np.testing.assert_allclose(table.z_phot, z_phot, atol=1e-6)
    np.testing.assert_allclose(table.z_phot, pdf.point(density), atol=1e-4)


def test_a_redshift_stands_between_the_ends_of_its_intervals(scene):
    table, density = stored(scene)
    columns = ["row", "source_id", "z_spec", "z_phot", *ENDS, "brightness", "flags"]
    assert list(table.columns) == columns
    order = table[["z_low95", "z_low68", "z_phot", "z_high68", "z_high95"]].to_numpy()
    assert (np.diff(order, axis=1) > 0).all()
    np.testing.assert_allclose(table[ENDS[:2]], pdf.interval(density, 0.68), atol=1e-4)


def test_the_metrics_hold_the_figures_of_the_densities(scene):
    table, density = stored(scene)
    metrics = scene[3]
    assert metrics["n"] == metrics["pdf"]["n"] == len(table) == 60
    assert metrics["pdf"]["crps"] == pytest.approx(pdf.crps(density, table.z_spec).mean())
    assert read_json(scene[2].metrics_path(scene[1].id)) == metrics
    text = metrics_text(Evaluation.from_dict(metrics, Path()))
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    for one in FIGURES.values():
        assert one.shown(metrics["pdf"]) in lines[one.title]
        assert one.interval_text(metrics["pdf"]) in lines[one.title]


def test_a_judgement_holds_what_the_run_says_of_three_real_galaxies(scene):
    _, dataset, run, metrics = scene
    values = read_json(run.real_galaxies_path(dataset.id))
    answers = RealAnswers.from_dict(values)
    known = real_galaxies()
    model = models.load_model(run.model_path)
    wanted = model.predict(known.flux.astype(np.float32), verbose=0) / 0.0025
    np.testing.assert_allclose(answers.density, wanted, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(answers.z_phot, pdf.point(wanted), atol=1e-5)
    np.testing.assert_allclose(answers.intervals[95], pdf.interval(wanted, 0.95), atol=1e-5)
    noise = 5e-4 * known.flux.max(axis=1)[:, None]
    noisy = known.flux + noise * np.random.default_rng(5).normal(size=(200, 3, 186))
    moved = prediction.predict_redshift(model, noisy.reshape(-1, 186)).reshape(200, 3)
    np.testing.assert_allclose(answers.scatter, moved.std(axis=0), rtol=0.4)
    assert values["mae"] == pytest.approx(np.abs(answers.z_phot - known.z_spec).mean())
    assert "mae" in metrics
    assert not any("real" in name for name in metrics)  # never among the figures of merit
    text = real_galaxies_text(run, dataset.id)
    assert answers.sentence() in text
    assert "can reveal a failure" in text
    assert "\n" not in text


def test_another_prior_is_judged_and_not_stored(scene):
    store, dataset, run, metrics = scene
    request = {"run": run.id, "estimate": "mean,flat,0.5"}
    found = prediction.evaluate_job(job(store, "evaluate", **request))["metrics"]
    assert read_json(run.metrics_path(dataset.id)) == metrics
    estimate, (table, density) = pdf.Estimate("mean", "flat", 0.5), stored(scene)
    priors = dict(np.load(run.prior_path))
    z_phot = estimate.redshifts(density, priors)
    assert found["mae"] == evaluate(table.z_spec, z_phot).figures["mae"] != metrics["mae"]
    changed = estimate.densities(density, priors)
    assert found["pdf"]["crps"] == pytest.approx(pdf.crps(changed, table.z_spec).mean())
    paths = run.predictions_path(dataset.id), run.pdf_path(dataset.id)
    assert read_judged(*paths, estimate, priors).z_phot.tolist() == z_phot.tolist()
    assert "50 % of the way" in metrics_text(Evaluation.from_dict(found, Path()))


def test_a_file_is_predicted_under_a_users_prior_with_its_densities(scene, tmp_path):
    store, dataset, run, _ = scene
    flux_3 = np.where(np.arange(20) == 4, np.nan, 1.0)
    file = spectra_file(tmp_path / "new.csv", dataset, flux_3=flux_3)
    (tmp_path / "nz.csv").write_text("z,n\n0,1\n0.3,0\n0.6,4\n")
    asked = estimate_request("mode", str(tmp_path / "nz.csv"), 1.0)
    out, densities = tmp_path / "z.parquet", tmp_path / "p.npy"
    request = {"run": run.id, "file": str(file), "out": str(out), "pdf": str(densities), **asked}
    result = prediction.predict_job(job(store, "predict", **request))
    table, density = pd.read_parquet(out), np.load(densities)
    assert list(table.columns) == ["row", "source_id", "z_phot", *ENDS, "flags"]
    assert density.shape == (result["rows"], 240) == (20, 240)
    assert np.flatnonzero(np.isnan(density).any(axis=1)).tolist() == [4]
    assert np.flatnonzero(table[ENDS].isna().all(axis=1)).tolist() == [4]
    flux = np.array(data.open_dataset(dataset).flux[:20])
    flux[:, 3] = flux_3
    plain = prediction.predictor(models.load_model(run.model_path))(flux).density
    priors = {**np.load(run.prior_path), "own": nz.read_prior(tmp_path / "nz.csv")}
    wanted = pdf.reweight(plain, priors["training"], priors["own"])
    np.testing.assert_allclose(density, wanted, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(table.z_phot, pdf.point(wanted, "mode"), atol=1e-6)
    about = json.loads(pq.read_schema(out).metadata[b"redshift_lab_predictions"])
    assert about["estimate"] == "mode of p(z) under the own prior"


def test_densities_asked_for_on_a_page_stand_among_the_output(scene, tmp_path):
    store, dataset, run, _ = scene
    file = spectra_file(tmp_path / "new.csv", dataset)
    result = prediction.predict_job(job(store, "predict", run=run.id, file=str(file), pdf=True))
    names = [path.rpartition("/")[2] for path in result["files"]]
    kinds = ("csv", "parquet", "fits", "vot", "ecsv")
    assert names == [*(f"predictions.{kind}" for kind in kinds), "densities.npy"]
    table = pd.read_csv(result["files"][0])
    assert list(table.columns) == Table.read(result["files"][2]).colnames
    density = np.load(result["files"][-1])
    np.testing.assert_allclose(table.z_phot, pdf.point(density), atol=1e-4)


def test_a_stopped_evaluation_leaves_no_half_densities(scene):
    store, dataset, run, _ = scene
    folder = run.pdf_path(dataset.id).parent
    before = run.pdf_path(dataset.id).read_bytes()
    context = job(store, "evaluate", run=run.id)
    context.folder.stop_path.touch()
    assert prediction.evaluate_job(context)["stopped"] is True
    assert run.pdf_path(dataset.id).read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [
        "metrics.json", "pdf.npy", "predictions.parquet", "real_galaxies.json", "summary.json",
    ]  # fmt: skip


def test_a_network_with_one_redshift_has_no_other_prior(store, dataset, tmp_path):
    run = make_run(store, dataset)
    request = {"run": run.id, "file": str(spectra_file(tmp_path / "new.csv", dataset))}
    for wish in ({"estimate": "median,flat,1.0"}, {"pdf": str(tmp_path / "p.npy")}):
        with pytest.raises(InputError, match="gives one redshift for each spectrum and no p"):
            prediction.predict_job(job(store, "predict", **request, **wish))
    with pytest.raises(InputError, match="train one with head = pdf"):
        prediction.evaluate_job(job(store, "evaluate", run=run.id, estimate="mean,training,1.0"))


def test_options_of_the_command_line_become_an_estimate(tmp_path):
    assert estimate_request(None, None, None) == {}
    assert estimate_request("mean", None, None) == {"estimate": "mean,training,1.0"}
    assert pdf.Estimate.asked_of(estimate_request("mean", None, None)) == pdf.Estimate("mean")
    assert pdf.Estimate.asked_of({}) == pdf.USUAL
    assert estimate_request(None, "flat", 0.25) == {"estimate": "median,flat,0.25"}
    with pytest.raises(InputError, match="name that with --prior"):
        estimate_request(None, None, 0.5)
    with pytest.raises(InputError, match="No estimate 'middle'"):
        estimate_request("middle", None, None)
    with pytest.raises(InputError, match="cannot be read"):
        estimate_request(None, str(tmp_path / "nz.csv"), None)


def test_flags_say_what_is_odd_about_a_redshift():
    def hill(*centres):
        found = sum(np.exp(-0.5 * ((pdf.CENTRES - z) / 0.02) ** 2) for z in centres)
        return found / (found.sum() * pdf.WIDTH)

    density = np.array([hill(0.2), hill(0.1, 0.4), hill(0.0), hill(0.59), hill(0.2)])
    density[4] = np.nan
    wave = np.sin(np.arange(186) / 1.5)
    flux = 10 + np.array([[0.1], [0.1], [0.1], [9], [9]]) * wave
    flags = density_flags(pdf.point(density), density, flux)
    assert {name: np.flatnonzero(flag).tolist() for name, flag in flags.items()} == {
        "multimodal": [1], "pile_up": [2, 3], "low_signal": [3],
    }  # fmt: skip
    at_ends = density_flags(np.array([-0.1, 0.005, 0.3, 0.595, 0.7]), None, flux)
    assert np.flatnonzero(at_ends["pile_up"]).tolist() == [0, 1, 3, 4]
    assert not at_ends["multimodal"].any()


def test_a_signal_counted_low_is_one_whose_noise_says_so():
    """Counted in float32, it is the flag of the sorted float64 values, next to the bound too."""
    random = np.random.default_rng(2)
    noise = random.normal(0, 1, (4000, 186))
    flux = 5 + 3 * np.sin(np.arange(186) / 40) + noise * 0.5
    exact = signal_to_noise(flux)
    flux[:2000] += noise[:2000] * (exact[:2000, None] / 10 - 1) * 0.5  # most of them near 10
    flux[2000:2100] *= -1
    flux[2100:2200] = 0
    flux[2200:2300, 3], flux[2300:2400, 7] = np.nan, np.inf
    expected = signal_to_noise(flux) < 10
    assert 500 < expected.sum() < 3500
    assert np.abs(signal_to_noise(flux[:2000]) / 10 - 1).min() < 1e-3
    assert low_signal(flux).tolist() == expected.tolist()


def test_signal_to_noise_is_that_of_smooth_noise_on_a_smooth_spectrum():
    random = np.random.default_rng(1)
    noise = random.normal(0, 1, (300, 186 + 2))
    noise = (noise[:, :-2] + noise[:, 1:-1] + noise[:, 2:]) / np.sqrt(3)  # neighbours alike
    found = np.median(signal_to_noise(8 + 2 * np.linspace(-1, 1, 186) + noise))
    assert found == pytest.approx(8, rel=0.15)
    assert np.abs(np.median(signal_to_noise(noise))) < 0.3
    assert np.isnan(signal_to_noise(np.full((1, 186), np.nan))).all()
