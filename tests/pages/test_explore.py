"""The Explore page, driven as a visitor would; and what it computes."""

import numpy as np
import pytest

from pages.ui.explore_redshifts import histogram, tables
from pages.ui.explore_spectrum import find_source
from redshift_core.errors import InputError
from tests.pages.made_up import make_dataset, make_run, open_page, texts


def opened(**query):
    return open_page("explore", **query)


def charts(at) -> int:
    return len(at.get("plotly_chart"))


def test_an_empty_store_offers_data_and_the_demo(store):
    at = opened()
    assert not at.exception
    assert "no dataset yet" in texts(at)
    assert {"empty_button", "demo_button"} <= {button.key for button in at.button}


def test_a_dataset_shows_every_figure(store):
    folder = make_dataset(store)
    at = opened(dataset=folder.id)
    assert not at.exception
    assert charts(at) == 4
    assert "400 spectra" in texts(at)


def test_a_dataset_without_redshifts_shows_its_spectra(store):
    make_dataset(store, with_z=False)
    at = opened()
    assert not at.exception
    assert "no redshifts" in texts(at)
    assert charts(at) == 2


def test_the_bin_width_changes_the_histogram(store):
    make_dataset(store)
    at = opened()
    at.slider(key="bin_width").set_value(0.05).run()
    assert not at.exception
    assert "per bin of 0.05" in texts(at)


def test_ranges_that_do_not_rise_are_explained(store):
    make_dataset(store)
    at = opened()
    at.text_input(key="ranges").set_value("0.3, 0.1").run()
    assert not at.exception
    assert any("rising limits" in error.value for error in at.error)


def test_ranges_count_and_seed_are_the_users(store):
    make_dataset(store)
    at = opened()
    at.text_input(key="ranges").set_value("0, 0.2, 0.6").run()
    at.number_input(key="per_range").set_value(50).run()
    assert not at.exception
    assert "0–0.2: 50 of" in texts(at)


def test_next_previous_and_random_move_within_the_dataset(store):
    make_dataset(store)
    at = opened()
    at.button(key="row_previous").click().run()
    assert at.number_input(key="row").value == 0
    at.button(key="row_next").click().run()
    assert at.number_input(key="row").value == 1
    at.number_input(key="row").set_value(399).run()
    at.button(key="row_next").click().run()
    assert at.number_input(key="row").value == 399
    at.button(key="row_random").click().run()
    assert not at.exception
    assert 0 <= at.number_input(key="row").value < 400


def test_a_source_id_too_long_for_a_float_is_found_exactly(store):
    make_dataset(store)
    at = opened()
    at.text_input(key="find_source").set_value("4000000000000000018").run()
    assert not at.exception
    assert at.number_input(key="row").value == 17


@pytest.mark.parametrize("text", ["12", "abc", "99999999999999999999999"])
def test_an_unknown_source_id_is_explained(store, text):
    make_dataset(store)
    at = opened()
    at.text_input(key="find_source").set_value(text).run()
    assert not at.exception
    assert len(at.error) == 1


def test_a_row_beyond_the_dataset_in_the_address_does_not_break_the_page(store):
    make_dataset(store)
    at = opened(row=5000)
    assert not at.exception
    assert at.number_input(key="row").value == 0


@pytest.mark.parametrize("name", ["spectrum", "robust"])
def test_a_scaler_can_be_tried_without_a_run(store, name):
    make_dataset(store)
    at = opened()
    at.selectbox(key="scaler_choice").set_value(name).run()
    assert not at.exception
    assert f"after {name} scaling" in texts(at)


def test_a_runs_own_scaler_is_offered_and_used(store):
    from redshift_core.config import ScalerConfig
    from redshift_core.data import open_dataset
    from redshift_core.scaling import fit_scaler

    folder = make_dataset(store)
    run = make_run(store, folder)
    flux = open_dataset(folder).flux
    fit_scaler(ScalerConfig(name="standard"), flux, np.arange(321)).save(run.scaler_path)
    at = opened()
    at.selectbox(key="scaler_choice").set_value(run.id).run()
    assert not at.exception
    assert "standard scaling, fitted on 321 rows" in texts(at)


def test_histogram_and_tables_count_every_usable_redshift(store):
    folder = make_dataset(store)
    edges, counts, n_outside = histogram(str(folder.path), 0.01, flagged=False)
    assert len(edges) == 61
    assert counts.sum() + n_outside == 400
    _, _, shares = tables(str(folder.path), flagged=False)
    assert shares["this dataset %"].sum() == pytest.approx(100)


def test_a_source_id_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="whole number"):
        find_source(np.array([1, 2]), "1.5")
