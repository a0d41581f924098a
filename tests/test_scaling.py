"""Scalers: scikit-learn's own numbers, from training rows only, small enough to save."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

from redshift_core.data import bases, scaling
from redshift_core.data.scaling import Scaler, fit_scaler
from redshift_core.data.split import split_rows
from redshift_core.errors import InputError
from redshift_core.settings.names import SCALERS
from redshift_core.settings.run import ScalerConfig, SplitConfig
from redshift_core.store import demo_file

N = 2_000


@pytest.fixture(scope="module")
def flux():
    """Spectra of very different brightness with noise, (N, 186) float32."""
    rng = np.random.default_rng(0)
    bright = rng.lognormal(1.0, 0.8, (N, 1)) * np.linspace(0.1, 2.0, 186)
    return (bright + rng.normal(0.0, 0.3, (N, 186))).astype(np.float32)


@pytest.fixture(scope="module")
def split():
    return split_rows(np.arange(N), SplitConfig())


def test_the_registry_holds_the_names_of_the_settings():
    assert tuple(SCALERS) == scaling.SCALERS


@pytest.mark.parametrize("name", SCALERS)
def test_changing_a_test_row_does_not_change_the_scaler(name, flux, split):
    changed = flux.copy()
    changed[split.test] *= 1_000
    changed[split.val] -= 1_000
    before, after = (fit_scaler(ScalerConfig(name), f, split) for f in (flux, changed))
    for key, numbers in before.numbers.items():
        np.testing.assert_array_equal(after.numbers[key], numbers)


@pytest.mark.parametrize("name", SCALERS)
def test_fitted_on_all_rows_it_sees_the_test_rows_and_says_so(name, flux, split):
    changed = flux.copy()
    changed[split.test] *= 1_000
    config = ScalerConfig(name, fit_on="all")
    before, after = (fit_scaler(config, f, split) for f in (flux, changed))
    assert before.fit_on == "all"
    assert before.n_fitted == N
    assert any(not np.array_equal(after.numbers[k], v) for k, v in before.numbers.items())


@pytest.mark.parametrize(
    ("name", "own"),
    [("minmax", MinMaxScaler()), ("standard", StandardScaler()), ("robust", RobustScaler())],
)
def test_affine_scalers_equal_scikit_learn(name, own, flux, split, monkeypatch):
    monkeypatch.setattr(scaling, "BLOCK_ROWS", 100)
    own.fit(flux[split.train].astype(np.float64))
    scaled = fit_scaler(ScalerConfig(name), flux, split).apply(flux)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, own.transform(flux.astype(np.float64)), atol=2e-5)


@pytest.fixture(scope="module")
def survey_flux():
    """Flux of the demo survey (SIMULATED), (5000, 186) float32."""
    table = pd.read_parquet(demo_file())
    return table[[f"flux_{pixel}" for pixel in range(186)]].to_numpy(np.float32)


def check_quantile(flux, own, tolerance=1e-3):
    scaler = fit_scaler(ScalerConfig("quantile"), flux, np.arange(len(flux)))
    knots = scaler.numbers["knots"]
    assert knots.shape == scaler.numbers["levels"].shape == (186, 256)
    assert (np.diff(knots, axis=1) > 0).all()
    assert np.abs(scaler.apply(flux) - own.transform(flux)).max() < tolerance


def quantile_transformer(flux):
    return QuantileTransformer(n_quantiles=min(1_000, len(flux)), subsample=None).fit(flux)


@pytest.mark.parametrize("n", [40, 300, N])
def test_quantile_is_within_a_thousandth_of_scikit_learn(n, flux):
    check_quantile(flux[:n], quantile_transformer(flux[:n]))


@pytest.mark.parametrize("n", [40, 300, 3_150])
def test_quantile_of_three_decimals_with_many_equal_values_is_as_close(n, survey_flux):
    rounded = survey_flux[:n].round(3)
    own = quantile_transformer(rounded)
    # Its equal quantiles differ in the 16th digit, which would rank equal values at random.
    own.quantiles_ = own.quantiles_.round(6).astype(np.float32).astype(np.float64)
    check_quantile(rounded, own, tolerance=1.5e-3)


def test_quantile_of_a_constant_pixel_is_finite(flux):
    constant = flux.copy()
    constant[:, 5] = 1.25
    scaler = fit_scaler(ScalerConfig("quantile"), constant, np.arange(N))
    assert np.isfinite(scaler.apply(constant)).all()


def test_spectrum_divides_by_the_mean_and_adds_two_logarithms(flux, split):
    scaler = fit_scaler(ScalerConfig("spectrum"), flux, split)
    typical, floor = (float(scaler.numbers[key][0]) for key in ("typical", "floor"))
    scaled = scaler.apply(flux)
    assert scaled.shape == (N, scaler.n_inputs) == (N, 188)
    for spectrum, inputs in list(zip(flux.astype(np.float64), scaled, strict=True))[:200]:
        divisor = max(abs(spectrum.mean()), floor)
        np.testing.assert_allclose(inputs[:186], spectrum / divisor, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(inputs[186], np.log(divisor / typical), atol=1e-4)
        np.testing.assert_allclose(inputs[187], np.log((spectrum / divisor).std()), atol=1e-4)


def test_shape_gives_every_input_mean_0_and_spread_1_on_the_training_rows(flux, split):
    plain = fit_scaler(ScalerConfig("spectrum"), flux, split).apply(flux)
    scaled = fit_scaler(ScalerConfig("shape"), flux, split).apply(flux)
    known = plain[split.train].astype(np.float64)
    expected = (plain - known.mean(axis=0)) / known.std(axis=0)
    np.testing.assert_allclose(scaled, expected, atol=2e-3)


def test_whitened_inputs_are_uncorrelated_and_none_is_blown_up(flux, split):
    scaler = fit_scaler(ScalerConfig("whitened"), flux, split)
    possible = flux @ bases.projection().astype(np.float32)
    shape = fit_scaler(ScalerConfig("shape"), possible, split).apply(possible)[split.train]
    found = np.cov(scaler.apply(flux)[split.train].T, bias=True)
    size, component = np.linalg.eigh(np.cov(shape.T.astype(np.float64), bias=True))
    floor = scaling.whitening_floor(len(split.train))
    wanted = (component * (size / (size + floor))) @ component.T
    np.testing.assert_allclose(found, wanted, atol=0.02)
    assert np.linalg.eigvalsh(found)[-1] == pytest.approx(1.0, abs=0.05)


def test_whitened_inputs_do_not_hear_what_no_mean_spectrum_can_contain(flux, split):
    scaler = fit_scaler(ScalerConfig("whitened"), flux, split)
    noise = np.random.default_rng(0).standard_normal(flux.shape)
    noise -= noise @ bases.projection()
    loud = flux + 0.1 * np.abs(flux.mean(axis=1, keepdims=True)) * noise
    np.testing.assert_allclose(scaler.apply(loud), scaler.apply(flux), atol=0.02)


def test_a_whitening_of_an_earlier_version_is_applied_as_it_was(flux, split):
    fitted = fit_scaler(ScalerConfig("whitened"), flux, split)
    numbers = {key: value for key, value in fitted.numbers.items() if key != "projection"}
    old = Scaler("whitened", "whitened", numbers)
    shape = Scaler("shape", "shape", numbers).apply(flux)
    np.testing.assert_allclose(old.apply(flux), shape @ numbers["matrix"], rtol=1e-5)
    assert old.brittle
    assert not fitted.brittle
    assert not fit_scaler(ScalerConfig("shape"), flux, split).brittle


def test_whitened_inputs_stay_where_they_were(flux, split):
    scaled = fit_scaler(ScalerConfig("whitened"), flux, split).apply(flux)[split.train]
    shape = fit_scaler(ScalerConfig("shape"), flux, split).apply(flux)[split.train]
    alike = np.corrcoef(scaled.T, shape.T)[: scaled.shape[1], scaled.shape[1] :]
    assert (alike.argmax(axis=1) == np.arange(len(alike))).mean() > 0.9


def test_spectrum_of_no_light_at_all_is_finite(flux, split):
    scaler = fit_scaler(ScalerConfig("spectrum"), flux, split)
    assert np.isfinite(scaler.apply(np.zeros((1, 186)))).all()


@pytest.mark.parametrize("name", SCALERS)
def test_a_saved_scaler_scales_the_same(name, flux, split, tmp_path):
    scaler = fit_scaler(ScalerConfig(name), flux, split)
    scaler.save(tmp_path / "scaler.npz")
    again = Scaler.load(tmp_path / "scaler.npz")
    assert (again.name, again.form, again.fit_on) == (name, scaler.form, "train")
    np.testing.assert_array_equal(again.apply(flux), scaler.apply(flux))


def test_flux_of_another_width_is_refused(flux, split):
    scaler = fit_scaler(ScalerConfig("minmax"), flux, split)
    with pytest.raises(InputError, match=r"shape \(2000, 184\); expected \(n, 186\)"):
        scaler.apply(flux[:, :184])


def test_no_row_to_fit_on_is_refused(flux):
    with pytest.raises(InputError, match="no row to fit"):
        fit_scaler(ScalerConfig("minmax"), flux, np.array([], dtype=np.int64))
