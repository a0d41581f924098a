"""Losses and point estimates against slow NumPy twins; what weight decay touches."""

import gc
from types import SimpleNamespace

import keras
import numpy as np
import psutil
import pytest

from redshift_core.errors import InputError
from redshift_core.learning.training.loop import Data, make_optimizer
from redshift_core.learning.training.losses import LOWER, WIDTH, make_loss, point_estimate
from redshift_core.learning.training.prepare import Part
from redshift_core.settings import names
from redshift_core.settings.run import ModelConfig, RunConfig, TrainingConfig

EDGES = np.linspace(0.0, 0.6, 241)


@pytest.fixture(scope="module")
def answers():
    """Logits (20, 2, 240) of bumps at random places, and z_spec (20,), both ends among them."""
    rng = np.random.default_rng(0)
    place = rng.uniform(0.0, 0.6, (20, 1, 1)) + np.array([[[0.0], [0.02]]])
    width = rng.uniform(0.01, 0.1, (20, 2, 1))
    z_spec = np.concatenate([[0.0, 0.6], rng.uniform(0.0, 0.6, 18)])
    logits = -0.5 * ((EDGES[:-1] + WIDTH / 2 - place) / width) ** 2
    return logits.astype(np.float32), z_spec.astype(np.float32)


def probability(logits):
    p = np.exp(logits.astype(float) - logits.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def of(name, *arrays, **settings):
    return make_loss(TrainingConfig(loss=name, **settings))(*arrays).numpy()


def test_every_loss_belongs_to_one_head():
    assert sorted(sum(names.LOSSES_OF.values(), ())) == sorted(names.LOSSES)
    assert tuple(names.LOSSES_OF) == tuple(names.HEADS)


def test_a_loss_that_cannot_judge_the_head_is_refused():
    with pytest.raises(InputError, match="loss = 'huber' cannot judge what head = 'pdf' gives"):
        RunConfig().with_values({"head": "pdf"})


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("huber", lambda e: np.where(abs(e) < 0.1, e * e / 2, 0.1 * abs(e) - 0.005)),
        ("mse", np.square),
        ("mae", np.abs),
        ("logcosh", lambda e: np.log(np.cosh(e))),
    ],
)
def test_a_regression_loss_is_the_mean_of_the_members_own(name, twin):
    z = np.array([[0.1, 0.3], [0.5, 0.2]])
    z_spec = np.array([0.1, 0.45])
    expected = twin(z - z_spec[:, None]).mean(axis=1)
    found = of(name, z[:, :, None].astype(np.float32), z_spec.astype(np.float32), huber_delta=0.1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_cross_entropy_is_against_a_gaussian_around_the_redshift(answers):
    logits, z_spec = answers
    target = np.exp(-0.5 * ((LOWER + WIDTH / 2 - z_spec[:, None]) / 0.01) ** 2)
    target /= target.sum(axis=1, keepdims=True)
    expected = -(target[:, None] * np.log(probability(logits))).sum(axis=2).mean(axis=1)
    found = of("cross_entropy", logits, z_spec, target_width=0.01)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_crps_is_the_integral_it_is_defined_by(answers):
    logits, z_spec = answers
    fine = np.linspace(0.0, 0.6, 60_001)
    middle = (fine[1:] + fine[:-1]) / 2
    expected = np.zeros(len(z_spec))
    for member in range(2):
        cumulative = np.concatenate(
            [np.zeros((20, 1)), probability(logits[:, member]).cumsum(axis=1)], axis=1
        )
        for row in range(20):
            step = middle >= z_spec[row]
            rest = (np.interp(middle, EDGES, cumulative[row]) - step) ** 2
            expected[row] += rest.sum() * (fine[1] - fine[0]) / 2
    np.testing.assert_allclose(of("crps", logits, z_spec), expected, atol=1e-5)


def test_the_point_estimate_is_the_median_of_the_members_mean_density(answers):
    logits, _ = answers
    config = RunConfig(
        model=ModelConfig("mlp", head="pdf", members=2), training=TrainingConfig(loss="crps")
    )
    cumulative = np.zeros((20, 241))
    cumulative[:, 1:] = probability(logits).mean(axis=1).cumsum(axis=1)
    expected = [np.interp(0.5, row, EDGES) for row in cumulative]
    np.testing.assert_allclose(point_estimate(config, logits).numpy(), expected, atol=1e-5)


def test_weight_decay_moves_kernels_but_neither_biases_nor_norms():
    net = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3), keras.layers.LayerNormalization()]
    )
    for variable in net.trainable_variables:
        variable.assign(np.ones(variable.shape))
    config = TrainingConfig(optimizer="adamw", weight_decay=0.5, learning_rate=0.1)
    optimizer = make_optimizer(config, SimpleNamespace(n_replicas=1, precision="float32"))
    optimizer.build(net.trainable_variables)
    optimizer.apply([np.zeros(v.shape, np.float32) for v in net.trainable_variables])
    kernel, *others = (np.asarray(variable) for variable in net.trainable_variables)
    np.testing.assert_allclose(kernel, 0.95, rtol=1e-6)
    assert all((values == 1.0).all() for values in others)


def test_tensorflow_keeps_one_copy_of_the_spectra():
    devices = SimpleNamespace(data_device=lambda n_bytes: "/CPU:0")
    z_spec, process = np.zeros(10, np.float32), psutil.Process()
    Data.place(*2 * [Part(np.ones((10, 186), np.float32), z_spec)], devices)  # TensorFlow is loaded
    gc.collect()
    before = process.memory_info().rss
    features = np.ones((100_000, 186), np.float32)
    size = features.nbytes
    data = Data.place(Part(features, z_spec), Part(features[:10], z_spec), devices)
    del features
    gc.collect()
    assert data.train[0].shape == (100_000, 186)
    assert process.memory_info().rss - before < 1.5 * size
