"""How spectra depart from the training spectra where those hold next to nothing.

The kinds of `Coverage` look at the strongest dozen components of a spectrum; a network looks at all
of them. What Gaia's bases can make of a spectrum (`bases.projection`, 77 numbers) is therefore
freed of its correlations, so that a component that hardly varies in training counts as much as the
strongest, down to `FLOOR`. Three numbers come of it, each relative to the mean flux:

*span*   root mean square of the 77: noise that spectra of this brightness do not have
*shift*  the same along the four directions in which a band moved by a pixel leaves the training
         spectra: another pixel grid or line spread, which 77 numbers would drown
*rest*   root mean square of what the bases cannot make: noise added or digits lost afterwards
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import FloatArray
from redshift_core.data import bases

FLOOR = 3e-5  # added to the variance of a component, in units of that of one number of the span
N_MOVED = 4  # directions of displacement
N_TANGENTS = 8192  # training spectra that are moved to find them, at most
TINY = 1e-6  # keeps the scatter of equal spectra from being zero


def whitening(
    shape: FloatArray, centre: FloatArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrices that whiten a spectrum, and that whiten it along displacements alone.

    Parameters
    ----------
    shape : array, shape (n, 186)
        Spectra divided by their mean flux.
    centre : array, shape (186,)
        Their average.

    Returns
    -------
    white : array, shape (186, 77)
    moved : array, shape (186, 4)
    """
    inside = (shape - centre) @ _span()
    scatter = np.sqrt((inside**2).mean(axis=0) + TINY**2)
    inside /= scatter
    size, component = np.linalg.eigh(inside.T @ inside / len(inside))
    white = _span() @ (component / scatter[:, None] / np.sqrt(np.maximum(size, 0) + FLOOR))
    return white, white @ _displacements(shape, white)


def departures(
    shape: FloatArray, centre: FloatArray, white: FloatArray, moved: FloatArray
) -> NDArray[np.float64]:
    """Span, shift and rest of spectra divided by their mean flux (n, 186), shape (n, 3).

    All matrices look at the 77 numbers alone, so these are taken of the spectra once.
    """
    inside = shape @ _span()
    rest = inside @ _span().T
    np.subtract(shape, rest, out=rest)
    inside -= centre @ _span()
    span, shift = (_rms(inside @ (_span().T @ matrix)) for matrix in (white, moved))
    return np.column_stack([span, shift, _rms(rest)])


def _displacements(shape: FloatArray, white: FloatArray) -> NDArray[np.float64]:
    """Strongest directions, among whitened spectra, of a pixel's shift; shape (77, 4)."""
    some = shape[:: -(-len(shape) // N_TANGENTS)]
    scatter = np.zeros((white.shape[1], white.shape[1]))
    for pixels in bases.PIXELS.values():
        for step in (1, -1):
            change = np.zeros_like(some)
            place = np.arange(pixels.start, pixels.stop)
            source = np.clip(place - step, pixels.start, pixels.stop - 1)
            change[:, pixels] = some[:, source] - some[:, pixels]
            tangent = change @ white
            scatter += tangent.T @ tangent / len(tangent)
    return np.linalg.eigh(scatter)[1][:, : -N_MOVED - 1 : -1]


@cache
def _span() -> NDArray[np.float64]:
    """Orthonormal basis of what Gaia's bases can make, shape (186, 77)."""
    size, direction = np.linalg.eigh(bases.projection())
    return direction[:, size > 0.5]


def squares(values: FloatArray) -> NDArray[np.float64]:
    """Sum of the squares of each row (n, width), shape (n,), without a copy of them."""
    return np.einsum("ij,ij->i", values, values)


def _rms(values: FloatArray) -> NDArray[np.float64]:
    return np.sqrt(squares(values) / values.shape[1])
