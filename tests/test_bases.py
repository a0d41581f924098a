"""What a mean spectrum can contain, and what its projection takes away."""

import numpy as np
import pytest
from scipy.integrate import quad

from redshift_core.constants import pixel_grid
from redshift_core.data import bases
from redshift_core.simulation import instrument


def test_the_functions_are_orthonormal_in_their_own_argument():
    u = np.linspace(-5, 65, 7001)
    for band, (low, high, low_x, high_x) in bases.BASIS_RANGE.items():
        values = bases.hermite(band, u)
        step = (u[1] - u[0]) * (high_x - low_x) / (high - low)
        np.testing.assert_allclose(values @ values.T * step, np.eye(55), atol=1e-3)


@pytest.mark.parametrize(("band", "pixel"), [("bp", 3), ("rp", 77)])
def test_a_flux_is_the_integral_over_its_pixel(band, pixel):
    u, width = (grid[bases.PIXELS[band]][pixel] for grid in pixel_grid())
    found = bases.integrated(band)[:, pixel]
    for order in (0, 7, 40):
        expected = quad(lambda x, n=order: bases.hermite(band, [x])[n, 0], u - width / 2,
                        u + width / 2)[0]  # fmt: skip
        assert found[order] == pytest.approx(expected, abs=1e-4)


def test_the_projection_keeps_mean_spectra_and_takes_a_third_of_white_noise():
    projection = bases.projection()
    np.testing.assert_allclose(projection @ projection, projection, atol=1e-12)
    assert np.trace(projection) == pytest.approx(77)
    light = np.random.default_rng(0).gamma(2, 1, (50, 240))
    flux = light @ instrument.mean_spectrum_matrix()
    assert np.sqrt(((flux @ projection - flux) ** 2).mean()) < 2e-3 * flux.max()
    rough = np.tile([1.0, -1.0], 93)
    assert np.sqrt(((rough @ projection) ** 2).mean()) < 0.2
    noise = np.random.default_rng(1).standard_normal((4000, 186))
    assert (noise @ projection).std() == pytest.approx(np.sqrt(77 / 186), rel=0.01)


def test_the_span_hardly_moves_with_the_pixels():
    projection = bases.projection()
    assert not projection.flags.writeable
    for band, pixels in bases.PIXELS.items():
        moved = bases.integrated(band, 0.3)
        left = moved @ projection[pixels, pixels] - moved
        assert np.sqrt((left**2).mean()) < 1e-3 * np.abs(moved).max()
