"""Rows that ingest flagged take no part in any figure of merit, and their number is said.

A file with every fault there is must have the figures of the same file without the faulty rows.
"""

import dataclasses

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from redshift_core import data, pdf, prediction
from redshift_core.cli.results import metrics_text
from redshift_core.cli.stress import stress_text
from redshift_core.data.split import Split
from redshift_core.errors import InputError
from redshift_core.evaluation.comparison import caveats
from redshift_core.evaluation.predictions import read_judged
from redshift_core.learning.studies.bench.checks import tail
from redshift_core.learning.studies.bench.measure import baseline_job
from redshift_core.reports.reproduce.source import Source
from redshift_core.reports.run import write_report
from redshift_core.store import Store, read_json, write_json
from redshift_core.store.arrays import load_arrays, save_arrays
from tests.data.tables import survey
from tests.test_prediction import job, make_run

PIXELS = [f"flux_{k}" for k in range(186)]
FAULTS = {  # row of the file → what is wrong with it
    3: {"z": -9.0}, 20: {"z": np.inf}, 21: {"z": -np.inf}, 40: {"z": np.nan}, 41: {"z": 0.61},
    60: {"flux_7": np.nan}, 61: {"flux_0": np.inf}, 62: dict.fromkeys(PIXELS, 0.0),
    90: {"source_id": None},  # filled below: that of an earlier row
}  # fmt: skip
SAME = ("n", "mae", "rmse", "bins", "intervals", "verdict", "n_outside_training_range")


@pytest.fixture(scope="module")
def scene(tmp_path_factory, survey_file):
    """A run with p(z), and 200 galaxies it has not seen: as a faulty file, and without the faults.

    The store, the run, the faulty dataset, the clean one.
    """
    folder = tmp_path_factory.mktemp("flagged")
    store = Store(folder / "home")
    table = pq.read_table(survey_file).to_pandas()
    table[:400].to_parquet(folder / "own.parquet")
    faulty = table[400:].reset_index(drop=True)
    faulty[PIXELS] = faulty[PIXELS].astype(float)
    for row, cells in FAULTS.items():
        cells = {k: faulty.source_id[2] if v is None else v for k, v in cells.items()}
        faulty.loc[row, list(cells)] = list(cells.values())
    clean = faulty.drop(index=list(FAULTS))
    datasets = []
    for name, one in (("faulty", faulty), ("clean", clean)):
        one.to_parquet(folder / f"{name}.parquet")
        datasets.append(data.ingest(folder / f"{name}.parquet", store, name=name))
    own = data.ingest(folder / "own.parquet", store, name="own")
    run = make_run(store, own, head="pdf", loss="cross_entropy")
    z_spec = np.asarray(data.open_dataset(own).z_spec)
    save_arrays(run.prior_path, {"training": pdf.training_prior(z_spec)})
    for dataset in (own, *datasets):
        prediction.evaluate_run(run, dataset)
    return store, run, *datasets


def figures(metrics):
    return {**{name: metrics[name] for name in SAME}, "pdf": metrics["pdf"]}


def test_a_faulty_file_has_the_figures_of_its_good_rows(scene):
    _, run, faulty, clean = scene
    found, wanted = (read_json(run.metrics_path(one.id)) for one in (faulty, clean))
    assert figures(found) == figures(wanted)
    assert found["n_flagged"] == len(FAULTS) == faulty.info["n_flagged"]
    assert wanted["n_flagged"] == 0
    assert found["n"] == sum(line["n"] for line in found["bins"]) == 200 - len(FAULTS)
    assert found["pdf"]["n"] == found["n"]
    for by in ("by_z_phot", "by_brightness"):
        assert sum(line["n"] for line in found["pdf"][by]) == found["n"]
    rows = pd.read_parquet(run.predictions_path(faulty.id)).row
    assert rows.tolist() == [row for row in range(200) if row not in FAULTS]


def test_another_estimate_counts_the_same_rows(scene):
    _, run, faulty, clean = scene
    estimate, priors = pdf.Estimate("mean", "flat"), load_arrays(run.prior_path)
    found, wanted = (
        prediction.judge_again(run, one, estimate, priors).to_dict() for one in (faulty, clean)
    )
    assert figures(found) == figures(wanted)
    assert found["n_flagged"] == len(FAULTS)


def test_a_faulty_file_is_stressed_on_its_good_rows(scene):
    _, run, faulty, clean = scene
    found, wanted = (prediction.stress_run(run, one) for one in (faulty, clean))
    assert found.lines == wanted.lines
    assert (found.n_rows, found.n_flagged) == (200 - len(FAULTS), len(FAULTS))
    assert f"; flagged rows, not counted: {len(FAULTS)}" in stress_text(found)
    assert "flagged rows" not in stress_text(wanted)


def test_the_number_is_printed_and_reported(scene, tmp_path):
    store, run, faulty, _ = scene
    text = metrics_text(run.metrics(faulty.id))
    assert f"Flagged rows, not counted  {len(FAULTS)}" in text
    page = write_report(run, tmp_path / "a.html", store, faulty.id).read_text()
    assert f"Flagged rows, not counted: {len(FAULTS)}." in page


def test_the_rows_a_run_keeps_for_its_test_count_only_without_a_flag(scene):
    store, run, faulty, _ = scene
    own = make_run(store, faulty, head="pdf", loss="cross_entropy", include_flagged=True)
    own.model_path.write_bytes(run.model_path.read_bytes())
    own.coverage_path.write_bytes(run.coverage_path.read_bytes())
    rest, test = np.arange(100, 200), np.arange(100)
    Split(rest[:50], rest[50:], np.random.default_rng(0).permutation(test)).save(own.split_path)
    metrics = prediction.evaluate_run(own, faulty)
    assert (metrics.rows, metrics.n, metrics.n_flagged) == ("test", 91, 9)
    assert metrics.figures["mae"] < 1


def test_a_file_of_nothing_but_flagged_rows_is_refused(scene, tmp_path):
    store, run, _, _ = scene
    survey(tmp_path / "far.csv")
    table = pd.read_csv(tmp_path / "far.csv").assign(z=5.0)
    table.to_csv(tmp_path / "far.csv", index=False)
    far = data.ingest(tmp_path / "far.csv", store)
    with pytest.raises(InputError, match="Ingest flagged each of the 6 rows of dataset"):
        prediction.evaluate_run(run, far)
    assert not run.metrics_path(far.id).exists()


def test_a_baseline_of_the_bench_is_judged_on_rows_without_a_flag(scene):
    store, _, faulty, clean = scene
    found, wanted = (
        baseline_job(job(store, "baseline", dataset=one.id, baseline="prior"))
        for one in (faulty, clean)
    )
    assert found["metrics"] == wanted["metrics"]
    assert found["split"] == wanted["split"]


@pytest.fixture
def earlier(scene):
    """The faulty dataset as an earlier version judged it: flagged rows counted, no number said."""
    _, run, faulty, clean = scene
    paths = run.metrics_path(faulty.id), run.predictions_path(faulty.id), run.pdf_path(faulty.id)
    kept = [path.read_bytes() for path in paths]
    metrics, table, density = read_json(paths[0]), pd.read_parquet(paths[1]), np.load(paths[2])
    metrics.pop("n_flagged")
    write_json(paths[0], metrics | {"n": metrics["n"] + 1})
    line = table.iloc[[0]].assign(row=3, z_spec=-9.0, flags="pile_up|z_out_of_range")
    pd.concat([line, table]).to_parquet(paths[1])
    np.save(paths[2], np.concatenate([density[:1], density]))
    yield run, faulty, clean
    for path, content in zip(paths, kept, strict=True):
        path.write_bytes(content)


def test_what_is_computed_from_an_earlier_evaluation_leaves_flagged_rows_out(earlier):
    run, faulty, clean = earlier
    priors = load_arrays(run.prior_path)
    for prior in ("training", "flat"):
        estimate = pdf.Estimate("median", prior)
        found, wanted = (
            read_judged(run.predictions_path(one.id), run.pdf_path(one.id), estimate, priors)
            for one in (faulty, clean)
        )
        assert found.z_spec.tolist() == wanted.z_spec.tolist()
        assert found.z_phot.tolist() == wanted.z_phot.tolist()
        assert (found.n_flagged, wanted.n_flagged, found.n_without) == (1, 0, 0)
    both = tail(run, {"flat": faulty.id, "test": clean.id})
    assert both.flat == both.test
    pairs = Source(data.open_dataset(faulty), run).predictions
    assert pairs.equals(Source(data.open_dataset(clean), run).predictions)


def test_an_earlier_evaluation_is_printed_and_reported_with_what_is_wrong_with_it(earlier, scene):
    run, faulty, clean = earlier
    store = scene[0]
    old, new = (run.metrics(one.id) for one in (faulty, clean))
    assert "Flagged rows" not in metrics_text(old)
    page = write_report(run, store.root / "old.html", store, faulty.id).read_text()
    assert "its stored figures also count rows that ingest flagged (1)" in page
    configs = {"old": run.config, "new": run.config}
    said = caveats(configs, {"old": old, "new": dataclasses.replace(new, n_flagged=1)}, faulty.id)
    assert any("which counted rows that ingest flagged, too: old." in one for one in said)
    assert not any("too: old" in one for one in caveats(configs, {"old": old, "new": new}, "x"))
