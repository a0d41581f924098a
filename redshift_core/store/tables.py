"""Tables for other programs: CSV that a spreadsheet cannot mistake for formulas, Markdown, LaTeX.

And which file a table may be written to; `writers` writes it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redshift_core.constants import MISSING
from redshift_core.errors import InputError
from redshift_core.settings.names import WRITTEN, in_words
from redshift_core.store.files import clear_left

if TYPE_CHECKING:
    import pandas as pd

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet may run such a cell
SUFFIXES = tuple(WRITTEN)
LATEX = str.maketrans({  # character → what LaTeX wants in its place
    **{character: rf"\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": "$|$", "–": "--", "−": "$-$", "±": r"$\pm$", "σ": r"$\sigma$",
})  # fmt: skip


def safe_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Copy of a table whose text cells cannot be run as formulas: ``'`` before ``= + - @``.

    Numbers stay as they are, negative ones too.

    Examples
    --------
    >>> import pandas as pd
    >>> safe_cells(pd.DataFrame({"name": ["=1+1", "M 31"], "z": [-0.1, 0.2]})).name.tolist()
    ["'=1+1", 'M 31']
    """
    safe = table.copy(deep=False)
    for column in safe.columns:
        if not _is_number(safe[column]):
            safe[column] = [_safe(cell) for cell in safe[column]]
    safe.columns = [_safe(name) for name in safe.columns]
    return safe


def csv_text(table: pd.DataFrame) -> str:
    """Table as CSV text, with `safe_cells`, without an index; missing numbers are empty."""
    return safe_cells(table).to_csv(index=False)


def cell_text(value: Any, form: str = "") -> str:
    """Cell of a table as text; a dash where there is nothing.

    Parameters
    ----------
    form : str
        Format of a number: printf's, such as ``"%.4f"``, or ``"localized"``.

    Examples
    --------
    >>> cell_text(0.02163, "%.4f"), cell_text(520393, "localized"), cell_text(None)
    ('0.0216', '520,393', '–')
    """
    if value is None or type(value).__name__ == "NAType" or value != value:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if form == "localized":
        return f"{value:,}"
    return form % value if form else f"{value:.6g}" if isinstance(value, float) else str(value)


def markdown_text(
    table: pd.DataFrame,
    formats: Mapping[str, str] | None = None,
    right: Collection[str] | None = None,
) -> str:
    r"""Table as Markdown, "" without columns; missing numbers are a dash.

    Parameters
    ----------
    formats : mapping, optional
        Column → format as in `cell_text`.
    right : collection of str, optional
        Columns that stand to the right; without it those of numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> print(markdown_text(pd.DataFrame({"a|b": ["x"], "n": [1.5]}), {"n": "%.2f"}))
    | a\|b | n |
    | --- | ---: |
    | x | 1.50 |
    """
    if not len(table.columns):
        return ""
    right = _numbers(table) if right is None else right
    head, *lines = _texts(table, formats, _markdown)
    rule = ["---:" if name in right else "---" for name in table]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))


def latex_text(table: pd.DataFrame, formats: Mapping[str, str] | None = None) -> str:
    r"""Table as a LaTeX ``tabular`` with booktabs rules; missing numbers are a dash.

    Parameters
    ----------
    formats : mapping, optional
        Column → format as in `cell_text`.

    Examples
    --------
    >>> import pandas as pd
    >>> print(latex_text(pd.DataFrame({"a_b": ["x & y"], "n": [-1.5]}), {"n": "%.1f"}))
    \begin{tabular}{lr}
    \toprule
    a\_b & n \\
    \midrule
    x \& y & $-1.5$ \\
    \bottomrule
    \end{tabular}
    """
    head, *lines = _texts(table, formats, _latex)
    kinds = "".join("r" if name in _numbers(table) else "l" for name in table)
    import pandas as pd

    style = pd.DataFrame(lines, columns=head).style.hide(axis="index")
    return style.to_latex(column_format=kinds, hrules=True).rstrip()


def check_out(out: Path, source: Path | None = None, suffixes: Sequence[str] = SUFFIXES) -> Path:
    """Absolute path of a file to be written; InputError where it cannot be.

    What a process that was killed had begun to write of it is removed.

    Parameters
    ----------
    out : Path
        Its suffix, for a table one of ``settings.names.WRITTEN``, chooses the format.
    source : Path, optional
        File the table is made from, which must not be overwritten.
    suffixes : sequence of str
        Endings it may have.
    """
    out = Path(out).expanduser().absolute()
    if out.suffix.lower() not in suffixes:
        raise InputError(
            f"{out.name} does not end in {in_words(suffixes)}, which chooses the format; rename it."
        )
    if not out.parent.is_dir():
        raise InputError(f"The folder {out.parent} does not exist; make it first.")
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of a file.")
    if not os.access(out.parent, os.W_OK):
        raise InputError(f"The folder {out.parent} cannot be written to; choose another.")
    if source is not None and out.exists() and source.exists() and out.samefile(source):
        raise InputError(f"{out} is the input file; choose another name for the result.")
    clear_left(out.parent, out.name)
    return out


def _safe(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def _texts(
    table: pd.DataFrame, formats: Mapping[str, str] | None, escape: Callable[[str], str]
) -> list[tuple[str, ...]]:
    """Head and lines of a table as escaped text."""
    forms = formats or {}
    columns = [
        [escape(text) for text in (name, *(cell_text(one, forms.get(name, "")) for one in column))]
        for name, column in table.items()
    ]
    return list(zip(*columns, strict=True)) or [()]


def _numbers(table: pd.DataFrame) -> list[str]:
    return [name for name, column in table.items() if _is_number(column)]


def _is_number(column: pd.Series) -> bool:
    from pandas.api.types import is_numeric_dtype

    return is_numeric_dtype(column)


def _markdown(text: str) -> str:
    signs = r"([\\`*\[\]<>|]|(?<![^\W_])_|_(?![^\W_]))"  # "_" within a word is only itself
    return re.sub(signs, r"\\\1", " ".join(text.split()))


def _latex(text: str) -> str:
    text = " ".join(text.split())
    if re.fullmatch(r"[+-]\d.*", text):
        return f"${text}$"  # a minus, not a hyphen
    return text.translate(LATEX)
