"""What every column of a table of predictions means, for the formats that can say it.

The UCDs are words of IVOA's list UCD1+ 1.6; the ends of intervals follow the Gaia archive, which
gives the bounds of its parameters the UCD of the parameter with ``stat.min`` and ``stat.max``.
"""

from __future__ import annotations

from redshift_core.evaluation.training_range import FLAGS
from redshift_core.prediction.reader import LEVELS
from redshift_core.store.writers import Column

REDSHIFT = "src.redshift.phot"
COLUMNS = {
    "row": Column("Row of the input file, counted from 0", "meta.record"),
    "source_id": Column("Identifier of the source; row if the file has none", "meta.id;meta.main"),
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
