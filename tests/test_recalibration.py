"""Intervals fitted anew to known redshifts: what is wrong by design comes out, and is mended."""

import numpy as np
import pandas as pd
import pytest

from redshift_core import data, pdf, prediction
from redshift_core.errors import InputError
from redshift_core.evaluation.recalibration import (
    LEAST,
    Recalibration,
    log_score,
    recalibrate,
    recalibration_text,
)
from tests.test_prediction import job
from tests.test_prediction_pdf import scene  # noqa: F401  (a fixture)

TRUE_WIDTH = 0.03


def answers(n, width, moved=0.0, seed=0):
    """True redshifts amid the range, and Gaussian p(z) of some width about displaced readings."""
    random = np.random.default_rng(seed)
    z = random.uniform(0.2, 0.4, n)
    seen = z + TRUE_WIDTH * random.normal(size=n) - moved
    density = np.exp(-0.5 * ((pdf.CENTRES - seen[:, None]) / width) ** 2)
    return density / (density.sum(axis=1, keepdims=True) * pdf.WIDTH), z


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_the_temperature_is_the_square_of_what_widths_are_wrong_by(factor):
    density, z = answers(800, TRUE_WIDTH / factor, moved=0.02)
    found, report = recalibrate(density, z)
    assert found.temperature == pytest.approx(factor**2, rel=0.15)  # σ² / T of a Gaussian
    assert found.shift == pytest.approx(0.02, abs=3 * TRUE_WIDTH / np.sqrt(800))
    assert report.after["coverage68"] == pytest.approx(0.68, abs=0.05)
    assert report.after["coverage95"] == pytest.approx(0.95, abs=0.025)
    assert report.after["mae"] < report.before["mae"]
    assert report.after["log_likelihood"] > report.before["log_likelihood"]
    if factor == 1.5:
        assert report.before["coverage68"] < 0.5


def test_the_figures_are_of_galaxies_the_numbers_were_not_fitted_to():
    """Redshifts that no number can bring out: what is fitted to them does not help the others."""
    random = np.random.default_rng(1)
    density, z = answers(LEAST, TRUE_WIDTH, seed=1)
    found, report = recalibrate(density, random.permutation(z))
    itself = pdf.log_likelihood(found.apply(density), random.permutation(z)).mean()
    assert report.after["log_likelihood"] != itself
    assert report.n == LEAST


def test_a_recalibrated_density_is_one():
    density, _ = answers(50, 0.02)
    density[7] = np.nan
    for how in (Recalibration(3.0, 0.05), Recalibration(0.3, -0.35), Recalibration(1.0, 0.5999)):
        changed = how.apply(density)
        good = np.arange(50) != 7
        np.testing.assert_allclose(changed[good].sum(axis=1) * pdf.WIDTH, 1, rtol=1e-4)
        assert (changed[good] >= 0).all()
        assert np.isnan(changed[7]).all()
    np.testing.assert_allclose(
        Recalibration().apply(density)[good], density[good], rtol=1e-4, atol=1e-9
    )


def test_a_displacement_moves_p_of_z_by_itself():
    density, _ = answers(50, 0.02)
    for shift in (0.0125, -0.0131):
        moved = pdf.point(Recalibration(1.0, shift).apply(density)) - pdf.point(density)
        np.testing.assert_allclose(moved, shift, atol=2e-4)


@pytest.mark.parametrize("how", [Recalibration(1.7, 0.0131), Recalibration(0.6, -0.0777)])
def test_the_score_that_is_fitted_is_that_of_the_changed_densities(how):
    density, z = answers(200, TRUE_WIDTH)
    z[:20] = np.linspace(0, 0.6, 20)  # at the ends of the range too
    wanted = pdf.log_likelihood(how.apply(density), z).mean()
    assert log_score(np.log(density).astype(np.float32), z, how) == pytest.approx(wanted, abs=2e-3)


def test_too_few_known_redshifts_are_refused_in_a_sentence():
    density, z = answers(120, TRUE_WIDTH)
    z[:30] = np.nan
    with pytest.raises(InputError, match=r"90 of these .* new to the run.* needs 100 or more"):
        recalibrate(density, z)


def labelled_file(path, dataset, n=600):
    """The dataset's spectra again, as other galaxies: slightly brighter."""
    opened = data.open_dataset(dataset)
    names = [f"flux_{k}" for k in range(186)]
    table = pd.DataFrame(1.01 * np.array(opened.flux[:n]), columns=names)
    table.insert(0, "z", np.asarray(opened.z_spec)[:n])
    table.to_parquet(path)
    return path


def test_a_file_is_predicted_with_intervals_fitted_to_its_own_redshifts(scene, tmp_path):  # noqa: F811
    store, dataset, run, _ = scene
    file = str(labelled_file(tmp_path / "new.parquet", dataset))
    outs = [tmp_path / "plain.parquet", tmp_path / "fitted.parquet"]
    plain = prediction.predict_job(job(store, "predict", run=run.id, file=file, out=str(outs[0])))
    fitted = prediction.predict_job(
        job(store, "predict", run=run.id, file=file, labels=file, out=str(outs[1]))
    )
    assert plain["n_labelled"] == 600
    assert "recalibration" not in plain
    known = fitted["recalibration"]
    assert (known["n"], known["labels"], known["simulated"]) == (600, "new.parquet", False)
    before, after = (pd.read_parquet(out) for out in outs)
    z = np.asarray(data.open_dataset(dataset).z_spec)
    shares = [((t.z_low68 <= z) & (z <= t.z_high68)).mean() for t in (before, after)]
    assert shares[0] == pytest.approx(known["before"]["coverage68"], abs=1e-6)
    assert abs(shares[1] - 0.68) < 0.1
    text = recalibration_text(known)
    assert "to 600 galaxies of new.parquet" in text
    assert f"({shares[0]:.1%} before)" in text


def test_galaxies_of_a_dataset_count_only_where_the_run_has_not_seen_them(scene, tmp_path):  # noqa: F811
    store, dataset, run, _ = scene
    file = str(labelled_file(tmp_path / "new.parquet", dataset, 20))
    request = {"run": run.id, "file": file, "out": str(tmp_path / "z.csv")}
    with pytest.raises(InputError, match="60 of these galaxies"):  # its test rows
        prediction.predict_job(job(store, "predict", **request, dataset=dataset.id))
    assert not (tmp_path / "z.csv").exists()
