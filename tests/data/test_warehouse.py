"""Numbers, texts and ids in every type that Arrow stores them in: the same dataset."""

import decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from redshift_core.data import read_blocks
from redshift_core.errors import InputError
from tests.data.tables import IDS, PIXELS, redshifts, spectra


def exact(values, kind):
    return pa.array([decimal.Decimal(str(one)) for one in values.tolist()], kind)


def text(values):
    return [str(one) for one in values.tolist()]


def in_bytes(values):
    return [one.encode() for one in text(values)]


NUMBERS = {
    "decimal": lambda v: exact(v, pa.decimal128(12, 7)),
    "wide decimal": lambda v: exact(v, pa.decimal256(40, 7)),
    "codes": lambda v: pa.array(v).dictionary_encode(),
    "codes of text": lambda v: pa.array(text(v)).dictionary_encode(),
    "text": lambda v: pa.array(text(v)),
    "text with blanks": lambda v: pa.array([f"  {one} " for one in text(v)]),
    "large text": lambda v: pa.array(text(v), pa.large_string()),
    "text view": lambda v: pa.array(text(v), pa.string_view()),
    "bytes": lambda v: pa.array(in_bytes(v)),
    "bytes view": lambda v: pa.array(in_bytes(v), pa.binary_view()),
    "runs": lambda v: pc.run_end_encode(pa.array(v)),
}
ID_FORMS = {
    "nullable": lambda: pa.array(IDS.tolist()),
    "unsigned": lambda: pa.array(IDS.astype(np.uint64)),
    "decimal": lambda: exact(IDS, pa.decimal128(20, 0)),
    "codes": lambda: pa.array(IDS).dictionary_encode(),
    "prefixed": lambda: pa.array([f"Gaia DR3 {one}" for one in IDS]),
    "bytes": lambda: pa.array(in_bytes(IDS)),
    "runs": lambda: pc.run_end_encode(pa.array(IDS)),
}


def table(flux=None, z=None, ids=None):
    pixels = [pa.array(one) for one in spectra().T] if flux is None else flux
    z = pa.array(redshifts()) if z is None else z
    ids = pa.array(IDS) if ids is None else ids
    return pa.table([ids, z, *pixels], names=["source_id", "z", *PIXELS])


def read(path, rows):
    """The one block of a table that was written as Parquet, or where that cannot, as Feather."""
    try:
        pq.write_table(rows, path)
    except pa.ArrowNotImplementedError:
        feather.write_feather(rows, str(path))
        path = path.rename(path.with_suffix(".feather"))
    (block,) = read_blocks(path)
    return block


def check(block):
    assert block.flux.tolist() == spectra().astype(np.float32).tolist()
    assert block.z_spec.tolist() == redshifts().tolist()
    assert block.source_id.tolist() == IDS.tolist()


@pytest.mark.parametrize("form", NUMBERS)
def test_fluxes_and_redshifts_of_any_type_are_the_same_numbers(tmp_path, form):
    write = NUMBERS[form]
    check(read(tmp_path / "a.parquet", table([write(one) for one in spectra().T])))
    check(read(tmp_path / "b.parquet", table(z=write(redshifts()))))


@pytest.mark.parametrize("form", ID_FORMS)
def test_ids_of_any_type_are_the_same_numbers(tmp_path, form):
    check(read(tmp_path / "a.parquet", table(ids=ID_FORMS[form]())))


def test_half_floats_are_read_as_they_are_without_a_warning(tmp_path):
    half = spectra().astype(np.float16)
    half[0, 0] = np.inf  # what was beyond 65,504 when it was written
    block = read(tmp_path / "a.parquet", table([pa.array(one) for one in half.T]))
    np.testing.assert_array_equal(block.flux, half.astype(np.float32))
    rows = table(z=pa.array(redshifts().astype(np.float16)))
    assert read(tmp_path / "b.parquet", rows).z_spec[1] == redshifts().astype(np.float16)[1]


def test_missing_values_and_columns_of_nothing_are_missing(tmp_path):
    block = read(tmp_path / "a.parquet", table(z=pa.nulls(6), ids=pa.nulls(6)))
    assert np.isnan(block.z_spec).all()
    assert not block.known_id.any()
    words = pa.array(["0.1", "NA", None, " ", "nan", "--"], pa.string_view())
    block = read(tmp_path / "b.parquet", table(z=words))
    np.testing.assert_array_equal(block.z_spec, [0.1, *[np.nan] * 5])


@pytest.mark.parametrize("kind", [pa.list_view, pa.large_list, pa.large_list_view])
def test_arrays_in_cells_of_any_type_are_the_same_numbers(tmp_path, kind):
    cells = pa.array(spectra().tolist(), kind(pa.float64()))
    rows = pa.table({"source_id": IDS, "z": redshifts(), "flux": cells})
    check(read(tmp_path / "a.parquet", rows))
    feather.write_feather(rows, str(tmp_path / "b.feather"))
    check(next(read_blocks(tmp_path / "b.feather")))


def test_a_first_batch_without_rows_is_no_fault(tmp_path):
    rows = pa.table({"source_id": IDS, "z": redshifts(), "flux": spectra().tolist()})
    path = tmp_path / "a.feather"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        writer.write_batch(pa.RecordBatch.from_pylist([], schema=rows.schema))
        writer.write_table(rows)
    check(next(read_blocks(path)))


def test_truth_and_bytes_that_are_no_text_are_no_numbers(tmp_path):
    with pytest.raises(InputError, match="column z holds bool; expected a number"):
        read(tmp_path / "a.parquet", table(z=pa.array([True] * 6)))
    with pytest.raises(InputError, match=r"column z, row 0: .* is not a number"):
        read(tmp_path / "b.parquet", table(z=pa.array([b"\xff\xfe"] * 6)))
