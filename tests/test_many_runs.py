"""A store of many runs: a list opens each file once, and again only when it has changed."""

from __future__ import annotations

import builtins
import collections
import concurrent.futures
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from redshift_core import cli
from redshift_core.jobs import status
from redshift_core.settings.presets import preset
from redshift_core.store import RunFolder, Store, kept_lines, remembered, write_json
from redshift_core.store import store as store_module
from scripts.soak.copies import copy_runs

N = 200


@pytest.fixture
def opened(store: Store, monkeypatch) -> Callable[[], list[int]]:
    """How often each file of the store was opened since the last look, locks apart."""
    found: collections.Counter[str] = collections.Counter()

    def noting(path, *more, **options):
        found[os.fspath(path)] += str(path).startswith(str(store.root))
        return plain(path, *more, **options)

    def look() -> list[int]:
        times = [n for n in found.values() if n]
        found.clear()
        return times

    plain = io.open
    monkeypatch.setattr(io, "open", noting)
    monkeypatch.setattr(builtins, "open", noting)
    return look


@pytest.fixture
def runs(store: Store) -> list[RunFolder]:
    """Runs that ended long ago, evaluated on their dataset."""
    first = store.new_run("first")
    write_json(first.config_path, preset("fast", "survey").to_dict())
    write_json(first.status_path, {"state": "finished", "kind": "train"})
    write_json(first.result_path, {"val_mae": 0.031, "epochs": 20})
    write_json(first.request_path, {"kind": "train"})
    write_json(first.environment_path, {"dataset": {"id": "survey", "simulated": True}})
    first.history_path.write_text("epoch,loss\n1,0.5\n")
    path = first.path / "evaluations" / "survey" / "metrics.json"
    path.parent.mkdir(parents=True)
    write_json(path, {"mae": 0.025, "intervals": {"mae": [0.02, 0.03]}, "n": 9, "bins": []})
    copies = copy_runs(store, first, N)
    first.delete()
    for path in store.root.rglob("*"):
        age(path)
    return sorted(copies, key=lambda run: run.id, reverse=True)


def age(path: Path) -> None:
    """Let a file have been changed an hour ago."""
    then = time.time() - 3600
    os.utime(path, (then, then))


def listed(capsys) -> list[dict]:
    with pytest.raises(SystemExit):
        cli.main(["runs", "--json"])
    return json.loads(capsys.readouterr().out)


def test_a_list_of_runs_opens_each_file_once_per_change(store, runs, opened, capsys):
    opened()
    lines = listed(capsys)
    assert [line["id"] for line in lines] == [run.id for run in runs]
    assert {(line["state"], line["val_mae"], line["test_mae"]) for line in lines} == {
        ("finished", 0.031, 0.025)
    }
    found = opened()
    assert set(found) == {1}
    assert len(found) == 8 * N  # seven files of a run and its metrics
    assert listed(capsys) == lines
    assert [status(run).state for run in store.runs()] == ["finished"] * N
    assert opened() == []
    run = runs[7]
    run.update_info(name="another")
    age(run.info_path)
    lines[7]["name"] = "another"
    assert listed(capsys) == lines
    assert opened() == [1, 1]  # once to change it, once to list it


@pytest.fixture
def settled(monkeypatch):
    """Take a change as over at once; `age` cannot change when the facts of a file changed."""
    monkeypatch.setattr(kept_lines, "SETTLED", 0)


def test_the_next_process_opens_only_what_changed(store, runs, settled, opened, capsys):
    lines = listed(capsys)
    changed, judged, broken = runs[3], runs[5], runs[9]
    remembered._known.clear()  # as in a process of its own
    opened()
    assert listed(capsys) == lines
    assert opened() == [1]  # the kept lines
    changed.update_info(name="another")
    write_json(judged.evaluation("survey").metrics_path, {"mae": 0.5, "bins": []})
    broken.config_path.write_text("{")
    runs[11].delete()
    remembered._known.clear()
    lines[3]["name"], lines[5]["test_mae"] = "another", 0.5
    wanted = [line for n, line in enumerate(lines) if n not in (9, 11)]
    found = listed(capsys)
    assert found[:-1] == wanted
    assert (found[-1]["id"], found[-1]["state"]) == (broken.id, "damaged")


@pytest.mark.parametrize(
    "content", ["", "[]", '{"version": 0}', '{"version": 1, "runs": {"a": 5}}', "read only"]
)
def test_lines_that_cannot_be_kept_or_used_are_made_anew(
    store, runs, settled, capsys, monkeypatch, content
):
    kept = store.cache / "runs.json"
    kept.write_text(content)
    monkeypatch.setenv("REDSHIFT_LAB_READ_ONLY", str(int(content == "read only")))
    assert [line["id"] for line in listed(capsys)] == [run.id for run in runs]
    assert (kept.read_text() == content) == (content == "read only")
    runs[0].status_path.write_text('{"state": "running", "kind": "train", "pid": 1073741824}')
    assert listed(capsys)[0]["state"] == "lost"
    assert runs[0].id not in kept.read_text() or content == "read only"


def test_within_one_look_each_folder_is_looked_at_once_and_new_ones_are_seen(
    store, runs, monkeypatch
):
    looked: collections.Counter[str] = collections.Counter()

    def noting(folder):
        looked[folder.id] += 1
        return ""

    monkeypatch.setattr(store_module, "damage", noting)
    with store_module.one_look():
        assert [run.id for run in store.runs()] == [run.id for run in Store().runs()]
        store.runs().clear()
        assert set(looked.values()) == {1}
        runs[0].delete()
        new = store.new_run("new")
        assert {run.id for run in store.runs()} == {new.id, *(run.id for run in runs[1:])}
    before = looked.total()
    store.runs()
    assert looked.total() == before + N


def test_a_change_shows_whatever_the_time_of_the_file_says(store, runs):
    run = runs[0]
    assert run.result["val_mae"] == 0.031
    write_json(run.result_path, {"val_mae": 0.032, "epochs": 20})
    age(run.result_path)  # same size, same time
    assert run.result["val_mae"] == 0.032
    run.result_path.write_text(run.result_path.read_text().replace("0.032", "0.033"))
    age(run.result_path)  # the same file, too
    assert run.result["val_mae"] == 0.033
    run.result_path.write_text("[]")
    assert [folder.id for folder, _ in store.damaged("runs")] == [run.id]
    run.result_path.unlink()
    assert (run.result, store.damaged("runs")) == ({}, [])


def test_what_was_read_is_not_changed_by_who_got_it(store, runs):
    run = runs[0]
    run.result.clear()
    run.info.pop("name")
    assert (run.result["epochs"], run.info["name"]) == (20, run.name)


def test_a_file_that_has_just_changed_is_read_again(runs):
    """Its next change may come within the same tick of the clock, and keep its size."""
    path = runs[0].result_path
    write_json(path, {"epochs": 21})
    seen = []

    def read(path):
        seen.append(path)

    for _ in range(2):
        remembered.remembered(read, path)
    assert len(seen) == 2
    age(path)
    for _ in range(2):
        remembered.remembered(read, path)
    assert len(seen) == 3


def test_no_more_is_remembered_than_the_limit(store, runs, monkeypatch):
    monkeypatch.setattr(remembered, "_MOST", 10)
    monkeypatch.setattr(remembered, "_known", {})
    assert len(store.runs()) == N
    assert 0 < len(remembered._known) <= 10


def test_a_lock_leaves_no_file_behind_and_lets_only_one_in(store, runs):
    """Its file goes with it, and who waits for it makes the next."""
    run = runs[0]

    def add(_: int) -> None:
        with run.lock():
            n = run.info.get("n", 0)
            time.sleep(0.001)
            write_json(run.info_path, {**run.info, "n": n + 1})

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(40)))
    assert run.info["n"] == 40
    assert list(store.locks.iterdir()) == []
