"""Coefficients of Gaia's mean spectra become fluxes, from every form of the archive's files."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from pyarrow import feather
from typer.testing import CliRunner

from redshift_core.cli import app
from redshift_core.constants import N_PIXELS, pixel_grid, wavelength
from redshift_core.data import ingest, open_dataset, read_blocks
from redshift_core.data.coefficients import BANDS, Converter, flux_errors, packaged_bases
from redshift_core.data.sampling import read_sampling
from redshift_core.errors import InputError

FIXTURES = Path(__file__).parents[3] / "shared" / "archive" / "fixtures"
recorded = pytest.mark.skipif(not FIXTURES.is_dir(), reason="no recorded answers of the archive")
IDS = np.array([5853498713190525696, 5762406957886626816, 4611686018427387905])
BASIS = {"bp": 56, "rp": 57}
RNG = np.random.default_rng(3)
COEFFICIENTS = {band: np.round(RNG.normal(0, 9, (3, 55)), 6) for band in BANDS}


def by_hand():
    """Fluxes as sums over 400 slices of each pixel, shape (3, 186)."""
    u, width = pixel_grid()
    inside = (np.arange(400) + 0.5) / 400 - 0.5
    flux = np.empty((3, N_PIXELS))
    for basis, pixels in zip(packaged_bases(), (slice(0, 80), slice(80, 186)), strict=True):
        points = (u[pixels, None] + width[pixels, None] * inside).ravel()
        height = COEFFICIENTS[basis.band] @ basis.values(points)
        flux[:, pixels] = height.reshape(3, -1, 400).mean(axis=2) * width[pixels]
    return flux


def table():
    """The archive's columns that matter, and some that do not."""
    columns = {"source_id": IDS, "solution_id": np.full(3, 4545469030156206080)}
    for band in BANDS:
        columns |= {
            f"{band}_basis_function_id": np.full(3, BASIS[band], np.int16),
            f"{band}_n_parameters": np.full(3, 55, np.int16),
            f"{band}_coefficients": COEFFICIENTS[band],
            f"{band}_coefficient_errors": np.abs(COEFFICIENTS[band]),
        }
    return columns


def text_of(cell, marks="()"):
    return marks[0] + ", ".join(map(repr, cell.tolist())) + marks[1] if np.ndim(cell) else str(cell)


def as_csv(path, head="", marks="()"):
    columns = table()
    lines = [",".join(columns)]
    for row in zip(*columns.values(), strict=True):
        lines.append(",".join(f'"{text_of(cell, marks)}"' for cell in row))
    text = (head + "\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def as_fits(path):
    columns = []
    for name, values in table().items():
        if values.ndim == 2:
            cells = np.empty(3, object)
            cells[:] = list(values)
            columns.append(fits.Column(name.upper(), "PD(55)", array=cells))
        else:
            columns.append(fits.Column(name.upper(), "K", array=values))
    fits.BinTableHDU.from_columns(columns).writeto(path)


def arrow():
    return pa.table({k: v.tolist() if v.ndim == 2 else v for k, v in table().items()})


FORMS = {
    "csv": ("a.csv", as_csv),
    "bulk": (
        "XpContinuousMeanSpectrum_1-2.csv.gz",
        lambda p: as_csv(p, "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n", "[]"),
    ),
    "ecsv": ("a.ecsv", lambda p: Table(table()).write(p, format="ascii.ecsv")),
    "fits": ("a.fits", as_fits),
    "votable": ("a.xml", lambda p: Table(table()).write(p, format="votable")),
    "parquet": ("a.parquet", lambda p: pq.write_table(arrow(), p)),
    "feather": ("a.feather", lambda p: feather.write_feather(arrow(), str(p))),
}


def written(tmp_path, form):
    name, write = FORMS[form]
    write(tmp_path / name)
    return tmp_path / name


def parquet(path, **changed):
    columns = {name: arrow().column(name) for name in arrow().column_names}
    pq.write_table(pa.table({**columns, **changed}), path)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_archive_gives_the_fluxes_of_its_coefficients(tmp_path, store, form):
    found = open_dataset(ingest(written(tmp_path, form), store))
    wanted = by_hand()
    np.testing.assert_allclose(found.flux, wanted, atol=1e-6 * np.abs(wanted).max())
    assert found.source_id.tolist() == IDS.tolist()
    assert not found.info["has_z"]
    assert found.info["columns_found"]["made_from"] == "coefficients"
    assert found.catalogue.columns.tolist()[-1] == "flags"  # nothing of the fit is carried along


def test_a_missing_band_is_a_flag(tmp_path, store):
    lists = pa.array([COEFFICIENTS["bp"][0].tolist(), [], None], pa.list_(pa.float64()))
    ids = pa.array([56, None, None], pa.int16())
    path = parquet(tmp_path / "a.parquet", bp_coefficients=lists, bp_basis_function_id=ids)
    found = open_dataset(ingest(path, store))
    assert np.isnan(found.flux).sum(axis=1).tolist() == [0, 80, 80]
    assert found.info["flagged"] == {"nan_flux": 2}


BAD = {
    "another release": (
        {"bp_basis_function_id": pa.array([56, 88, 56])},
        r"a spectrum has 55 bp coefficients of bp_basis_function_id 88; known are 55 functions of "
        r"bp_basis_function_id 56 and 55 functions of rp_basis_function_id 57. Give .* --bases",
    ),
    "another number": (
        {"rp_coefficients": COEFFICIENTS["rp"][:, :51].tolist()},
        "a spectrum has 51 rp coefficients of rp_basis_function_id 57",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_unknown_basis_functions_are_refused(tmp_path, store, name):
    changed, sentence = BAD[name]
    with pytest.raises(InputError, match=sentence):
        ingest(parquet(tmp_path / "a.parquet", **changed), store)
    assert store.datasets() == []


def test_tables_that_lack_a_band_or_the_ids_are_refused(tmp_path, store):
    path = tmp_path / "a.parquet"
    pq.write_table(arrow().drop_columns(["rp_coefficients"]), path)
    with pytest.raises(InputError, match="coefficients of one band only and no rp_coefficients"):
        ingest(path, store)
    pq.write_table(arrow().drop_columns(["rp_basis_function_id"]), path)
    with pytest.raises(InputError, match="there is no column rp_basis_function_id, which says"):
        ingest(path, store)


SPLINES = """<config><basisDefinition><spline>{}</spline></basisDefinition></config>"""
BAND = """<{0}Config><order>4</order><knots>{1}</knots><uniqueId>{2}</uniqueId></{0}Config>"""


def test_basis_functions_of_another_release_come_from_a_file(tmp_path):
    knots = np.r_[[0.0] * 3, np.linspace(0, 59, 53), [59.0] * 3]  # 55 cubic B-splines
    values = "".join(f"<value>{knot}</value>" for knot in knots)
    xml = tmp_path / "next.xml"
    xml.write_text(SPLINES.format(BAND.format("bp", values, 9) + BAND.format("rp", values, 9)))
    path = parquet(
        tmp_path / "a.parquet",
        **{f"{band}_coefficients": np.ones((3, 55)).tolist() for band in BANDS},
        **{f"{band}_basis_function_id": pa.array([9] * 3) for band in BANDS},
    )
    (block,) = read_blocks(path, f"bases={xml}")
    width = pixel_grid()[1]  # B-splines add up to one, so a flux is the width of its pixel
    np.testing.assert_allclose(block.flux, np.tile(width, (3, 1)), rtol=1e-6)
    with pytest.raises(InputError, match="known are 55 functions of bp_basis_function_id 9"):
        list(read_blocks(written(tmp_path, "csv"), f"bases={xml}"))
    xml.write_text("<html/>")
    with pytest.raises(InputError, match=r"next.xml holds no hermiteFunction or spline"):
        list(read_blocks(path, f"bases={xml}"))


def test_a_table_of_wavelengths_replaces_the_grid(tmp_path):
    nm = wavelength()
    step = {"bp": nm[1] - nm[0], "rp": nm[-1] - nm[-2]}
    full = np.concatenate(
        [
            nm[0] + step["bp"] * np.arange(-34, 0), nm[:80], nm[79] + 4.0 * np.arange(1, 7),
            nm[80] + 2.0 * np.arange(-4, 0), nm[80:], nm[185] + step["rp"] * np.arange(1, 11),
        ]
    )  # fmt: skip
    for name, rows in (("186.csv", nm), ("240.csv", full)):
        lines = [f"{k},{value:.3f}" for k, value in enumerate(rows)]
        (tmp_path / name).write_text("\n".join(["pixel,wavelength [nm]", *lines]) + "\n")
        u, width = read_sampling(tmp_path / name)
        np.testing.assert_allclose(u, pixel_grid()[0], atol=2e-3)
        np.testing.assert_allclose(width[3:77], pixel_grid()[1][3:77], atol=2e-3)
    (block,) = read_blocks(written(tmp_path, "csv"), f"sampling={tmp_path / '186.csv'}")
    wanted = by_hand()
    np.testing.assert_allclose(block.flux, wanted, atol=0.02 * np.abs(wanted).max())
    assert np.abs(block.flux - wanted).max() > 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n", "no column of wavelengths from 300 to 1150 nm"),
        ("nm\n400\n500\n450\n600\n", r"has 2 \+ 2 rising wavelengths; expected a CSV"),
    ],
)
def test_a_table_that_is_no_sampling_is_refused(tmp_path, text, sentence):
    path = tmp_path / "sampling.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        Converter(sampling=path)


def test_files_of_fluxes_have_no_use_for_bases(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",".join(f"flux_{k}" for k in range(186)) + "\n" + ",".join(["1"] * 186))
    with pytest.raises(InputError, match="holds no coefficients of mean spectra, so sampling"):
        list(read_blocks(path, "sampling=esa.csv"))


def test_the_command_line_takes_a_sampling(tmp_path, store):
    lines = [f"{value:.3f}" for value in wavelength()]
    (tmp_path / "esa.csv").write_text("\n".join(["nm", *lines]))
    command = ["ingest", str(written(tmp_path, "fits")), "--sampling", str(tmp_path / "esa.csv")]
    answer = CliRunner().invoke(app, [*command, "--json"])
    dataset = store.dataset(json.loads(answer.stdout)["dataset"])
    assert dataset.info["columns_found"]["sampling"] == str(tmp_path / "esa.csv")


@recorded
def test_recorded_answers_give_one_and_the_same_spectra(tmp_path):
    names = [f"XP_CONTINUOUS_RAW.{kind}" for kind in ("csv", "ecsv", "fits", "xml")]
    blocks = [next(read_blocks(FIXTURES / name)) for name in names]
    for block in blocks:
        assert block.source_id.tolist() == [5853498713190525696, 5762406957886626816]
        np.testing.assert_array_equal(block.flux, blocks[0].flux)
    for kind in ("csv", "fits", "xml"):
        block = next(read_blocks(FIXTURES / f"XP_CONTINUOUS_RAW_with_missing_BP.{kind}"))
        assert np.isnan(block.flux).sum(axis=1).tolist() == [0, 80, 0]
    for path in (FIXTURES / "individual").glob("XP_CONTINUOUS*"):
        assert next(read_blocks(path)).source_id.tolist() == [5937083312263887616]
    for path in (FIXTURES / "individual").glob("XP_SAMPLED*"):
        with pytest.raises(InputError, match="that is Gaia's XP_SAMPLED product"):
            next(read_blocks(path))


@recorded
def test_basis_functions_and_errors_are_those_of_gaiaxpy():
    """Its recorded conversion of the same two spectra, at 481 positions."""
    solution = pd.read_csv(FIXTURES / "converter_solution_0_60_481.csv")
    u = np.linspace(0, 60, 481)
    with fits.open(FIXTURES / "XP_CONTINUOUS_RAW.fits") as file:
        rows = file[1].data
        for basis in packaged_bases():
            values = basis.values(u)
            here = solution[solution["xp"] == basis.band.upper()]
            flux, error = (
                np.array([np.fromstring(cell.strip("()"), sep=",") for cell in here[name]])
                for name in ("flux", "flux_error")
            )
            coefficients, errors, correlations = (
                np.stack(rows[f"{basis.band}_coefficient{name}"])
                for name in ("s", "_errors", "_correlations")
            )
            found = coefficients.astype(float) @ values
            np.testing.assert_allclose(found, flux, atol=1e-9 * np.abs(flux).max())
            np.testing.assert_allclose(flux_errors(values, errors, correlations), error, rtol=1e-6)


@recorded
def test_fluxes_are_those_of_gaiaxpy():
    """Its conversion at four places inside each pixel, summed; only where it is installed."""
    gaiaxpy = pytest.importorskip("gaiaxpy", reason="gaiaxpy is not installed (extra 'gaia')")
    path = FIXTURES / "XP_CONTINUOUS_RAW.fits"
    block, (u, width) = next(read_blocks(path)), pixel_grid()
    node, weight = np.polynomial.legendre.leggauss(4)
    for band, pixels in (("BP", slice(0, 80)), ("RP", slice(80, 186))):
        points = (u[pixels, None] + 0.5 * width[pixels, None] * node).ravel()
        order = np.argsort(points)
        answer, _ = gaiaxpy.convert(str(path), sampling=points[order], save_file=False)
        answer = answer[answer["xp"] == band].set_index("source_id").loc[block.source_id]
        values = np.stack(answer["flux"])[:, np.argsort(order)].reshape(2, -1, 4)
        wanted = values @ (0.5 * weight) * width[pixels]
        np.testing.assert_allclose(block.flux[:, pixels], wanted, rtol=1e-6)
