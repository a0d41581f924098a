"""The command fetch as a user meets it: started twice, killed, stopped; real processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from redshift_core import cli, jobs
from redshift_core.data.archive import fetch_job
from redshift_core.store import JobContext, write_json
from tests.archive_galaxies import ids_of, small_archive, write_ids
from tests.archive_standin import serving

ROOT = Path(__file__).parent.parent
# A shell that runs the tests in the background has SIGINT ignored, and children inherit it; a
# preexec_fn that restores it can hang where another test has brought gRPC's threads.
HEAR_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
CLI = HEAR_CTRL_C + "from redshift_core.cli import main; main()"
COMMAND = [sys.executable, "-c", CLI, "fetch"]
KINDS = ("html", "short", "500", "truncated", "502", "cut off", "service error")


def start(archive, *arguments):
    return subprocess.Popen(
        [*COMMAND, "--service", archive.url, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def until(condition):
    """Wait until something is true; what it is."""
    end = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


class Gate:
    """A fault at every second call of DataLink, and a call that waits until it is let through."""

    def __init__(self):
        self.waits_at = -1  # number of the call
        self.open = threading.Event()

    def __call__(self, kind, number):
        if kind != "data-server":
            return ""
        if number == self.waits_at:
            self.open.wait(120)
        return KINDS[number // 2 % len(KINDS)] if number % 2 else ""

    def close(self, number):
        self.open.clear()
        self.waits_at = number


def kept_ids(store):
    """Ids in the chunks that have come."""
    found = set()
    for path in store.cache.glob("archive-*/spectra-*.parquet"):
        found |= set(pq.read_table(path, columns=["source_id"])["source_id"].to_pylist())
    return found


def check_whole(store, served, out, ids, kept, n_asked):
    """Every source once, none lost, and nothing of what had come was asked for again."""
    assert not kept & {one for asked in served.asked[n_asked:] for one in asked}
    result = json.loads(out)
    assert (result["rows"], result["missing"]) == (len(ids), [5])
    table = pq.read_table(store.dataset(result["dataset"]).catalogue_path)
    assert Counter(table["source_id"].to_pylist()) == Counter(ids)


def test_a_fetch_that_is_started_twice_killed_and_stopped_has_every_source_once(store, tmp_path):
    ids, gate = ids_of(300), Gate()
    path = write_ids(tmp_path / "ids.csv", [*ids, 5])
    arguments = ["--ids", path, "--name", "hard", "--chunk", 20, "--wait", 0, "--json"]
    with serving(small_archive(300, faults=gate)) as served:
        gate.close(9)
        first = start(served, *arguments)
        until(lambda: served.counts["data-server"] == 10)
        second = start(served, *arguments)
        assert second.stderr.readline() == f"{store.jobs()[0].id} fetches this already.\n"
        os.kill(jobs.status(store.jobs()[0]).pid, signal.SIGKILL)
        for process in (first, second):
            assert "the same command goes on: redshift-lab" in process.communicate(timeout=180)[1]
            assert process.returncode == 1
        assert len(store.jobs()) == 1
        gate.open.set()
        gate.close(20)
        third = start(served, *arguments)
        until(lambda: served.counts["data-server"] >= 21)
        third.send_signal(signal.SIGINT)
        out, err = third.communicate(timeout=180)
        assert (third.returncode, json.loads(out)["state"]) == (0, "stopped")
        assert "the same command goes on: redshift-lab" in err
        kept, n_asked = kept_ids(store), len(served.asked)
        assert 0 < len(kept) < 300
        gate.open.set()
        out, _ = start(served, *arguments).communicate(timeout=120)
    check_whole(store, served, out, ids, kept, n_asked + 1)  # + 1: the call that was waiting


@pytest.mark.study
def test_twelve_thousand_sources_with_faults_at_every_second_call_killed_twice(store, tmp_path):
    ids = ids_of(12_000)
    path = write_ids(tmp_path / "ids.csv", [*ids, 5])
    arguments = ["--ids", path, "--name", "killed", "--wait", 0, "--json"]
    with serving(small_archive(12_000, faults=Gate())) as served:
        for number, share in ((1, 0.3), (2, 0.6)):
            process = start(served, *arguments)
            until(lambda number=number: len(store.jobs()) == number)
            until(lambda share=share: len(kept_ids(store)) >= share * 12_000)
            os.kill(jobs.status(store.jobs()[0]).pid, signal.SIGKILL)
            process.communicate(timeout=180)
            assert process.returncode == 1
        kept, n_asked = kept_ids(store), len(served.asked)
        assert len(kept) < 12_000
        out, _ = start(served, *arguments).communicate(timeout=600)
    check_whole(store, served, out, ids, kept, n_asked)


@pytest.fixture
def here(store, monkeypatch, capsys):
    """Run the command and its job in this process: exit code, stdout, stderr."""

    def job(request):
        folder = store.new_job("fetch")
        write_json(folder.request_path, {"kind": "fetch", **request})
        return folder

    monkeypatch.setattr(cli.fetch, "_job", job)
    monkeypatch.setattr(cli.fetch, "run_job", lambda job, _: fetch_job(JobContext(job, store)))

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(["fetch", *map(str, arguments)])
        return ended.value.code, *capsys.readouterr()

    return run


def test_a_count_shows_the_query_of_the_candidates_by_cuts_and_in_a_cone(here):
    with serving(small_archive(30)) as served:
        table = served.redshifts
        cone = [f"--cone={table['ra2'][1]},{table['dec2'][1]},0.001"]
        code, out, _ = here("--service", served.url, "--candidates", "pure", *cone, "--count")
    assert code == 0
    first, *query = out.splitlines()
    assert first.startswith("1 source: 1 call to http://127.0.0.1")
    assert first.endswith("Nothing was fetched.")
    assert "c.classlabel_dsc_joint = 'galaxy'" in query[-1]


def test_a_table_of_ids_and_of_their_redshifts_becomes_a_dataset(here, store, tmp_path):
    path = tmp_path / "mine.csv"
    lines = [f"{one},{0.1 + k / 100:.2f}" for k, one in enumerate(ids_of(6))]
    path.write_text("\n".join(["source_id,z", *lines, "5,0.3"]))
    with serving(small_archive(6)) as served:
        some = ["--service", served.url, "--ids", path, "--redshifts", path]
        code, out, _ = here(*some, "--name", "mine")
        assert code == 0
        assert "is in the store: 6 spectra; flagged: none. The archive has no spectrum of 1 " in out
        file = next(word for word in out.split() if ".parquet" in word).rstrip(".;,")
        assert pq.read_metadata(file).num_rows == 6
        code, out, _ = here(*some, "--name", "again", "--json")
    found = json.loads(out)
    assert store.dataset(found["dataset"]).name == "again"
    assert (found["rows"], found["missing"], found["flagged"]) == (6, [5], {})
    assert store.dataset("again").info["n_usable"] == 6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Choose one sample: --ids FILE, --adql TEXT, or --candidates"),
        (["--adql", "SELECT 1", "--candidates"], "--candidates cannot be given with it"),
        (["pure"], "CUTS goes only with --candidates"),
        (["--candidates", "--cone", "1,2"], "is no circle on the sky"),
        (["--candidates"], "Give the dataset a name: --name NAME."),
        (["--candidates", "--name", "x", "--redshifts", "nowhere.csv"], "There is no file"),
        (["--candidates", "--name", "x", "--service", "eso"], "choose esa, aip, ari, a URL"),
    ],
)
def test_what_the_user_can_fix_is_one_sentence(here, arguments, sentence):
    code, out, err = here(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
