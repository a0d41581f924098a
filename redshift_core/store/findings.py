"""What ingest found in a file, in sentences: page, command line and JSON say the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def findings(info: Mapping[str, Any]) -> list[str]:
    """Sentences on a dataset, by its ``dataset.json``: what was taken for what, then warnings.

    Examples
    --------
    >>> columns = {"z": "z", "source_id": None, "flux_first": "flux_0", "flux_last": "flux_185"}
    >>> info = {"columns_found": columns, "unit": "e⁻ s⁻¹ per pixel", "warnings": ["Odd."]}
    >>> for sentence in findings(info):
    ...     print(sentence)  # doctest: +ELLIPSIS
    Taken: z as the redshift; ... flux_0 … flux_185 as the fluxes in e⁻ s⁻¹ per pixel.
    Odd.
    """
    return [*filter(None, [_taken(info)]), *info.get("warnings", [])]


def _taken(info: Mapping[str, Any]) -> str:
    columns = info.get("columns_found")
    if not columns:
        return ""
    z, source_id = columns.get("z"), columns.get("source_id")
    parts = [
        f"{z} as the redshift" if z else "no redshift",
        f"{source_id} as the source id" if source_id else "no source id, so rows are numbered",
        f"{columns['flux_first']} … {columns['flux_last']} as the fluxes in {info['unit']}",
    ]
    if others := columns.get("other"):
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        parts.append(f"{', '.join(others[:5])}{more} beside them")
    if units := columns.get("units"):
        parts.append(f"the row without numbers below the names ({units} …) as units")
    return f"Taken: {'; '.join(parts)}."
