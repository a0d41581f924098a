"""Small tables of spectra, written the way users write them."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import Table
from pyarrow import feather

PIXELS = [f"flux_{k}" for k in range(186)]
IDS = np.array([4611686018427387905, 4611686018427387907, 1234567890123456789, 7, 8, 9])


def spectra(n: int = 6, n_pixels: int = 186, seed: int = 0) -> np.ndarray:
    """Fluxes with three decimals, shape (n, n_pixels), some of them negative."""
    noise = np.random.default_rng(seed).normal(0, 1, (n, n_pixels))
    return np.round(5 * np.abs(np.sin(np.linspace(0.1, 6, n_pixels))) + noise, 3)


def redshifts(n: int = 6) -> np.ndarray:
    """Redshifts up to 0.6, with seven decimals."""
    return np.append(np.round(np.linspace(0.1234567, 0.5432101, n - 1), 7), 0.6)


def rows(*columns: np.ndarray) -> list[list[str]]:
    """Columns or matrices side by side, as text."""
    blocks = [np.asarray(c) if np.ndim(c) == 2 else np.asarray(c)[:, None] for c in columns]
    return [
        [str(value) for row in parts for value in row.tolist()]
        for parts in zip(*blocks, strict=True)
    ]


def write(
    path: Path, header: list[str] | None, body: list[list[str]], delimiter: str = ","
) -> Path:
    """Write a table as text, compressed where the name ends in .gz."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows([header, *body] if header is not None else body)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def survey(path: Path, n: int = 6) -> Path:
    """Table with the dissertation's columns; beyond 500 rows the fluxes repeat."""
    return write(path, ["z", *PIXELS], many_rows(redshifts(n)))


def many_rows(z: np.ndarray, cycle: int = 500) -> list[list[str]]:
    """Rows of the dissertation's form whose fluxes repeat, which makes text of them quickly."""
    fluxes = rows(spectra(min(len(z), cycle)))
    return [[str(one), *fluxes[k % cycle]] for k, one in enumerate(z.tolist())]


def arrow(flux: np.ndarray, z: np.ndarray | None, ids: np.ndarray) -> pa.Table:
    """The three as an Arrow table."""
    known = {} if z is None else {"z": z}
    return pa.table({"source_id": ids, **known, **dict(zip(PIXELS, flux.T, strict=False))})


def write_text(path: Path, flux: np.ndarray, z: np.ndarray | None, ids: np.ndarray) -> None:
    """The three as text, compressed where the name ends in .gz."""
    known = {} if z is None else {"z": z}
    columns = (ids, *known.values(), flux)
    write(path, ["source_id", *known, *PIXELS[: flux.shape[1]]], rows(*columns))


def astropy_table(flux: np.ndarray, z: np.ndarray | None, ids: np.ndarray) -> Table:
    """The three as a table of astropy's, the fluxes as one column of arrays."""
    known = {} if z is None else {"z": z}
    return Table({"source_id": ids, **known, "flux": flux})


def write_zip(path: Path, *columns: np.ndarray | None) -> None:
    """A CSV file in a folder, packed as Finder does."""
    inner = path.with_name(f"{path.stem}-inside.csv")
    write_text(inner, *columns)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "survey/table.csv")
        for name in ("survey/", "survey/.DS_Store", "__MACOSX/survey/._table.csv"):
            archive.writestr(name, "" if name.endswith("/") else "attributes")
    inner.unlink()


WRITERS: dict[str, Callable[[Path, np.ndarray, np.ndarray | None, np.ndarray], None]] = {
    "csv": write_text,
    "csv.gz": write_text,
    "parquet": lambda path, *columns: pq.write_table(arrow(*columns), path),
    "feather": lambda path, *columns: feather.write_feather(arrow(*columns), str(path)),
    "fits": lambda path, *columns: astropy_table(*columns).write(path, format="fits"),
    "votable": lambda path, *columns: astropy_table(*columns).write(
        path, format="votable", tabledata_format="binary2"
    ),
    "ecsv": lambda path, *columns: astropy_table(*columns).write(path, format="ascii.ecsv"),
    "zip": write_zip,
}
