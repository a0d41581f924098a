"""The command fetch as a user meets it: stopped, killed, started twice; real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from redshift_core import cli, jobs
from tests.archive_galaxies import faults, ids_of, small_archive, write_ids
from tests.archive_standin import serving

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "redshift_core.cli", "fetch"]
KINDS = ("html", "short", "500", "truncated", "502", "cut off", "service error")


def start(archive, *arguments):
    return subprocess.Popen(
        [*COMMAND, "--service", archive.url, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def worker_of(store, n_jobs):
    """Process of the newest fetch, once it runs."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = store.jobs()
        if len(found) == n_jobs and (pid := jobs.status(found[0]).pid):
            return pid
        time.sleep(0.02)
    raise AssertionError("no worker began")


def at_every_second_call(kind, number):
    return KINDS[number // 2 % len(KINDS)] if kind == "data-server" and number % 2 else ""


def kept_ids(store):
    """Ids in the chunks that have come."""
    found = set()
    for path in store.cache.glob("archive-*/spectra-*.parquet"):
        found |= set(pq.read_table(path, columns=["source_id"])["source_id"].to_pylist())
    return found


def check_killed(store, tmp_path, n, chunk):
    """Fetch n sources with a fault at every second call; kill the worker twice in between."""
    ids = ids_of(n)
    path = write_ids(tmp_path / "ids.csv", [*ids, 5])
    arguments = ["--ids", path, "--name", "killed", "--chunk", chunk, "--wait", 0, "--json"]
    with serving(small_archive(n, faults=at_every_second_call)) as served:
        for number, share in enumerate((0.3, 0.6), 1):
            process = start(served, *arguments)
            pid = worker_of(store, number)
            while len(kept_ids(store)) < share * n:
                time.sleep(0.01)
            os.kill(pid, signal.SIGKILL)
            process.communicate(timeout=60)
            assert process.returncode == 1
            kept, n_asked = kept_ids(store), len(served.asked)
            assert share * n <= len(kept) < n
        process = start(served, *arguments)
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert not kept & {one for asked in served.asked[n_asked:] for one in asked}  # nothing twice
    result = json.loads(out)
    assert (result["rows"], result["missing"]) == (n, [5])
    table = pq.read_table(store.dataset(result["dataset"]).catalogue_path)
    assert Counter(table["source_id"].to_pylist()) == Counter(ids)


def test_a_fetch_that_is_killed_twice_has_every_source_once(store, tmp_path):
    check_killed(store, tmp_path, 600, 30)


@pytest.mark.study
def test_twelve_thousand_sources_with_faults_at_every_second_call(store, tmp_path):
    check_killed(store, tmp_path, 12_000, 200)


def test_a_fetch_that_runs_already_is_followed(store, tmp_path):
    slow = small_archive(6, faults=faults({0: "silent"}), silence=3.0)
    path = write_ids(tmp_path / "ids.csv", ids_of(6))
    with serving(slow):
        arguments = ["--ids", path, "--name", "once", "--wait", 0, "--json"]
        first = start(slow, *arguments)
        worker_of(store, 1)
        second = start(slow, *arguments)
        outs = [json.loads(one.communicate(timeout=60)[0]) for one in (first, second)]
    assert outs[0] == outs[1]
    assert len(store.jobs()) == 1


def test_ctrl_c_stops_a_fetch_and_the_same_command_goes_on(store, tmp_path):
    slow = small_archive(12, faults=faults({2: "silent"}), silence=30.0)
    path = write_ids(tmp_path / "ids.csv", ids_of(12))
    with serving(slow):
        arguments = ["--ids", path, "--name", "stopped", "--chunk", 3, "--json"]
        process = start(slow, *arguments)
        while slow.counts["data-server"] < 3:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, json.loads(out)["state"]) == (0, "stopped")
        assert "the same command goes on" in err
        process = start(slow, *arguments)
        assert json.loads(process.communicate(timeout=60)[0])["rows"] == 12
    assert sorted(one for asked in slow.asked for one in asked) == sorted(ids_of(12))


def run(*arguments):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, timeout=120
    )


@pytest.mark.usefixtures("store")
def test_a_count_shows_the_query_of_the_candidates_by_cuts_and_in_a_cone():
    with serving(small_archive(30)) as served:
        cone = [f"--cone={served.redshifts['ra2'][1]},{served.redshifts['dec2'][1]},0.001"]
        done = run("--service", served.url, "--candidates", "pure", *cone, "--count")
    assert done.returncode == 0, done.stderr
    first, *query = done.stdout.splitlines()
    assert first.startswith("1 source: 1 call to http://127.0.0.1")
    assert first.endswith("Nothing was fetched.")
    assert "c.classlabel_dsc_joint = 'galaxy'" in query[-1]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Choose one sample: --ids FILE, --adql TEXT, or --candidates"),
        (["--adql", "SELECT 1", "--candidates"], "Choose one sample"),
        (["pure"], "'pure' is a cut; it goes with --candidates."),
        (["--candidates", "--cone", "1,2"], "is no circle on the sky"),
        (["--candidates"], "Give the dataset a name: --name NAME."),
        (["--candidates", "--name", "x", "--redshifts", "nowhere.csv"], "There is no file"),
        (["--candidates", "--name", "x", "--service", "eso"], "choose esa, aip, ari, a URL"),
    ],
)
def test_what_the_user_can_fix_is_one_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["fetch", *arguments])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
