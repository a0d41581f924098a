"""Words and numbers as the pages write them."""

from __future__ import annotations

import re


def escape(text: str) -> str:
    """Text from a user (file, column and dataset names) as it stands, not as Markdown."""
    return re.sub(r"([\\`*_{}\[\]()#+!|$~<>:])", r"\\\1", text)


def count(n: float) -> str:
    """Whole number with thousands separators."""
    return f"{int(n):,}"


def size(n_bytes: float) -> str:
    """Bytes as kB, MB or GB (powers of 1000)."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= scale:
            return f"{n_bytes / scale:.3g} {unit}"
    return f"{int(n_bytes)} bytes"
