"""Galaxies chosen by a bin or a box: exactly those, in every order, and their well-done twins."""

import itertools

import numpy as np
import pandas as pd
import pytest

from redshift_core import pdf
from redshift_core.errors import InputError
from redshift_core.evaluation.bins import binned, binned_by_brightness
from redshift_core.evaluation.predictions import (
    ORDERS,
    Choice,
    match_well_predicted,
    mean_flux,
    ordered,
    read_judged,
)

N = 2000


def predictions(path, **columns):
    random = np.random.default_rng(3)
    z_spec = np.round(np.clip(random.gamma(3.2, 0.05, N), 0, 0.7), 3)
    frame = pd.DataFrame(
        {
            "row": np.arange(N) * 3,
            "source_id": 2**62 + np.arange(N),
            "z_spec": z_spec,
            "z_phot": np.round(z_spec + random.normal(0, 0.05, N), 3),
            "brightness": random.lognormal(1, 1, N),
            "flags": np.where(np.arange(N) % 7 == 0, "bad|odd", ""),
        }
    ).assign(**columns)
    frame.to_parquet(path)
    return frame


@pytest.fixture
def known(tmp_path):
    predictions(tmp_path / "p.parquet")
    return read_judged(tmp_path / "p.parquet")


def test_what_was_predicted_is_read_as_it_was_written(tmp_path):
    frame = predictions(tmp_path / "p.parquet")
    known = read_judged(tmp_path / "p.parquet")
    table = known.table(np.arange(N))
    assert table.error.tolist() == (frame.z_phot - frame.z_spec).tolist()
    pd.testing.assert_frame_equal(table[list(frame)], frame, check_dtype=False)


def test_galaxies_without_a_redshift_are_left_out_and_counted(tmp_path):
    z_phot = np.where(np.arange(N) < 5, np.nan, 0.1)
    predictions(tmp_path / "p.parquet", z_phot=z_phot)
    known = read_judged(tmp_path / "p.parquet")
    assert (len(known.row), known.n_without, known.row[0]) == (N - 5, 5, 15)


def test_an_older_file_has_no_brightness(tmp_path):
    predictions(tmp_path / "p.parquet").drop(columns="brightness").to_parquet(
        tmp_path / "o.parquet"
    )
    known = read_judged(tmp_path / "o.parquet")
    assert "brightness" not in known.table(np.arange(3))
    with pytest.raises(InputError, match="has no brightness values; evaluate the run again"):
        Choice("brightness", (1.0, 2.0)).positions(known)


@pytest.mark.parametrize("by", ["z_spec", "z_phot", "brightness"])
def test_a_bin_opens_exactly_the_galaxies_it_counted(known, by):
    if by == "brightness":
        bins = binned_by_brightness(known.z_spec, known.z_phot, known.brightness)
    else:
        bins = binned(known.z_spec, known.z_phot, by=by)
    for one in bins:
        choice = Choice(by, one.limits)
        choice = Choice.parse(by, choice.text())  # through the address
        found = choice.positions(known)
        assert len(found) == one.n
        if len(found):
            assert np.mean(known.error[found]) == pytest.approx(one.mean_error)


def test_every_galaxy_of_a_box_lies_in_it_and_every_other_one_outside(known):
    found = Choice.parse("box", "0.1,0.2,0.15,0.3").positions(known)
    inside = [
        place
        for place, (spec, phot) in enumerate(zip(known.z_spec, known.z_phot, strict=True))
        if 0.1 <= spec <= 0.2 and 0.15 <= phot <= 0.3
    ]
    assert found.tolist() == inside
    assert len(inside) > 20


@pytest.mark.parametrize(
    ("by", "text"),
    [
        ("box", "0.1,0.2"),
        ("z_spec", "0.2,0.1"),
        ("z_phot", "0.1,nan"),
        ("z_spec", "a,b"),
        ("flux", "0,1"),
        ("box", ""),
    ],
)
def test_an_address_that_chooses_nothing_is_refused(by, text):
    with pytest.raises(InputError, match=r"numbers separated by commas|chooses no galaxies"):
        Choice.parse(by, text)


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_keeps_the_galaxies_and_sorts_them(known, order):
    positions = np.arange(100, 400)
    found = ordered(known, positions, order)
    assert sorted(found) == positions.tolist()
    values = ORDERS[order](known, found)
    assert all(one <= two for one, two in itertools.pairwise(values))


def test_the_largest_error_comes_first(known):
    first = ordered(known, np.arange(N), "Largest error first")[0]
    assert abs(known.error[first]) == np.abs(known.error).max()


def test_twins_are_well_predicted_and_nearest_in_redshift(known):
    positions = np.flatnonzero(np.abs(known.error) > 0.1)[:40]
    drawn, well = match_well_predicted(known, positions)
    assert drawn.tolist() == positions.tolist()
    e_z = known.error / (1 + known.z_spec)
    sigma = 1.4826 * np.median(abs(e_z - np.median(e_z)))
    good = np.flatnonzero(abs(e_z) < sigma)
    assert set(well) <= set(good)
    for one, other in zip(drawn, well, strict=True):
        nearest = np.abs(known.z_spec[good] - known.z_spec[one]).min()
        assert abs(known.z_spec[other] - known.z_spec[one]) == pytest.approx(nearest)


def test_of_many_galaxies_the_seed_draws_some(known):
    drawn, well = match_well_predicted(known, np.arange(N), n=50, seed=1)
    assert len(set(drawn)) == len(drawn) == len(well) == 50
    assert drawn.tolist() == match_well_predicted(known, np.arange(N), n=50, seed=1)[0].tolist()
    assert drawn.tolist() != match_well_predicted(known, np.arange(N), n=50, seed=2)[0].tolist()


@pytest.mark.parametrize("n_good", [0, 1, 2])
def test_twins_exist_as_far_as_there_are_well_predicted_galaxies(tmp_path, n_good):
    z_phot = np.full(4, 0.9)
    z_phot[:n_good] = 0.1
    frame = predictions(tmp_path / "p.parquet").head(4).assign(z_spec=0.1, z_phot=z_phot)
    frame.to_parquet(tmp_path / "p.parquet")
    drawn, well = match_well_predicted(read_judged(tmp_path / "p.parquet"), np.arange(4))
    assert len(drawn) == 4
    assert set(well) <= set(range(n_good))


def test_the_mean_spectrum_counts_a_row_as_often_as_it_is_named():
    flux = np.arange(12, dtype=np.float32).reshape(4, 3)
    mean = mean_flux(flux, np.array([3, 0, 3]))
    assert mean.tolist() == ((2 * flux[3] + flux[0]) / 3).astype(float).tolist()


def test_redshifts_are_read_anew_off_the_densities(tmp_path):
    frame = predictions(tmp_path / "p.parquet")
    density = np.exp(-0.5 * ((pdf.CENTRES - frame.z_phot.to_numpy()[:, None]) / 0.02) ** 2)
    density = (density / (density.sum(axis=1, keepdims=True) * pdf.WIDTH)).astype(np.float16)
    density[7] = np.nan
    np.save(tmp_path / "pdf.npy", density)
    estimate = pdf.Estimate("mean", "flat", 0.5)
    priors = {"training": pdf.training_prior(frame.z_spec)}
    known = read_judged(tmp_path / "p.parquet", tmp_path / "pdf.npy", estimate, priors)
    wanted = np.delete(estimate.redshifts(density, priors), 7)
    assert known.z_phot.tolist() == wanted.tolist()
    assert known.row.tolist() == np.delete(frame.row.to_numpy(), 7).tolist()
    assert known.n_without == 1
    for missing in (None, tmp_path / "none.npy"):
        with pytest.raises(InputError, match="keeps no p\\(z\\)"):
            read_judged(tmp_path / "p.parquet", missing, estimate, priors)
    with pytest.raises(InputError, match=r"p\.parquet is damaged: .*Evaluate the run again"):
        read_judged(tmp_path / "p.parquet", tmp_path / "p.parquet", estimate, priors)
