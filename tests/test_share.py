"""A run as a ZIP: it arrives whole in another store, and nothing else ever gets in."""

import hashlib
import io
import json
import stat
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from redshift_core import jobs
from redshift_core.data.split import Split
from redshift_core.errors import InputError
from redshift_core.settings.presets import preset
from redshift_core.store import Store, read_json, write_json
from redshift_core.store import archive as share
from redshift_core.store.archive import MANIFEST, export_run, import_run
from redshift_core.store.arrays import save_arrays
from tests.pages.made_up import make_dataset, make_run, stress_lines

DATASET = SimpleNamespace(id="20260101-000000-made-up")  # of a run its id is enough


@pytest.fixture
def run(store):
    made = make_run(store, DATASET, name="shared *run*", evaluated=True)
    made.update_info(note="what I learned")
    Split(*(np.arange(n) for n in (3, 2, 1))).save(made.split_path)
    save_arrays(made.scaler_path, {"low": np.zeros(186)})
    save_arrays(made.coverage_path, {"edges": np.zeros(3)})
    with zipfile.ZipFile(made.model_path, "w") as model:
        model.writestr("config.json", "{}")
    made.onnx_path.write_bytes(b"the same model")
    write_json(made.stress_path(DATASET.id), {"lines": stress_lines(), "n_rows": 100})
    write_json(made.environment_path, {"dataset": {"id": DATASET.id, "simulated": True}})
    made.checkpoint_path.mkdir()
    (made.checkpoint_path / "weights.npz").write_bytes(b"large")
    return made


@pytest.fixture
def packed(run, tmp_path):
    return export_run(run, tmp_path / "run.zip")


@pytest.fixture
def other(tmp_path):
    return Store(tmp_path / "elsewhere")


def rewritten(packed, **changes):
    """The ZIP with files replaced, added or (None) left out, and a manifest that fits them."""
    with zipfile.ZipFile(packed) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop(MANIFEST)) | changes.pop("manifest", {})
    files |= changes.get("files", {})
    files = {name: content for name, content in files.items() if content is not None}
    manifest["files"] = {n: hashlib.sha256(c).hexdigest() for n, c in files.items()}
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(MANIFEST, json.dumps(manifest))
        for name, content in files.items():
            archive.writestr(name, content)
    return packed


def test_a_run_arrives_in_another_store_as_it_was(run, packed, other):
    arrived, existing = import_run(other, packed)
    assert (arrived.id, arrived.name, arrived.note) == (run.id, run.name, run.note)
    assert arrived.config == run.config
    assert arrived.evaluated() == run.evaluated()
    kept = (run.model_path, run.onnx_path, run.history_path, run.split_path, run.scaler_path)
    for path in kept:
        assert (arrived.path / path.name).read_bytes() == path.read_bytes()
    stressed = (one.stress_path(DATASET.id).read_bytes() for one in (run, arrived))
    assert len(set(stressed)) == 1
    assert jobs.status(arrived).state == "finished"
    assert arrived.trained_on["simulated"]
    assert not existing


def test_a_run_packed_before_there_was_an_onnx_file_arrives_too(packed, other):
    arrived, _ = import_run(other, rewritten(packed, files={"model.onnx": None}))
    assert arrived.model_path.exists()
    assert not arrived.onnx_path.exists()


def test_no_checkpoint_log_or_path_of_this_computer_is_in_the_zip(run, packed, store):
    with zipfile.ZipFile(packed) as archive:
        names = archive.namelist()
        content = b"".join(archive.read(name) for name in names)
    assert not [n for n in names if "checkpoint" in n or n in ("log.txt", "status.json")]
    assert str(store.root).encode() not in content
    assert run.log_path.exists()


def test_the_same_run_again_is_said_to_be_here(run, packed, store, other):
    assert import_run(store, packed) == (run, True)
    first = import_run(other, packed)[0]
    assert import_run(other, packed) == (first, True)
    assert len(other.runs()) == 1


def test_another_run_of_the_same_id_gets_a_new_one_and_overwrites_nothing(run, packed, store):
    before = run.model_path.read_bytes()
    with zipfile.ZipFile(run.model_path, "w") as model:
        model.writestr("config.json", "trained further")
    changed = run.model_path.read_bytes()
    arrived, existing = import_run(store, packed)
    assert (arrived.id, existing) == (f"{run.id}-2", False)
    assert run.model_path.read_bytes() == changed
    assert arrived.model_path.read_bytes() == before
    assert import_run(store, packed) == (arrived, True)


def test_an_imported_run_cannot_go_on_since_its_checkpoint_stayed_behind(run, store, tmp_path):
    config = preset("fast", make_dataset(store).id)
    write_json(run.config_path, config.to_dict())
    packed = export_run(run, tmp_path / "run.zip")
    run.delete()
    arrived, _ = import_run(store, packed)
    with pytest.raises(InputError, match="imported without its checkpoint"):
        jobs.resume(arrived, 30)
    assert arrived.model_path.exists()
    assert arrived.config == config


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json", "/tmp/evil.json", "..\\evil.json", "evaluations/../../evil/metrics.json",
        "evaluations/d/evil.py", "checkpoint/state.npz", "status.json", "meta.json", "STOP",
        "evaluations/.hidden/metrics.json", "model.keras/", "C:/evil.json",
    ],
)  # fmt: skip
def test_a_name_that_no_run_has_is_refused_and_nothing_is_left(packed, other, tmp_path, name):
    rewritten(packed, files={name: b"{}"})
    with pytest.raises(InputError, match="which no packed run has"):
        import_run(other, packed)
    assert list((other.root / "runs").iterdir()) == []
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize(
    ("place", "number", "sentence"),
    [(8, 1, "protected by a password"), (20, 10**6, "not a readable ZIP file")],
)
def test_a_password_and_a_length_beyond_the_end_are_one_sentence(
    packed, other, place, number, sentence
):
    content = bytearray(packed.read_bytes())
    at = content.index(b"PK\x01\x02")  # what the directory says of the manifest, which is first
    content[at + 10 : at + 12] = bytes(2)  # not compressed
    for first in (place, place + 4)[: 1 + (place > 8)]:  # flags, or both lengths
        width = 2 if place == 8 else 4
        content[at + first : at + first + width] = number.to_bytes(width, "little")
    packed.write_bytes(content)
    with pytest.raises(InputError, match=sentence) as said:
        import_run(other, packed)
    assert "\n" not in str(said.value)
    assert list((other.root / "runs").iterdir()) == []


def test_a_link_in_the_zip_is_refused(packed, other):
    with zipfile.ZipFile(packed, "a") as archive:
        link = zipfile.ZipInfo("evaluations/d/pdf.npy")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="which no packed run has"):
        import_run(other, packed)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"files": {"model.keras": None}}, "model.keras is missing"),
        ({"files": {"coverage.npz": None}}, "coverage.npz is missing"),
        ({"files": {"config.json": b"{not json"}}, "config.json is damaged"),
        ({"files": {"config.json": b'{"colour": 1}'}}, "Unknown setting 'colour'"),
        ({"files": {"environment.json": b"[1]"}}, "not hold a table of values"),
        ({"files": {"scaler.npz": b"no arrays"}}, "scaler.npz is damaged"),
        ({"files": {"model.keras": b"no zip"}}, "no Keras model"),
        ({"files": {"evaluations/d/metrics.json": b'{"bins": [{"n": "1"}]}'}}, "has no n"),
        (
            {"files": {"evaluations/d/stress.json": b'{"lines": [{"name": "none"}]}'}},
            "has no n_rows",
        ),
        ({"files": {"evaluations/d/stress.json": b'{"n_rows": 1, "lines": []}'}}, "has no lines"),
        (
            {"files": {"evaluations/d/predictions.parquet": b"PAR1"}},
            "predictions.parquet is damaged",
        ),
        ({"manifest": {"run": "../../etc"}}, "cannot be read"),
        ({"manifest": {"name": 7}}, "cannot be read"),
        ({"manifest": {"format": 99}}, "newer Redshift Lab"),
    ],
)
def test_a_zip_that_cannot_be_used_says_why_in_one_sentence(packed, other, changes, sentence):
    rewritten(packed, **changes)
    with pytest.raises(InputError, match=sentence) as told:
        import_run(other, packed)
    assert str(told.value).startswith("run.zip was not imported: ")
    assert list((other.root / "runs").iterdir()) == []


def test_arrays_that_would_run_code_are_refused(packed, other, tmp_path):
    np.savez(tmp_path / "evil.npz", evil=np.array([print], dtype=object))
    rewritten(packed, files={"scaler.npz": (tmp_path / "evil.npz").read_bytes()})
    with pytest.raises(InputError, match=r"scaler\.npz is damaged"):
        import_run(other, packed)


def test_a_damaged_file_is_named(packed, other):
    with zipfile.ZipFile(packed) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content + b"\n" if name == "history.csv" else content)
    with pytest.raises(InputError, match=r"history\.csv in it is damaged"):
        import_run(other, packed)


def test_a_file_that_unpacks_larger_than_allowed_stops_there(packed, other, monkeypatch):
    monkeypatch.setattr(share, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="larger than a run's can be"):
        import_run(other, packed)
    assert list((other.root / "runs").iterdir()) == []


def test_what_is_no_zip_and_what_is_another_zip_are_told_apart(other, tmp_path):
    letter = tmp_path / "letter.zip"
    letter.write_text("Dear sir")
    with pytest.raises(InputError, match=r"letter\.zip is not a readable ZIP"):
        import_run(other, letter)
    with zipfile.ZipFile(letter, "w") as archive:
        archive.writestr("holiday.jpg", b"x")
    with pytest.raises(InputError, match="was not packed by Redshift Lab"):
        import_run(other, letter)


def test_a_run_without_a_model_is_not_packed(store, tmp_path):
    with pytest.raises(InputError, match="no model to share"):
        export_run(make_run(store, DATASET, "failed"), tmp_path / "run.zip")
    assert list(tmp_path.glob("*.zip")) == []


def test_a_run_that_did_not_finish_arrives_as_stopped(run, other, tmp_path):
    write_json(run.status_path, read_json(run.status_path) | {"state": "lost"})
    arrived, _ = import_run(other, export_run(run, tmp_path / "run.zip"))
    assert jobs.status(arrived).state == "stopped"


def test_the_manifest_names_every_file_with_its_digest(packed):
    with zipfile.ZipFile(packed) as archive:
        manifest = json.loads(archive.read(MANIFEST))
        assert set(manifest["files"]) == set(archive.namelist()) - {MANIFEST}
        for name, digest in manifest["files"].items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest


def test_an_imported_run_remembers_where_it_came_from(run, packed, other):
    arrived, _ = import_run(other, packed)
    assert read_json(arrived.info_path)["imported"]["run"] == run.id


@pytest.mark.parametrize(
    ("folder", "added"),
    [
        ("run/", {"run/": b"", "run/.DS_Store": b"x", "__MACOSX/run/._config.json": b"x"}),
        ("my run/", {}),
        ("", {".DS_Store": b"x", "evaluations/": b""}),
        ("run\\", {"run\\Thumbs.db": b"x"}),
    ],
    ids=["Finder", "Explorer", "zip -r", "old Explorer"],
)
def test_a_run_packed_again_by_another_program_arrives(run, packed, other, folder, added):
    with zipfile.ZipFile(packed) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**{folder + n: c for n, c in files.items()}, **added}.items():
            archive.writestr(name.replace("/", "\\") if "\\" in folder else name, content)
    arrived, existing = import_run(other, packed)
    assert (arrived.id, existing) == (run.id, False)
    assert arrived.model_path.read_bytes() == run.model_path.read_bytes()
    assert arrived.evaluated() == run.evaluated()


def test_files_beside_the_folder_of_a_packed_run_are_refused(packed, other):
    with zipfile.ZipFile(packed) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in {**{f"run/{n}": c for n, c in files.items()}, "a.py": b"x"}.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=r"holds 'a\.py', which no packed run has"):
        import_run(other, packed)
    assert other.runs() == []


def test_an_array_that_claims_a_trillion_numbers_is_refused(packed, other, tmp_path):
    path, header = tmp_path / "scaler.npz", io.BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(header, about)
    with zipfile.ZipFile(path, "w") as arrays:
        arrays.writestr("low.npy", header.getvalue() + bytes(800))
    with pytest.raises(InputError, match=r"scaler\.npz is damaged"):
        import_run(other, rewritten(packed, files={"scaler.npz": path.read_bytes()}))
    assert other.runs() == []
