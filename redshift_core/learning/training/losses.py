"""Losses and point estimates of the answers of a network's members, in TensorFlow.

The answers of k members are z_phot (n, k, 1) or, with a PDF head, logits over the redshift bins
(n, k, 240). A loss has one value per galaxy, (n,): the mean of the losses of the single members.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from redshift_core.constants import N_Z_BINS, Z_MIN
from redshift_core.pdf import EDGES, WIDTH
from redshift_core.settings.run import RunConfig, TrainingConfig

LOWER = EDGES[:-1].astype(np.float32)  # lower edges of the bins, (240,)

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def make_loss(config: TrainingConfig) -> Loss:
    """Loss of each galaxy, (n,), from answers (n, k, n_outputs) and z_spec (n,).

    =============  ==========================================================================
    huber          e²/2 where abs(e) ≤ δ, else δ·abs(e) − δ²/2, as in Keras
    mse, mae       e², abs(e)
    logcosh        log cosh e, as in Keras
    cross_entropy  −Σ t log p; t a Gaussian of ``target_width`` around z_spec over the bins
    crps           ∫ (F − step at z_spec)² dz of the piecewise constant density, in z
    =============  ==========================================================================
    """
    if config.loss == "cross_entropy":
        return lambda logits, z_spec: _cross_entropy(logits, z_spec, config.target_width)
    if config.loss == "crps":
        return _crps
    of_error = _OF_ERROR[config.loss](config)
    return lambda z, z_spec: tf.reduce_mean(of_error(z[:, :, 0] - z_spec[:, None]), axis=1)


def point_estimate(config: RunConfig, answers: tf.Tensor) -> tf.Tensor:
    """z_phot (n,) of all members together: their mean, or the median of their mean p(z)."""
    if config.model.head == "regression":
        return tf.reduce_mean(answers[:, :, 0], axis=1)
    probability = tf.reduce_mean(tf.nn.softmax(answers), axis=1)
    cumulative = tf.cumsum(probability, axis=1)
    place = tf.reduce_sum(tf.cast(cumulative < 0.5, tf.int32), axis=1)
    place = tf.minimum(place, N_Z_BINS - 1)
    inside, above = (tf.gather(values, place, batch_dims=1) for values in (probability, cumulative))
    share = 1.0 - (above - 0.5) / tf.maximum(inside, 1e-12)
    return Z_MIN + WIDTH * (tf.cast(place, tf.float32) + tf.clip_by_value(share, 0.0, 1.0))


def _huber(config: TrainingConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    delta = config.huber_delta

    def huber(error: tf.Tensor) -> tf.Tensor:
        size = tf.abs(error)
        return tf.where(size <= delta, 0.5 * error * error, delta * size - 0.5 * delta * delta)

    return huber


def _logcosh(error: tf.Tensor) -> tf.Tensor:
    size = tf.abs(error)  # cosh itself overflows
    return size + tf.math.log1p(tf.exp(-2.0 * size)) - np.float32(np.log(2.0))


_OF_ERROR: dict[str, Callable[[TrainingConfig], Callable[[tf.Tensor], tf.Tensor]]] = {
    "huber": _huber,
    "mse": lambda _: tf.square,
    "mae": lambda _: tf.abs,
    "logcosh": lambda _: _logcosh,
}


def _cross_entropy(logits: tf.Tensor, z_spec: tf.Tensor, target_width: float) -> tf.Tensor:
    far = (LOWER + WIDTH / 2 - z_spec[:, None]) / target_width
    target = tf.nn.softmax(-0.5 * far * far)[:, None, :]
    terms = tf.nn.softmax_cross_entropy_with_logits(
        tf.broadcast_to(target, tf.shape(logits)), logits
    )
    return tf.reduce_mean(terms, axis=1)


def _crps(logits: tf.Tensor, z_spec: tf.Tensor) -> tf.Tensor:
    """Exact: F is linear in each bin, from ``low`` by ``rise``; the step parts one bin in two."""
    rise = tf.nn.softmax(logits)
    low = tf.cumsum(rise, axis=2, exclusive=True)
    s = tf.clip_by_value((z_spec[:, None] - LOWER) / WIDTH, 0.0, 1.0)[:, None, :]  # part below
    below = low * low * s + low * rise * s**2 + rise**2 * s**3 / 3
    left = 1.0 - low
    above = left**2 * (1 - s) - left * rise * (1 - s**2) + rise**2 * (1 - s**3) / 3
    return WIDTH * tf.reduce_mean(tf.reduce_sum(below + above, axis=2), axis=1)
