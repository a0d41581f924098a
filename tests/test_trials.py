"""Trials as tables: what was tried, what came of it, what mattered."""

import time

import numpy as np
import pandas as pd
import pytest

from redshift_core.errors import InputError
from redshift_core.evaluation import trials
from redshift_core.evaluation.trials import Trial
from tests.pages.made_up import make_dataset
from tests.pages.made_up_searches import make_entry, make_tuning


def scored(*scores):
    """Trials 0, 1, … with these scores; None failed."""
    return [
        Trial(str(n), "failed" if score is None else "finished", {"a": n}, score)
        for n, score in enumerate(scores)
    ]


def test_a_search_is_read_as_its_worker_wrote_it_also_by_a_newer_one(store):
    entries = [make_entry(0), {**make_entry(1, "running", epochs=0), "unheard_of": 1}]
    tuning = make_tuning(store, make_dataset(store), entries=entries)
    first, second = tuning.trials
    assert (first.trial, first.state, first.score) == ("00", "finished", entries[0]["score"])
    assert first.values == entries[0]["values"]
    assert (second.state, second.score, second.repaired) == ("running", None, ())
    assert trials.run_config(tuning, "00").dataset == tuning.config.dataset
    assert len(trials.history(tuning, "00")) == 3
    assert len(trials.history(tuning, "01")) == 0


def test_before_the_first_trial_everything_is_empty(store):
    assert store.new_tuning("any").trials == []
    assert trials.best([]) is None
    assert len(trials.table([])) == len(trials.best_so_far([])) == 0
    assert trials.importance([]) is None


def test_the_best_is_the_lowest_score_of_those_that_finished():
    found = [*scored(0.03, None, 0.02), Trial("3", "running", score=None, val_mae=0.001)]
    assert trials.best(found).trial == "2"
    assert trials.find(found, "best").trial == "2"
    assert trials.find(found, "1").state == "failed"
    with pytest.raises(InputError, match=r"no trial .9.*are 0, 1, 2, 3"):
        trials.find(found, "9")
    with pytest.raises(InputError, match="none is the best"):
        trials.find(scored(None), "best")


def test_a_trial_without_a_folder_has_no_settings(store):
    tuning = make_tuning(store, make_dataset(store), entries=[make_entry(0)])
    tuning.trial("00").config_path.unlink()
    with pytest.raises(InputError, match="has no stored settings"):
        trials.run_config(tuning, "best")


def test_best_so_far_never_rises_and_failures_leave_it_as_it_is():
    found = trials.best_so_far(scored(None, 0.03, 0.04, None, 0.02))
    assert found.number.tolist() == [1, 2, 3, 4, 5]
    assert found.best.fillna(-1).tolist() == [-1, 0.03, 0.03, 0.03, 0.02]


def test_a_table_holds_no_values_of_layers_that_a_network_lacks():
    values = {"conv_layers": 1, "conv_filters_1": 32, "conv_filters_2": 64, "loss": "mse"}
    more = {"conv_layers": 2, "conv_filters_1": 16, "conv_filters_2": 128, "loss": "mae"}
    frame = trials.table([Trial("0", "finished", values, 0.1), Trial("1", "finished", more, 0.2)])
    assert frame.conv_filters_2.fillna(0).tolist() == [0, 128]
    names = ["conv_layers", "conv_filters_1", "conv_filters_2", "loss"]
    assert (
        list(frame.columns[-4:])
        == names
        == trials.parameters([Trial("1", "finished", more), Trial("0", "finished", values)])
    )


def test_what_was_said_about_a_trial_is_in_its_line():
    failed = Trial("0", "failed", message="No.", repaired=("One layer left out.",), retries=1)
    frame = trials.table([failed, Trial("1", "finished", score=0.1)])
    assert frame.remark.fillna("").tolist() == ["No. One layer left out.", ""]
    assert frame.begun_again.fillna(0).tolist() == [1, 0]


def search_where_one_thing_matters(n, seed=0):
    """Scores follow from the activation; width and seed mean nothing."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(n):
        kind = str(generator.choice(["relu", "tanh", "sigmoid"]))
        score = {"relu": 0.022, "tanh": 0.024, "sigmoid": 0.4}[kind]
        values = {"activation": kind, "width": int(generator.integers(1, 100)), "fixed": 3}
        score += generator.normal(0, 0.0003)
        found.append(Trial(str(number), "finished", values, score))
    return found


def test_importance_finds_what_mattered_and_only_that():
    found = trials.importance(search_where_one_thing_matters(40), seed=1)
    table = found.table.set_index("parameter").importance
    assert found.n_trials == 40
    assert found.explained > 0.5
    assert table.activation > 1.0  # shuffled, the R² falls by twice the variance it explained
    assert abs(table.width) < 0.2
    assert "fixed" not in table


def test_importance_trusts_nothing_where_scores_are_noise():
    generator = np.random.default_rng(5)
    found = [
        Trial(str(n), "finished", {"a": float(generator.random()), "b": n % 3}, generator.random())
        for n in range(40)
    ]
    result = trials.importance(found, seed=1)
    assert result.explained < 0.2
    assert result.table.importance.abs().max() < 0.4


def test_importance_is_the_same_for_the_same_seed_and_quick():
    found = search_where_one_thing_matters(100)
    trials.importance(found, seed=1)  # scikit-learn is loaded
    begun = time.process_time()
    first = trials.importance(found, seed=1)
    assert time.process_time() - begun < 3.0
    pd.testing.assert_frame_equal(first.table, trials.importance(found, seed=1).table)


def test_importance_needs_eight_finished_trials_that_differ():
    found = search_where_one_thing_matters(8)
    assert trials.importance(found[:7]) is None
    assert trials.importance([*found[:7], Trial("x", "failed", found[7].values)]) is None
    assert trials.importance(found).n_trials == 8
    same = [Trial(str(n), "finished", {"a": 1}, 0.1 * n) for n in range(8)]
    assert trials.importance(same) is None
