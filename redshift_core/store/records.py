"""What stands in the JSON files of the store: frozen dataclasses, checked as they are read."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from redshift_core.errors import JUDGE_AGAIN, RESTORE, DamagedError
from redshift_core.store.shapes import PERTURB_AGAIN, check

ALWAYS = {"always": True}  # metadata of a field
NUMBER = (int, float, types.NoneType)  # as JSON has it


@dataclass(frozen=True)
class Record:
    """Base of the values of a JSON file; a field has the name of its key, or names it.

    A key that no field has is ignored. Where a file of an earlier version lacks a key, the field
    has its default, else None. All fields are written, in their order, except those that are
    None by default and have no value; ``ALWAYS`` writes these, too.
    """

    @classmethod
    def from_dict(cls, values: Any, path: Path, remedy: str = RESTORE) -> Self:
        """Record of what stands in a file.

        Raises
        ------
        DamagedError
            Where a value is missing or of another type.
        """
        check(path, values, _shape(cls), remedy)
        found = {}
        for name, key, has_default, container, item in _fields(cls):
            if has_default and key not in values:
                continue
            value = values.get(key)
            if isinstance(value, list):
                value = tuple(item.from_dict(v, path, remedy) if item else v for v in value)
            elif item and container is dict:
                value = {word: item.from_dict(v, path, remedy) for word, v in value.items()}
            elif item and value is not None:
                value = item.from_dict(value, path, remedy)
            found[name] = value
        return cls(**found)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = {}
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            if value is not None or one.default is not None or one.metadata == ALWAYS:
                found[_key(one)] = _plain(value)
        return found


def dicts(records: Iterable[Any]) -> list[Any]:
    """For JSON: records as dictionaries, anything else as it is."""
    return [_plain(one) for one in records]


def _plain(value: Any) -> Any:
    """For JSON: a record, or what holds records."""
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return dicts(value) if isinstance(value, tuple) else value


def _key(one: dataclasses.Field) -> str:
    return one.metadata.get("key", one.name)


def _has_default(one: dataclasses.Field) -> bool:
    return one.default is not one.default_factory  # both are MISSING where there is none


@functools.cache
def _shape(cls: type[Record]) -> dict[str, Any]:
    """Key → types that its value has in JSON, for `check`."""
    hints = _hints(cls)
    shape = {}
    for one in dataclasses.fields(cls):
        kind = hints[one.name]
        kinds = {typing.get_origin(part) or part for part in _parts(kind)}
        kinds = {dict if _is_record(part) else part for part in kinds}
        kinds |= {int} if float in kinds else set()
        kinds |= {list} if tuple in kinds else set()
        kinds |= {types.NoneType} if _has_default(one) else set()
        shape[_key(one)] = tuple(kinds)
    return shape


@functools.cache
def _fields(cls: type[Record]) -> list[tuple[str, str, bool, Any, type[Record] | None]]:
    """Of every field its name, its key, whether it has a default, and what `_item` says of it."""
    return [
        (one.name, _key(one), _has_default(one), *_item(cls, one.name))
        for one in dataclasses.fields(cls)
    ]


def _item(cls: type[Record], name: str) -> tuple[Any, type[Record] | None]:
    """Container of a field, tuple or dict, and the record that it consists of, if it does."""
    for part in _parts(_hints(cls)[name]):
        container, arguments = typing.get_origin(part), typing.get_args(part) or (part,)
        item = arguments[-1 if container is dict else 0]
        if _is_record(item):
            return container, item
    return None, None


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Record)


@functools.cache
def _hints(cls: type[Record]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _parts(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)


@dataclass(frozen=True, kw_only=True)
class Bin(Record):
    """Error z_phot − z_spec, in plain z, of the galaxies of one bin of redshift or brightness.

    None where there is no galaxy, for ``std``, ``sem`` and ``sigma_nmad`` also where there are only
    two, and where an earlier version did not compute it.
    """

    z_low: float | None = None  # limits of a bin of redshift …
    z_high: float | None = None
    brightness_low: float | None = None  # … or of mean flux, e⁻ s⁻¹ per pixel
    brightness_high: float | None = None
    n: int  # galaxies
    percent: float | None  # of all galaxies, those outside the bins included
    mean_error: float | None
    std: float | None  # scatter of the error, ddof 0
    sem: float | None  # std/√n
    p16_error: float | None  # percentiles of the error
    median_error: float | None
    p84_error: float | None
    sigma_nmad: float | None  # of e_z, as the shares of outliers
    outliers_005: float | None = field(metadata={"key": "outlier_fraction_0.05"})  # from 0 to 1
    outliers_015: float | None = field(metadata={"key": "outlier_fraction_0.15"})

    @property
    def limits(self) -> tuple[float, float]:
        """Lower and upper limit, of whatever the bin is made of."""
        if self.brightness_low is None or self.brightness_high is None:
            return float(self.z_low or 0.0), float(self.z_high or 0.0)
        return self.brightness_low, self.brightness_high


@dataclass(frozen=True, kw_only=True)
class Judged(Record):
    """Base of what has figures of merit: ``figures`` are the numbers that no other field has."""

    figures: dict[str, float | None] = field(default_factory=dict)  # name in ``METRICS`` → value

    @classmethod
    def from_dict(cls, values: Any, path: Path, remedy: str = RESTORE) -> Self:
        """Record of what stands in a file."""
        check(path, values, {"mae": NUMBER}, remedy)
        known = values if isinstance(values, dict) else {}
        keys = {_key(one) for one in dataclasses.fields(cls)}
        others = ((key, value) for key, value in known.items() if key not in keys)
        figures = {key: value for key, value in others if isinstance(value, NUMBER)}
        return super().from_dict({**known, "figures": figures}, path, remedy)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = super().to_dict()
        return found.pop("figures") | found

    @property
    def mae(self) -> float:
        """Mean absolute error, in z; NaN where there is none."""
        value = self.figures.get("mae")
        return math.nan if value is None else value


@dataclass(frozen=True, kw_only=True)
class Learned(Record):
    """Rows of galaxies that a run has learned from, among those that could judge it."""

    n_left_out: int = 0  # of another dataset; they do not count
    n_by_spectrum: int = 0  # of these, by their spectrum; the others by their source id
    n_counted: int = 0  # of its own test rows, with a split that parts repeats; they count
    unknown: bool = False  # whether there may be more: what it has learned from is not known


@dataclass(frozen=True, kw_only=True)
class Guess(Record):
    """What giving every galaxy one redshift would have brought."""

    z: float  # median redshift of the training galaxies
    mae: float | None  # of that, in z; None where there is no galaxy


@dataclass(frozen=True, kw_only=True)
class Remark(Record):
    """One sentence that must stand beside figures: see `evaluation.honesty`."""

    level: str  # error, in red: of no use; warning: misleading; note: good to know
    text: str


@dataclass(frozen=True, kw_only=True)
class Evaluation(Judged):
    """A run judged on a dataset: content of ``metrics.json``."""

    n: int  # galaxies that count
    bins: tuple[Bin, ...]  # of z_spec
    intervals: dict[str, Any] | None = None  # metric → 68 % interval [low, high], or None
    bootstrap: dict[str, Any] | None = None  # n, seed and level of the draws behind them
    dataset: str | None = None  # id
    rows: str | None = None  # "test" or "all"
    n_flagged: int | None = None  # rows left out because ingest flagged them
    simulated: bool | None = None
    scaler_saw_test_rows: bool | None = None
    n_outside_training_range: int | None = None
    verdict: dict[str, Any] | None = None  # `Verdict` on the spectra as a whole
    pdf: dict[str, Any] | None = None  # figures of the densities: `calibration.evaluate_pdf`
    incumbent: dict[str, Any] | None = None  # `Beside` Gaia's own redshift, where that is known
    estimate: str | None = None  # what was read off p(z), if it is not what is stored
    learned: Learned | None = None  # galaxies that the run has learned from
    guess: Guess | None = None  # the error without a network
    remarks: tuple[Remark, ...] | None = None  # what must be said beside the figures

    @classmethod
    def from_dict(cls, values: Any, path: Path, remedy: str = JUDGE_AGAIN) -> Self:
        """Evaluation of what stands in a file."""
        return super().from_dict(values, path, remedy)

    @property
    def about(self) -> dict[str, Any]:
        """What a figure of these galaxies must say of them."""
        return {"simulated": self.simulated}


@dataclass(frozen=True, kw_only=True)
class Summary(Record):
    """What the Evaluate page shows at first: content of ``summary.json``."""

    n_without: int  # galaxies that got no redshift
    reservation: str  # what is wrong with the figures of an earlier version
    by_z_spec: tuple[Bin, ...]
    by_z_phot: tuple[Bin, ...]
    by_brightness: tuple[Bin, ...] | None  # None where no brightness is known
    plane: tuple[list, ...]  # galaxies per cell: z_phot, z_spec
    histograms: tuple[list, ...]  # galaxies per bin of z_spec, of z_phot
    running: tuple[dict, ...]  # `statistics.running_percentiles`, line by line
    flags: tuple[dict, ...]  # `flag_table`, line by line
    incumbent: dict[str, Any] | None  # `Beside` Gaia's own redshift
    own_bins: tuple[Bin, ...] | None  # of the galaxies that have both, the run's …
    ugc_bins: tuple[Bin, ...] | None  # … and Gaia's
    traded: str | None  # what a flat prior costs and brings; None where there is no p(z)


@dataclass(frozen=True, kw_only=True)
class StressLine(Record):
    """Errors of some galaxies whose spectra were perturbed in one way.

    None where there is no p(z), no training range or no galaxy to tell it from.
    """

    name: str  # entry of ``PERTURBATIONS``, or "none": the spectra as they are
    label: str
    n: int  # galaxies that got a redshift both as they are and here
    n_without: int  # the others
    mae: float | None  # in z
    sigma_nmad: float | None
    ratio: float | None  # of the MAE to that of the same galaxies as they are
    ratio_error: float | None  # its standard error, from the choice of galaxies
    harmed: bool | None  # whether the ratio is above 1.2
    outside: float | None  # share flagged as outside the training range, from 0 to 1
    unlike: bool | None  # whether the verdict calls the file another kind of data
    verdict: str | None  # what it says
    coverage68: float | None  # share of z_spec inside the 68 % interval of p(z)


@dataclass(frozen=True, kw_only=True)
class Stress(Record):
    """A run judged on perturbed spectra of a dataset: content of ``stress.json``."""

    run: str | None  # id
    dataset: str | None  # id
    rows: str | None  # "test" or "all"
    n_rows: int  # rows there are; of many only a part is judged
    n_flagged: int | None = None  # rows left out because ingest flagged them
    simulated: bool | None
    epochs: int | None  # that the model was trained
    seed: int | None  # of the perturbations
    lines: tuple[StressLine, ...]  # the spectra as they are first

    @classmethod
    def from_dict(cls, values: Any, path: Path, remedy: str = PERTURB_AGAIN) -> Self:
        """Judgement of what stands in a file."""
        found = super().from_dict(values, path, remedy)
        if any(one.harmed and one.ratio is None for one in found.lines):
            raise DamagedError.of(path, "a harmed line has no ratio", remedy)
        if not found.lines:
            raise DamagedError.of(path, "it has no lines", remedy)
        return found

    @property
    def about(self) -> dict[str, Any]:
        """What a figure of these galaxies must say of them."""
        return {"simulated": self.simulated}


@dataclass(frozen=True)
class Trial(Record):
    """One network that a search tries: an entry of ``trials.json``."""

    trial: str  # its number in the search, as text
    state: str  # queued, running, finished, failed or stopped
    values: dict[str, Any] = field(default_factory=dict)  # parameter → value tried
    score: float | None = field(default=None, metadata=ALWAYS)  # objective; lower is better
    val_mae: float | None = field(default=None, metadata=ALWAYS)  # in z, of validation rows
    epochs: int = 0  # epochs done
    seconds: float = 0.0  # s at work
    n_parameters: int = 0  # trainable parameters
    worker: str = ""
    started: float = 0.0  # Unix time, s
    message: str = ""  # why it failed
    repaired: tuple[str, ...] = ()  # what was left out so that the layers fit
    retries: int = 0  # times it was begun again after its process had died

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("finished", "failed")
