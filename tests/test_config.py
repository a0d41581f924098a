"""Settings refuse what cannot be meant, and survive the way to JSON and back."""

import dataclasses
import json

import pytest

from redshift_core.errors import InputError
from redshift_core.settings import names as choices
from redshift_core.settings import presets
from redshift_core.settings import run as config
from redshift_core.settings.bench import BenchConfig
from redshift_core.settings.limit import LimitConfig
from redshift_core.settings.search import TuningConfig
from redshift_core.settings.space import Parameter


@pytest.mark.parametrize("name", presets.PRESETS)
def test_a_preset_survives_json(name):
    preset = presets.preset(name, "some-dataset")
    assert config.RunConfig.from_dict(json.loads(json.dumps(preset.to_dict()))) == preset
    assert preset.dataset == "some-dataset"
    assert preset.preset == name


def test_the_dissertation_preset_is_the_dissertations_recipe():
    preset = presets.preset("dissertation")
    training = preset.training
    assert (training.optimizer, training.learning_rate) == ("adamax", 0.001)
    assert (training.loss, training.huber_delta) == ("huber", 1.0)
    assert (training.batch_size, training.epochs, preset.seed) == (16, 20, 4)
    assert training.min_steps == 0
    assert preset.scaler == config.ScalerConfig("minmax", "train")


def test_values_are_taken_as_text_by_leaf_or_dotted_name():
    changed = presets.preset("fast").with_values(
        {"batch_size": "64", "model.dense_units": "32, 16", "scaler": "robust", "seed": "7",
         "include_flagged": "yes"}
    )  # fmt: skip
    assert changed.training.batch_size == 64
    assert changed.model.dense_units == (32, 16)
    assert changed.scaler.name == "robust"
    assert changed.seed == 7
    assert changed.split.include_flagged is True


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"batch_sze": 3}, "Unknown setting 'batch_sze' (did you mean 'batch_size'?); known are"),
        ({"batch_size": "many"}, "batch_size = 'many' is not a whole number"),
        ({"epochs": 1.5}, "epochs = 1.5 is not a whole number"),
        ({"epochs": 0}, "epochs = 0 is too small; the lowest value is 1"),
        ({"learning_rate": float("nan")}, "learning_rate = nan is not a finite number; give one"),
        ({"min_delta": "1e400"}, "min_delta = inf is not a finite number; give one of 0 or more."),
        ({"seed": 99999999999}, "the highest value is 2147483647."),
        ({"dense_units": "64,,8"}, "dense_units = '' is not a whole number"),
        ({"learning_rate": True}, "learning_rate = True is not a number"),
        ({"dropout": 1}, "dropout = 1.0 is too large"),
        ({"loss": "hubert"}, "loss = 'hubert' is not known; choose one of huber, mse, mae"),
        ({"dense_units": "64,x"}, "dense_units = 'x' is not a whole number"),
        ({"conv_filters": "8,8,8"}, "conv_kernels has 4 values and conv_filters 3"),
        ({"selection": "z=0.2..0.1"}, "z = 0.2..0.1 holds nothing"),
        ({"selection": "z_phot=0.1.. flag=any"}, "limits more than z and brightness"),
        ({"include_flagged": "perhaps"}, "include_flagged = 'perhaps' is not true or false"),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(values, sentence):
    with pytest.raises(InputError) as error:
        presets.preset("dissertation").with_values(values)
    assert sentence in str(error.value)


def test_unknown_keys_and_newer_versions_are_refused():
    tree = presets.preset("fast").to_dict()
    with pytest.raises(InputError, match="Unknown setting 'droput'"):
        config.RunConfig.from_dict({**tree, "droput": 1})
    with pytest.raises(InputError, match="update Redshift Lab"):
        config.RunConfig.from_dict({**tree, "schema_version": config.SCHEMA_VERSION + 1})
    with pytest.raises(InputError, match="choose dissertation or fast"):
        presets.preset("best-ever")


def test_every_setting_explains_itself():
    for kind in (*config.SECTIONS.values(), config.RunConfig):
        for item in dataclasses.fields(kind):
            if item.name not in config.SECTIONS:
                assert item.metadata["help"].endswith("."), item.name


def test_every_choice_is_explained_in_one_line():
    for kind in config.SECTIONS.values():
        for item in dataclasses.fields(kind):
            for name, line in item.metadata["choices"].items():
                assert line.endswith("."), (item.name, name)
                assert 10 < len(line) <= 100, (item.name, name)
    assert set(choices.PRESETS) == set(presets.PRESETS)


def test_no_two_sections_share_a_leaf_name():
    names = [i.name for kind in config.SECTIONS.values() for i in dataclasses.fields(kind)]
    assert len(names) == len(set(names))


WRONG = (None, [], [1], True, 889, "text", {"a": 1}, [{"a": 1}], [[1]])


@pytest.mark.parametrize("kind", [config.RunConfig, TuningConfig, LimitConfig, BenchConfig])
def test_a_wrong_type_anywhere_in_a_file_is_refused_in_one_sentence(kind):
    """Every setting of every section, in turn, of every wrong type; some are right by chance."""
    whole = json.loads(json.dumps(kind().to_dict()))
    places = [(name,) for name in whole]
    places += [(s, n) for s, values in whole.items() if isinstance(values, dict) for n in values]
    sentences = []
    for *section, name in places:
        for wrong in WRONG:
            broken = json.loads(json.dumps(whole))
            (broken[section[0]] if section else broken)[name] = wrong
            try:
                kind.from_dict(broken)
            except InputError as error:
                sentences.append(str(error))
    assert len(sentences) > 5 * len(places)
    assert not [one for one in sentences if "\n" in one or not one.endswith(".")]


@pytest.mark.parametrize("wrong", [[], None, True, 889, "text"])
@pytest.mark.parametrize(
    "kind", [config.RunConfig, TuningConfig, LimitConfig, BenchConfig, Parameter]
)
def test_what_is_no_table_of_settings_is_refused_in_one_sentence(kind, wrong):
    with pytest.raises(InputError, match=r"is not a table of settings; give"):
        kind.from_dict(wrong)


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        (config.RunConfig, {"split": []}, r"split = \[\] is not a section of settings; give"),
        (config.RunConfig, {"scaler": True}, r"scaler = True is not a section of settings"),
        (TuningConfig, {"base": None}, r"base = None is not a section of settings"),
        (TuningConfig, {"space": [7]}, r"space = 7 is not a section of settings"),
        (Parameter, {"name": "loss", "kind": "choice", "choices": 889},
         r"choices = 889 is not a list of values; give \[889\]"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_named_with_its_place(kind, values, sentence):
    with pytest.raises(InputError, match=sentence):
        kind.from_dict(values)
