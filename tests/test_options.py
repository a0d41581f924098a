"""Every option of every command is taken or refused, alone and beside every other."""

from __future__ import annotations

import itertools

import pytest
import typer

from redshift_core import cli, data
from redshift_core.cli.rules import RULES, Alone, Apart, Needs, check, name_of

COMMANDS = typer.main.get_command(cli.app).commands
FREE = {  # command → what goes with all else; a new option belongs here, or in RULES
    "simulate": "--n --seed --redshifts --out --json",
    "study-simulation": "--n-per-range --rows --seed --bench --write --json",
    "ingest": "FILE --name --columns --bases --sampling --json",
    "fetch": "--service --redshifts --name --release --bases --sampling --chunk --tries --wait "
    "--timeout --json",
    "datasets": "--json",
    "train": "DATASET --epochs --set --seed --name --detach --json",
    "adapt": "RUN --to --columns --bases --sampling --name --detach --json",
    "stop": "RUN-or-OTHER --json",
    "resume": "RUN --epochs --set --detach --json",
    "runs": "--json",
    "tune": "DATASET --epochs --algorithm --hours --train-share --early-stopping --repeats "
    "--objective --seed --preset --set --space --name --role --chief",
    "trials": "TUNING --json",
    "tunings": "--json",
    "limit": "--preset --set --sizes --n-test --repeats --seed --check-passes --name",
    "bench": "--only --epochs-dissertation --epochs --quick --name",
    "evaluate": "RUN --dataset --point --json",
    "stress": "RUN --dataset --json",
    "predict": "RUN FILE --out --columns --bases --sampling --point --pdf --recalibrate --json",
    "explain": "RUN --row --dataset --out --json",
    "reproduce": "DATASET --run --epochs --out --json",
    "report": "RUN --out --dataset --json",
    "export": "RUN --out --onnx --json",
    "app": "--port --address",
    "rename": "ID NAME --json",
    "note": "ID TEXT --json",
    "delete": "ID --yes --json",
    "import": "FILE --json",
    "jobs": "--clean --json",
}


def parameters(command):
    """Everything that a command takes, by the name it is given by."""
    return {name_of(one): one for one in COMMANDS[command].params}


def words(parameter):
    """An option with a value of its kind, or an argument, as they are typed."""
    if name_of(parameter)[0] != "-":
        return ["x"]
    value = str(max(1, getattr(parameter, "min", None) or 1))
    return [name_of(parameter)] if parameter.is_flag else [name_of(parameter), value]


def refused_pairs(command):
    """Every two options of a command of which it takes only one, or one that lacks another."""
    names, pairs = list(parameters(command)), set()
    for rule in RULES.get(command, ()):
        if isinstance(rule, Apart):
            pairs |= {(rule.option, other) for other in rule.others}
        elif isinstance(rule, Alone):
            apart = set(names) - {rule.option, *rule.beside}
            pairs |= {(rule.option, other) for other in apart}
        else:
            pairs |= {(rule.option, other) for other in set(names) - {rule.option, rule.other}}
    return sorted(pairs)


def test_every_option_of_every_command_stands_in_one_of_the_tables():
    assert set(FREE) == set(COMMANDS)
    for command in COMMANDS:
        ruled = set()
        for rule in RULES.get(command, ()):
            more = {Apart: "others", Alone: "beside", Needs: "other"}[type(rule)]
            found = getattr(rule, more)
            ruled |= {rule.option, *((found,) if isinstance(found, str) else found)}
        assert ruled <= set(parameters(command)), f"{command} has no longer what a rule names"
        assert ruled | set(FREE[command].split()) == set(parameters(command)), command


@pytest.mark.usefixtures("store")
def test_every_pair_that_excludes_each_other_is_refused_in_one_sentence(here, monkeypatch):
    monkeypatch.setattr("redshift_core.jobs.launch.submit", pytest.fail)
    n = 0
    for command in RULES:
        known = parameters(command)
        for pair in refused_pairs(command):
            needed = {name: one for name, one in known.items() if one.required}
            typed = [
                words(one) for one in {**needed, **{name: known[name] for name in pair}}.values()
            ]
            code, out, err = here(command, *itertools.chain(*typed))
            assert (code, out, err.count("\n")) == (2, "", 1), (command, pair, err)
            assert pair[0] in err or pair[1] in err, (command, pair, err)
            n += 1
    assert n > 60


def test_every_other_pair_goes_together():
    for command in COMMANDS:
        names, refused = list(parameters(command)), set(refused_pairs(command))
        for one, other in itertools.combinations(names, 2):
            if not {(one, other), (other, one)} & refused:
                check(command, {one, other})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("train D --set epochs=3 --epochs 4", "--epochs and --set epochs both give epochs"),
        ("train D --set seed=3 --seed 4", "--seed and --set seed both give seed"),
        ("train D --set dropout=0 --set dropout=0.1", "--set gives dropout twice"),
        ("train D --from-trial latest:best --preset nosuch", "--preset cannot be given with it"),
        ("tune D --set epochs=9", "--epochs gives the epochs of each trial"),
        ("tune D --set training.keep=last", "judged at its best epoch"),
        ("tune D --space SPACE --set learning_rate=0.1", "searches learning_rate, and --set fixes"),
        ("tune --resume latest --space SPACE --epochs 3 --algorithm grid --set seed=9",
         "leave --algorithm, --epochs, --set and --space out"),
        ("limit --set seed=3", "from --seed on"),
        ("fetch --candidates --matched-only --redshifts none --name x", "leaves nothing"),
        ("predict latest FILE --workers 2", "No run 'latest' here."),
    ],
)  # fmt: skip
def test_what_would_be_ignored_is_refused(here, store, dataset, tmp_path, arguments, sentence):
    space = tmp_path / "space.json"
    space.write_text(
        '[{"name": "learning_rate", "kind": "float", "low": 1e-4, "high": 1e-2, "log": true}]'
    )
    named = {"D": dataset.id, "SPACE": space, "FILE": space}
    code, out, err = here(*(named.get(word, word) for word in arguments.split()))
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert store.runs() == store.tunings() == store.jobs() == []


def test_a_setting_that_is_fixed_is_not_searched(here, store, dataset, monkeypatch):
    monkeypatch.setattr(
        "redshift_core.jobs.launch._start", lambda _, config, *__, **___: stop(config)
    )

    def stop(config):
        raise KeyError(config)

    with pytest.raises(KeyError) as found:
        cli.main(["tune", dataset.id, "--set", "learning_rate=0.01"])
    config = found.value.args[0]
    assert config.base.training.learning_rate == 0.01
    assert "learning_rate" not in [one.name for one in config.space]


def test_the_same_file_under_another_name_is_the_dataset_under_that_name(here, store, survey_file):
    first = data.ingest(survey_file, store, name="one")
    code, out, err = here("ingest", survey_file, "--name", "two")
    assert code == 0, err
    assert "was in the store already" in out
    assert f"{first.id} was called one; its name is two now." in err
    assert store.dataset("two").id == first.id
