"""Folders: ids, names, atomic JSON, publishing and deleting."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from redshift_core.errors import InputError
from redshift_core.settings.run import RunConfig
from redshift_core.store import Store, atomic, publish, read_json, slug, write_json


def make_run(store, name):
    run = store.new_run(name)
    write_json(run.config_path, RunConfig().to_dict())
    return run


def test_ids_are_unique_and_sort_by_time(store):
    ids = [make_run(store, "Same name").id for _ in range(3)]
    assert len(set(ids)) == 3
    assert all("same-name" in one for one in ids)
    assert [run.id for run in store.runs()] == sorted(ids, reverse=True)


def test_a_dataset_is_invisible_until_published(store):
    staged = store.new_dataset("survey")
    write_json(staged.info_path, {"name": "half"})
    assert store.datasets() == store.damaged() == []
    final = publish(staged)
    assert [folder.id for folder, _ in store.damaged("datasets")] == [final.id]
    assert not staged.path.exists()


def test_a_folder_is_found_by_id_name_or_latest(store):
    first, second = make_run(store, "one"), make_run(store, "two")
    first.update_info(name="My first", note="kept")
    assert store.run(first.id) == first
    assert store.run("My first") == first
    assert store.run("latest") in (first, second)
    assert (first.name, first.note) == ("My first", "kept")
    second.update_info(name="My first")
    with pytest.raises(InputError, match="2 runs are called 'My first'; give the id"):
        store.run("My first")


def test_an_unknown_id_names_the_known_ones(store):
    with pytest.raises(InputError, match=r"No run '\.\./\.\.' here\. Newest runs: none"):
        store.run("../..")
    known = make_run(store, "known")
    with pytest.raises(InputError, match=known.id):
        store.run("nothing")
    for almost in ("Knwon", "KNOWN", known.id[:13]):
        with pytest.raises(InputError, match=r"here \(did you mean '.*known'\?\)\. Newest"):
            store.run(almost)


def test_delete_leaves_nothing(store):
    run = store.new_run("short-lived")
    run.history_path.write_text("epoch\n")
    run.delete()
    assert store.runs() == []
    assert list(run.path.parent.iterdir()) == []


def test_json_is_replaced_whole(tmp_path):
    path = tmp_path / "status.json"
    write_json(path, {"state": "running"})
    with pytest.raises(TypeError):
        write_json(path, {"state": object()})
    assert read_json(path) == {"state": "running"}
    assert read_json(tmp_path / "absent.json") == {}


def test_a_slug_is_safe_in_a_path():
    assert slug("../../etc/passwd; rm -rf *") == "etc-passwd-rm-rf"
    assert slug("σ") == "unnamed"


def test_the_store_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("REDSHIFT_LAB_HOME", str(tmp_path / "elsewhere"))
    assert Store().inbox == tmp_path / "elsewhere" / "inbox"
    assert Store().inbox.is_dir()


def _write_many(path, number):
    for count in range(100):
        write_json(path, {"writer": number, "count": count, "filling": "x" * 5_000})


def test_a_file_that_many_write_at_once_is_always_whole(tmp_path):
    """Threads share their process id: names by that alone lost files and failed."""
    path = tmp_path / "status.json"
    write_json(path, {})
    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(_write_many, path, number) for number in range(8)]
        while not all(writer.done() for writer in writers):
            assert read_json(path).get("count", 0) >= 0
        for writer in writers:
            writer.result()
    assert [one.name for one in tmp_path.iterdir()] == ["status.json"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(TypeError), atomic(path) as part:
        part.write_bytes("text")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["table.csv"]


def test_no_update_of_the_information_is_lost(store):
    run = store.new_run("one")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: run.update_info(**{f"key{number}": number}), range(64)))
    assert len(run.info) == 64
