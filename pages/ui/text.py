"""Words and numbers as the pages write them."""

from __future__ import annotations

import re

from redshift_core.jobs.housekeeping import size_text


def escape(text: str) -> str:
    """Text from a user (file, column and dataset names) as it stands, not as Markdown."""
    return re.sub(r"([\\`*_{}\[\]()#+!|$~<>:])", r"\\\1", text)


def count(n: float) -> str:
    """Whole number with thousands separators."""
    return f"{int(n):,}"


def size(n_bytes: float) -> str:
    """Bytes as kB, MB or GB (powers of 1000)."""
    return size_text(n_bytes)
