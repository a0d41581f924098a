"""A run beside Gaia's own redshift: the very same galaxies, from the file to every place shown."""

import html

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from redshift_core import data, prediction
from redshift_core.cli.results import metrics_text
from redshift_core.data import preview
from redshift_core.evaluation import incumbent
from redshift_core.evaluation.incumbent import beside
from redshift_core.evaluation.intervals import fitting
from redshift_core.evaluation.metrics import mae
from redshift_core.evaluation.predictions import read_judged
from redshift_core.pdf import Estimate
from redshift_core.reports.run import write_report
from redshift_core.store import read_json
from tests.pages.made_up import open_page, texts
from tests.test_document import own_markup
from tests.test_prediction import make_run

UGC, LOWER, UPPER = "redshift_ugc", "redshift_ugc_lower", "redshift_ugc_upper"
TITLE = "Beside Gaia's own redshift"


def with_ugc(path, source, every=3):
    """The same table with UGC of all galaxies but each third: 0.02 too high, interval ±0.03."""
    table = pq.read_table(source)
    z = table["z"].to_numpy() + 0.02
    unknown = np.arange(len(z)) % every == 0
    for name, values in ((UGC, z), (LOWER, z - 0.03), (UPPER, z + 0.03)):
        table = table.append_column(name, pa.array(values, mask=unknown))
    pq.write_table(table, path)
    return path


@pytest.fixture
def dataset(store, survey_file, tmp_path):
    return data.ingest(with_ugc(tmp_path / "candidates.parquet", survey_file), store)


@pytest.fixture
def run(store, dataset):
    return make_run(store, dataset)


def test_both_are_judged_on_the_galaxies_that_have_both():
    z_spec = np.array([0.1, 0.2, 0.3, 0.4, np.nan, 0.5])
    z_phot = np.array([0.11, 0.22, 0.3, np.nan, 0.4, 0.9])
    columns = {
        UGC: np.array([0.14, 0.2, 0.24, 0.4, 0.4, np.nan]),
        LOWER: np.array([0.11, 0.15, 0.2, 0.3, 0.3, np.nan]),
        UPPER: np.array([0.15, 0.25, np.nan, 0.5, 0.5, np.nan]),
    }
    found = beside(z_spec, z_phot, columns)
    assert (found.n, found.n_judged, found.share) == (3, 4, 0.75)
    assert found.run["mae"] == pytest.approx((0.01 + 0.02 + 0) / 3)
    assert found.incumbent["mae"] == pytest.approx((0.04 + 0 + 0.06) / 3)
    assert found.difference == pytest.approx(0.07 / 3)
    assert (found.incumbent_interval.n, found.incumbent_interval.coverage) == (2, 0.5)
    assert found.incumbent_interval.width == pytest.approx((0.04 + 0.1) / 2)
    assert found.run_interval is None
    own, theirs = incumbent.bins_beside(z_spec, z_phot, columns)
    assert [one.n for one in own] == [one.n for one in theirs]
    assert sum(one.n for one in own) == 3


def test_the_draws_are_paired():
    random = np.random.default_rng(0)
    z = random.uniform(0, 0.6, 500)
    error = random.normal(0, 0.05, 500)
    further = error + np.where(error > 0, 0.01, -0.01)  # each galaxy 0.01 further off
    found = beside(z, z + error, {UGC: z + further})
    assert found.difference == pytest.approx(0.01)
    assert found.interval == pytest.approx([0.01, 0.01])
    mixed = beside(z, z + error, {UGC: z + random.normal(0, 0.05, 500)}, n_draws=500)
    low, high = mixed.interval
    one = np.abs(error).std() / np.sqrt(500)  # uncertainty of either MAE
    assert (high - low) / 2 == pytest.approx(np.sqrt(2) * one, rel=0.2)


def test_the_better_one_is_named_and_only_where_it_can_be_told():
    random = np.random.default_rng(1)
    z = random.uniform(0, 0.6, 400)
    good, bad = (z + random.normal(0, sigma, 400) for sigma in (0.01, 0.04))
    won, lost = beside(z, good, {UGC: bad}), beside(z, bad, {UGC: good})
    gain = mae(z, bad) - mae(z, good)
    form = fitting(".4f", won.interval)
    said = f"the run is better by {gain:{form}} (68 % interval {won.interval[0]:{form}}"
    assert said in won.text()
    form = fitting(".4f", lost.interval)
    said = f"UGC is better by {gain:{form}} (68 % interval {-lost.interval[1]:{form}}"
    assert said in lost.text()
    even = beside(z, z + random.normal(0, 0.04, 400), {UGC: bad})
    assert "too little to call one of them better" in even.text()


def test_nothing_is_made_of_nothing():
    z = np.array([0.1, 0.2])
    assert beside(z, z, {}) is None
    assert beside(z, z + 0.1, {UGC: z}) is None  # the dataset's redshifts are UGC's own
    found = beside(z, z, {UGC: z * np.nan})
    assert (found.n, found.difference, found.run["mae"]) == (0, None, None)
    assert found.text().startswith("UGC is known of 0 of the 2 galaxies")
    assert found.to_dict()["share"] == 0


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_keeps_it_beside_many_columns_and_never_takes_it_for_the_redshift(
    store, survey_file, tmp_path, ending
):
    table = with_ugc(tmp_path / "u.parquet", survey_file)
    frame = pq.read_table(table).slice(0, 6).to_pandas().drop(columns="z")
    more = pd.DataFrame({f"gaia_{name}": 1.5 for name in map(chr, range(65, 105))}, index=range(6))
    frame = pd.concat([more, frame.rename(columns={UGC: UGC.upper()})], axis=1)
    path = tmp_path / f"f.{ending}"
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    assert preview(path).mapping["z"] == "none"
    opened = data.open_dataset(data.ingest(path, store))
    assert np.isnan(opened.z_spec).all()
    (warning,) = [one for one in opened.info["warnings"] if "--columns z=NAME" in one]
    assert "ugc" not in warning.lower()
    found = opened.incumbent
    assert list(found) == [UGC, LOWER, UPPER]
    np.testing.assert_allclose(found[UGC], frame[UGC.upper()].to_numpy(float))
    assert np.isnan(found[UGC]).tolist() == [True, False, False] * 2


def test_a_dataset_without_it_has_none_and_its_evaluation_says_nothing(store, survey_file):
    plain = data.ingest(survey_file, store)
    assert data.open_dataset(plain).incumbent == {}
    run = make_run(store, plain)
    found = prediction.evaluate_run(run, plain).to_dict()
    assert "incumbent" not in found
    assert TITLE not in {one.value for one in open_page("evaluate", run=run.id).subheader}


def test_an_evaluation_stores_it_row_by_row_and_every_place_says_the_same(
    run, dataset, store, tmp_path
):
    metrics = prediction.evaluate_run(run, dataset)
    table = pd.read_parquet(run.predictions_path(dataset.id))
    known = table[UGC].notna()
    assert known.tolist() == (table.row % 3 != 0).tolist()
    np.testing.assert_allclose(table[UGC][known], table.z_spec[known] + 0.02)
    found = metrics.incumbent
    assert read_json(run.metrics_path(dataset.id))["incumbent"] == found
    assert (found["n"], found["n_judged"]) == (int(known.sum()), len(table))
    assert found["run"]["mae"] == pytest.approx(mae(table.z_spec[known], table.z_phot[known]))
    assert found["incumbent"]["mae"] == pytest.approx(0.02)
    assert (found["incumbent_interval"]["coverage"], found["run_interval"]) == (1.0, None)
    said = found["text"]
    assert "UGC is better by" in said  # the network was never trained
    assert said in metrics_text(metrics)
    report = write_report(run, tmp_path / "r.html", store)
    text = html.unescape(own_markup(report.read_text("utf-8")))
    assert TITLE in text
    assert said in text
    at = open_page("evaluate", run=run.id)
    assert not at.exception
    assert TITLE in {one.value for one in at.subheader}
    assert said in texts(at).replace("\\", "")
    judged = read_judged(run.predictions_path(dataset.id))
    np.testing.assert_array_equal(judged.table(np.arange(9))[UGC], table[UGC][:9])


def test_another_estimate_is_compared_anew(store, dataset):
    run = make_run(store, dataset, head="pdf", loss="cross_entropy")
    stored = prediction.evaluate_run(run, dataset)
    assert stored.incumbent["run_interval"]["width"] > 0
    priors = {"training": np.full(240, 1 / 0.6)}
    found = prediction.judge_again(run, dataset, Estimate("mode"), priors)
    assert found.incumbent["run"]["mae"] != stored.incumbent["run"]["mae"]
    assert found.incumbent["run_interval"] is None  # the stored one is that of another estimate
    assert found.incumbent["incumbent"] == stored.incumbent["incumbent"]
