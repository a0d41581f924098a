"""What the system refuses, said in one sentence: a full disk, and what belongs to another user."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from redshift_core.constants import size_text
from redshift_core.errors import InputError

_FULL = (errno.ENOSPC, errno.EDQUOT)
DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)  # numbers of errors for want of a right
_FULL_WORDS = ("No space left", "Disk quota exceeded")  # of libraries that keep no error number
NOTHING_LEFT = 65_536  # bytes; with fewer free, a write that failed is taken for a full disk
OTHER_STORE = "set REDSHIFT_LAB_HOME to a folder of your own to use another store"


class FullDiskError(InputError):
    """A disk has no room for a file; nothing of the file is left."""


def sentence(error: BaseException, beside: Path) -> str:
    """What a user can do about an error of the system; empty where it is of another kind.

    Parameters
    ----------
    error : BaseException
        What was raised; what it was raised from counts too.
    beside : Path
        A folder on the disk that was written to, if the error does not name a file.
    """
    for one in _chain(error):
        if isinstance(one, FullDiskError):
            return str(one)
        named = getattr(one, "filename", None)
        path = Path(os.fsdecode(named)) if isinstance(named, str | bytes) else beside
        if _says_full(one):
            return full(path, path.with_name(""))
        if isinstance(one, OSError) and _is_denied(one, path):
            return denied(path)
    return ""


def full(path: Path, *parts: Path, needed: int = 0, what: str = "") -> str:
    """That a disk has no room for a file or a folder, and how much it had.

    Parameters
    ----------
    path : Path
        The file or folder; what there is of it counts as room.
    parts : Path
        What there is of it under other names.
    needed : int
        Its bytes, 0 where only the attempt has shown that they are more.
    what : str
        What it is, in the user's words; its name, if not given.
    """
    folder = _existing(path.absolute().parent)
    had = shutil.disk_usage(folder).free + sum(map(_taken, parts or (path,)))
    wants = f"needs {size_text(needed)}" if needed > had else "needs more"
    return (
        f"The disk at {mount_of(folder)} is full: {what or path.name} {wants} and {size_text(had)} "
        "were free. Free some space (`redshift-lab jobs --clean` removes outputs that can be made "
        "again) and go on; nothing half-written is left."
    )


def denied(path: Path) -> str:
    """That a file may not be read or written, whose it is, and how to go on."""
    from redshift_core.store.files import store_root

    path = path.absolute()
    there = _existing(path)
    in_store = path.is_relative_to(store_root())
    mend = OTHER_STORE if in_store else "choose another place"
    readable = may(there, os.R_OK | (os.X_OK if os.path.isdir(there) else 0))
    if readable and _is_read_only(there):
        return (
            f"{path} cannot be written: its disk is read-only. What it holds can be looked at; to "
            f"write, {mend}."
        )
    doing, owner = "written" if readable else "read", _owner(there)
    return (
        f"{path} may not be {doing} by {_user(os.geteuid()) if hasattr(os, 'geteuid') else 'you'}: "
        f"it belongs to {owner}. Ask {owner} for access, or {mend}."
    )


@contextlib.contextmanager
def writing(path: Path, *parts: Path, needed: int = 0) -> Iterator[None]:
    """Around what writes a file or makes a folder: what the system refuses is one sentence.

    Parameters
    ----------
    path : Path
        What the file will be called.
    parts : Path
        What has been written of it under other names, which the caller removes.
    needed : int
        Its bytes, where they are known.

    Raises
    ------
    FullDiskError
        Where the disk has no room for it.
    InputError
        Where the folder is another user's or read-only.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, InputError):
            raise
        if isinstance(error, OSError) and _is_denied(error, path):
            raise InputError(denied(path)) from error
        if not (is_full(error) or _seems_full(error, path)):
            raise
        raise FullDiskError(full(path, *parts, needed=needed)) from error


def may(path: Path, how: int) -> bool:
    """As ``os.access``, of the rights with which this process really reads and writes."""
    if os.access in os.supports_effective_ids:
        return os.access(path, how, effective_ids=True)
    return os.access(path, how)


def mount_of(path: Path) -> Path:
    """Where the disk of an existing folder or file is mounted."""
    path = path.resolve()
    with contextlib.suppress(OSError):
        device = path.stat().st_dev
        while path != path.parent and path.parent.stat().st_dev == device:
            path = path.parent
    return path


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk is full, or was raised from one that does."""
    return any(isinstance(one, FullDiskError) or _says_full(one) for one in _chain(error))


def _seems_full(error: BaseException, path: Path) -> bool:
    """Whether a write failed, as a library says in its own words, on a disk without room."""
    if not isinstance(error, OSError | RuntimeError):
        return False
    with contextlib.suppress(OSError):
        return shutil.disk_usage(_existing(path.absolute().parent)).free < NOTHING_LEFT
    return False


def _is_denied(error: OSError, path: Path) -> bool:
    """Whether an error is for want of a right; a folder that could not be made counts too."""
    if error.errno == errno.ENOENT:
        there = _existing(path.absolute())
        return there != path.absolute().parent and not may(there, os.W_OK)
    return error.errno in DENIED


def _is_read_only(path: Path) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    return False


def _says_full(error: BaseException) -> bool:
    return (isinstance(error, OSError) and error.errno in _FULL) or any(
        word in str(error) for word in _FULL_WORDS
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _taken(path: Path) -> int:
    """Bytes that a file, or all of a folder, takes of the disk."""
    with contextlib.suppress(OSError):
        if path.is_dir():
            return sum(_taken(one) for one in path.iterdir())
        return path.stat().st_size
    return 0


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that can be seen."""
    while not os.path.exists(path) and path != path.parent:
        path = path.parent
    return path


def _owner(path: Path) -> str:
    try:
        return _user(path.stat().st_uid)
    except OSError:
        return "another user"


def _user(number: int) -> str:
    """Name of a user of this machine, else the number."""
    try:
        import pwd

        return f"the user {pwd.getpwuid(number).pw_name}"
    except (ImportError, KeyError):
        return f"the user {number}"
