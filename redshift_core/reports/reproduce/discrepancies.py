"""Where the dissertation's text and its own numbers part; each follows from its Table 3."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Discrepancy:
    """What the text says and what its own numbers say."""

    text: str
    finding: str


DISCREPANCIES = (
    Discrepancy(
        "“The mean absolute error for these bins is 0.013”, of the seven bins with z < 0.35.",
        "0.013 is the mean of the seven absolute bin errors, in which errors of opposite sign "
        "cancel within each bin. It measures bias; the mean absolute error is 0.021 for all test "
        "galaxies, and is not given for z < 0.35.",
    ),
    Discrepancy(
        "“… and the mean standard deviation is 0.032”, of the same bins.",
        "The seven values of Table 3 have the mean 0.0288.",
    ),
    Discrepancy(
        "“… the standard deviation is ≤ 0.1.”",
        "It is so in every bin but one: 0.1128 between 0.50 and 0.55.",
    ),
    Discrepancy(
        "“A final note is that the model's bias is negative.”",
        "The bin errors are negative only above z = 0.15 and positive below. Weighted by their "
        "share of galaxies they cancel: the overall mean error is 0.0000.",
    ),
    Discrepancy(
        "The listing fits the min–max scaler on all rows and then splits them.",
        "The test rows thus take part in the scaling. Here the scaler sees the training rows "
        "only; the setting fit_on = all repeats the listing, and is named wherever it was used.",
    ),
)
