"""The split: the dissertation's own to the row, seeded, and refused where a part would be empty."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from redshift_core import reference
from redshift_core.data import open_dataset
from redshift_core.data.split import Split, split_rows, training_rows
from redshift_core.errors import InputError
from redshift_core.settings.run import SplitConfig


def test_the_dissertations_counts_come_out_of_its_number_of_galaxies():
    split = split_rows(np.arange(reference.N_GALAXIES), SplitConfig())
    assert tuple(split.counts.values()) == reference.N_SPLIT


@pytest.mark.parametrize("n", [10, 11, 333, 5_000])
@pytest.mark.parametrize("fraction", [0.1, 0.25])
def test_rows_are_those_of_scikit_learn_cut_as_keras_does(n, fraction):
    rows = np.arange(n) * 3 + 7
    split = split_rows(rows, SplitConfig(test_fraction=fraction))
    rest, test = train_test_split(rows, test_size=fraction, random_state=4)
    cut = int(np.floor(len(rest) * (1.0 - 0.3)))
    np.testing.assert_array_equal(split.test, test)
    np.testing.assert_array_equal(split.train, rest[:cut])
    np.testing.assert_array_equal(split.val, rest[cut:])


def test_every_row_is_in_exactly_one_part():
    rows = np.arange(1_000)
    split = split_rows(rows, SplitConfig(random_state=9))
    np.testing.assert_array_equal(np.sort(split.all), rows)


def test_another_seed_gives_another_split():
    rows = np.arange(1_000)
    one, other = (split_rows(rows, SplitConfig(random_state=seed)) for seed in (4, 5))
    assert not np.array_equal(one.test, other.test)


def test_without_a_test_part_all_rows_train_or_validate():
    split = split_rows(np.arange(100), SplitConfig(test_fraction=0.0))
    assert split.counts == {"train": 70, "val": 30, "test": 0}


def test_a_saved_split_comes_back(tmp_path):
    split = split_rows(np.arange(100), SplitConfig())
    split.save(tmp_path / "split.npz")
    again = Split.load(tmp_path / "split.npz")
    for part in ("train", "val", "test"):
        np.testing.assert_array_equal(getattr(again, part), getattr(split, part))
    assert [path.name for path in tmp_path.iterdir()] == ["split.npz"]


def test_a_selection_narrows_the_usable_rows_before_the_split(dataset):
    opened = open_dataset(dataset)
    whole = training_rows(opened, SplitConfig())
    chosen = training_rows(opened, SplitConfig(selection="z=0.1..0.2 brightness=..5"))
    z, brightness = opened.z_spec[whole], opened.brightness[whole]
    np.testing.assert_array_equal(chosen, whole[(z >= 0.1) & (z < 0.2) & (brightness < 5)])
    assert 0 < len(chosen) < len(whole)


def test_a_selection_without_a_usable_row_is_refused_by_its_text(dataset):
    with pytest.raises(InputError, match="No usable row of small lies in the selection"):
        training_rows(open_dataset(dataset), SplitConfig(selection="z=0.59999..0.599995"))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_rows_are_refused_with_their_number(n):
    with pytest.raises(InputError, match=f"has {n} usable rows"):
        split_rows(np.arange(n), SplitConfig())
