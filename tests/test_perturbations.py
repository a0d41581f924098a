"""Perturbations: each does what it says, by its unit, and the same for the same seed."""

import numpy as np
import pytest

from redshift_core.evaluation import perturbations
from redshift_core.evaluation.perturbations import BANDS, PERTURBATIONS, perturbed
from redshift_core.simulation.observing import element_noise

N = 2000


@pytest.fixture(scope="module")
def flux():
    """Smooth spectra of mean flux 2 to 40 e⁻ s⁻¹, without noise."""
    pixel = np.linspace(0, 1, 186)
    shape = 1 + 0.5 * np.sin(9 * pixel) + 0.3 * np.cos(25 * pixel)
    return (np.geomspace(2, 40, N)[:, None] * shape).astype(np.float32)


def relative(name, flux):
    """Change of each flux in units of its spectrum's mean."""
    return (perturbed(name, flux).astype(float) - flux) / flux.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_spectra_keep_their_shape_and_are_never_changed_in_place(flux, name):
    before = flux.copy()
    found = perturbed(name, flux)
    assert found.shape == flux.shape
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.array_equal(flux, before)
    assert not np.array_equal(found, flux)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_the_same_seed_suffers_the_same_and_another_seed_something_else(flux, name):
    some = flux[:50]
    assert np.array_equal(perturbed(name, some, 3), perturbed(name, some, 3))
    drawn = name.startswith(("white", "calibration", "noise"))
    assert np.array_equal(perturbed(name, some, 3), perturbed(name, some, 4)) != drawn


@pytest.mark.parametrize("decimals", [3, 2, 1])
def test_rounding_leaves_so_many_decimals(flux, decimals):
    scaled = perturbed(f"decimals_{decimals}", flux[:100]) * 10.0**decimals
    assert np.abs(scaled - np.round(scaled)).max() < 0.02  # float32
    assert np.abs(scaled - flux[:100] * 10.0**decimals).max() < 0.51


@pytest.mark.parametrize("share", ["1e-4", "1e-3", "5e-3", "1e-2"])
def test_white_noise_has_its_share_of_the_mean_and_no_neighbour_knows_of_it(flux, share):
    change = relative(f"white_{share}", flux)
    assert change.std() == pytest.approx(float(share), rel=0.02)
    assert change[: N // 2].std() == pytest.approx(change[N // 2 :].std(), rel=0.02)
    assert abs((change[:, 1:] * change[:, :-1]).mean()) < 0.02 * change.var()


@pytest.mark.parametrize("percent", [1, 3])
def test_a_calibration_error_is_a_cubic_of_its_rms_in_each_band(flux, percent):
    factor = perturbed(f"calibration_{percent}", flux) / flux.astype(float) - 1
    for band in BANDS:
        here = factor[:, band]
        assert np.sqrt((here**2).mean()) == pytest.approx(percent / 100, rel=0.05)
        pixel = np.linspace(-1, 1, here.shape[1])
        left = (
            here.T
            - np.polynomial.polynomial.polyval(
                pixel, np.polynomial.polynomial.polyfit(pixel, here.T, 3)
            ).T
        )
        assert np.abs(left).max() < 1e-5  # float32
    both = [factor[:, band].mean(axis=1) for band in BANDS]
    assert abs(np.corrcoef(both)[0, 1]) < 0.1  # each band has its own draw


def test_a_shift_moves_each_band_by_half_a_pixel_and_not_across_the_seam():
    pixel = np.arange(186.0)
    line = np.exp(-0.5 * ((pixel - 40) / 4) ** 2) + np.exp(-0.5 * ((pixel - 130) / 4) ** 2)
    expected = np.exp(-0.5 * ((pixel - 40.5) / 4) ** 2) + np.exp(-0.5 * ((pixel - 130.5) / 4) ** 2)
    assert np.abs(perturbed("shift_half", line[None])[0] - expected).max() < 1e-4
    step = np.where(pixel < 80, 1.0, 5.0)
    assert perturbed("shift_half", step[None])[0] == pytest.approx(step, abs=1e-5)


def test_a_brighter_spectrum_is_the_same_times_a_factor(flux):
    np.testing.assert_allclose(perturbed("brightness_30", flux), flux * 1.3, rtol=1e-6)


def test_the_noise_added_is_that_of_the_simulated_instrument():
    """The light of a window is known here, so its noise can be drawn without the way round."""
    element = np.linspace(0, 1, 120)
    light = np.concatenate([np.exp(-((element - c) ** 2) / 0.06) for c in (0.5, 0.45)])
    to_pixels = perturbations._window_matrices()[1]
    for level in (1.0, 30.0):
        window = np.repeat((level * light).astype(np.float32)[None], 4000, axis=0)
        drawn = element_noise(np.random.default_rng(1), window) @ to_pixels
        added = perturbations.instrument_noise(window @ to_pixels, np.random.default_rng(2))
        assert added.std(axis=0) / drawn.std(axis=0) == pytest.approx(np.ones(186), abs=0.1)
        apart = np.corrcoef(added.T) - np.corrcoef(drawn.T)
        assert np.abs(apart).max() < 0.2  # the colour is the same; each has its sampling error


def test_the_weight_makes_noise_larger_by_its_percentage(flux):
    some = np.repeat(flux[1500:1501], 4000, axis=0)
    clean = perturbations.instrument_noise(some, np.random.default_rng(3))
    for name, factor in (("noise_20", 1.2), ("noise_50", 1.5)):
        added = perturbed(name, some) - some
        total = np.sqrt(clean.var(axis=0) + added.var(axis=0))
        assert (total / clean.std(axis=0)).mean() == pytest.approx(factor, rel=0.02)


def test_another_number_of_pixels_is_refused():
    with pytest.raises(ValueError, match=r"flux has shape \(3, 184\); it must be"):
        perturbed("brightness_30", np.ones((3, 184)))


def test_labels_are_unique_and_every_entry_is_explained():
    assert len({one.label for one in PERTURBATIONS.values()}) == len(PERTURBATIONS) == 13
    assert all(one.about.endswith(".") for one in PERTURBATIONS.values())
