"""A run as a ZIP file that another store takes in, and only what such a file may hold.

    redshift-lab-run.json                  format, id, name, note, SHA-256 of every other file
    config.json environment.json result.json history.csv split.npz scaler.npz coverage.npz
    prior.npz seen.npz model.keras model.onnx evaluations/<dataset>/…    as in the run folder

No checkpoint, no log, no path of the computer it was made on. What comes in is unpacked under a
hidden name, checked, and shown only when it is whole; the model is never loaded here. Runs packed
before November 26, 2026 have no ``model.onnx`` and no ``seen.npz``; `prediction.reader` looks
whether the former can be used.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

from redshift_core.errors import JUDGE_AGAIN, DamagedError, InputError
from redshift_core.reference.real_galaxies import RealAnswers
from redshift_core.store import (
    RunFolder,
    Store,
    atomic,
    damage,
    file_digest,
    read_json,
    read_only,
    reading,
    slug,
    write_json,
)
from redshift_core.store.arrays import load_arrays, read_table
from redshift_core.store.tables import check_out
from redshift_core.store.zips import is_added

FORMAT = 1
MANIFEST = "redshift-lab-run.json"
NAMES = (
    "config.json", "environment.json", "result.json", "history.csv", "split.npz", "scaler.npz",
    "coverage.npz", "prior.npz", "seen.npz", "model.keras", "model.onnx",
)  # fmt: skip
NEEDED = ("config.json", "model.keras", "scaler.npz", "coverage.npz")
_EVALUATION = re.compile(
    r"evaluations/[A-Za-z0-9][A-Za-z0-9-]{0,99}/"
    r"((metrics|stress|real_galaxies)\.json|predictions\.parquet|pdf\.npy)"
)
_ID = re.compile(r"\d{8}-\d{6}-[a-z0-9-]{1,60}")
MAX_FILES = 200
MAX_TEXT = 5_000_000  # bytes of one JSON or CSV file
MAX_BYTES = 2_000_000_000  # of all files unpacked
PIECE = 1 << 20
_DAMAGED = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RecursionError,
)


def export_run(run: RunFolder, out: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """Pack a run that is not at work, as ``.zip``; the path written, whole or not at all."""
    out = check_out(out, suffixes=(".zip",))
    if not run.model_path.exists():
        raise InputError(
            f"Run {run.id} has no model to share; let it train to the end of an epoch."
        )
    check_run(run)
    state = read_json(run.status_path).get("state")
    paths = [run.path / name for name in NAMES]
    evaluations = run.evaluations()
    stamps = [one.stamp for one in evaluations]
    paths += sorted(path for one in evaluations for path in one.path.glob("*"))
    names = {path.relative_to(run.path).as_posix(): path for path in paths if path.is_file()}
    names = {name: path for name, path in names.items() if _known(name)}
    manifest = {
        "format": FORMAT, "run": run.id, "name": run.name, "note": run.note, "state": state,
        "files": {name: file_digest(path) for name, path in names.items()},
    }  # fmt: skip
    with atomic(out) as part, zipfile.ZipFile(part, "w", compression) as archive:
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False))
        for name, path in names.items():
            archive.write(path, name)
        if [one.stamp for one in evaluations] != stamps:
            raise InputError(f"Run {run.id} was evaluated while it was packed; export it again.")
    return out


def import_run(store: Store, path: Path) -> tuple[RunFolder, bool]:
    """Take in a run that `export_run` packed.

    Returns
    -------
    run : RunFolder
        The new run, or the one with the same id and model that is here already.
    existing : bool
        Whether it was here already; nothing is ever overwritten.

    Raises
    ------
    InputError
        Where the file is not such a ZIP, is damaged, or holds anything else; nothing is left.
    """
    read_only.refuse_writing()
    (store.root / "runs").mkdir(parents=True, exist_ok=True)
    staged = store.root / "runs" / f".import-{os.getpid()}-{time.time_ns()}"
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _unpack(archive, staged)
        check_run(RunFolder(staged))
        if (known := _same(store, manifest)) is not None:
            return known, True
        return _place(store, staged, manifest), False
    except _DAMAGED as error:
        raise InputError(f"{path.name} is not a readable ZIP file: {error}.") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # of a place before the begin of the file
            raise
        raise InputError(f"{path.name} is not a readable ZIP file: it is damaged.") from error
    except InputError as error:
        raise InputError(f"{path.name} was not imported: {_inside(error, staged)}") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _inside(error: InputError, staged: Path) -> str:
    """The sentence with the name that a file has in the archive, in place of its path here."""
    return str(error).replace(f"{staged}/", "")


def _known(name: str) -> bool:
    return name in NAMES or _EVALUATION.fullmatch(name) is not None


def _unpack(archive: zipfile.ZipFile, folder: Path) -> dict[str, Any]:
    """Write the files of an archive that all have known names, bounded sizes and right digests."""
    by_name = _members(archive)
    manifest = _manifest(_text(archive, by_name.pop(MANIFEST)))
    for name, info in by_name.items():
        is_link = stat.S_ISLNK(info.external_attr >> 16)
        if not _known(name) or is_link:
            raise InputError(f"it holds {name!r}, which no packed run has.")
    if missing := [n for n in (*NEEDED, *manifest["files"]) if n not in by_name]:
        raise InputError(f"{missing[0]} is missing from it; pack the run again.")
    left = MAX_BYTES
    for name, info in by_name.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        limit = min(left, MAX_TEXT if name.endswith((".json", ".csv")) else left)
        digest, size = _copy(archive, info, target, limit)
        left -= size
        if digest != manifest["files"].get(name):
            raise InputError(f"{name} in it is damaged; pack the run again.")
    return manifest


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Files of an archive by their names in the run's folder.

    Where the run was unpacked and packed again, by Finder, Explorer or ``zip -r``, its files may
    stand in a folder, beside what these programs add of their own.
    """
    infos = [info for info in archive.infolist() if not is_added(info)]
    if len(infos) > MAX_FILES:
        raise InputError(f"it holds {len(infos):,} files; a run has at most {MAX_FILES}.")
    if any(info.flag_bits & 1 for info in infos):
        raise InputError("it is protected by a password; pack it again without one.")
    names = [info.filename.replace("\\", "/") for info in infos]
    above = [name.removesuffix(MANIFEST) for name in names if name.split("/")[-1] == MANIFEST]
    if len(above) != 1 or len(set(names)) != len(names):
        raise InputError(
            f"it was not packed by Redshift Lab ({MANIFEST} is not in it, or is in it twice)."
        )
    return {name.removeprefix(above[0]): one for name, one in zip(names, infos, strict=True)}


def _copy(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, limit: int
) -> tuple[str, int]:
    """Digest and size of one file written; the size is counted, not believed."""
    digest, size = hashlib.sha256(), 0
    with archive.open(info) as source, target.open("xb") as file:
        while piece := source.read(PIECE):
            size += len(piece)
            if size > limit:
                raise InputError(f"{info.filename} in it is larger than a run's can be.")
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest(), size


def _text(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    with archive.open(info) as file:
        content = file.read(MAX_TEXT + 1)
    if len(content) > MAX_TEXT:
        raise InputError(f"{info.filename} in it is larger than a run's can be.")
    return content.decode("utf-8", "replace")


def _manifest(text: str) -> dict[str, Any]:
    try:
        manifest = json.loads(text)
        good = _ID.fullmatch(manifest["run"]) and isinstance(manifest["files"], dict)
        texts = all(isinstance(manifest[key], str) for key in ("name", "note"))
        version = int(manifest["format"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        good = texts = False
        version = FORMAT
    if version > FORMAT:
        raise InputError("it was packed by a newer Redshift Lab; update this one.")
    if not (good and texts):
        raise InputError(f"its {MANIFEST} cannot be read; pack the run again.")
    return {**manifest, "name": manifest["name"][:100], "note": manifest["note"][:2000]}


def check_run(run: RunFolder) -> None:
    """Refuse a run with a file that a page or the worker could not read later."""
    if why := damage(run):
        raise DamagedError(why)
    for path in sorted(run.path.glob("*.npz")):
        with reading(path), zipfile.ZipFile(path) as arrays:
            if sum(info.file_size for info in arrays.infolist()) > MAX_BYTES:
                raise InputError(f"{path.name} is too large.")
        load_arrays(path)
    for folder in run.evaluations():
        _ = folder.metrics, folder.stress
        if (path := folder.predictions_path).exists():
            read_table(path, ["z_spec", "z_phot"])
        if (path := folder.real_galaxies_path).exists():
            with reading(path, JUDGE_AGAIN):
                RealAnswers.from_dict(read_json(path))
    if not zipfile.is_zipfile(run.model_path):
        raise DamagedError.of(run.model_path, "it is no Keras model")


def _same(store: Store, manifest: dict[str, Any]) -> RunFolder | None:
    """The same run where it is here already, under its own id or imported before."""
    wanted = manifest["files"]["model.keras"]
    for run in store.runs():
        ids = (run.id, run.info.get("imported", {}).get("run"))
        here = manifest["run"] in ids and run.model_path.exists()
        if here and file_digest(run.model_path) == wanted:
            return run
    return None


def _place(store: Store, staged: Path, manifest: dict[str, Any]) -> RunFolder:
    """Show the unpacked run under its own id, or a new one where that is taken."""
    name, note = manifest["name"] or slug(manifest["run"]), manifest["note"]
    origin = {"run": manifest["run"], "at": time.time()}
    write_json(staged / "meta.json", {"name": name, "note": note, "imported": origin})
    state = "finished" if manifest.get("state") == "finished" else "stopped"
    message = "Imported from a ZIP; its checkpoint was not in it, so it cannot go on."
    write_json(staged / "status.json", {"state": state, "kind": "train", "message": message})
    for attempt in range(1, 1000):
        final = staged.with_name(manifest["run"] + (f"-{attempt}" if attempt > 1 else ""))
        try:
            if not final.exists():
                os.rename(staged, final)  # fails where a folder with files came in between
                return RunFolder(final)
        except OSError:
            continue
    raise InputError(f"more than 1,000 runs are called {manifest['run']} here; delete some.")
