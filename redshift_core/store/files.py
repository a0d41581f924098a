"""Files written whole or not at all, JSON, names for folders, and where the store is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock

from redshift_core.errors import RESTORE, DamagedError, InputError

PACKAGE = Path(__file__).parents[1]
CHECKOUT = PACKAGE.parent


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
        In place of the library's error; an InputError goes through as it is.
    """
    try:
        yield
    except _AT_DAMAGE as error:
        if isinstance(error, InputError):
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
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8, whole or not at all."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def part_of(path: Path) -> Path:
    """A hidden name beside a file that no other thread, process or machine chooses."""
    return path.with_name(f".tmp-{os.getpid()}-{secrets.token_hex(4)}-{path.name}")


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A new name to write to; the file gets its own when the block ends, and none on an error.

    Of several that write one file at a time, in threads or processes, the last to end wins;
    whoever reads sees one of them whole.
    """
    part = part_of(path)
    try:
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
    path = folder.parent.parent / "locks" / f"{folder.parent.name}-{folder.name}.lock"
    path.parent.mkdir(exist_ok=True)
    with filelock.FileLock(path):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # where the system keeps files that are open
                path.unlink()


def slug(text: str, default: str = "unnamed") -> str:
    """Lower-case letters, digits and dashes of a name, at most 40, safe in a path and a URL."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-") or default


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
