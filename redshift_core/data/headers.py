"""Which column of a file is the redshift, which the source id, and which are the fluxes.

Recognised by name under any reasonable header, by position where a file has no header, or as the
user says (`mapping`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from redshift_core.constants import BP_KEPT, N_BAND_FULL, N_BP, N_PIXELS, N_RP, RP_KEPT
from redshift_core.data.cells import all_ids, is_number, number
from redshift_core.data.incumbent import is_incumbent
from redshift_core.data.mapping import (
    HOW,
    MADE_KEYS,
    NONE,
    UnknownColumnsError,
    list_names,
    mapped_flux,
    mapped_single,
)
from redshift_core.data.naming import is_index, key, numbered, pattern_of
from redshift_core.data.redshift_column import (
    HIGHEST_Z,
    is_no_redshift,
    likely_redshifts,
    named_redshifts,
    typical,
)
from redshift_core.errors import InputError

N_FULL = 2 * N_BAND_FULL  # pixels of a spectrum before the cut
N_XP_SAMPLED = 343  # fluxes of the Gaia archive's XP_SAMPLED product, another grid
MAX_OTHER = 32  # further columns that go into the catalogue
FEW = 20  # fewer numbered columns than this are no spectrum
WANTED = f"{N_PIXELS} (80 BP + 106 RP) or, before the cut, {N_FULL} (120 BP + 120 RP)"

ID_NAMES = (
    "sourceid", "gaiasourceid", "gaiadr3sourceid", "dr3sourceid", "gaiaid",
)  # fmt: skip
WEAK_ID_NAMES = (
    "objectid",
    "objid",
    "targetid",
    "id",
    "designation",
)  # the source id only where they hold whole numbers
FLUX_NAMES = (
    "flux", "f", "fluxes", "pixel", "pix", "px", "spec", "spectrum", "xp", "bprp", "",
)  # fmt: skip
BAND_NAMES = (("bp", "bpflux", "fluxbp", "fbp", "bpf"), ("rp", "rpflux", "fluxrp", "frp", "rpf"))


@dataclass(frozen=True)
class Columns:
    """Positions of a file's columns by what they hold."""

    names: tuple[str, ...]  # every column of the file
    pixels: tuple[int, ...]  # its 186 or 240 flux columns, BP then RP
    flux_text: str  # these as a mapping would name them
    z: int | None = None
    source_id: int | None = None
    has_header: bool = True
    made_with: dict[str, str] | None = None  # bases and sampling, if fluxes are made; else None
    only: tuple[int, ...] | None = None  # further columns that are read; None: see `other`
    z_is_spare: bool = False  # whether a redshift that is no number may count as missing
    doubts: tuple[str, ...] = ()  # sentences on what was not taken for what its name says
    units: str = ""  # how a row below the names begins that was passed over
    likely_z: tuple[str, ...] = ()  # columns that may be the redshift, where none was taken

    @property
    def flux(self) -> tuple[int, ...]:
        """The 186 flux columns that are kept, BP then RP."""
        return cut(self.pixels)

    @property
    def further(self) -> tuple[int, ...]:
        """Columns that are neither redshift, id, flux nor a bare row number."""
        known = {self.z, self.source_id, *self.pixels}
        return tuple(
            p for p, name in enumerate(self.names) if p not in known and not is_index(name)
        )

    @property
    def other(self) -> tuple[int, ...]:
        """Further columns that the catalogue carries: no second spectrum, and not too many."""
        if self.only is not None:
            return self.only
        groups = _groups([self.names[p] for p in self.further])
        spectra = {prefix for prefix, group in groups.items() if len(group) >= FEW}
        single = (p for p in self.further if numbered(self.names[p])[0] not in spectra)
        first = sorted(single, key=lambda p: not is_incumbent(self.names[p]))
        return tuple(sorted(first[:MAX_OTHER]))

    @property
    def mapping(self) -> dict[str, str]:
        """The mapping that gives these columns."""
        z, source_id = (
            NONE if position is None else self.names[position]
            for position in (self.z, self.source_id)
        )
        made_with = self.made_with or {}
        return {"z": z, "source_id": source_id, "flux": self.flux_text, **made_with}

    def found(self) -> dict[str, Any]:
        """What was found, for ``dataset.json`` and the ingest report."""
        return {
            "header": self.has_header,
            **{key: None if name == NONE else name for key, name in self.mapping.items()},
            "flux_first": self.names[self.flux[0]],
            "flux_last": self.names[self.flux[-1]],
            "n_flux": len(self.pixels),
            "other": [self.names[p] for p in self.other],
            "n_left_out": len(self.further) - len(self.other),
            **({} if self.made_with is None else {"made_from": "coefficients"}),
            **({"units": self.units} if self.units else {}),
        }


def recognise(
    file: str,
    names: list[str],
    columns: Mapping[str, str] | None = None,
    first: list[list[str]] | None = None,
    has_header: bool = True,
    made_with: dict[str, str] | None = None,
) -> Columns:
    """Columns of a file by their names.

    Parameters
    ----------
    file : str
        Name of the file, for the sentences.
    names : list of str
        Its header.
    columns : mapping, optional
        What the user says, as ``parse_columns`` returns it.
    first : list of list of str, optional
        Its first rows, as text.
    has_header : bool
        Whether the names stand in the file, or were made up for it.
    made_with : dict, optional
        Files (``bases``, ``sampling``) that the fluxes are made with, where the file holds
        coefficients; empty for those of the package, None where it holds fluxes.

    Raises
    ------
    UnknownColumnsError
        Where the user has to say which columns are the fluxes.
    InputError
        Where the number of flux columns is wrong.
    """
    wanted = dict(columns or {})
    if unused := [key for key in MADE_KEYS if key in wanted]:
        raise InputError(
            f"{file} holds no coefficients of mean spectra, so {unused[0]} has nothing to act on; "
            f"leave --{unused[0]} out."
        )
    z, source_id = (
        mapped_single(file, names, what, wanted[what]) if what in wanted else None
        for what in ("z", "source_id")
    )
    if "flux" in wanted:
        positions, text = mapped_flux(file, names, wanted["flux"]), wanted["flux"]
    else:
        positions, text = _flux(file, names)
    rows, doubts, likely = first or [], [], []
    if "z" not in wanted:
        others = [p for p in range(len(names)) if p not in set(positions)]
        z, doubts, likely = find_redshift(file, names, rows, others)
    elif z is not None:
        _check_redshift(file, names, rows, z)
    source_id = source_id if "source_id" in wanted else find_source_id(names, rows)
    check_count(file, positions, names)
    for what, position in (("redshift", z), ("source_id", source_id)):
        if position in positions:
            raise InputError(f"{file}: column {names[position]!r} cannot be {what} and flux.")
    return Columns(
        tuple(names), tuple(positions), text, z, source_id, has_header, made_with,
        doubts=tuple(doubts), likely_z=tuple(likely),
    )  # fmt: skip


def cut(pixels: tuple[int, ...]) -> tuple[int, ...]:
    """The 186 kept of 186 or 240; BP loses 34 + 6 pixels, RP 4 + 10 (dissertation)."""
    if len(pixels) == N_FULL:
        return pixels[:N_BAND_FULL][BP_KEPT] + pixels[N_BAND_FULL:][RP_KEPT]
    return pixels


def check_count(file: str, positions: list[int], names: list[str]) -> None:
    """Refuse any number of flux columns but 186 and 240."""
    if len(positions) in (N_PIXELS, N_FULL):
        return
    if "xp" in map(key, names):
        raise InputError(
            f"{file} has one row a band (column xp), as GaiaXPy's convert writes it, sampled in "
            "pseudo-wavelength. Give the XP_CONTINUOUS file itself: its coefficients become fluxes."
        )
    span = f" ({names[positions[0]]} … {names[positions[-1]]})" if positions else ""
    if len(positions) == N_XP_SAMPLED:
        raise InputError(
            f"{file} has 343 flux columns{span}: that is Gaia's XP_SAMPLED product, on another "
            f"grid and in other units. Expected {WANTED}; make them from XP_CONTINUOUS."
        )
    raise InputError(
        f"{file} has {len(positions)} flux columns{span}; expected {WANTED}. Export the table "
        "again with every pixel."
    )


def _groups(names: list[str]) -> dict[str, list[tuple[int, int]]]:
    """Numbered columns by prefix: sorted (number, position)."""
    groups: dict[str, list[tuple[int, int]]] = {}
    for position, name in enumerate(names):
        prefix, number = numbered(name)
        if number is not None:
            groups.setdefault(prefix, []).append((number, position))
    return {prefix: sorted(group) for prefix, group in groups.items()}


def _flux(file: str, names: list[str]) -> tuple[list[int], str]:
    """Positions of the flux columns by name, and the mapping that names them."""
    groups = _groups(names)
    known = [p for p in FLUX_NAMES if len(groups.get(p, ())) >= FEW]
    right = [p for p in known if len(groups[p]) in (N_PIXELS, N_FULL)]
    bands = [next((p for p in some if len(groups.get(p, ())) >= FEW), None) for some in BAND_NAMES]
    if len(right) > 1:
        raise UnknownColumnsError(
            f"{file} has several sets of flux columns: {' and '.join(right)}; {HOW}"
        )
    if not right and all(bands):
        return _bands(file, names, [groups[str(band)] for band in bands])
    if not known:
        raise _unknown(file, names)
    group = groups[(right or known)[0]]
    _check_numbers(file, names, group)
    return [p for _, p in group], _pattern(names, group)


def _bands(
    file: str, names: list[str], groups: list[list[tuple[int, int]]]
) -> tuple[list[int], str]:
    sizes = tuple(len(group) for group in groups)
    if sizes not in ((N_BP, N_RP), (N_BAND_FULL, N_BAND_FULL)):
        raise InputError(
            f"{file} has {sizes[0]} BP and {sizes[1]} RP flux columns; expected 80 and 106 or, "
            "before the cut, 120 and 120. Export the table again with every pixel."
        )
    for group in groups:
        _check_numbers(file, names, group, any_start=True)
    positions = [p for group in groups for _, p in group]
    return positions, "+".join(_pattern(names, group) for group in groups)


def _check_numbers(
    file: str, names: list[str], group: list[tuple[int, int]], any_start: bool = False
) -> None:
    """Numbers must run without a gap or a repetition, from 0 or from 1."""
    numbers = [number for number, _ in group]
    first, last = (names[p] for _, p in (group[0], group[-1]))
    for (low, here), (high, there) in pairwise(group):
        if low == high:
            raise InputError(
                f"{file}: columns {here + 1} and {there + 1} are both called {names[there]!r}; "
                "every flux column needs a name of its own."
            )
    for (low, here), (high, _) in pairwise(group):
        if high != low + 1:
            gap = re.sub(r"\d+(?=\D*$)", str(low + 1), names[here])
            raise InputError(
                f"{file} has {len(group)} flux columns from {first} to {last}, and {gap} is "
                f"missing; expected {WANTED}."
            )
    if numbers[0] > 1 and not any_start:
        raise InputError(
            f"{file}: the flux columns begin at {first}; expected {WANTED}, numbered from 0 or 1."
        )


def _pattern(names: list[str], group: list[tuple[int, int]]) -> str:
    """Shortest mapping that names a set of columns: ``flux_{}``, else ``first:last``."""
    patterns = {pattern_of(names[p]) for _, p in group}
    positions = [p for _, p in group]
    if len(patterns) == 1:
        return patterns.pop()
    return f"{names[positions[0]]}:{names[positions[-1]]}"


def find_redshift(
    file: str, names: list[str], rows: list[list[str]], among: Iterable[int]
) -> tuple[int | None, list[str], list[str]]:
    """Redshift by name and first values; what was not taken, as sentences; what may be it."""
    named = named_redshifts(names)
    magnitudes = [p for p in named if is_no_redshift(rows, p)]
    found = [p for p in named if p not in magnitudes]
    if len(found) > len({names[p] for p in found}):
        raise InputError(
            f"{file} has several columns called {names[found[0]]!r}; give each its own name."
        )
    if len(found) > 1:
        several = " and ".join(repr(names[p]) for p in found)
        raise UnknownColumnsError(
            f"{file} has several columns that may be the redshift, {several}; say which one with "
            "--columns z=NAME, or choose it on the Data page."
        )
    doubts = [
        f"Column {names[p]!r} holds values of about {typical(rows, p):.3g}, as magnitudes are and "
        "redshifts are not: it was not taken as the redshift."
        for p in magnitudes
    ]
    if found:
        return found[0], doubts, []
    return None, doubts, likely_redshifts(names, rows, [p for p in among if p not in magnitudes])


def _check_redshift(file: str, names: list[str], rows: list[list[str]], position: int) -> None:
    """Refuse a column as the redshift whose first values cannot be one."""
    if not is_no_redshift(rows, position):
        return
    others = [p for p in range(len(names)) if p != position]
    likely = likely_redshifts(names, rows, others)
    hint = f"{likely[0]!r} may be it: z={likely[0]}" if likely else "name another column"
    raise UnknownColumnsError(
        f"{file}: column {names[position]!r} holds values of about {typical(rows, position):.3g}, "
        f"and a redshift lies below {HIGHEST_Z:g}; {hint}, or z=none where the file has none."
    )


def find_source_id(names: list[str], first: list[list[str]]) -> int | None:
    """Position of the column of source ids, by its name and, where that is weak, its values."""
    found = {key(name): p for p, name in reversed(list(enumerate(names)))}
    for name in ID_NAMES:
        if name in found:
            return found[name]
    for name in WEAK_ID_NAMES:
        if name in found:
            cells = (row[found[name]] for row in first if len(row) == len(names))
            if all_ids(cells):
                return found[name]
    return None


def has_ids(names: list[str]) -> bool:
    """Whether a header names a column of source ids."""
    return find_source_id(names, []) is not None


def _runs_one_way(numbers: list[float]) -> bool:
    """Whether numbers only rise, or only fall."""
    steps = [high > low for low, high in pairwise(numbers) if high != low]
    return len(steps) == len(numbers) - 1 and len(set(steps)) == 1


def _unknown(file: str, names: list[str]) -> InputError:
    """Error for a header without fluxes that are known by name."""
    if {"wavelength", "flux"} <= {key(name) for name in names}:
        return InputError(
            f"{file} has one row a wavelength: that is Gaia's XP_SAMPLED product of one source, in "
            "other units. Expected one spectrum a row; fetch XP_CONTINUOUS instead."
        )
    if len(names) < N_PIXELS:
        return InputError(
            f"{file} is not a table of spectra: it has {len(names)} "
            f"column{'s' if len(names) > 1 else ''} ({', '.join(names[:4])[:80]}); expected z and "
            f"{WANTED} flux columns, such as flux_0 … flux_185."
        )
    numeric = [is_number(name) for name in names]
    called = [name for name, is_one in zip(names, numeric, strict=True) if is_one]
    if len(called) in (N_PIXELS, N_FULL) and _runs_one_way([number(name) for name in called]):
        return UnknownColumnsError(
            f"{file} has a number for the name of each flux column ({called[0]} … {called[-1]}), "
            f"as wavelengths are; if these are the {N_PIXELS} pixels, BP then RP, say "
            f"--columns flux={called[0]}:{called[-1]}, or choose them on the Data page."
        )
    if sum(numeric) > 0.5 * len(names):
        at = numeric.index(False) if False in numeric else 0
        return InputError(
            f"{file}: the first line holds numbers, but {names[at][:40]!r} in column {at + 1} is "
            "none. Correct it, or write a header above it, such as z,flux_0,…,flux_185."
        )
    usual = max(names, key=names.count)
    if names.count(usual) >= FEW:
        return InputError(
            f"{file} has {names.count(usual)} columns called {usual!r}, as a header of two lines "
            "gives (a MultiIndex of pandas); write one line of names, such as flux_0 … flux_185."
        )
    return UnknownColumnsError(
        f"{file}: the flux columns were not recognised. {list_names(names)} Expected flux_0 … "
        f"flux_185; {HOW}"
    )
