"""Words and numbers as the pages write them."""

from __future__ import annotations

import re

from redshift_core.constants import size_text as size
from redshift_core.store.files import readable

__all__ = ["count", "escape", "size"]


def escape(text: str) -> str:
    """Text from a user (file, column and dataset names) as it stands, not as Markdown."""
    return re.sub(r"([\\`*_{}\[\]()#+!|$~<>:])", r"\\\1", readable(text))


def count(n: float) -> str:
    """Whole number with thousands separators."""
    return f"{int(n):,}"
