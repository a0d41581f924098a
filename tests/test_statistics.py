"""Distributions, draws and densities against their definitions written out."""

import numpy as np
import pytest

from redshift_core.errors import InputError
from redshift_core.evaluation.bins import bin_edges, bin_index, grouped
from redshift_core.evaluation.statistics import (
    RANGES,
    average_spectra,
    average_table,
    draw_rows,
    histogram,
    normalised,
    parse_edges,
    pixel_spread,
    redshift_percentiles,
    redshift_plane,
    redshift_statistics,
    running_percentiles,
    share_per_bin,
    similar_rows,
)


def test_statistics_agree_with_scipy():
    from scipy import stats

    z = np.random.default_rng(1).gamma(3.0, 0.05, 5000)
    found = redshift_statistics(z)
    assert found["mean"] == pytest.approx(z.mean())
    assert found["sd"] == pytest.approx(z.std())
    assert found["skewness"] == pytest.approx(stats.skew(z))
    assert found["excess kurtosis"] == pytest.approx(stats.kurtosis(z))


def test_statistics_of_nothing_are_nan_and_do_not_fail():
    assert all(np.isnan(value) for value in redshift_statistics(np.array([])).values())
    assert all(np.isnan(value) for value in redshift_percentiles(np.array([])).values())


def test_percentile_50_is_the_median():
    assert redshift_percentiles(np.array([0.1, 0.2, 0.6]))[50] == pytest.approx(0.2)


def test_the_last_bin_is_closed_and_the_others_are_half_open():
    counts = histogram(np.array([0.0, 0.05, 0.6]), bin_edges(0.05))
    assert counts[0] == 1
    assert counts[1] == 1
    assert counts[-1] == 1


def test_shares_of_all_bins_sum_to_one_hundred_per_cent():
    assert share_per_bin(np.linspace(0, 0.6, 997)).sum() == pytest.approx(100)


def test_the_redshift_plane_has_z_phot_on_the_first_axis():
    edges, counts = redshift_plane(np.array([0.05, 0.05]), np.array([0.55, 0.55]), n_bins=6)
    assert edges.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert counts[5, 0] == 2
    assert counts.sum() == 2


def test_the_redshift_plane_can_begin_above_zero():
    edges, counts = redshift_plane(np.array([0.1, 0.3]), np.array([0.3, 0.3]), 4, high=0.4, low=0.2)
    assert edges.tolist() == pytest.approx([0.2, 0.25, 0.3, 0.35, 0.4])
    assert counts.sum() == 1


def test_running_percentiles_are_those_of_each_full_enough_bin():
    random = np.random.default_rng(1)
    x = random.uniform(0, 0.35, 900)
    y = x + random.normal(0, 0.1, 900)
    found = running_percentiles(x, y, np.array([0.0, 0.1, 0.2, 0.3, 0.6, 0.7]), n_min=20)
    assert found.n.sum() == 900  # all bins but the empty last one
    inside = (x >= 0.1) & (x < 0.2)
    line = found.iloc[1]
    assert line.x == pytest.approx(x[inside].mean())
    wanted = np.percentile(y[inside], [16, 50, 84])
    assert [line.p16, line.p50, line.p84] == pytest.approx(wanted)
    assert len(running_percentiles(x[:19], y[:19], np.array([0.0, 0.6]), n_min=20)) == 0


def test_drawn_rows_rise_do_not_repeat_and_follow_the_seed():
    rows = np.arange(100, 1100)
    drawn = draw_rows(rows, 50, seed=3)
    assert len(np.unique(drawn)) == 50
    assert np.all(np.diff(drawn) > 0)
    assert np.array_equal(drawn, draw_rows(rows, 50, seed=3))
    assert not np.array_equal(drawn, draw_rows(rows, 50, seed=4))


def test_fewer_candidates_than_asked_for_are_all_taken():
    assert draw_rows(np.array([5, 2, 9]), 10, seed=1).tolist() == [2, 5, 9]


def test_average_spectra_equal_a_plain_mean_of_the_rows_in_each_range():
    generator = np.random.default_rng(2)
    flux = generator.normal(size=(300, 186)).astype(np.float32)
    z = generator.uniform(0, 0.6, 300)
    z[:10] = np.nan
    rows = np.arange(5, 300)
    averages = average_spectra(flux, z, rows, RANGES, count=1000)
    assert [a.n for a in averages] == [a.n_available for a in averages]
    assert sum(a.n for a in averages) == 290
    wanted = flux[5:][(z[5:] >= 0.2) & (z[5:] < 0.3)].astype(float)
    assert averages[2].mean == pytest.approx(wanted.mean(0))
    assert averages[2].std == pytest.approx(wanted.std(0))


def test_a_draw_limits_the_number_and_an_empty_range_is_nan():
    flux = np.ones((40, 186), np.float32)
    z = np.full(40, 0.05)
    first, second = average_spectra(flux, z, np.arange(40), (0, 0.1, 0.2), count=7)
    assert (first.n, first.n_available) == (7, 40)
    assert (second.n, second.n_available) == (0, 0)
    assert np.isnan(second.mean).all()


def test_a_source_at_the_upper_limit_belongs_to_the_last_range():
    flux = np.ones((2, 186), np.float32)
    (only,) = average_spectra(flux, np.array([0.6, 0.55]), np.arange(2), (0.5, 0.6))
    assert only.n == 2


def test_average_table_has_a_line_per_pixel_and_five_columns_per_range():
    flux = np.ones((4, 186), np.float32)
    averages = average_spectra(flux, np.full(4, 0.05), np.arange(4), (0, 0.1, 0.2))
    table = average_table(averages, np.linspace(366, 996, 186))
    assert table.shape == (186, 12)
    assert table["z_0_0.1_mean"].eq(1).all()
    assert table["z_0.1_0.2_p84"].isna().all()


def test_average_curves_follow_their_definitions():
    flux = np.random.default_rng(3).normal(2, 1, (50, 186)).astype(np.float32)
    (one,) = average_spectra(flux, np.full(50, 0.05), np.arange(50), (0, 0.1))
    wanted = flux.astype(float)
    middle, low, high = one.curves()
    assert middle == pytest.approx(wanted.mean(0))
    assert high - low == pytest.approx(2 * wanted.std(0))
    _, low, high = one.curves("median", "percentiles")
    assert low == pytest.approx(np.percentile(wanted, 16, axis=0))
    assert high == pytest.approx(np.percentile(wanted, 84, axis=0))
    middle, low, high = one.curves("median", "sem", at_peak=True)
    assert middle.max() == pytest.approx(1)
    peak = np.median(wanted, axis=0).max()
    assert high - low == pytest.approx(2 * wanted.std(0) / np.sqrt(50) / peak)


def test_similar_rows_are_near_in_redshift_and_among_those_allowed():
    z = np.array([0.1, 0.104, 0.2, 0.096, 0.1, np.nan])
    assert similar_rows(z, np.array([1, 2, 3, 4, 5]), 0.1, 0.005).tolist() == [1, 3, 4]
    assert len(similar_rows(np.full(900, 0.1), np.arange(900), 0.1, count=300)) == 300


def test_the_spread_of_a_pixel_holds_68_per_cent_of_the_spectra():
    low, high = pixel_spread(np.arange(101.0)[:, None] * [1, 10])
    assert low.tolist() == pytest.approx([16, 160])
    assert high.tolist() == pytest.approx([84, 840])


def test_normalised_spectra_have_mean_one_and_keep_their_sign():
    flux = np.array([[1.0, 3.0], [-2.0, -4.0], [-1.0, 1.0]])
    found = normalised(flux)
    assert found[0].tolist() == [0.5, 1.5]
    assert found[1].tolist() == pytest.approx([-2 / 3, -4 / 3])
    assert np.isnan(found[2]).all()


@pytest.mark.parametrize("text", ["", "0.1", "0.2, 0.1", "0.1, 0.1", "a, b"])
def test_limits_that_do_not_rise_or_are_no_numbers_are_refused(text):
    with pytest.raises(InputError, match="rising limits"):
        parse_edges(text)


def test_limits_may_be_parted_by_commas_semicolons_or_blanks():
    assert parse_edges("0, 0.1;0.2 0.3") == (0.0, 0.1, 0.2, 0.3)


EDGES = [bin_edges(0.05), bin_edges(0.07), bin_edges(0.0013), np.array([0.1, 0.2, 0.25, 0.6])]


@pytest.mark.parametrize("edges", EDGES, ids=["equal", "last narrower", "many", "unequal"])
def test_counts_and_bins_are_those_of_a_search(edges):
    """Also for redshifts on an edge, just below one, and outside; more than one block of them."""
    random = np.random.default_rng(3)
    z = np.r_[random.uniform(-0.1, 0.7, 70_000), edges, np.nextafter(edges, -1), np.nan, np.inf]
    index = bin_index(z, edges)
    wanted = np.searchsorted(edges, z, side="right") - 1
    wanted[z == edges[-1]] = len(edges) - 2
    wanted[~((z >= edges[0]) & (z <= edges[-1]))] = -1
    np.testing.assert_array_equal(index, wanted)
    rows = np.arange(len(z))
    for place, found in enumerate(grouped(z, edges, rows, -rows)):
        np.testing.assert_array_equal(found[0], np.flatnonzero(wanted == place))
        np.testing.assert_array_equal(found[1], -found[0])


def test_the_redshift_plane_is_numpys_histogram():
    random = np.random.default_rng(4)
    spec, phot = random.uniform(-0.05, 0.65, (2, 100_000))
    edges, counts = redshift_plane(spec, phot, 150)
    np.testing.assert_array_equal(counts, np.histogram2d(phot, spec, bins=(edges, edges))[0])


def test_similar_rows_are_those_near_in_redshift_whatever_the_blocks():
    random = np.random.default_rng(5)
    z, rows = random.uniform(0, 0.6, 200_000), np.arange(0, 200_000, 2)
    near = rows[np.abs(z[rows] - 0.3) <= 0.01]
    np.testing.assert_array_equal(similar_rows(z, rows, 0.3, 0.01, 10**6), near)
    assert len(similar_rows(z, rows[:0], 0.3)) == 0
