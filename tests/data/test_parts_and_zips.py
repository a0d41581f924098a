"""One table in several files or inside another: folders of parts, ZIP files, packed tables."""

import gzip
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

from redshift_core.data import ingest, open_dataset, read_blocks
from redshift_core.errors import InputError
from redshift_core.jobs import housekeeping
from redshift_core.store import CHECKOUT
from redshift_core.store.files import unpacked_folder
from tests.data.tables import IDS, PIXELS, WRITERS, redshifts, spectra, write


def parts(folder, name, rows=((0, 2), (2, 6))):
    """A folder of parts as Spark leaves it: marks and checksums beside them."""
    folder.mkdir()
    ending = {"csv.gz": ".csv.gz", "votable": ".vot"}.get(name, f".{name}")
    for number, (start, stop) in enumerate(rows):
        part = folder / f"part-0000{number}-5f1c-c000{ending}"
        some = (spectra()[start:stop], redshifts()[start:stop], IDS[start:stop])
        WRITERS[name](part, *some)
        (folder / f".{part.name}.crc").write_bytes(b"crc")
    for mark in ("_SUCCESS", "_metadata", ".DS_Store", "README.txt"):
        (folder / mark).write_bytes(b"")
    return folder


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def content(tmp_path, name, rows=slice(None)):
    path = tmp_path / f"inside.{name}"
    WRITERS[name](path, spectra()[rows], redshifts()[rows], IDS[rows])
    return path.read_bytes()


def check(path, store):
    found = open_dataset(ingest(path, store))
    assert found.flux.tolist() == spectra().astype(np.float32).tolist()
    assert found.z_spec.tolist() == redshifts().tolist()
    assert found.source_id.tolist() == IDS.tolist()
    assert found.name == "survey"


@pytest.mark.parametrize("name", ["parquet", "csv", "csv.gz", "fits", "votable", "ecsv"])
def test_a_folder_of_parts_is_one_table(tmp_path, store, name):
    check(parts(tmp_path / "survey.parts", name), store)
    check(tmp_path / "survey.parts", store)
    assert len(store.datasets()) == 1  # the same parts are the same dataset


@pytest.mark.parametrize("name", ["parquet", "csv"])
def test_a_first_part_without_rows_is_no_fault(tmp_path, store, name):
    check(parts(tmp_path / "survey", name, ((0, 0), (0, 3), (3, 6))), store)


def test_parts_of_other_columns_and_folders_of_nothing_get_one_sentence(tmp_path, store):
    folder = parts(tmp_path / "survey", "csv")
    WRITERS["csv"](folder / "part-00002.csv", spectra(), None, IDS)
    with pytest.raises(InputError, match=r"part-00002\.csv in survey has other columns than part"):
        ingest(folder, store)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.csv").touch()
    with pytest.raises(InputError, match="empty holds no Parquet file and no other table"):
        ingest(tmp_path / "empty", store)
    assert store.datasets() == []


@pytest.mark.parametrize("name", ["parquet", "csv", "fits", "csv.gz"])
def test_a_zip_of_one_table_is_that_table(tmp_path, store, name):
    files = {
        "my survey/": b"",
        f"my survey/table.{name}": content(tmp_path, name),
        "my survey/.DS_Store": b"x",
        "__MACOSX/my survey/._table": b"x",
        "my survey/README.txt": b"About this table.",
    }
    check(zipped(tmp_path / "survey.zip", files), store)


def test_a_zip_of_a_folder_of_parts_is_one_table(tmp_path, store):
    halves = [content(tmp_path, "parquet", rows) for rows in (slice(0, 2), slice(2, 6))]
    names = ("survey.parquet/part-0.parquet", "survey.parquet/part-1.parquet")
    files = {"survey.parquet/_SUCCESS": b"", **dict(zip(names, halves, strict=True))}
    check(zipped(tmp_path / "survey.zip", files), store)


@pytest.mark.parametrize("name", ["fits", "votable", "parquet", "feather"])
def test_a_table_of_any_format_may_be_packed_with_gzip(tmp_path, store, name):
    path = tmp_path / "survey.gz"
    path.write_bytes(gzip.compress(content(tmp_path, name)))
    check(path, store)


KILLED_IN_UNPACKED = """
import os, signal
from redshift_core.store.files import unpacked_folder
unpacked_folder().mkdir()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_other_zips_say_what_they_are_and_leave_nothing(tmp_path, store, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "scratch").mkdir()
    table = content(tmp_path, "csv")
    command = [sys.executable, "-c", KILLED_IN_UNPACKED]  # a worker that is killed leaves a folder
    assert subprocess.run(command, cwd=CHECKOUT, check=False).returncode == -signal.SIGKILL
    left, mine = next((tmp_path / "scratch").iterdir()), unpacked_folder()
    mine.mkdir()
    housekeeping.clean(store)
    assert list((tmp_path / "scratch").iterdir()) == [mine] != [left]
    mine.rmdir()
    for files, sentence in (
        ({"a.csv": table, "b.csv": table}, r"holds several tables \(a\.csv, b\.csv\); pack the"),
        ({"a.jpg": b"x"}, "a ZIP file without a table in it; expected a CSV"),
        ({"[Content_Types].xml": b"x", "xl/a.xml": b"x"}, "is an Excel workbook"),
        ({"redshift-lab-run.json": b"{}"}, "is a run that was exported; import it"),
        ({"flux.npy": b"x"}, "holds NumPy arrays; save them"),
        ({"a.csv": b"x,y\n1,2\n"}, r"x\.zip: a\.csv is not a table of spectra"),
    ):
        with pytest.raises(InputError, match=sentence):
            list(read_blocks(zipped(tmp_path / "x.zip", files)))
    (tmp_path / "x.zip").write_bytes((tmp_path / "x.zip").read_bytes()[:-30])
    with pytest.raises(InputError, match=r"x\.zip is a broken ZIP file"):
        list(read_blocks(tmp_path / "x.zip"))
    assert not list((tmp_path / "scratch").iterdir())


def test_the_one_file_of_a_zip_needs_no_ending(tmp_path, store):
    frame = pd.DataFrame(spectra(), columns=PIXELS)
    frame.to_csv(tmp_path / "a.zip", index=False)  # which pandas calls "a" in it
    assert open_dataset(ingest(tmp_path / "a.zip", store)).flux.shape == (6, 186)


def test_an_opendocument_sheet_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<office/>")
    with pytest.raises(InputError, match=r"a\.ods is an OpenDocument sheet or text; save"):
        list(read_blocks(tmp_path / "a.ods"))


def test_rows_and_unpacked_bytes_have_limits(tmp_path, store, monkeypatch):
    for name in ("csv", "parquet", "fits", "zip"):
        path = tmp_path / f"a.{name}"
        WRITERS[name](path, spectra(), redshifts(), IDS)
        monkeypatch.setenv("REDSHIFT_LAB_ROWS_LIMIT", "5")
        with pytest.raises(InputError, match="has more than 5 rows, the limit of this install"):
            ingest(path, store)
        monkeypatch.setenv("REDSHIFT_LAB_ROWS_LIMIT", "6")
        assert sum(map(len, read_blocks(path))) == 6
    monkeypatch.setenv("REDSHIFT_LAB_ROWS_LIMIT", "many")
    with pytest.raises(InputError, match="REDSHIFT_LAB_ROWS_LIMIT is 'many'; it must be a number"):
        ingest(path, store)
    monkeypatch.delenv("REDSHIFT_LAB_ROWS_LIMIT")
    monkeypatch.setenv("REDSHIFT_LAB_UNPACKED_GB", "0.000005")
    packed = write(tmp_path / "b.csv.gz", PIXELS, [["1.5"] * 186] * 40)
    for large in (packed, tmp_path / "a.zip"):
        with pytest.raises(InputError, match="unpacks to more than 5 kB, the limit"):
            ingest(large, store)
    assert store.datasets() == []


@pytest.mark.parametrize("ending", [".csv.gz", ".zip"])
def test_a_bomb_of_equal_rows_is_told_from_a_table(tmp_path, store, monkeypatch, ending):
    monkeypatch.setattr("redshift_core.data.limits.HARMLESS", 1_000_000)
    text = (",".join(PIXELS) + "\n").encode() + (b",".join([b"1.5"] * 186) + b"\n") * 8_000
    path = tmp_path / f"bomb{ending}"
    if ending == ".zip":
        zipped(path, {"bomb.csv": text})
    else:
        path.write_bytes(gzip.compress(text))
    with pytest.raises(InputError, match="unpacks to more than 100 times its size"):
        ingest(path, store)
    assert store.datasets() == []
