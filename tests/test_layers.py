"""The layer table: the dissertation's counts by hand, Keras's own on random configurations."""

import math
import random

import numpy as np
import pytest

from redshift_core import reference
from redshift_core.config import ModelConfig, ScalerConfig
from redshift_core.errors import InputError
from redshift_core.layers import layer_table, n_flops, n_parameters


def random_config(generator: random.Random) -> ModelConfig:
    """Configuration that may or may not fit 186 pixels."""
    n = generator.randint(0, 4)
    return ModelConfig(
        architecture=generator.choice(["cnn", "rescnn", "mixed", "mlp", "resmlp"]),
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


def test_the_table_equals_keras_on_random_configurations():
    from redshift_core.models import build_model, trunk
    from redshift_core.scaling import fit_scaler

    flux = np.random.default_rng(0).normal(1.0, 0.1, (50, 186)).astype(np.float32)
    scalers = [
        fit_scaler(ScalerConfig(name), flux, np.arange(50)) for name in ("minmax", "spectrum")
    ]
    generator, n_built = random.Random(1), 0
    while n_built < 12:
        config, scaler = random_config(generator), generator.choice(scalers)
        try:
            table = layer_table(config, scaler.name)
        except InputError:
            with pytest.raises(InputError):
                build_model(config, scaler)
            continue
        n_built += 1
        model = build_model(config, scaler)
        assert trunk(model).count_params() == sum(row.n_parameters for row in table)
        for row in table:
            layer = model.get_layer(row.name)
            assert type(layer).__name__ == row.kind
            assert math.prod(layer.output.shape[1:]) == math.prod(row.output_shape)
