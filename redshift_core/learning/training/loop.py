"""The compiled part of training: one TensorFlow call does several steps or validation blocks.

With small batches, Keras's ``fit`` spends a fifth of its time between the steps. Here the scaled
features stay in memory, batches are gathered by shuffled row number, and many steps run inside one
``tf.function``. Between two calls, Python checks for a stop, reports and saves. The result does not
depend on where one call ends and the next begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from redshift_core.constants import N_Z_BINS, Z_MIN
from redshift_core.data.scaling import Scaler
from redshift_core.errors import InputError
from redshift_core.learning.devices import Devices
from redshift_core.learning.models import PDF, SCALING, build_model, load_model, trunk
from redshift_core.learning.training.augmentation import Augmentation
from redshift_core.learning.training.losses import make_loss, point_estimate
from redshift_core.learning.training.prepare import Part
from redshift_core.pdf import WIDTH
from redshift_core.settings.layers import n_flops, n_outputs
from redshift_core.settings.length import run_length
from redshift_core.settings.run import ModelConfig, RunConfig, TrainingConfig
from redshift_core.store import atomic

BLOCK_SMALL, BLOCK_LARGE = 256, 2048  # validation rows per block, for costly and for cheap networks
_ROWS = tf.TensorSpec([None], tf.int32)
_RATES = tf.TensorSpec([None], tf.float32)
_NUMBER = tf.TensorSpec([], tf.int32)
COSTLY = 5_000_000  # floating-point operations per spectrum above which a network is costly
CALIBRATION_ROWS = 20_000  # largest number of validation rows on which a temperature is fitted
TEMPERATURES = (-1.5, 1.5)  # range of the logarithm of the temperature
TINY = 1e-12  # smallest probability whose logarithm is taken
# For code without a condition on a tensor: AutoGraph would take half a second to rewrite it.
_as_written = tf.autograph.experimental.do_not_convert


@dataclass(frozen=True)
class Data:
    """Spectra and redshifts on the device that uses them; several loops may share them."""

    train: tuple[tf.Tensor, tf.Tensor]  # (n_train, n_inputs) or raw (n_train, 186), (n_train,)
    val: tuple[tf.Tensor, tf.Tensor]
    device: str

    @classmethod
    def place(cls, train: Part, val: Part, devices: Devices) -> Data:
        """Copy the arrays to the device that trains on them."""
        device = devices.data_device(train.features.nbytes + val.features.nbytes)
        with tf.device(device):
            return cls(_tensors(train), _tensors(val), device)


class Loop:
    """Model, optimizer and data of a run, and the compiled functions over them."""

    def __init__(self, config: RunConfig, scaler: Scaler, data: Data, devices: Devices):
        self.config = config
        self.strategy = devices.strategy
        self.n_replicas = devices.n_replicas
        self.n_train, self.n_val = (part[1].shape[0] for part in (data.train, data.val))
        self.length = run_length(config.training, self.n_train)
        self.batch, self.n_steps = self.length.batch, self.length.steps  # steps of an epoch
        costly = n_flops(config.model, scaler.name) > COSTLY
        self.block = BLOCK_SMALL if costly else BLOCK_LARGE
        self.n_blocks = -(-self.n_val // self.block)
        keras.utils.set_random_seed(config.seed)
        with self.strategy.scope():
            self.model = build_model(config.model, scaler)
            self.trunk = self.judged = trunk(self.model)
            if config.training.averaging:  # a second copy, with the running mean of the weights
                self.judged = trunk(build_model(config.model, scaler))
                _assign(self.judged.variables, self.trunk.variables)
            self.optimizer = make_optimizer(config.training, devices)
            self.optimizer.build(self.trunk.trainable_variables)
        self.scale_loss = getattr(self.optimizer, "scale_loss", None)
        self.reduce_first = devices.n_replicas > 1 and (
            config.training.clip_norm > 0 or devices.precision == "mixed_float16"
        )
        self.loss = make_loss(config.training)
        changes = config.augmentation.on(self.n_train)
        self.augmentation = Augmentation(changes) if changes.active else None
        self.scale = self.model.get_layer(SCALING)
        self.data_device = data.device
        self.data = {"train": data.train, "val": data.val}
        with tf.device(self.data_device):
            self.sums = tf.Variable(tf.zeros(3, tf.float64), trainable=False)

    @property
    def n_parameters(self) -> int:
        """Trainable parameters."""
        return sum(math.prod(variable.shape) for variable in self.trunk.trainable_variables)

    @property
    def variables(self) -> list[keras.Variable]:
        """Weights, dropout seeds, optimizer, mean weights: what a checkpoint must hold."""
        means = [] if self.judged is self.trunk else self.judged.variables
        return [*self.trunk.variables, *self.optimizer.variables, *means]

    def values(self) -> list[NDArray]:
        """Current value of every variable."""
        return [np.asarray(variable) for variable in self.variables]

    def weights(self) -> list[NDArray]:
        """Current weights, averaged over the steps if the settings ask for it."""
        return [np.asarray(variable) for variable in self.judged.trainable_variables]

    def start_from(self, path: Path) -> None:
        """Set the weights to those of a saved model, which has the same layers."""
        values = [np.asarray(one) for one in trunk(load_model(path)).trainable_variables]
        if not self.set_weights(values):
            raise InputError(
                f"The model in {path} does not fit the settings of the run it belongs to, so no "
                "run can start from it. Choose another run."
            )

    def set_weights(self, weights: list[NDArray]) -> bool:
        """Begin with weights, their running mean too; False if they are another network's."""
        own = self.trunk.trainable_variables
        if [tuple(one.shape) for one in own] != [value.shape for value in weights]:
            return False
        _assign(own, weights)
        _assign(self.judged.trainable_variables, weights)
        return True

    def restore(self, values: list[NDArray]) -> bool:
        """Set every variable; False if the values belong to another configuration."""
        if [tuple(v.shape) for v in self.variables] != [v.shape for v in values]:
            return False
        _assign(self.variables, values)
        return True

    def validation_redshifts(self, weights: list[NDArray]) -> tuple[NDArray, NDArray]:
        """z_spec and z_phot of the validation rows under the given weights, shape (n_val,) each."""
        z_phot = [
            np.asarray(point_estimate(self.config, answers / self._temperature()), np.float64)
            for answers in self._validation_answers(weights, self.n_val)
        ]
        return np.asarray(self.data["val"][1], np.float64), np.concatenate(z_phot)

    def calibrate(self, weights: list[NDArray]) -> float:
        """Fit the temperature of a PDF head on validation rows, and set it; see `models.Density`.

        Minimises −mean log p(z_spec), of CALIBRATION_ROWS galaxies at most.
        """
        n = min(self.n_val, CALIBRATION_ROWS)
        logits = tf.concat(list(self._validation_answers(weights, n)), axis=0)
        place = tf.cast((self.data["val"][1][:n] - Z_MIN) / WIDTH, tf.int32)
        place = tf.clip_by_value(place, 0, N_Z_BINS - 1)

        @tf.function(autograph=False)
        def surprise(log_temperature: tf.Tensor) -> tf.Tensor:
            p = tf.reduce_mean(tf.nn.softmax(logits / tf.exp(log_temperature)), axis=1)
            return -tf.reduce_mean(tf.math.log(tf.gather(p, place, batch_dims=1) + TINY))

        minimum = minimize_scalar(
            lambda t: float(surprise(tf.constant(t, tf.float32))), bounds=TEMPERATURES,
            method="bounded", options={"xatol": 1e-3},
        )  # fmt: skip
        temperature = math.exp(minimum.x)
        self.model.get_layer(PDF).temperature.assign(temperature)
        return temperature

    def _temperature(self) -> float:
        """Temperature of the densities; 1 before it is fitted, and without a PDF head."""
        has_pdf = self.config.model.head == "pdf"
        return float(self.model.get_layer(PDF).temperature) if has_pdf else 1.0

    def _validation_answers(self, weights: list[NDArray], n: int) -> Iterator[tf.Tensor]:
        """Answers of the members for the first ``n`` validation rows, block by block."""
        current = self._trained()
        _assign(self.trunk.trainable_variables, weights)
        features, _ = self.data["val"]
        for start in range(0, n, self.block):
            yield self._answer(self.trunk, features[start : min(start + self.block, n)], False)
        _assign(self.trunk.trainable_variables, current)

    def _trained(self) -> list[NDArray]:
        return [np.asarray(variable) for variable in self.trunk.trainable_variables]

    def _answer(self, network: keras.Model, features: tf.Tensor, training: bool) -> tf.Tensor:
        """Answers (n, members, n_outputs), float32."""
        model: ModelConfig = self.config.model
        answers = tf.cast(network(features, training=training), tf.float32)
        return tf.reshape(answers, (-1, model.members, n_outputs(model)))

    def on_device(self, order: NDArray[np.int32]) -> tf.Tensor:
        """Permutation of an epoch, on the same device as the data."""
        with tf.device(self.data_device):
            return tf.convert_to_tensor(order)

    def save_model(self, path: Path, weights: list[NDArray]) -> None:
        """Write the model atomically with the given weights (empty: the current ones)."""
        current = self._trained()
        _assign(self.trunk.trainable_variables, weights or self.weights())
        with atomic(path) as part:
            self.model.save(part)
        _assign(self.trunk.trainable_variables, current)

    @tf.function(input_signature=[_ROWS, _RATES, _NUMBER, _NUMBER])
    def train(
        self, order: tf.Tensor, rates: tf.Tensor, first: tf.Tensor, last: tf.Tensor
    ) -> tf.Tensor:
        """Do the steps ``first`` … ``last`` − 1 of an epoch.

        Parameters
        ----------
        order : tensor, shape (n_train,), int32
            The epoch's permutation of the training rows.
        rates : tensor, shape (last − first,), float32
            Learning rate of each of these steps.

        Returns
        -------
        tensor, shape (3,), float64
            Sums so far over the epoch: loss · rows, absolute errors, rows.
        """
        for step in tf.range(first, last):
            rows = order[step * self.batch : (step + 1) * self.batch]
            self.optimizer.learning_rate = rates[step - first]
            self._add(self.strategy.run(self._step, args=(rows,)))
            if self.judged is not self.trunk:
                self._average()
        return self.sums.read_value()

    @tf.function(input_signature=[_NUMBER, _NUMBER])
    def validate(self, first: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
        """Add the validation blocks ``first`` … ``last`` − 1 to the sums; returns them."""
        for block in tf.range(first, last):
            start = block * self.block
            rows = tf.range(start, tf.minimum(start + self.block, self.n_val))
            self._add(self.strategy.run(self._look, args=(rows,)))
        return self.sums.read_value()

    @_as_written
    def _average(self) -> None:
        """Move the averaged weights towards the current ones, faster in the first steps."""
        steps = tf.cast(self.optimizer.iterations.value, tf.float32)
        kept = tf.minimum(self.config.training.averaging, (1.0 + steps) / (10.0 + steps))
        pairs = zip(self.judged.trainable_variables, self.trunk.trainable_variables, strict=True)
        for mean, weight in pairs:
            mean.assign(kept * mean.value + (1.0 - kept) * weight.value)

    @_as_written
    def _add(self, replica_sums: tf.Tensor) -> None:
        self.sums.assign_add(self.strategy.reduce("SUM", replica_sums, axis=None))

    @_as_written
    def _step(self, rows: tf.Tensor) -> tf.Tensor:
        """Do one step on this replica's share of a batch; returns its sums."""
        features, z_spec = self._gather("train", rows)
        if self.augmentation:
            features = self.scale(self.augmentation(features, self._draw()))
        n_rows = tf.cast(tf.size(rows), tf.float32)
        with tf.GradientTape() as tape:
            answers = self._answer(self.trunk, features, True)
            total = tf.reduce_sum(self.loss(answers, z_spec))
            penalty = self._penalty()
            objective = total / n_rows + penalty / self.n_replicas
            scaled = self.scale_loss(objective) if self.scale_loss else objective
        weights = self.trunk.trainable_variables
        gradients = tape.gradient(scaled, [weight.value for weight in weights])
        if self.reduce_first:  # clipping and the overflow check need the whole batch's gradient
            context = tf.distribute.get_replica_context()
            whole = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            gradients = [gradient / self.n_replicas for gradient in whole]
        self.optimizer.apply(gradients, weights)
        return self._sums(total, answers, z_spec, penalty)

    def _draw(self) -> tf.Tensor:
        """Seed of this step's random draws on this replica; no other step or replica shares it."""
        step = tf.cast(self.optimizer.iterations.value, tf.int32)
        context = tf.distribute.get_replica_context()
        place = context.replica_id_in_sync_group if self.n_replicas > 1 else 0
        return tf.stack([self.config.seed, 2 * (step * self.n_replicas + place)])

    @_as_written
    def _look(self, rows: tf.Tensor) -> tf.Tensor:
        """Sums of this replica's share of a validation block."""
        features, z_spec = self._gather("val", rows)
        answers = self._answer(self.judged, features, False)
        total = tf.reduce_sum(self.loss(answers, z_spec))
        return self._sums(total, answers, z_spec, self._penalty())

    def _sums(
        self, total: tf.Tensor, answers: tf.Tensor, z_spec: tf.Tensor, penalty: tf.Tensor
    ) -> tf.Tensor:
        error = point_estimate(self.config, answers) - z_spec
        n_rows = tf.cast(tf.size(error), tf.float32)
        sums = [total + penalty * n_rows, tf.reduce_sum(tf.abs(error)), n_rows]
        return tf.cast(tf.stack(sums), tf.float64)

    def _gather(self, part: str, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Features and redshifts of this replica's share of the rows."""
        if self.n_replicas > 1:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            rows = rows[replica :: self.n_replicas]
        with tf.device(self.data_device):
            features, z_spec = self.data[part]
            return tf.gather(features, rows), tf.gather(z_spec, rows)

    def _penalty(self) -> tf.Tensor:
        penalties = self.trunk.losses
        return tf.add_n(penalties) if penalties else tf.zeros(())


def start_session(devices: Devices) -> None:
    """Release the networks trained so far in this process and what Keras keeps for them."""
    keras.utils.clear_session()
    keras.config.set_dtype_policy(devices.precision)  # clearing the session resets the policy
    tf.get_logger().setLevel("ERROR")  # tracing each new network is no fault


def make_optimizer(config: TrainingConfig, devices: Devices) -> keras.optimizers.Optimizer:
    """Optimizer of a configuration; with loss scaling where the precision is float16."""
    # Each of n replicas clips one n-th of the whole gradient; the sum of them is applied.
    clip = config.clip_norm / devices.n_replicas if config.clip_norm else None
    common = {"learning_rate": config.learning_rate, "global_clipnorm": clip}
    kinds: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
        "adam": lambda: keras.optimizers.Adam(**common),
        "adamax": lambda: keras.optimizers.Adamax(**common),
        "adamw": lambda: keras.optimizers.AdamW(weight_decay=config.weight_decay, **common),
        "sgd": lambda: keras.optimizers.SGD(momentum=config.momentum, **common),
    }
    optimizer = kinds[config.optimizer]()
    if config.optimizer == "adamw":  # biases and norms set levels, which should not decay to 0
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if devices.n_replicas == 1:
        # Keras's own update, made for several replicas, keeps every graph and its weights alive.
        # A search trains many networks in one process and would run out of memory.
        optimizer._backend_update_step = partial(_update, optimizer)
    if devices.precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def _update(
    optimizer: keras.optimizers.Optimizer,
    gradients: list[tf.Tensor],
    weights: list[keras.Variable],
    learning_rate: tf.Tensor,
) -> None:
    for gradient, weight in zip(gradients, weights, strict=True):
        optimizer.update_step(gradient, weight, learning_rate)


def _tensors(part: Part) -> tuple[tf.Tensor, tf.Tensor]:
    """One copy of each array; a tensor made of an array directly keeps a second one for good."""
    return tf.identity(part.features), tf.identity(part.z_spec)


def _assign(variables: list[keras.Variable], values: list[NDArray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
