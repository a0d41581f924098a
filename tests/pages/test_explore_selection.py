"""The current selection on the pages: address, chips, form, and what follows it."""

import numpy as np
import pandas as pd
import pytest

from pages.ui.explore.redshifts import counts, tables
from pages.ui.explore.rows import neighbour
from pages.ui.explore.table import galaxies
from pages.ui.explore.view import selected_rows, view_of, whole_rows
from redshift_core import data
from redshift_core.data import open_dataset
from redshift_core.settings.presets import PRESETS
from redshift_core.settings.selection import Selection
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


def chips(at) -> list[str]:
    return [button.key for button in at.button if (button.key or "").startswith("chip_")]


def address(at, name):
    value = at.query_params.get(name)
    return value[0] if isinstance(value, list) else value


@pytest.fixture
def flawed(store):
    """400 galaxies of which row 3 lacks a flux and row 5 a sensible redshift."""
    path = make_survey(store.inbox / "flawed.parquet")
    frame = pd.read_parquet(path)
    frame.loc[3, "flux_7"] = np.nan
    frame.loc[5, "z"] = 0.9
    frame.to_parquet(path)
    return data.ingest(path, store, name="flawed")


def test_without_limits_every_galaxy_is_selected_and_there_is_no_chip(store):
    make_dataset(store)
    at = opened()
    assert "**400** of 400 galaxies" in texts(at)
    assert chips(at) == []


def test_every_table_follows_the_selection_in_the_address(store):
    folder = make_dataset(store)
    dataset = open_dataset(folder)
    wanted = (dataset.z_spec >= 0.1) & (dataset.z_spec < 0.2) & (dataset.brightness < 3)
    at = opened(z="0.1..0.2", brightness="..3")
    assert not at.exception
    assert f"**{wanted.sum()}** of 400 galaxies" in texts(at)
    assert chips(at) == ["chip_z", "chip_brightness"]
    table = next(t.value for t in at.dataframe if "brightness" in t.value)
    assert table.row.tolist() == np.flatnonzero(wanted).tolist()
    statistics = next(t.value for t in at.dataframe if "statistic" in t.value)
    assert statistics.selected[0] == pytest.approx(dataset.z_spec[wanted].mean())
    shares = next(t.value for t in at.dataframe if "z bin" in t.value)
    assert shares["selected %"][[2, 3]].sum() == pytest.approx(100)
    assert f"(seed 0): 0.1–0.2: {wanted.sum()} of {wanted.sum()}. " in texts(at)
    assert at.number_input(key="row").value == np.flatnonzero(wanted)[0]


def test_the_histogram_keeps_all_galaxies_behind_the_selected_ones(store):
    view = view_of(make_dataset(store), None, Selection(z=(0.1, 0.2)))
    binned, n_outside = counts(view, 0.05)
    everything, _ = counts(view.narrowed(Selection()), 0.05)
    assert binned.tolist() == [0, 0, *everything[2:4], *[0] * 8]
    assert n_outside == 0
    moments, _, _ = tables(view)
    z = view.data.z_spec[selected_rows(view)]
    assert moments.selected[1] == pytest.approx(np.median(z))


def test_a_chip_removes_its_limit_from_the_page_and_the_address(store):
    make_dataset(store)
    at = opened(z="0.1..0.2", brightness="..3")
    at.button(key="chip_z").click().run()
    assert not at.exception
    assert chips(at) == ["chip_brightness"]
    assert address(at, "z") is None
    assert address(at, "brightness") == "..3"


def test_the_form_narrows_every_limit_at_once(store):
    make_dataset(store)
    at = opened()
    at.number_input(key="narrow_z_from").set_value(0.1)
    at.number_input(key="narrow_brightness_up to").set_value(3.0)
    at.button(key="FormSubmitter:narrow_form-Apply").click().run()
    assert not at.exception
    assert (address(at, "z"), address(at, "brightness")) == ("0.1..", "..3")
    assert chips(at) == ["chip_z", "chip_brightness"]


def test_limits_that_hold_nothing_are_explained_and_change_nothing(store):
    make_dataset(store)
    at = opened(brightness="..3")
    at.number_input(key="narrow_z_from").set_value(0.3)
    at.number_input(key="narrow_z_up to").set_value(0.2)
    at.button(key="FormSubmitter:narrow_form-Apply").click().run()
    assert not at.exception
    assert any("holds nothing" in error.value for error in at.error)
    assert chips(at) == ["chip_brightness"]


def test_a_selection_that_cannot_be_read_is_explained_and_left_out(store):
    make_dataset(store)
    at = opened(z="low")
    assert not at.exception
    assert any("is not an interval" in error.value for error in at.error)
    assert "**400** of 400" in texts(at)


def test_an_empty_selection_says_so_and_one_button_clears_it(store):
    make_dataset(store)
    at = opened(z="0.59999..0.599995")
    assert not at.exception
    assert "No galaxy of this dataset is within the selection" in texts(at)
    assert len(at.get("plotly_chart")) == 1  # the histogram stays, to brush anew
    at.button(key="clear_selection").click().run()
    assert "**400** of 400" in texts(at)
    assert address(at, "z") is None


def test_flagged_rows_stay_out_until_their_chip_is_removed(store, flawed):
    at = opened()
    assert "**398** of 400" in texts(at)
    assert chips(at) == ["chip_flag"]
    at.button(key="chip_flag").click().run()
    assert not at.exception
    assert "**400** of 400" in texts(at)
    assert address(at, "flag") == "all"
    assert "1 more outside 0–0.6" in texts(at)


def test_one_flag_alone_can_be_looked_at(store, flawed):
    at = opened(flag="nan_flux")
    assert not at.exception
    assert "**1** of 400" in texts(at)
    assert at.number_input(key="row").value == 3
    view = view_of(flawed, None, Selection(flag="nan_flux"))
    assert whole_rows(view).tolist() == []  # nothing to average
    assert galaxies(view)["flags"].tolist() == ["nan_flux"]


def test_next_and_previous_stay_within_the_selection(store):
    view = view_of(make_dataset(store), None, Selection(z=(0.3, None)))
    rows = selected_rows(view)
    at = opened(z="0.3..")
    at.button(key="row_next").click().run()
    assert at.number_input(key="row").value == rows[1]
    at.button(key="row_previous").click().run()
    at.button(key="row_previous").click().run()
    assert at.number_input(key="row").value == rows[0]
    at.button(key="row_random").click().run()
    assert at.number_input(key="row").value in rows


@pytest.mark.parametrize(
    ("row", "step", "wanted"),
    [(5, "Next", 9), (9, "Next", 9), (7, "Next", 9), (5, "Previous", 2), (2, "Previous", 2),
     (7, "Previous", 5), (0, "Previous", 2), (99, "Next", 9)],
)  # fmt: skip
def test_steps_go_to_the_neighbour_among_the_selected_rows(row, step, wanted):
    assert neighbour(np.array([2, 5, 9]), row, step) == wanted


def test_a_link_to_a_row_outside_the_selection_shows_that_row_and_says_so(store):
    folder = make_dataset(store)
    outside = int(np.flatnonzero(open_dataset(folder).z_spec < 0.3)[-1])
    at = opened(z="0.3..", row=outside)
    assert at.number_input(key="row").value == outside
    assert "is outside the current selection" in texts(at)


def test_another_selection_moves_to_its_first_galaxy(store):
    folder = make_dataset(store)
    at = opened()
    at.number_input(key="narrow_z_from").set_value(0.3)
    at.button(key="FormSubmitter:narrow_form-Apply").click().run()
    first = np.flatnonzero(open_dataset(folder).z_spec >= 0.3)[0]
    assert at.number_input(key="row").value == first


def test_a_box_of_predicted_redshift_needs_a_run_and_says_so(store):
    folder = make_dataset(store)
    run = make_run(store, folder)
    add_evaluation(run, folder, n=300)
    at = opened(z_phot="0.1..0.2")
    assert "need a run with predictions" in texts(at)
    at = opened(z_phot="0.1..0.2", z="..0.12", run=run.id)
    assert not at.exception
    z_phot = pd.read_parquet(run.predictions_path(folder.id)).z_phot
    z_spec = open_dataset(folder).z_spec[:300]
    wanted = np.flatnonzero((z_phot >= 0.1) & (z_phot < 0.2) & (z_spec < 0.12))
    table = next(t.value for t in at.dataframe if "brightness" in t.value)
    assert table.row.tolist() == wanted.tolist()


def test_the_selection_outlives_a_change_of_page_and_a_removed_one_does_not(store):
    make_dataset(store)
    at = opened(z="0.1..0.2")
    at.query_params.clear()  # as a click in the menu does
    at.switch_page("pages/data.py").run()
    at.switch_page("pages/explore.py").run()
    assert address(at, "z") == "0.1..0.2"
    at.query_params.clear()  # as the browser's back button does
    at.run()
    assert chips(at) == []
    at.switch_page("pages/data.py").run()
    at.switch_page("pages/explore.py").run()
    assert chips(at) == []


def test_the_table_on_disk_holds_every_selected_galaxy_and_exact_ids(store):
    folder = make_dataset(store)
    view = view_of(folder, None, Selection(z=(0.1, 0.2)))
    frame = galaxies(view)
    assert frame.row.tolist() == selected_rows(view).tolist()
    assert frame.source_id.tolist() == (4_000_000_000_000_000_001 + frame.row).tolist()


def test_train_takes_the_selection_where_the_visitor_says_so(store):
    make_dataset(store)
    at = opened(z="0.1..0.2", flag="all")
    at.query_params.clear()
    at.switch_page("pages/train.py").run()
    assert not at.exception
    (toggle,) = [t for t in at.toggle if t.key == "on_selection"]
    assert toggle.label == "Only the current selection: 0.1 ≤ z \\< 0.2"
    toggle.set_value(True).run()
    assert not at.exception
    n = len(selected_rows(view_of(store.datasets()[0], None, Selection(z=(0.1, 0.2)))))
    assert f"{n} usable galaxies" in texts(at)
    assert "hold for such galaxies only" in texts(at)


def test_train_explains_a_selection_without_a_galaxy_and_does_not_start(store):
    make_dataset(store)
    at = open_page("train", z="0.59999..0.599995", on_selection="true")
    assert not at.exception
    assert "No usable row of made up lies in the selection" in texts(at)
    assert at.button(key="start_training").disabled


def test_train_offers_no_selection_where_there_is_none(store):
    make_dataset(store)
    at = open_page("train")
    assert [t for t in at.toggle if t.key == "on_selection"] == []
    assert PRESETS["dissertation"].split.selection == ""
