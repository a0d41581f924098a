"""The files by which a folder of Parquet parts is a HATS catalogue: HEALPix cells of the sky.

Its leaves stand in ``dataset/Norder=…/Dir=…/Npix=….parquet``; the rest says what they are: the
properties, the list of the cells, and Parquet's own files with the schema and every row group.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from redshift_core.store.files import atomic, write_text

DATASET = "dataset"  # folder of the leaves
PROPERTIES = ("hats.properties", "properties")  # the newer name first; a catalogue may have both
PLACE = ("_healpix_29", "Norder", "Dir", "Npix")  # columns that place a row in a cell
POSITION = ("hats_col_ra", "hats_col_dec", "hats_col_healpix")  # properties that name columns
OF_OTHER_COLUMNS = (  # properties that do not hold for a catalogue with other columns
    "hats_cols_default", "hats_cols_sort", "hats_cols_survey_id", "hats_estsize", "hats_max_bytes",
    "hats_skymap_order", "hats_skymap_alt_orders",
)  # fmt: skip
COPIED = ("partition_info.csv",)


def hats_properties(root: Path) -> dict[str, str]:
    """Properties of a HATS catalogue; empty for any other folder."""
    path = next((root / name for name in PROPERTIES if (root / name).is_file()), None)
    if path is None or not (root / DATASET).is_dir():
        return {}
    return dict(_pairs(path))


def kept_columns(root: Path) -> tuple[str, ...]:
    """Columns of a catalogue that stay in a table made of it, row by row, where it has them."""
    found = hats_properties(root)
    named = (found[key] for key in POSITION if found.get(key))
    return tuple(dict.fromkeys([*PLACE, *named]))


def make_hats(source: Path, out: Path, leaves: Iterable[str], n_rows: int, builder: str) -> None:
    """Complete a folder whose leaves were made of those of a HATS catalogue, with the same names.

    Parameters
    ----------
    leaves : iterable of str
        Paths of the leaves below ``out``.
    n_rows : int
        Rows of all of them.
    builder : str
        Program that made them.
    """
    import pyarrow.parquet as pq

    dataset, groups, schema = out / DATASET, [], None
    wants_groups = (source / DATASET / "_metadata").is_file()
    for leaf in leaves:
        if schema is None:
            schema = pq.read_schema(out / leaf)
        if not wants_groups:
            break
        groups.append(pq.read_metadata(out / leaf))
        groups[-1].set_file_path((out / leaf).relative_to(dataset).as_posix())
    with atomic(dataset / "_common_metadata") as part:
        pq.write_metadata(schema, part)
    if wants_groups:
        with atomic(dataset / "_metadata") as part:
            pq.write_metadata(schema, part, groups)
    for name in COPIED:
        if (source / name).is_file():
            with atomic(out / name) as part:
                shutil.copyfile(source / name, part)
    for name in PROPERTIES:
        if (source / name).is_file():
            values = {k: v for k, v in _pairs(source / name) if k not in OF_OTHER_COLUMNS}
            values["obs_collection"] = f"{values.get('obs_collection', source.name)}_redshifts"
            values |= {"hats_nrows": str(n_rows), "hats_builder": builder}
            write_text(out / name, "".join(f"{k}={v}\n" for k, v in values.items()))


def _pairs(path: Path) -> list[tuple[str, str]]:
    """Names and values of a file of properties, in its order."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and line.lstrip()[:1] != "#")
    return [(name.strip(), value.strip()) for name, _, value in pairs]
