"""The layer table: the dissertation's counts by hand, Keras's for every architecture and scaler."""

import math
import random

import numpy as np
import pytest

from redshift_core import reference
from redshift_core.data.scaling import fit_scaler
from redshift_core.errors import InputError
from redshift_core.settings.layers import CONVOLVED, layer_table, n_flops, n_parameters
from redshift_core.settings.names import ARCHITECTURES, SCALERS
from redshift_core.settings.run import ModelConfig, ScalerConfig


def random_config(architecture: str, generator: random.Random) -> ModelConfig:
    """Configuration that may or may not fit 186 pixels."""
    n = generator.randint(0, 4)
    return ModelConfig(
        architecture=architecture,
        head=generator.choice(["regression", "pdf"]),
        members=generator.choice([1, 1, 3]),
        conv_filters=tuple(generator.randint(1, 9) for _ in range(n)),
        conv_kernels=tuple(generator.randint(1, 40) for _ in range(n)),
        conv_strides=generator.choice([(1,), tuple(generator.randint(1, 3) for _ in range(n))]),
        padding=generator.choice(["valid", "same"]),
        pooling=generator.choice(["max", "average", "none"]),
        pool_size=generator.randint(2, 4),
        dense_units=tuple(generator.randint(1, 9) for _ in range(generator.randint(0, 3))),
        dropout=generator.choice([0.0, 0.5]),
    )


def test_the_dissertations_layers_have_its_parameters():
    counts = [row.n_parameters for row in layer_table(ModelConfig()) if row.n_parameters]
    assert tuple(counts) == reference.LAYER_PARAMETERS
    assert n_parameters(ModelConfig()) == reference.N_PARAMETERS


def test_the_dissertations_cost_follows_from_its_output_lengths():
    lengths = (182, 87, 41, 19)  # 186 − 4; half of that − 4; half of that − 2; half of that − 1
    convs = zip(lengths, (1, 256, 256, 128), (256, 256, 128, 64), (5, 5, 3, 2), strict=True)
    multiplications = sum(length * c * f * k for length, c, f, k in convs)
    multiplications += 576 * 256 + 256 * 256 + 256 * 128 + 128 * 64 + 64
    assert n_flops(ModelConfig()) == 2 * multiplications


def test_brightness_and_scatter_join_before_the_first_dense_layer():
    extra = n_parameters(ModelConfig(), "spectrum") - n_parameters(ModelConfig(), "minmax")
    assert extra == 2 * 256


def test_members_and_a_pdf_head_multiply_the_parameters_by_hand():
    one = ModelConfig("resmlp", dense_units=(16, 16))
    blocks = 2 * (2 * 16 + 2 * (16 + 1) * 16)
    assert n_parameters(one) == (186 + 1) * 16 + blocks + 2 * 16 + 17
    three = ModelConfig("resmlp", dense_units=(16, 16), head="pdf", members=3)
    assert n_parameters(three) == 3 * (n_parameters(one) - 17 + 17 * 240)


def test_mixed_members_are_three_kinds_in_turn():
    def n(architecture, members=1):
        config = ModelConfig(architecture, members=members, dense_units=(8,), head="pdf")
        return n_parameters(config, "whitened")

    kinds = [n("rescnn"), n("cnn"), n("resmlp")]
    assert len(set(kinds)) == 3
    assert [n("mixed", members) for members in (1, 2, 3)] == np.cumsum(kinds).tolist()
    assert n("mixed", 4) == sum(kinds) + kinds[0]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"conv_kernels": (5, 5, 3, 60)}, "kernel of convolutional layer 4 is 60 pixels long"),
        (
            {"conv_filters": (8,) * 3, "conv_kernels": (60,)},
            "kernel .* layer 3 is 60 pixels long, but only 2 pixels",
        ),
        ({"conv_strides": (16,)}, "only 1 pixel is left"),
        ({"pool_size": 16}, "pooling window of convolutional layer 2"),
    ],
)
def test_layers_longer_than_what_is_left_are_refused_by_number(values, text):
    with pytest.raises(InputError, match=text):
        layer_table(ModelConfig(**values))


@pytest.fixture(scope="module")
def flux():
    return np.random.default_rng(0).normal(1.0, 0.1, (50, 186)).astype(np.float32)


def check_against_keras(config, scaler):
    """Compare every layer of the table, and their parameters, with the Keras model's own."""
    from redshift_core.learning.models import build_model, trunk

    table = layer_table(config, scaler.name)
    model = build_model(config, scaler)
    assert trunk(model).count_params() == sum(row.n_parameters for row in table)
    rows = {row.name: (row.kind, math.prod(row.output_shape)) for row in table}
    layers = {
        layer.name: (type(layer).__name__, math.prod(layer.output.shape[1:]))
        for layer in model.layers
        if type(layer).__name__ not in ("InputLayer", "Reshape", "Cropping1D")
        and not layer.name.endswith("extra_flat")
    }
    assert rows == layers


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_table_of_an_architecture_equals_keras_on_random_configurations(architecture, flux):
    from redshift_core.learning.models import build_model

    generator, n_built = random.Random(architecture), 0
    while n_built < 3:
        config = random_config(architecture, generator)
        scaler = fit_scaler(ScalerConfig(("minmax", "spectrum")[n_built % 2]), flux, np.arange(50))
        try:
            layer_table(config, scaler.name)
        except InputError:
            with pytest.raises(InputError):
                build_model(config, scaler)
            continue
        check_against_keras(config, scaler)
        n_built += 1


@pytest.mark.parametrize("name", SCALERS)
def test_the_table_behind_a_scaler_equals_keras(name, flux):
    config = ModelConfig("cnn", conv_filters=(2,), conv_kernels=(3,), dense_units=(3,))
    check_against_keras(config, fit_scaler(ScalerConfig(name), flux, np.arange(50)))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_convolutions_have_settings_just_where_there_are_any(architecture):
    kinds = {row.kind for row in layer_table(ModelConfig(architecture))}
    assert ("Conv1D" in kinds) == (architecture in CONVOLVED), (
        f"Add {architecture} to layers.CONVOLVED, with the architecture that is the same without "
        "convolutions; or take it out where it has none."
    )
