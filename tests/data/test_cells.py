"""Ids, words for missing, and text beside the spectra: each cell is kept as it was written."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from redshift_core.data import ingest, open_dataset
from tests.data.tables import IDS, PIXELS, redshifts, rows, spectra, write

Z = redshifts()
FLUX = spectra()
HEADER = ["source_id", "z", *PIXELS]


def table(z, ids):
    """The same spectra as an Arrow table."""
    return pa.table({"source_id": ids, "z": z, **dict(zip(PIXELS, FLUX.T, strict=True))})


ID_TYPES = {
    "float16": np.array([2047, 2046, 3, 7, 8, 9], np.float16),
    "float32": np.array([16_777_215, 16_777_214, 3, 7, 8, 9], np.float32),
    "float64": np.array([2**53 - 1, 2**53 - 2, 3, 7, 8, 9], np.float64),
    "uint64": np.array([2**63 - 1, 2**63 - 2, 3, 7, 8, 9], np.uint64),
    "text": [f" {number} " for number in IDS],
    "categories": pd.Categorical(IDS.astype(str)),
}


@pytest.mark.parametrize("kind", ID_TYPES)
def test_ids_of_any_type_that_holds_them_stay_exact(tmp_path, store, kind):
    columns = {"source_id": ID_TYPES[kind], "z": Z, **dict(zip(PIXELS, FLUX.T, strict=True))}
    pd.DataFrame(columns).to_parquet(tmp_path / "a.parquet")
    opened = open_dataset(ingest(tmp_path / "a.parquet", store))
    assert opened.source_id.tolist() == [int(value) for value in ID_TYPES[kind]]
    assert opened.info["flagged"] == {}


def test_text_of_parquet_may_say_that_a_value_is_missing(tmp_path, store):
    pq.write_table(table(["0.1", " ", "NA", "nan", "", "0.2 "], ["1", " ", "3", "4", "5", "6"]),
                   tmp_path / "a.parquet")  # fmt: skip
    opened = open_dataset(ingest(tmp_path / "a.parquet", store))
    np.testing.assert_array_equal(opened.z_spec, [0.1, *[np.nan] * 4, 0.2])
    assert opened.source_id.tolist() == [1, 1, 3, 4, 5, 6]  # the second row's number stands in
    assert opened.info["flagged"] == {"z_missing": 4}


NAMES = ["NGC 1 , core", " ,  , ", 'the "  ,  " one', "", "a  b", "x"]


@pytest.mark.parametrize("blank", ["  ", " NA ", "\t"])
@pytest.mark.parametrize("delimiter", [",", ";", "|"])
def test_a_blank_cell_leaves_the_text_beside_it_as_it_is(tmp_path, store, blank, delimiter):
    cells = rows(IDS, Z, FLUX, np.array(NAMES))
    whole = open_dataset(ingest(write(tmp_path / "a.csv", [*HEADER, "n"], cells, delimiter), store))
    cells[4][100], cells[5][1], cells[3][0] = blank, blank, blank
    path = write(tmp_path / "b.csv", [*HEADER, "n"], cells, delimiter)
    holed = open_dataset(ingest(path, store))
    assert holed.catalogue["n"].fillna("").tolist() == NAMES
    assert holed.catalogue["n"].equals(whole.catalogue["n"])
    assert np.argwhere(np.isnan(holed.flux)).tolist() == [[4, 98]]
    assert np.flatnonzero(np.isnan(holed.z_spec)).tolist() == [5]
    assert np.nansum(holed.flux) == pytest.approx(whole.flux.sum() - whole.flux[4, 98])
    assert holed.source_id.tolist() == [*IDS[:3], 3, *IDS[4:]]


def test_remarks_of_which_some_look_like_arrays_stay_text(tmp_path, store):
    remarks = ["[1, 2]", "see note", "", "[3. 4.]", "(5, 6)", "x"]
    path = write(tmp_path / "a.csv", [*HEADER, "n"], rows(IDS, Z, FLUX, np.array(remarks)))
    opened = open_dataset(ingest(path, store))
    assert opened.catalogue["n"].fillna("").tolist() == remarks
    assert opened.flux.tolist() == FLUX.astype(np.float32).tolist()


def test_a_blank_cell_among_decimal_commas_is_missing(tmp_path, store):
    text = write(tmp_path / "a.csv", HEADER, rows(IDS, Z, FLUX)).read_text()
    lines = text.replace(",", ";").replace(".", ",").splitlines()
    cells = lines[3].split(";")
    lines[3] = ";".join([*cells[:9], "  ", *cells[10:]])
    (tmp_path / "b.csv").write_text("\n".join(lines))
    opened = open_dataset(ingest(tmp_path / "b.csv", store))
    wanted = FLUX.astype(np.float32)
    wanted[2, 7] = np.nan
    np.testing.assert_array_equal(opened.flux, wanted)


def test_quoted_text_between_runs_of_blanks_keeps_its_own(tmp_path, store):
    names = ["NGC  1", "a b", 'it"s', "x", "y  z  ", "q"]
    body = rows(IDS, Z, FLUX)
    lines = [" ".join([*HEADER, "n"])]
    lines += ["  ".join([*cells, f'"{name}"' if " " in name else name])
              for cells, name in zip(body, names, strict=True)]  # fmt: skip
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n")
    opened = open_dataset(ingest(tmp_path / "a.txt", store))
    assert opened.catalogue["n"].tolist() == names
    assert opened.flux.tolist() == FLUX.astype(np.float32).tolist()


def test_long_whole_numbers_and_hexadecimal_text_beside_the_spectra_are_not_rounded(
    tmp_path, store
):
    long = [f"1023041834567890123{k}" for k in range(6)]
    code = ["0x1F", "0x20", "31", "32", "33", "34"]
    objid = [str(2**53 + 1 + k) if k else "" for k in range(6)]
    path = write(tmp_path / "a.csv", [*HEADER, "specobjid", "code", "object"],
                 rows(IDS, Z, FLUX, np.array(long), np.array(code), np.array(objid)))  # fmt: skip
    opened = open_dataset(ingest(path, store))
    lines = opened.lines(np.arange(6))
    assert lines["specobjid"].tolist() == long
    assert lines["code"].tolist() == code
    assert lines["object"].tolist()[1:] == [2**53 + 1 + k for k in range(1, 6)]
