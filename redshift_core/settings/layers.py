"""Layer table of a configuration, computed without TensorFlow.

Output lengths, trainable parameters and floating-point operations of every layer, under its name in
the Keras model. An architecture is written once, in ``ARCHITECTURES``, in terms of a ``Builder``:
``TableBuilder`` makes rows of it, ``models.KerasBuilder`` the network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from redshift_core.constants import N_PIXELS, N_Z_BINS
from redshift_core.errors import InputError
from redshift_core.settings.run import ModelConfig

CONVOLVED = {  # architecture with convolutions → the same without them
    "cnn": "mlp",
    "rescnn": "resmlp",
    "mixed": "resmlp",
}
MIXED = ("rescnn", "cnn", "resmlp")  # members of "mixed", in turn
N_EXTRA = {"spectrum": 2, "shape": 2, "whitened": 2}  # inputs beside the pixels: two logarithms


@dataclass(frozen=True)
class LayerRow:
    """One layer: its output shape for one spectrum, its parameters and its cost."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    n_parameters: int  # trainable
    n_flops: int  # of one spectrum forward, a multiply-add counted as two

    def cells(self) -> dict[str, str | int]:
        """Line of a layer table by its columns."""
        return {
            "layer": self.name,
            "kind": self.kind,
            "output": " × ".join(map(str, self.output_shape)),
            "parameters": self.n_parameters,
            "operations": self.n_flops,
        }


@dataclass(frozen=True)
class ConvShape:
    """Filters, kernel length and stride of one convolutional layer."""

    filters: int
    kernel: int
    stride: int


@dataclass(frozen=True)
class Output:
    """What a layer gives, as far as the table has to know it."""

    shape: tuple[int, ...]  # of one spectrum


class Builder(Protocol):
    """Layers that an architecture is made of; each takes what another one gave.

    What they give has a ``shape`` that ends in the number of values, or of channels.
    """

    def pixels(self, features: Any) -> tuple[Any, Any | None]:
        """Apart: the 186 pixels as one channel, and the inputs beside them, None without any."""
        ...

    def conv(self, name: str, hidden: Any, conv: ConvShape) -> Any:
        """Convolution along the spectrum with the activation of the settings."""
        ...

    def pool(self, name: str, hidden: Any) -> Any:
        """Pooling of the kind and length of the settings."""
        ...

    def flatten(self, name: str, hidden: Any) -> Any:
        """All values in one row."""
        ...

    def join(self, name: str, parts: Sequence[Any]) -> Any:
        """Several rows of values, one after another."""
        ...

    def dense(self, name: str, hidden: Any, units: int, activation: str) -> Any:
        """Dense layer."""
        ...

    def dropout(self, name: str, hidden: Any) -> Any:
        """Dropout at the rate of the settings."""
        ...

    def norm(self, name: str, hidden: Any) -> Any:
        """Layer normalisation."""
        ...

    def add(self, name: str, one: Any, other: Any) -> Any:
        """Sum of two of the same shape."""
        ...


def conv_shapes(config: ModelConfig) -> list[ConvShape]:
    """Convolutional layers; a single kernel length or stride serves all of them."""
    n = len(config.conv_filters)
    kernels = config.conv_kernels * n if len(config.conv_kernels) == 1 else config.conv_kernels
    strides = config.conv_strides * n if len(config.conv_strides) == 1 else config.conv_strides
    return [ConvShape(*one) for one in zip(config.conv_filters, kernels, strides, strict=True)]


def layer_table(config: ModelConfig, scaler_name: str = "minmax") -> list[LayerRow]:
    """Every layer of the network, first to last.

    Parameters
    ----------
    scaler_name : str
        Scaler in front of the network; ``spectrum`` adds two inputs.

    Raises
    ------
    InputError
        Where a kernel or a pooling window is longer than what is left of the spectrum.

    Examples
    --------
    >>> [row.n_parameters for row in layer_table(ModelConfig()) if row.n_parameters][:2]
    [1536, 327936]
    >>> n_parameters(ModelConfig())
    699073
    """
    n_extra = N_EXTRA.get(scaler_name, 0)
    table = [LayerRow("scaling", "Scaling", (N_PIXELS + n_extra,), 0, 0)]
    for number in range(1, config.members + 1):
        prefix = member_prefix(config, number)
        member = _member_rows(member_config(config, number), n_extra)
        table += [replace(row, name=prefix + row.name) for row in member]
    return table + _joint_rows(config)


def member_config(config: ModelConfig, number: int) -> ModelConfig:
    """Configuration of one member, numbered from 1, with an architecture of its own."""
    if config.architecture != "mixed":
        return config
    return replace(config, architecture=MIXED[(number - 1) % len(MIXED)])


def member_prefix(config: ModelConfig, number: int) -> str:
    """What the names of a member's layers begin with; nothing where there is one member."""
    return f"member_{number}_" if config.members > 1 else ""


def n_outputs(config: ModelConfig) -> int:
    """Numbers that one member gives for a spectrum."""
    return N_Z_BINS if config.head == "pdf" else 1


def _member_rows(config: ModelConfig, n_extra: int) -> list[LayerRow]:
    """One network, from the scaled spectrum to its own answer."""
    table = TableBuilder(config)
    draw_member(config, table, Output((N_PIXELS + n_extra,)))
    return table.rows


def _joint_rows(config: ModelConfig) -> list[LayerRow]:
    """What follows the members."""
    rows: list[LayerRow] = []
    if config.members > 1 or config.head == "pdf":
        shape = (config.members, n_outputs(config))
        rows.append(LayerRow("answers", "Answers", shape, 0, 0))
        if config.head == "pdf":
            rows.append(LayerRow("pdf", "Density", (N_Z_BINS,), 0, 0))
        else:
            rows.append(LayerRow("mean", "GlobalAveragePooling1D", (1,), 0, 0))
    return rows


def n_parameters(config: ModelConfig, scaler_name: str = "minmax") -> int:
    """Trainable parameters of the network."""
    return sum(row.n_parameters for row in layer_table(config, scaler_name))


def n_flops(config: ModelConfig, scaler_name: str = "minmax") -> int:
    """Floating-point operations of one spectrum forward; a training step costs three times that."""
    return sum(row.n_flops for row in layer_table(config, scaler_name))


def _too_long(what: str, size: int, number: int, left: int) -> str:
    pixels = "1 pixel is" if left == 1 else f"{left} pixels are"
    return (
        f"The {what} of convolutional layer {number} is {size} pixels long, but only {pixels} "
        "left there. Use fewer layers, shorter kernels, less pooling, or padding = same."
    )


class TableBuilder:
    """Builder that notes the row of each layer."""

    def __init__(self, config: ModelConfig):
        self.config = config
        self.rows: list[LayerRow] = []
        self.n_convs = 0

    def _row(
        self, name: str, kind: str, shape: tuple[int, ...], n_parameters: int = 0, n_flops: int = 0
    ) -> Output:
        self.rows.append(LayerRow(name, kind, shape, n_parameters, n_flops))
        return Output(shape)

    def pixels(self, features: Output) -> tuple[Output, Output | None]:
        """No row: nothing is computed."""
        n_extra = features.shape[-1] - N_PIXELS
        return Output((N_PIXELS, 1)), Output((n_extra,)) if n_extra else None

    def conv(self, name: str, hidden: Output, conv: ConvShape) -> Output:
        """Kernel · channels · filters weights, each used at every position, and the biases."""
        self.n_convs += 1
        length, channels = hidden.shape
        if self.config.padding == "same":
            length = math.ceil(length / conv.stride)
        else:
            if conv.kernel > length:
                raise InputError(_too_long("kernel", conv.kernel, self.n_convs, length))
            length = (length - conv.kernel) // conv.stride + 1
        weights = conv.kernel * channels * conv.filters
        shape = (length, conv.filters)
        return self._row(name, "Conv1D", shape, weights + conv.filters, 2 * weights * length)

    def pool(self, name: str, hidden: Output) -> Output:
        """Shorter by the pooling window."""
        length, channels = hidden.shape
        if self.config.pool_size > length:
            raise InputError(
                _too_long("pooling window", self.config.pool_size, self.n_convs, length)
            )
        kind = "MaxPooling1D" if self.config.pooling == "max" else "AveragePooling1D"
        return self._row(name, kind, (length // self.config.pool_size, channels))

    def flatten(self, name: str, hidden: Output) -> Output:
        """Length times channels."""
        return self._row(name, "Flatten", (math.prod(hidden.shape),))

    def join(self, name: str, parts: Sequence[Output]) -> Output:
        """The sum of the widths."""
        return self._row(name, "Concatenate", (sum(part.shape[-1] for part in parts),))

    def dense(self, name: str, hidden: Output, units: int, activation: str) -> Output:
        """A weight for each input and unit, and the biases."""
        width = hidden.shape[-1]
        return self._row(name, "Dense", (units,), (width + 1) * units, 2 * width * units)

    def dropout(self, name: str, hidden: Output) -> Output:
        """Nothing to learn."""
        return self._row(name, "Dropout", hidden.shape)

    def norm(self, name: str, hidden: Output) -> Output:
        """Scale and shift of each value."""
        width = hidden.shape[-1]
        return self._row(name, "LayerNormalization", hidden.shape, 2 * width, 8 * width)

    def add(self, name: str, one: Output, other: Output) -> Output:
        """One addition a value."""
        return self._row(name, "Add", one.shape, 0, math.prod(one.shape))


def draw_member(config: ModelConfig, build: Builder, features: Any) -> Any:
    """One network, from the scaled spectrum to its own answer."""
    hidden = ARCHITECTURES[config.architecture](config, build, features)
    name = "logits" if config.head == "pdf" else "z_phot"
    return build.dense(name, hidden, n_outputs(config), "linear")


def _mlp(config: ModelConfig, build: Builder, hidden: Any) -> Any:
    """Dense layers, each followed by dropout where there is any."""
    for number, units in enumerate(config.dense_units, start=1):
        hidden = build.dense(f"dense_{number}", hidden, units, config.dense_activation)
        if config.dropout:
            hidden = build.dropout(f"dropout_{number}", hidden)
    return hidden


def _resmlp(config: ModelConfig, build: Builder, hidden: Any) -> Any:
    """Blocks that add to what they were given: hidden + back(activation(dense(norm(hidden)))).

    A block of another width begins with a linear projection to it.

    References
    ----------
    He et al. 2016, "Identity Mappings in Deep Residual Networks"; Xiong et al. 2020 (norm first).
    """
    for number, units in enumerate(config.dense_units, start=1):
        if units != hidden.shape[-1]:
            hidden = build.dense(f"project_{number}", hidden, units, "linear")
        inner = build.norm(f"norm_{number}", hidden)
        inner = build.dense(f"dense_{number}", inner, units, config.dense_activation)
        if config.dropout:
            inner = build.dropout(f"dropout_{number}", inner)
        inner = build.dense(f"back_{number}", inner, units, "linear")
        hidden = build.add(f"add_{number}", hidden, inner)
    return build.norm("norm", hidden)


def _cnn(config: ModelConfig, build: Builder, features: Any) -> Any:
    """Convolutions over the pixels; further inputs join at the first dense layer."""
    pixels, extra = build.pixels(features)
    hidden = _convolved(config, build, pixels)
    if extra is not None:
        hidden = build.join("join", [hidden, extra])
    return _mlp(config, build, hidden)


def _rescnn(config: ModelConfig, build: Builder, features: Any) -> Any:
    """Convolutions over the pixels, joined with all inputs; then the blocks of ``_resmlp``."""
    pixels, _ = build.pixels(features)
    hidden = build.join("join", [_convolved(config, build, pixels), features])
    return _resmlp(config, build, hidden)


def _convolved(config: ModelConfig, build: Builder, hidden: Any) -> Any:
    """What convolutions make of the pixels, flat."""
    for number, conv in enumerate(conv_shapes(config), start=1):
        hidden = build.conv(f"conv_{number}", hidden, conv)
        if config.pooling != "none":
            hidden = build.pool(f"pool_{number}", hidden)
    return build.flatten("flatten", hidden)


ARCHITECTURES: dict[str, Callable[[ModelConfig, Builder, Any], Any]] = {
    "cnn": _cnn,
    "mlp": _mlp,
    "rescnn": _rescnn,
    "resmlp": _resmlp,
}
