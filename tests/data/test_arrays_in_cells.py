"""Arrays in the cells of a table, in every layout of the field, and folders of Parquet parts."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from astropy.table import MaskedColumn, Table

from redshift_core.constants import BP_KEPT, RP_KEPT
from redshift_core.data import ingest, open_dataset, preview, read_blocks
from redshift_core.data.readers import BLOCK_ROWS
from redshift_core.errors import InputError
from tests.data.tables import IDS, arrow, redshifts, spectra

FULL = spectra(6, 240)
CUT = np.hstack([FULL[:, :120][:, BP_KEPT], FULL[:, 120:][:, RP_KEPT]]).astype(np.float32)


def read(path):
    """Every row of a file at once."""
    (block,) = read_blocks(path)
    return block


def lists(values):
    return pa.array(values.tolist(), pa.list_(pa.float64()))


def fixed(values):
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def as_text(values):
    return ["(" + ", ".join(map(repr, row)) + ")" for row in values.tolist()]


PARQUET = {
    "240 in lists": {"flux": lists(FULL)},
    "240 of fixed size": {"flux": fixed(FULL)},
    "two bands": {"bp_flux": lists(FULL[:, :120]), "rp_flux": fixed(FULL[:, 120:])},
    "as text": {"flux": as_text(FULL)},
    "large lists of float32": {
        "flux": pa.array(FULL.astype("f4").tolist(), pa.large_list(pa.float32()))
    },
}


@pytest.mark.parametrize("layout", PARQUET)
def test_parquet_with_arrays(tmp_path, layout):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"source_id": IDS, "z": redshifts(), **PARQUET[layout]}), path)
    block = read(path)
    np.testing.assert_array_equal(block.flux, CUT)
    assert block.source_id.tolist() == IDS.tolist()


def test_fits_with_scalars_bands_and_variable_arrays(tmp_path):
    scalars = {f"flux_{k}": FULL[:, k] for k in range(240)}
    variable = np.empty(6, object)
    variable[:] = list(FULL.astype(">f8"))
    columns = fits.ColDefs(
        [
            fits.Column("source_id", "K", array=IDS),
            fits.Column("FLUX", "PD()", array=variable),
            fits.Column("note", "8A", array=["NGC 1"] * 6),
        ]
    )
    tables = {
        "scalars": Table({"source_id": IDS, **scalars}),
        "bands": Table({"source_id": IDS, "bp_flux": FULL[:, :120], "rp_flux": FULL[:, 120:]}),
        "variable": fits.BinTableHDU.from_columns(columns),
    }
    for name, table in tables.items():
        path = tmp_path / f"{name}.fits"
        if isinstance(table, Table):
            table.write(path)
        else:
            table.writeto(path)
        block = read(path)
        np.testing.assert_array_equal(block.flux, CUT, name)
        assert block.source_id.tolist() == IDS.tolist()
    assert block.other.to_pydict() == {"note": ["NGC 1"] * 6}


def test_masked_fits_and_votable_cells_are_missing(tmp_path):
    table = Table({"flux": FULL, "z": MaskedColumn(redshifts(), mask=np.arange(6) == 2)})
    table["source_id"] = MaskedColumn(IDS, mask=np.arange(6) == 1)
    for name, form in (("a.fits", "fits"), ("a.vot", "votable")):
        table.write(tmp_path / name, format=form)
        block = read(tmp_path / name)
        assert np.flatnonzero(np.isnan(block.z_spec)).tolist() == [2]
        assert block.known_id.tolist() == [True, False, True, True, True, True]
        assert block.source_id[[0, 2]].tolist() == IDS[[0, 2]].tolist()


def test_votable_as_tabledata(tmp_path):
    table = Table({"source_id": IDS, "bp_flux": FULL[:, :120], "rp_flux": FULL[:, 120:]})
    table.write(tmp_path / "a.xml", format="votable", tabledata_format="tabledata")
    np.testing.assert_array_equal(read(tmp_path / "a.xml").flux, CUT)


def test_a_csv_whose_cells_hold_arrays(tmp_path):
    lines = [f'{k},"{cell}"' for k, cell in zip(IDS.tolist(), as_text(FULL), strict=True)]
    (tmp_path / "a.csv").write_text("\n".join(["source_id,flux", *lines]) + "\n")
    block = read(tmp_path / "a.csv")
    np.testing.assert_array_equal(block.flux, CUT)
    assert block.source_id.tolist() == IDS.tolist()


def test_arrays_as_numpy_prints_them_are_the_same_numbers(tmp_path):
    printed = pd.DataFrame({"source_id": IDS, "flux": list(FULL)})  # over several lines each
    listed = pd.DataFrame({"source_id": IDS, "flux": [list(row) for row in FULL]})
    for name, frame in (("printed.csv", printed), ("listed.csv", listed)):
        frame.to_csv(tmp_path / name, index=False)
        assert '"[' in (tmp_path / name).read_text()
        block = read(tmp_path / name)
        np.testing.assert_array_equal(block.flux, CUT, name)
        assert block.source_id.tolist() == IDS.tolist()


@pytest.mark.parametrize("name", ["a.fits", "a.vot"])
def test_of_several_tables_in_a_file_that_with_the_spectra_is_read_and_it_is_said(
    tmp_path, store, name
):
    small, large = Table({"start": [1.0], "stop": [2.0]}), Table({"source_id": IDS, "flux": FULL})
    if name == "a.fits":
        tables = [fits.BinTableHDU(one) for one in (small, large)]
        fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(tmp_path / name)
    else:
        document = votable.from_table(small)
        document.resources[0].tables.append(votable.from_table(large).get_first_table())
        document.to_xml(str(tmp_path / name))
    folder = ingest(tmp_path / name, store)
    np.testing.assert_array_equal(open_dataset(folder).flux, CUT)
    assert "The file holds 2 tables, of which number 2 was read." in folder.info["warnings"]


def test_a_column_of_nothing_stops_no_fits_file_and_no_rows_are_said_of_arrays(tmp_path):
    table = Table({"source_id": IDS, "flux": FULL, "nothing": np.empty((6, 0), "f4")})
    table.write(tmp_path / "a.fits")
    np.testing.assert_array_equal(read(tmp_path / "a.fits").flux, CUT)
    for name, form in (("b.fits", "fits"), ("b.vot", "votable"), ("b.ecsv", "ascii.ecsv")):
        table["source_id", "flux"][:0].write(tmp_path / name, format=form)
        with pytest.raises(InputError, match=f"{name} has a header and no rows"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ([{"bp": [1.0], "rp": [1.0]}], "Its column 'flux' holds struct<.* to be lists of numbers"),
        ([["a"]], "Its column 'flux' holds list<.*string>"),
        ([None] * 20 + [[1.0] * 186], "the first 20 rows have no array in column 'flux'"),
    ],
)
def test_a_column_that_cannot_be_the_fluxes_is_named(tmp_path, cells, sentence):
    pq.write_table(pa.table({"flux": cells}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=sentence):
        read(tmp_path / "a.parquet")


def test_a_missing_array_is_a_flag_and_the_preview_shows_the_columns(tmp_path, store):
    path = tmp_path / "a.parquet"
    values = [None, *FULL[1:].tolist()]
    pq.write_table(pa.table({"z": redshifts(), "flux": pa.array(values)}), path)
    seen = preview(path)
    assert seen.mapping == {"z": "z", "source_id": "none", "flux": "flux_{}"}
    assert seen.head["flux_239"].tolist()[:2] == ["", str(FULL[1, 239])]
    found = open_dataset(ingest(path, store))
    assert found.info["flagged"] == {"nan_flux": 1}
    np.testing.assert_array_equal(found.flux[1:], CUT[1:])


def test_a_folder_of_parquet_parts_is_one_dataset(tmp_path, store):
    flux, z, ids = spectra(30), redshifts(30), np.arange(100, 130)
    folder = tmp_path / "survey"
    for k, leaf in enumerate(("Norder=0/Dir=0/Npix=1.parquet", "Norder=0/Dir=0/Npix=2.parquet")):
        part = folder / "catalogue" / "dataset" / leaf
        part.parent.mkdir(parents=True, exist_ok=True)
        rows = slice(15 * k, 15 * k + 15)
        pq.write_table(arrow(flux[rows], z[rows], ids[rows]), part)
    (folder / "collection.properties").write_text("hats_primary_table_url=catalogue\n")
    for other in ("catalogue/dataset/_metadata.parquet", "catalogue_5arcs/dataset/a.parquet"):
        (folder / other).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(arrow(flux[:1], z[:1], ids[:1]), folder / other)
    dataset = ingest(folder, store)
    found = open_dataset(dataset)
    assert found.source_id.tolist() == ids.tolist()
    np.testing.assert_array_equal(found.flux, flux.astype(np.float32))
    assert ingest(folder, store).id == dataset.id  # the same folder is the same dataset


def test_parts_that_differ_get_one_sentence(tmp_path, store):
    whole = arrow(spectra(), redshifts(), IDS)
    pq.write_table(whole, tmp_path / "a.parquet")
    pq.write_table(whole.drop_columns(["flux_7"]), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"b.parquet in .* has no column 'flux_7', which a.parq"):
        ingest(tmp_path, store)
    assert store.datasets() == []


def test_blocks_are_cut_alike_in_every_reader(tmp_path):
    n = BLOCK_ROWS + 5
    table = arrow(spectra(n), np.resize(redshifts(), n), np.arange(n))
    pq.write_table(table, tmp_path / "a.parquet")
    assert [len(block) for block in read_blocks(tmp_path / "a.parquet")] == [BLOCK_ROWS, 5]
