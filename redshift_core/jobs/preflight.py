"""What is wrong or unusual about a configuration, said before a training starts.

Rules within one section stand in ``config``, those of the layers in ``layers``; here are the ones
that need the dataset's size, this machine, or several settings at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from redshift_core.data.split import split_counts
from redshift_core.errors import InputError
from redshift_core.evaluation.honesty import FEWEST
from redshift_core.jobs import cost, machine
from redshift_core.reference import small_sets
from redshift_core.settings.layers import CONVOLVED
from redshift_core.settings.length import run_length
from redshift_core.settings.run import RunConfig, TrainingConfig

LEAST_TRAIN = 125  # galaxies to learn from, of 200 usable ones (docs/honest-figures.md)


@dataclass(frozen=True)
class Remark:
    """One sentence on a configuration."""

    level: str  # error: it cannot run; warning: its figures mislead; note: good to know
    text: str


def remarks(config: RunConfig, n_rows: int) -> list[Remark]:
    """Everything to say about a configuration, errors first.

    Parameters
    ----------
    n_rows : int
        Usable rows of the dataset (``Dataset.usable_rows``).

    Raises
    ------
    InputError
        Where the layers do not fit the spectrum (see ``layers.layer_table``).
    """
    if not n_rows:
        return [
            Remark(
                "error",
                "The dataset has no rows fit for training: none with a redshift and finite flux. "
                "Choose another dataset, or include flagged rows.",
            )
        ]
    try:
        n_train, n_val, _ = split_counts(n_rows, config.split)
    except InputError as error:
        return [Remark("error", str(error))]
    listed = [*_memory(config, n_train, n_val), *_figures(config), *_oddities(config, n_train)]
    listed += few_rows(config, n_rows)
    return sorted(listed, key=lambda one: ("error", "warning", "note").index(one.level))


def few_rows(config: RunConfig, n_rows: int) -> list[Remark]:
    """Warnings where there are too few usable rows to learn from, or to judge by.

    Measured on SIMULATED galaxies: see docs/honest-figures.md.
    """
    n_train, _, n_test = split_counts(n_rows, config.split)
    found = []
    if n_train < LEAST_TRAIN and not config.start_from:
        better = "" if config.model.head == "regression" else (
            " Of the presets take fast or dissertation: on so few galaxies they were better than "
            "those with p(z)."
        )  # fmt: skip
        found.append(
            Remark(
                "warning",
                f"{n_train:,} galaxies to learn from are too few for reliable redshifts; from "
                f"{LEAST_TRAIN} on every preset was clearly better than giving each galaxy the "
                f"median redshift.{better} With fewer, start from a trained run, such as the base "
                "network (--from base).",
            )
        )
    if 0 < n_test < FEWEST:
        found.append(
            Remark(
                "warning",
                f"The test part will hold {n_test} of {n_rows:,} galaxies, from which nothing can "
                f"be concluded; judge the run on another dataset, of {FEWEST} galaxies or more.",
            )
        )
    return found


def lengthened(training: TrainingConfig, n_train: int) -> str:
    """What ``min_steps`` makes of a run, in words."""
    length = run_length(training, n_train)
    usual = length.steps * training.epochs
    return (
        f"The training set is small: {training.epochs:,} epochs on {n_train:,} galaxies would make "
        f"only {usual:,} steps. The run makes up to {length.epochs:,} epochs, which are "
        f"{length.n_steps:,} steps of {length.batch:,} spectra, and ends earlier where the "
        f"validation loss has not fallen for {length.patience:,} epochs. Set min steps to 0 to "
        f"keep the {training.epochs:,} epochs. {small_sets.advice(n_train)}".rstrip()
    )


def _memory(config: RunConfig, n_train: int, n_val: int) -> Iterator[Remark]:
    needed = cost.memory(config, n_train, n_val).total
    total, free = machine.total_memory(), machine.free_memory()
    least = "Lower the batch size, or use smaller layers or fewer rows."
    if needed > total:
        yield Remark(
            "error",
            f"This needs about {needed / 1e9:.1f} GB; the machine has {total / 1e9:.1f} GB. "
            + least,
        )
    elif needed > free:
        yield Remark(
            "warning",
            f"This needs about {needed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free now. " + least,
        )


def _figures(config: RunConfig) -> Iterator[Remark]:
    if config.scaler.fit_on == "all":
        yield Remark(
            "warning",
            "The scaler will see the test rows (fit on = all), as in the dissertation's listing. "
            "Test figures of such a run are not independent.",
        )
    if not config.split.test_fraction:
        yield Remark(
            "warning", "No test rows (test fraction = 0): the run will not be judged at its end."
        )


def _oddities(config: RunConfig, n_train: int) -> Iterator[Remark]:
    training, model = config.training, config.model
    length = run_length(training, n_train)
    if training.batch_size > n_train and length.steps == 1:
        yield Remark(
            "note",
            f"The batch ({training.batch_size:,}) is larger than the {n_train:,} training rows: "
            "one step per epoch.",
        )
    if length.lengthened:
        yield Remark("note", lengthened(training, n_train))
    if training.early_stopping >= training.epochs:
        yield Remark(
            "note",
            f"Early stopping after {length.patience:,} epochs cannot happen within "
            f"{length.epochs:,}.",
        )
    elif training.early_stopping and training.schedule != "constant":
        yield Remark(
            "note",
            f"Early stopping may end the run before {training.schedule} has lowered its rate, "
            "which is where such a schedule gains most.",
        )
    convolved = model.architecture in CONVOLVED
    bends = {model.dense_activation, model.conv_activation if convolved else "linear"} - {"linear"}
    if not bends and not (convolved and model.pooling == "max"):
        yield Remark(
            "note",
            "Every activation is linear: however many layers, such a network is one weighted sum "
            "of its inputs.",
        )
    if training.device == "cpu" or (training.device == "auto" and not machine.has_gpu()):
        yield from _precision_on_cpu(training.precision)
    elif training.device == "gpu" and not machine.has_gpu():
        yield Remark("note", "No NVIDIA driver is seen here; without a GPU the run will fail.")


def _precision_on_cpu(precision: str) -> Iterator[Remark]:
    if precision == "mixed_float16":
        yield Remark(
            "note", "CPUs compute float16 by way of float32: on a CPU mixed_float16 gains nothing."
        )
    elif precision == "mixed_bfloat16" and not machine.has_bfloat16():
        yield Remark(
            "note", "This CPU does not compute bfloat16 itself: mixed_bfloat16 gains nothing here."
        )
