"""Cells of text as numbers and ids, in every spelling of `text_forms`; whole columns, or one cell.

Arrow reads most numbers at once. What it does not know, as ``0.35D+01`` or a minus of typography,
is respelt first, by the same patterns for a column and for a single cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from redshift_core.data.text_forms import MISSING, TEXT, is_missing

ROUNDED = 2**53  # from here on a float keeps whole numbers apart no more
_AROUND = " \t\r\n\x1a\u00a0\u2009\u202f\"'="  # blanks, and what Excel puts round text
_MANTISSA = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_RESPELT = (  # pattern → how Arrow and Python know it
    ("[" + re.escape("".join(TEXT.minus[1:])) + "]", "-"),
    (rf"^({_MANTISSA})(?:[dDqQ]|\*\^)([+-]?\d+)$", r"\1e\2"),
    (r"^([+-]?(?:\d+\.\d*|\.\d+))([+-]\d{3})$", r"\1e\2"),  # Fortran drops the E of three digits
    (r"^([+-]?)1\.#INF0*$", r"\1inf"),
)
_PREFIX = r"(?i)^gaia[\s_-]*(?:e?dr\s*\d)?[\s_:-]*(\d+)$"
_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+$"  # or decimals: among decimal commas, who knows
_DIGITS = r"^[+]?(-?\d+)$"


def bare(column: pa.Array) -> pa.Array:
    """Text cells without the blanks around them, null where they stand for a missing value."""
    column = pc.ascii_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(missing(column), pa.scalar(None, pa.string()), column)


def numbers(column: pa.Array, decimal: str = ".") -> pa.Array:
    """Column of text as float64, null where a value is missing.

    Raises
    ------
    pa.ArrowInvalid
        Where a cell is no number.
    """
    column = bare(column)
    if decimal == ",":
        if pc.any(pc.match_substring_regex(column, _THOUSANDS)).as_py():
            raise pa.ArrowInvalid("a point that may set off thousands")
        column = pc.replace_substring(column, ",", ".")
    try:
        return column.cast(pa.float64())
    except pa.ArrowInvalid:
        pass
    column = pc.utf8_trim(column, _AROUND)
    column = pc.if_else(missing(column), pa.scalar(None, pa.string()), column)
    for pattern, spelling in _RESPELT:
        column = pc.replace_substring_regex(column, pattern, spelling)
    return column.cast(pa.float64())


def ids(column: pa.Array, decimal: str = ".") -> pa.Array:
    """Column of text as int64, null where a value is missing.

    A survey's prefix (``Gaia DR3 123``) is left out. A whole number that was written as a float is
    taken below 2⁵³, where it cannot have been rounded.

    Raises
    ------
    pa.ArrowInvalid
        Where a cell is no whole number of 64 bits.
    """
    column = pc.utf8_trim(bare(column), _AROUND)
    column = pc.if_else(missing(column), pa.scalar(None, pa.string()), column)
    for pattern in (_PREFIX, _DIGITS):
        column = pc.replace_substring_regex(column, pattern, r"\1")
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        pass
    plain = pc.match_substring_regex(column, _DIGITS)
    floats = numbers(pc.if_else(plain, pa.scalar(None, pa.string()), column), decimal)
    small = pc.less(pc.abs(floats), pa.scalar(float(ROUNDED)))
    if not pc.all(small).as_py():
        raise pa.ArrowInvalid("an id that a float has rounded")
    exact = pc.if_else(plain, column, pa.scalar(None, pa.string())).cast(pa.int64())
    return pc.coalesce(exact, floats.cast(pa.int64()))


def number(cell: str, decimal: str = "") -> float:
    """One cell as a number, NaN where it is missing; ValueError where it is none.

    Parameters
    ----------
    decimal : str
        The decimal sign; either where empty.

    Examples
    --------
    >>> [number(cell) for cell in ("0.35D+01", "1.2345-101", "−2,5", "****")]
    [3.5, 1.2345e-101, -2.5, nan]
    """
    whole = cell.strip()
    if decimal == "," or (not decimal and "." not in cell):
        cell = cell.replace(",", ".")
    if is_missing(cell) or is_missing(cell := cell.strip(_AROUND)):
        return float("nan")
    if decimal == "," and re.match(_THOUSANDS, whole):
        raise ValueError(whole)
    for pattern, spelling in _RESPELT:
        cell = re.sub(pattern, spelling, cell)
    if "_" in cell or not cell.isascii():  # a number to Python only
        raise ValueError(cell)
    return float(cell)


def is_number(cell: str, decimal: str = "") -> bool:
    """Whether a cell holds a number, or stands for a missing one."""
    try:
        number(cell, decimal)
    except ValueError:
        return False
    return True


def all_ids(cells: Iterable[str], decimal: str = "") -> bool:
    """Whether every cell holds an id, or stands for a missing one.

    Examples
    --------
    >>> [all_ids([cell]) for cell in ("Gaia DR3 4611686018427387905", "7.0", "NGC 7", "4.6e18")]
    [True, True, False, False]
    """
    try:
        ids(pa.array(list(cells), pa.string()), decimal)
    except pa.ArrowInvalid:
        return False
    return True


def missing(column: pa.Array) -> pa.Array:
    """Which cells of a column of text say that their value is missing."""
    words = pc.is_in(pc.utf8_lower(column), value_set=_words())
    return pc.or_kleene(words, pc.match_substring_regex(column, r"^\*+$"))


@cache
def _words() -> pa.Array:  # made late, for Arrow then imports pandas
    return pa.array(sorted(MISSING))
