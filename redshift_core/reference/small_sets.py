"""Errors of the presets on few SIMULATED galaxies, measured by ``scripts.study_small_sets``.

docs/small-sets.md has the whole table and how it was made; a test compares the two.
"""

from __future__ import annotations

import math

# Galaxies of a set, 63 % of them to learn from → mean absolute error in z, a mean over three seeds.
SMALL_SETS: dict[int, dict[str, float]] = {
    1_000: {"best": 0.0275, "fast_cnn": 0.0264, "fast": 0.0279, "lightgbm": 0.0305},
    3_000: {"best": 0.0251, "fast_cnn": 0.0239, "fast": 0.0259, "lightgbm": 0.0276},
    10_000: {"best": 0.0229, "fast_cnn": 0.0220, "fast": 0.0253, "lightgbm": 0.0254},
}
LEARNED = 0.63  # share of a set that a run learns from, with the usual split
LARGEST = 20_000  # galaxies of a set that is said to be small


def advice(n_train: int) -> str:
    """Which preset a small training set asks for, with the errors behind it; empty for large ones.

    Parameters
    ----------
    n_train : int
        Galaxies to learn from.
    """
    if n_train > LEARNED * LARGEST:
        return ""
    size = min(SMALL_SETS, key=lambda n: abs(math.log(n_train / (LEARNED * n))))
    errors = dict(sorted(SMALL_SETS[size].items(), key=lambda item: item[1]))
    told = ", ".join(f"{name} {error:.4f}" for name, error in errors.items())
    best = next(name for name in errors if name != "lightgbm")
    return (
        f"Measured on {size:,} SIMULATED galaxies, the mean absolute errors in z were {told}: for "
        f"a set of this size take {best}."
    )
