"""Layer table of a configuration, computed without TensorFlow.

Output lengths, trainable parameters and floating-point operations of every layer, in the order in
which ``models.build_model`` stacks them and under the same names; a test holds the two together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from redshift_core.config import ModelConfig
from redshift_core.constants import N_PIXELS, N_Z_BINS
from redshift_core.errors import InputError

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


@dataclass(frozen=True)
class ConvShape:
    """Filters, kernel length and stride of one convolutional layer."""

    filters: int
    kernel: int
    stride: int


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
    rows: list[LayerRow] = []
    width = N_PIXELS + n_extra
    if config.architecture in CONVOLVED:
        rows += _conv_rows(config)
        joined = width if config.architecture == "rescnn" else n_extra
        width = math.prod(rows[-1].output_shape) + joined
        if joined:
            rows.append(LayerRow("join", "Concatenate", (width,), 0, 0))
    stack = _residual_rows if config.architecture in ("resmlp", "rescnn") else _dense_rows
    rows += stack(config, width)
    if config.dense_units:
        width = config.dense_units[-1]
    name = "logits" if config.head == "pdf" else "z_phot"
    return [*rows, _dense_row(name, width, n_outputs(config))]


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


def _conv_rows(config: ModelConfig) -> list[LayerRow]:
    rows: list[LayerRow] = []
    length, channels = N_PIXELS, 1
    for number, conv in enumerate(conv_shapes(config), start=1):
        if config.padding == "same":
            length = math.ceil(length / conv.stride)
        else:
            if conv.kernel > length:
                raise InputError(_too_long("kernel", conv.kernel, number, length))
            length = (length - conv.kernel) // conv.stride + 1
        weights = conv.kernel * channels * conv.filters
        shape = (length, conv.filters)
        rows.append(
            LayerRow(
                f"conv_{number}", "Conv1D", shape, weights + conv.filters, 2 * weights * length
            )
        )
        channels = conv.filters
        if config.pooling != "none":
            if config.pool_size > length:
                raise InputError(_too_long("pooling window", config.pool_size, number, length))
            length //= config.pool_size
            kind = "MaxPooling1D" if config.pooling == "max" else "AveragePooling1D"
            rows.append(LayerRow(f"pool_{number}", kind, (length, channels), 0, 0))
    return [*rows, LayerRow("flatten", "Flatten", (length * channels,), 0, 0)]


def _too_long(what: str, size: int, number: int, left: int) -> str:
    pixels = "1 pixel is" if left == 1 else f"{left} pixels are"
    return (
        f"The {what} of convolutional layer {number} is {size} pixels long, but only {pixels} "
        "left there. Use fewer layers, shorter kernels, less pooling, or padding = same."
    )


def _dense_rows(config: ModelConfig, width: int) -> list[LayerRow]:
    rows: list[LayerRow] = []
    for number, units in enumerate(config.dense_units, start=1):
        rows.append(_dense_row(f"dense_{number}", width, units))
        width = units
        if config.dropout:
            rows.append(LayerRow(f"dropout_{number}", "Dropout", (width,), 0, 0))
    return rows


def _residual_rows(config: ModelConfig, width: int) -> list[LayerRow]:
    rows: list[LayerRow] = []
    for number, units in enumerate(config.dense_units, start=1):
        if units != width:
            rows.append(_dense_row(f"project_{number}", width, units))
            width = units
        rows.append(_norm_row(f"norm_{number}", width))
        rows.append(_dense_row(f"dense_{number}", width, width))
        if config.dropout:
            rows.append(LayerRow(f"dropout_{number}", "Dropout", (width,), 0, 0))
        rows.append(_dense_row(f"back_{number}", width, width))
        rows.append(LayerRow(f"add_{number}", "Add", (width,), 0, width))
    return [*rows, _norm_row("norm", width)]


def _norm_row(name: str, width: int) -> LayerRow:
    return LayerRow(name, "LayerNormalization", (width,), 2 * width, 8 * width)


def _dense_row(name: str, width: int, units: int) -> LayerRow:
    return LayerRow(name, "Dense", (units,), (width + 1) * units, 2 * width * units)
