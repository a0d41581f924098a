"""The oracle of a search, with made-up trials: nothing lost, nothing twice; and resuming."""

import json

import numpy as np
import pytest
from filelock import FileLock

from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.settings.search import ALGORITHMS
from redshift_core.settings.space import DEFAULT_SPACE, Parameter, n_combinations, run_config
from redshift_core.store import JobContext, read_json, write_json
from tests.searches import BASE, SMALL, TINY, opened, search, values_of


def score(values) -> float:
    """Made-up score of a choice of values."""
    return 0.01 * len(values) + values.get("dense_units_1", 1) / 1000


def end(search, name, message=""):
    """End a trial with its made-up score, or with a failure."""
    values = {n: v for n, v in values_of(search, name).items() if not n.startswith("tuner/")}
    figures = {"val_mae": score(values), "epochs": 1, "seconds": 0.1}
    search.end(name, {"failed": message} if message else figures)


def play(tuning, reopen=False):
    """Do every trial; ``reopen`` as if the process was killed before and after each."""
    search = opened(tuning)
    while begun := search.begin():
        name = begun[0]
        if reopen and int(name) % 2:
            values = values_of(search, name)
            search = opened(tuning)
            assert search.begin() == begun
            again = values_of(search, name)
            own = ("tuner/initial_epoch", "tuner/bracket", "tuner/round")  # nothing reads them
            assert again == {key: values[key] for key in values if key in again or key not in own}
        end(search, name)
        if reopen:
            search = opened(tuning)
    return [one.values for one in tuning.trials]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_killed_at_every_trial_is_the_search_that_was_not(store, algorithm):
    values = {"algorithm": algorithm, "trials": 9, "epochs": 3}
    whole, killed = search(store, **values), search(store, **values)
    assert play(killed, reopen=True) == play(whole)
    assert [one.state for one in killed.trials] == ["finished"] * 9
    assert sorted({one.retries for one in killed.trials}) == [0, 1]
    assert opened(killed).begin() is None


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
    assert opened(tuning).begin() is None


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
    search_, epochs, parents = opened(tuning), [], []
    while begun := search_.begin():
        epochs.append(begun[1])
        parents.append(values_of(search_, begun[0]).get("tuner/trial_id"))
        end(search_, begun[0])
    assert epochs == [1, 1, 1, 3]
    scores = [one.score for one in tuning.trials]
    assert (parents[:3], int(parents[3])) == ([None] * 3, int(np.argmin(scores[:3])))


@pytest.mark.parametrize("algorithm", ["random", "hyperband", "grid"])
def test_the_trials_do_not_depend_on_how_many_are_under_way(store, algorithm):
    """Unless what is under way counts, as it does for the Bayesian process and Hyperband."""
    values = {"algorithm": algorithm, "trials": 9, "epochs": 27}  # a first round of nine and more
    alone, together = search(store, **values), search(store, **values)
    play(alone)
    fleet, at_work = opened(together), []
    while begun := fleet.begin():
        at_work.append(begun[0])
        if len(at_work) == 3:
            end(fleet, at_work.pop(1))
    assert [one.values for one in together.trials] == [one.values for one in alone.trials]
    again = opened(together)
    assert again.waiting == at_work
    assert {one.retries for one in together.trials} == {0, 1}


def test_hyperband_with_trials_under_way_is_resumed_where_it_was(store):
    values = {"algorithm": "hyperband", "trials": 40, "epochs": 9}
    whole, killed = search(store, **values), search(store, **values)

    def go_on(tuning, reopen):
        fleet, at_work = opened(tuning), []
        for step in range(1, 200):
            while len(at_work) < 3 and (begun := fleet.begin()):
                at_work.append(begun)
            if not at_work:
                return
            if reopen and step % 9 == 0:
                fleet = opened(tuning)
                assert sorted(fleet.begin() for _ in at_work) == sorted(at_work)
            end(fleet, at_work.pop(step % len(at_work))[0])

    go_on(whole, reopen=False)
    go_on(killed, reopen=True)
    assert [one.values for one in killed.trials] == [one.values for one in whole.trials]
    assert len(whole.trials) == 40
    repeated = [json.dumps(one.values, sort_keys=True) for one in whole.trials]
    assert len(set(repeated)) < 35  # the others are second and third rounds
    assert sum(one.retries for one in killed.trials) > 6


def test_a_bayesian_search_with_more_trials_does_not_go_back_to_random_ones(store):
    tuning = search(store, algorithm="bayesian", trials=8)
    play(tuning)
    write_json(tuning.config_path, {**tuning.config.to_dict(), "trials": 40})
    resumed = opened(tuning)
    assert resumed.oracle.has_begun
    before = resumed.oracle._seed_state
    end(resumed, resumed.begin()[0])
    assert resumed.oracle._seed_state == before


def test_a_trial_that_takes_its_process_down_three_times_is_left_out(store):
    tuning = search(store, algorithm="random", trials=2)
    for _ in range(3):
        assert opened(tuning).begin()[0] == "0"
    assert opened(tuning).begin()[0] == "1"
    first = tuning.trials[0]
    assert (first.state, first.retries) == ("failed", 2)
    assert "Its process died 3 times" in first.message


def test_a_failed_trial_keeps_its_reason_and_five_in_a_row_end_the_search(store):
    tuning = search(store, algorithm="random", trials=20)
    search_ = opened(tuning)
    for number in range(8):
        end(search_, search_.begin()[0], "The loss became NaN." if number != 2 else "")
    assert [one.state for one in tuning.trials] == ["failed"] * 2 + ["finished"] + ["failed"] * 5
    assert tuning.trials[0].message == "The loss became NaN."
    assert search_.begin() is None
    assert search_.failed
    assert search_.closed == (
        "5 trials in a row failed. The last failure was: The loss became NaN."
    )
    assert opened(tuning).begin()[0] == "08"  # the user may go on


def test_trials_that_are_not_of_this_search_are_refused_with_a_sentence(store):
    tuning = search(store, algorithm="hyperband", trials=4, epochs=3)
    play(tuning)
    entries = read_json(tuning.trials_path, list)
    write_json(tuning.trials_path, [*entries, {**entries[3], "trial": "4"}])
    with pytest.raises(InputError, match=r"cannot continue: .*trial 4 repeats trial 3.*new search"):
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


def test_a_search_that_a_chief_of_an_earlier_version_led_is_shown_and_resumed_here(store, dataset):
    tuning = search(store, dataset.id, algorithm="random", trials=3)
    first = opened(tuning)
    end(first, first.begin()[0])
    first.begin()
    values = [one.values for one in tuning.trials]
    (tuning.path / "oracle").mkdir()  # nothing reads it any more
    write_json(tuning.request_path, {"kind": "coordinate", "address": "node01:5500"})
    JobContext(tuning, store).set_state("stopped", kind="coordinate")
    assert (jobs.status(tuning).kind, jobs.status(tuning).state) == ("coordinate", "stopped")
    with FileLock(store.locks / "device.lock"):  # it waits for its turn
        jobs.resume_tuning(tuning)
        jobs.stop(tuning)
        assert jobs.wait(tuning, timeout=60).state == "stopped"
    assert tuning.request == {"kind": "tune"}
    again = opened(tuning)
    assert again.begin()[0] == "1"
    assert [one.values for one in tuning.trials] == values
    assert again.begin()[0] == "2"
