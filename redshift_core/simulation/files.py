"""Writes a simulated survey as CSV, gzipped CSV or Parquet, with the same bytes per seed.

The columns are ``source_id, z, flux_0 … flux_185``. Source ids are negative, and the metadata of a
Parquet file (key ``redshift_lab``) say that it is SIMULATED.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache as cached
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from redshift_core.constants import FLUX_UNIT, N_PIXELS
from redshift_core.errors import InputError
from redshift_core.simulation.survey import CHUNK, Block, Report, blocks, check_request
from redshift_core.simulation.table import VERSION
from redshift_core.store import atomic
from redshift_core.store.files import clear_left

SUFFIXES = (".csv", ".csv.gz", ".parquet")
COLUMNS = ("source_id", "z", *(f"flux_{pixel}" for pixel in range(N_PIXELS)))
METADATA_KEY = b"redshift_lab"
GROUP_ROWS = 8 * CHUNK  # rows of one Parquet row group
GZIP_LEVEL = 4  # takes half the time of level 6 and writes 3 % more bytes
TEXT_LIMIT = (-99_999, 999_999)  # thousandths of a flux whose text, with a comma, fits 8 bytes
HEAD_BYTES = 32  # room for source_id and z of a row


def write_survey(
    path: Path | str,
    n: int,
    seed: int,
    redshifts: str = "published",
    *,
    report: Report | None = None,
    cache: Path | None = None,
) -> Path:
    """Write a SIMULATED survey; the suffix determines the format.

    Parameters
    ----------
    path : file to write, ``.csv``, ``.csv.gz`` or ``.parquet``; replaced if it exists
    n, seed, redshifts, cache, report : see ``blocks``

    Raises
    ------
    InputError
        If the suffix is unknown, the folder is missing or the survey cannot be simulated.
    """
    path = Path(path)
    suffix = next((s for s in reversed(SUFFIXES) if path.name.lower().endswith(s)), None)
    if suffix is None:
        raise InputError(f"{path.name} has none of the endings {', '.join(SUFFIXES)}; choose one.")
    check_request(n, seed, redshifts)
    if not path.parent.is_dir():
        raise InputError(f"The folder {path.parent} does not exist; create it or choose another.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give a file name.")
    clear_left(path.parent, path.name)
    found = blocks(n, seed, redshifts, cache=cache, block_rows=GROUP_ROWS, report=report)
    with atomic(path) as part:
        if suffix == ".parquet":
            _write_parquet(part, found, survey_metadata(n, seed, redshifts))
        else:
            with _opened(part, suffix) as file:
                _write_csv(file, found)
    return path


def survey_metadata(n: int, seed: int, redshifts: str) -> dict[str, Any]:
    """Metadata of a simulated file."""
    return {
        "simulated": True,
        "seed": seed,
        "n": n,
        "redshifts": redshifts,
        "simulator_version": VERSION,
        "unit": FLUX_UNIT,
    }


def _write_parquet(path: Path, found: Iterator[Block], metadata: dict[str, Any]) -> None:
    schema = pa.schema(
        [("source_id", pa.int64()), ("z", pa.float64())]
        + [(name, pa.float32()) for name in COLUMNS[2:]],
        metadata={METADATA_KEY: json.dumps(metadata).encode()},
    )
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        for block in found:
            columns = [block.source_id, block.z, *np.ascontiguousarray(block.flux.T)]
            arrays = [pa.array(column) for column in columns]
            table = pa.Table.from_arrays(arrays, schema=schema)
            writer.write_table(table, row_group_size=GROUP_ROWS)


@contextmanager
def _opened(path: Path, suffix: str) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if suffix == ".csv":
            yield file
        else:  # no name or time in the header, so that the same survey gives the same bytes
            with gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as packed:
                yield packed  # type: ignore[misc]


def _write_csv(file: BinaryIO, found: Iterator[Block]) -> None:
    file.write((",".join(COLUMNS) + "\n").encode())
    for block in found:
        for start in range(0, len(block.z), CHUNK):
            rows = slice(start, start + CHUNK)
            file.write(_csv_text(Block(block.source_id[rows], block.z[rows], block.flux[rows])))


def _csv_text(block: Block) -> bytes:
    """CSV lines of a block: each flux with three decimals, each z with seven.

    The text of every flux is looked up in a list of texts padded with NUL. Removing the NULs joins
    the line. This is twenty times as fast as formatting the numbers one by one.
    """
    heads = [
        b"%d,%.7f" % pair for pair in zip(block.source_id.tolist(), block.z.tolist(), strict=True)
    ]
    thousandths = np.rint(block.flux.astype(np.float64) * 1000).astype(np.int64)
    low, high = TEXT_LIMIT
    if thousandths.min() < low or thousandths.max() > high:
        lines = (
            head + b"".join(b",%.3f" % (value / 1000) for value in row) + b"\n"
            for head, row in zip(heads, thousandths.tolist(), strict=True)
        )
        return b"".join(lines)
    n = len(heads)
    text = np.empty((n, HEAD_BYTES + 8 * N_PIXELS + 1), dtype=np.uint8)
    text[:, :HEAD_BYTES] = np.array(heads, dtype=f"S{HEAD_BYTES}").view(np.uint8).reshape(n, -1)
    text[:, HEAD_BYTES:-1] = _texts()[thousandths - low].view(np.uint8).reshape(n, -1)
    text[:, -1] = ord("\n")
    return text.tobytes().translate(None, b"\0")


@cached
def _texts() -> NDArray[np.bytes_]:
    """Texts of all thousandths inside TEXT_LIMIT, after a comma, padded with NUL to 8 bytes."""
    low, high = TEXT_LIMIT
    return np.array([b",%.3f" % (value / 1000) for value in range(low, high + 1)], dtype="S8")
