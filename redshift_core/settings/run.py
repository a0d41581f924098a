"""Every setting of a run: frozen dataclasses with their checks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redshift_core.errors import InputError, nearest
from redshift_core.settings import names as choices
from redshift_core.settings.fields import Settings, setting
from redshift_core.settings.selection import Selection

SCHEMA_VERSION = 2
# Settings of a training that may change while it is under way.
ON_RESUME = (
    "epochs", "learning_rate", "schedule", "clip_norm", "weight_decay", "early_stopping",
    "min_delta", "device", "threads",
)  # fmt: skip
MOST_NOISE = 10.0  # times as much white noise as set at most, however few the rows


@dataclass(frozen=True)
class SplitConfig(Settings):
    """How a dataset's rows are divided into train, validation and test."""

    test_fraction: float = setting(
        0.1, "Share of all usable rows kept for the final test.", low=0.0, high=0.9
    )
    val_fraction: float = setting(
        0.3, "Share of the remaining rows used for validation.", low=0.01, high=0.9
    )
    random_state: int = setting(
        4, "Seed of the shuffle; 4 is the dissertation's own split.", low=0, high=2**32 - 1
    )
    include_flagged: bool = setting(
        False,
        "Also train on rows that ingest flagged but whose flux and redshift are finite; figures of "
        "merit never count them.",
    )
    selection: str = setting(
        "", "Only rows within limits such as z=0.1..0.2 brightness=1..; empty takes them all."
    )

    repeats: str = setting(
        "together", "Where rows of one galaxy go (same spectrum or id).", names=choices.REPEATS
    )

    def check(self) -> None:
        """A training is narrowed by redshift and brightness alone."""
        chosen = Selection.parse(self.selection)
        if chosen != chosen.for_training():
            raise InputError(
                f"selection = {self.selection!r} limits more than z and brightness. A prediction "
                "is not known before the training, and include_flagged decides on flagged rows."
            )


@dataclass(frozen=True)
class ScalerConfig(Settings):
    """How raw flux becomes the network's input."""

    name: str = setting(
        "minmax",
        "How each flux is scaled before the network sees it.",
        names=choices.SCALERS,
    )
    fit_on: str = setting(
        "train",
        "Rows the scaler is fitted on.",
        names=choices.FIT_ON,
    )


@dataclass(frozen=True)
class ModelConfig(Settings):
    """Layers of the network, first to last."""

    architecture: str = setting("cnn", "Kind of network.", names=choices.ARCHITECTURES)
    head: str = setting("regression", "What the network gives.", names=choices.HEADS)
    members: int = setting(
        1, "Networks trained side by side, from different weights; their mean answers.",
        low=1, high=64,
    )  # fmt: skip
    conv_filters: tuple[int, ...] = setting(
        (256, 256, 128, 64), "Filters of each convolutional layer.", low=1, high=4096
    )
    conv_kernels: tuple[int, ...] = setting(
        (5, 5, 3, 2), "Kernel length of each convolutional layer, in pixels.", low=1, high=186
    )
    conv_strides: tuple[int, ...] = setting(
        (1,), "Stride of each convolutional layer; a single value serves all.", low=1, high=16
    )
    padding: str = setting(
        "valid",
        "What happens at the ends of the spectrum.",
        names=choices.PADDINGS,
    )
    pooling: str = setting("max", "What follows each convolution.", names=choices.POOLINGS)
    pool_size: int = setting(2, "Length of the pooling window, in pixels.", low=2, high=16)
    conv_activation: str = setting(
        "relu", "Activation of the convolutional layers.", names=choices.ACTIVATIONS
    )
    dense_units: tuple[int, ...] = setting(
        (256, 256, 128, 64),
        "Units of each dense layer; of each block where there are blocks.",
        low=1,
        high=8192,
    )
    dense_activation: str = setting(
        "relu", "Activation of the dense layers.", names=choices.ACTIVATIONS
    )
    dropout: float = setting(
        0.0, "Share of units switched off at random after each dense layer.", low=0.0, high=0.95
    )
    l1: float = setting(
        0.0,
        "This times the sum of abs(weights) joins the loss: pushes weights to 0.",
        low=0.0,
        high=1.0,
    )
    l2: float = setting(
        0.0,
        "This times the sum of squared weights joins the loss: keeps weights small.",
        low=0.0,
        high=1.0,
    )
    initializer: str = setting(
        "glorot_uniform", "How the weights are drawn at the start.", names=choices.INITIALIZERS
    )

    def check(self) -> None:
        """Lists that belong together must have fitting lengths."""
        if len(self.conv_kernels) not in (1, len(self.conv_filters)):
            raise InputError(
                f"conv_kernels has {len(self.conv_kernels)} values and conv_filters "
                f"{len(self.conv_filters)}; give one kernel length for each layer, or one for all."
            )
        if len(self.conv_strides) not in (1, len(self.conv_filters)):
            raise InputError(
                f"conv_strides has {len(self.conv_strides)} values and conv_filters "
                f"{len(self.conv_filters)}; give one stride for each layer, or one for all."
            )


@dataclass(frozen=True)
class TrainingConfig(Settings):
    """How the weights are fitted."""

    optimizer: str = setting("adamax", "Rule that moves the weights.", names=choices.OPTIMIZERS)
    learning_rate: float = setting(
        0.001, "Step size; the peak of the schedule where there is one.", low=1e-8, high=10.0
    )
    schedule: str = setting(
        "constant", "How the learning rate changes over the run.", names=choices.SCHEDULES
    )
    momentum: float = setting(0.9, "Momentum of SGD.", low=0.0, high=0.9999)
    weight_decay: float = setting(
        0.004,
        "Decoupled weight decay of AdamW; biases and norms are left alone.",
        low=0.0,
        high=1.0,
    )
    clip_norm: float = setting(
        0.0, "Longest gradient allowed (global norm); 0 switches clipping off.", low=0.0
    )
    loss: str = setting("huber", "What is minimised.", names=choices.LOSSES)
    huber_delta: float = setting(
        1.0, "Error in z at which Huber turns from squared to linear.", low=1e-6, high=100.0
    )
    target_width: float = setting(
        0.005, "σ in z of the Gaussian that cross_entropy puts around the true redshift.",
        low=1e-4, high=0.1,
    )  # fmt: skip
    batch_size: int = setting(16, "Spectra per step.", low=1, high=65536)
    epoch_steps: int = setting(
        0,
        "Steps that an epoch makes at least: on a small training set the batch is smaller for it; "
        "0 keeps the batch.",
        low=0,
        high=1000,
    )
    epochs: int = setting(20, "Passes over the training rows.", low=1, high=100_000)
    min_steps: int = setting(
        0,
        "Steps that a run makes at least: on a small training set it makes more epochs for it, "
        "and ends early where they do not help; 0 keeps the epochs.",
        low=0,
        high=1_000_000,
    )
    early_stopping: int = setting(
        0, "Stop after this many epochs without a lower validation loss; 0 never.", low=0
    )
    averaging: float = setting(
        0.0,
        "Share kept, at each step, of the running mean of the weights that is saved; 0 saves the "
        "last weights themselves.",
        low=0.0,
        high=0.99999,
    )
    min_delta: float = setting(
        0.0, "Smallest fall of the validation loss that counts as better.", low=0.0
    )
    keep: str = setting(
        "best",
        "Epoch whose weights are saved.",
        names=choices.KEEP,
    )
    precision: str = setting("float32", "Arithmetic of the layers.", names=choices.PRECISIONS)
    device: str = setting("auto", "What the run computes on.", names=choices.DEVICES)
    threads: int = setting(
        0,
        "CPU threads; 0 takes every core. With 1, the same seed gives the same history on the same "
        "machine; with more, sums are added in another order each time, and histories differ in "
        "their last digits.",
        low=0,
        high=1024,
    )


@dataclass(frozen=True)
class AugmentationConfig(Settings):
    """How training spectra are changed, anew in every epoch; validation and test spectra never."""

    white_noise: float = setting(
        0.0,
        "σ of the noise added to each flux, in units of the spectrum's mean flux; against rounding "
        "and noise that no mean spectrum has.",
        low=0.0, high=1.0,
    )  # fmt: skip
    noise_rows: int = setting(
        0,
        "With fewer training rows than this, the white noise is larger, as 1 / √rows and at most "
        "tenfold, so that few spectra are not memorised; 0 keeps it.",
        low=0,
        high=1_000_000_000,
    )
    calibration_error: float = setting(
        0.0, "rms of a smooth relative error along each band (a cubic).", low=0.0, high=0.5
    )
    pixel_shift: float = setting(
        0.0, "σ in pixels by which each band is moved along its pixels.", low=0.0, high=3.0
    )
    brightness_scatter: float = setting(
        0.0, "σ of the natural log of a factor on the whole spectrum.", low=0.0, high=3.0
    )
    ratio_scatter: float = setting(
        0.0, "σ of the natural log of a factor on BP alone.", low=0.0, high=1.0
    )

    @property
    def active(self) -> bool:
        """Whether any spectrum is changed."""
        return any(value for name, value in self.to_dict().items() if name != "noise_rows")

    def on(self, n_train: int) -> AugmentationConfig:
        """The same with the noise that ``n_train`` rows ask for.

        Examples
        --------
        >>> usual = AugmentationConfig(white_noise=0.004, noise_rows=63_000)
        >>> [round(usual.on(n).white_noise, 4) for n in (63, 630, 15_750, 126_000)]
        [0.04, 0.04, 0.008, 0.004]
        """
        times = min(math.sqrt(max(1.0, self.noise_rows / n_train)), MOST_NOISE)
        return dataclasses.replace(self, white_noise=min(1.0, times * self.white_noise))


@dataclass(frozen=True)
class RunConfig(Settings):
    """One training run, whole."""

    dataset: str = setting("", "Dataset id.")
    preset: str = setting("dissertation", "Preset it was made from.")
    seed: int = setting(4, "Seed of weights, order and dropout.", low=0, high=2**31 - 1)
    start_from: str = setting("", "Run whose network and scaler it starts from; empty for none.")
    split: SplitConfig = field(default_factory=SplitConfig)
    scaler: ScalerConfig = field(default_factory=ScalerConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    schema_version: int = setting(SCHEMA_VERSION, "Version of this list of settings.")

    def check(self) -> None:
        """Refuse a configuration written by a newer version."""
        if self.schema_version > SCHEMA_VERSION:
            raise InputError(
                f"This configuration has schema version {self.schema_version}, this program reads "
                f"up to {SCHEMA_VERSION}; update Redshift Lab."
            )
        head, loss = self.model.head, self.training.loss
        if loss not in choices.LOSSES_OF[head]:
            raise InputError(
                f"loss = {loss!r} cannot judge what head = {head!r} gives; choose "
                f"{' or '.join(choices.LOSSES_OF[head])}, or the other head."
            )

    def on_resume(self, values: Mapping[str, Any]) -> RunConfig:
        """`with_values` for a run that goes on; InputError for what cannot change any more."""
        paths = setting_paths()
        fixed = [name for name in values if name in paths and paths[name][-1] not in ON_RESUME]
        if fixed:
            raise InputError(
                f"{' and '.join(fixed)} cannot change when a run goes on; what can is "
                f"{', '.join(ON_RESUME)}. Leave it out, or start a new run with it."
            )
        return self.with_values(values)

    def with_values(self, values: Mapping[str, Any]) -> RunConfig:
        """Copy with some settings replaced, each named by its leaf (``batch_size``) or dotted path.

        Values may be text, as the command line gives them: ``"512,256"`` is a list. Whoever names
        a number of epochs gets it: ``min_steps`` is then 0, unless it is named too.
        """
        tree = self.to_dict()
        paths = setting_paths()
        named = {paths[name] for name in values if name in paths}
        if paths["epochs"] in named and paths["min_steps"] not in named:
            tree["training"]["min_steps"] = 0
        for name, value in values.items():
            if name not in paths:
                leaves = sorted(key for key in paths if "." not in key)
                near = nearest(name, paths)
                raise InputError(f"Unknown setting {name!r}{near}; known are {', '.join(leaves)}.")
            *section, leaf = paths[name]
            branch = tree[section[0]] if section else tree
            branch[leaf] = value
        return RunConfig.from_dict(tree)


SECTIONS: dict[str, type[Settings]] = {
    "split": SplitConfig,
    "scaler": ScalerConfig,
    "model": ModelConfig,
    "training": TrainingConfig,
    "augmentation": AugmentationConfig,
}


def setting_paths() -> dict[str, tuple[str, ...]]:
    """Every name ``with_values`` takes: leaf (``seed``, ``batch_size``) and dotted → its path."""
    paths: dict[str, tuple[str, ...]] = {"seed": ("seed",)}
    for section, kind in SECTIONS.items():
        for item in dataclasses.fields(kind):  # type: ignore[arg-type]
            paths["scaler" if (section, item.name) == ("scaler", "name") else item.name] = (
                section,
                item.name,
            )
            paths[f"{section}.{item.name}"] = (section, item.name)
    return paths
