"""Files as a browser brings them: several at once, and the form that names their columns."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from pages.ui import server
from pages.ui.data.upload import ACCEPT, ANSWERS
from redshift_core.jobs import launch
from redshift_core.settings.names import FORMATS
from redshift_core.store import write_json
from tests.pages.made_up import make_dataset, make_survey, open_page, texts


@pytest.fixture(autouse=True)
def no_workers(monkeypatch):
    """Jobs are only asked for; the tests of ingest and of the whole page run them."""
    child = SimpleNamespace(poll=lambda: None)
    monkeypatch.setattr(launch.subprocess, "Popen", lambda *_, **__: child)
    monkeypatch.setattr(launch, "CHILDREN", {})


def press(at, label: str):
    next(one for one in at.button if one.label == label).click().run()
    assert not at.exception
    return at


def arrive(at, *files: tuple[str, bytes]) -> None:
    """Leave files as the upload route leaves them."""
    tokens = [at.session_state["_token_upload_data"], *at.session_state["_more_token_upload_data"]]
    for token, (name, content) in zip(tokens, files, strict=False):
        leave = server.ticket(token)
        leave.folder.mkdir(parents=True)
        leave.path = leave.folder / name
        leave.path.write_bytes(content)
        leave.state, leave.n_files = "done", len(files)
    at.run()
    assert not at.exception


def photometry(path: Path) -> Path:
    """Galaxies with a magnitude called z, as in SDSS, and their redshift under another name."""
    table = pd.read_parquet(make_survey(path.with_suffix(".parquet"), n=30))
    path.with_suffix(".parquet").unlink()
    table = table.rename(columns={"z": "redshift_best"})
    table.insert(1, "z", [17.0 + k / 100 for k in range(30)])
    table.to_csv(path, index=False)
    return path


def test_a_magnitude_is_not_taken_for_the_redshift_and_the_other_column_stands_beside_it(store):
    photometry(store.inbox / "sdss.csv")
    at = press(open_page("data"), "Use this file")
    assert "as magnitudes are and redshifts are not" in texts(at)
    assert "'redshift\\_best' may be it" in texts(at)
    assert at.selectbox(key="z_data").value == "redshift_best"
    at.selectbox(key="z_data").set_value("z")
    press(at, "Use these columns")
    assert "a redshift lies below 12" in texts(at)
    assert store.jobs() == []
    at.selectbox(key="z_data").set_value("redshift_best")
    press(at, "Use these columns")
    (job,) = store.jobs()
    assert job.request["columns"]["z"] == "redshift_best"


def test_the_form_starts_from_what_was_recognised(store):
    table = pd.read_parquet(make_survey(store.inbox / "odd.parquet", n=30))
    table.rename(columns=lambda name: name.replace("flux_", "a_")).to_parquet(
        store.inbox / "odd.parquet"
    )
    at = press(open_page("data"), "Use this file")
    chosen = [at.selectbox(key=f"{name}_data").value for name in ("z", "source_id")]
    assert chosen == ["z", "source_id"]  # and not "none", which would lose all redshifts


def test_every_file_can_be_read_with_other_columns(store):
    make_survey(store.inbox / "galaxies.parquet", n=30)
    at = press(open_page("data"), "Read with other columns")
    assert "shows what was recognised" in texts(at)
    flux = [at.selectbox(key=f"{name}_data").value for name in ("first", "last")]
    assert flux == ["flux_0", "flux_185"]
    assert not at.text_input(key="pattern_data").value
    at.selectbox(key="z_data").set_value("none")
    press(at, "Use these columns")
    (job,) = store.jobs()
    assert job.request["columns"] == {
        "z": "none", "source_id": "source_id", "flux": "flux_0:flux_185"
    }  # fmt: skip


def test_a_dataset_can_be_read_again_with_other_columns(store):
    dataset = make_dataset(store)
    at = press(open_page("data", dataset=dataset.id), "Read with other columns")
    job = store.new_job("ingest")
    write_json(job.request_path, {"kind": "ingest", "file": str(store.inbox / "made up.parquet")})
    write_json(job.result_path, {"dataset": dataset.id})
    at = open_page("data", dataset=dataset.id)
    at.button(key=f"again_{dataset.id}").click().run()
    assert at.selectbox(key="first_data").value == "flux_0"


def test_a_file_that_failed_can_be_read_with_other_columns(store):
    failed = {"state": "failed", "kind": "ingest", "message": "Column z of it holds words."}
    for name in ("galaxies.parquet", "letter.csv"):
        job = store.new_job("ingest")
        write_json(job.request_path, {"kind": "ingest", "file": str(store.inbox / name)})
        write_json(job.status_path, {**failed, "user_error": True})
        (store.inbox / name).write_text("Dear sir,\n")
    letter = job
    make_survey(store.inbox / "galaxies.parquet", n=30)
    at = open_page("data")
    at.button(key=f"other_{letter.id}").click().run()
    assert any("letter.csv" in one.value for one in at.error)
    other = next(job for job in store.jobs() if job.id != letter.id)
    at.button(key=f"other_{other.id}").click().run()
    assert at.selectbox(key="z_data").value == "z"
    assert len(store.jobs()) == 2


def test_several_files_become_a_dataset_each_and_one_that_asks_is_asked_about(store, tmp_path):
    good = make_survey(tmp_path / "a.parquet", n=30).read_bytes()
    odd = photometry(tmp_path / "sdss.csv").read_bytes()
    at = open_page("data")
    arrive(at, ("a.parquet", good), ("sdss.csv", odd), ("letter.csv", b"Dear sir,\n"))
    assert "3 files have arrived" in texts(at)
    press(at, "Read them")
    assert "Which columns of sdss.csv?" in [one.value for one in at.subheader]
    press(at, "Cancel")  # of this file alone; the next one is read
    names = sorted(Path(job.request["file"]).name for job in store.jobs())
    assert names == ["a.parquet", "letter.csv"]
    assert "Read together (2 files)" in [one.label for one in at.expander]
    assert len(list(store.inbox.glob("*/*"))) == 2  # neither is swept away before it is read


def test_several_files_become_one_table_or_stay_as_they_are(store, tmp_path):
    parts = [make_survey(tmp_path / f"{k}.parquet", n=30, seed=k).read_bytes() for k in (1, 2)]
    at = open_page("data")
    arrive(at, ("p1.parquet", parts[0]), ("p2.parquet", parts[1]), ("note.pdf", b"%PDF-1.7"))
    at.radio(key="how_data").set_value("Parts of one table")
    press(at, "Read them")
    assert "note.pdf cannot be read as a part of one table" in texts(at)
    assert store.jobs() == []
    press(at, "Cancel")
    assert list(store.inbox.iterdir()) == []
    arrive(at, ("p1.parquet", parts[0]), ("p2.parquet", parts[1]))
    assert "whole_data" not in {one.key for one in at.text_input}  # of one table alone
    at.radio(key="how_data").set_value("Parts of one table").run()
    at.text_input(key="whole_data").set_value("All of it")
    press(at, "Read them")
    (job,) = store.jobs()
    folder = Path(job.request["file"])
    assert folder.name == "all-of-it"
    assert sorted(path.name for path in folder.iterdir()) == ["00-p1.parquet", "01-p2.parquet"]


def test_a_batch_waits_for_its_last_file(store, tmp_path):
    at = open_page("data")
    first = server.ticket(at.session_state["_token_upload_data"])
    arrive(at, ("a.parquet", make_survey(tmp_path / "a.parquet", n=30).read_bytes()))
    assert len(store.jobs()) == 1
    at = open_page("data")
    first = server.ticket(at.session_state["_token_upload_data"])
    second = server.ticket(at.session_state["_more_token_upload_data"][0])
    first.state, first.n_files, first.path = "done", 2, store.inbox / "one.csv"
    second.state = "busy"
    token = at.session_state["_token_upload_data"]
    at.run()
    assert at.session_state["_token_upload_data"] == token
    assert len(store.jobs()) == 1


def test_the_dialog_offers_every_ending_that_is_read():
    offered = ACCEPT.split(",")
    assert {".csv", ".tsv", ".txt", ".dat", ".tbl", ".gz", ".parquet", ".fits"} <= set(offered)
    assert set(offered) == {ending for one in FORMATS.values() for ending in one.suffixes}
    assert all(said.endswith((".", ").")) for said in ANSWERS.values())
