"""Models: raw flux in, redshift out, the scaler inside, the same after save and load."""

import json
import re
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from redshift_core import reference
from redshift_core.data.scaling import fit_scaler
from redshift_core.errors import InputError
from redshift_core.learning.models import PDF, SCALING, build_model, load_model, trunk
from redshift_core.settings import names as settings
from redshift_core.settings.layers import ARCHITECTURES
from redshift_core.settings.run import ModelConfig, ScalerConfig

N = 400
SMALL = {"conv_filters": (8, 8), "conv_kernels": (5, 3), "dense_units": (32, 16)}


@pytest.fixture(scope="module")
def flux():
    """Spectra of very different brightness with noise, (N, 186) float32."""
    rng = np.random.default_rng(0)
    bright = rng.lognormal(1.0, 0.8, (N, 1)) * np.linspace(0.1, 2.0, 186)
    return (bright + rng.normal(0.0, 0.3, (N, 186))).astype(np.float32)


def scaler_of(name, flux):
    return fit_scaler(ScalerConfig(name), flux, np.arange(len(flux)))


def test_the_registry_holds_the_names_of_the_settings():
    assert {*ARCHITECTURES, "mixed"} == set(settings.ARCHITECTURES)


def test_the_default_is_the_dissertations_network(flux):
    model = build_model(ModelConfig(), scaler_of("minmax", flux))
    counts = [layer.count_params() for layer in model.layers if layer.trainable_weights]
    assert tuple(counts) == reference.LAYER_PARAMETERS
    assert sum(counts) == reference.N_PARAMETERS
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == reference.N_PARAMETERS


@pytest.mark.parametrize("name", settings.SCALERS)
def test_the_first_layer_equals_the_scaler_in_numpy(name, flux):
    scaler = scaler_of(name, flux[:200])
    layer = build_model(ModelConfig("mlp", dense_units=(4,)), scaler).get_layer(SCALING)
    beyond = np.concatenate([flux, flux * 100, -flux])  # also outside of what it was fitted on
    expected = scaler.apply(beyond)
    size = np.maximum(np.abs(expected).max(axis=1, keepdims=True), 1.0)  # whitening sums them up
    np.testing.assert_allclose(layer(beyond).numpy() / size, expected / size, atol=5e-4)
    assert layer.trainable_weights == []


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        *((one, "whitened") for one in settings.ARCHITECTURES),
        *(("mlp", s) for s in list(settings.SCALERS)[:-1]),
    ],
)
def test_a_saved_model_predicts_the_same_from_raw_flux(architecture, name, flux, tmp_path):
    model = build_model(ModelConfig(architecture, **SMALL), scaler_of(name, flux))
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    z_phot = model(flux).numpy()
    assert z_phot.shape == (N, 1)
    np.testing.assert_allclose(again(flux).numpy(), z_phot, atol=1e-6)


@pytest.mark.parametrize("architecture", settings.ARCHITECTURES)
def test_it_overfits_32_spectra(architecture, flux):
    keras.utils.set_random_seed(4)
    scaler = scaler_of("shape", flux)
    network = trunk(build_model(ModelConfig(architecture, **SMALL), scaler))
    z_spec = np.random.default_rng(1).uniform(0.0, 0.6, 32)
    features, z_spec = scaler.apply(flux[:32]), z_spec.astype(np.float32)[:, None]
    optimizer = keras.optimizers.Adam(0.003)

    @tf.function
    def fit():
        for _ in tf.range(400):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(network(features) - z_spec))
            weights = network.trainable_variables
            optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)

    optimizer.build(network.trainable_variables)
    fit()
    assert np.abs(network(features) - z_spec).mean() < 0.03  # guessing the middle gives 0.15


@pytest.mark.parametrize("members", [1, 3])
def test_a_pdf_head_gives_probabilities_that_survive_saving(members, flux, tmp_path):
    config = ModelConfig("resmlp", dense_units=(16, 16), head="pdf", members=members)
    model = build_model(config, scaler_of("spectrum", flux))
    model.get_layer(PDF).temperature.assign(0.8)
    p = model(flux).numpy()
    assert p.shape == (N, 240)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-5)
    logits = trunk(model)(scaler_of("spectrum", flux).apply(flux)).numpy() / 0.8
    each = np.exp(logits - logits.max(axis=2, keepdims=True))
    each /= each.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(p, each.mean(axis=1), atol=1e-6)
    model.save(tmp_path / "model.keras")
    np.testing.assert_allclose(load_model(tmp_path / "model.keras")(flux).numpy(), p, atol=1e-7)


def test_members_differ_and_their_mean_is_the_answer(flux):
    config = ModelConfig("mlp", dense_units=(16,), members=3)
    model = build_model(config, scaler_of("spectrum", flux))
    each = trunk(model)(scaler_of("spectrum", flux).apply(flux)).numpy()
    assert each.shape == (N, 3, 1)
    assert np.ptp(each, axis=1).min() > 0
    np.testing.assert_allclose(model(flux).numpy(), each.mean(axis=1), atol=1e-5)


@pytest.mark.parametrize("activation", settings.ACTIVATIONS)
def test_every_activation_reaches_its_layers(activation, flux):
    config = ModelConfig(**SMALL, conv_activation=activation, dense_activation=activation)
    model = build_model(config, scaler_of("minmax", flux))
    for name in ("conv_1", "conv_2", "dense_1", "dense_2"):
        assert model.get_layer(name).activation is keras.activations.get(activation)
    assert model.get_layer("z_phot").activation is keras.activations.linear


@pytest.mark.parametrize("initializer", settings.INITIALIZERS)
def test_every_initializer_draws_weights_of_its_own_spread(initializer, flux):
    config = ModelConfig("mlp", dense_units=(256,), initializer=initializer)
    kernel = build_model(config, scaler_of("minmax", flux)).get_layer("dense_1").kernel.numpy()
    variance = {"glorot": 2 / (186 + 256), "he": 2 / 186, "lecun": 1 / 186}
    expected = variance[initializer.split("_")[0]]
    assert kernel.var() == pytest.approx(expected, rel=0.1)


def test_pooling_stride_and_padding_change_the_layers(flux):
    config = ModelConfig(**SMALL, pooling="average", pool_size=3, conv_strides=(2,), padding="same")
    model = build_model(config, scaler_of("minmax", flux))
    assert model.get_layer("conv_1").output.shape[1] == 93
    assert model.get_layer("pool_1").output.shape[1] == 31
    assert isinstance(model.get_layer("pool_1"), keras.layers.AveragePooling1D)


def test_penalties_and_dropout_are_where_the_settings_want_them(flux):
    config = ModelConfig(**SMALL, dropout=0.5, l2=0.01)
    model = build_model(config, scaler_of("minmax", flux))
    assert len(model.losses) == 5  # two convolutions, two dense layers, the output
    kernel = model.get_layer("dense_1").kernel.numpy()
    expected = 0.01 * np.square(kernel).sum()
    assert any(float(loss) == pytest.approx(expected, rel=1e-4) for loss in model.losses)
    one, other = (model(flux[:8], training=True).numpy() for _ in range(2))
    assert not np.allclose(one, other)
    np.testing.assert_array_equal(model(flux[:8]).numpy(), model(flux[:8]).numpy())


def test_the_trunk_shares_the_models_weights(flux):
    scaler = scaler_of("quantile", flux)
    model = build_model(ModelConfig("mlp", dense_units=(8,)), scaler)
    part = trunk(model)
    part.trainable_variables[0].assign(part.trainable_variables[0] + 1.0)
    np.testing.assert_allclose(model(flux), part(scaler.apply(flux)), rtol=1e-4, atol=1e-4)


def test_a_model_with_code_inside_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((186,)), keras.layers.Lambda(lambda x: x * 2)])
    model.save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="arbitrary code"):
        load_model(tmp_path / "model.keras")


def test_a_model_that_is_not_there_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match="saved no model yet"):
        load_model(tmp_path / "model.keras")


def test_a_model_of_a_newer_keras_is_refused_with_both_versions(flux, tmp_path):
    path, here = tmp_path / "model.keras", re.escape(keras.__version__)
    build_model(ModelConfig("mlp", dense_units=(4,)), scaler_of("minmax", flux)).save(path)
    replace_in(path, "metadata.json", {"keras_version": "3.0.0"})
    load_model(path)  # an older one is welcome
    replace_in(path, "config.json", {"class_name": "Unheard", "module": "keras", "config": {}})
    with pytest.raises(InputError, match=rf"saved by Keras 3\.0\.0, and this is Keras {here}"):
        load_model(path)
    replace_in(path, "metadata.json", {"keras_version": "99.1.0"})
    with pytest.raises(InputError, match=rf"saved by Keras 99\.1\.0, and this is Keras {here}, wh"):
        load_model(path)


def replace_in(path, name, value):
    """Put other JSON into a file of a ZIP."""
    with zipfile.ZipFile(path) as files:
        content = {one: files.read(one) for one in files.namelist()}
    with zipfile.ZipFile(path, "w") as files:
        for one, data in (content | {name: json.dumps(value).encode()}).items():
            files.writestr(one, data)
