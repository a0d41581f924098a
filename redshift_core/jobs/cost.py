"""What a configuration will cost: memory, and seconds of an epoch on this machine.

Computed without TensorFlow, before the run starts. The seconds follow a plain model of the work,
corrected by what this store's own finished runs took; both are estimates, good to a factor of two
where there is no run to go by.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields

from redshift_core.constants import N_PIXELS
from redshift_core.errors import InputError
from redshift_core.jobs import machine
from redshift_core.settings.layers import N_EXTRA, layer_table, n_flops, n_parameters
from redshift_core.settings.length import run_length
from redshift_core.settings.run import RunConfig
from redshift_core.store import RunFolder, Store

TENSORFLOW_BYTES = 500_000_000  # private memory of a worker beside all below, measured on a CPU
TENSORFLOW_ADDRESSES = 3_600_000_000  # bytes that a worker maps, files among them; measured
LIGHT_BYTES = 150_000_000  # private memory of a worker without TensorFlow, measured; 110 MB at most
LIGHT_ADDRESSES = 2_000_000_000  # bytes that it maps
SLOTS = {"adamax": 2, "adam": 2, "adamw": 2, "sgd": 1}  # numbers an optimizer keeps per weight
EFFICIENCY = 0.8  # of the matrix-product speed; the dissertation's layers reached 0.6 and 1.15
STEP_SECONDS = 0.0005  # s of a step that do not depend on the batch; measured with preset fast
NEAREST = 5  # runs that an estimate goes by
RECENT = 50  # newest runs looked through for them


@dataclass(frozen=True)
class Memory:
    """Bytes that a training holds in its device's memory, or in the machine's on a CPU."""

    tensorflow: int  # the library itself
    data: int  # scaled training and validation rows, twice: TensorFlow takes a copy
    weights: int  # weights, their gradients, and the copy that is kept for saving
    optimizer: int  # what the optimizer remembers of each weight
    activations: int  # outputs of every layer for one batch

    @property
    def total(self) -> int:
        """Sum of all parts."""
        return sum(getattr(self, item.name) for item in fields(self))


@dataclass(frozen=True)
class PastRun:
    """A finished run and what one of its epochs took."""

    config: RunConfig
    device: str  # kind, cpu or gpu
    name: str  # of the device, as its maker calls it
    n_train: int
    n_val: int
    seconds: float  # median of an epoch, validation included


@dataclass(frozen=True)
class EpochTime:
    """Seconds of an epoch, validation included, and what that rests on."""

    seconds: float
    n_runs: int  # finished runs it rests on; 0: on this machine's matrix product alone
    device: str  # of those runs, or this machine's processor


def memory(config: RunConfig, n_train: int, n_val: int) -> Memory:
    """Memory of a training.

    With P parameters, B spectra per step and A numbers that the layers give out for one spectrum:

    ===========  ==========================================================================
    data         2 · (n_train + n_val) · (inputs + 1) · 4, the 1 being z_spec
    weights      3 · 4 P: weights, gradients, kept copy
    optimizer    slots · 4 P: two for Adam and its kin, one for SGD's momentum
    activations  2 · B · A · 4 (2 in mixed precision): each output and its gradient
    ===========  ==========================================================================

    On 468,353 rows this gives 1.21 GB for preset fast and 1.80 GB for three layers of 2,048 units
    at 8,192 spectra per step; the workers' private memory peaked at 1.22 and 1.99 GB.
    """
    n = n_parameters(config.model, config.scaler.name)
    rows = layer_table(config.model, config.scaler.name)
    n_outputs = sum(math.prod(row.output_shape) for row in rows)
    n_inputs = N_PIXELS + N_EXTRA.get(config.scaler.name, 0)
    itemsize = 4 if config.training.precision == "float32" else 2
    batch = run_length(config.training, n_train).batch
    return Memory(
        tensorflow=TENSORFLOW_BYTES,
        data=2 * (n_train + n_val) * (n_inputs + 1) * 4,
        weights=3 * 4 * n,
        optimizer=SLOTS[config.training.optimizer] * 4 * n,
        activations=2 * batch * n_outputs * itemsize,
    )


def plain_seconds(config: RunConfig, n_train: int, n_val: int, speed: float) -> float:
    """Seconds of an epoch by the plain model, validation included.

    t = (3 n_train + n_val) · F / (EFFICIENCY · speed) + steps · STEP_SECONDS, with F operations of
    one spectrum forward; forward, and backward at twice its cost, make the 3.

    Parameters
    ----------
    speed : float
        Operations per second of a matrix product (`machine.matmul_speed`).
    """
    operations = (3 * n_train + n_val) * n_flops(config.model, config.scaler.name)
    n_steps = run_length(config.training, n_train).steps
    return operations / (EFFICIENCY * speed) + n_steps * STEP_SECONDS


def epoch_time(
    config: RunConfig, n_train: int, n_val: int, past: Sequence[PastRun], speed: float | None = None
) -> EpochTime | None:
    """Seconds of an epoch on this machine; None for a GPU on which no run has finished yet.

    The plain model, times the median of measured / plain over the most alike finished runs: same
    kind of network, precision and device, then the five nearest in operations and batch size.

    Parameters
    ----------
    speed : float, optional
        See `plain_seconds`; measured here where it is not given.
    """
    speed, wanted = speed or machine.matmul_speed(), config.training.device
    seconds = plain_seconds(config, n_train, n_val, speed)
    alike = sorted((one for one in past if _alike(one, config)), key=lambda one: _far(one, config))
    if not alike:
        on_gpu = wanted == "gpu" or (wanted == "auto" and machine.has_gpu())
        return None if on_gpu else EpochTime(seconds, 0, machine.cpu_name())
    alike = [one for one in alike if one.name == alike[0].name][:NEAREST]
    ratios = [
        one.seconds / plain_seconds(one.config, one.n_train, one.n_val, speed) for one in alike
    ]
    return EpochTime(seconds * statistics.median(ratios), len(alike), alike[0].name)


def past_runs(store: Store, recent: int = RECENT) -> list[PastRun]:
    """Finished runs of a store whose epochs were timed, newest first."""
    found = (_past(run) for run in store.runs()[:recent] if run.result_path.exists())
    return [one for one in found if one]


def _past(run: RunFolder) -> PastRun | None:
    facts = run.environment
    device, counts = facts.get("device", {}), facts.get("split", {})
    try:
        with run.history_path.open(encoding="utf-8") as file:
            seconds = [float(line["seconds"]) for line in csv.DictReader(file)]
        timed = seconds[1:] or seconds  # the first epoch compiles
        return PastRun(
            run.config, device["kind"], device["names"][0], counts["train"], counts["val"],
            statistics.median(timed),
        )  # fmt: skip
    except (OSError, InputError, KeyError, ValueError, TypeError, IndexError):
        return None  # unfinished, or of another version: nothing to go by


def _alike(past: PastRun, config: RunConfig) -> bool:
    """Whether a past run's epochs say something about this configuration's on this machine."""
    ran, wanted = past.config.training, config.training
    on_this = past.device == "gpu" or (
        past.name == machine.cpu_name()
        and (ran.threads or machine.n_cores()) == (wanted.threads or machine.n_cores())
    )
    return (
        on_this
        and past.config.model.architecture == config.model.architecture
        and (ran.device, ran.precision) == (wanted.device, wanted.precision)
    )


def _far(past: PastRun, config: RunConfig) -> float:
    """How unlike two runs are: factors in operations per spectrum and in batch size, in octaves."""
    own, other = (
        (n_flops(c.model, c.scaler.name), c.training.batch_size) for c in (past.config, config)
    )
    return sum(abs(math.log2(a / b)) for a, b in zip(own, other, strict=True))
