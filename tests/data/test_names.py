"""Names of files, folders and datasets in any bytes: read, kept, shown, and never a traceback."""

import os

import pytest

from redshift_core.cli.datasets import _report_dataset
from redshift_core.data import ingest
from redshift_core.data.ingest import ingest_job
from redshift_core.errors import InputError
from redshift_core.store import JobContext, readable, write_json
from redshift_core.store.files import decoded
from tests.data.tables import survey

NAMES = {
    "not UTF-8": (b"\xff\xfe.csv", "\ufffd\ufffd"),
    "Latin-1": (b"caf\xe9.csv", "caf\ufffd"),
    "a line end": (b"two\nlines.csv", "two lines"),
    "a galaxy": ("\U0001f30c σ.csv".encode(), "\U0001f30c σ"),
    "signs of a terminal": (b"\x1b[31mred\x07.csv", "[31mred"),
    "blanks": (b"   .csv", "unnamed"),
    "an option": (b"--name=x.csv", "--name=x"),
    "Markdown": (b"**a** [b](c).csv", "**a** [b](c)"),
}


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname == "Darwin", reason="names are text")
@pytest.mark.parametrize(("raw", "shown"), NAMES.values(), ids=NAMES)
def test_a_file_and_its_folder_may_be_called_anything(tmp_path, store, capsys, raw, shown):
    folder = tmp_path / os.fsdecode(b"in " + raw)
    folder.mkdir()
    path = survey(tmp_path / "a.csv").rename(folder / os.fsdecode(raw))
    job = store.new_job("ingest")
    write_json(job.request_path, {"kind": "ingest", "file": str(path), "name": ""})
    result = ingest_job(JobContext.of(job))
    assert job.request["file"] == str(path)
    dataset = store.dataset(result["dataset"])
    assert dataset.name == shown == readable(dataset.name)
    assert dataset.info["source_file"] == readable(path.name)
    _report_dataset(result, as_json=True)
    assert capsys.readouterr().out.encode()
    dataset.update_info(name=os.fsdecode(raw))  # as another program might
    assert store.dataset(dataset.id).name == decoded(os.fsdecode(raw))
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(InputError, match="is cut off"):
        ingest(path, store)
