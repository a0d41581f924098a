"""Files written whole or not at all, JSON, names for folders, and where the store is."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from redshift_core.errors import RESTORE, DamagedError, InputError
from redshift_core.store import faults, read_only
from redshift_core.store.processes import exists

PACKAGE = Path(__file__).parents[1]
CHECKOUT = PACKAGE.parent
_HOST = f"{zlib.crc32(platform.node().encode()):08x}"  # in names: whose process numbers they hold
_UNPACKED = "redshift-lab"  # ends the names of folders for what is put aside for a while


# What the libraries that read JSON, NumPy, Parquet and Keras files raise at a damaged one.
_AT_DAMAGE = (
    OSError, ValueError, KeyError, IndexError, TypeError, EOFError, NotImplementedError,
    RecursionError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read_json(path: Path, kind: type = dict, remedy: str = RESTORE) -> Any:
    """Content of a JSON file; empty where there is none.

    Parameters
    ----------
    kind : type
        What it must hold: dict, or list for a list of dicts.
    remedy : str
        What can be done where it is damaged, in a sentence.

    Raises
    ------
    DamagedError
        Where it is no JSON, or holds something else.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            value = json.loads(file.read().decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return kind()
    except _AT_DAMAGE as error:
        raise DamagedError.of(path, _reason(path, error), remedy) from error
    lines = value if isinstance(value, list) else []
    if not isinstance(value, kind) or not all(isinstance(line, dict) for line in lines):
        wanted = "a list of tables of values" if kind is list else "a table of values"
        raise DamagedError.of(path, f"it does not hold {wanted}", remedy)
    return value


@contextlib.contextmanager
def reading(path: Path, remedy: str = RESTORE) -> Iterator[None]:
    """Around what reads one file of the store: whatever a library says of it is one sentence.

    Raises
    ------
    DamagedError
        In place of the library's error; an InputError goes through as it is, and so does an
        error for want of memory.
    """
    try:
        yield
    except _AT_DAMAGE as error:
        if isinstance(error, InputError):
            raise
        if isinstance(error, PermissionError):
            raise DamagedError(faults.denied(path)) from error
        if getattr(error, "errno", None) == errno.ENOMEM:  # no fault of the file
            raise
        raise DamagedError.of(path, _reason(path, error), remedy) from error


def _reason(path: Path, error: Exception) -> str:
    """What is wrong with a file that could not be read, as a clause."""
    if not path.exists():
        return "it is missing"
    if path.is_file() and not path.stat().st_size:
        return "it is empty"
    detail = "" if path.suffix in (".npy", ".npz") else " ".join(str(error).split())[:200]
    return "it is cut off or holds something else" + (f" ({detail})" if detail else "")


def write_json(path: Path, value: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write a JSON file whole or not at all; the bytes of a path that are no UTF-8 stay."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    if not is_text(text):
        text = json.dumps(value, indent=1)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    r"""Write a text file, UTF-8, whole or not at all.

    What a file's name holds and UTF-8 cannot is written as ``\udcff``, which JSON reads back.
    """
    content = text.encode("utf-8", "backslashreplace")
    with atomic(path, len(content)) as part:
        part.write_bytes(content)


def part_of(path: Path) -> Path:
    """A hidden name beside a file that no other thread, process or machine chooses."""
    return path.with_name(f".tmp-{os.getpid()}-{_HOST}{secrets.token_hex(4)}-{path.name}")


def unpacked_folder() -> Path:
    """A new name in the system's folder for passing files; `clear_unpacked` removes left ones."""
    return part_of(Path(tempfile.gettempdir()) / _UNPACKED)


@contextlib.contextmanager
def own_passing_folder() -> Iterator[None]:
    """Let what this process puts aside for a while go when it ends.

    TensorFlow compiles functions from files there, and leaves one of each training's.
    """
    folder, before = unpacked_folder(), tempfile.tempdir
    with contextlib.suppress(OSError):  # of a full disk, or one that is not to be written to
        folder.mkdir(0o700)
        tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def clear_unpacked() -> None:
    """Remove what processes of this machine had put aside for a while when they were killed."""
    clear_left(Path(tempfile.gettempdir()), _UNPACKED)


def clear_left(folder: Path, name: str = "*") -> None:
    """Remove what processes of this machine had begun to write in a folder when they were killed.

    Parameters
    ----------
    name : str
        Of the file that it should have become; of any, if not given.
    """
    known = name if name == "*" else glob.escape(name)
    for part in folder.glob(f".tmp-*-{_HOST}????????-{known}"):
        pid = part.name.split("-")[1]
        if not (pid.isdecimal() and exists(int(pid))):
            with contextlib.suppress(OSError):
                shutil.rmtree(part) if part.is_dir() else part.unlink()


@contextlib.contextmanager
def atomic(path: Path, needed: int = 0) -> Iterator[Path]:
    """A new name to write to; the file gets its own when the block ends, and none on an error.

    Of several that write one file at a time, in threads or processes, the last to end wins;
    whoever reads sees one of them whole.

    Parameters
    ----------
    needed : int
        Bytes of the file, where they are known; said where the disk has no room for them.

    Raises
    ------
    FullDiskError
        Where the disk is full.
    """
    if path.is_relative_to(store_root()):
        read_only.refuse_writing()
    part = part_of(path)
    try:
        with faults.writing(path, part, needed=needed):
            yield part
            os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def lock_of(folder: Path) -> Iterator[None]:
    """What one thread or process holds while it reads and rewrites files of a store's folder.

    Its file goes while it is still held: who waits for it sees that, and makes it anew.
    """
    locks = folder.parent.parent / "locks"
    with faults.writing(locks):
        locks.mkdir(exist_ok=True)
    if not faults.may(locks, os.W_OK):
        raise InputError(faults.denied(locks))
    path = locks / f"{folder.parent.name}-{folder.name}.lock"
    with filelock.FileLock(path):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # where the system keeps files that are open
                path.unlink()


def slug(text: str, default: str = "unnamed") -> str:
    """Lower-case letters, digits and dashes of a name, at most 40, safe in a path and a URL."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-") or default


def readable(text: str) -> str:
    r"""Text that fits on a line of any screen: no control signs, no bytes that are no text.

    Examples
    --------
    >>> readable("two\nlines \udcff") == "two lines \ufffd"
    True
    """
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", decoded(text)).split())


def decoded(text: str) -> str:
    r"""Text whose bytes Python could not decode, in a locale without UTF-8 or of no UTF-8 at all.

    Examples
    --------
    >>> decoded("g\udcc3\udca9") == "gé", decoded("\udcff") == "\ufffd"
    (True, True)
    """
    try:
        found = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        found = text.encode("utf-8", "replace")
    return found.decode("utf-8", "replace")


def is_text(text: str) -> bool:
    """Whether all of it can be written as UTF-8."""
    return not re.search(r"[\ud800-\udfff]", text)


def store_root() -> Path:
    """``$REDSHIFT_LAB_HOME``, else ``data/`` of the checkout, else the user's data folder."""
    if home := os.environ.get("REDSHIFT_LAB_HOME"):
        return Path(home).expanduser().resolve()
    if (CHECKOUT / "pyproject.toml").exists():
        return CHECKOUT / "data"
    import platformdirs

    return Path(platformdirs.user_data_dir("redshift-lab", appauthor=False))


def dashboard_root() -> Path:
    """Folder that holds app.py, pages/ and data/demo/: the checkout, or the wheel's copy."""
    installed = PACKAGE / "dashboard"
    return installed if installed.exists() else CHECKOUT


def demo_file() -> Path:
    """The committed demo survey (SIMULATED)."""
    return dashboard_root() / "data" / "demo" / "survey.parquet"
