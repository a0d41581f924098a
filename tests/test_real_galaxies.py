"""Three real galaxies: the table, how it was filled, what is kept of a run's answers."""

import importlib.util
import json

import numpy as np
import pandas as pd
import pytest

from redshift_core import figures, pdf
from redshift_core.constants import wavelength
from redshift_core.errors import InputError
from redshift_core.evaluation.statistics import shape_bands
from redshift_core.reference.real_galaxies import RealAnswers, real_galaxies
from redshift_core.store import CHECKOUT, demo_file

SOURCE = CHECKOUT.parent / "shared" / "archive" / "real_galaxies.csv"
FLUX = [f"flux_{pixel}" for pixel in range(186)]
KNOWN = real_galaxies()


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("f", CHECKOUT / "scripts/fill_real_galaxies.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def simulated():
    """First SIMULATED spectra of the demo survey, (1500, 186)."""
    return pd.read_parquet(demo_file(), columns=FLUX).head(1500).to_numpy(float)


def answers(z_phot=(0.12, 0.15, 0.2), *, density=True, flags=("", "", "multimodal|low_signal")):
    ends = {68: [-0.03, 0.03], 95: [-0.07, 0.07]}
    middle = np.array(z_phot)[:, None]
    flat = np.full((3, 240), 1 / 0.6)
    return RealAnswers(
        np.array(z_phot), np.array([0.001, 0.002, 0.003]), flags,
        {level: middle + half for level, half in ends.items()} if density else {},
        flat if density else None,
    )  # fmt: skip


def test_there_are_three_whole_spectra_with_redshifts_that_cannot_be_changed():
    assert KNOWN.flux.shape == KNOWN.filled.shape == (3, 186)
    assert np.isfinite(KNOWN.flux).all()
    np.testing.assert_allclose(KNOWN.z_spec, [0.1193154, 0.1568829, 0.09104889])
    assert KNOWN.filled.sum(axis=1).tolist() == [0, 38, 17]
    with pytest.raises(ValueError, match="read-only"):
        KNOWN.flux[0, 0] = 1.0


@pytest.mark.skipif(not SOURCE.exists(), reason="the table read off the figures is not here")
def test_what_was_seen_is_untouched_and_what_was_hidden_is_marked():
    source = pd.read_csv(SOURCE)
    seen = source[FLUX].to_numpy()
    assert source.row.tolist() == KNOWN.row.tolist()
    assert source.z.tolist() == KNOWN.z_spec.tolist()
    np.testing.assert_array_equal(np.isnan(seen), KNOWN.filled)
    np.testing.assert_array_equal(seen[~KNOWN.filled], KNOWN.flux[~KNOWN.filled])


def test_filled_samples_do_not_depend_on_the_redshift(script, simulated):
    flux = pd.DataFrame(KNOWN.flux, columns=FLUX).mask(KNOWN.filled).astype(str)
    source = flux.replace("nan", np.nan).assign(row=list("abc"), z=KNOWN.z_spec.astype(str))
    one = script.filled_table(source, simulated)
    other = script.filled_table(source.assign(z=["0.5", "0.4", "0.3"]), simulated)
    assert one[FLUX].equals(other[FLUX])
    assert one.filled.tolist() == other.filled.tolist()
    assert one.filled[2] == " ".join(map(str, np.flatnonzero(KNOWN.filled[2])))
    assert one.flux_7[0] == source.flux_7[0]


def test_hidden_samples_come_back_nearer_than_a_straight_line(script, simulated):
    hidden = KNOWN.filled[1]
    errors, straight = [], []
    for spectrum in simulated[-30:]:
        found = script.fill(np.where(hidden, np.nan, spectrum), simulated[:-30])
        np.testing.assert_array_equal(found[~hidden], spectrum[~hidden])
        pixels = np.arange(186)
        line = np.interp(pixels[hidden], pixels[~hidden], spectrum[~hidden])
        errors.append(np.abs(found - spectrum)[hidden].mean())
        straight.append(np.abs(line - spectrum[hidden]).mean())
    assert np.mean(errors) < 0.6 * np.mean(straight)


def test_answers_survive_their_file_with_nan_as_null():
    given = answers((0.12, np.nan, 0.2))
    text = json.dumps(given.to_dict(), allow_nan=False)
    found = RealAnswers.from_dict(json.loads(text))
    np.testing.assert_array_equal(found.z_phot, given.z_phot)
    np.testing.assert_array_equal(found.intervals[95], given.intervals[95])
    np.testing.assert_allclose(found.density, given.density, atol=1e-5)
    assert (found.flags, json.loads(text)["mae"]) == (given.flags, None)
    assert "not all have a redshift" in found.sentence()
    plain = RealAnswers.from_dict(answers(density=False).to_dict())
    assert (plain.density, plain.intervals, plain.inside(68)) == (None, {}, None)


def test_the_sentence_counts_what_the_table_holds():
    given = answers()  # errors 0.0007, −0.0069, 0.1090; the third lies outside both intervals
    mean = np.mean(np.abs(np.array([0.12, 0.15, 0.2]) - KNOWN.z_spec))
    assert given.sentence() == (
        f"Three real galaxies: MAE {mean:.4f}, 2 of 3 in the 68 % interval, "
        "2 of 3 in the 95 % interval, 1 flagged (multimodal and low_signal)."
    )
    table = given.table()
    inside = table.z_spec.between(table.z_low68, table.z_high68)
    assert inside.tolist() == given.inside(68).tolist() == [True, True, False]
    assert given.to_dict()["inside68"] == 2
    assert table.error.abs().mean() == pytest.approx(given.mae) == pytest.approx(mean)


@pytest.mark.parametrize("change", [{"row": [1, 2, 3]}, {"z_phot": [0.1]}, {"flags": ["", ""]}])
def test_answers_about_other_galaxies_are_refused(change):
    with pytest.raises(InputError):
        RealAnswers.from_dict({**answers().to_dict(), **change})
    with pytest.raises(InputError, match="Evaluate the run again"):
        RealAnswers.from_dict({})


def test_bands_are_percentiles_of_spectra_of_mean_one():
    shape = np.linspace(0.5, 1.5, 186)
    scatter = np.random.default_rng(0).normal(0, 0.1, (400, 186))
    spectra = np.arange(1, 401)[:, None] * (shape + scatter - scatter.mean(axis=1)[:, None])
    bands = shape_bands(np.vstack([spectra, -spectra[:9], np.zeros((1, 186))]))
    wanted = shape + 0.1 * np.array([-1.645, -0.994, 0.994, 1.645])[:, None]
    np.testing.assert_allclose(bands, wanted, atol=0.05)
    assert np.isnan(shape_bands(np.zeros((2, 186)))).all()


def test_filled_samples_are_rings_and_every_density_stands_by_its_redshift():
    low, high = KNOWN.flux[1] * 0.9, KNOWN.flux[1] * 1.1
    drawn = figures.real_spectrum(
        "real", KNOWN.flux[1], KNOWN.filled[1], wavelength(), 0.157, {"5–95 %": (low, high)}
    )
    traces = {trace.name: trace for trace in drawn.data}
    assert len(traces["filled in"].x) == 38
    assert traces["filled in"].marker.symbol == "circle-open"
    assert traces["5–95 %"].showlegend
    density = np.exp(-0.5 * ((pdf.CENTRES - KNOWN.z_spec[:, None]) / 0.02) ** 2)
    names = ["one", "two", "three"]
    drawn = figures.real_densities(names, density, KNOWN.z_spec).data
    assert [trace.name for trace in drawn[::2]] == names
    for curve, line in zip(drawn[::2], drawn[1::2], strict=True):
        assert abs(curve.x[np.argmax(curve.y)] - line.x[0]) <= pdf.WIDTH
