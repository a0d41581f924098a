"""Words and numbers as the pages write them."""

from __future__ import annotations

import re

from redshift_core.constants import counted
from redshift_core.constants import size_text as size

__all__ = ["count", "counted", "escape", "size"]


def escape(text: str) -> str:
    """Text from a user (file, column and dataset names) as it stands, not as Markdown."""
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", text)  # bytes of a file's name that are no text
    return re.sub(r"([\\`*_{}\[\]()#+!|$~<>:])", r"\\\1", text)


def count(n: float) -> str:
    """Whole number with thousands separators."""
    return f"{int(n):,}"
