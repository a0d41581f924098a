"""The study of the simulated survey: published beside SIMULATED, and what is held to bounds."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from redshift_core import reference
from redshift_core.errors import InputError
from redshift_core.reference.real_galaxies import real_galaxies
from redshift_core.simulation import study
from redshift_core.simulation.study.likeness import likeness
from redshift_core.simulation.study.noise import high_pass, power_shares
from redshift_core.simulation.study.rows import RANGES, Row
from redshift_core.simulation.study.survey_facts import survey_facts
from redshift_core.simulation.survey import simulate
from redshift_core.simulation.table import VERSION
from redshift_core.store.study_records import BenchResult, BenchRow

ROOT = Path(__file__).parents[1]
N_PER_RANGE = 1500


@pytest.fixture(scope="module")
def measured(simulation_cache):
    return study.measure(N_PER_RANGE, 6000, cache=simulation_cache)


@pytest.fixture(scope="module")
def rows(measured):
    return [*study.compare(measured), study.difficulty_row(None)]


def test_a_spectrum_is_wholly_like_itself_and_brighter_ones_only_in_brightness():
    published = np.linspace(1, 3, 186)
    published[5] = np.nan
    same = likeness(published, np.linspace(1, 3, 186))
    assert (same.brightness, same.bp_rp, same.absolute_rms) == pytest.approx((1, 1, 0))
    twice = likeness(published, 2 * np.linspace(1, 3, 186))
    assert (twice.brightness, twice.bp_rp, twice.shape_rms) == pytest.approx((2, 1, 0), abs=1e-9)
    known = np.isfinite(published)
    known[79:81] = False
    rms = 100 * np.sqrt((published[known] ** 2).mean()) / 3
    assert twice.absolute_rms == pytest.approx(rms)


def test_one_wrong_pixel_is_found_and_the_seam_is_not_looked_at():
    published, simulated = np.ones(186), np.ones(186)
    simulated[120] = 1.3
    simulated[79:81] = 50
    found = likeness(published, simulated)
    scale = (183 + 1.3) / (183 + 1.3**2)  # best a of a·s over the 184 pixels
    assert found.pixel == 120
    assert found.largest == pytest.approx(100 * (1.3 * scale - 1))
    assert found.bp_rp == pytest.approx(79 / 79 / ((104 + 1.3) / 105))


def test_the_mean_spectra_are_those_published(rows):
    def values(what, below):
        return [r.simulated for r in rows if r.what == what and float(r.range[-3:]) <= below]

    brightness = values("brightness, simulated : published", 0.6)
    assert len(brightness) == 6
    assert all(0.9 <= value <= 1.12 for value in brightness)
    assert max(values("the same of the shape", 0.4)) <= 1.6
    assert all(abs(v - 1) <= 0.04 for v in values("BP : RP, simulated : published", 0.4))
    peaks = [r for r in rows if r.what == "RP peak / that of the first range"]
    ratio = [r.simulated / r.published for r in peaks]
    np.testing.assert_allclose(ratio, 1, atol=0.15)


def test_every_figure_of_the_study_is_there_and_finite(rows):
    for row in rows:
        for value in (row.published, row.simulated):
            assert value is None or isinstance(value, str) or np.isfinite(value), row
    parts = list(dict.fromkeys(row.part.split(",")[0] for row in rows))
    assert parts == [
        "Mean spectra in absolute units", "Mean spectra", "Extremes of the columns", "Brightness",
        "Noise", "Redshifts", "Difficulty",
    ]  # fmt: skip


def test_the_text_says_simulated_and_what_is_off(rows):
    text = study.report([*rows, Row("Extra", "a figure", "all", 1, 3.0, 0.5, 2.0)])
    assert text.startswith("# SIMULATED")
    assert "nan" not in text
    assert "inf" not in text
    assert "- a figure, all: 3, wanted 0.5 to 2" in text
    assert "3 (!)" in text
    kept = [row for row in rows if not row.off]
    assert study.still_off(kept) == "Everything with a bound lies within it."


def test_extremes_and_brightness_are_those_of_the_survey_itself(simulation_cache):
    facts = survey_facts(5000, 3, simulation_cache)
    survey = simulate(5000, 3, cache=simulation_cache)
    np.testing.assert_array_equal(facts.low, survey.flux.min(axis=0))
    np.testing.assert_array_equal(facts.high, survey.flux.max(axis=0))
    np.testing.assert_array_equal(facts.flux_140, survey.flux[:, 140])
    np.testing.assert_array_equal(facts.z, survey.z)
    np.testing.assert_array_equal(facts.first, survey.flux)


def test_other_sizes_than_the_published_are_named_and_bound_to_nothing(rows):
    extremes = [row for row in rows if row.part.startswith("Extremes")]
    assert "6,000 galaxies (published: 520,393" in extremes[0].part
    assert all(row.low is None for row in extremes)


def test_the_high_pass_keeps_ripples_and_drops_cubics():
    x = np.arange(106.0)
    cubic = (x / 50 - 1) ** 3 + 2
    ripple = np.sin(2 * np.pi * 0.17 * x)
    left = high_pass((cubic + ripple)[None])[0]
    assert np.std(left[15:-15]) == pytest.approx(
        np.std(ripple), rel=0.15
    )  # the filter rings a little
    assert np.abs(high_pass(cubic[None])).max() < 1e-9
    assert power_shares((cubic + ripple)[None])[0, 3] > 0.95  # 0.155–0.19 cycles per pixel


def test_noise_of_real_spectra_is_what_the_study_of_the_sky_found(rows):
    published = [r.published for r in rows if r.what.startswith("high-pass rms")]
    expected = [1.65, 2.07, 1.01, 1.61, 1.90, 1.12]  # %, BP then RP, measured with a running cubic
    np.testing.assert_allclose(published, expected, rtol=0.05)


def test_the_brightness_of_real_galaxies_is_that_of_their_spectra():
    published = reference.average_flux_absolute().iloc[140, 1:].to_numpy(float)
    real = real_galaxies()
    known = dict(reference.REAL_LN_BRIGHTNESS)
    for z, flux in zip(real.z_spec, real.flux, strict=True):
        mean = published[np.digitize(z, RANGES) - 1]
        assert known[round(float(z), 3)] == pytest.approx(np.log(flux[140] / mean), abs=0.02)


def test_the_committed_mean_spectra_are_those_of_a_fresh_simulation(measured):
    table = reference.simulated_average_flux()
    assert list(table.columns) == list(reference.average_flux_absolute().columns)
    committed = table.iloc[:, 1:].to_numpy().T
    # Brightness scatters by up to 0.67 in ln, so a mean of 1,500 is good to about 2 %.
    ratio = measured.means.sum(axis=1) / committed.sum(axis=1)
    np.testing.assert_allclose(ratio, 1, atol=0.08)
    for fresh, known in zip(measured.means, committed, strict=True):
        assert likeness(known, fresh).shape_rms < 1.0
    for said in reference.simulated_with():
        assert said.startswith(f"SIMULATED by version {VERSION} of the simulator, seed 1; ")


def test_the_documentation_holds_the_figures_of_the_committed_mean_spectra():
    text = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
    committed = reference.simulated_average_flux().iloc[:, 1:].to_numpy().T
    # The files have four decimals, so the last of a ratio's may differ from what was printed.
    for number, what in enumerate(("brightness", "BP : RP")):
        line = next(line for line in text.splitlines() if line.startswith(f"| {what}, simulated"))
        printed = [float(cell) for cell in line.strip("| ").split(" | ")[1:]]
        found = [(one.brightness, one.bp_rp)[number] for one in study.likenesses(committed)]
        np.testing.assert_allclose(printed, found, atol=1e-3)
    assert f"**version {VERSION}** of the simulator" in text


def test_the_committed_extremes_bracket_a_fresh_simulation_of_the_same_seed(measured):
    table = reference.simulated_minmax()  # of 520,393 galaxies that begin with the same 6,000
    assert (table.low <= measured.facts.low + 0.005).all()
    assert (table.high >= measured.facts.high - 0.005).all()


def test_what_is_written_is_what_is_read(measured, tmp_path, monkeypatch):
    paths = study.write(measured, tmp_path)
    averages, extremes = (pd.read_csv(path, comment="#") for path in paths)
    np.testing.assert_allclose(averages.iloc[:, 1:].T, measured.means, atol=6e-5)
    np.testing.assert_allclose(extremes.high, measured.facts.high, atol=6e-4)
    first = paths[0].read_text(encoding="utf-8").splitlines()[0]
    assert first == (
        f"# SIMULATED by version {VERSION} of the simulator, seed 1; 1,500 galaxies of each range"
    )


def test_the_difficulty_comes_from_a_bench_on_a_simulated_survey():
    row = BenchRow(
        name="dissertation", seconds=1.0, intervals={}, epochs=20, split={"train": 126_000},
        figures={"mae": 0.0219},
    )  # fmt: skip
    bench = BenchResult(
        bench="b", simulated=True, rows=(row,), environment={"dataset": {}}, config={}, missing=()
    )
    found = study.difficulty_row(bench)
    assert (found.simulated, found.off) == (0.0219, False)
    assert "20 epochs, 126,000 galaxies" in found.what
    worse = replace(row, figures={"mae": 0.03})
    assert study.difficulty_row(replace(bench, rows=(worse,))).off
    small = replace(worse, split={"train": 3000})  # too few to tell
    assert not study.difficulty_row(replace(bench, rows=(small,))).off
    for broken in (replace(bench, simulated=False), replace(bench, rows=())):
        with pytest.raises(InputError, match="no finished row of 'dissertation' on a simulated"):
            study.difficulty_row(broken)


def test_progress_reaches_its_end(simulation_cache):
    seen = []
    study.measure(100, 500, cache=simulation_cache, progress=lambda *said: seen.append(said[:2]))
    assert seen[0] == (0, 1100)
    assert seen[-1] == (1100, 1100)
    assert all(one <= other for (one, _), (other, _) in pairwise(seen))
