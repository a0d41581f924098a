"""Tables inside a ZIP file, and gzip files of other formats than text: unpacked, then read."""

from __future__ import annotations

import errno
import shutil
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from redshift_core.data.blocks import Block, Table
from redshift_core.data.files import PARQUET, is_part, size_of
from redshift_core.data.headers import Columns
from redshift_core.data.limits import Unpacked, check_unpacked
from redshift_core.data.sniff import EXPECTED, gzip_error, is_votable
from redshift_core.errors import InputError
from redshift_core.settings.names import FORMATS
from redshift_core.store.archive import MANIFEST
from redshift_core.store.files import unpacked_folder
from redshift_core.store.zips import is_added

PIECE = 1 << 20
INSIDE = ("parquet", "feather", "fits", "votable")  # formats that a gzip file may hold
TAR = b"ustar"  # at byte 257 of a tar archive
Open = Callable[[Path], Table]


class PackedTable(Table):
    """A table that was unpacked into a folder of its own, which goes when the table does."""

    def __init__(self, path: Path, unpack: Callable[[Path], Path], open_table: Open):
        self.path = path
        folder = unpacked_folder()
        folder.mkdir(mode=0o700)
        remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        try:
            with self._named():
                self._inner = open_table(_written(unpack, folder))
        except BaseException:
            remove()
            raise
        self.names, self.first = self._inner.names, self._inner.first
        self.has_header = self._inner.has_header

    @property
    def n_rows(self) -> int | None:
        """Its rows, where they are known without reading them."""
        return self._inner.n_rows

    @property
    def simulation(self) -> dict[str, Any]:
        """How it was simulated, where the file says so."""
        return self._inner.simulation

    def columns(self, wanted: dict[str, str]) -> Columns:
        """Which column is which."""
        with self._named():
            return self._inner.columns(wanted)

    def blocks(self, columns: Columns) -> Iterator[tuple[Block, int]]:
        """Rows in order, each block with the bytes of the packed file that they stand for."""
        share = self.path.stat().st_size / max(size_of(self._inner.path), 1)
        with self._named():
            for block, done in self._inner.blocks(columns):
                yield block, int(done * share)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Sentences about what is inside begin with the name of the file itself."""
        try:
            yield
        except InputError as error:
            if self.path.name in str(error):
                raise
            raise type(error)(f"{self.path.name}: {error}") from None


def zip_table(path: Path, open_table: Open) -> Table:
    """The one table in a ZIP file: a file, or a folder of parts."""
    return PackedTable(path, lambda folder: _unzip(path, folder), open_table)


def gzip_table(path: Path, open_table: Open, open_text: Open) -> Table:
    """The table in a gzip file, which is text in most cases."""
    try:
        with path.open("rb") as raw, Unpacked(path.name, raw) as stream:
            head = stream.read(512)
    except (EOFError, OSError, zlib.error) as error:
        raise gzip_error(path.name, error) from None
    if head[257:262] == TAR:
        raise InputError(f"{path.name} is a tar archive; unpack it and give the table in it.")
    if head[:4] == b"PK\x03\x04" or head[:2] == b"\x1f\x8b":
        raise InputError(f"{path.name} is packed twice; unpack it once (gunzip).")
    inner = next((FORMATS[one] for one in INSIDE if head.startswith(FORMATS[one].magic)), None)
    inner = FORMATS["votable"] if is_votable(head) else inner
    if inner is None:
        return open_text(path)
    name = path.name.removesuffix(".gz")
    name = name if name.endswith(inner.suffixes) else name + inner.suffixes[0]

    def unpack(folder: Path) -> Path:
        with path.open("rb") as raw, Unpacked(path.name, raw) as stream:
            try:
                return _copied(stream, folder / name)
            except (EOFError, zlib.error) as error:
                raise gzip_error(path.name, error) from None

    return PackedTable(path, unpack, open_table)


def _written(unpack: Callable[[Path], Path], folder: Path) -> Path:
    """What is unpacked into a folder; InputError where the disk is full."""
    try:
        return unpack(folder)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(
            f"the disk under {folder.parent} is full, where it is unpacked to be read; free some "
            "space, or set TMPDIR to another folder."
        ) from None


def _unzip(path: Path, folder: Path) -> Path:
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(path.name, archive)
            for name, info in members.items():
                check_unpacked(path.name, info.file_size, path.stat().st_size)
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(info) as stream:
                    _copied(stream, target, path)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
    ) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # a place that is not there
            raise
        raise InputError(
            f"{path.name} is a broken ZIP file, or one with a password "
            f"({str(error).rstrip('.')[:150]}). Pack the table again."
        ) from None
    return folder / next(iter(members)) if len(members) == 1 else folder


def _members(file: str, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Files of the table in an archive, by the names that they get."""
    infos = [info for info in archive.infolist() if not is_added(info)]
    names = [info.filename.replace("\\", "/") for info in infos]
    if "[Content_Types].xml" in names:
        raise InputError(f"{file} is an Excel workbook or Word file; save the sheet as CSV.")
    if "mimetype" in names and "content.xml" in names:
        raise InputError(f"{file} is an OpenDocument sheet or text; save the sheet as CSV.")
    if any(name.split("/")[-1] == MANIFEST for name in names):
        raise InputError(f"{file} is a run that was exported; import it as a run.")
    if names and all(name.endswith(".npy") for name in names):
        raise InputError(f"{file} holds NumPy arrays; save them as CSV or Parquet with names.")
    tables = [
        (name.split("/")[-1], info)
        for name, info in sorted(zip(names, infos, strict=True), key=lambda one: one[0])
        if is_part(name.split("/")[-1]) and not name.lower().endswith(".zip")
    ]
    if not tables and len(infos) == 1 and "." not in names[0]:  # as pandas calls it in a.zip
        tables = [(names[0].split("/")[-1], infos[0])]
    if not tables:
        raise InputError(f"{file} is a ZIP file without a table in it; {EXPECTED}.")
    leaves = [leaf for leaf, _ in tables]
    if len(tables) == 1:
        return dict(tables)
    if not all(leaf.lower().endswith(PARQUET) or leaf.startswith("part") for leaf in leaves):
        raise InputError(
            f"{file} holds several tables ({', '.join(leaves[:3])}); pack the one that is meant."
        )
    return {f"{number:06d}-{leaf}": info for number, (leaf, info) in enumerate(tables)}


def _copied(stream: BinaryIO, target: Path, packed: Path | None = None) -> Path:
    """Path written; of a member of a ZIP the size is counted, not believed."""
    with target.open("wb") as file:
        while piece := stream.read(PIECE):
            file.write(piece)
            if packed:
                check_unpacked(packed.name, file.tell(), packed.stat().st_size)
    return target
