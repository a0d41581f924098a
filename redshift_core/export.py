"""Tables for other programs: CSV that a spreadsheet cannot mistake for formulas, and Parquet.

A file is written under a temporary name and renamed when it is whole, so nobody reads half of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from redshift_core.errors import InputError
from redshift_core.runs import part_of

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet may run such a cell
SUFFIXES = (".csv", ".parquet")
LATEX = {  # character → what LaTeX wants in its place
    **{character: rf"\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": "$|$", "–": "--", "−": "$-$", "±": r"$\pm$", "σ": r"$\sigma$",
}  # fmt: skip


def safe_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Copy of a table whose text cells cannot be run as formulas: ``'`` before ``= + - @``.

    Numbers stay as they are, negative ones too.

    Examples
    --------
    >>> safe_cells(pd.DataFrame({"name": ["=1+1", "M 31"], "z": [-0.1, 0.2]})).name.tolist()
    ["'=1+1", 'M 31']
    """
    safe = table.copy(deep=False)
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column]):
            safe[column] = [_safe(cell) for cell in safe[column]]
    safe.columns = [_safe(name) for name in safe.columns]
    return safe


def csv_text(table: pd.DataFrame) -> str:
    """Table as CSV text, with `safe_cells`, without an index; missing numbers are empty."""
    return safe_cells(table).to_csv(index=False)


def markdown_text(table: pd.DataFrame, formats: Mapping[str, str] | None = None) -> str:
    r"""Table as Markdown, numbers to the right; missing ones are a dash.

    Parameters
    ----------
    formats : mapping, optional
        Column → printf format, such as ``"%.4f"``.

    Examples
    --------
    >>> print(markdown_text(pd.DataFrame({"a|b": ["x"], "n": [1.5]}), {"n": "%.2f"}))
    | a\|b | n |
    | --- | ---: |
    | x | 1.50 |
    """
    lines = [[*map(_markdown, table.columns)], [_rule(table[name]) for name in table]]
    lines += [[*map(_markdown, cells)] for cells in _texts(table, formats or {})]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def latex_text(table: pd.DataFrame, formats: Mapping[str, str] | None = None) -> str:
    r"""Table as a LaTeX ``tabular`` with booktabs rules; missing numbers are a dash.

    Parameters
    ----------
    formats : mapping, optional
        Column → printf format, such as ``"%.4f"``.

    Examples
    --------
    >>> print(latex_text(pd.DataFrame({"a_b": ["x & y"], "n": [-1.5]}), {"n": "%.1f"}))
    \begin{tabular}{lr}
    \toprule
    a\_b & n \\
    \midrule
    x \& y & $-1.5$ \\
    \bottomrule
    \end{tabular}
    """
    kinds = "".join("r" if _is_number(table[name]) else "l" for name in table)
    rows = [" & ".join(map(_latex, cells)) + r" \\" for cells in _texts(table, formats or {})]
    head = " & ".join(map(_latex, table.columns)) + r" \\"
    begin = [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule", head, r"\midrule"]
    return "\n".join([*begin, *rows, r"\bottomrule", r"\end{tabular}"])


def check_out(out: Path, source: Path | None = None, suffixes: Sequence[str] = SUFFIXES) -> Path:
    """Absolute path of a file to be written; InputError where it cannot be.

    Parameters
    ----------
    out : Path
        Its suffix, for a table ``.csv`` or ``.parquet``, chooses the format.
    source : Path, optional
        File the table is made from, which must not be overwritten.
    suffixes : sequence of str
        Endings it may have.
    """
    out = Path(out).expanduser().absolute()
    if out.suffix.lower() not in suffixes:
        raise InputError(
            f"{out.name} does not end in {' or '.join(suffixes)}, which chooses the format; "
            "rename it."
        )
    if not out.parent.is_dir():
        raise InputError(f"The folder {out.parent} does not exist; make it first.")
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of a file.")
    if not os.access(out.parent, os.W_OK):
        raise InputError(f"The folder {out.parent} cannot be written to; choose another.")
    if source is not None and out.exists() and source.exists() and out.samefile(source):
        raise InputError(f"{out} is the input file; choose another name for the result.")
    return out


class TableWriter:
    """Writes tables of the same columns one below the other, in every format asked for.

    Use it in a ``with`` block: the files appear when it ends, and not at all when it fails.
    """

    def __init__(self, paths: Sequence[Path], metadata: dict[bytes, bytes] | None = None):
        self.paths = [Path(path) for path in paths]
        self.metadata = metadata or {}
        self._parts = [part_of(path) for path in self.paths]
        self._writers: list[Any] = []

    def __enter__(self) -> TableWriter:
        return self

    def write(self, table: pd.DataFrame) -> None:
        """Append rows."""
        if not self._writers:
            self._writers = [
                _Csv(part) if path.suffix.lower() == ".csv" else _Parquet(part, self.metadata)
                for path, part in zip(self.paths, self._parts, strict=True)
            ]
        for writer in self._writers:
            writer.write(table)

    def __exit__(self, kind: type | None, *_: object) -> None:
        for writer in self._writers:
            writer.close()
        for path, part in zip(self.paths, self._parts, strict=True):
            if kind is None and part.exists():
                os.replace(part, path)
            part.unlink(missing_ok=True)


class _Csv:
    def __init__(self, path: Path):
        self._file = path.open("w", encoding="utf-8", newline="")
        self._header = True

    def write(self, table: pd.DataFrame) -> None:
        safe_cells(table).to_csv(self._file, index=False, header=self._header)
        self._header = False

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path, metadata: dict[bytes, bytes]):
        self._path, self._metadata, self._writer = path, metadata, None

    def write(self, table: pd.DataFrame) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = pa.Table.from_pandas(table, preserve_index=False)
        rows = rows.replace_schema_metadata({**(rows.schema.metadata or {}), **self._metadata})
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, rows.schema, compression="zstd")
        self._writer.write_table(rows)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _safe(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def _texts(table: pd.DataFrame, formats: Mapping[str, str]) -> list[list[str]]:
    """Cells as text, line by line."""
    columns = []
    for name in table:
        form = formats.get(name)
        shown = (lambda value, form=form: form % value) if form else str
        columns.append(["–" if pd.isna(value) else shown(value) for value in table[name]])
    return [list(line) for line in zip(*columns, strict=True)]


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column)


def _rule(column: pd.Series) -> str:
    return "---:" if _is_number(column) else "---"


def _markdown(text: Any) -> str:
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(str(text).split()))


def _latex(text: Any) -> str:
    text = " ".join(str(text).split())
    if re.fullmatch(r"[+-]\d.*", text):
        return f"${text}$"  # a minus, not a hyphen
    return "".join(LATEX.get(character, character) for character in text)
