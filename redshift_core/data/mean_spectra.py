"""The columns of Gaia's XP_CONTINUOUS in a table, and the fluxes made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS
from redshift_core.data.array_cells import is_text, lengths_of, lists_of, numbers_of, plain
from redshift_core.data.cells import bare
from redshift_core.data.coefficients import BANDS, Converter, Group
from redshift_core.errors import InputError

OF_THE_FIT = (  # what stands beside the coefficients of each band
    "basis_function_id", "degrees_of_freedom", "n_parameters", "n_measurements",
    "n_rejected_measurements", "standard_deviation", "chi_squared", "coefficients",
    "coefficient_errors", "coefficient_correlations", "coefficient_covariances",
    "n_relevant_bases", "relative_shrinking",
)  # fmt: skip
MADE_FLUX = [f"flux_{k}" for k in range(N_PIXELS)]  # columns that the table shows instead


@dataclass(frozen=True)
class MeanSpectra:
    """Where the coefficients of mean spectra stand in a table."""

    file: str
    coefficients: dict[str, str]  # band → column
    basis_ids: dict[str, str | None]  # band → column; None where the table has none

    @classmethod
    def find(cls, file: str, names: list[str]) -> MeanSpectra | None:
        """Columns of mean spectra among others, by name in any case; None where there are none."""
        known = {name.strip().lower(): name for name in names}
        coefficients = {band: known.get(f"{band}_coefficients") for band in BANDS}
        if not any(coefficients.values()) or MADE_FLUX[0] in known:
            return None
        for band, name in coefficients.items():
            if name is None:
                raise InputError(
                    f"{file} has coefficients of one band only and no {band}_coefficients; "
                    "expected both, as in the archive's XP_CONTINUOUS."
                )
        ids = {band: known.get(f"{band}_basis_function_id") for band in BANDS}
        return cls(file, coefficients, ids)

    @property
    def names(self) -> list[str]:
        """Columns of the file that the fluxes are made of."""
        return [*self.coefficients.values(), *filter(None, self.basis_ids.values())]

    @staticmethod
    def describes_fit(name: str) -> bool:
        """Whether a column belongs to the mean spectra and says nothing about the source."""
        band, _, rest = name.strip().lower().partition("_")
        return (band in BANDS and rest in OF_THE_FIT) or name.strip().lower() == "solution_id"

    def flux(self, batch: pa.RecordBatch, converter: Converter) -> NDArray[np.float32]:
        """Fluxes of the rows, shape (n, 186), e⁻ s⁻¹ per pixel; NaN where a band is missing."""
        try:
            groups = {band: list(self._groups(batch, band, converter)) for band in BANDS}
            return converter.flux(groups, batch.num_rows)
        except InputError as error:
            raise InputError(f"{self.file}: {error}") from None

    def _groups(self, batch: pa.RecordBatch, band: str, converter: Converter) -> Iterator[Group]:
        """Rows of a band that share basis functions and the number of coefficients."""
        try:
            lists = lists_of(batch.column(self.coefficients[band]))
        except pa.ArrowException:
            raise InputError(
                f"a cell of {self.coefficients[band]} is not an array of numbers such as "
                "(1.0, 2.0); export the table again."
            ) from None
        lengths, values = lengths_of(lists), numbers_of(lists)
        ids, starts = self._ids(batch, band, converter), np.cumsum(lengths) - lengths
        pairs = set(zip(ids.tolist(), lengths.tolist(), strict=True))
        for basis_id, n in sorted(pair for pair in pairs if pair[1]):
            converter.check(band, basis_id, n)
            rows = np.flatnonzero((ids == basis_id) & (lengths == n))
            whole = len(pairs) == 1
            places = slice(None) if whole else (starts[rows, None] + np.arange(n)).ravel()
            yield Group(rows, basis_id, values[places].reshape(-1, n))

    def _ids(self, batch: pa.RecordBatch, band: str, converter: Converter) -> NDArray[np.int64]:
        """Ids of the basis functions of each row, −1 where they are missing."""
        name = self.basis_ids[band]
        if name is None:
            return np.full(batch.num_rows, converter.id_without_column(band))
        column = plain(batch.column(name))
        try:
            column = (bare(column) if is_text(column) else column).cast(pa.int64(), safe=False)
        except pa.ArrowException:
            raise InputError(f"{name} holds {column.type}; expected whole numbers.") from None
        return pc.fill_null(column, -1).to_numpy()
