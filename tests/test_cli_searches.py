"""The command about searches: lists, runs made from trials, names, and refusals."""

import json

import pytest

from redshift_core.store import write_json


def fake_tuning(store, name, scores):
    """Search whose worker has ended, with finished trials and a failed one."""
    from redshift_core.settings.presets import preset
    from redshift_core.settings.search import TuningConfig
    from redshift_core.settings.space import run_config

    tuning = store.new_tuning(name)
    write_json(tuning.config_path, TuningConfig(dataset="d").to_dict())
    write_json(tuning.status_path, {"state": "finished", "kind": "tune"})
    entries = []
    for number, score in enumerate(scores):
        values = {"learning_rate": 10.0 ** -(number + 2)}
        folder = tuning.trial(str(number))
        folder.path.mkdir(parents=True)
        write_json(folder.config_path, run_config(preset("fast", "d"), values)[0].to_dict())
        entries.append({
            "trial": str(number), "state": "failed" if score is None else "finished",
            "values": values, "score": score, "val_mae": score, "epochs": 2, "seconds": 1.5,
            "n_parameters": 10, "message": "The loss became NaN." if score is None else "",
        })  # fmt: skip
    write_json(tuning.trials_path, entries)
    return tuning


def test_searches_and_their_trials_are_listed_the_best_first(here, store):
    tuning = fake_tuning(store, "first", [0.03, None, 0.02])
    code, out, _ = here("trials", "latest")
    lines = out.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines[1:]] == ["2", "0", "1"]
    assert "learning_rate=0.0001" in lines[1]
    assert "The loss became NaN." in lines[3]
    listed = json.loads(here("tunings", "--json")[1])
    assert [(one["id"], one["done"], one["val_mae"]) for one in listed] == [(tuning.id, 2, 0.02)]


def test_a_run_is_made_from_a_trial(store, dataset):
    from redshift_core.cli.tuning import run_of_trial
    from redshift_core.errors import InputError

    tuning = fake_tuning(store, "first", [0.03, None, 0.02])
    for name in ("latest:best", "latest:2", f"{tuning.id}:2"):
        assert run_of_trial(store, name).training.learning_rate == pytest.approx(1e-4)
    for name, sentence in (("latest:7", "no trial '7' .* are 0, 1, 2"), ("x", "not TUNING:")):
        with pytest.raises(InputError, match=sentence):
            run_of_trial(store, name)


def test_a_search_is_renamed_noted_and_deleted_like_a_run(here, store):
    tuning = fake_tuning(store, "first", [0.03])
    assert here("rename", tuning.id, "The good one")[0] == 0
    assert here("note", "The good one", "wide nets win")[0] == 0
    assert (store.tuning(tuning.id).name, store.tuning(tuning.id).note) == (
        "The good one", "wide nets win",
    )  # fmt: skip
    code, _, err = here("stop", "The good one")
    assert (code, "is not running: it is finished" in err) == (2, True)
    assert here("delete", "The good one", "--yes")[0] == 0
    assert store.tunings() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--trials", "0"], "trials = 0 is too small; the lowest value is 1."),
        (["--algorithm", "genetic"], "algorithm = 'genetic' is not known"),
        (["--train-share", "2"], "train_share = 2.0 is too large"),
        (["--set", "batch=2"], "Unknown setting 'batch'"),
        (["--space", "EMPTY"], "from 8 to 4 is empty"),
        (["--space", "ZERO"], "conv_filters = 0 is too small; the lowest value is 1."),
        (["--space", "nowhere.json"], "There is no file"),
        (["--space", "TEXT"], "is not JSON"),
        (["--space", "OBJECT"], "must hold a list of parameters"),
        (["--resume", "x"], "leave DATASET out"),
    ],
)
def test_a_search_that_cannot_be_is_one_sentence_and_exit_2(
    here, store, dataset, tmp_path, arguments, sentence
):
    spaces = {
        "EMPTY": '[{"name": "conv_kernels", "low": 8, "high": 4}]',
        "ZERO": '[{"name": "conv_filters", "low": 0, "high": 4}]',
        "TEXT": "conv_filters: 8",
        "OBJECT": '{"name": "conv_filters"}',
    }
    for name, text in spaces.items():
        (tmp_path / name).write_text(text)
    arguments = [str(tmp_path / word) if word in spaces else word for word in arguments]
    code, out, err = here("tune", dataset.id, *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert store.tunings() == []
