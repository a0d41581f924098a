"""Words and numbers as the pages write them."""

from __future__ import annotations

import re

from redshift_core.constants import counted
from redshift_core.constants import size_text as size

__all__ = ["count", "counted", "escape", "size"]

_COMMAND = re.compile(r"(`(?:redshift-lab|dask|pip) [^`]+`)")


def escape(text: str) -> str:
    """Text that may hold names of a user's (files, columns) as it stands, not as Markdown.

    A command between back-ticks, as in messages, is set as code.
    """
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", text)  # bytes of a file's name that are no text
    parts = _COMMAND.split(text)
    parts[::2] = [re.sub(r"([\\`*_{}\[\]()#+!|$~<>:])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def count(n: float) -> str:
    """Whole number with thousands separators."""
    return f"{int(n):,}"
