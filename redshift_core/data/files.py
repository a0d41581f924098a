"""The files that a table consists of: one, or the parts in a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from redshift_core.errors import InputError
from redshift_core.settings.names import ENDINGS

PARQUET = (".parquet", ".pq")
HIDDEN = ("_", ".")  # names that begin so are no part of a table
NOTES = ("readme", "license", "licence")  # nor are these, in any case
MOST = 200_000  # files and folders in a folder: more is a mistake
COLLECTION = "collection.properties"  # of a HATS collection
PRIMARY = "hats_primary_table_url"  # names its catalogue, beside margin caches and indexes


def files_of(path: Path) -> list[Path]:
    """Files of a table, in order of their names.

    In a folder these are its Parquet files, however deep, else those with the ending that most of
    its files have; hidden ones and those that begin with ``_`` are none of the table. Of a HATS
    collection only the catalogue itself counts.
    """
    if not path.is_dir():
        return [path]
    found = sorted(_part_files(catalogue_root(path)))
    parts = [one for one in found if one.name.lower().endswith(PARQUET)]
    if not parts and found:
        endings = Counter(one.suffix.lower() for one in found)
        usual = max(endings, key=lambda ending: (endings[ending], -ENDINGS.index(ending)))
        parts = [one for one in found if one.suffix.lower() == usual and one.stat().st_size]
    if not parts:
        raise InputError(
            f"The folder {path} holds no Parquet file and no other table; expected a file, or a "
            "folder of parts of one table as Spark, Dask and HATS write them, with an ending such "
            "as .csv."
        )
    return parts


def is_part(name: str) -> bool:
    """Whether a file of this name may be a part of a table."""
    return name.lower().endswith(ENDINGS) and not name.lower().startswith((*HIDDEN, *NOTES))


def _part_files(root: Path) -> Iterator[Path]:
    n_seen = 0
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith(HIDDEN)]
        n_seen += len(inner) + len(names)
        if n_seen > MOST:
            raise InputError(
                f"The folder {root} holds more than {MOST:,} files; name the folder of the parts "
                "itself."
            )
        for name in names:
            if is_part(name):
                yield Path(folder) / name


def size_of(path: Path) -> int:
    """Bytes of a table's files."""
    return sum(one.stat().st_size for one in files_of(path))


def catalogue_root(path: Path) -> Path:
    """Folder of the catalogue in a HATS collection; any other folder itself."""
    properties = path / COLLECTION
    if not properties.is_file():
        return path
    lines = properties.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = dict(line.split("=", 1) for line in lines if "=" in line)
    primary = path / pairs.get(PRIMARY, ".").strip()
    return primary if primary.is_dir() else path
