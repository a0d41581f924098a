"""Keras models built from ``layers`` and ``scaling``; a model takes raw flux (n, 186).

    flux → Scaling (fitted numbers, not trained, float32) → members (one architecture each) → head

A model returns z_phot (n, 1) or, with a PDF head, the probabilities of 240 redshift bins (n, 240).
The numbers of the scaler are weights of the first layer, and the number of the calibration is a
weight of the last, so a saved model contains both.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"  # overrides the user's keras.json

import keras
import tensorflow as tf

from redshift_core.constants import N_PIXELS, N_Z_BINS
from redshift_core.data.scaling import FORMS, Numbers, Scaler
from redshift_core.errors import InputError
from redshift_core.settings.layers import (
    N_EXTRA,
    ConvShape,
    draw_member,
    layer_table,
    member_config,
    member_prefix,
)
from redshift_core.settings.run import ModelConfig
from redshift_core.store import reading

SCALING = "scaling"  # name of the first layer
ANSWERS = "answers"  # name of the layer that stacks the members' answers
AGAIN = "Train the run again, or bring the file back from a copy or a ZIP."
PDF = "pdf"  # name of the last layer of a PDF head


@keras.saving.register_keras_serializable(package="redshift_lab")
class Scaling(keras.layers.Layer):
    """A fitted scaler as a layer, always float32 and never trained.

    Parameters
    ----------
    form : str
        ``affine``, ``table``, ``spectrum``, ``shape`` or ``whitened``; see ``scaling``.
    shapes : dict
        Shape of each fitted array by its name.

    Notes
    -----
    The input is raw flux (n, 186); the output (n, n_inputs) equals that of ``Scaler.apply``.
    """

    def __init__(self, form: str, shapes: dict[str, list[int]], **settings: Any):
        super().__init__(**{**settings, "dtype": "float32", "trainable": False})
        self.form = form
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}
        self.numbers = {
            name: self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)
            for name, shape in self.shapes.items()
        }

    @classmethod
    def from_scaler(cls, scaler: Scaler) -> Scaling:
        """Layer with the numbers of a fitted scaler."""
        shapes = {name: list(array.shape) for name, array in scaler.numbers.items()}
        layer = cls(scaler.form, shapes, name=SCALING)
        for name, array in scaler.numbers.items():
            layer.numbers[name].assign(array)
        return layer

    def call(self, flux: tf.Tensor) -> tf.Tensor:
        """Scale raw flux, (n, 186) → (n, n_inputs)."""
        return _FORMS[self.form](flux, self.numbers, keras.ops)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(n, 186) → (n, n_inputs)."""
        return (input_shape[0], N_PIXELS + N_EXTRA.get(self.form, 0))

    def get_config(self) -> dict[str, Any]:
        """Settings from which Keras rebuilds the layer."""
        shapes = {name: list(shape) for name, shape in self.shapes.items()}
        return {**super().get_config(), "form": self.form, "shapes": shapes}


def _table(flux: tf.Tensor, numbers: Numbers, _ops: ModuleType) -> tf.Tensor:
    """`np.interp` of each pixel."""
    knots, levels = (tf.convert_to_tensor(numbers[name]) for name in ("knots", "levels"))
    pixels = tf.transpose(flux)
    above = tf.clip_by_value(tf.searchsorted(knots, pixels, side="right"), 1, knots.shape[1] - 1)
    x0, x1, y0, y1 = (
        tf.gather(table, index, batch_dims=1)
        for table in (knots, levels)
        for index in (above - 1, above)
    )
    share = tf.clip_by_value((pixels - x0) / (x1 - x0), 0.0, 1.0)
    return tf.transpose(y0 + share * (y1 - y0))


_FORMS = {**FORMS, "table": _table}


def build_model(config: ModelConfig, scaler: Scaler) -> keras.Model:
    """Network of a configuration behind its scaler.

    Raw flux (n, 186) → z_phot (n, 1), or probabilities (n, 240) with a PDF head.

    Weights are drawn from Keras's global seed; set it first (``keras.utils.set_random_seed``).

    Raises
    ------
    InputError
        If the layers do not fit a spectrum of 186 pixels.
    """
    layer_table(config, scaler.name)
    flux = keras.Input((N_PIXELS,), dtype="float32", name="flux")
    features = Scaling.from_scaler(scaler)(flux)
    output = _member(config, 1, features)
    if config.members > 1 or config.head == "pdf":
        others = [_member(config, number, features) for number in range(2, config.members + 1)]
        stacked = Answers(name=ANSWERS)([output, *others])
        joint = Density(name=PDF) if config.head == "pdf" else _mean()
        output = joint(stacked)
    return keras.Model(flux, output, name=f"redshift_{config.architecture}")


def trunk(model: keras.Model) -> keras.Model:
    """Part of a model, with the same weights, from scaled features to the members' answers.

    Gives z_phot (n, 1), or (n, members, 1), or with a PDF head logits (n, members, 240).
    """
    named = {layer.name: layer for layer in model.layers}
    last = named[ANSWERS].output if ANSWERS in named else model.output
    return keras.Model(model.get_layer(SCALING).output, last, name="trunk")


def load_model(path: Path) -> keras.Model:
    """Load a saved model; code inside the file is refused (``safe_mode``).

    Raises
    ------
    InputError
        Where there is none, a newer Keras has saved it, or it is damaged.
    """
    if not path.exists():
        raise InputError(
            f"{path} does not exist: the run has saved no model yet. Train or resume it first."
        )
    saved, here = saved_by(path), keras.__version__
    if _numbers(saved) > _numbers(here):
        raise InputError(
            f"{path} was saved by Keras {saved}, and this is Keras {here}, which cannot know all "
            f"that a newer one writes. Install that one (pip install 'keras>={saved}'), or train "
            "the run again with this one."
        )
    versions = f"It was saved by Keras {saved}, and this is Keras {here}. " if saved else ""
    with reading(path, f"{versions}{AGAIN}"):
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def saved_by(path: Path) -> str:
    """Version of Keras that has saved a model; empty where the file does not say it."""
    try:
        with zipfile.ZipFile(path) as files:
            said = json.loads(files.read("metadata.json"))
        return str(said["keras_version"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    """First three numbers of a version; none of an empty one."""
    return tuple(int(text) for text in re.findall(r"\d+", version)[:3])


@keras.saving.register_keras_serializable(package="redshift_lab")
class Answers(keras.layers.Layer):
    """Stack of the members' answers: k tensors (n, n_outputs) → (n, k, n_outputs)."""

    def call(self, answers: list[tf.Tensor]) -> tf.Tensor:
        """Stack the answers."""
        return tf.stack(answers, axis=1)


@keras.saving.register_keras_serializable(package="redshift_lab")
class Density(keras.layers.Layer):
    """Mean of the members' softmax at the fitted temperature, (n, k, 240) → (n, 240), float32.

    p = mean over members of softmax(logits / temperature). The temperature is not trained. It is
    fitted on the validation rows when training ends, so that the probabilities are calibrated.

    References
    ----------
    Guo et al. 2017, "On Calibration of Modern Neural Networks" (temperature); Lakshminarayanan et
    al. 2017 (deep ensembles: the mean of the members' probabilities).
    """

    def __init__(self, **settings: Any):
        super().__init__(**{**settings, "dtype": "float32", "trainable": False})
        self.temperature = self.add_weight(
            name="temperature", shape=(), initializer="ones", trainable=False
        )

    def call(self, logits: tf.Tensor) -> tf.Tensor:
        """Probability of each bin."""
        return tf.reduce_mean(tf.nn.softmax(logits / self.temperature), axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(n, k, 240) → (n, 240)."""
        return (input_shape[0], N_Z_BINS)

    def get_config(self) -> dict[str, Any]:
        """Settings from which Keras rebuilds the layer; without this method it loses its name."""
        return super().get_config()


def _mean() -> keras.layers.Layer:
    return keras.layers.GlobalAveragePooling1D(name="mean", dtype="float32")


def _member(config: ModelConfig, number: int, features: keras.KerasTensor) -> keras.KerasTensor:
    """One network of the ensemble, up to its own answer."""
    member = member_config(config, number)
    return draw_member(member, KerasBuilder(member, member_prefix(config, number)), features)


class KerasBuilder:
    """Makes each layer, with a name that begins with the prefix; see ``layers``."""

    def __init__(self, config: ModelConfig, prefix: str):
        self.config = config
        self.prefix = prefix

    def pixels(
        self, features: keras.KerasTensor
    ) -> tuple[keras.KerasTensor, keras.KerasTensor | None]:
        """(n, inputs) → (n, 186, 1), and (n, inputs − 186) if there are more."""
        layers, n_inputs = keras.layers, features.shape[1]
        pixels = layers.Reshape((n_inputs, 1), name=f"{self.prefix}pixels")(features)
        if n_inputs == N_PIXELS:
            return pixels, None
        extra = layers.Cropping1D((N_PIXELS, 0), name=f"{self.prefix}extra_inputs")(pixels)
        alone = layers.Cropping1D((0, n_inputs - N_PIXELS), name=f"{self.prefix}pixels_alone")
        return alone(pixels), layers.Flatten(name=f"{self.prefix}extra_flat")(extra)

    def conv(self, name: str, hidden: keras.KerasTensor, conv: ConvShape) -> keras.KerasTensor:
        """(n, length, channels) → (n, shorter, filters)."""
        return keras.layers.Conv1D(
            conv.filters,
            conv.kernel,
            strides=conv.stride,
            padding=self.config.padding,
            activation=self.config.conv_activation,
            kernel_initializer=self.config.initializer,
            kernel_regularizer=_penalty(self.config),
            name=self.prefix + name,
        )(hidden)

    def pool(self, name: str, hidden: keras.KerasTensor) -> keras.KerasTensor:
        """(n, length, channels) → (n, length / window, channels)."""
        pool = _POOLINGS[self.config.pooling]
        return pool(self.config.pool_size, name=self.prefix + name)(hidden)

    def flatten(self, name: str, hidden: keras.KerasTensor) -> keras.KerasTensor:
        """(n, length, channels) → (n, length · channels)."""
        return keras.layers.Flatten(name=self.prefix + name)(hidden)

    def join(self, name: str, parts: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
        """(n, a), (n, b), … → (n, a + b + …)."""
        return keras.layers.Concatenate(name=self.prefix + name)(parts)

    def dense(
        self, name: str, hidden: keras.KerasTensor, units: int, activation: str
    ) -> keras.KerasTensor:
        """(n, width) → (n, units); the last layer is always float32."""
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=self.config.initializer,
            kernel_regularizer=_penalty(self.config),
            dtype="float32" if name in ("logits", "z_phot") else None,
            name=self.prefix + name,
        )(hidden)

    def dropout(self, name: str, hidden: keras.KerasTensor) -> keras.KerasTensor:
        """Same shape."""
        return keras.layers.Dropout(self.config.dropout, name=self.prefix + name)(hidden)

    def norm(self, name: str, hidden: keras.KerasTensor) -> keras.KerasTensor:
        """Same shape."""
        return keras.layers.LayerNormalization(name=self.prefix + name)(hidden)

    def add(self, name: str, one: keras.KerasTensor, other: keras.KerasTensor) -> keras.KerasTensor:
        """Same shape."""
        return keras.layers.Add(name=self.prefix + name)([one, other])


def _penalty(config: ModelConfig) -> keras.regularizers.Regularizer | None:
    if config.l1 or config.l2:
        return keras.regularizers.L1L2(l1=config.l1, l2=config.l2)
    return None


_POOLINGS: dict[str, type[keras.layers.Layer]] = {
    "max": keras.layers.MaxPooling1D,
    "average": keras.layers.AveragePooling1D,
}
