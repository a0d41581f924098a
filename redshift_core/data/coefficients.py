"""Mean spectra as Gaia's archive gives them, coefficients of basis functions, become 186 fluxes.

A BP or RP mean spectrum is h(u) = Σ cₙ φₙ(u), in e⁻ s⁻¹ per unit of the pseudo-wavelength u. The
flux of a pixel is its integral over the pixel, as Gaia's SMSgen computes it, so 186 fluxes are one
matrix product. Basis functions are chosen by the ``basis_function_id`` that stands beside the
coefficients, and by their number; whatever else a release uses is refused, or given with
``bases=FILE``.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS, FloatArray, pixel_grid
from redshift_core.data.bases import PIXELS, hermite_functions
from redshift_core.data.sampling import read_sampling
from redshift_core.errors import InputError

BANDS = ("bp", "rp")
RESOURCE = "xp_bases.npz"  # made by scripts/condense_inputs.py
N_INSIDE = 4  # Gauss–Legendre nodes inside a pixel: exact to 1e-9 of the peak


@dataclass(frozen=True)
class Basis:
    """Basis functions of the mean spectra of one band."""

    band: str  # bp or rp
    id: int  # as in the column ``{band}_basis_function_id``
    n: int  # functions
    values: Callable[[FloatArray], FloatArray]  # u (m,) → (n, m)

    def design(
        self, u: FloatArray, width: FloatArray, n_inside: int = N_INSIDE
    ) -> NDArray[np.float64]:
        """Integral of each function over each pixel, shape (n, n_pixels).

        Parameters
        ----------
        u, width : array, shape (n_pixels,)
            Centre and width of the pixels, in pseudo-wavelength.
        n_inside : int
            Gauss–Legendre nodes inside a pixel; 1 gives value × width.
        """
        node, weight = np.polynomial.legendre.leggauss(n_inside)
        points = u[:, None] + 0.5 * width[:, None] * node
        values = self.values(points.ravel()).reshape(self.n, len(u), n_inside)
        return values @ (0.5 * weight) * width


class Converter:
    """Turns coefficients into fluxes, each row by the basis functions that it names.

    Parameters
    ----------
    bases : Path, optional
        Configuration of basis functions in the form of GaiaXPy's XML files, in place of DR3's.
    sampling : Path, optional
        Table of the wavelengths of the pixels, in place of the grid of `constants.pixel_grid`; see
        `sampling.read_sampling`.
    """

    def __init__(self, bases: Path | None = None, sampling: Path | None = None):
        self._given = bases is not None
        known = read_bases(bases) if bases else packaged_bases()
        self._bases = {(basis.band, basis.id): basis for basis in known}
        self._grid = read_sampling(sampling) if sampling else pixel_grid()
        self._designs: dict[tuple[str, int], NDArray[np.float64]] = {}

    def design(self, band: str, basis_id: int) -> NDArray[np.float64]:
        """Matrix that turns coefficients into the fluxes of a band, shape (n, n_pixels)."""
        key = (band, basis_id)
        if key not in self._designs:
            u, width = (grid[PIXELS[band]] for grid in self._grid)
            self._designs[key] = self._bases[key].design(u, width)
        return self._designs[key]

    def id_without_column(self, band: str) -> int:
        """Id of the functions of a band in a table that does not name them.

        Raises
        ------
        InputError
            Unless the user gave one set of functions.
        """
        ids = [basis_id for one, basis_id in self._bases if one == band]
        if len(ids) == 1 and self._given:
            return ids[0]
        raise InputError(
            f"there is no column {band}_basis_function_id, which says what the coefficients "
            "belong to; export it, too, or give the basis functions with --bases FILE."
        )

    def flux(self, groups: dict[str, list[Group]], n: int) -> NDArray[np.float32]:
        """Fluxes of ``n`` spectra, shape (n, 186), e⁻ s⁻¹ per pixel; NaN in a band without any.

        Parameters
        ----------
        groups : dict
            Band → rows that share basis functions.

        Raises
        ------
        InputError
            If basis functions are not known.
        """
        flux = np.full((n, N_PIXELS), np.nan, np.float32)
        for band, some in groups.items():
            for group in some:
                self.check(band, group.basis_id, group.coefficients.shape[1])
                flux[group.rows, PIXELS[band]] = group.coefficients @ self.design(
                    band, group.basis_id
                )
        return flux

    def check(self, band: str, basis_id: int, n: int) -> None:
        """InputError where a number of coefficients belongs to no known basis functions."""
        basis = self._bases.get((band, basis_id))
        if basis is not None and basis.n == n:
            return
        known = " and ".join(
            f"{one.n} functions of {one.band}_basis_function_id {one.id}"
            for one in self._bases.values()
        )
        raise InputError(
            f"a spectrum has {n} {band} coefficients of {band}_basis_function_id {basis_id}; known "
            f"are {known}. Give the basis functions of that release with --bases FILE (GaiaXPy's "
            "XML), or update Redshift Lab."
        )


@dataclass(frozen=True)
class Group:
    """Rows of one band whose coefficients belong to the same basis functions."""

    rows: NDArray[np.int64]  # (m,)
    basis_id: int
    coefficients: NDArray[np.float64]  # (m, n)


def flux_errors(
    design: NDArray[np.float64],
    errors: NDArray[np.floating],
    correlations: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Errors of fluxes of one band, shape (n_sources, n_pixels), e⁻ s⁻¹ per pixel.

    Parameters
    ----------
    design : array, shape (n, n_pixels)
        As `Converter.design` gives it.
    errors : array, shape (n_sources, n)
        Column ``{band}_coefficient_errors``; they include the standard deviation already.
    correlations : array, shape (n_sources, n (n − 1) / 2)
        Column ``{band}_coefficient_correlations``: the upper triangle without its diagonal, column
        by column.
    """
    n = len(design)
    below = np.tril_indices(n, -1)
    result = np.empty((len(errors), design.shape[1]))
    for row, (error, correlation) in enumerate(zip(errors, correlations, strict=True)):
        matrix = np.eye(n)
        matrix[below] = correlation
        matrix.T[below] = correlation
        scaled = design * np.asarray(error, np.float64)[:, None]
        result[row] = np.sqrt(np.einsum("np,np->p", scaled, matrix @ scaled))
    return result


def packaged_bases() -> list[Basis]:
    """The basis functions of Gaia DR3: Hermite functions, turned by a matrix."""
    with (files("redshift_core") / "resources" / RESOURCE).open("rb") as file:
        arrays = dict(np.load(file))
    return [
        _hermite(band, int(arrays[f"{band}_id"]), arrays[f"{band}_range"], arrays[f"{band}_matrix"])
        for band in BANDS
    ]


def read_bases(path: Path) -> list[Basis]:
    """Basis functions in a configuration of GaiaXPy: Hermite functions or B-splines.

    Raises
    ------
    InputError
        If the file holds no such configuration.
    """
    try:
        root = ElementTree.parse(path).getroot()
        bases = list(_configured(root))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
    except (ElementTree.ParseError, ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{path.name} is no configuration of basis functions ({error}).") from None
    if sorted(basis.band for basis in bases) != list(BANDS):
        raise InputError(
            f"{path.name} holds no hermiteFunction or spline with a bpConfig and an rpConfig; "
            "expected a configuration of GaiaXPy's, such as OptimisedCalibratedBases….xml."
        )
    return bases


def _configured(root: ElementTree.Element) -> Iterator[Basis]:
    for band in BANDS:
        for node in root.iter(f"{band}Config"):
            basis_id = int(node.findtext("uniqueId"))
            if (knots := node.find("knots")) is not None:
                positions = np.array([float(value.text) for value in knots])
                yield _spline(band, basis_id, positions, int(node.findtext("order")))
            else:
                limits = [node.find("range"), node.find("normalizedRange")]
                ends = [float(limit.get(end)) for limit in limits for end in ("from", "to")]
                n = int(node.findtext("dimension"))
                matrix = [float(value.text) for value in node.find("transformationMatrix")]
                yield _hermite(band, basis_id, np.array(ends), np.reshape(matrix, (-1, n)))


def _hermite(band: str, basis_id: int, ends: FloatArray, matrix: FloatArray) -> Basis:
    """Hermite functions, turned by a matrix, of u stretched from ``ends[:2]`` to ``ends[2:]``."""
    low, high, low_x, high_x = ends

    def values(u: FloatArray) -> FloatArray:
        x = low_x + (u - low) * (high_x - low_x) / (high - low)
        return matrix @ hermite_functions(x, matrix.shape[1])

    return Basis(band, basis_id, len(matrix), values)


def _spline(band: str, basis_id: int, knots: FloatArray, order: int) -> Basis:
    """B-splines of an order (4: cubic) on knots whose ends are repeated."""
    from scipy.interpolate import BSpline

    def values(u: FloatArray) -> FloatArray:
        inside = np.clip(u, knots[order - 1], knots[-order])
        return BSpline.design_matrix(inside, knots, order - 1).toarray().T

    return Basis(band, basis_id, len(knots) - order, values)
