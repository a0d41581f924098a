"""Runs beside each other and beside Table 3: what differs, what came out, what forbids it."""

from dataclasses import replace

from redshift_core.evaluation.bins import evaluate
from redshift_core.evaluation.comparison import (
    caveats,
    differing_settings,
    metrics_table,
    settings_table,
)
from redshift_core.settings.presets import preset
from redshift_core.settings.run import RunConfig
from redshift_core.store.records import Evaluation

FAST = preset("fast", "one")


def test_only_settings_that_differ_are_listed_each_run_in_its_column():
    other = FAST.with_values({"batch_size": 64, "dense_units": "8,4", "scaler": "minmax"})
    table = differing_settings({"a": FAST, "b": other}).set_index("setting")
    assert table.to_dict("index") == {
        "model.dense_units": {"a": "256, 128, 64", "b": "8, 4"},
        "scaler.name": {"a": "whitened", "b": "minmax"},
        "training.batch_size": {"a": "128", "b": "64"},
    }


def test_runs_alike_and_a_run_alone_differ_in_nothing():
    assert differing_settings({"a": FAST, "b": FAST}).empty
    assert differing_settings({"a": FAST}).empty
    assert differing_settings({}).empty


def test_every_setting_is_in_the_table_of_settings():
    def leaves(values):
        return sum(leaves(v) if isinstance(v, dict) else 1 for v in values.values())

    assert len(settings_table(FAST)) == leaves(FAST.to_dict()) - 1  # without schema_version


def test_metrics_stand_with_their_intervals_where_there_are_any():
    plain = evaluate([0.1, 0.2, 0.3], [0.11, 0.21, 0.33])
    judged = replace(plain, intervals={"mae": [0.0101, 0.0204]})
    table = metrics_table({"old": plain, "new": judged})
    assert table["MAE"].tolist() == ["0.0167", "0.017"]  # half of the interval is 0.005
    assert table["MAE, 68 %"].tolist() == ["", "0.010 to 0.020"]
    assert "RMSE, 68 %" not in table
    assert table.galaxies.tolist() == [3, 3]


def test_what_forbids_a_comparison_is_said():
    on_other = preset("fast", "two")
    resplit = FAST.with_values({"random_state": 9})
    leaky = FAST.with_values({"fit_on": "all"})
    configs = {"a": FAST, "b": on_other, "c": resplit, "d": leaky, "e": RunConfig(dataset="one")}
    said = caveats(configs, dict.fromkeys("abcd", Evaluation(n=1, bins=())), "one")
    assert len(said) == 4
    assert said[0].endswith("dataset: e.")
    assert "test rows count for a, c, d" in said[1]
    assert said[1].endswith("counts for b.")
    assert "split differently" in said[2]
    assert said[3].endswith("too: d.")


def test_runs_that_can_be_compared_raise_no_caveat():
    seeds = {name: FAST.with_values({"seed": seed}) for name, seed in (("a", 1), ("b", 2))}
    assert caveats(seeds, dict.fromkeys("ab", Evaluation(n=1, bins=())), "one") == []
