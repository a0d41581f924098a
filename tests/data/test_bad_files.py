"""Files that are no spectra: one clear sentence each, and nothing left in the store."""

import gzip
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from redshift_core import jobs
from redshift_core.data import ingest, read_blocks
from redshift_core.errors import InputError
from tests.data.tables import PIXELS, WRITERS, many_rows, redshifts, rows, spectra, survey, write

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 8
HEADER = ["z", *PIXELS]


TAP_ERROR = (
    '<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
    '<RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">Cannot parse query</INFO>'
    "</RESOURCE></VOTABLE>"
)


def body(n=6):
    """Rows of the dissertation's form, as text."""
    return rows(redshifts(n), spectra(n))


def replaced(row, column, text):
    """The body with one cell replaced."""
    cells = body()
    cells[row][column] = text
    return cells


def parquet(path, columns):
    pq.write_table(pa.table(columns), path)


def ids(path, values):
    parquet(path, {"source_id": values, **{name: [1.0, 2.0] for name in PIXELS}})


def broken_parquet(path):
    parquet(path, {"z": redshifts(), **dict(zip(PIXELS, spectra().T, strict=True))})
    path.write_bytes(path.read_bytes()[:-2000])


def damaged_parquet(path):
    columns = dict(zip(PIXELS, spectra(4000).T, strict=True))
    pq.write_table(pa.table(columns), path, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[2000:200_000] = bytes(198_000)
    path.write_bytes(content)


def cut_fits(path):
    WRITERS["fits"](path, spectra(40), redshifts(40), np.arange(40))
    path.write_bytes(path.read_bytes()[:20_000])


def ascii_fits(path):
    column = fits.Column("z", "F8.5", array=redshifts(), ascii=True)
    fits.HDUList([fits.PrimaryHDU(), fits.TableHDU.from_columns([column])]).writeto(path)


def renamed_fits(path, name):
    """A FITS file whose column ``source_id`` has another name."""
    WRITERS["fits"](path, spectra(), redshifts(), np.arange(6))
    path.write_bytes(path.read_bytes().replace(b"'source_id'", b"'" + name.ljust(9) + b"'"))


def binary(path):
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def truncated_gzip(path):
    survey(path, 200)
    path.write_bytes(path.read_bytes()[:20_000])


def damaged_gzip(path):
    survey(path, 200)
    content = bytearray(path.read_bytes())
    content[30_000:30_500] = bytes(500)
    path.write_bytes(content)


def cut_off(path):
    survey(path)
    path.write_bytes(path.read_bytes()[:-300])


def write_lines(path, lines):
    """Rows as text below a header with a further column of remarks."""
    path.write_text("\n".join([",".join([*HEADER, "remark"]), *lines]) + "\n")


def write_text(path, old, new):
    survey(path)
    path.write_text(path.read_text().replace(old, new, 1))


BAD = {
    "prose.csv": (
        lambda p: p.write_text("Dear colleague, here are the data.\nBest wishes\n"),
        r"prose.csv is not a table of spectra: it has 2 columns \(Dear colleague",
    ),
    "prose.txt": (lambda p: p.write_text("Call me Ishmael.\n" * 40), "is not a table of spectra"),
    "image.csv": (lambda p: p.write_bytes(PNG), "image.csv is a PNG image; expected a CSV"),
    "image.png": (lambda p: p.write_bytes(PNG), "image.png is a PNG image"),
    "photo.csv": (lambda p: p.write_bytes(b"\xff\xd8\xff\xe0" + bytes(99)), "is a JPEG image"),
    "185.csv": (
        lambda p: write(p, HEADER[:-1], [row[:-1] for row in body()]),
        r"185.csv has 185 flux columns \(flux_0 … flux_184\); expected 186 \(80 BP \+ 106 RP\)",
    ),
    "empty.csv": (lambda p: p.write_bytes(b""), r"empty.csv is empty \(0 bytes\)"),
    "empty.csv.gz": (lambda p: p.write_bytes(gzip.compress(b"")), "holds an empty file"),
    "one number.csv": (lambda p: p.write_text("5\n"), "has no header and 1 column;"),
    "blank.csv": (lambda p: p.write_text("\n\n  \n"), "only comments and blank lines"),
    "header.csv": (lambda p: write(p, HEADER, []), "has a header and no rows"),
    "letters.csv": (
        lambda p: write(p, HEADER, replaced(3, 7, "O.123")),
        "letters.csv, line 5, column flux_6: 'O.123' is not a number",
    ),
    "lettered redshift.csv": (
        lambda p: write(p, HEADER, replaced(0, 0, "0.1?")),
        "line 2, column z: '0.1[?]' is not a number",
    ),
    "letters at the top.csv": (
        lambda p: write(p, None, replaced(0, 0, "abc")),
        "first line holds numbers, but 'abc' in column 1 is none",
    ),
    "all letters.csv": (
        lambda p: write(p, HEADER, [["a"] * 187] * 3),
        "line 2, column z: 'a' is not a number",
    ),
    "rounded id.csv": (
        lambda p: write(p, ["source_id", *PIXELS], [["4.6e18", *row[1:]] for row in body()]),
        "line 2, column source_id: '4.6e18' is not a whole number from −2.63 to 2.63 − 1",
    ),
    "large id.csv": (
        lambda p: write(p, ["source_id", *PIXELS], [["9" * 19, *row[1:]] for row in body()]),
        "'9999999999999999999' is not a whole number from −2.63 to 2.63 − 1",
    ),
    "no usable row.csv": (
        lambda p: write(p, HEADER, rows(redshifts(), np.zeros((6, 186)))),
        "no usable row.csv has no usable row: in each of its 6 rows",
    ),
    "no number.csv": (lambda p: write(p, HEADER, [["nan"] * 187] * 3), "has no usable row"),
    "binary.csv": (binary, "binary.csv holds binary data"),
    "broken.parquet": (broken_parquet, "broken.parquet is a broken Parquet file"),
    "damaged.parquet": (damaged_parquet, "is a broken Parquet file"),
    "text.parquet": (survey, "text.parquet is not a Parquet file, whatever its name says"),
    "letters.parquet": (
        lambda p: parquet(
            p, {"z": ["0.1", "x"], **{n: [1.0, 2.0] for n in PIXELS}}
        ),
        "letters.parquet, column z, row 1: 'x' is not a number",
    ),
    "texts.parquet": (
        lambda p: parquet(p, {n: [["a"], ["b"]] for n in PIXELS}), "is not a number"
    ),
    "rounded id.parquet": (
        lambda p: parquet(p, {"source_id": [4.6e18, 1.0], **{n: [1.0, 2.0] for n in PIXELS}}),
        "has rounded the source ids",
    ),
    "rounded id32.parquet": (
        lambda p: ids(p, np.array([1_000_000_001, 1_000_000_003], np.float32)),
        "holds float, which has rounded the source ids: it keeps whole numbers apart only below "
        "16,777,216",
    ),
    "rounded id16.parquet": (
        lambda p: ids(p, np.array([2049, 2051], np.float16)), "only below 2,048"
    ),
    "nan id.parquet": (
        lambda p: ids(p, [7.0, float("nan")]),
        "column source_id, row 1: 'nan' is not a whole number from −2.63 to 2.63 − 1, as a "
        "source_id must be. Leave the cell null where it is missing",
    ),
    "infinite id.parquet": (
        lambda p: ids(p, np.array([7, -np.inf], np.float32)), "row 1: '-inf' is not a whole number"
    ),
    "fractional id.parquet": (lambda p: ids(p, [7.0, 8.5]), "row 1: '8.5' is not a whole number"),
    "unsigned id.parquet": (
        lambda p: ids(p, np.array([7, 2**63], np.uint64)),
        "row 1: '9223372036854775808' is not a whole number from −2.63 to 2.63 − 1",
    ),
    "large id as text.parquet": (
        lambda p: ids(p, ["7", "9" * 19]), "row 1: '9999999999999999999' is not a whole number"
    ),
    "truth as id.parquet": (
        lambda p: ids(p, [True, False]), "column source_id holds bool, and not source ids"
    ),
    "dates as id.parquet": (
        lambda p: ids(p, np.array([1, 2], "M8[s]")), "holds timestamp.*, and not source ids"
    ),
    "no rows.parquet": (lambda p: parquet(p, {name: [] for name in PIXELS}), "no rows"),
    "truncated.csv.gz": (truncated_gzip, "truncated.csv.gz is cut off"),
    "damaged.csv.gz": (damaged_gzip, "damaged.csv.gz cannot be unpacked"),
    "plain.csv.gz": (
        lambda p: p.write_text("z,flux_0\n0.1,2\n"), "is not a CSV.gz file, whatever its name says"
    ),
    "image.csv.gz": (lambda p: p.write_bytes(gzip.compress(PNG)), "is a PNG image"),
    "unclosed.csv": (
        lambda p: write_text(p, "0.1234567,", '"0.1234567,'),
        "unclosed.csv, line 2: a cell begins with a quote",
    ),
    "commas.csv": (
        lambda p: p.write_text(",".join(HEADER) + "\n" + ",".join(["0,5"] * 187) + "\n"),
        "line 2 has 374 columns; .* Decimal commas need another separator",
    ),
    "blanks.txt": (
        lambda p: p.write_text(
            " ".join(["n", *HEADER]) + "\n" + " ".join(["a"] + ["1"] * 187) + "\n"
            + " ".join(["NGC 7"] + ["1"] * 187) + "\n"
        ),
        "line 3 has 189 columns; expected 188 .* Text that holds blanks needs quotes",
    ),
    "cut off.csv": (
        cut_off, r"is cut off: its last line \(7\) has \d+ of 187 columns"
    ),
    "ragged.csv": (
        lambda p: write(p, HEADER, [*body(), body()[0][:9], *body()]),
        "ragged.csv, line 8 has 9 columns; expected 187",
    ),
    "folder.csv": (lambda p: p.mkdir(), "holds no Parquet file"),
    "missing.csv": (lambda p: None, "There is no file"),
    "table.docx": (survey, "files ending in .docx are not known"),
    "book.xlsx": (lambda p: p.write_bytes(b"PK\x03\x04" + bytes(60)), "an Excel workbook"),
    "sky.fits": (
        lambda p: p.write_bytes(b"SIMPLE  =   T" + b" " * 99), "is a broken FITS file"
    ),
    "image.fits": (
        lambda p: fits.PrimaryHDU(np.zeros((4, 4))).writeto(p),
        "^image.fits is a FITS file without a binary table",
    ),
    "text.fits": (ascii_fits, r"holds its table as text \(a FITS ASCII table\); save it as"),
    "page.fits": (lambda p: p.write_text("<html>404"), "page.fits is a web page"),
    "same name.fits": (lambda p: renamed_fits(p, b"z"), "has several columns called 'z'"),
    "same name.csv": (
        lambda p: write(p, ["z", *HEADER], [row[:1] + row for row in body()]),
        "has several columns called 'z'; give each its own name",
    ),
    "quotes.csv": (
        lambda p: write_lines(p, [f'{",".join(row)},{"x" if k % 2 else chr(34) + "5"}'
                                  for k, row in enumerate(body())]),
        r"quotes.csv, line 2: a cell begins with a quote \(\"\) that is not closed",
    ),
    "wavelengths.csv": (
        lambda p: write(p, ["z", *map(str, np.arange(330, 702, 2.0))], body()),
        r"wavelengths are; .* say --columns flux=330.0:700.0",
    ),
    "table.html": (lambda p: p.write_text('<table border="1">\n'), "is a table in HTML; save"),
    "thousands.csv": (
        lambda p: write(p, HEADER, [[c.replace(".", ",") for c in row[:-1]] + ["1.234"]
                                    for row in body()], ";"),
        "line 2, column flux_185: '1.234' is not a number. .* a point may set off thousands",
    ),
    "pointer.parquet": (
        lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\n"),
        "is a pointer of Git LFS; fetch the file itself",
    ),
    "two lines.csv": (
        lambda p: write(p, ["z", *["flux"] * 186], [["", *map(str, range(186))], *body()]),
        "has 186 columns called 'flux', as a header of two lines gives",
    ),
    "convert.csv": (
        lambda p: p.write_text(f'source_id,xp,flux\n7,BP,"({"1.5," * 60})"\n'),
        r"has one row a band \(column xp\), as GaiaXPy's convert writes it",
    ),
    "table.avro": (lambda p: p.write_bytes(b"Obj\x01" + bytes(60)), "is an Avro file; save"),
    "stream.arrow": (
        lambda p: p.write_bytes(b"\xff" * 4 + bytes(60)), "is an Arrow stream; save it as a file"
    ),
    "pickle.csv": (lambda p: p.write_bytes(b"\x80\x05\x95" + bytes(60)), "is a Python pickle"),
    "cut.fits": (cut_fits, r"cut.fits is a broken FITS file \(it ends after"),
    "page.xml": (
        lambda p: p.write_text("<?xml version='1.0'?><html><body>Down</body></html>"),
        "is a broken VOTable, or XML of another kind",
    ),
    "error.xml": (
        lambda p: p.write_text(TAP_ERROR),
        "holds the error message of a service .Cannot parse",
    ),
    "lengths.parquet": (
        lambda p: parquet(p, {"flux": [[1.0] * 186, [1.0] * 185]}),
        "column flux, row 1: the array has 185 values, where the first has 186",
    ),
    "sampled.parquet": (
        lambda p: parquet(p, {"flux": [[1.0] * 343] * 2}), "343 flux columns .*XP_SAMPLED"
    ),
    "arrays.ecsv": (
        lambda p: p.write_text("# %ECSV 1.0\n# ---\nz flux\n0.1 [1.0,x]\n"),
        "is not a table of spectra",
    ),
    "mac.csv": (
        lambda p: p.write_bytes(b"\r".join([",".join(HEADER).encode()] * 2)), "old Mac"
    ),
    "page.csv": (lambda p: p.write_text("<!doctype html>\n<p>404, not found"), "is a web page"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_its_sentence_and_leaves_nothing_behind(tmp_path, store, name):
    make, sentence = BAD[name]
    path = tmp_path / name
    make(path)
    with pytest.raises(InputError) as error:
        ingest(path, store)
    text = str(error.value)
    assert re.search(sentence, text)
    assert path.name in text
    assert "\n" not in text
    assert len(text) < 450
    folder = store.root / "datasets"
    assert not folder.exists() or not list(folder.iterdir())


def test_a_bad_file_is_refused_by_the_block_reader_too(tmp_path):
    path = write(tmp_path / "a.csv", HEADER, replaced(3, 7, "x"))
    with pytest.raises(InputError, match="line 5, column flux_6: 'x'"):
        list(read_blocks(path))


def test_a_fault_far_into_a_file_is_named_by_its_line(tmp_path, store):
    cells = many_rows(redshifts(9_000))
    cells[8_000][100] = "12,5"
    path = write(tmp_path / "a.csv", HEADER, cells)
    assert path.stat().st_size > 8 << 20  # more than one block
    with pytest.raises(InputError, match="line 8002, column flux_99: '12,5' is not a number"):
        ingest(path, store)
    assert not list((store.root / "datasets").iterdir())


def test_a_failed_ingest_job_leaves_only_its_record(tmp_path, store):
    path = tmp_path / "letters.csv"
    BAD["letters.csv"][0](path)
    job = jobs.start(store, "ingest", file=str(path), name="bad")
    ended = jobs.wait(job, timeout=60)
    assert (ended.state, ended.user_error) == ("failed", True)
    assert "line 5, column flux_6: 'O.123' is not a number" in ended.message
    assert not list((store.root / "datasets").iterdir())


def with_metadata(path, **metadata):
    """A Parquet file of the dissertation's columns with metadata of its own."""
    columns = {"z": redshifts(), **dict(zip(PIXELS, spectra().T, strict=True))}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
    return path


@pytest.mark.parametrize(
    "metadata",
    [
        b"[" * 100_000, b'{"a": ' * 50_000, b'{"simulated": \xff\xfe}', b'{"seed": NaN}',
        b'{"seed": 1e999}', b'{"seed": ' + b"9" * 5000 + b"}", b"null", b"",
    ],
    ids=range(8),
)  # fmt: skip
def test_metadata_that_cannot_be_read_say_nothing_and_stop_nothing(tmp_path, store, metadata):
    path = with_metadata(tmp_path / "a.parquet", redshift_lab=metadata, pandas=metadata)
    folder = ingest(path, store)
    assert folder.info["simulation"] == {}
    json.dumps(folder.info, allow_nan=False)


def test_names_that_are_no_text_get_one_sentence(tmp_path, store):
    path = with_metadata(tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes().replace(b"flux_17", b"flux\xff17"))
    with pytest.raises(InputError, match=r"a\.parquet .*"):
        ingest(path, store)
    assert store.datasets() == []
