"""Arrays in the cells of a table, as lists or as text such as ``(1.0, 2.0)``."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from redshift_core.data.cells import bare
from redshift_core.errors import InputError

MANY = 20  # commas in a cell that is no remark
_BYTES = (
    pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
)  # fmt: skip
_VALUE = r"(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?nan|[-+]?inf|null|none)"
_COMMAS = rf"[\[(](?:\s*{_VALUE}\s*,)+(?:\s*{_VALUE}\s*)?[\])]"
_BLANKS = rf"\[\s*{_VALUE}(?:\s+{_VALUE})+\s*\]"  # as NumPy prints an array
_ARRAY = re.compile(rf"\s*(?:{_COMMAS}|{_BLANKS})\s*", re.IGNORECASE | re.ASCII)
_SCALAR = r"np\.float\d+\(([^()]*)\)"  # as NumPy 2 prints the values of a list


def plain(column: pa.Array) -> pa.Array:
    """The same values without what a warehouse adds to save space: codes, runs, views, wrappers.

    Text in any form becomes a plain string; bytes that are no text stay as they are.
    """
    types = pa.types
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        ends = np.cumsum(lengths_of(column))
        offsets = pa.array(np.concatenate([[0], ends]), pa.int64())
        return pa.LargeListArray.from_arrays(offsets, column.flatten(), mask=column.is_null())
    if any(test(kind) for test in (types.is_large_string, types.is_string_view, *_BYTES)):
        try:
            return column.cast(pa.binary()).cast(pa.string())
        except pa.ArrowException:
            return column
    return column


def is_text(column: pa.Array) -> bool:
    """Whether a plain column holds text."""
    return pa.types.is_string(column.type)


def is_array_text(cell: str | None) -> bool:
    r"""Whether a cell is an array of numbers as text.

    Examples
    --------
    >>> is_array_text("(1.0, 2.5)"), is_array_text("[1,null]"), is_array_text("(see note)")
    (True, True, False)
    >>> is_array_text("[1. 2.5\n 3.]"), is_array_text("[np.float64(1.0), np.float64(2.5)]")
    (True, True)
    """
    return cell is not None and _ARRAY.fullmatch(re.sub(_SCALAR, r"\1", cell)) is not None


def array_length(column: pa.Array) -> int | None:
    """Values of the first array of a column of arrays of numbers; None for any other column."""
    column = plain(column)
    if is_text(column):
        cells = bare(column).drop_null().to_pylist()
        arrays = list(filter(is_array_text, cells))
        if not arrays or (len(arrays) < len(cells) and arrays[0].count(",") < MANY):
            return None  # or a remark, some of which look like arrays
        column = pa.array(arrays, pa.string())
    elif not (_is_list(column.type) and _is_numeric(column.type.value_type)):
        return None
    return next((int(n) for n in lengths_of(lists_of(column)) if n), 0)


def lists_of(column: pa.Array) -> pa.Array:
    """Column of arrays as lists of numbers; empty and missing text become missing lists."""
    column = plain(column)
    if not is_text(column):
        return column
    parts = _parts(bare(column))
    try:
        numbers = bare(parts.flatten()).cast(pa.float64())
    except pa.ArrowInvalid:  # as NumPy prints them
        column = pc.replace_substring_regex(bare(column), _SCALAR, r"\1")
        column = pc.utf8_trim(column, " \t\r\n()[],")
        parts = _parts(pc.replace_substring_regex(column, r"\s*,\s*|\s+", ","))
        numbers = bare(parts.flatten()).cast(pa.float64())
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths_of(parts))]), pa.int32())
    return pa.ListArray.from_arrays(offsets, numbers, mask=parts.is_null())


def _parts(column: pa.Array) -> pa.Array:
    """Values of arrays as text, still as text."""
    inner = pc.utf8_trim(column, " \t\r\n()[]")
    return pc.split_pattern(pc.if_else(pc.equal(inner, ""), None, inner), ",")


def lengths_of(lists: pa.Array) -> NDArray[np.int64]:
    """Values of each list, 0 where it is missing, shape (n,)."""
    return pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)


def numbers_of(lists: pa.Array) -> NDArray[np.floating]:
    """Values of all lists behind one another; NaN where one is missing."""
    values = lists.flatten()
    if not pa.types.is_floating(values.type) or pa.types.is_float16(values.type):
        values = values.cast(pa.float64(), safe=False)
    return values.to_numpy(zero_copy_only=False)


def matrix(lists: pa.Array, n: int, place: str, first: int) -> NDArray[np.floating]:
    """Arrays of ``n`` values each, NaN where the array is missing, shape (rows, n).

    Raises
    ------
    InputError
        If an array has another number of values; ``place`` and ``first`` (number of the first row)
        say where.
    """
    lengths, values = lengths_of(lists), numbers_of(lists)
    if len(odd := np.flatnonzero((lengths != n) & (lengths > 0))):
        raise InputError(
            f"{place}, row {first + odd[0]}: the array has {lengths[odd[0]]} values, where the "
            f"first has {n}. Give every spectrum the same number of values."
        )
    if len(values) == len(lengths) * n:
        return values.reshape(-1, n)
    result = np.full((len(lengths), n), np.nan)
    result[lengths == n] = values.reshape(-1, n)
    return result


def list_array(arrays: Iterable[NDArray]) -> pa.Array:
    """Arrays of one dimension as an Arrow column of lists."""
    arrays = [np.asarray(one) for one in arrays]
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in arrays])])
    values = np.concatenate(arrays) if arrays else np.empty(0)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values))


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _is_numeric(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_floating, pa.types.is_integer, _is_decimal))


def _is_decimal(kind: pa.DataType) -> bool:
    return pa.types.is_decimal(kind)
