"""Tables that astropy reads, by their first lines: IPAC, CDS, fixed-width and their like."""

from __future__ import annotations

import re

from redshift_core.data.lines import decode, is_ruler, split_line

_BAR = re.compile(rb"\s*\|.*\|\s*")
_RST = re.compile(rb"\s*=+( +=+)+\s*")
_DASHES = re.compile(rb"\s*-+( +-+)+\s*")
_BYTES = re.compile(rb"byte-by-byte description of file", re.IGNORECASE)


def astropy_kind(head: bytes) -> str:
    r"""Key of ``TEXT.astropy`` by the first bytes of a text; empty where blocks can be read of it.

    Examples
    --------
    >>> astropy_kind(b"|  z |\n| double |\n  0.1\n"), astropy_kind(b"z,flux_0\n0.1,2\n")
    ('ipac', '')
    """
    if _BYTES.search(head[: 1 << 16]):
        return "cds"
    lines = [line for line in head[: 1 << 20].splitlines() if line.strip()][:60]
    if lines and re.match(rb"#\s+1\s+[A-Za-z]\S*", lines[0]):
        return "sextractor"
    lines = [line for line in lines if not line.startswith((b"#", b"\\"))]
    if not lines:
        return ""
    if _BAR.fullmatch(lines[0]) and any(b"|" not in line for line in lines[1:5]):
        return "ipac" if not any(map(is_ruler, lines[:3])) else ""
    if _RST.fullmatch(lines[0]):
        return "rst"
    return "fixed_width_two_line" if _holds_blanks(lines) else ""


def _holds_blanks(lines: list[bytes]) -> bool:
    """Whether strokes below the names set off columns whose cells hold blanks."""
    if len(lines) < 3 or not _DASHES.fullmatch(lines[1]) or not is_ruler(lines[1]):
        return False
    n = len(lines[1].split())
    return any(len(split_line(decode(line), " ")) != n for line in (lines[0], *lines[2:-1]))
