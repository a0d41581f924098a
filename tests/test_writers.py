"""Tables of predictions in every written format, read again by programs other than this one."""

import base64
import io
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table

from redshift_core.data.sniff import format_of
from redshift_core.evaluation.training_range import FLAGS
from redshift_core.prediction.columns import COLUMNS
from redshift_core.settings.names import USUAL_ENDINGS, WRITTEN
from redshift_core.store.faults import FullDiskError
from redshift_core.store.writers import PARQUET_KEY, WRITERS, TableWriter

N = 7
ABOUT = {
    "run": "20261126-best",
    "SIMULATED spectra": True,
    "estimate": "mode of p(z), 50 % of the way from the training prior to the flat one",
}


def predictions(intervals: bool) -> pd.DataFrame:
    """Seven rows with ids that no float holds, a row without redshift, and every flag at once."""
    random = np.random.default_rng(3)
    names = [name for name in COLUMNS if name.startswith("z_" if intervals else "z_phot")]
    columns = {name: random.uniform(0, 0.6, N).round(7) for name in names}
    for values in columns.values():
        values[4] = np.nan
    flags = ["", "low_signal", "|".join(FLAGS), "", "bad_flux", "multimodal|pile_up", ""]
    ids = np.array([2**62 + 1, 2**63 - 1, -(2**63), 0, 7, 2**53 + 1, 5853498713190525696])
    return pd.DataFrame({"row": np.arange(N), "source_id": ids, **columns, "flags": flags})


@pytest.fixture(params=[False, True], ids=["redshifts", "intervals"])
def table(request):
    return predictions(request.param)


@pytest.fixture
def write(tmp_path, table):
    """Write the table in two blocks of four and three rows."""

    def written(ending):
        path = tmp_path / f"z{ending}"
        with TableWriter([path], ABOUT, COLUMNS) as writer:
            writer.write(table[:4])
            assert not path.exists()
            writer.write(table[4:])
        assert list(tmp_path.iterdir()) == [path]
        assert format_of(path) == WRITTEN[ending.lower()]  # as the readers tell it
        return path

    return written


def same(found: Table, table: pd.DataFrame) -> None:
    """Whether another reader found the very same numbers and texts."""
    assert found.colnames == list(table)
    for name in table:
        values = np.ma.asarray(found[name])
        if name == "flags":
            texts = [one.decode() if isinstance(one, bytes) else one for one in values.filled("")]
            assert texts == table["flags"].tolist()
        elif name.startswith("z_"):
            filled = values.astype(float).filled(np.nan)
            np.testing.assert_array_equal(filled, table[name])
        else:
            assert values.dtype.kind == "i"
            assert values.dtype.itemsize == 8
            assert values.tolist() == table[name].tolist()


def twin(table: pd.DataFrame) -> Table:
    """The same table as astropy itself would hold it."""
    made = Table({name: table[name].to_numpy() for name in table if name != "flags"})
    made["flags"] = table["flags"].to_numpy().astype(f"S{COLUMNS['flags'].width}")
    return made


def test_every_ending_has_a_writer_and_every_writer_an_ending():
    assert set(WRITTEN.values()) == set(WRITERS)
    assert [WRITTEN[ending] for ending in USUAL_ENDINGS] == list(WRITERS)
    assert USUAL_ENDINGS == (".csv", ".parquet", ".fits", ".vot", ".ecsv")
    assert not {".tsv", ".txt", ".gz", ".feather"} & set(WRITTEN)


@pytest.mark.parametrize("ending", [*WRITTEN, ".FITS"])
def test_another_program_reads_the_same_table(write, table, ending):
    path = write(ending)
    kind = WRITTEN[ending.lower()]
    if kind in ("csv", "parquet"):
        read = pd.read_csv if kind == "csv" else pd.read_parquet
        found = read(path)
        found["flags"] = found["flags"].fillna("")
        pd.testing.assert_frame_equal(found, table)
    else:
        names = {"ecsv": "ascii.ecsv"}
        with warnings.catch_warnings(action="error"):
            same(Table.read(path, format=names.get(kind, kind)), table)


def rows_of(path: Path) -> bytes:
    """Bytes of the table within a FITS file, with what fills up its last block."""
    with fits.open(path) as found:
        return path.read_bytes()[found[1].fileinfo()["datLoc"] :]


def test_fits_holds_the_bytes_astropy_would_write_and_says_what_they_are(write, table, tmp_path):
    path, made = write(".fits"), tmp_path / "twin.fits"
    twin(table).write(made)
    assert rows_of(path) == rows_of(made)
    with warnings.catch_warnings(action="error"), fits.open(path) as found:
        found.verify("exception")
        header = found["PREDICTIONS"].header
        for number, name in enumerate(table, 1):
            column = COLUMNS[name]
            assert header[f"TTYPE{number}"] == name
            assert header.get(f"TUNIT{number}") == column.unit
            assert header[f"TCOMM{number}"] == column.description
            assert header[f"TUCD{number}"] == column.ucd
        assert header["TFORM2"] == "K"
        assert header[f"TFORM{len(table.columns)}"] == f"{COLUMNS['flags'].width}A"
        about = {header.comments[key]: header[key] for key in ("RUN", "SIMULATE", "ESTIMATE")}
        assert about == ABOUT


def stream(xml: bytes) -> bytes:
    """Bytes of the table within a VOTable."""
    return base64.b64decode(re.search(rb'<STREAM encoding="base64">(.*?)</STREAM>', xml, re.S)[1])


def test_a_votable_holds_the_bytes_astropy_would_write_and_says_what_they_are(write, table):
    path, made = write(".vot"), io.BytesIO()
    votable.from_table(twin(table)).to_xml(made, tabledata_format="binary2")
    assert stream(path.read_bytes()) == stream(made.getvalue())
    with warnings.catch_warnings(action="error"):
        found = votable.parse(path, verify="exception").get_first_table()
    assert (found.name, len(found.array)) == ("predictions", N)
    for field in found.fields:
        column = COLUMNS[field.name]
        assert (field.ucd, field.description) == (column.ucd, column.description)
        assert field.unit == column.unit
    infos = {info.name.replace("_", " "): info.value for info in found.infos}
    assert infos == {name: str(value) for name, value in ABOUT.items()}


def test_ecsv_says_what_the_columns_are(write, table):
    found = Table.read(write(".ecsv"), format="ascii.ecsv")
    assert dict(found.meta) == ABOUT
    for name in table:
        assert found[name].description == COLUMNS[name].description
        assert found[name].meta["ucd"] == COLUMNS[name].ucd
        assert (found[name].unit is None) == (COLUMNS[name].unit is None)


def test_parquet_says_what_the_columns_are(write, table):
    schema = pq.read_schema(write(".parquet"))
    assert json.loads(schema.metadata[PARQUET_KEY]) == ABOUT
    for name in table:
        said = {key.decode(): text.decode() for key, text in schema.field(name).metadata.items()}
        unit = {} if COLUMNS[name].unit is None else {"unit": COLUMNS[name].unit}
        wanted = {"description": COLUMNS[name].description, "ucd": COLUMNS[name].ucd, **unit}
        assert said == wanted


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_described_in_words_that_every_format_takes(name):
    column = COLUMNS[name]
    assert re.fullmatch(r"[a-z]\w*", name)
    assert column.description.isascii()
    assert len(column.description) <= 68  # one card of a FITS header
    assert check_ucd(column.ucd, check_controlled_vocabulary=True)


@pytest.mark.parametrize("ending", USUAL_ENDINGS)
def test_a_failure_leaves_nothing_and_an_older_file_untouched(tmp_path, ending):
    old = tmp_path / f"z{ending}"
    old.write_text("old")

    def fail_half_way():
        with TableWriter([old], ABOUT, COLUMNS) as writer:
            writer.write(predictions(True))
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_a_file_that_cannot_be_completed_does_not_appear(tmp_path, monkeypatch):
    def no_room(self):
        self._file.close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(WRITERS["fits"], "close", no_room)
    paths = [tmp_path / "z.csv", tmp_path / "z.fits"]
    with (
        pytest.raises(FullDiskError, match=r"The disk at .* is full: z.csv needs more"),
        TableWriter(paths, ABOUT, COLUMNS) as writer,
    ):
        writer.write(predictions(False))
    assert not list(tmp_path.iterdir())


def test_csv_and_parquet_do_without_astropy(tmp_path):
    lines = [
        "import sys, pandas as pd",
        "from redshift_core.store.writers import TableWriter",
        f"with TableWriter([{str(tmp_path / 'z.csv')!r}, {str(tmp_path / 'z.parquet')!r}]) as out:",
        "    out.write(pd.DataFrame({'row': [0]}))",
        "print('astropy' in sys.modules)",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
    assert len(list(tmp_path.iterdir())) == 2
