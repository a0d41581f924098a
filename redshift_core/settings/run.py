"""Every setting of a run: frozen dataclasses, the names they may take, presets and checks.

A field carries its own one-line help, choices and limits, so that the checks here, the command
line's ``--set`` and the form on the Train page all read the same source.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redshift_core.errors import InputError
from redshift_core.settings import names as choices
from redshift_core.settings.selection import Selection

SCHEMA_VERSION = 2

SCALERS = tuple(choices.SCALERS)
ARCHITECTURES = tuple(choices.ARCHITECTURES)
ACTIVATIONS = tuple(choices.ACTIVATIONS)
INITIALIZERS = tuple(choices.INITIALIZERS)
_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def setting(
    default: Any,
    text: str,
    *,
    names: Mapping[str, str] | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """Field of a settings dataclass with its one-line help and inclusive limits.

    Parameters
    ----------
    names : mapping, optional
        Every name the setting may take → one line on it.
    """
    metadata = {"help": text, "choices": dict(names or {}), "low": low, "high": high}
    return field(default=default, metadata=metadata)


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.to_dict()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _coerce(name: str, value: Any, kind: Any) -> Any:
    """Value in the type of its field, from JSON or command-line text; InputError otherwise."""
    origin = typing.get_origin(kind)
    if origin is tuple:
        parts = [p for p in value.split(",") if p.strip()] if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            parts = [parts]
        return tuple(_coerce(name, part, typing.get_args(kind)[0]) for part in parts)
    if isinstance(kind, type) and issubclass(kind, Settings):
        if not isinstance(value, kind | Mapping):
            raise InputError(
                f"{name} = {value!r} is not a section of settings; give names and values in "
                "braces, or leave it out."
            )
        return value if isinstance(value, kind) else kind.from_dict(value)
    if kind is bool and isinstance(value, str):
        word = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        value = word.get(value.lower(), value)
    if kind in (int, float) and not isinstance(value, bool):
        try:
            number = float(value)
            value = int(number) if kind is int and number.is_integer() else number
        except (TypeError, ValueError, OverflowError):
            pass
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise InputError(f"{name} = {value!r} is not {_KINDS[kind]}.")
    return value


def _check(name: str, value: Any, limits: types.MappingProxyType[str, Any]) -> None:
    names, low, high = (limits.get(key) for key in ("choices", "low", "high"))
    if names and value not in names:
        raise InputError(f"{name} = {value!r} is not known; choose one of {', '.join(names)}.")
    if low is not None and not value >= low:
        raise InputError(f"{name} = {value} is too small; the lowest value is {low:g}.")
    if high is not None and not value <= high:
        raise InputError(f"{name} = {value} is too large; the highest value is {high:g}.")


class Settings:
    """Checks on construction and dictionaries, shared by every settings dataclass."""

    def __post_init__(self) -> None:
        """Check every field against its type, choices and limits."""
        hints = typing.get_type_hints(type(self))
        for item in dataclasses.fields(self):  # type: ignore[arg-type]
            value = _coerce(item.name, getattr(self, item.name), hints[item.name])
            object.__setattr__(self, item.name, value)
            for single in value if isinstance(value, tuple) else (value,):
                _check(item.name, single, item.metadata)
        self.check()

    def check(self) -> None:
        """Rules between fields; overridden where there are any."""

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary of plain JSON types."""
        return {
            item.name: _plain(getattr(self, item.name))
            for item in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> typing.Self:
        """Settings from a dictionary; unknown keys are refused by name."""
        if not isinstance(values, Mapping):
            raise InputError(
                f"{values!r} is not a table of settings; give names and values in braces, such as "
                '{"seed": 1}.'
            )
        known = [item.name for item in dataclasses.fields(cls)]  # type: ignore[arg-type]
        unknown = sorted(set(values) - set(known), key=str)
        if unknown:
            raise InputError(
                f"Unknown setting {', '.join(map(repr, unknown))}; known here are "
                f"{', '.join(known)}."
            )
        return cls(**values)


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
    epochs: int = setting(20, "Passes over the training rows.", low=1, high=100_000)
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
        0, "CPU threads; 0 takes every core, 1 repeats a history exactly.", low=0, high=1024
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
        return any(self.to_dict().values())


@dataclass(frozen=True)
class RunConfig(Settings):
    """One training run, whole."""

    dataset: str = setting("", "Dataset id.")
    preset: str = setting("dissertation", "Preset it was made from.")
    seed: int = setting(4, "Seed of weights, order and dropout.", low=0, high=2**31 - 1)
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

    def with_values(self, values: Mapping[str, Any]) -> RunConfig:
        """Copy with some settings replaced, each named by its leaf (``batch_size``) or dotted path.

        Values may be text, as the command line gives them: ``"512,256"`` is a list.
        """
        tree = self.to_dict()
        paths = setting_paths()
        for name, value in values.items():
            if name not in paths:
                leaves = sorted(key for key in paths if "." not in key)
                raise InputError(f"Unknown setting {name!r}; known are {', '.join(leaves)}.")
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

# White noise of 0.4 % of the mean flux: no price in accuracy, and rounding to two decimals or noise
# up to 1 % of the mean cost next to nothing (docs/robustness.md).
NOISE = AugmentationConfig(white_noise=0.004)

PRESETS: dict[str, RunConfig] = {
    "dissertation": RunConfig(
        preset="dissertation", training=TrainingConfig(keep="last"), model=ModelConfig()
    ),
    "fast": RunConfig(
        preset="fast",
        seed=1,
        scaler=ScalerConfig(name="whitened"),
        model=ModelConfig(
            architecture="mlp",
            dense_units=(256, 128, 64),
            dense_activation="gelu",
            initializer="lecun_normal",
        ),
        augmentation=NOISE,
        training=TrainingConfig(
            optimizer="adamw",
            learning_rate=0.002,
            schedule="one_cycle",
            weight_decay=0.1,
            averaging=0.999,
            clip_norm=0.1,
            huber_delta=0.05,  # about twice the typical error: outliers no longer upset a step
            batch_size=128,
            epochs=10,
        ),
    ),
    "fast_cnn": RunConfig(
        preset="fast_cnn",
        seed=1,
        scaler=ScalerConfig(name="whitened"),
        model=ModelConfig(
            architecture="cnn",
            head="pdf",
            conv_filters=(32, 64, 64),
            conv_kernels=(8, 5, 5),
            conv_strides=(4, 2, 2),
            pooling="none",
            conv_activation="gelu",
            dense_units=(256, 128),
            dense_activation="gelu",
            initializer="lecun_normal",
        ),
        augmentation=NOISE,
        training=TrainingConfig(
            optimizer="adamw",
            learning_rate=0.002,
            schedule="one_cycle",
            weight_decay=0.3,
            averaging=0.999,
            clip_norm=1.0,
            loss="cross_entropy",
            batch_size=256,
            epochs=6,
        ),
    ),
    "best": RunConfig(
        preset="best",
        seed=1,
        scaler=ScalerConfig(name="whitened"),
        model=ModelConfig(
            architecture="rescnn",
            head="pdf",
            conv_filters=(32, 64, 64),
            conv_kernels=(8, 5, 5),
            conv_strides=(4, 2, 2),
            pooling="none",
            conv_activation="gelu",
            dense_units=(512, 512, 512),
            dense_activation="gelu",
            initializer="lecun_normal",
        ),
        augmentation=NOISE,
        training=TrainingConfig(
            optimizer="adamw",
            learning_rate=0.002,
            schedule="one_cycle",
            loss="cross_entropy",
            averaging=0.999,
            clip_norm=1.0,
            weight_decay=1.0,
            batch_size=512,
            epochs=6,
        ),
    ),
}


def preset(name: str, dataset: str = "") -> RunConfig:
    """Preset by name, for one dataset."""
    if name not in PRESETS:
        raise InputError(f"Unknown preset {name!r}; choose {' or '.join(PRESETS)}.")
    return dataclasses.replace(PRESETS[name], dataset=dataset)


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
