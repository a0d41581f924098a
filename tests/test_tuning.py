"""The oracle of a search, with made-up trials: nothing lost, nothing twice; and resuming."""

import json

import numpy as np
import pytest

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.settings.search import ALGORITHMS
from redshift_core.settings.space import DEFAULT_SPACE, Parameter, n_combinations, run_config
from redshift_core.store import JobContext, read_json, write_json
from tests.searches import BASE, SMALL, TINY, opened, search


def score(values) -> float:
    """Made-up score of a choice of values."""
    return 0.01 * len(values) + values.get("dense_units_1", 1) / 1000


def end(oracle, trial, worker="0", message=None):
    """End a trial with its made-up score, or with a failure."""
    values = {n: v for n, v in trial.hyperparameters.values.items() if not n.startswith("tuner/")}
    trial.status, trial.message = ("FAILED", message) if message else ("COMPLETED", None)
    if not message:
        figures = {"val_mae": score(values), "epochs": 1, "seconds": 0.1}
        oracle.update_trial(trial.trial_id, figures)
    if worker == "0":
        oracle.end_trial(trial)
        return True
    return oracle.end_trial_of(worker, trial)


def play(tuning, reopen=False):
    """Do every trial; ``reopen`` as if the process was killed before and after each."""
    oracle = opened(tuning)
    while (trial := oracle.create_trial("0")).status == "RUNNING":
        if reopen and int(trial.trial_id) % 2:
            oracle = opened(tuning)
            again = oracle.create_trial("0")
            assert again.trial_id == trial.trial_id
            assert again.hyperparameters.values == trial.hyperparameters.values
            trial = again
        end(oracle, trial)
        if reopen:
            oracle = opened(tuning)
    return [one.values for one in tuning.trials]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_killed_at_every_trial_is_the_search_that_was_not(store, algorithm):
    values = {"algorithm": algorithm, "trials": 9, "epochs": 3}
    whole, killed = search(store, **values), search(store, **values)
    assert play(killed, reopen=True) == play(whole)
    assert [one.state for one in killed.trials] == ["finished"] * 9
    assert sorted({one.retries for one in killed.trials}) == [0, 1]
    assert opened(killed).create_trial("0").status == "STOPPED"


@pytest.mark.parametrize("algorithm", ["bayesian", "random", "hyperband"])
def test_the_same_seed_gives_the_same_trials_and_another_seed_others(store, algorithm):
    one, two, other = (
        search(store, algorithm=algorithm, trials=8, epochs=3, seed=seed) for seed in (0, 0, 5)
    )
    assert play(one) == play(two)
    assert play(one) != play(other)


def test_neighbouring_seeds_draw_different_trials(store):
    drawn = [play(search(store, algorithm="random", trials=8, epochs=3, seed=s)) for s in (1, 2)]
    one, two = ({json.dumps(values, sort_keys=True) for values in trials} for trials in drawn)
    assert len(one & two) <= 1  # counted up, most would be shared


def test_a_grid_goes_through_every_combination_once(store):
    tuning = search(store, algorithm="grid", trials=100, space=TINY)
    seen = [json.dumps(values, sort_keys=True) for values in play(tuning)]
    assert len(seen) == len(set(seen)) == n_combinations(TINY, BASE) == 8
    assert all(isinstance(one.get("dense_units_1", 1), int) for one in map(json.loads, seen))
    assert opened(tuning).create_trial("0").status == "STOPPED"


def test_a_small_space_ends_before_the_trials_do(store):
    space = (Parameter("loss", "choice", choices=("mae", "mse")),)
    tuning = search(store, algorithm="random", trials=100, space=space)
    assert sorted(one["loss"] for one in play(tuning)) == ["mae", "mse"]


def test_bayesian_trials_after_the_first_half_are_better_than_random_ones(store):
    later = {}
    for algorithm in ("bayesian", "random"):
        played = play(search(store, algorithm=algorithm, trials=16, space=DEFAULT_SPACE))
        later[algorithm] = np.median([score(values) for values in played[8:]])
    assert later["bayesian"] < later["random"]


def test_only_layers_that_exist_have_values(store):
    tuning = search(store, algorithm="random", trials=20)
    for values in play(tuning):
        n_conv, n_dense = values["conv_layers"], values["dense_layers"]
        assert sum(name.startswith("conv_filters") for name in values) == n_conv
        assert sum(name.startswith("conv_kernels") for name in values) == n_conv
        assert sum(name.startswith("dense_units") for name in values) == n_dense
        run, repaired = run_config(BASE, values)
        assert (run.model.architecture == "cnn", repaired) == (n_conv > 0, [])


def test_an_architecture_without_convolutions_draws_none(store):
    space = (Parameter("architecture", "choice", choices=("cnn", "mlp")), *SMALL[1:])
    tuning = search(store, algorithm="random", trials=20, space=space)
    drawn = {(v["architecture"], "conv_filters_1" in v) for v in play(tuning)}
    assert drawn == {("cnn", True), ("mlp", False)}


def test_hyperband_trains_the_best_of_a_round_for_longer(store):
    tuning = search(store, algorithm="hyperband", trials=4, epochs=3)
    oracle, epochs, parents = opened(tuning), [], []
    while (trial := oracle.create_trial("0")).status == "RUNNING":
        epochs.append(trial.hyperparameters.values["tuner/epochs"])
        parents.append(trial.hyperparameters.values.get("tuner/trial_id"))
        end(oracle, trial)
    assert epochs == [1, 1, 1, 3]
    scores = [one.score for one in tuning.trials]
    assert (parents[:3], int(parents[3])) == ([None] * 3, int(np.argmin(scores[:3])))


def test_a_finished_trial_that_kerastuner_still_lists_as_under_way_is_not_repeated(store):
    tuning = search(store, algorithm="random", trials=2)
    oracle = opened(tuning)
    end(oracle, oracle.create_trial("0"))
    state = read_json(tuning.oracle_path / "oracle.json")
    write_json(tuning.oracle_path / "oracle.json", {**state, "ongoing_trials": {"0": "0"}})
    assert opened(tuning).create_trial("0").trial_id == "1"


def test_a_trial_that_only_its_own_file_knows_is_done_again(store):
    tuning = search(store, algorithm="random", trials=2)
    oracle = opened(tuning)
    end(oracle, oracle.create_trial("0"))
    before = read_json(tuning.oracle_path / "oracle.json")
    oracle.create_trial("0")
    write_json(tuning.oracle_path / "oracle.json", before)
    oracle = opened(tuning)
    assert oracle.create_trial("0").trial_id == "1"
    assert oracle.start_order == ["0", "1"]


def test_a_trial_that_takes_its_process_down_twice_is_left_out(store):
    tuning = search(store, algorithm="random", trials=2)
    for _ in range(2):
        assert opened(tuning).create_trial("0").trial_id == "0"
    assert opened(tuning).create_trial("0").trial_id == "1"
    first = tuning.trials[0]
    assert (first.state, first.retries) == ("failed", 1)
    assert "Its process died 2 times" in first.message


def test_a_failed_trial_keeps_its_reason_and_five_in_a_row_end_the_search(store):
    tuning = search(store, algorithm="random", trials=20)
    oracle = opened(tuning)
    for number in range(8):
        end(oracle, oracle.create_trial("0"), message="The loss became NaN." if number != 2 else "")
    assert [one.state for one in tuning.trials] == ["failed"] * 2 + ["finished"] + ["failed"] * 5
    assert tuning.trials[0].message == "The loss became NaN."
    assert oracle.create_trial("0").status == "STOPPED"
    assert oracle.failed
    assert oracle.closed == "5 trials in a row failed. The last failure was: The loss became NaN."
    assert opened(tuning).create_trial("0").status == "RUNNING"  # the user may go on


@pytest.mark.parametrize("text", ["", "{}", '{"ongoing_trials": {"0": "7"}}'])
def test_a_damaged_oracle_is_refused_with_a_sentence(store, text):
    tuning = search(store)
    opened(tuning).create_trial("0")
    (tuning.oracle_path / "oracle.json").write_text(text)
    with pytest.raises(InputError, match=r"cannot continue: .*oracle cannot be read .*new search"):
        opened(tuning)


# Starting and resuming.


def test_what_cannot_be_resumed_says_why(store, dataset):
    tuning = search(store, dataset.id, trials=2, algorithm="random")
    play(tuning)
    JobContext(tuning, store).set_state("finished")
    for trials, sentence in (
        (None, "has finished its 2 trials; say how many"),
        (2, "has begun 2 trials already; ask for more than 2"),
    ):
        with pytest.raises(InputError, match=sentence):
            jobs.resume_tuning(tuning, trials)
    write_json(tuning.config_path, {**tuning.config.to_dict(), "schema_version": 99})
    with pytest.raises(InputError, match="has schema version 99, this program reads up to 1"):
        jobs.resume_tuning(tuning, 5)
    tuning.config_path.write_text("{")
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        jobs.resume_tuning(tuning, 5)


def test_a_search_whose_dataset_is_gone_says_so(store, dataset):
    tuning = search(store, dataset.id)
    JobContext(tuning, store).set_state("stopped")
    dataset.delete()
    with pytest.raises(InputError, match=r"needs the dataset .* not in the store any more"):
        jobs.resume_tuning(tuning)
    assert jobs.status(tuning).state == "stopped"
