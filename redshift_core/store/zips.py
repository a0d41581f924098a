"""What programs that make ZIP files add to them of their own."""

from __future__ import annotations

from zipfile import ZipInfo

ADDED = (".DS_Store", "Thumbs.db", "desktop.ini")  # of Finder and Explorer
APPLE = "__MACOSX"  # folder in which Finder keeps attributes


def is_added(info: ZipInfo) -> bool:
    """Whether an entry is no file of the user: a folder, or what Finder and Explorer leave.

    Examples
    --------
    >>> [is_added(ZipInfo(one)) for one in ("run/", "__MACOSX/run/._a.csv", "run/a.csv")]
    [True, True, False]
    """
    parts = info.filename.replace("\\", "/").split("/")
    is_folder = not parts[-1] and not info.file_size
    added = parts[-1] in ADDED or parts[-1].startswith("._") or APPLE in parts[:-1]
    return is_folder or added
