"""Spectra in memory, and the flags that say what is wrong with a row.

Nothing is dropped: a row with a fault keeps its place and carries a bit for each fault, so that the
user sees how many there are and training can leave them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import FLAGS, N_BP, Z_MAX, Z_MIN
from redshift_core.data.sentinels import has_sentinel

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FLAG_TEXT: dict[str, str] = {
    "nan_flux": "At least one flux is missing or not a number.",
    "infinite_flux": "At least one flux is infinite.",
    "zero_flux": "Every flux is zero.",
    "z_missing": "The redshift is missing.",
    "z_out_of_range": f"The redshift lies outside [{Z_MIN:g}, {Z_MAX:g}].",
    "duplicate_id": "An earlier row has the same source_id.",
    "sentinel_flux": (
        "At least one flux is a number that stands for a missing value, such as 1e20 or −999, or "
        "lies orders of magnitude from the others."
    ),
    "repeated_spectrum": "An earlier row has the same spectrum, byte by byte.",
}
BAD_FLUX = sum(  # no use to any model
    FLAGS[name] for name in ("nan_flux", "infinite_flux", "zero_flux", "sentinel_flux")
)


@dataclass(frozen=True)
class Spectra:
    """Some rows of a file, as read."""

    flux: NDArray[np.float32]  # (n, 186), unit of the file, BP then RP
    z_spec: NDArray[np.float64]  # (n,), NaN where unknown
    source_id: NDArray[np.int64]  # (n,), the row number where the file has none
    row: NDArray[np.int64]  # (n,), position in the file, from 0
    known_id: NDArray[np.bool_]  # (n,), False where the row number stands in for the id
    other: pa.Table | None = None  # n rows of the file's further columns
    has_ids: bool = True  # whether the file has a column of ids

    def __len__(self) -> int:
        return len(self.row)

    def own_ids(self) -> dict[str, np.ma.MaskedArray]:
        """Ids that the file gives, masked where it gives none; empty where it has no such column.

        Row numbers never leave the product as ids.
        """
        if not self.has_ids:
            return {}
        return {"source_id": np.ma.array(self.source_id, mask=~self.known_id)}


def without_row_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """A catalogue's lines as they leave the product: no row number stands as ``source_id``.

    Inside the product a row without an id has its row number for one. Such an id becomes missing,
    and the column is left out where nothing else is in it.

    Examples
    --------
    >>> import pandas as pd
    >>> without_row_numbers(pd.DataFrame({"row": [0, 1], "source_id": [0, 1]})).columns.tolist()
    ['row']
    """
    stands_in = table["source_id"] == table["row"]
    if stands_in.all() and len(table):
        return table.drop(columns="source_id")
    if not stands_in.any():
        return table
    return table.assign(source_id=table["source_id"].astype("Int64").mask(stands_in))


def ids_as_text(table: pd.DataFrame) -> pd.DataFrame:
    """A table to be shown, whose ``source_id``, if any, is text: a browser's numbers end at 2^53.

    >>> import pandas as pd
    >>> ids_as_text(pd.DataFrame({"source_id": pd.array([7, None], "Int64")})).source_id.tolist()
    ['7', '']
    """
    if "source_id" not in table:
        return table
    return table.assign(source_id=table["source_id"].astype("string").fillna(""))


def flag_names(bits: int) -> list[str]:
    """Names of the flags set in one row's bits.

    >>> flag_names(5)
    ['nan_flux', 'zero_flux']
    """
    return [name for name, bit in FLAGS.items() if bits & bit]


def brightness(flux: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean flux of each spectrum, shape (n,), in the unit of the flux; NaN or inf where it is."""
    with np.errstate(invalid="ignore"):
        return flux.mean(axis=1, dtype=np.float64)


def band_sums(flux: NDArray[np.floating]) -> NDArray[np.float64]:
    """Flux in BP and in RP of each spectrum (n, 186), shape (2, n), in the unit of the flux."""
    bands = (flux[:, :N_BP], flux[:, N_BP:])
    with np.errstate(invalid="ignore"):
        return np.array([band.sum(axis=1, dtype=np.float64) for band in bands])


def flag_rows(
    flux: NDArray[np.float32],
    z_spec: NDArray[np.float64] | None = None,
    mean: NDArray[np.float64] | None = None,
) -> NDArray[np.uint16]:
    """Bits of FLAGS for each row, duplicates aside, shape (n,).

    Parameters
    ----------
    flux : array, shape (n, 186)
    z_spec : array, shape (n,), optional
        Redshift, NaN where missing; without it redshifts are not judged.
    mean : array, shape (n,), optional
        ``brightness(flux)`` where it is at hand.
    """
    mean = brightness(flux) if mean is None else mean
    bits = np.zeros(len(flux), np.uint16)
    odd = np.flatnonzero(~np.isfinite(mean))  # only these can hold a NaN or an infinity
    bits[odd[np.isnan(flux[odd]).any(axis=1)]] |= FLAGS["nan_flux"]
    bits[odd[np.isinf(flux[odd]).any(axis=1)]] |= FLAGS["infinite_flux"]
    null = np.flatnonzero(mean == 0)
    bits[null[~flux[null].any(axis=1)]] |= FLAGS["zero_flux"]
    bits[has_sentinel(flux)] |= FLAGS["sentinel_flux"]
    if z_spec is not None:
        missing = np.isnan(z_spec)
        bits[missing] |= FLAGS["z_missing"]
        bits[~missing & ~((z_spec >= Z_MIN) & (z_spec <= Z_MAX))] |= FLAGS["z_out_of_range"]
    return bits
