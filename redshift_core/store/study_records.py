"""What stands in the JSON files of benches and of studies of the information limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from redshift_core.errors import RESTORE
from redshift_core.store.records import ALWAYS, Bin, Evaluation, Judged, Record, StressLine
from redshift_core.store.shapes import check


@dataclass(frozen=True, kw_only=True)
class BenchRow(Judged):
    """A method that a bench has trained and judged: content of ``rows/<name>.json``.

    ``figures`` are the metrics and, of a method that gives p(z), also ``crps``, ``coverage68``,
    ``coverage95``, ``cde_loss``, ``log_likelihood`` and ``pit_ks``. None where a network or a
    baseline has no such value, and where an earlier version did not measure it.
    """

    name: str  # of ``ROWS``
    kind: str | None = None  # network or baseline
    about: str | None = None  # what the method is, in a sentence
    finished: str | None = None  # date and time, UTC
    run: str | None = None  # id of the run of a network …
    job: str | None = None  # … or of the job of a baseline
    n_test: int | None = None  # galaxies it is judged on
    bins: tuple[Bin, ...] | None = None  # of z_spec
    intervals: dict[str, Any]  # metric → 68 % interval [low, high], or None
    pdf: dict[str, Any] | None = None  # figures of the densities: `calibration.evaluate_pdf`
    note: str | None = None  # what was chosen while a baseline was fitted
    epochs: int | None = None  # epochs done
    n_parameters: int | None = None  # trainable parameters
    split: dict[str, int] = field(default_factory=dict)  # part → rows
    device: str | None = None
    val_mae: float | None = None  # in z, of the weights that are saved
    seconds: float  # s of the epochs, or of fitting what was kept
    val_curve: tuple[list, ...] | None = None  # s since the start, validation MAE: one an epoch
    resumed: bool | None = None  # whether several processes trained it, one after the other
    worker_seconds: float | None = field(default=None, metadata=ALWAYS)  # s of the whole worker
    cpu_seconds: float | None = field(default=None, metadata=ALWAYS)  # s of the CPU, of the same
    peak_memory: float | None = field(default=None, metadata=ALWAYS)  # bytes, of the same
    spectra_per_second: float | None = None  # predicted by a model that is loaded and warm
    predict_memory: float | None = None  # bytes at most while it predicts
    stress: dict[str, StressLine] | None = None  # name of a perturbation → errors
    machine: str | None = None  # its processor, cores and memory
    versions: dict[str, Any] | None = None  # library → version
    commit: str | None = None
    simulated: bool | None = None

    @classmethod
    def from_dict(cls, values: Any, path: Path, remedy: str = RESTORE) -> Self:
        """Row of what stands in a file; a MAE is needed."""
        check(path, values, {"name": str, "mae": (int, float)}, remedy)
        return super().from_dict(values, path, remedy)


@dataclass(frozen=True, kw_only=True)
class Tail(Record):
    """Errors of the medians of p(z) under the training prior and the flat one.

    ``flat`` and ``test`` map the name of the prior, ``training`` or ``flat``, to the evaluation.
    """

    finished: str  # date and time, UTC
    datasets: dict[str, str]  # flat and test → id
    flat: dict[str, Evaluation] = field(default_factory=dict)  # on a survey with flat redshifts
    test: dict[str, Evaluation] = field(default_factory=dict)  # on the test rows of the bench


@dataclass(frozen=True, kw_only=True)
class Outsiders(Record):
    """How many spectra of objects that are no galaxies `best` flags."""

    finished: str  # date and time, UTC
    n: int  # spectra of each kind
    flagged: dict[str, float]  # kind → share flagged, from 0 to 1
    galaxies: float  # share of the test rows flagged, from 0 to 1


@dataclass(frozen=True, kw_only=True)
class BenchResult(Record):
    """All that a bench has measured so far: content of ``bench.json``."""

    tail: Tail | None = None
    outsiders: Outsiders | None = None
    bench: str | None = None  # id
    simulated: bool | None = field(default=None, metadata=ALWAYS)
    config: dict[str, Any]  # `BenchConfig`
    environment: dict[str, Any]  # dataset, split, software and machine
    rows: tuple[BenchRow, ...]  # those that are done, cheap methods first
    missing: tuple[str, ...]  # names of the rows that are not done
    failed: dict[str, str] = field(default_factory=dict)  # row → why it failed


@dataclass(frozen=True, kw_only=True)
class LimitRow(Judged):
    """A training of a study, judged: an entry of ``rows.json``.

    ``figures`` are the metrics and ``crps``, which is None for a network without p(z).
    """

    n: int  # galaxies trained on
    spectra: int | None = None  # shown to the network
    repeat: int = 0
    seed: int | None = None  # of the galaxies and of the weights
    check: bool  # shown half as many spectra, to see whether steps still help
    key: str  # name of its folder
    epochs: float  # how often it saw a galaxy, on average
    steps: int | None = None
    seconds: float | None = None  # s of the epochs
    n_parameters: int | None = None  # trainable parameters


@dataclass(frozen=True, kw_only=True)
class QuotedRun(Judged):
    """A run judged on the test galaxies of a study: an entry of ``recipes.json``."""

    run: str  # id
    name: str
    preset: str = ""
    n: int | None = field(default=None, metadata=ALWAYS)  # galaxies trained on
    epochs: int | None = field(default=None, metadata=ALWAYS)


@dataclass(frozen=True, kw_only=True)
class Ratio(Record):
    """Mean error of a run divided by that at infinite data."""

    ratio: float
    intervals: dict[str, Any]  # "68" or "95" (%) → [low, high]


@dataclass(frozen=True, kw_only=True)
class Limit(Record):
    """Curve a + b·n^(−c) through the mean errors of several trainings; a is the limit, in z."""

    limit: float  # a
    b: float
    c: float
    intervals: dict[str, Any]  # "68" or "95" (%) → [low, high] of a
    scatter: float | None = None  # scale, in z, of the deviates that stand for a training's scatter
    dof: int | None = None  # their degrees of freedom
    at_edge: bool = False  # whether c ran into its range, so that there is no telling a
    without: dict[str, float] = field(default_factory=dict)  # size left out → a
    draws: int | None = None  # draws of the test galaxies
    seed: int | None = None  # of the draws
    ratios: dict[str, Ratio] = field(default_factory=dict)  # id of a quoted run → ratio to a


@dataclass(frozen=True, kw_only=True)
class LimitResult(Record):
    """All that a study has found so far: content of ``limit.json``."""

    simulated: bool | None = True
    limit: str | None = None  # id of the study
    recipe: str | None = None  # preset, and what departs from it
    config: dict[str, Any]  # `LimitConfig`
    plan: dict[str, Any] | None = None  # passes, and the speeds behind them
    environment: dict[str, Any] = field(default_factory=dict)  # software, device, date
    rows: tuple[LimitRow, ...]  # of the trainings that are done
    recipes: tuple[QuotedRun, ...]
    limits: dict[str, Limit]  # mae and crps; empty where too few sizes are done


@dataclass(frozen=True, kw_only=True)
class ScaleStep(Record):
    """What one step cost at one number of galaxies."""

    step: str  # of ``STEPS`` in `reports.scale`
    rows: int
    seconds: float  # s on the clock; of a training one epoch, of a page until it is drawn
    cpu_seconds: float  # s of the CPU: of the whole worker, of a page as ``seconds``
    private_memory: int  # bytes at most, without the pages of mapped files


@dataclass(frozen=True, kw_only=True)
class Scale(Record):
    """What is measured of a bench of sizes: content of ``scale.json``."""

    bench: str  # id of its job
    simulated: bool
    machine: str
    versions: dict[str, Any]
    started: str  # date and time, UTC
    finished: str | None = None  # of the last step
    rows: tuple[int, ...]  # sizes asked for, rising
    steps: tuple[ScaleStep, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)  # step and size → why
