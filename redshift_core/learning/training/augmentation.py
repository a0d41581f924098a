"""Data augmentation: every training step sees slightly different versions of the spectra.

A network that always sees exactly the same spectra may learn details that a second observation
would not repeat. Each random draw depends only on the seed and the number of the step, so a resumed
training sees the same spectra as one that was never stopped.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from redshift_core.constants import N_PIXELS
from redshift_core.data.bases import PIXELS
from redshift_core.settings.run import AugmentationConfig

DEGREES = (1, 2, 3)  # of the Legendre polynomials over each band that make up a calibration error


class Augmentation:
    """Changes a batch of raw flux; see `config.AugmentationConfig` for what each setting does."""

    def __init__(self, config: AugmentationConfig):
        self.config = config
        self.smooth = tf.constant(_smooth_errors())

    def __call__(self, flux: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Flux (n, 186) as it might have been; ``seed`` is two whole numbers.

        f → (f moved by the shift) · brightness · (1 + ratio in BP) · (1 + smooth error) + noise
        """
        config, n = self.config, tf.shape(flux)[0]
        terms = self.smooth.shape[0]
        drawn = tf.random.stateless_normal((n, terms + 4), seed)
        if config.pixel_shift:
            flux = _shifted(flux, config.pixel_shift * drawn[:, terms : terms + 2])
        factor = tf.exp(config.brightness_scatter * drawn[:, terms + 2 : terms + 3])
        factor *= 1.0 + config.calibration_error * tf.matmul(drawn[:, :terms], self.smooth)
        ratio = tf.exp(config.ratio_scatter * drawn[:, terms + 3 :])
        bands = [tf.broadcast_to(one, (n, _length(band)))
                 for one, band in ((ratio, "bp"), (tf.ones_like(ratio), "rp"))]  # fmt: skip
        flux = flux * factor * tf.concat(bands, axis=1)
        if config.white_noise:
            mean = tf.abs(tf.reduce_mean(flux, axis=1, keepdims=True))
            noise = tf.random.stateless_normal(tf.shape(flux), seed + 1)
            flux += config.white_noise * mean * noise
        return flux


def _length(band: str) -> int:
    return PIXELS[band].stop - PIXELS[band].start


def _smooth_errors() -> np.ndarray:
    """Polynomials of both bands, shape (6, 186), whose sum with normal weights has rms 1."""
    rows = []
    for band, pixels in PIXELS.items():
        x = np.linspace(-1, 1, _length(band))
        for degree in DEGREES:
            row = np.zeros(N_PIXELS, np.float32)
            shape = np.polynomial.legendre.Legendre.basis(degree)(x)
            row[pixels] = shape / np.sqrt((shape**2).mean() * len(DEGREES))
            rows.append(row)
    return np.stack(rows)


def _shifted(flux: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Flux of each band moved along its pixels by (n, 2), through parabolas of three neighbours."""
    moved = []
    for number, band in enumerate(PIXELS.values()):
        one, by = flux[:, band], pixels[:, number : number + 1]
        before = tf.concat([one[:, :1], one[:, :-1]], axis=1)
        after = tf.concat([one[:, 1:], one[:, -1:]], axis=1)
        moved.append(one + 0.5 * by * (before - after) + 0.5 * by**2 * (before - 2 * one + after))
    return tf.concat(moved, axis=1)
