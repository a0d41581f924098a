"""Flags of the galaxies a run was judged on: how many carry each, and how far off those are.

A flag is of use where the galaxies that carry it are worse than those without any. Rows that ingest
flagged are not among the galaxies judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.evaluation.metrics import METRICS
from redshift_core.evaluation.predictions import Predictions
from redshift_core.evaluation.training_range import FLAGS

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ("mae", "sigma_nmad", "outlier_fraction_0.05")  # metrics beside each flag
FORMATS = {"galaxies": "localized", "%": "%.2f", **{METRICS[name].title: "%.4f" for name in SHOWN}}


def flag_table(known: Predictions) -> pd.DataFrame:
    """Galaxies with each flag, without any, and all of them: a line each, with their errors.

    Returns
    -------
    DataFrame
        ``flag``, ``galaxies``, ``%`` of all, the metrics ``SHOWN`` by their titles (NaN where
        nobody carries the flag), and ``meaning``. A galaxy with two flags counts in both.
    """
    import pandas as pd

    sets = [set(names.split("|")) - {""} for names in known.flag_names]
    carrying = {name: _carrying(known, [name in one for one in sets]) for name in FLAGS}
    lines = [_line(known, inside, name, FLAGS[name]) for name, inside in carrying.items()]
    flagged = _carrying(known, [bool(one) for one in sets])
    everyone = np.ones(len(known.z_spec), bool)
    lines += [
        _line(known, flagged, "any", "At least one of these."),
        _line(known, ~flagged, "none", "None of these."),
        _line(known, everyone, "all galaxies", "Flagged or not."),
    ]
    return pd.DataFrame(lines)


def read(lines: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The table from its lines as JSON holds them, None for NaN."""
    import pandas as pd

    return pd.DataFrame(lines).astype({METRICS[name].title: float for name in SHOWN})


def _carrying(known: Predictions, chosen: list[bool]) -> NDArray[np.bool_]:
    """Galaxies whose entry of ``flag_names`` is chosen, shape (n,)."""
    return np.array(chosen, bool)[known.flag] if chosen else np.zeros(len(known.z_spec), bool)


def _line(
    known: Predictions, inside: NDArray[np.bool_], flag: str, meaning: str
) -> dict[str, object]:
    n = int(inside.sum())
    spec, phot = known.z_spec[inside], known.z_phot[inside]
    figures = {METRICS[name].title: METRICS[name](spec, phot) if n else np.nan for name in SHOWN}
    share = 100 * n / max(1, len(known.z_spec))
    return {"flag": flag, "galaxies": n, "%": share, **figures, "meaning": meaning}
