"""The current selection: its rows by hand, its texts there and back, what it refuses."""

from types import SimpleNamespace

import numpy as np
import pytest

from redshift_core.constants import FLAGS
from redshift_core.errors import InputError
from redshift_core.settings.selection import Selection, snap

CATALOGUE = SimpleNamespace(
    z_spec=np.array([0.0, 0.1, 0.15, 0.2, 0.6, np.nan, 0.15]),
    brightness=np.array([-1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    flags=np.array([0, 0, 0, 0, 0, FLAGS["z_missing"], FLAGS["zero_flux"] | 32], np.uint16),
)
Z_PHOT = np.array([np.nan, 0.12, 0.3, 0.6, 0.1, 0.2, 0.2])


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("flag=all", [0, 1, 2, 3, 4, 5, 6]),
        ("flag=any", [5, 6]),
        ("flag=zero_flux", [6]),
        ("z=0.1..0.2", [1, 2]),
        ("z=0.1..0.2 flag=all", [1, 2, 6]),
        ("z=0.15..", [2, 3, 4]),
        ("z=..0.1", [0]),
        ("z=0.2..0.6", [3, 4]),
        ("brightness=-1..2", [0, 1]),
        ("brightness=2.. flag=all", [2, 3, 4, 5, 6]),
        ("z=0.1.. brightness=..3", [1, 2]),
        ("z_phot=0.1..0.3", [1, 4]),
        ("z_phot=0.3..0.6 z=..0.5", [2, 3]),
        ("z=0.3..0.5", []),
    ],
)
def test_rows_are_those_within_every_limit(text, rows):
    found = Selection.parse(text).rows(CATALOGUE, Z_PHOT)
    assert found.tolist() == rows
    assert found.dtype == np.int64


def test_bins_share_no_row_and_together_hold_every_redshift():
    z = np.random.default_rng(1).integers(0, 61, 5000) / 100
    catalogue = SimpleNamespace(z_spec=z, brightness=np.ones(5000), flags=np.zeros(5000, np.uint16))
    bins = [Selection(z=(low / 10, (low + 1) / 10)).rows(catalogue) for low in range(6)]
    assert np.array_equal(np.sort(np.concatenate(bins)), np.arange(5000))


def test_without_predictions_no_row_lies_within_limits_on_z_phot():
    assert Selection(z_phot=(0.0, 0.6)).rows(CATALOGUE).tolist() == []


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(z=(0.1, 0.2)),
        Selection(z=(0.1 + 0.2, None), brightness=(-1e-7, 12345678.9), flag="any"),
        Selection(brightness=(None, -2), z_phot=(0, 0.6), flag="duplicate_id"),
        Selection(flag="all"),
    ],
)
def test_a_selection_survives_its_line_and_its_address(selection):
    assert Selection.parse(selection.text) == selection
    assert Selection.from_params(selection.params) == selection


def test_the_address_is_short_and_names_only_what_is_limited():
    chosen = Selection(z=(0.1, 0.2), brightness=(None, 5.0), flag="zero_flux")
    assert chosen.params == {"z": "0.1..0.2", "brightness": "..5", "flag": "zero_flux"}
    assert Selection().params == {}
    assert Selection().text == ""


def test_other_parameters_of_an_address_are_none_of_its_business():
    assert Selection.from_params({"z": "..0.3", "dataset": "x"}) == Selection(z=(None, 0.3))


def test_a_phrase_per_limit_says_which_end_belongs_to_it():
    chosen = Selection(z=(0.55, 0.6), brightness=(1, None), z_phot=(None, 0.3), flag="zero_flux")
    assert chosen.describe() == {
        "z": "0.55 ≤ z ≤ 0.6",
        "brightness": "mean flux ≥ 1",
        "z_phot": "z_phot < 0.3",
        "flag": "flagged zero_flux",
    }
    assert Selection().describe() == {"flag": "unflagged only"}
    assert Selection(flag="all").describe() == {}


def test_a_lifted_limit_lets_more_rows_in():
    chosen = Selection(z=(0.1, 0.2), brightness=(2, None))
    assert chosen.without("z") == Selection(brightness=(2, None))
    assert chosen.without("flag").rows(CATALOGUE).tolist() == [2, 6]


def test_training_keeps_the_limits_on_redshift_and_brightness():
    chosen = Selection(z=(0.1, None), brightness=(2, 3), z_phot=(0.1, 0.2), flag="any")
    assert chosen.for_training() == Selection(z=(0.1, None), brightness=(2, 3))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("z=0.2..0.1", "z = 0.2..0.1 holds nothing"),
        ("z=0.1..0.1", "holds nothing"),
        ("z=0.1", "z = '0.1' is not an interval; give it like 0.1..0.2"),
        ("brightness=a..b", "brightness = 'a..b' is not an interval"),
        ("z=..inf", "is not finite; leave an end open"),
        ("z=nan..", "is not finite"),
        ("flag=odd", "flag = 'odd' is not known; choose none, all, any, nan_flux"),
        ("redshift=0.1..", "'redshift' in the selection"),
        ("0.1..0.2", "'0.1..0.2' in the selection"),
    ],
)
def test_what_is_no_selection_is_refused_in_one_sentence(text, sentence):
    with pytest.raises(InputError) as error:
        Selection.parse(text)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.04, 0.16, (0.0, 0.2)),
        (0.16, 0.04, (0.0, 0.2)),
        (0.12, 0.14, (0.1, 0.2)),
        (-3.0, 9.0, (0.0, 0.3)),
        (0.31, 0.5, (0.2, 0.3)),
        (-0.5, -0.1, (0.0, 0.1)),
    ],
)
def test_a_brush_snaps_to_the_nearest_edges_and_never_to_nothing(low, high, wanted):
    assert snap(low, high, np.array([0.0, 0.1, 0.2, 0.3])) == wanted
