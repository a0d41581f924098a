"""The Evaluate page: runs with none, one and several evaluations, and starting one."""

import os
import time
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd
import pytest

from pages.ui.evaluate.table import styled
from redshift_core.settings.selection import Selection
from redshift_core.store import read_json, write_json
from tests.pages.made_up import (
    add_evaluation,
    every_slot_taken,
    make_dataset,
    make_run,
    open_page,
    texts,
)


def opened(**query):
    return open_page("evaluate", **query)


@pytest.fixture
def waiting(store):
    """Jobs started here are real but wait for a slot, so nothing is computed."""
    with every_slot_taken(store):
        yield


def test_without_a_run_the_page_leads_to_training(store):
    at = opened()
    assert not at.exception
    assert "no run to judge" in texts(at)
    assert "empty_button" in {button.key for button in at.button}


def test_headlines_are_those_of_the_metrics_file(store):
    folder = make_dataset(store)
    run = make_run(store, folder)
    metrics = add_evaluation(run, folder)
    at = opened(run=run.id)
    assert not at.exception
    shown = {metric.label: metric.value for metric in at.metric}
    assert shown["MAE"] == f"{metrics['mae']:.4f}"
    assert shown["Bias, median e_z"] == f"{metrics['bias_median']:+.4f}"
    assert shown["Bias, mean e_z"] == f"{metrics['bias_mean']:+.4f}"
    assert shown["σ_NMAD"] == f"{metrics['sigma_nmad']:.4f}"
    assert "2,000 test rows" in texts(at)
    assert len(at.get("plotly_chart")) == 5


def test_a_run_without_an_evaluation_offers_one(store, waiting):
    folder = make_dataset(store)
    run = make_run(store, folder)
    at = opened(run=run.id)
    at.button(key="evaluate_own").click().run()
    assert not at.exception
    (job,) = store.jobs()
    assert job.request == {"kind": "evaluate", "run": run.id, "dataset": folder.id}
    assert "evaluate_own" not in {button.key for button in at.button}


def test_a_run_still_training_is_not_evaluated(store):
    folder = make_dataset(store)
    run = make_run(store, folder, "stopped")
    at = opened(run=run.id)
    assert not at.exception
    assert "has no model" in texts(at)
    assert "evaluate_own" not in {button.key for button in at.button}


def test_another_dataset_can_be_chosen_for_an_evaluation(store, waiting):
    own = make_dataset(store, "own")
    other = make_dataset(store, "other", seed=5)
    run = make_run(store, own, evaluated=True)
    at = opened(run=run.id)
    at.selectbox(key="other_dataset").set_value(other.id).run()
    at.button(key="evaluate_other").click().run()
    assert not at.exception
    assert store.jobs()[0].request["dataset"] == other.id


def test_the_evaluations_of_a_run_can_be_told_apart(store):
    own = make_dataset(store, "own")
    other = make_dataset(store, "other", seed=5)
    run = make_run(store, own, evaluated=True)
    add_evaluation(run, other, n=777)
    at = opened(run=run.id)
    assert "2,000 test rows of own" in texts(at)
    at.selectbox(key=f"evaluated_on_{run.id}").set_value(other.id).run()
    assert not at.exception
    assert "777 usable rows of other" in texts(at)


def test_runs_of_one_name_and_minute_can_be_told_apart(store):
    folder = make_dataset(store)
    ids = {make_run(store, folder, name="twin").id for _ in range(2)}
    options = opened().selectbox(key="pick_run").options
    twins = [option for option in options if option.startswith("twin")]
    assert {option.rpartition(" · ")[2] for option in twins} == ids


def test_an_evaluation_on_a_deleted_dataset_is_still_shown(store):
    folder = make_dataset(store)
    run = make_run(store, folder, evaluated=True)
    folder.delete()
    at = opened(run=run.id)
    assert not at.exception
    assert "deleted" in texts(at)


def test_a_failed_evaluation_shows_its_sentence(store):
    folder = make_dataset(store)
    run = make_run(store, folder)
    job = store.new_job("evaluate")
    write_json(job.request_path, {"kind": "evaluate", "run": run.id, "dataset": folder.id})
    status = {
        "state": "failed",
        "kind": "evaluate",
        "message": "No usable row.",
        "user_error": True,
    }
    write_json(job.status_path, status)
    at = opened(run=run.id)
    assert not at.exception
    assert any("No usable row" in error.value for error in at.error)


def test_a_scaler_that_saw_the_test_rows_is_named(store):
    run = make_run(store, make_dataset(store), evaluated=True, fit_on="all")
    assert "not independent" in texts(opened(run=run.id))


def test_the_density_can_be_drawn_coarser_and_in_other_colours(store):
    run = make_run(store, make_dataset(store), evaluated=True)
    at = opened(run=run.id)
    at.select_slider(key="evaluate_cells").set_value(50).run()
    at.selectbox(key="evaluate_colours").set_value("viridis").run()
    assert not at.exception
    assert "0.012 × 0.012" in texts(at)


def chosen(at):
    """What the removable chip says; None where nothing is chosen."""
    return next((button.label for button in at.button if button.key == "chip"), None)


def judged_run(store):
    """Run with an evaluation whose rows are all in its dataset."""
    folder = make_dataset(store)
    run = make_run(store, folder)
    add_evaluation(run, folder, n=400)
    return run, folder


def test_without_a_choice_the_galaxies_section_says_how_to_choose(store):
    run, _ = judged_run(store)
    at = opened(run=run.id)
    assert "Choose a row of the table" in texts(at)
    assert chosen(at) is None


@pytest.mark.parametrize(
    ("query", "chip"),
    [
        ({"bin": "z_spec:0.1,0.15"}, "z_spec 0.1–0.15"),
        ({"bin": "z_phot:0.2,0.25"}, "z_phot 0.2–0.25"),
        ({"bin": "brightness:2.0,3.0"}, "brightness 2–3 e⁻ s⁻¹ per pixel"),
        ({"box": "0.1,0.2,0.1,0.3"}, "z_spec 0.1–0.2 and z_phot 0.1–0.3"),
    ],
)
def test_a_link_opens_the_galaxies_it_names_and_the_chip_lets_them_go(store, query, chip):
    run, _ = judged_run(store)
    at = opened(run=run.id, **query)
    assert not at.exception
    assert chosen(at) == chip
    at.button(key="chip").click().run()
    at.run()
    assert not at.exception
    assert chosen(at) is None
    assert not {"bin", "box", "galaxy"} & set(at.query_params)


def test_one_click_asks_why_a_galaxy_got_its_redshift(store, waiting):
    run, folder = judged_run(store)
    at = opened(run=run.id, box="0,0.6,0,0.6", galaxy=7)
    at.button(key="explain").click().run()
    assert not at.exception
    (job,) = store.jobs()
    assert job.request == {"kind": "explain", "run": run.id, "dataset": folder.id, "row": 7}
    assert "explain" not in {button.key for button in at.button}


def test_what_mattered_to_a_redshift_is_shown_until_the_model_changes(store):
    run, folder = judged_run(store)
    job = store.new_job("explain")
    write_json(job.request_path, {"kind": "explain", "run": run.id, "dataset": folder.id, "row": 7})
    write_json(job.status_path, {"state": "finished", "heartbeat": time.time() + 5})
    result = {
        "run": run.id, "dataset": folder.id, "row": 7, "source_id": 7, "simulated": True,
        "z_spec": 0.1, "z": 0.12, "answer": "z_phot", "like": "mean of 3 training galaxies",
        "flux": [1.0] * 186, "like_flux": [1.1] * 186, "gradient": [0.001] * 186,
        "groups": [[0, 79], [80, 185]], "occlusion": [0.01, -0.02], "narrowing": None,
        "sentences": ["The answer is 0.1200."],
    }  # fmt: skip
    write_json(job.result_path, result)
    where = {"run": run.id, "box": "0,0.6,0,0.6", "galaxy": 7}
    at = opened(**where)
    assert not at.exception
    assert "The answer is 0.1200." in texts(at)
    assert "mean of 3 training galaxies" in texts(at)
    assert "explain" not in {button.key for button in at.button}
    os.utime(run.model_path, (time.time() + 60, time.time() + 60))
    assert "explain" in {button.key for button in opened(**where).button}


def test_a_box_leads_to_the_same_galaxies_in_explore(store):
    run, folder = judged_run(store)
    at = opened(run=run.id, box="0.1,0.2,0.1,0.3")
    links = {one.proto.label: one.proto.url for one in at.get("link_button")}
    query = dict(parse_qsl(urlsplit(links["See them in Explore"]).query))
    assert query.pop("dataset") == folder.id
    assert query.pop("run") == run.id
    galaxies = Selection.from_params(query)
    assert (galaxies.z, galaxies.z_phot, galaxies.flag) == ((0.1, 0.2), (0.1, 0.3), "all")


@pytest.mark.parametrize("query", [{"bin": "z_spec:a"}, {"box": "1,2"}, {"width": "nan"}])
def test_a_link_that_names_no_galaxies_opens_the_page_all_the_same(store, query):
    run, _ = judged_run(store)
    query = {"by": "nonsense", "width": "wide", "cells": "7", "galaxy": "9" * 5000, **query}
    at = opened(run=run.id, **query)
    assert not at.exception
    assert chosen(at) is None
    assert at.number_input(key="evaluate_width").value == 0.05


def test_a_bin_without_galaxies_says_so(store):
    run, _ = judged_run(store)
    at = opened(run=run.id, box="0.55,0.6,0.0,0.01")
    assert not at.exception
    assert "No galaxy lies there" in texts(at)


def test_next_and_previous_walk_through_the_list_and_stay_in_the_address(store):
    run, _ = judged_run(store)
    at = opened(run=run.id, bin="z_spec:0.1,0.15")
    rows = at.dataframe[1].value.row.tolist()
    assert at.button(key="galaxy_previous").disabled
    for place in (1, 2):
        at.button(key="galaxy_next").click().run()
        assert at.query_params["galaxy"] == str(rows[place])
    at.button(key="galaxy_previous").click().run()
    assert at.query_params["galaxy"] == str(rows[1])
    assert f"2 of {len(rows)}" in texts(at)
    again = opened(run=run.id, bin="z_spec:0.1,0.15", galaxy=rows[-1])
    assert again.button(key="galaxy_next").disabled


def test_the_list_is_sorted_as_chosen(store):
    run, _ = judged_run(store)
    at = opened(run=run.id, bin="z_spec:0.1,0.15")
    at.selectbox(key="evaluate_order").set_value("z_spec").run()
    assert at.dataframe[1].value.z_spec.is_monotonic_increasing


def test_a_box_can_be_typed(store):
    run, _ = judged_run(store)
    at = opened(run=run.id)
    names = ("z_spec from", "z_spec to", "z_phot from", "z_phot to")
    for name, value in zip(names, (0.1, 0.2, 0.05, 0.3), strict=True):
        at.number_input(key=f"box_{name}").set_value(value)
    _press(at, "Show these galaxies")
    assert at.query_params["box"] == "0.1,0.2,0.05,0.3"
    assert chosen(at.run()) == "z_spec 0.1–0.2 and z_phot 0.05–0.3"
    at.number_input(key="box_z_spec to").set_value(0.0)
    _press(at, "Show these galaxies")
    assert any("each lower limit before its upper one" in error.value for error in at.error)


def test_the_copied_texts_hold_the_table(store):
    run, _ = judged_run(store)
    at = opened(run=run.id)
    mean = at.dataframe[0].value["mean error"][2]
    csv, markdown, latex = (code.value for code in at.code)
    assert f"{mean}" in csv
    assert f"| {mean:+.4f} |" in markdown
    assert f"${mean:+.4f}$" in latex
    assert latex.startswith(r"\begin{tabular}")


def test_an_evaluation_of_an_earlier_version_is_shown_without_what_it_lacks(store):
    run, folder = judged_run(store)
    metrics = read_json(run.metrics_path(folder.id))
    for name in ("intervals", "bootstrap", "sigma_iqr", "outlier_fraction_lsst"):
        del metrics[name]
    write_json(run.metrics_path(folder.id), metrics)
    path = run.predictions_path(folder.id)
    pd.read_parquet(path).drop(columns="brightness").to_parquet(path)
    for query in (
        {},
        {"by": "brightness"},
        {"bin": "brightness:1.0,2.0"},
        {"bin": "z_spec:0.1,0.2"},
    ):
        at = opened(run=run.id, **query)
        assert not at.exception
        assert "No intervals" in texts(at)
        assert "has no brightness values" in texts(at)
    assert "brightness" not in at.dataframe[1].value


def test_galaxies_without_a_redshift_are_counted(store):
    run, folder = judged_run(store)
    path = run.predictions_path(folder.id)
    table = pd.read_parquet(path)
    table.loc[:2, "z_phot"] = np.nan
    table.to_parquet(path)
    assert "3 more got no redshift" in texts(opened(run=run.id))


def test_the_number_of_flagged_rows_is_said(store):
    run, folder = judged_run(store)
    path = run.metrics_path(folder.id)
    assert "flagged rows" not in texts(opened(run=run.id)).split("Flags")[0]
    write_json(path, {**read_json(path), "n_flagged": 1234})
    assert "; flagged rows, not counted: 1,234" in texts(opened(run=run.id))


def test_flagged_rows_that_an_earlier_version_counted_stay_out_of_what_is_computed_now(store):
    run, folder = judged_run(store)
    path = run.predictions_path(folder.id)
    table = pd.read_parquet(path)
    clean = opened(run=run.id).dataframe[0].value
    assert clean.n.sum() == len(table)
    table.loc[[5, 6, 7], "flags"] = ["z_out_of_range", "pile_up|duplicate_id", "duplicate_id"]
    table.to_parquet(path)
    at = opened(run=run.id)
    assert not at.exception
    assert at.dataframe[0].value.n.sum() == len(table) - 3
    assert "also count rows that ingest flagged (3)" in texts(at)
    assert "got no redshift" not in texts(at)


def test_of_a_deleted_dataset_the_galaxies_are_listed_without_their_spectra(store):
    run, folder = judged_run(store)
    folder.delete()
    at = opened(run=run.id, bin="z_spec:0.1,0.15")
    assert not at.exception
    assert len(at.dataframe[1].value)
    assert "was deleted, so their spectra cannot be shown" in texts(at)


def test_a_new_evaluation_is_shown_at_once(store):
    run, folder = judged_run(store)
    opened(run=run.id)
    metrics = add_evaluation(run, folder, n=300, seed=11)
    at = opened(run=run.id)
    assert at.dataframe[0].value.n.sum() == sum(line["n"] for line in metrics["bins"])


def test_simulated_galaxies_are_not_said_to_beat_real_ones(store):
    run, folder = judged_run(store)
    metrics = read_json(run.metrics_path(folder.id))
    write_json(run.metrics_path(folder.id), {**metrics, "simulated": True})
    assert "says nothing of real galaxies" in texts(opened(run=run.id))


def test_the_better_value_is_marked_by_a_sign_and_a_colour():
    from redshift_core.evaluation.bins import binned
    from redshift_core.evaluation.error_table import error_table

    style = styled(error_table(binned([0.02, 0.03], [0.03, 0.05])))
    html = style.to_html()
    assert "✓ +0.0150" in html  # published: +0.0216
    assert html.count("font-weight: 600") >= 1
    assert "+0.0216" in html
    assert "✓ +0.0216" not in html


def _press(at, label):
    next(button for button in at.button if button.label == label).click().run()
    assert not at.exception
