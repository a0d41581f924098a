"""Search spaces: what they refuse, and the runs that choices of values stand for."""

import dataclasses
import itertools
import json

import pytest

from redshift_core.errors import InputError
from redshift_core.evaluation.metrics import METRICS
from redshift_core.settings import names
from redshift_core.settings.layers import layer_table
from redshift_core.settings.presets import preset
from redshift_core.settings.run import RunConfig
from redshift_core.settings.search import OBJECTIVES, TuningConfig
from redshift_core.settings.space import (
    ADDABLE,
    DEFAULT_SPACE,
    Parameter,
    n_combinations,
    run_config,
)


def choice(name, *choices):
    return Parameter(name, "choice", choices=choices)


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ({"name": "dropout", "kind": "float", "low": 0.5, "high": 0.1}, "from 0.5 to 0.1 is empty"),
        ({"name": "conv_filters", "low": 0, "high": 8}, "conv_filters = 0 is too small; the low"),
        ({"name": "dense_units", "low": 8, "high": 10**6}, "is too large; the highest value is"),
        ({"name": "conv_layers", "low": 1, "high": 99}, "99 is not a number of layers from 0 to 8"),
        ({"name": "loss", "kind": "choice"}, "the choice is empty"),
        ({"name": "loss", "kind": "choice", "choices": ["mse", "l7"]}, "loss = 'l7' is not known"),
        ({"name": "losses", "low": 1, "high": 2}, "There is no parameter 'losses'; known are"),
        ({"name": "model.dropout", "low": 1, "high": 2}, "There is no parameter 'model.dropout'"),
        ({"name": "epochs", "low": 1, "high": 2}, "epochs is not searched"),
        ({"name": "batch_size", "kind": "float", "low": 8, "high": 9}, "is a whole number"),
        ({"name": "batch_size", "low": 8, "high": 9.5}, "has whole ends and a whole step"),
        ({"name": "l2", "kind": "float", "high": 1, "log": True}, "begins above 0"),
        ({"name": "l2", "kind": "float", "high": float("nan")}, "high is nan; give a number"),
        ({"name": "dense_units", "low": 8, "high": 64, "step": 1, "log": True}, "a ratio above 1"),
        ({"name": "dropout", "kind": "fixed", "value": "much"}, "'much' is not a number"),
        ({"name": "dropout", "minimum": 2}, "Unknown setting 'minimum'; known here are name"),
    ],
)
def test_a_parameter_says_what_is_wrong_with_it(parameter, sentence):
    with pytest.raises(InputError, match=sentence):
        Parameter.from_dict(parameter)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"trials": 0}, "trials = 0 is too small; the lowest value is 1"),
        ({"train_share": 0}, "train_share = 0.0 is too small"),
        ({"algorithm": "genetic"}, "algorithm = 'genetic' is not known"),
        ({"objective": "mae"}, "objective = 'mae' is not known"),
        ({"schema_version": 99}, "schema version 99, this program reads up to"),
        ({"space": ()}, "has nothing to search"),
        ({"space": (Parameter("loss", "fixed", value="mae"),)}, "has nothing to search"),
        ({"space": (choice("loss", "mae"), choice("loss", "mse"))}, "loss appears twice"),
        ({"base": preset("fast").with_values({"fit_on": "all"})}, "show the test rows"),
    ],
)
def test_a_search_says_what_is_wrong_with_it(values, sentence):
    with pytest.raises(InputError, match=sentence):
        TuningConfig(**values)


def test_a_search_is_the_same_after_json():
    config = TuningConfig(dataset="d", space=(*DEFAULT_SPACE, *ADDABLE), hours=1.5)
    assert TuningConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_every_metric_can_be_the_objective():
    assert set(OBJECTIVES) == {"val_mae", *METRICS} - {"mae"}
    assert list(METRICS) == list(names.METRICS)


def test_the_dissertation_s_network_is_inside_the_default_space():
    ranges = {parameter.name: parameter for parameter in DEFAULT_SPACE}
    model, training = preset("dissertation").model, preset("dissertation").training
    assert ranges["conv_layers"].least <= len(model.conv_filters) <= ranges["conv_layers"].most
    assert ranges["dense_layers"].least <= len(model.dense_units) <= ranges["dense_layers"].most
    for name in ("conv_filters", "conv_kernels", "dense_units"):
        low, high = ranges[name].least, ranges[name].most
        assert all(low <= value <= high for value in getattr(model, name))
    for name, value in (("conv_activation", "relu"), ("dense_activation", "relu")):
        assert value in ranges[name].choices
    assert training.loss in ranges["loss"].choices
    assert training.optimizer in ranges["optimizer"].choices


def test_values_become_the_run_they_stand_for():
    values = {
        "conv_layers": 2, "conv_filters_1": 8, "conv_filters_2": 16, "conv_kernels_1": 5,
        "conv_kernels_2": 3, "dense_layers": 1, "dense_units_1": 32, "learning_rate": 0.01,
        "scaler": "quantile", "loss": "mse",
    }  # fmt: skip
    config, repaired = run_config(preset("fast", "d"), values)
    assert repaired == []
    assert config.model.architecture == "cnn"
    assert (config.model.conv_filters, config.model.conv_kernels) == ((8, 16), (5, 3))
    assert (config.model.dense_units, config.training.loss) == ((32,), "mse")
    assert (config.training.learning_rate, config.scaler.name) == (0.01, "quantile")
    assert config.training.batch_size == preset("fast").training.batch_size
    assert config.dataset == "d"


def test_no_layers_are_a_dense_network_and_a_value_may_serve_every_layer():
    assert run_config(preset("dissertation"), {"conv_layers": 0})[0].model.architecture == "mlp"
    config, _ = run_config(preset("fast"), {"conv_layers": 3, "conv_filters": "8"})
    assert config.model.conv_filters == (8, 8, 8)
    config, _ = run_config(preset("fast"), {"architecture": "mlp", "dense_layers": 5})
    assert config.model.dense_units == (256, 128, 64, 64, 64)


@pytest.mark.parametrize("pooling", ["max", "none"])
def test_every_corner_of_a_wide_space_fits_after_repair(pooling):
    n_repaired = 0
    for layers, kernel, size in itertools.product((0, 1, 4, 8), (1, 60, 186), (2, 16)):
        values = {"conv_layers": layers, "conv_kernels": kernel, "pool_size": size}
        config, repaired = run_config(preset("fast"), {**values, "pooling": pooling})
        assert layer_table(config.model, config.scaler.name)
        kept = len(config.model.conv_filters) if config.model.architecture == "cnn" else 0
        assert repaired == (
            [f"{layers - kept} of {layers} convolutional layers left out: no pixels were left for "
             "them."] if kept < layers else []
        )  # fmt: skip
        n_repaired += bool(repaired)
    assert n_repaired > 3


def test_a_grid_counts_what_exists():
    space = (
        Parameter("conv_layers", "int", low=0, high=2),
        choice("conv_filters", "8", "16", "32"),
        choice("conv_activation", "relu", "tanh"),
        choice("loss", "mae", "mse"),
    )
    # no layer: 1; one: 3 filters · 2 activations; two: 3² · 2; each with two losses
    assert n_combinations(space, preset("fast")) == 2 * (1 + 3 * 2 + 9 * 2)
    both = (*space, choice("architecture", "cnn", "mlp"))
    assert n_combinations(both, preset("fast")) == 2 * (1 + 3 * 2 + 9 * 2 + 1)


@pytest.mark.parametrize("parameter", [*DEFAULT_SPACE, *ADDABLE], ids=lambda one: one.name)
def test_every_offered_parameter_makes_a_run_at_both_ends(parameter):
    ends = parameter.values or (parameter.low, parameter.high)
    runs = [run_config(preset("fast"), {parameter.name: end})[0] for end in (ends[0], ends[-1])]
    assert isinstance(runs[0], RunConfig)
    assert runs[0] != dataclasses.replace(runs[1])


def test_a_loss_brings_the_head_that_it_can_judge():
    for base, loss, head in (("best", "mse", "regression"), ("fast", "crps", "pdf")):
        config, _ = run_config(preset(base), {"loss": loss})
        assert config.model.head == head
