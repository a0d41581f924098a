"""The catalogue of a dataset while it is ingested: columns collected, flags counted, warnings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from redshift_core.constants import Z_MAX, Z_MIN, counted
from redshift_core.data.headers import Columns
from redshift_core.data.incumbent import is_incumbent
from redshift_core.data.mapping import NONE
from redshift_core.data.repeats import fingerprints, repeated
from redshift_core.data.spectra import BAD_FLUX, FLAGS, Spectra, brightness, flag_rows

OWN_COLUMNS = ("row", "source_id", "z_spec", "brightness", "flags")
N_EXAMPLES = 5  # rows named for each flag
FAINTEST, BRIGHTEST = 0.05, 500.0  # median mean flux of known data lies well within, e⁻ s⁻¹
PHYSICAL = 1e-10  # below this the flux is in W m⁻² nm⁻¹ or the like
LONG = r"^\s*[+-]?\d{16,}\s*$"  # whole numbers that may be above 2^53, where float64 rounds
MANY = 0.05  # share of redshifts outside the range from which on it is said
SAME = 1e-3  # relative scatter of the brightness below which every spectrum was normalised
_NO_Z = re.compile(r"(ra|dec|phot_.*_mag|classprob_.*)$", re.IGNORECASE)  # never a redshift


class Catalogue:
    """Everything about the rows but their spectra; some 40 bytes a row."""

    def __init__(self, columns: Columns):
        self.columns = columns
        self.n_rows = 0
        self.has_z = columns.z is not None
        self.simulated = False
        self._parts: dict[str, list[NDArray[Any]]] = {
            "source_id": [], "known_id": [], "z_spec": [], "brightness": [], "flags": [],
            "fingerprint": [],
        }  # fmt: skip
        self._other: list[pa.Table] = []

    def add(self, spectra: Spectra) -> None:
        """Take in the next rows."""
        mean = brightness(spectra.flux)
        bits = flag_rows(spectra.flux, spectra.z_spec if self.has_z else None, mean)
        values = (spectra.source_id, spectra.known_id, spectra.z_spec, mean, bits)
        values += (fingerprints(spectra.flux),)
        for part, value in zip(self._parts.values(), values, strict=True):
            part.append(value)
        if spectra.other is not None:
            self._other.append(spectra.other)
        self.n_rows += len(spectra)

    def finish(self, simulated: bool) -> None:
        """Join the rows and judge them as a whole: duplicates, and whether any has a redshift."""
        joined = {name: np.concatenate(parts) for name, parts in self._parts.items()}
        self._parts.clear()
        self.source_id, self.known_id = joined["source_id"], joined["known_id"]
        self.z_spec, self.brightness = joined["z_spec"], joined["brightness"]
        self.flags = joined["flags"]
        if self.has_z and np.isnan(self.z_spec).all():
            self.has_z = False  # an empty column says no more than none
            self.flags &= ~np.uint16(FLAGS["z_missing"])
        self.flags[repeated(self.source_id, self.known_id)] |= FLAGS["duplicate_id"]
        good = (self.flags & BAD_FLUX) == 0
        self.flags[repeated(joined["fingerprint"], good)] |= FLAGS["repeated_spectrum"]
        all_negative = bool(self.known_id.all() and (self.source_id < 0).all())
        self.simulated = simulated or all_negative  # the simulator's reserved ids

    def write(self, path: Path) -> None:
        """Write ``catalogue.parquet``."""
        import pyarrow.parquet as pq

        columns: dict[str, Any] = {
            "row": np.arange(self.n_rows, dtype=np.int64),
            "source_id": self.source_id,
            "z_spec": self.z_spec,
            "brightness": self.brightness,
            "flags": self.flags,
        }
        if self._other:
            other = pa.concat_tables(self._other, promote_options="permissive")
            for name, values in zip(other.column_names, other.columns, strict=True):
                columns[_free_name(name, columns)] = _typed(values)
        pq.write_table(pa.table(columns), path, compression="zstd")

    def summary(self) -> dict[str, Any]:
        """Counts, flags with examples, and warnings, for ``dataset.json``."""
        rows = {name: np.flatnonzero(self.flags & bit) for name, bit in FLAGS.items()}
        good = (self.flags & BAD_FLUX) == 0
        z = self.z_spec[np.isfinite(self.z_spec)]
        n_usable = int((self.flags == 0).sum()) if self.has_z else 0
        return {
            "n_rows": self.n_rows,
            "n_spectra": int(good.sum()),
            "n_usable": n_usable,
            "n_flagged": int((self.flags != 0).sum()),
            "flagged": {name: len(found) for name, found in rows.items() if len(found)},
            "examples": {
                name: found[:N_EXAMPLES].tolist() for name, found in rows.items() if len(found)
            },
            "has_z": self.has_z,
            "has_source_id": bool(self.known_id.any()),
            "use": "training and prediction" if n_usable else "prediction",
            "z_range": [float(z.min()), float(z.max())] if len(z) else None,
            "brightness_median": float(np.median(self.brightness[good])),
            "simulated": self.simulated,
            "warnings": self._warnings(self.brightness[good], n_usable),
        }

    def _warnings(self, bright: NDArray[np.float64], n_usable: int) -> list[str]:
        columns = self.columns
        found = [
            _scale_warning(bright), *columns.doubts, self._z_warning(n_usable),
            self._far_warning(), self._repeat_warning(), self._sentinel_warning(),
        ]  # fmt: skip
        found = list(filter(None, found))
        if left := len(columns.further) - len(columns.other):
            found.append(
                f"{counted(left, 'further column')} of the file {'is' if left == 1 else 'are'} not "
                "kept in the catalogue."
            )
        unknown = int((~self.known_id).sum())
        if columns.source_id is not None and unknown:
            has = "has" if unknown == 1 else "have"
            rows = counted(unknown, "row")
            found.append(f"{rows} {has} no source_id; the row number stands in for it.")
        if not columns.has_header:
            parts = [f"{columns.names[columns.flux[0]]} … are the fluxes"]
            parts += [
                f"{name} is the {what}"
                for what, name in (("redshift", columns.mapping["z"]),
                                   ("source id", columns.mapping["source_id"]))
                if name != NONE
            ]  # fmt: skip
            found.append("The file has no header; by position, " + ", ".join(parts) + ".")
        return found

    def _n_flagged(self, flag: str) -> int:
        return int(np.count_nonzero(self.flags & FLAGS[flag]))

    def _far_warning(self) -> str:
        n = self._n_flagged("z_out_of_range")
        known = int(np.isfinite(self.z_spec).sum())
        if not self.has_z or n <= MANY * known:
            return ""
        return (
            f"{n:,} of {known:,} redshifts lie outside {Z_MIN:g}–{Z_MAX:g}, the range of the "
            "networks here. They are flagged, and a training leaves them out."
        )

    def _repeat_warning(self) -> str:
        if not (n := self._n_flagged("repeated_spectrum")):
            return ""
        return (
            f"{n:,} of {counted(self.n_rows, 'row')} {'has' if n == 1 else 'have'} the spectrum "
            "of an earlier row, byte by byte. Such rows are flagged, and a training leaves them "
            "out."
        )

    def _sentinel_warning(self) -> str:
        if not (n := self._n_flagged("sentinel_flux")):
            return ""
        return (
            f"{n:,} of {self.n_rows:,} spectra hold a number that stands for a missing flux, such "
            "as 1e20 or −999, or lies orders of magnitude from the others. They are flagged: a "
            "training leaves them out, and a prediction gives them no redshift."
        )

    def _z_warning(self, n_usable: int) -> str:
        if n_usable:
            return ""
        if self.has_z:
            return "No row is fit for training: each carries a flag. Prediction is possible."
        doubted = " ".join(self.columns.doubts)
        names = (self.columns.names[p] for p in self.columns.other)
        others = self.columns.likely_z or [
            name
            for name in names
            if repr(name) not in doubted and not is_incumbent(name) and not _NO_Z.match(name)
        ]
        hint = (
            f" If {' or '.join(others[:5])} is the redshift, ingest again with --columns z=NAME."
            if others
            else ""
        )
        return f"No redshift in the file: it serves prediction, not training.{hint}"


def _scale_warning(bright: NDArray[np.float64]) -> str:
    """Sentence where the fluxes cannot be e⁻ s⁻¹ per pixel; empty where they may."""
    median = float(np.median(bright))
    if 0 < abs(median) < PHYSICAL:
        return (
            f"The median mean flux is {median:.3g}: that looks like W m⁻² nm⁻¹ (Gaia's "
            "XP_SAMPLED), not e⁻ s⁻¹ per pixel. Models trained on known data cannot judge it."
        )
    if len(bright) > 1 and np.std(bright) < SAME * abs(median):
        return (
            f"Every spectrum has the same mean flux ({median:.3g}): they seem to be normalised. "
            "Expected is raw flux in e⁻ s⁻¹ per pixel; brightness tells a model much."
        )
    if not FAINTEST < median < BRIGHTEST:
        return (
            f"The median mean flux is {median:.3g} e⁻ s⁻¹ per pixel; in known data it is about 1 "
            "to 20. Check the unit."
        )
    return ""


def _free_name(name: str, taken: dict[str, Any]) -> str:
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def _typed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text column as whole numbers or numbers, where all of it is.

    Text stays what a number would change: ``007``, ``0x1F``, and whole numbers that float64 rounds.
    """
    import pyarrow.compute as pc

    if not pa.types.is_string(values.type):
        return values
    if pc.any(pc.match_substring_regex(values, r"^\s*[+-]?0[\dxX]")).as_py():
        return values
    for kind in (pa.int64(), pa.float64()):
        if kind == pa.float64() and pc.any(pc.match_substring_regex(values, LONG)).as_py():
            return values
        try:
            return values.cast(kind)
        except pa.ArrowInvalid:
            continue
    return values
