"""Records: what stands in a JSON file and what is written back are the same, to the key."""

import json
from pathlib import Path

import pytest

from redshift_core.errors import DamagedError
from redshift_core.evaluation.bins import binned, binned_by_brightness, evaluate
from redshift_core.store.records import Bin, Evaluation, Stress, StressLine, Trial, dicts
from redshift_core.store.study_records import (
    BenchResult,
    BenchRow,
    LimitResult,
    LimitRow,
    QuotedRun,
)
from tests.pages.made_up import bench_row, stress_lines

FILE = Path("runs/a/metrics.json")
SPEC, PHOT = [0.02, 0.03, 0.57, 0.9], [0.05, 0.04, 0.4, 0.5]
STRESS = {
    "run": "a", "dataset": "d", "rows": "test", "n_rows": 100, "n_flagged": 0, "simulated": True,
    "epochs": 2, "seed": 12, "lines": stress_lines(),
}  # fmt: skip

JUDGED = evaluate(SPEC, PHOT).to_dict()
ROW = {
    **bench_row("best", 0.02, 9.0, crps=0.01, epochs=1, val_curve=[[9.0, 0.02]], split={"val": 2}),
    "bins": JUDGED["bins"][:2], "stress": {one["name"]: one for one in stress_lines()},
    "worker_seconds": None,
}  # fmt: skip
BENCH = {
    "tail": {"finished": "now", "datasets": {"flat": "a"}, "flat": {"flat": JUDGED}, "test": {}},
    "outsiders": {"finished": "now", "n": 9, "flagged": {"star": 0.5}, "galaxies": 0.1},
    "bench": "b", "simulated": None, "config": {}, "environment": {"split": {"test": 4}},
    "rows": [ROW], "missing": ["prior"], "failed": {"prior": "no memory"},
}  # fmt: skip
LINE = {"mae": 0.02, "crps": None, "n": 9, "repeat": 0, "check": False, "key": "9-0", "epochs": 1.5}
QUOTED = {"mae": 0.02, "run": "a", "name": "mine", "preset": "best", "n": None, "epochs": None}
CURVE = {
    "limit": 0.02, "b": 0.1, "c": 0.5, "intervals": {"68": [0.01, 0.03]}, "at_edge": False,
    "without": {"9": 0.02}, "ratios": {"a": {"ratio": 1.0, "intervals": {"68": [0.9, 1.1]}}},
}  # fmt: skip
LIMIT = {
    "simulated": True, "limit": "l", "config": {}, "environment": {}, "rows": [LINE],
    "recipes": [QUOTED], "limits": {"mae": CURVE},
}  # fmt: skip


def written(value):
    return json.loads(json.dumps(value))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Evaluation, evaluate(SPEC, PHOT).to_dict()),
        (Evaluation, evaluate([], []).to_dict() | {"rows": "all", "verdict": {"n": 0}, "pdf": {}}),
        (Stress, STRESS),
        (Trial, Trial("0", "queued", {"depth": 3}, repaired=("One layer left out.",)).to_dict()),
        *((Bin, one) for one in dicts(binned(SPEC, PHOT))[::11]),
        *((Bin, one) for one in dicts(binned_by_brightness(SPEC, PHOT, [1, 2, 3, 4], 2))),
    ],
)
def test_what_is_read_is_written_back_with_the_same_keys_in_the_same_order(kind, value):
    found = kind.from_dict(written(value), FILE)
    assert list(found.to_dict().items()) == list(written(value).items())


@pytest.mark.parametrize(
    ("kind", "value"),
    [(BenchResult, BENCH), (LimitResult, LIMIT), (LimitRow, LINE), (QuotedRun, QUOTED)],
)
def test_records_inside_others_are_read_and_written_back(kind, value):
    assert kind.from_dict(written(value), FILE).to_dict() == written(value)


def test_what_stands_in_a_bench_or_a_study_is_read_by_its_name():
    bench, study = BenchResult.from_dict(BENCH, FILE), LimitResult.from_dict(LIMIT, FILE)
    (row,) = bench.rows
    assert (row.mae, row.figures["crps"], row.stress["none"].mae) == (0.02, 0.01, 0.02)
    assert row.bins[0].n == bench.tail.flat["flat"].bins[0].n == 2
    assert (bench.outsiders.flagged, bench.missing) == ({"star": 0.5}, ("prior",))
    assert study.limits["mae"].ratios["a"].ratio == 1.0
    assert (study.rows[0].mae, study.recipes[0].name) == (0.02, "mine")


def test_a_newer_key_is_ignored_and_an_older_files_missing_one_is_none():
    values = {"n": 3, "mae": 0.1, "bins": [{"n": 3, "z_low": 0.0, "z_high": 0.1, "new": [1]}]}
    found = Evaluation.from_dict(values, FILE)
    assert found.figures == {"mae": 0.1}
    assert (found.n_flagged, found.intervals, found.bins[0].sem) == (None, None, None)
    assert found.bins[0].limits == (0.0, 0.1)
    assert found.to_dict().keys() == values.keys()
    assert Evaluation.from_dict({**values, "unheard_of": {"a": 1}}, FILE) == found


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        (Evaluation, {"bins": []}, "it has no n"),
        (Evaluation, {"n": 3}, "it has no bins"),
        (Evaluation, {"n": 3, "bins": [], "mae": "small"}, "mae is 'small'"),
        (Evaluation, {"n": 3, "bins": [7]}, "it has no n"),
        (Evaluation, {"n": 3, "bins": [{"n": 1, "std": "wide"}]}, "std is 'wide'"),
        (Stress, {**STRESS, "lines": []}, "it has no lines"),
        (Stress, {**STRESS, "lines": [{**stress_lines()[2], "ratio": None}]}, "has no ratio"),
        (StressLine, {**stress_lines()[0], "unlike": "no"}, "unlike is 'no'"),
        (Trial, {"trial": "0"}, "it has no state"),
        (BenchRow, {**ROW, "mae": None}, "mae is 'None'"),
        (BenchResult, {**BENCH, "rows": [{"name": "best", "mae": 0.1}]}, "it has no intervals"),
        (BenchResult, {**BENCH, "tail": []}, r"tail is '\[\]'"),
        (BenchResult, {**BENCH, "rows": [{**ROW, "stress": {"none": 7}}]}, "it has no name"),
        (LimitRow, {"n": 9, "mae": 0.1}, "it has no check"),
        (LimitResult, {**LIMIT, "limits": {"mae": {}}}, "it has no limit"),
        (Trial, [], "it has no trial"),
    ],
)
def test_a_foreign_or_damaged_file_is_refused_with_what_is_wrong(kind, value, sentence):
    with pytest.raises(DamagedError, match=sentence):
        kind.from_dict(value, FILE)
