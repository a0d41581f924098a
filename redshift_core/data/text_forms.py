"""Which text tables are read: the readers take it from here, and docs/your-file.md names it.

A form that is not in here is refused in a sentence that names the line, or read by chance.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TextForms:
    """How a text table may be written."""

    separators: dict[str, str] = field(
        default_factory=lambda: {
            "comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "blanks": " ",
        }
    )  # fmt: skip
    decimals: tuple[str, ...] = (".", ",")
    quote: str = '"'  # round a cell, which may hold the separator and line ends; "" is one quote
    comments: tuple[str, ...] = ("#", "\\", "%", "!")  # at the start of lines that are passed over
    declaration: str = "sep="  # Excel's first line, which names the separator
    minus: tuple[str, ...] = ("-", "−", "–", "‐", "‑", "‒", "﹣", "－")
    exponents: tuple[str, ...] = ("E", "D", "Q", "*^")  # in either case
    overflow: str = "*"  # Fortran's cell of nothing but stars: the value is missing
    missing: tuple[str, ...] = (  # in any case of letters, for text tables and text columns
        "", "nan", "null", "na", "n/a", "#n/a", "#na", "<na>", "none", "nil", "nat", "missing",
        "masked", "indef", "undef", "-", "--", "---", "...", "?", "\\n", "#null!", "#num!",
        "#value!", "#div/0!", "#ref!", "#name?", "1.#qnan", "1.#ind", "nan(ind)", "nan(snan)",
    )  # fmt: skip
    encodings: tuple[str, ...] = ("UTF-8", "UTF-16", "cp1252", "Latin-1")
    id_prefixes: tuple[str, ...] = ("Gaia DR3", "Gaia EDR3", "Gaia DR2", "Gaia DR1")
    astropy: dict[str, str] = field(
        default_factory=lambda: {
            "ipac": "IPAC", "cds": "CDS or MRT", "rst": "reStructuredText",
            "fixed_width_two_line": "fixed-width", "sextractor": "SExtractor",
        }
    )  # fmt: skip


TEXT = TextForms()
MAX_ASTROPY_BYTES = 100_000_000  # of a table that astropy reads, whole in memory
USUAL_NULLS = (  # those of the usual writers, as they spell them: Arrow looks for few quickly
    "", "nan", "NaN", "-nan", "null", "NULL", "NA", "N/A", "<NA>", "None", "--", "masked",
)  # fmt: skip
_SIGNED = ("nan", "1.#qnan", "1.#ind")  # C writes these with a sign, too
MISSING = frozenset(  # in small letters
    sign + word
    for word in TEXT.missing
    for sign in (("", "-", "+") if word.startswith(_SIGNED) else ("",))
)


def is_missing(cell: str) -> bool:
    """Whether a cell says that its value is missing.

    Examples
    --------
    >>> is_missing(" N/A "), is_missing("-NaN"), is_missing("*****"), is_missing("0")
    (True, True, True, False)
    """
    word = cell.strip().lower()
    return word in MISSING or not word.strip(TEXT.overflow)
