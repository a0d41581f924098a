"""Answers of a run for the three real galaxies, and their stability."""

from __future__ import annotations

import numpy as np

from redshift_core.constants import N_PIXELS
from redshift_core.prediction.reader import Reader, flag_text
from redshift_core.reference.real_galaxies import DIGITISED, LEVELS, RealAnswers, real_galaxies

N_COPIES = 50  # noisy copies of each spectrum
SEED = 0


def judge_real_galaxies(reader: Reader) -> RealAnswers:
    """Redshifts, p(z) and flags of the real galaxies, and the scatter of z_phot over noisy copies.

    The copies have white noise of 5e-4 of the peak of their spectrum, which is the error of reading
    it from a figure. If such noise changes the redshift, the redshift is not reliable.
    """
    flux = real_galaxies().flux
    n = len(flux)
    noise = np.random.default_rng(SEED).normal(size=(N_COPIES, *flux.shape))
    copies = flux + DIGITISED * flux.max(axis=1)[:, None] * noise
    columns, flags, density = reader.read(np.vstack([flux, copies.reshape(-1, N_PIXELS)]))
    z_phot = columns["z_phot"].reshape(-1, n)
    return RealAnswers(
        z_phot=z_phot[0],
        scatter=z_phot[1:].std(axis=0, ddof=1),
        flags=tuple(flag_text(flags)[:n]),
        intervals={
            level: np.stack([columns[f"z_{end}{level}"][:n] for end in ("low", "high")], axis=1)
            for level in LEVELS
            if f"z_low{level}" in columns
        },
        density=None if density is None else density[:n].astype(np.float64),
    )
