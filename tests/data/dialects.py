"""Text tables in every dialect: the same six spectra, as one writer or another has them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.table import MaskedColumn, Table

from redshift_core.data.text_forms import TEXT
from tests.data.tables import PIXELS, redshifts, spectra

N = 6
Z = redshifts(N)
FLUX = np.round(spectra(N), 2)
SMALL_IDS = np.array([1234567890123, 7, 88, 900719925474099, 12, 13])  # a float holds them exactly
IDS = np.array([4611686018427387905, 2**63 - 1, 1234567890123456789, 7, 8, 9])
GONE = ((0, 1), (0, 3), (2, 40), (2, 5))  # row, pixel of missing fluxes by other writers
NO_Z, NO_ID = 4, 5  # rows whose redshift or id is missing
WORDS = (*TEXT.missing, "*******")

# separator, decimal sign, and how a number is written
STYLES = {
    f"{name}, decimal {sign}": (separator, sign)
    for (name, separator), sign in product(TEXT.separators.items(), TEXT.decimals)
    if (separator, sign) != (",", ",")
} | {"comma, decimal comma in quotes": (",", '","')}
IDS_AS = {
    "64 bits": lambda k: str(IDS[k]),
    "Gaia DR3": lambda k: f"Gaia DR3 {IDS[k]}",
    "whole floats": lambda k: f"{SMALL_IDS[k]}.0",
    "in quotes": lambda k: f'"{IDS[k]}"',
    "none": None,
    "one missing": lambda k: "NA" if k == NO_ID else str(IDS[k]),
}
NUMBERS: dict[str, Callable[[float], str]] = {  # some cells are written so, in turn
    "plain": "{:.7g}".format, "plus": "{:+.7f}".format, "exponent": "{:.6E}".format,
    "D": lambda x: f"{x:.6E}".replace("E", "D"), "d": lambda x: f"{x:.7e}".replace("e", "d"),
    "minus": lambda x: f"{x:.7g}".replace("-", "−"),
}  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix: a text table, and what must be read of it."""

    name: str
    content: bytes
    ids: np.ndarray | None  # without the missing one
    lacks_id: bool = False
    gone: tuple[tuple[int, int], ...] = GONE  # row, pixel of the missing fluxes: one a word

    @property
    def flux(self) -> np.ndarray:
        """The fluxes that must be read, NaN where they are missing, shape (6, 186)."""
        flux = FLUX.astype(np.float32)
        flux[tuple(np.transpose(self.gone))] = np.nan
        return flux


def header_forms(names: list[str], join: Callable[[list[str]], str]) -> dict[str, tuple[str, str]]:
    """Lines above the rows, and what every row ends in, by the form of the header."""
    line = join(names)
    units = ["e-/s" if name in PIXELS else "" for name in names]
    named = [f"{name} (e-/s)" if name in PIXELS else name for name in names]
    quoted = join([f'"{name}"' for name in names])
    end = join(["", ""])
    comments = "# made by hand\n\\ of two lines\n\n"
    forms = {
        "names": (f"{line}\n", ""),
        "quoted": (f"{quoted}\n", ""),
        "comments": (f"{comments}{line}\n", ""),
        "commented names": (f"#{comments}# {line}\n", ""),
        "upper case": (f"{line.upper()}\n", ""),
        "strokes": (f"{line}\n{join(['-----'] * len(names))}\n", ""),
        "none": ("", ""),
    }
    if end.strip(" "):  # of other separators than blanks
        forms |= {
            "units": (f"{line}\n{join(units)}\n", ""),
            "units and strokes": (f"{line}\n{join(units)}\n{join(['---'] * len(names))}\n", ""),
            "units in names": (join(named) + "\n", ""),
            "separators at ends": (f"{line}{end}\n", end),
            "separators at the ends of rows": (f"{line}\n", end),
        }
        if end != "\t":
            forms["sep="] = (f"sep={end}\n{line}\n", "")
    else:
        forms["units in quotes"] = (join([f'"{name}"' for name in named]) + "\n", "")
    return forms


def cells(share: float = 1.0) -> Iterator[Cell]:
    """Every style × header × id form, with every missing word in it, or in every third with one.

    A smaller share takes them by chance, always the same ones.

    Redshift and id are missing by one word of them, and numbers spelt in one way, in turn.
    """
    turn, chance = 0, np.random.default_rng(16)
    for (style, (separator, _)), (how, write_id) in product(STYLES.items(), IDS_AS.items()):
        names = [*(["source_id"] if write_id else []), "z", *PIXELS]
        for header in header_forms(names, separator.join):
            turn += 1
            if chance.random() < share:
                yield _cell(style, header, how, turn)


def _cell(style: str, header: str, how: str, turn: int) -> Cell:
    separator, sign = STYLES[style]
    words = ['""' if not word and separator == " " else word for word in WORDS]
    word, spelling = words[turn % len(words)], list(NUMBERS)[turn % len(NUMBERS)]
    words = words if turn % 3 else [word]
    gone = {(k % N, 20 + 4 * k): one for k, one in enumerate(words)}
    write_id = IDS_AS[how]
    names = [*(["source_id"] if write_id else []), "z", *PIXELS]
    above, end = header_forms(names, separator.join)[header]
    lines = []
    for k in range(N):
        row = [NUMBERS[spelling if p % 7 == 0 else "plain"](one) for p, one in enumerate(FLUX[k])]
        row.insert(0, NUMBERS[spelling](Z[k]))
        if sign != ".":
            row = [cell.replace(".", ",") for cell in row]
        for (at, pixel), one in gone.items():
            if at == k:
                row[1 + pixel] = one
        if k == NO_Z:
            row[0] = word
        if '"' in sign:
            row = [f'"{cell}"' for cell in row]
        if write_id:
            text = word if "missing" in how and k == NO_ID else write_id(k)
            row.insert(0, f'"{text}"' if " " in text and separator == " " else text)
        lines.append(separator.join(row) + end + "\n")
    if header == "strokes":  # the header once more, as in files laid end to end
        lines.insert(3, above.splitlines(keepends=True)[0])
        lines.insert(2, "# a comment between rows\n")
    ids = None if write_id is None else SMALL_IDS if "floats" in how else IDS
    name = f"{style} · {header} · {word!r} of {len(words)} · {spelling} · ids {how}"
    return Cell(name, (above + "".join(lines)).encode(), ids, "missing" in how, tuple(gone))


def other_writers() -> Iterator[Cell]:
    """The same spectra by astropy, pandas and NumPy, in each of their forms."""
    table = Table({"source_id": IDS, "z": MaskedColumn(Z, mask=np.arange(N) == NO_Z)})
    for k, name in enumerate(PIXELS):
        table[name] = MaskedColumn(FLUX[:, k], mask=[(row, k) in GONE for row in range(N)])
    formats = (
        "basic", "commented_header", "csv", "tab", "rdb", "fixed_width", "fixed_width_two_line",
        "ipac", "mrt", "rst", "ecsv",
    )  # fmt: skip
    for form in formats:
        text = io.StringIO()
        options = {} if form in ("ipac", "mrt", "ecsv") else {"fill_values": [("--", "nan")]}
        table.write(text, format=f"ascii.{form}", **options)
        yield Cell(f"astropy {form}", text.getvalue().encode(), IDS)
    frame = table.to_pandas()
    plain = frame.astype({"source_id": "int64"})
    for name, options in {
        "csv": {}, "semicolons": {"sep": ";", "decimal": ","}, "tabs": {"sep": "\t"},
        "without index": {"index": False}, "words": {"na_rep": "NULL", "index": False},
        "quotes": {"quoting": 1}, "floats": {"float_format": "%.7e"}, "CR LF": {
            "lineterminator": "\r\n"}, "decimal comma": {"decimal": ",", "quoting": 2},
    }.items():  # fmt: skip
        yield Cell(f"pandas {name}", plain.to_csv(**options).encode(), IDS)
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "cp1252"):
        yield Cell(f"pandas {encoding}", plain.to_csv(index=False).encode(encoding), IDS)
    matrix = plain[["z", *PIXELS]].to_numpy()
    for name, options in {
        "blanks": {}, "header": {"header": " ".join(["z", *PIXELS])},
        "comma": {"delimiter": ",", "header": ",".join(["z", *PIXELS])},
        "blanks in the header": {"delimiter": ",", "header": " ".join(["z", *PIXELS])},
        "no comment": {"delimiter": ";", "header": ";".join(["z", *PIXELS]), "comments": ""},
    }.items():  # fmt: skip
        text = io.StringIO()
        np.savetxt(text, matrix, **options)
        yield Cell(f"NumPy {name}", text.getvalue().encode(), None)
    yield Cell("R", _as_r(plain), IDS)
    above = "".join(f"# {k:3d} {name}  of a galaxy  [unit]\n" for k, name in enumerate(plain, 1))
    rows = plain.to_csv(sep=" ", header=False, index=False, na_rep="nan")
    yield Cell("SExtractor", (above + rows).encode(), IDS)


def _as_r(frame: pd.DataFrame) -> bytes:
    """As R's write.table: quoted names, and row names that have none."""
    lines = [" ".join(f'"{name}"' for name in frame.columns)]
    for k, row in enumerate(frame.itertuples(index=False), start=1):
        lines.append(" ".join([f'"{k}"', *("NA" if x != x else f"{x:.15g}" for x in row[1:])]))
        lines[-1] = lines[-1].replace(f'"{k}" ', f'"{k}" {row[0]} ', 1)
    return ("\n".join(lines) + "\n").encode()


def written(folder: Path, cell: Cell) -> Path:
    """The table of a cell as a file."""
    path = folder / "table.txt"
    path.write_bytes(cell.content)
    return path
