"""A trained network as an ONNX graph, which other programs compute without TensorFlow.

    flux (n, 186) → scaler → members (one architecture each) → z_phot (n, 1) or p (n, 240)

Nothing is translated from Keras: the forms of `data.scaling` and the architectures of
`settings.layers` are drawn once more, with nodes of ONNX in place of Keras's layers, and take the
numbers of the layers of the same names. Arithmetic is float32 throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from redshift_core.constants import N_PIXELS
from redshift_core.data.scaling import FORMS, Numbers
from redshift_core.learning.models import PDF, SCALING
from redshift_core.settings.layers import (
    ConvShape,
    draw_member,
    member_config,
    member_prefix,
    n_outputs,
)
from redshift_core.settings.run import ModelConfig

OPSET = 20  # of ONNX 1.15 (2023), the first with Gelu
IR_VERSION = 9  # the one of that release, so that runtimes since then read the file
CACHED = 1_000_000  # numbers that a node may give in one call; 4 MB
MOST = 1024  # spectra in one call
INPUT, REDSHIFT, DENSITY = "flux", "z_phot", "p"  # names of the graph's input and outputs
ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {  # as Keras defines each → node of ONNX
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "elu": ("Elu", {}),
    "selu": ("Selu", {}),
    "gelu": ("Gelu", {}),
    "mish": ("Mish", {}),
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
}


@dataclass(frozen=True)
class Tensor:
    """What a node gives; the arithmetic of scalers makes further nodes of it."""

    graph: Graph
    name: str
    shape: tuple[int, ...]  # of one spectrum; of a convolution (length, channels), as in Keras

    def __add__(self, other: Any) -> Tensor:
        return self.graph.node("Add", [self, other], self.shape)

    def __sub__(self, other: Any) -> Tensor:
        return self.graph.node("Sub", [self, other], self.shape)

    def __mul__(self, other: Any) -> Tensor:
        return self.graph.node("Mul", [self, other], self.shape)

    def __truediv__(self, other: Any) -> Tensor:
        return self.graph.node("Div", [self, other], self.shape)


class Graph:
    """Nodes and constant arrays, in the order of computing; see `Tensor`."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []
        self.widest = 1  # most numbers that a node gives for one spectrum

    def node(
        self, kind: str, inputs: Sequence[Any], shape: tuple[int, ...], **attributes: Any
    ) -> Tensor:
        """Append a node; inputs that are no tensors become constants, floats as float32."""
        names = [one.name if isinstance(one, Tensor) else self._constant(one) for one in inputs]
        name = f"{kind}_{len(self.nodes)}"
        self.widest = max(self.widest, math.prod(shape))
        self.nodes.append(helper.make_node(kind, names, [name], name=name, **attributes))
        return Tensor(self, name, shape)

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        array = np.asarray(array, np.int64 if array.dtype.kind == "i" else np.float32)
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name


class Ops:
    """The functions of NumPy that the scalers' forms call, as nodes over (n, width)."""

    def __init__(self, graph: Graph):
        self.node = graph.node

    def mean(self, values: Tensor, axis: int, keepdims: bool) -> Tensor:
        """Mean of each row."""
        return self.node("ReduceMean", [values, [axis]], (1,), keepdims=int(keepdims))

    def std(self, values: Tensor, axis: int, keepdims: bool) -> Tensor:
        """Standard deviation of each row."""
        apart = values - self.mean(values, axis, True)
        return self.node("Sqrt", [self.mean(apart * apart, axis, keepdims)], (1,))

    def maximum(self, one: Tensor, other: Any) -> Tensor:
        """The larger of two."""
        return self.node("Max", [one, other], one.shape)

    def abs(self, values: Tensor) -> Tensor:
        """Absolute value."""
        return self.node("Abs", [values], values.shape)

    def log(self, values: Tensor) -> Tensor:
        """Natural logarithm."""
        return self.node("Log", [values], values.shape)

    def concatenate(self, parts: Sequence[Tensor], axis: int) -> Tensor:
        """One after another."""
        width = sum(part.shape[-1] for part in parts)
        return self.node("Concat", parts, (width,), axis=axis)

    def matmul(self, values: Tensor, matrix: NDArray) -> Tensor:
        """Each row times a matrix."""
        return self.node("MatMul", [values, matrix], (matrix.shape[1],))


def _table(flux: Tensor, numbers: Numbers, ops: Any) -> Tensor:
    """`np.interp` of each pixel: the knot below is found by halving, as ONNX has no search."""
    knots, levels = numbers["knots"], numbers["levels"]
    n_knots = knots.shape[1]
    first = np.arange(len(knots)) * n_knots  # place of each pixel's first knot in the flat table
    shape = flux.shape

    def at(table: NDArray, place: Any) -> Tensor:
        return ops.node("Gather", [table.ravel(), ops.node("Add", [place, first], shape)], shape)

    below: Any = np.zeros(len(knots), np.int64)
    for power in reversed(range((n_knots - 1).bit_length())):
        tried = ops.node("Min", [ops.node("Add", [below, 2**power], shape), n_knots - 2], shape)
        reached = ops.node("GreaterOrEqual", [flux, at(knots, tried)], shape)
        below = ops.node("Where", [reached, tried, below], shape)
    x0, y0 = at(knots, below), at(levels, below)
    x1, y1 = at(knots, below + 1), at(levels, below + 1)
    share = ops.node("Clip", [(flux - x0) / (x1 - x0), 0.0, 1.0], shape)
    return y0 + share * (y1 - y0)


_FORMS = {**FORMS, "table": _table}


class OnnxBuilder:
    """Makes the nodes of each layer with the numbers of Keras's layer of that name."""

    def __init__(self, config: ModelConfig, prefix: str, model: Any):
        self.config = config
        self.prefix = prefix
        self.model = model

    def _numbers(self, name: str) -> list[NDArray]:
        return self.model.get_layer(self.prefix + name).get_weights()

    def pixels(self, features: Tensor) -> tuple[Tensor, Tensor | None]:
        """(n, inputs) → (n, 186, 1), and (n, inputs − 186) if there are more."""
        node, n_inputs = features.graph.node, features.shape[-1]

        def part(start: int, stop: int) -> Tensor:
            return node("Slice", [features, [start], [stop], [1]], (stop - start,))

        alone = part(0, N_PIXELS) if n_inputs > N_PIXELS else features
        pixels = node("Unsqueeze", [alone, [2]], (N_PIXELS, 1))
        return pixels, part(N_PIXELS, n_inputs) if n_inputs > N_PIXELS else None

    def conv(self, name: str, hidden: Tensor, conv: ConvShape) -> Tensor:
        """(n, length, channels) → (n, shorter, filters).

        All that the kernel covers at one position is a row of a matrix product. ONNX Runtime's own
        convolution takes one spectrum after the other, and ``fast_cnn`` comes to 39,000 spectra per
        CPU second with it, to 53,000 with the product.
        """
        kernel, bias = self._numbers(name)
        if self.config.padding == "same":
            hidden = _padded(hidden, conv)
        node, (length, channels) = hidden.graph.node, hidden.shape
        length, width = (length - conv.kernel) // conv.stride + 1, conv.kernel * channels
        places = conv.stride * np.arange(length)[:, None] + np.arange(conv.kernel)
        covered = node("Gather", [hidden, places], (length, conv.kernel, channels), axis=1)
        rows = node("Reshape", [covered, [-1, width]], (width,))
        rows = node("Gemm", [rows, kernel.reshape(width, -1), bias], (conv.filters,))
        rows = _activated(rows, self.config.conv_activation)
        return node("Reshape", [rows, [-1, length, conv.filters]], (length, conv.filters))

    def pool(self, name: str, hidden: Tensor) -> Tensor:
        """(n, length, channels) → (n, length / window, channels)."""
        kind = "ReduceMax" if self.config.pooling == "max" else "ReduceMean"
        node, window, (length, channels) = hidden.graph.node, self.config.pool_size, hidden.shape
        n, rest = divmod(length, window)
        if rest:
            hidden = node("Slice", [hidden, [0], [length - rest], [1]], (length - rest, channels))
        windows = node("Reshape", [hidden, [-1, n, window, channels]], (n, window, channels))
        return node(kind, [windows, [2]], (n, channels), keepdims=0)

    def flatten(self, name: str, hidden: Tensor) -> Tensor:
        """(n, length, channels) → (n, length · channels)."""
        width = hidden.shape[0] * hidden.shape[1]
        return hidden.graph.node("Reshape", [hidden, [-1, width]], (width,))

    def join(self, name: str, parts: Sequence[Tensor]) -> Tensor:
        """(n, a), (n, b), … → (n, a + b + …)."""
        return Ops(parts[0].graph).concatenate(parts, axis=1)

    def dense(self, name: str, hidden: Tensor, units: int, activation: str) -> Tensor:
        """(n, width) → (n, units)."""
        hidden = hidden.graph.node("Gemm", [hidden, *self._numbers(name)], (units,))
        return _activated(hidden, activation)

    def dropout(self, name: str, hidden: Tensor) -> Tensor:
        """The same: nothing is dropped after the training."""
        return hidden

    def norm(self, name: str, hidden: Tensor) -> Tensor:
        """Same shape."""
        epsilon = self.model.get_layer(self.prefix + name).epsilon
        inputs = [hidden, *self._numbers(name)]
        return hidden.graph.node("LayerNormalization", inputs, hidden.shape, epsilon=epsilon)

    def add(self, name: str, one: Tensor, other: Tensor) -> Tensor:
        """Same shape."""
        return one + other


def _padded(hidden: Tensor, conv: ConvShape) -> Tensor:
    """Zeros at both ends, so that the length falls by the stride alone; the odd one at the end."""
    length, channels = hidden.shape
    n = max(0, (-(-length // conv.stride) - 1) * conv.stride + conv.kernel - length)
    pads = [0, n // 2, 0, 0, n - n // 2, 0]
    return hidden.graph.node("Pad", [hidden, pads], (length + n, channels))


def _activated(hidden: Tensor, activation: str) -> Tensor:
    if activation == "linear":
        return hidden
    if activation == "silu":
        return hidden * hidden.graph.node("Sigmoid", [hidden], hidden.shape)
    kind, attributes = ACTIVATIONS[activation]
    return hidden.graph.node(kind, [hidden], hidden.shape, **attributes)


def onnx_model(model: Any, config: ModelConfig) -> tuple[onnx.ModelProto, int]:
    """Graph of a trained network: ``flux`` (n, 186) → ``z_phot`` (n, 1) or ``p`` (n, 240).

    And how many spectra to give it in one call: more would not fit into the processor's cache.

    Parameters
    ----------
    model : keras.Model
        What `models.build_model` made for the configuration.
    """
    graph = Graph()
    scaling = model.get_layer(SCALING)
    numbers = {name: np.asarray(value) for name, value in scaling.numbers.items()}
    features = _FORMS[scaling.form](Tensor(graph, INPUT, (N_PIXELS,)), numbers, Ops(graph))
    answers = []
    for number in range(1, config.members + 1):
        member = member_config(config, number)
        build = OnnxBuilder(member, member_prefix(config, number), model)
        answers.append(draw_member(member, build, features))
    output = _joint(graph, answers, model, config)
    graph.nodes.append(helper.make_node("Identity", [output.name], [_output(config)]))
    file = helper.make_model(
        helper.make_graph(
            graph.nodes,
            model.name,
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", N_PIXELS])],
            [_described(config)],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    return file, min(max(CACHED // graph.widest, 1), MOST)


def _joint(graph: Graph, answers: list[Tensor], model: Any, config: ModelConfig) -> Tensor:
    """Mean of the members' answers; of their probabilities at the temperature with a PDF head."""
    shape = (len(answers), n_outputs(config))
    each = [graph.node("Unsqueeze", [answer, [1]], shape) for answer in answers]
    stacked = graph.node("Concat", each, shape, axis=1)
    if config.head == "pdf":
        logits = stacked / np.asarray(model.get_layer(PDF).temperature)
        stacked = graph.node("Softmax", [logits], shape, axis=-1)
    return graph.node("ReduceMean", [stacked, [1]], shape[1:], keepdims=0)


def _output(config: ModelConfig) -> str:
    return DENSITY if config.head == "pdf" else REDSHIFT


def _described(config: ModelConfig) -> onnx.ValueInfoProto:
    shape = ["n", n_outputs(config)]
    return helper.make_tensor_value_info(_output(config), TensorProto.FLOAT, shape)
