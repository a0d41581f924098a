"""What a file is by its first bytes, and the sentence for what cannot be read."""

from __future__ import annotations

import zlib
from pathlib import Path

from redshift_core.data.files import files_of
from redshift_core.errors import InputError
from redshift_core.settings.names import FORMAT_TITLES, FORMATS

EXPECTED = f"expected a {FORMAT_TITLES} table of spectra"
FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file; save the sheet as CSV"),
    (b"\x89HDF", "an HDF5 file; save its table as CSV or Parquet"),
    (b"\x93NUMPY", "a NumPy array; save it as CSV or Parquet, with column names"),
    (b"BZh", "compressed with bzip2; unpack it, or compress it with gzip"),
    (b"\xfd7zXZ", "compressed with xz; unpack it, or compress it with gzip"),
    (b"(\xb5/\xfd", "compressed with zstd; unpack it, or compress it with gzip"),
    (b"FEA1", "a Feather file of version 1; save it again as Feather or Parquet"),
    (b"PARE", "an encrypted Parquet file; save it without encryption"),
    (b"version https://git-lfs", "a pointer of Git LFS; fetch the file itself with git lfs pull"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
    (b"<!DOCTYPE", "a web page; download the table itself"),
    (b"<html", "a web page; download the table itself"),
    (b"<table", "a table in HTML; save it as CSV"),
    (b"\\begin", "LaTeX; save the table as CSV"),
    (b"{\\rtf", "a document in RTF; save the table as CSV"),
    (b"Obj\x01", "an Avro file; save its table as CSV or Parquet"),
    (b"ORC", "an ORC file; save its table as Parquet"),
    (b"#ASDF", "an ASDF file; save its table as FITS or Parquet"),
    (b"\xff\xff\xff\xff", "an Arrow stream; save it as a file (Feather) or as Parquet"),
    (b"\x80\x04\x95", "a Python pickle, which is never opened; save the table as Parquet"),
    (b"\x80\x05\x95", "a Python pickle, which is never opened; save the table as Parquet"),
    (b"{", "JSON; save the table as CSV or Parquet"),
    (b"[", "JSON; save the table as CSV or Parquet"),
)
WORKBOOKS = (".xlsx", ".xlsm")  # ZIP files with tables in XML
_CONTROL = bytes(set(range(32)) - {9, 10, 12, 13, 26})


def format_of(path: Path) -> str:
    """Entry of ``choices.FORMATS``, by content; a missing or empty file is refused."""
    if path.is_dir():
        return format_of(files_of(path)[0])
    head = _head(path)
    suffix = path.suffix.lower()
    if suffix in WORKBOOKS and head.startswith(FORMATS["zip"].magic):
        raise InputError(f"{path.name} is an Excel workbook; save the sheet as CSV.")
    for name, one in FORMATS.items():
        if one.magic and head.startswith(one.magic):
            return name
    if is_votable(head):
        return "votable"
    check_foreign(path.name, head)
    meant = next((one for one in FORMATS.values() if suffix in one.suffixes), None)
    if meant and meant.magic:
        raise InputError(
            f"{path.name} is not a {meant.title} file, whatever its name says. Export the table "
            "again; if it is a text table, rename it to .csv."
        )
    check_text(path.name, head)
    if suffix and not meant:
        raise InputError(
            f"{path.name}: files ending in {suffix} are not known; {EXPECTED}. If it is a text "
            "table, rename it to .csv."
        )
    return "csv"


def is_votable(head: bytes) -> bool:
    """Whether a file's first bytes are those of a VOTable, or of XML that may be one."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith((b"<VOTABLE", b"<?xml")) or (
        start.startswith(b"<!--") and b"<VOTABLE" in head
    )


def encoding_of(head: bytes) -> str:
    """Name of the encoding by a file's first bytes where it is UTF-16, else empty."""
    if head[:4] in (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"):
        return ""  # UTF-32, which nobody writes
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    half = max(len(head) // 2, 1)
    zeros = (head[0::2].count(0), head[1::2].count(0))
    if max(zeros) <= 0.3 * half or min(zeros) >= 0.05 * half:
        return ""
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"


def check_text(file: str, head: bytes) -> None:
    """Refuse what is not text: ``head`` is the file's first bytes."""
    if encoding := encoding_of(head):
        head = head[: len(head) // 2 * 2].decode(encoding, "replace").encode()
    check_foreign(file, head)
    if head.translate(None, _CONTROL) != head:
        raise InputError(f"{file} holds binary data, not text; {EXPECTED}.")


def check_foreign(file: str, head: bytes) -> None:
    """Refuse what its first bytes show to be of a kind that is not read."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, what in FOREIGN:
        if start[: len(magic)].lower() == magic.lower():
            raise InputError(f"{file} is {what}; {EXPECTED}.")


def _head(path: Path) -> bytes:
    """First 64 KiB of a file that exists, can be read and is not empty."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except FileNotFoundError:
        raise InputError(f"There is no file {path}; check the name and the folder.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    if not head:
        raise InputError(f"{path.name} is empty (0 bytes); {EXPECTED}.")
    return head


def gzip_error(file: str, error: Exception) -> InputError:
    """Sentence for a gzip file that does not unpack."""
    if isinstance(error, EOFError):
        return InputError(
            f"{file} is cut off: the compressed data ends too early. Transfer or compress it again."
        )
    reason = "its data is damaged" if isinstance(error, zlib.error) else str(error)
    return InputError(f"{file} cannot be unpacked: {reason}. Transfer or compress it again.")
