"""The Keras side of ``layers`` and ``scaling``: a model takes raw flux (n, 186), gives z (n, 1).

    flux → Scaling (fitted numbers, not trained, float32) → trunk (``ARCHITECTURES``) → z_phot

The scaler's numbers are weights of the first layer, so a saved model has no scaler to lose.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's keras.json says

import keras
import tensorflow as tf

from redshift_core.config import ModelConfig
from redshift_core.constants import N_PIXELS
from redshift_core.errors import InputError
from redshift_core.layers import N_EXTRA, conv_shapes, layer_table
from redshift_core.scaling import MIN_SCATTER, Scaler

SCALING = "scaling"  # name of the first layer


@keras.saving.register_keras_serializable(package="redshift_lab")
class Scaling(keras.layers.Layer):
    """A fitted scaler as a layer, always float32 and never trained.

    Parameters
    ----------
    form : str
        ``affine``, ``table`` or ``spectrum``; see ``scaling``.
    shapes : dict
        Shape of each fitted array by its name.

    Notes
    -----
    Input (n, 186) raw flux, output (n, n_inputs), equal to ``Scaler.apply``.
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
    def of(cls, scaler: Scaler) -> Scaling:
        """Layer with the numbers of a fitted scaler."""
        shapes = {name: list(array.shape) for name, array in scaler.numbers.items()}
        layer = cls(scaler.form, shapes, name=SCALING)
        for name, array in scaler.numbers.items():
            layer.numbers[name].assign(array)
        return layer

    def call(self, flux: tf.Tensor) -> tf.Tensor:
        """Scale raw flux, (n, 186) → (n, n_inputs)."""
        return _FORMS[self.form](flux, self.numbers)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(n, 186) → (n, n_inputs)."""
        return (input_shape[0], N_PIXELS + N_EXTRA.get(self.form, 0))

    def get_config(self) -> dict[str, Any]:
        """What the layer is made from again."""
        shapes = {name: list(shape) for name, shape in self.shapes.items()}
        return {**super().get_config(), "form": self.form, "shapes": shapes}


def _affine(flux: tf.Tensor, numbers: dict[str, Any]) -> tf.Tensor:
    return (flux - numbers["center"]) * numbers["factor"]


def _table(flux: tf.Tensor, numbers: dict[str, Any]) -> tf.Tensor:
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


def _spectrum(flux: tf.Tensor, numbers: dict[str, Any]) -> tf.Tensor:
    mean = tf.reduce_mean(flux, axis=1, keepdims=True)
    scale = tf.maximum(tf.abs(mean), numbers["floor"])
    shape = flux / scale
    scatter = tf.maximum(tf.math.reduce_std(shape, axis=1, keepdims=True), MIN_SCATTER)
    brightness = tf.math.log(scale / numbers["typical"])
    return tf.concat([shape, brightness, tf.math.log(scatter)], axis=1)


_FORMS: dict[str, Callable[[tf.Tensor, dict[str, Any]], tf.Tensor]] = {
    "affine": _affine,
    "table": _table,
    "spectrum": _spectrum,
}


def build_model(config: ModelConfig, scaler: Scaler) -> keras.Model:
    """Network of a configuration behind its scaler: raw flux (n, 186) → z_phot (n, 1).

    Weights are drawn from Keras's global seed; set it first (``keras.utils.set_random_seed``).

    Raises
    ------
    InputError
        Where the layers do not fit a spectrum of 186 pixels.
    """
    layer_table(config, scaler.name)
    flux = keras.Input((N_PIXELS,), dtype="float32", name="flux")
    hidden = ARCHITECTURES[config.architecture](config, Scaling.of(scaler)(flux))
    z_phot = _dense(config, "z_phot", 1, "linear", dtype="float32")(hidden)
    return keras.Model(flux, z_phot, name=f"redshift_{config.architecture}")


def trunk(model: keras.Model) -> keras.Model:
    """The model without its first layer: scaled features in, the very same weights."""
    return keras.Model(model.get_layer(SCALING).output, model.output, name="trunk")


def load_model(path: Path) -> keras.Model:
    """Load a saved model; code inside the file is never run (``safe_mode``)."""
    if not path.exists():
        raise InputError(
            f"{path} does not exist: the run has saved no model yet. Train or resume it first."
        )
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def _cnn(config: ModelConfig, features: keras.KerasTensor) -> keras.KerasTensor:
    """Convolutions over the pixels; further inputs join at the first dense layer."""
    n_extra = features.shape[1] - N_PIXELS
    hidden = keras.layers.Reshape((features.shape[1], 1), name="pixels")(features)
    extra = None
    if n_extra:
        extra = keras.layers.Cropping1D((N_PIXELS, 0), name="extra_inputs")(hidden)
        hidden = keras.layers.Cropping1D((0, n_extra), name="pixels_alone")(hidden)
    for number, conv in enumerate(conv_shapes(config), start=1):
        hidden = keras.layers.Conv1D(
            conv.filters,
            conv.kernel,
            strides=conv.stride,
            padding=config.padding,
            activation=config.conv_activation,
            kernel_initializer=config.initializer,
            kernel_regularizer=_penalty(config),
            name=f"conv_{number}",
        )(hidden)
        if config.pooling != "none":
            pool = _POOLINGS[config.pooling]
            hidden = pool(config.pool_size, name=f"pool_{number}")(hidden)
    hidden = keras.layers.Flatten(name="flatten")(hidden)
    if extra is not None:
        extra = keras.layers.Flatten(name="extra_flat")(extra)
        hidden = keras.layers.Concatenate(name="join")([hidden, extra])
    return _mlp(config, hidden)


def _mlp(config: ModelConfig, hidden: keras.KerasTensor) -> keras.KerasTensor:
    """Dense layers, each followed by dropout where there is any."""
    for number, units in enumerate(config.dense_units, start=1):
        hidden = _dense(config, f"dense_{number}", units, config.dense_activation)(hidden)
        if config.dropout:
            hidden = keras.layers.Dropout(config.dropout, name=f"dropout_{number}")(hidden)
    return hidden


def _dense(
    config: ModelConfig, name: str, units: int, activation: str, dtype: str | None = None
) -> keras.layers.Dense:
    return keras.layers.Dense(
        units,
        activation=activation,
        kernel_initializer=config.initializer,
        kernel_regularizer=_penalty(config),
        dtype=dtype,
        name=name,
    )


def _penalty(config: ModelConfig) -> keras.regularizers.Regularizer | None:
    if config.l1 or config.l2:
        return keras.regularizers.L1L2(l1=config.l1, l2=config.l2)
    return None


_POOLINGS: dict[str, type[keras.layers.Layer]] = {
    "max": keras.layers.MaxPooling1D,
    "average": keras.layers.AveragePooling1D,
}
ARCHITECTURES: dict[str, Callable[[ModelConfig, keras.KerasTensor], keras.KerasTensor]] = {
    "cnn": _cnn,
    "mlp": _mlp,
}
