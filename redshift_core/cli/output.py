"""What the command line prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import codecs
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from redshift_core.constants import MISSING, shown
from redshift_core.store import Folder

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")
]
GAP = "  "
SIMPLER = {"–": "-", "−": "-", "‘": "'", "’": "'"}  # for streams that cannot hold these


def simplified(error: UnicodeError) -> tuple[str, int]:
    """A character for each that a stream cannot hold, so that columns stay where they are."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(SIMPLER.get(sign, "?") for sign in signs), error.end


codecs.register_error("redshift_lab.simplified", simplified)


def prepare_streams() -> None:
    """Let stdout and stderr replace what they cannot hold, such as σ where they are latin-1.

    Where one is closed (``>&-``, a service without output), what goes there goes nowhere.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("r" if name == "stdin" else "w")  # noqa: SIM115
            setattr(sys, name, stream)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="redshift_lab.simplified")


def reader_left() -> None:
    """After a broken pipe: let nothing more be written, at the end of the process either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())


def _holds_all(stream: Any) -> bool:
    """Whether a stream can hold every character."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def emit(value: Any, text: str | Callable[[], str], as_json: bool) -> None:
    """Print a result: as JSON, or as text for people."""
    if as_json:
        escaped = not _holds_all(sys.stdout)  # JSON has its own way to write what is missing there
        print(json.dumps(_plain(value), ensure_ascii=escaped, indent=1, allow_nan=False))
    else:
        print(text() if callable(text) else text)
    sys.stdout.flush()


def say(sentence: str) -> None:
    """Print one line on stderr."""
    print(" ".join(sentence.split()), file=sys.stderr, flush=True)


def say_remarks(remarks: Iterable[Any]) -> None:
    """Print sentences with a ``level`` on stderr: errors in red, warnings in yellow."""
    colours = {"error": "red", "warning": "yellow"}
    for one in remarks:
        typer.secho(one.text, err=True, fg=colours.get(one.level))


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Aligned plain text, numbers to the right, None as a dash."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    right = [bool(column) and all(map(_is_number, column)) for column in zip(*cells, strict=True)]
    right = right or [False] * len(headers)
    lines = []
    for line in (list(headers), *cells):
        padded = [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(line, widths, right, strict=True)
        ]
        lines.append(GAP.join(padded).rstrip())
    return "\n".join(lines)


def damaged_lines(
    listed: Sequence[tuple[Folder, str]], keys: Sequence[str]
) -> list[dict[str, Any]]:
    """Lines of a list for the folders that cannot be used, with the reason as ``remark``.

    Parameters
    ----------
    listed : sequence of (Folder, str)
        Everything in a part of the store, and why it cannot be used: `Store.listed`.
    keys : sequence of str
        What the other lines of the list have.
    """
    nothing = dict.fromkeys(keys)
    return [
        {**nothing, "id": folder.id, "name": folder.name, "state": "damaged", "remark": why}
        for folder, why in listed
        if why
    ]


def listing(lines: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """Table of a list, and below it the remarks on single lines."""
    rows = [[line.get(key) for key in columns] for line in lines]
    said = [f"{line['id']}: {line['remark']}" for line in lines if line.get("remark")]
    return "\n".join([table([key.upper() for key in columns], rows), *said])


def flagged_text(flagged: dict[str, int]) -> str:
    """``3 nan_flux, 1 z_missing``, or ``none``."""
    return ", ".join(f"{n:,} {name}" for name, n in flagged.items() if n) or "none"


def _cell(value: Any) -> str:
    if value is None or isinstance(value, float):
        return shown(value, ".5f")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else " ".join(str(value).split())


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return text == MISSING
    return True


def _plain(value: Any) -> Any:
    """Value as JSON knows it: no NaN or infinity, no NumPy number."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
