"""How many epochs and steps a run makes on a training set of a given size."""

import json

import pytest

from redshift_core.settings.length import Length, run_length
from redshift_core.settings.presets import PRESETS
from redshift_core.settings.run import RunConfig, TrainingConfig
from redshift_core.store import write_json


@pytest.mark.parametrize(
    ("epochs", "batch", "min_steps", "n_train", "found"),
    [
        (6, 512, 1500, 126_000, Length(512, 247, 6, 0, False)),
        (6, 512, 1500, 3_300_000, Length(512, 6446, 6, 0, False)),
        (6, 512, 1500, 630, Length(512, 2, 750, 150, True)),
        (6, 512, 1500, 100, Length(100, 1, 1500, 300, True)),
        (6, 512, 0, 630, Length(512, 2, 6, 0, False)),
        (6, 512, 12, 630, Length(512, 2, 6, 0, False)),  # just enough
        (6, 512, 13, 630, Length(512, 2, 6, 0, False)),  # rounded: 6.5 epochs are 6
        (6, 512, 14, 630, Length(512, 2, 7, 2, True)),
    ],
)
def test_small_sets_get_as_many_steps_and_large_ones_their_epochs(
    epochs, batch, min_steps, n_train, found
):
    training = TrainingConfig(epochs=epochs, batch_size=batch, min_steps=min_steps)
    assert run_length(training, n_train) == found
    assert found.n_steps == found.steps * found.epochs


def test_the_batch_is_smaller_where_an_epoch_would_make_too_few_steps():
    training = TrainingConfig(epochs=6, batch_size=512, epoch_steps=10)
    assert [run_length(training, n).batch for n in (7, 630, 5_119, 5_120, 126_000)] == [
        1, 63, 511, 512, 512,
    ]  # fmt: skip
    assert [run_length(training, n).steps for n in (7, 630, 5_120)] == [7, 10, 10]


def test_the_patience_of_the_settings_is_lengthened_with_the_run():
    training = TrainingConfig(epochs=6, batch_size=512, min_steps=1500, early_stopping=2)
    assert run_length(training, 630).patience == 250  # a third, as 2 of 6
    assert run_length(training, 126_000).patience == 2


@pytest.mark.parametrize("name", ["fast", "fast_cnn", "best"])
def test_every_preset_but_the_dissertations_makes_1500_steps_on_few_galaxies(name):
    for n_train in (90, 630, 1_890, 6_300):
        assert run_length(PRESETS[name].training, n_train).n_steps == pytest.approx(1500, rel=0.02)
    assert not run_length(PRESETS[name].training, 126_000).lengthened
    assert run_length(PRESETS["dissertation"].training, 90) == Length(16, 6, 20, 0, False)


def test_who_names_the_epochs_gets_them_unless_the_steps_are_named_too():
    fast = PRESETS["fast"]
    assert fast.with_values({"epochs": 3}).training.min_steps == 0
    assert fast.with_values({"training.epochs": "3"}).training.min_steps == 0
    both = fast.with_values({"epochs": 3, "min_steps": 90}).training
    assert (both.epochs, both.min_steps) == (3, 90)
    assert fast.with_values({"seed": 3}).training == fast.training


def test_a_configuration_from_before_keeps_its_epochs():
    old = json.loads(json.dumps(PRESETS["best"].to_dict()))
    del old["training"]["min_steps"], old["training"]["epoch_steps"]
    found = run_length(RunConfig.from_dict(old).training, 630)
    assert found == Length(512, 2, 6, 0, False)


def test_a_run_knows_its_epochs_once_it_has_begun(store):
    run = store.new_run("small")
    write_json(run.config_path, PRESETS["best"].to_dict())
    assert run.epochs == 6
    write_json(run.environment_path, {"split": {"train": 630, "val": 270, "test": 100}})
    assert run.epochs == run_length(PRESETS["best"].training, 630).epochs
