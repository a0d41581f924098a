"""What a search varies: parameters as data, and the run that a choice of their values stands for.

A parameter bears the name of a setting (``learning_rate``). Five more describe the layers, which a
run's settings only have as lists: ``conv_layers`` and ``dense_layers`` count them;
``conv_filters``, ``conv_kernels`` and ``dense_units`` serve every layer, each drawing a value of
its own, ``conv_filters_1``, ``conv_filters_2``, …
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redshift_core.errors import InputError
from redshift_core.settings import names as named
from redshift_core.settings.fields import Settings, setting
from redshift_core.settings.layers import CONVOLVED, layer_table
from redshift_core.settings.run import SECTIONS, ModelConfig, RunConfig, setting_paths

KINDS = {
    "int": "Whole numbers of a range.",
    "float": "Any numbers of a range.",
    "choice": "One of some names.",
    "fixed": "Always the same value.",
}
LAYER_COUNTS = {"conv_layers": 8, "dense_layers": 10}  # name → most layers allowed
PER_LAYER = {  # name → what counts its layers
    "conv_filters": "conv_layers",
    "conv_kernels": "conv_layers",
    "dense_units": "dense_layers",
}
CONV_SETTINGS = ("conv_activation", "conv_strides", "padding", "pooling", "pool_size")
# What a search sets itself, or what would make its trials incomparable.
NOT_SEARCHED = (
    "seed", "test_fraction", "val_fraction", "random_state", "include_flagged", "fit_on",
    "epochs", "min_steps", "epoch_steps", "noise_rows", "early_stopping", "min_delta", "keep",
    "precision", "device", "threads",
)  # fmt: skip
GRID_POINTS = 10  # values that a grid takes from a range without a step


@dataclass(frozen=True)
class Parameter(Settings):
    """One thing that a search may vary, and the values it may take."""

    name: str = setting("", "Setting, or one of the five names of layers.")
    kind: str = setting("int", "A range of int or float, a choice, or fixed.", names=KINDS)
    low: float = setting(0.0, "Low end of a range.")
    high: float = setting(0.0, "High end of a range, itself included.")
    step: float = setting(
        0.0, "Distance of two values, their ratio where log; 0 allows any value.", low=0.0
    )
    log: bool = setting(False, "Draw the logarithm evenly.")
    choices: tuple[str, ...] = setting((), "Values of a choice, as text.")
    value: str = setting("", "Value of a fixed parameter, as text.")

    def __post_init__(self) -> None:
        """Take choices and a fixed value as text, then check."""
        given = (self.choices,) if isinstance(self.choices, str) else self.choices
        if not isinstance(given, list | tuple):
            raise InputError(f"choices = {given!r} is not a list of values; give [{given!r}].")
        words = [word.strip() for one in given for word in str(one).split(",")]
        object.__setattr__(self, "choices", tuple(word for word in words if word))
        object.__setattr__(self, "value", str(self.value))
        super().__post_init__()

    def check(self) -> None:
        """Refuse unknown names, empty ranges, and values that the setting does not take."""
        if self.name in NOT_SEARCHED:
            raise InputError(
                f"{self.name} is not searched: it belongs to the search itself or would make its "
                "trials incomparable. Leave it out."
            )
        known = {*LAYER_COUNTS, *PER_LAYER, *_settings()} - set(NOT_SEARCHED)
        if self.name not in known:
            raise InputError(
                f"There is no parameter {self.name!r}; known are {', '.join(sorted(known))}."
            )
        if self.kind in ("int", "float"):
            self._check_range()
        elif self.kind == "choice" and not self.choices:
            raise InputError(f"{self.name}: the choice is empty; give one value or more.")
        for text in self._extremes():
            try:
                _refuse(self.name, text)
            except InputError as error:
                raise InputError(f"{self.name}: {error}") from error

    @property
    def values(self) -> tuple[str, ...] | None:
        """Every value of a choice or a fixed parameter; None of a range."""
        return {"choice": self.choices, "fixed": (self.value,)}.get(self.kind)

    @property
    def most(self) -> int:
        """Largest value of a whole number."""
        return max(int(float(text)) for text in self._extremes())

    @property
    def least(self) -> int:
        """Smallest value of a whole number."""
        return min(int(float(text)) for text in self._extremes())

    @property
    def n_values(self) -> int:
        """Number of values that a grid takes."""
        if self.values is not None:
            return len(self.values)
        if self.log and self.step:
            return int(math.log(self.high / self.low, self.step) + 1e-8) + 1
        if self.kind == "float" and not self.step:
            return GRID_POINTS
        n = int((self.high - self.low) // (self.step or 1.0)) + 1
        return min(n, GRID_POINTS) if self.log else n

    def _extremes(self) -> tuple[str, ...]:
        if self.values is not None:
            return self.values
        ends = (self.low, self.high)
        return tuple(str(int(end)) if end.is_integer() else repr(end) for end in ends)

    def _check_range(self) -> None:
        for name in ("low", "high", "step"):
            if not math.isfinite(getattr(self, name)):
                raise InputError(f"{self.name}: {name} is {getattr(self, name)}; give a number.")
        if self.low > self.high:
            raise InputError(
                f"{self.name}: the range from {self.low:g} to {self.high:g} is empty; give a low "
                "end that is not above the high end."
            )
        whole = all(float(end).is_integer() for end in (self.low, self.high, self.step))
        if self.kind == "float" and _is_whole(self.name):
            raise InputError(f"{self.name} is a whole number; its range is one of kind int.")
        if self.kind == "int" and not whole:
            raise InputError(
                f"{self.name}: a range of whole numbers has whole ends and a whole step; "
                f"{self.low:g} to {self.high:g} in steps of {self.step:g} has not."
            )
        if self.log and (self.low <= 0 or 0 < self.step <= 1):
            raise InputError(
                f"{self.name}: a logarithmic range begins above 0, and its step is a ratio "
                f"above 1 (or 0 for any value); got {self.low:g} and {self.step:g}."
            )


def _refuse(name: str, text: str) -> None:
    """InputError where a setting does not take a value."""
    if name in LAYER_COUNTS:
        most = LAYER_COUNTS[name]
        if not text.lstrip("+-").isdigit() or not 0 <= int(text) <= most:
            raise InputError(f"{text} is not a number of layers from 0 to {most}.")
        return
    values = {name: text}
    if name in ("conv_filters", "conv_kernels"):
        values = {"conv_filters": "8", "conv_kernels": "5", name: text}
    RunConfig().with_values(values)


def _is_whole(name: str) -> bool:
    """Whether a parameter is a whole number."""
    if name in LAYER_COUNTS:
        return True
    value: Any = RunConfig()
    for part in setting_paths()[name]:
        value = getattr(value, part)
    value = value[0] if isinstance(value, tuple) else value
    return isinstance(value, int)


def _settings() -> list[str]:
    return [
        "scaler" if (section, item.name) == ("scaler", "name") else item.name
        for section, kind in SECTIONS.items()
        for item in dataclasses.fields(kind)  # type: ignore[arg-type]
    ]


DEFAULT_SPACE: tuple[Parameter, ...] = (
    Parameter("conv_layers", "int", low=1, high=4),
    Parameter("conv_filters", "int", low=16, high=256, step=2, log=True),
    Parameter("conv_kernels", "int", low=2, high=8),
    Parameter("conv_activation", "choice", choices=("relu", "tanh", "sigmoid", "gelu", "silu")),
    Parameter("dense_layers", "int", low=1, high=4),
    Parameter("dense_units", "int", low=32, high=512, step=2, log=True),
    Parameter("dense_activation", "choice", choices=("relu", "tanh", "sigmoid", "gelu", "silu")),
    Parameter("loss", "choice", choices=("huber", "mse", "mae")),
    Parameter("optimizer", "choice", choices=("adamax", "adam", "sgd")),
)
"""What the dissertation searched, by its names; the ranges are ours, since it gives none."""

ADDABLE: tuple[Parameter, ...] = (
    Parameter("learning_rate", "float", low=1e-4, high=1e-2, log=True),
    Parameter("batch_size", "int", low=32, high=512, step=2, log=True),
    Parameter("scaler", "choice", choices=tuple(named.SCALERS)),
    Parameter("dropout", "float", low=0.0, high=0.4, step=0.1),
    Parameter("architecture", "choice", choices=tuple(named.ARCHITECTURES)),
    Parameter("pooling", "choice", choices=("max", "average", "none")),
    Parameter("pool_size", "int", low=2, high=4),
    Parameter("padding", "choice", choices=("valid", "same")),
    Parameter("schedule", "choice", choices=tuple(named.SCHEDULES)),
    Parameter("huber_delta", "float", low=0.01, high=1.0, log=True),
    Parameter("clip_norm", "float", low=0.05, high=1.0, log=True),
    Parameter("l2", "float", low=1e-7, high=1e-3, log=True),
    Parameter("initializer", "choice", choices=("glorot_uniform", "he_normal", "lecun_normal")),
)
"""What else is worth a search."""


def free(space: Iterable[Parameter]) -> list[Parameter]:
    """Parameters that are not fixed, those that others depend on first."""
    order = {"architecture": 0, **dict.fromkeys(LAYER_COUNTS, 1)}
    return sorted((p for p in space if p.kind != "fixed"), key=lambda p: order.get(p.name, 2))


def fixed(space: Iterable[Parameter]) -> dict[str, str]:
    """Name → value of the fixed parameters."""
    return {parameter.name: parameter.value for parameter in space if parameter.kind == "fixed"}


def n_layers(space: Iterable[Parameter], base: RunConfig, name: str) -> range:
    """Numbers of layers that a space allows; ``name`` is ``conv_layers`` or ``dense_layers``."""
    for parameter in space:
        if parameter.name == name:
            return range(parameter.least, parameter.most + 1)
    lists = {"conv_layers": base.model.conv_filters, "dense_layers": base.model.dense_units}
    return range(len(lists[name]), len(lists[name]) + 1)


def n_combinations(space: Iterable[Parameter], base: RunConfig) -> int:
    """Number of trials of a whole grid; a layer counts only where it exists."""
    names = {parameter.name: parameter.n_values for parameter in free(space)}

    def n(*parts: str) -> int:
        return math.prod(names.get(part, 1) for part in parts)

    dense = sum(n("dense_units") ** count for count in _counts(space, base, "dense_layers"))
    conv = sum(
        n("conv_filters", "conv_kernels") ** count * (n(*CONV_SETTINGS) if count else 1)
        for count in _counts(space, base, "conv_layers")
    )
    kinds = next((p.choices for p in space if p.name == "architecture" and p.choices), ("",))
    conv = sum(conv if kind in ("", *CONVOLVED) else 1 for kind in kinds)
    of_layers = {*LAYER_COUNTS, *PER_LAYER, *CONV_SETTINGS, "architecture"}
    return dense * conv * n(*(name for name in names if name not in of_layers))


def run_config(base: RunConfig, values: Mapping[str, Any]) -> tuple[RunConfig, list[str]]:
    """Run that a choice of values stands for, and what had to be repaired.

    Where a spectrum is shorter than the kernel or the pooling window that meets it, the last
    convolutional layer is left out until everything fits; without any, cnn becomes mlp and rescnn
    resmlp.

    Parameters
    ----------
    base : RunConfig
        Every setting that is not chosen.
    values : mapping
        Name of each parameter, layers by number (``conv_filters_2``) → value, number or text.

    Examples
    --------
    >>> from redshift_core.settings.presets import preset
    >>> config, repaired = run_config(
    ...     preset("dissertation"), {"conv_layers": 8, "conv_filters": 16, "conv_kernels": 5}
    ... )
    >>> len(config.model.conv_filters), repaired
    (5, ['3 of 8 convolutional layers left out: no pixels were left for them.'])
    """
    model = base.model
    wants_conv = any(name.startswith(("conv_filters", "conv_kernels")) for name in values)
    convolved = model.architecture if model.architecture in CONVOLVED else "cnn"
    architecture = str(values.get("architecture", convolved if wants_conv else model.architecture))
    n_conv = int(float(values.get("conv_layers", len(model.conv_filters))))
    n_dense = int(float(values.get("dense_layers", len(model.dense_units))))
    if "conv_layers" in values and "architecture" not in values:
        architecture = convolved if n_conv else CONVOLVED[convolved]
    layers: dict[str, Any] = {
        "architecture": architecture,
        "dense_units": _each(values, "dense_units", n_dense, model.dense_units),
    }
    if architecture in CONVOLVED:
        layers["conv_filters"] = _each(values, "conv_filters", n_conv, model.conv_filters)
        layers["conv_kernels"] = _each(values, "conv_kernels", n_conv, model.conv_kernels)
        layers["conv_strides"] = _each({}, "conv_strides", n_conv, model.conv_strides)
    others = {name: value for name, value in values.items() if not _is_of_layers(name)}
    if "loss" in others and "head" not in others:  # the head that the loss can judge
        heads = (head for head, losses in named.LOSSES_OF.items() if others["loss"] in losses)
        others["head"] = next(heads, model.head)
    return _fitting(base.with_values({**others, **layers}))


def _fitting(config: RunConfig) -> tuple[RunConfig, list[str]]:
    """Configuration whose layers fit a spectrum, and what was left out for it."""
    wanted = kept = len(config.model.conv_filters)
    while config.model.architecture in CONVOLVED:
        try:
            layer_table(config.model, config.scaler.name)
            break
        except InputError:
            kept -= 1
        lists = {
            name: getattr(config.model, name)[:kept]
            for name in ("conv_filters", "conv_kernels", "conv_strides")
        }
        model = dataclasses.replace(config.model, **lists) if kept else _without_conv(config.model)
        config = dataclasses.replace(config, model=model)
    if kept == wanted:
        return config, []
    return config, [
        f"{wanted - kept} of {wanted} convolutional layers left out: no pixels were left for them."
    ]


def _without_conv(model: ModelConfig) -> ModelConfig:
    usual = ModelConfig()
    lists = {name: getattr(usual, name) for name in ("conv_filters", "conv_kernels")}
    architecture = CONVOLVED[model.architecture]
    return dataclasses.replace(model, architecture=architecture, conv_strides=(1,), **lists)


def _each(values: Mapping[str, Any], name: str, n: int, usual: tuple[int, ...]) -> list[Any]:
    """Value of each layer: its own, else the one for every layer, else the base's."""
    padded = [*usual, *[usual[-1] if usual else 64] * n]
    return [values.get(f"{name}_{i + 1}", values.get(name, padded[i])) for i in range(n)]


def _is_of_layers(name: str) -> bool:
    stem, _, number = name.rpartition("_")
    return name in LAYER_COUNTS or name in PER_LAYER or (stem in PER_LAYER and number.isdigit())


def _counts(space: Iterable[Parameter], base: RunConfig, name: str) -> Iterable[int]:
    """Numbers of layers that a grid tries."""
    for parameter in space:
        if parameter.name == name and parameter.kind == "int":
            return range(parameter.least, parameter.most + 1, max(1, int(parameter.step)))
        if parameter.name == name and parameter.values:
            return sorted({int(float(value)) for value in parameter.values})
    return n_layers(space, base, name)
