"""The table of predictions, and what its columns mean, for the formats that can say it.

The UCDs are words of IVOA's list UCD1+ 1.6; the ends of intervals follow the Gaia archive, which
gives the bounds of its parameters the UCD of the parameter with ``stat.min`` and ``stat.max``.
"""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import NDArray

from redshift_core.data import Spectra
from redshift_core.evaluation.training_range import FLAGS
from redshift_core.prediction.reader import LEVELS, flag_text
from redshift_core.store.writers import Column

NO_ID = 1 - 2**63  # source_id where it is missing, in formats that need a number for that
DECIMALS = 7  # decimals of an exported redshift, as many as the float32 of the network holds
REDSHIFT = "src.redshift.phot"
COLUMNS = {
    "row": Column("Row of the input file, counted from 0", "meta.record"),
    "source_id": Column("Identifier of the source", "meta.id;meta.main", missing=NO_ID),
    "z_phot": Column("Predicted redshift; NaN where there is none", REDSHIFT, ""),
    **{
        f"z_{end}{level}": Column(
            f"{title} end of the interval that holds {level} % of p(z)", f"{REDSHIFT};{bound}", ""
        )
        for level in LEVELS
        for end, title, bound in (("low", "Lower", "stat.min"), ("high", "Upper", "stat.max"))
    },
    "flags": Column(
        "Warnings, joined by |; empty where there is none",
        "meta.code.qual",
        width=len("|".join(FLAGS)),
    ),
}


def prediction_table(
    block: Spectra, columns: Mapping[str, NDArray], flags: Mapping[str, NDArray]
) -> dict[str, NDArray]:
    """Columns of the table for a block and what `Reader.read` says of it.

    There is no ``source_id`` where the file has none; ``row`` says which spectrum it is.
    """
    table = {"row": block.row, **block.own_ids()}
    table |= {name: values.round(DECIMALS) for name, values in columns.items()}
    return {**table, "flags": flag_text(dict(flags))}
