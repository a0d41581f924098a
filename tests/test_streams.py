"""Output streams that cannot hold a sign, or that nobody reads any more."""

import contextlib
import io
import json
import os
import sys

import pytest

from redshift_core import cli, jobs
from redshift_core.cli.datasets import existing_file
from redshift_core.errors import InputError
from redshift_core.jobs.launch import environment
from redshift_core.store import Store
from tests.pages.made_up import make_dataset, make_run, open_page


@pytest.fixture
def named(store) -> Store:
    """Store with a dataset and a run whose names no small encoding holds."""
    make_run(store, make_dataset(store, name="σ – galaxies"), evaluated=True, name="日本")
    return store


def written(monkeypatch, encoding, *arguments):
    """What a command writes to stdout and stderr of an encoding, and its exit code."""
    streams = {}
    for name in ("stdout", "stderr"):
        streams[name] = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
        monkeypatch.setattr(sys, name, streams[name])
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    texts = []
    for stream in streams.values():
        stream.flush()
        texts.append(stream.buffer.getvalue().decode(encoding))
    return ended.value.code, *texts


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii", "utf-8"])
def test_a_sign_that_a_stream_cannot_hold_is_replaced(named, monkeypatch, encoding):
    run = named.runs()[0]
    code, out, _ = written(monkeypatch, encoding, "runs")
    assert code == 0
    code, out, _ = written(monkeypatch, encoding, "datasets")
    assert code == 0
    shown = {"utf-8": "σ – galaxies", "cp1252": "? – galaxies"}.get(encoding, "? - galaxies")
    assert shown in out
    code, out, err = written(monkeypatch, encoding, "rename", run.id, "σσ")
    assert (code, err) == (0, "")
    code, out, err = written(monkeypatch, encoding, "train", "σ")
    assert (code, out) == (2, "")
    assert ("No dataset 'σ'" if encoding == "utf-8" else "No dataset '?'") in err
    code, out, _ = written(monkeypatch, encoding, "datasets", "--json")
    assert json.loads(out)[0]["name"] == "σ – galaxies"  # JSON loses nothing


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_figures_of_merit_can_be_read_on_any_stream(named, monkeypatch, encoding):
    run = named.runs()[0]
    result = {"metrics": run.metrics(run.config.dataset).to_dict()}
    monkeypatch.setattr(jobs, "start", lambda *_, **__: named.new_job("evaluate"))
    monkeypatch.setattr("redshift_core.cli.results.run_job", lambda *_: result)
    monkeypatch.setattr("redshift_core.cli.results.real_galaxies_text", lambda *_: "Δz ± σ")
    code, out, err = written(monkeypatch, encoding, "evaluate", run.id)
    assert code == 0, err
    assert "?_NMAD" in out
    assert "MAE" in out


@pytest.mark.parametrize("reads", ["stdout", "stderr"])
def test_a_reader_that_leaves_ends_the_command_quietly(named, monkeypatch, reads):
    end, start = os.pipe()
    os.close(end)
    kept = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.suppress(BrokenPipeError), open(start, "w", encoding="utf-8") as pipe:
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, pipe if name == reads else kept)
        with pytest.raises(SystemExit) as ended:
            cli.main(["runs"] if reads == "stdout" else ["train", "nothing"])
        assert ended.value.code == 1
    kept.flush()
    assert b"Traceback" not in kept.buffer.getvalue()


def test_a_closed_stream_takes_nothing_and_harms_nothing(named, monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)  # as Python finds them after `>&- 2>&- <&-`
    with pytest.raises(SystemExit) as ended:
        cli.main(["runs"])
    assert ended.value.code == 0
    for name in ("stdin", "stdout", "stderr"):
        getattr(sys, name).close()


def test_the_log_of_a_job_is_utf_8_whatever_the_terminal_has(store, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    assert environment("evaluate", store.root)["PYTHONIOENCODING"] == "utf-8:backslashreplace"


def test_a_file_whose_name_is_no_utf_8_is_read_and_shown(here, store, survey_file):
    odd = store.inbox / os.fsdecode(b"gal\xff\xc3\xa9.parquet")
    odd.write_bytes(survey_file.read_bytes())
    code, _, err = here("ingest", odd)
    assert code == 0, err
    (made,) = store.datasets()
    assert made.name == "gal\N{REPLACEMENT CHARACTER}é"
    assert store.dataset(os.fsdecode(b"gal\xff\xc3\xa9")).id == made.id  # as a terminal gives it
    assert here("rename", made.id, os.fsdecode("σ".encode("latin-1", "replace") + b"\xe9"))[0] == 0
    at = open_page("data", dataset=made.id)
    assert not at.exception
    with pytest.raises(InputError, match="There is no file"):
        existing_file(store.inbox / os.fsdecode(b"\xff.csv"))
