"""The Explore page, driven as a visitor would; and what it computes."""

import json

import numpy as np
import pandas as pd
import pytest

from pages.ui.explore.real import like_bands
from pages.ui.explore.redshifts import counts, tables
from pages.ui.explore.rows import find_source
from pages.ui.explore.spectrum import similar_spread
from pages.ui.explore.table import galaxies
from pages.ui.explore.values import Values
from pages.ui.explore.view import view_of
from redshift_core import data
from redshift_core.data import open_dataset
from redshift_core.data.scaling import fit_scaler
from redshift_core.errors import InputError
from redshift_core.reference.real_galaxies import real_galaxies
from redshift_core.settings.run import ScalerConfig
from redshift_core.settings.selection import Selection
from redshift_core.store.tables import csv_text
from tests.pages.made_up import (
    add_evaluation,
    make_dataset,
    make_run,
    make_survey,
    open_page,
    texts,
)


def opened(**query):
    return open_page("explore", **query)


def charts(at) -> int:
    return len(at.get("plotly_chart"))


def spectrum_names(at) -> list[str]:
    """Names of the last figure's traces, those behind first, without the spread."""
    traces = json.loads(at.get("plotly_chart")[-1].proto.spec)["data"]
    return [t["name"] for t in traces if not t["name"].startswith("68 %")]


def named(at, row: int) -> str:
    """Name of a row's spectrum in the legend."""
    return f"row {row}, z = {galaxies_table(at).z_spec[row]:.4f}"


def galaxies_table(at) -> pd.DataFrame:
    return next(table.value for table in at.dataframe if "brightness" in table.value)


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


def test_a_real_galaxy_lies_over_the_datasets_own_at_its_redshift(store):
    folder = make_dataset(store, n=2000)
    at = opened(dataset=folder.id)
    at.segmented_control(key="real_galaxy").set_value(1).run()
    assert not at.exception
    drawn = next(c for c in at.get("plotly_chart") if c.proto.id.endswith("real_spectrum"))
    traces = {trace["name"]: trace for trace in json.loads(drawn.proto.spec)["data"]}
    known, data_here = real_galaxies(), open_dataset(folder)
    assert {"5–95 % of galaxies", "16–84 % of galaxies", "filled in"} < set(traces)
    assert "Rings: 38 samples" in texts(at)
    near = np.flatnonzero(np.abs(np.array(data_here.z_spec) - known.z_spec[1]) <= 0.02)
    assert f"Bands: {len(near)} galaxies" in texts(at)
    view = view_of(folder, None, Selection())
    n, (low, *_, high) = like_bands(view, float(known.z_spec[1]))
    shapes = np.array(data_here.flux[near], float)
    shapes /= shapes.mean(axis=1, keepdims=True)
    assert n == len(near)
    np.testing.assert_allclose([low, high], np.percentile(shapes, (5, 95), axis=0), rtol=1e-6)


def test_a_dataset_without_redshifts_shows_its_spectra(store):
    make_dataset(store, with_z=False)
    at = opened()
    assert not at.exception
    assert "no redshifts" in texts(at)
    assert charts(at) == 1


def test_the_bin_width_changes_the_histogram(store):
    make_dataset(store)
    at = opened()
    at.slider(key="z_bin").set_value(0.05).run()
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


@pytest.mark.parametrize("name", ["spectrum", "robust", "normalised"])
def test_a_spectrum_can_be_seen_normalised_and_scaled_without_a_run(store, name):
    make_dataset(store)
    at = opened()
    at.selectbox(key="values").set_value(name).run()
    assert not at.exception
    wanted = "Flux / mean flux" if name == "normalised" else f"After {name} scaling"
    assert wanted in texts(at)


def test_a_runs_own_scaler_is_offered_and_used(store):
    folder = make_dataset(store)
    run = make_run(store, folder)
    flux = open_dataset(folder).flux
    fit_scaler(ScalerConfig(name="standard"), flux, np.arange(321)).save(run.scaler_path)
    at = opened()
    at.selectbox(key="values").set_value(run.id).run()
    assert not at.exception
    assert "standard scaling, fitted on 321 rows" in texts(at)


def test_the_histogram_and_its_tables_count_every_usable_redshift(store):
    view = view_of(make_dataset(store), None, Selection())
    binned, n_outside = counts(view, 0.01)
    assert len(binned) == 60
    assert binned.sum() + n_outside == 400
    _, _, shares = tables(view)
    assert shares["selected %"].sum() == pytest.approx(100)


def test_every_way_to_draw_averages_is_drawn(store):
    make_dataset(store)
    at = opened()
    at.segmented_control(key="average").set_value("Median")
    at.selectbox(key="scatter").set_value("Standard error")
    at.toggle(key="at_peak").set_value(True)
    at.toggle(key="average_published").set_value(True).run()
    assert not at.exception
    assert "Median flux divided by its highest value; scatter: Standard error" in texts(at)


def test_spectra_are_kept_in_the_figure_by_their_rows_in_the_address(store):
    make_dataset(store)
    at = opened(row=3, overlay="7,nonsense,7,4000,9")
    assert spectrum_names(at)[:3] == [named(at, 9), named(at, 7), named(at, 3)]
    at.button(key="overlay_add").click().run()
    assert at.query_params["overlay"] in ("7,9,3", ["7,9,3"])
    assert at.button(key="overlay_add").disabled
    at.button(key="overlay_clear").click().run()
    assert "overlay" not in at.query_params
    assert not at.exception


def test_no_more_than_twelve_spectra_are_kept(store):
    make_dataset(store)
    at = opened(row=50, overlay=",".join(map(str, range(20))))
    assert at.button(key="overlay_add").disabled
    assert at.button(key="overlay_clear").label == "Clear 12 overlaid"


def test_a_chosen_run_adds_its_redshifts_to_the_table_and_its_lines_to_the_spectrum(store):
    folder = make_dataset(store)
    run = make_run(store, folder)
    add_evaluation(run, folder, n=400)
    assert "z_phot" not in texts(opened())
    at = opened(run=run.id, row=5)
    assert not at.exception
    z_phot = pd.read_parquet(run.predictions_path(folder.id)).z_phot
    assert f"z_phot **{z_phot[5]:.4f}**" in texts(at)
    assert f"lines at z_phot = {z_phot[5]:.4f}" in spectrum_names(at)
    assert galaxies_table(at).z_phot.to_numpy() == pytest.approx(z_phot)
    at.selectbox(key="pick_predictions").set_value("none").run()
    assert "run" not in at.query_params
    assert "z_phot **" not in texts(at)


def test_the_spread_is_that_of_galaxies_at_similar_redshift(store):
    folder = make_dataset(store)
    view = view_of(folder, None, Selection())
    dataset = open_dataset(folder)
    near = np.abs(dataset.z_spec - 0.12) <= 0.01
    n, (low, high) = similar_spread(view, 0.12, Values())
    assert n == near.sum() > 10
    assert low == pytest.approx(np.percentile(dataset.flux[near], 16, axis=0), rel=1e-5)
    _, (_, high) = similar_spread(view, 0.12, Values("normalised"))
    shapes = dataset.flux[near] / dataset.flux[near].mean(1, keepdims=True)
    assert high == pytest.approx(np.percentile(shapes, 84, axis=0), rel=1e-5)
    assert similar_spread(view, 3.0, Values()) == (0, None)


def test_a_single_galaxy_is_enough_for_the_page(store):
    make_dataset(store, n=1)
    at = opened()
    assert not at.exception
    assert "**1** of 1 galaxy" in texts(at)
    at.button(key="row_next").click().run()
    at.button(key="row_random").click().run()
    assert not at.exception
    assert at.number_input(key="row").value == 0


def test_a_dataset_whose_rows_are_all_flagged_can_still_be_looked_at(store):
    path = make_survey(store.inbox / "far.parquet")
    pd.read_parquet(path).assign(z=2.5).to_parquet(path)
    data.ingest(path, store, name="far")
    at = opened()
    assert not at.exception
    assert "Every row of this dataset carries a flag" in texts(at)
    at.button(key="clear_selection").click().run()
    assert not at.exception
    assert "**400** of 400 galaxies" in texts(at)
    assert charts(at) == 4


def test_a_source_id_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="whole number"):
        find_source(np.array([1, 2]), "1.5")


def test_numbers_without_an_end_in_the_address_are_passed_over(store):
    make_dataset(store)
    at = opened(row="1e400", per_range="inf", draw_seed="9" * 5000, overlay="3" * 5000)
    assert not at.exception
    assert [one.value for one in at.number_input if one.key in ("row", "draw_seed")] == [0, 0]


def test_row_numbers_are_no_source_ids_in_what_leaves(store, tmp_path):
    frame = pd.read_parquet(make_survey(tmp_path / "all.parquet", n=20))
    frame.drop(columns="source_id").to_parquet(tmp_path / "none.parquet")
    ids = frame.source_id.astype("Int64").where(frame.index != 3)
    frame.assign(source_id=ids).to_parquet(tmp_path / "some.parquet")
    exported = {
        name: galaxies(view_of(data.ingest(tmp_path / f"{name}.parquet", store), None, Selection()))
        for name in ("all", "none", "some")
    }
    assert exported["all"].source_id.tolist() == frame.source_id.tolist()
    assert "source_id" not in exported["none"]
    assert exported["some"].source_id.isna().tolist() == [k == 3 for k in range(20)]
    assert csv_text(exported["some"]).splitlines()[4].startswith("3,,")
