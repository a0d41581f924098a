"""A dataset of the store, opened: fluxes memory-mapped, catalogue read when it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import FLAGS
from redshift_core.data.incumbent import read_incumbent
from redshift_core.errors import DamagedError, InputError
from redshift_core.store import DatasetFolder, damage, reading
from redshift_core.store.arrays import open_array, read_columns, read_lines

if TYPE_CHECKING:
    import pandas as pd

_HARD = sum(  # training cannot use them
    FLAGS[name] for name in ("nan_flux", "infinite_flux", "z_missing", "sentinel_flux")
)


@dataclass(frozen=True)
class Dataset:
    """Spectra and their catalogue; rows are positions, 0 … n − 1."""

    folder: DatasetFolder

    @property
    def id(self) -> str:
        """Folder name."""
        return self.folder.id

    @property
    def name(self) -> str:
        """Name the user gave, else the file's."""
        return self.folder.name

    @property
    def info(self) -> dict[str, Any]:
        """Content of ``dataset.json``: counts, flags, unit, warnings, SIMULATED mark."""
        return self.folder.info

    @property
    def galaxies(self) -> str | None:
        """Mark of its galaxies; see `galaxies_of`."""
        return galaxies_of(self.info)

    @cached_property
    def flux(self) -> NDArray[np.float32]:
        """Raw flux, shape (n, 186), e⁻ s⁻¹ per pixel; read-only, mapped from disk."""
        return open_array(self.folder.flux_path)

    @cached_property
    def catalogue(self) -> pd.DataFrame:
        """One line a row: row, source_id, z_spec, brightness, flags, the file's other columns."""
        import pandas as pd

        with reading(self.folder.catalogue_path):
            return pd.read_parquet(self.folder.catalogue_path)

    @cached_property
    def z_spec(self) -> NDArray[np.float64]:
        """Spectroscopic redshift, shape (n,), NaN where unknown."""
        return self._column("z_spec")

    @cached_property
    def source_id(self) -> NDArray[np.int64]:
        """Source id, shape (n,); the row number where the file has none."""
        return self._column("source_id")

    @cached_property
    def brightness(self) -> NDArray[np.float64]:
        """Mean flux, shape (n,), e⁻ s⁻¹ per pixel."""
        return self._column("brightness")

    @cached_property
    def flags(self) -> NDArray[np.uint16]:
        """Bits of ``FLAGS``, shape (n,)."""
        return self._column("flags")

    @cached_property
    def incumbent(self) -> dict[str, NDArray[np.float64]]:
        """Gaia's own redshift and its limits; see `read_incumbent`. Empty where not known."""
        return read_incumbent(self.folder.catalogue_path)

    def __len__(self) -> int:
        return len(self.flux)

    def usable_rows(self, include_flagged: bool = False) -> NDArray[np.int64]:
        """Rows fit for training, ascending, int64.

        Parameters
        ----------
        include_flagged : bool
            Also rows that were flagged but whose flux and redshift are finite, without sentinels.
        """
        fit = (self.flags & _HARD) == 0 if include_flagged else self.flags == 0
        return np.flatnonzero(fit & np.isfinite(self.z_spec))

    def lines(self, rows: NDArray[np.int64]) -> pd.DataFrame:
        """Catalogue lines of some rows, in their order; nothing is kept in memory."""
        return read_lines(self.folder.catalogue_path, rows)

    def _column(self, name: str) -> NDArray[Any]:
        return read_columns(self.folder.catalogue_path, [name])[name]


def galaxies_of(info: Mapping[str, Any]) -> str | None:
    """SHA-256 of the file that a dataset's galaxies came from, also where its spectra were moved.

    Datasets that share it hold the same galaxies in the same rows, so the test rows of a run on one
    are those that it has not seen of the other.

    Parameters
    ----------
    info : mapping
        ``dataset.json``, or what a run remembers of its dataset.
    """
    return info.get("adapted", {}).get("galaxies") or info.get("sha256")


def open_dataset(folder: DatasetFolder) -> Dataset:
    """Dataset in a folder of the store."""
    if not folder.flux_path.exists():
        raise InputError(f"There is no dataset in {folder.path}; ingest the file again.")
    if why := damage(folder):
        raise DamagedError(why)
    return Dataset(folder)
