"""The parts of a catalogue in a folder: files that are read one by one, each a table of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from redshift_core.data.blocks import Block
from redshift_core.data.files import HIDDEN, PARQUET
from redshift_core.data.headers import has_ids
from redshift_core.data.readers import even_blocks, open_table, spare_z
from redshift_core.data.spectra import Spectra
from redshift_core.errors import InputError
from redshift_core.settings.names import ENDINGS
from redshift_core.store.hats import DATASET, hats_properties

OUT = ".parquet"  # ending of what is made of a part


@dataclass(frozen=True)
class Part:
    """One file of a catalogue."""

    name: str  # its path below the catalogue, with /
    n_bytes: int
    changed: int  # time of its last change, ns

    @property
    def stamp(self) -> list[int]:
        """By which another file of the same name is told, but for one made to deceive."""
        return [self.n_bytes, self.changed]

    @property
    def out(self) -> str:
        """Path of what is made of it, below the folder of the result."""
        stem = self.name
        while stem.lower().endswith(ENDINGS):
            stem = stem[: stem.rindex(".")]
        return self.name if self.name.endswith(OUT) else stem + OUT


def check_folders(root: Path, out: Path) -> Path:
    """Folder of the result; InputError where it and the catalogue's cannot both be."""
    if not root.is_dir():
        raise InputError(f"There is no folder {root}; check the name of the catalogue.")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; give a folder for the redshifts of a catalogue.")
    one, other = root.resolve(), out.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise InputError(
            f"The catalogue {root} and the folder of the result, {out}, lie within one another; "
            "choose a folder elsewhere."
        )
    return out


def find_parts(root: Path) -> list[Part]:
    """Parts of a catalogue, however deep, in the order of their names.

    These are its Parquet files, or where it has none its files in the other formats that are read.
    What begins with ``_`` or ``.`` is no part, and of a HATS catalogue only the leaves are.

    Raises
    ------
    InputError
        Where there is none, or two would become the same file of the result.
    """
    names = list(_files(root, DATASET if hats_properties(root) else ""))
    parquet = [name for name in names if name.lower().endswith(PARQUET)]
    parts = [_part(root, name) for name in sorted(parquet or names)]
    if not parts:
        raise InputError(
            f"The folder {root} holds no part of a catalogue; expected Parquet files, the "
            "archive's bulk files, or a HATS catalogue."
        )
    outs: dict[str, str] = {}
    for part in parts:
        if outs.setdefault(part.out, part.name) != part.name:
            raise InputError(
                f"{outs[part.out]} and {part.name} in {root} would both become {part.out}; rename "
                "one of them."
            )
    return parts


def part_blocks(
    path: Path, columns: dict[str, str] | None = None, kept: tuple[str, ...] = ()
) -> Iterator[Spectra]:
    """Spectra of a part in blocks, in bounded memory, without their redshifts.

    A part without rows gives one block without rows.

    Parameters
    ----------
    kept : tuple of str
        Further columns that come along, where it has them.
    """
    table = open_table(path)
    if not table.first:
        yield replace(Block.empty().numbered(0), has_ids=has_ids(table.names))
        return
    found = spare_z(table, columns)
    others = tuple(place for place, name in enumerate(table.names) if name in kept)
    yield from even_blocks(table, replace(found, z=None, only=others))


def _files(root: Path, below: str) -> Iterator[str]:
    for folder, inner, names in os.walk(root / below):
        inner[:] = [name for name in inner if not name.startswith(HIDDEN)]
        for name in names:
            if name.lower().endswith(ENDINGS) and not name.startswith(HIDDEN):
                yield (Path(folder) / name).relative_to(root).as_posix()


def _part(root: Path, name: str) -> Part:
    known = (root / name).stat()
    return Part(name, known.st_size, known.st_mtime_ns)
