"""The simulated survey: its physics against naive twins, its bytes, its files, its job."""

import gzip
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.integrate import quad
from scipy.stats import kstest, norm

from redshift_core import jobs, reference
from redshift_core.constants import N_PIXELS, pixel_grid, wavelength
from redshift_core.data import open_dataset
from redshift_core.errors import InputError
from redshift_core.simulation import (
    files,
    instrument,
    observing,
    physics,
    simulate,
    table,
    write_survey,
)
from redshift_core.simulation.galaxies import RP_BRIGHTEST, RP_FAINTEST, RP_ZERO_POINT, RedshiftLaw
from redshift_core.simulation.inputs import load_inputs
from redshift_core.simulation.job import simulate_job
from redshift_core.simulation.observing import Telescope, element_noise
from redshift_core.simulation.survey import CHUNK, blocks, galaxies
from redshift_core.store import JobContext, demo_file

ROOT = Path(__file__).parents[1]
DEMO_SEED = 20  # data/demo/README.md


@pytest.fixture(scope="session")
def cache(simulation_cache):
    return simulation_cache


@pytest.fixture(scope="session")
def survey(cache):
    return simulate(20_000, 1, cache=cache)


# Physics


def test_the_luminosity_distance_is_the_integral():
    for z in (0.01, 0.1, 0.6):
        comoving = quad(lambda x: 1 / np.sqrt(0.3 * (1 + x) ** 3 + 0.7), 0, z)[0]
        expected = (1 + z) * physics.C_KM_S / 70 * comoving
        assert physics.luminosity_distance(np.array([z]))[0] == pytest.approx(expected, rel=1e-4)


def test_extinction_laws_pass_through_their_definitions():
    blue, visual = physics.milky_way_extinction(np.array([438.0, 549.45]))
    assert visual == pytest.approx(3.1, rel=1e-3)  # R = A(V)/E(B−V)
    assert blue - visual == pytest.approx(1.0, abs=0.03)
    assert physics.calzetti_extinction(np.array([5500.0]))[0] == pytest.approx(1.0, abs=0.01)


def test_radii_follow_shen_2003_where_the_paper_gives_them():
    early = physics.half_light_radius(np.array([-22.85]), np.array([True]))
    assert early[0] == pytest.approx(10 ** (0.26 * 22.85 - 5.06))
    late = physics.half_light_radius(np.array([-20.91]), np.array([False]))
    assert late[0] == pytest.approx(10 ** (0.104 * 20.91 - 1.71 + 0.25 * np.log10(2)))


@pytest.mark.parametrize("index", [1, 4])
def test_the_light_strip_agrees_with_throwing_photons(index):
    rng, n = np.random.default_rng(0), 1_000_000
    b = 1.678347 if index == 1 else 7.669249  # Ciotti & Bertin 1999
    radius = 0.8 * (rng.gamma(2 * index, size=n) / b) ** index
    angle = rng.uniform(0, 2 * np.pi, n)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    edges = np.linspace(-3, 3, 61)
    thrown = np.histogram(x[np.abs(y) < 1.06], edges)[0] / n
    strip = physics.sersic_strip(0.8, index, edges, 1.06)
    np.testing.assert_allclose(strip, thrown, atol=6 * np.sqrt(thrown.max() / n))


def test_line_groups_share_out_all_their_light():
    for lines in physics.LINES.values():
        assert sum(share for _, share in lines) == pytest.approx(1.0)


# Instrument and table


def test_the_wavelength_axis_has_the_published_ends():
    nm = wavelength()
    assert nm.shape == (N_PIXELS,)
    assert (np.diff(nm[:80]) > 0).all()
    assert (np.diff(nm[80:]) > 0).all()
    np.testing.assert_allclose(nm[[0, 79, 80, 185]], [366.0, 626.56, 619.38, 996.0], atol=0.01)


def test_wavelength_and_pseudo_wavelength_of_a_pixel_are_one_place():
    inputs, (u, width) = load_inputs(), pixel_grid()
    for band, kept in ((1, slice(0, 80)), (2, slice(80, 186))):
        known = ~np.isnan(inputs.dispersion[:, band])
        there = np.interp(wavelength()[kept], *inputs.dispersion[known][:, [0, band]].T)
        np.testing.assert_allclose(there, u[kept], atol=2e-3)
        between = (width[kept][1:] + width[kept][:-1]) / 2
        np.testing.assert_allclose(np.abs(np.diff(u[kept])), between, atol=1e-4)


def test_the_grid_is_the_one_inferred_from_real_spectra():
    source = ROOT.parent / "shared" / "archive" / "grid186.csv"
    if not source.exists():
        pytest.skip("the study's grid is not beside the checkout")
    grid = pd.read_csv(source)
    np.testing.assert_allclose(pixel_grid(), grid[["u", "width_u"]].T, atol=1e-4)


def test_the_mean_spectrum_keeps_a_smooth_curve():
    curve = norm.pdf(instrument.ELEMENT_U, 30, 6)
    pixels = np.concatenate([curve, curve]) @ instrument.mean_spectrum_matrix()
    centre, width = pixel_grid()
    u = centre + np.repeat(list(instrument.GRID_OFFSET.values()), (80, 106))
    expected = norm.cdf(u + width / 2, 30, 6) - norm.cdf(u - width / 2, 30, 6)
    np.testing.assert_allclose(pixels, expected, atol=2e-5)


def test_light_lands_on_average_where_the_instrument_model_of_gaia_says(cache):
    inputs = load_inputs()
    for number, name in enumerate(instrument.BANDS):
        band = instrument.Band(inputs, name)
        point = np.zeros(2 * instrument.KERNEL_REACH + 1)
        point[instrument.KERNEL_REACH] = 1
        for u in (18.0, 30.0, 42.0):
            light = band.spread(point)[np.argmin(np.abs(band.u - u))]
            mean = (light * instrument.ELEMENT_U).sum() / light.sum()
            expected = np.interp(u, inputs.line_spread_u, inputs.line_spread_offset[number])
            assert mean - u == pytest.approx(expected, abs=0.01)


def test_the_table_agrees_with_adding_up_photons_one_wavelength_at_a_time(cache):
    inputs, grid = load_inputs(), table.open_table(cache)
    template, z_step, size = 1, 25, 3
    z = table.Z_GRID[z_step]
    nm = np.arange(560.0, 1080.0, 0.02)
    u = np.interp(nm, *inputs.dispersion[~np.isnan(inputs.dispersion[:, 2])][:, [0, 2]].T)
    f_lambda = (
        1e-17
        / (1 + z)
        * np.interp(nm * 10 / (1 + z), inputs.template_wavelength, inputs.template_flux[template])
    )
    response = np.interp(nm, *inputs.rp_response.T)
    photons = 7278 * response * f_lambda * (nm * 10) / 1.98644586e-8 * 0.2  # per 0.02 nm = 0.2 Å
    extent = table.light_profile(table.SIZES[size], 1)
    offset = instrument.U_STEP * np.arange(-640, 641)
    narrow, share, wide, shift = instrument.LSF["rp"]
    dust_free, element = 2, 70
    assert table.DUST[dust_free] == 0
    lands = u + np.interp(u, inputs.line_spread_u, inputs.line_spread_offset[1])
    distance = instrument.ELEMENT_U[element] - lands + (1 - share) * shift
    spread = np.zeros(len(nm))
    for part, shifted in zip(extent, offset, strict=True):
        if part > 1e-6:
            near = distance - shifted
            spread += part * share * norm.pdf(near, 0, narrow)
            spread += part * (1 - share) * norm.pdf(near, shift, wide)
    found = grid.window[dust_free, size, z_step, template, 120 + element]
    assert found == pytest.approx((photons * spread).sum(), rel=0.01)


def test_a_line_brings_the_light_of_its_equivalent_width(cache):
    """1 Å of Hα on a continuum of 1e-17 is 1e-17 erg s⁻¹ cm⁻², wherever the window catches it."""
    grid, inputs = table.open_table(cache), load_inputs()
    band = instrument.Band(inputs, "rp")
    z = table.Z_GRID[50]
    gain = np.interp(6580 * (1 + z) / 10, band.wavelength, band.gain)
    light = grid.window[2, 0, 50, 7, 120:].sum() / 2  # the last component: Hα, [N II], [S II]
    caught = table.light_profile(table.SIZES[0], 1).sum()
    assert light == pytest.approx(1e-17 * gain * 6580 * (1 + z) * caught, rel=0.03)


def test_a_second_table_is_not_built(cache):
    before = (cache / f"simulation-table-v{table.VERSION}" / "window.npy").stat().st_mtime_ns
    assert table.open_table(cache) is table.open_table(cache)
    after = (cache / f"simulation-table-v{table.VERSION}" / "window.npy").stat().st_mtime_ns
    assert after == before
    assert not list(cache.glob(".tmp-*"))


def test_a_disk_without_room_for_the_table_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "NEEDED_BYTES", 10**18)
    with pytest.raises(InputError, match="MB free, and the simulator's table needs"):
        table.open_table(tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_noise_asked_for_later_in_a_process_is_another_noise(monkeypatch):
    signal = np.full((200, 240), 10.0, dtype=np.float32)
    before = observing.element_noise(np.random.default_rng(1), signal)
    gain = tuple(1.2 * one for one in observing.NOISE_GAIN)
    monkeypatch.setattr(observing, "NOISE_GAIN", gain)
    after = observing.element_noise(np.random.default_rng(1), signal)
    np.testing.assert_allclose(after, 1.2 * before, rtol=1e-4, atol=1e-6)


def test_noise_is_that_of_electrons_and_read_out():
    signal = np.full((20_000, 240), 10.0, dtype=np.float32)
    noise = element_noise(np.random.default_rng(1), signal).reshape(-1, 2, 120)[..., 5:-5]
    transits = np.clip(np.random.default_rng(2).gamma(5.0, 41 / 5, 400_000), 12, 120)
    expected = 2 * 2 * ((10 + 1.6) * 4.42 + 5.2**2) / 4.42**2 * np.mean(1 / transits)
    expected = (expected + (0.012 * 10) ** 2) * np.exp(2 * 0.35**2)  # scatter between objects
    kernel = np.exp(-0.5 * (np.arange(-9, 10) / 0.65) ** 2)
    kept = (kernel**2).sum() / kernel.sum() ** 2  # of white noise that is smeared
    assert noise.mean() == pytest.approx(0, abs=0.002)
    for band, gain in enumerate((1.0, 0.75)):
        assert noise[:, band].var() == pytest.approx(expected * kept * gain**2, rel=0.03)
    correlation = (noise[:, 0, 1:] * noise[:, 0, :-1]).mean() / noise[:, 0].var()
    expected = (kernel[1:] * kernel[:-1]).sum() / (kernel**2).sum()
    assert correlation == pytest.approx(expected, abs=0.02)


# Survey


def test_the_block_size_changes_nothing(cache, survey):
    for rows in (1, CHUNK // 2 + 1, 3 * CHUNK):
        n = 300 if rows == 1 else 9_000
        found = list(blocks(n, 1, cache=cache, block_rows=rows))
        assert {len(block.z) for block in found[:-1]} <= {rows}
        assert len(found) == -(-n // rows)
        np.testing.assert_array_equal(np.concatenate([b.z for b in found]), survey.z[:n])
        np.testing.assert_array_equal(np.concatenate([b.flux for b in found]), survey.flux[:n])
        ids = np.concatenate([b.source_id for b in found])
        np.testing.assert_array_equal(ids, -1 - np.arange(n))


def test_a_later_part_of_a_survey_needs_nothing_before_it(cache, survey):
    part = simulate(5000, 1, cache=cache, start=2 * CHUNK)
    rows = slice(2 * CHUNK, 2 * CHUNK + 5000)
    np.testing.assert_array_equal(part.source_id, survey.source_id[rows])
    np.testing.assert_array_equal(part.z, survey.z[rows])
    np.testing.assert_array_equal(part.flux, survey.flux[rows])
    with pytest.raises(ValueError, match="start = 5 is not a multiple of 4096"):
        simulate(10, 1, cache=cache, start=5)


def test_another_seed_is_another_survey(cache, survey):
    other = simulate(1_000, 2, cache=cache)
    assert not (other.z == survey.z[:1_000]).any()


def test_threads_and_processes_change_no_byte(cache, tmp_path):
    digests = []
    for threads in ("1", "2"):
        paths = [tmp_path / f"{threads}.{suffix}" for suffix in ("csv", "parquet")]
        code = (
            "import sys; from pathlib import Path; from redshift_core.simulation import *\n"
            "for path in map(Path, sys.argv[2:]):\n"
            "    write_survey(path, 5000, 7, cache=Path(sys.argv[1]))"
        )
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        subprocess.run(
            [sys.executable, "-c", code, str(cache), *map(str, paths)],
            check=True,
            cwd=ROOT,
            env=environment,
        )
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]


def test_redshifts_follow_the_published_distribution():
    z = RedshiftLaw("published").draw(np.random.default_rng(3), 500_000)
    assert z.min() >= 0
    assert z.max() <= 0.6
    assert (np.round(z, 7) == z).all()
    shares = 100 * np.histogram(z, np.append(reference.table_3().z_low, 0.6))[0] / len(z)
    np.testing.assert_allclose(shares, reference.table_3().percent, atol=0.25)
    for percent, published in reference.Z_PERCENTILES.items():
        assert np.percentile(z, percent) == pytest.approx(published, abs=0.004)


def test_a_flat_survey_stays_flat_after_selection(cache):
    z = simulate(8_000, 5, "flat", cache=cache).z
    assert kstest(z, "uniform", args=(0, 0.6)).pvalue > 0.001
    assert z.max() <= 0.6


def test_gaia_sees_every_object(cache):
    for objects in galaxies(3 * CHUNK, 1, "flat", cache=cache):
        magnitude = RP_ZERO_POINT - 2.5 * np.log10(objects.rp_flux)
        assert magnitude.max() <= RP_FAINTEST + 1e-6
        assert magnitude.min() >= RP_BRIGHTEST - 1e-6


def test_the_flux_that_selects_is_the_flux_in_the_window(cache):
    telescope = Telescope(load_inputs(), table.open_table(cache))
    objects = galaxies(1, 1, cache=cache)[0]
    in_window = telescope.window(objects)[:, 120:].sum(axis=1) / 2
    np.testing.assert_allclose(objects.rp_flux, in_window, rtol=0.03)  # one A(RP) for all colours


def test_fluxes_have_three_decimals_and_some_are_negative(survey):
    thousandths = survey.flux.astype(float) * 1000
    np.testing.assert_allclose(thousandths, np.rint(thousandths), atol=0.05)
    assert np.isfinite(survey.flux).all()
    assert (survey.flux < 0).any()
    assert not np.signbit(survey.flux[survey.flux == 0]).any()


# Files


def test_every_format_holds_the_same_survey(cache, tmp_path, survey):
    paths = [tmp_path / f"survey{suffix}" for suffix in files.SUFFIXES]
    for path in paths:
        write_survey(path, 5_000, 1, cache=cache)
    assert gzip.decompress(paths[1].read_bytes()) == paths[0].read_bytes()
    text, columns = pd.read_csv(paths[0]), pd.read_parquet(paths[2])
    for frame in (text, columns):
        assert list(frame.columns[:3]) == ["source_id", "z", "flux_0"]
        assert frame.columns[-1] == "flux_185"
        assert (frame.source_id == -1 - np.arange(5_000)).all()
        np.testing.assert_array_equal(frame.z, survey.z[:5_000])
        flux = frame.iloc[:, 2:].to_numpy(np.float32)
        np.testing.assert_array_equal(flux, survey.flux[:5_000])
    metadata = json.loads(pq.read_schema(paths[2]).metadata[b"redshift_lab"])
    assert metadata["simulated"] is True
    assert (metadata["n"], metadata["seed"], metadata["redshifts"]) == (5_000, 1, "published")
    write_survey(tmp_path / "again.csv.gz", 5_000, 1, cache=cache)
    assert (tmp_path / "again.csv.gz").read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("brightest", [12.5, 999.999, 1000.0, 23456.789])
def test_csv_text_is_what_formatting_each_number_gives(brightest):
    flux = np.array([[0, 0.001, -0.001, 0.5, -0.25, -99.999, 7], [99.1, 3, 2, 1, 0, -1, brightest]])
    flux = np.tile(flux, (1, 27))[:, :N_PIXELS].astype(np.float32)
    flux[1, -1] = brightest
    block = files.Block(np.array([-1, -520_393]), np.array([0.0, 0.1735581]), flux)
    expected = "".join(
        f"{source},{z:.7f}," + ",".join(f"{value:.3f}" for value in row) + "\n"
        for source, z, row in zip(block.source_id, block.z, np.float64(flux), strict=True)
    )
    assert files._csv_text(block).decode() == expected


@pytest.mark.parametrize(
    ("name", "n", "seed", "redshifts", "words"),
    [
        ("survey.txt", 10, 1, "published", "none of the endings .csv, .csv.gz, .parquet"),
        ("survey.csv", 0, 1, "published", "choose from 1 to"),
        ("survey.csv", 10, -1, "published", "Seed -1 is negative"),
        ("survey.csv", 10, 1, "even", "choose published or flat"),
        ("nowhere/survey.csv", 10, 1, "published", "does not exist"),
        ("folder.csv", 10, 1, "published", "is a folder"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, name, n, seed, redshifts, words):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=words):
        write_survey(tmp_path / name, n, seed, redshifts, cache=tmp_path / "unused")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_a_survey_that_is_broken_off_leaves_the_old_file(cache, tmp_path):
    path = tmp_path / "survey.csv"
    path.write_text("old")

    def break_off(done, total, message):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_survey(path, 100, 1, report=break_off, cache=cache)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_committed_demo_is_what_its_readme_says(cache):
    metadata = json.loads(pq.read_schema(demo_file()).metadata[b"redshift_lab"])
    assert metadata["simulated"] is True
    assert metadata["seed"] == DEMO_SEED
    assert metadata["simulator_version"] == table.VERSION
    assert demo_file().stat().st_size < 6e6
    readme = demo_file().with_name("README.md").read_text(encoding="utf-8")
    assert "SIMULATED" in readme
    assert f"version of the simulator: {table.VERSION}," in readme
    assert f"simulate --n 5000 --seed {DEMO_SEED} " in readme
    demo, made = pd.read_parquet(demo_file()), simulate(5_000, DEMO_SEED, cache=cache)
    np.testing.assert_array_equal(demo.z, made.z)
    np.testing.assert_array_equal(demo.source_id, made.source_id)
    # Another machine's exponentials may differ in the last bit, which can turn a rounding.
    np.testing.assert_allclose(demo.iloc[:, 2:], made.flux, rtol=1e-5, atol=0.0011)


def test_the_condensed_inputs_are_what_the_script_makes():
    for package in ("gaiaxpy", "kcorrect", "astropy"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (extra 'gaia')")
    spec = importlib.util.spec_from_file_location("c", ROOT / "scripts" / "condense_inputs.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    arrays = script.gaia_arrays(script.data_folder("gaiaxpy", "config"))
    arrays |= script.template_arrays(script.data_folder("kcorrect", "data"))
    for name, array in arrays.items():
        np.testing.assert_allclose(getattr(load_inputs(), name), array, rtol=1e-6)


def test_both_licences_travel_with_the_inputs():
    folder = ROOT / "redshift_core" / "resources" / "licenses"
    assert "DPAC" in (folder / "gaiaxpy.txt").read_text(encoding="utf-8")
    assert "Blanton" in (folder / "kcorrect.txt").read_text(encoding="utf-8")


# Job


@pytest.fixture
def store_with_table(store, cache):
    name = f"simulation-table-v{table.VERSION}"
    (store.cache / name).symlink_to(cache / name)
    return store


def test_the_job_makes_a_dataset_that_says_it_is_simulated(store_with_table):
    store = store_with_table
    job = jobs.start(store, "simulate", n=300, seed=9, redshifts="flat", name="Even redshifts")
    status = jobs.wait(job, timeout=60)
    assert status.state == "finished", jobs.log_tail(job)
    assert job.result["rows"] == 300
    dataset = open_dataset(store.dataset(job.result["dataset"]))
    assert dataset.info["simulated"] is True
    assert dataset.name == "Even redshifts"
    assert dataset.flux.shape == (300, N_PIXELS)
    assert (dataset.source_id < 0).all()
    assert not list(job.output.iterdir())


def test_the_job_tells_what_is_wrong_with_its_request(store_with_table):
    job = jobs.start(store_with_table, "simulate", n="many", seed=9)
    status = jobs.wait(job, timeout=60)
    assert (status.state, status.user_error) == ("failed", True)
    assert "n = 'many' is not a whole number" in status.message
    assert not store_with_table.datasets()


def test_a_stopped_job_leaves_nothing(store_with_table):
    folder = store_with_table.new_job("simulate")
    folder.request_path.write_text(json.dumps({"kind": "simulate", "n": 300, "seed": 9}))
    folder.stop_path.touch()
    assert simulate_job(JobContext.of(folder)) == {"stopped": True}
    assert not list(folder.output.iterdir())
    assert not store_with_table.datasets()
