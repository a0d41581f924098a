"""The dissertation's figures and tables: all of them, in order, with numbers that follow."""

import re

import numpy as np
import pandas as pd
import pytest

from redshift_core import data, reference
from redshift_core.data import open_dataset
from redshift_core.data.split import split_rows
from redshift_core.reports.document import Chart, Table
from redshift_core.reports.reproduce import (
    DISCREPANCIES,
    ITEMS,
    Source,
    newest_run,
    notes,
    runs_on,
    sections,
    write_reproduction,
)
from redshift_core.reports.reproduce.result_items import PRINTED, summary
from redshift_core.settings.presets import preset
from redshift_core.store import write_json
from tests.pages.made_up import add_evaluation, make_run

PUBLISHED = summary(reference.table_3())


def dissertation_run(store, dataset, **values):
    run = make_run(store, dataset, name="of the dissertation", **values)
    write_json(run.config_path, preset("dissertation", dataset.id).to_dict())
    result = {"run": run.id, "epochs": 5, "val_mae": 0.022, "stopped": False}
    write_json(run.result_path, result)
    return run


def item(name):
    return next(one for one in ITEMS if name in (one.number, one.title))


def frame(name, source):
    return next(p for p in item(name).build(source) if isinstance(p, Table)).frame


@pytest.fixture
def source(store, dataset):
    run = dissertation_run(store, dataset)
    add_evaluation(run, dataset)
    return Source(open_dataset(dataset), run)


def test_every_figure_from_9_to_18_and_every_table_is_there_once():
    numbers = [one.number for one in ITEMS if one.number]
    wanted = [f"Figure {n}" for n in range(9, 19)] + [f"Table {n}" for n in range(1, 4)]
    assert sorted(numbers) == sorted(wanted)
    figures_in_order = [name for name in numbers if name.startswith("Figure")]
    assert figures_in_order == wanted[:10]


def test_with_a_dataset_and_a_run_every_item_is_built_with_captions_and_alternatives(source):
    for one in ITEMS:
        assert not one.missing(source)
        parts = [part for part in one.build(source) if not isinstance(part, str)]
        assert parts, one.heading
        assert all(part.caption and part.alt for part in parts)
        if one.number.startswith("Figure"):
            assert any(isinstance(part, Chart) for part in parts)
        else:
            assert isinstance(parts[0], Table)


def test_a_dataset_alone_shows_its_own_items_and_the_others_say_what_they_need(dataset):
    alone = Source(open_dataset(dataset))
    built = [one.heading for one in ITEMS if not one.missing(alone) and one.build(alone)]
    assert len(built) == 6
    assert all("run" in one.missing(alone) for one in ITEMS if one.heading not in built)
    assert len(sections(alone)) == len(ITEMS) + 2


def test_random_rows_are_rows_of_the_dataset_above_the_three_published(source):
    table = frame("Table 1", source)
    assert table["from"].tolist() == ["this dataset"] * 3 + ["published"] * 3
    assert table.z[3:].tolist() == [0.1735581, 0.2647779, 0.1288678]
    for line in table.head(3).itertuples():
        row = int(np.flatnonzero(source.dataset.z_spec == line.z)[0])
        assert line.flux_185 == pytest.approx(source.dataset.flux[row, 185])
    other = frame("Table 1", Source(source.dataset, source.run, seed=1))
    assert other.z[:3].tolist() != table.z[:3].tolist()


def test_the_published_split_follows_from_the_number_of_rows():
    split = split_rows(np.arange(reference.N_GALAXIES), preset("dissertation").split)
    assert tuple(split.counts.values()) == reference.N_SPLIT


def test_the_split_shown_is_the_runs_own_where_it_kept_one(source):
    own = split_rows(source.rows[:100], preset("dissertation").split)
    own.save(source.run.split_path)
    fresh = Source(source.dataset, source.run)
    assert frame("Figure 12", fresh)["this dataset"].tolist() == list(own.counts.values())
    without = Source(source.dataset)
    assert sum(frame("Figure 12", without)["this dataset"]) == len(source.rows)


def test_the_network_has_the_published_parameters_layer_by_layer(source):
    table = frame("Table 2", source)
    assert table.parameters.tolist() == table.published.tolist()
    assert table.parameters.iloc[-1] == reference.N_PARAMETERS
    assert table[table.layer == "Conv1D"].kernel.tolist() == ["5", "5", "3", "2"]


def test_another_network_stands_without_published_layers_but_with_their_sum(store, dataset):
    other = Source(open_dataset(dataset), make_run(store, dataset))
    table = frame("Table 2", other)
    assert table.published.iloc[:-1].isna().all()
    assert table.published.iloc[-1] == reference.N_PARAMETERS


def test_loss_figures_end_after_20_epochs_and_go_on_to_all(store, dataset):
    long = Source(open_dataset(dataset), dissertation_run(store, dataset, epochs_done=35))
    for name, mine, published in (("Figure 13", 20, 20), ("Figure 14", 35, 40)):
        figure = item(name).build(long)[0].figure
        assert [len(trace.x) for trace in figure.data] == [mine, mine, published, published]
    assert not any("complete from" in p for p in item("Figure 14").build(long) if type(p) is str)


def test_a_short_run_says_that_figure_14_needs_more_epochs(source):
    said = [part for part in item("Figure 14").build(source) if isinstance(part, str)]
    assert "0.02162, is that of epoch 34" in said[0]
    assert said[1].startswith("This run has 5 epochs")


def test_errors_are_drawn_on_the_published_axis(source):
    for part in item("Figure 16").build(source):
        assert tuple(part.figure.layout.yaxis.range) == (-0.59, 0.59)


def test_histograms_have_the_published_number_of_bins(source):
    one = item("Figure 17").build(source)[0].figure
    two = item("Figure 18").build(source)[0].figure
    assert len(one.data[0].x) == 150
    assert two.data[0].z.shape == (200, 200)
    assert sum(one.data[0].y) == len(source.predictions)


def test_what_the_text_sums_up_follows_from_its_table_but_where_a_remark_says_otherwise():
    agree = {name: text for name, text in PRINTED.items() if re.fullmatch(r"[\d.]+", text)}
    agree["mean |bin error|, z < 0.35"] = "0.013"
    wrong = agree.pop("mean bin σ, z < 0.35")
    for name, text in agree.items():
        digits = len(text.partition(".")[2])
        assert round(PUBLISHED[name], digits) == float(text), name
    assert round(PUBLISHED["mean bin σ, z < 0.35"], 3) != float(wrong)


def test_summary_figures_of_a_table_computed_by_hand():
    bins = pd.DataFrame(
        {
            "z_low": np.arange(12) * 0.05,
            "z_high": np.arange(1, 13) * 0.05,
            "mean_error": [0.02, 0.01, *[None] * 10],
            "std": [0.03, 0.04, *[None] * 10],
            "percent": [25.0, 75.0, *[0.0] * 10],
        }
    )
    found = summary(bins)
    assert found["mean |bin error|, z < 0.35"] == pytest.approx(0.015)
    assert found["largest bin σ"] == 0.04
    assert found["mean error, all galaxies"] == pytest.approx(0.0125)
    mean_square = 0.25 * (0.0004 + 0.0009) + 0.75 * (0.0001 + 0.0016)
    assert found["RMSE, all galaxies"] == pytest.approx(mean_square**0.5)
    assert found["slope of the mean prediction"] == pytest.approx((0.085 - 0.045) / 0.05)


def test_every_number_in_the_remarks_follows_from_table_3():
    table, said = reference.table_3(), " ".join(one.text + one.finding for one in DISCREPANCIES)
    assert f"mean {PUBLISHED['mean bin σ, z < 0.35']:.4f}" in said
    assert f"but one: {table['std'].max():.4f} between 0.50 and 0.55" in said
    assert (table["std"] > 0.1).sum() == 1
    assert f"mean error is {PUBLISHED['mean error, all galaxies']:.4f}" in said
    assert ((table.mean_error < 0) == (table.z_low >= 0.15 - 1e-9)).all()
    assert "0.013 is the mean of the seven absolute bin errors" in said
    assert f"{PUBLISHED['RMSE, all galaxies']:.3f}" == "0.031"
    assert f"{PUBLISHED['slope of the mean prediction']:.2f}" == "0.83"


def test_the_private_data_are_known_by_the_three_published_galaxies(store, survey_file, source):
    assert not source.is_private
    assert "not public" in notes(source)[0]
    assert "SIMULATED" in notes(source)[1]
    table = pd.read_parquet(survey_file)
    for place, (z, first, last) in enumerate(reference.RANDOM_ROWS):
        table.loc[place, "z"] = z
        table.loc[place, [f"flux_{p}" for p in (0, 1, 2, 183, 184, 185)]] = (*first, *last)
    path = store.root / "planted.parquet"
    table.to_parquet(path)
    planted = Source(open_dataset(data.ingest(path, store, name="planted")))
    assert planted.is_private
    assert "dissertation's own" in notes(planted)[0]
    assert all(not one.reservation(planted) for one in ITEMS)


def test_the_newest_finished_run_of_the_preset_is_taken_and_stands_first(store, dataset):
    assert newest_run(store, dataset.id) is None
    old = dissertation_run(store, dataset)
    stopped = dissertation_run(store, dataset)
    write_json(stopped.result_path, {"epochs": 2, "stopped": True})
    fast = make_run(store, dataset)
    make_run(store, dataset, "failed").config_path.write_text("{}{")
    assert newest_run(store, dataset.id) == old
    assert [run.id for run in runs_on(store, dataset.id)][-1] == fast.id
    assert runs_on(store, "another") == []


def test_the_file_holds_every_item_and_says_simulated(source, tmp_path):
    text = write_reproduction(source, tmp_path / "out.html").read_text(encoding="utf-8")
    assert all(f"<h2>{one.heading}</h2>" in text for one in ITEMS)
    assert text.count('<div class="chart"') == 11
    assert text.count("Can match only on the private data") == sum(bool(o.private) for o in ITEMS)
    assert "SIMULATED: no telescope" in text
