"""What is said about a configuration before it starts."""

import pytest

from redshift_core.jobs import machine
from redshift_core.jobs.preflight import remarks
from redshift_core.settings.presets import PRESETS

FAST = PRESETS["fast"].with_values({"min_steps": 0, "epoch_steps": 0})


@pytest.fixture(autouse=True)
def known_machine(monkeypatch):
    """A machine with 8 GB, 4 GB of them free, no GPU, no bfloat16."""
    monkeypatch.setattr(machine, "total_memory", lambda: 8_000_000_000)
    monkeypatch.setattr(machine, "free_memory", lambda: 4_000_000_000)
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    monkeypatch.setattr(machine, "has_bfloat16", lambda: False)


def said(n_rows=1000, **values):
    return [(one.level, one.text) for one in remarks(FAST.with_values(values), n_rows)]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_need_no_remark(preset):
    assert remarks(PRESETS[preset], 520_393) == []


def test_a_run_that_a_small_set_lengthens_is_told_its_epochs_steps_and_patience():
    # 1000 rows: 630 to train on, 10 steps of 63; 150 epochs make the 1,500 steps
    (remark,) = remarks(PRESETS["fast"], 1000)
    assert remark.level == "note"
    assert "10 epochs on 630 galaxies would make only 100 steps" in remark.text
    assert "up to 150 epochs, which are 1,500 steps of 63 spectra" in remark.text
    assert "has not fallen for 30 epochs" in remark.text
    assert said(min_steps=1500, early_stopping=10)[0][1].startswith("The training set is small")


@pytest.mark.parametrize(
    ("values", "level", "sentence"),
    [
        ({"batch_size": 631}, "note", "The batch (631) is larger than the 630 training rows"),
        ({"epochs": 5, "early_stopping": 5}, "note", "5 epochs cannot happen within 5"),
        ({"early_stopping": 5}, "note", "before one_cycle has lowered its rate"),
        ({"dense_activation": "linear"}, "note", "one weighted sum of its inputs"),
        ({"precision": "mixed_float16"}, "note", "on a CPU mixed_float16 gains nothing"),
        ({"precision": "mixed_bfloat16"}, "note", "does not compute bfloat16 itself"),
        ({"device": "gpu"}, "note", "No NVIDIA driver is seen here"),
        ({"fit_on": "all"}, "warning", "not independent"),
        ({"test_fraction": 0}, "warning", "will not be judged"),
        ({"dense_units": "8192,8192,8192,8192"}, "warning", "4.0 GB are free now"),
        ({"dense_units": "8192,8192,8192,8192,8192,8192,8192"}, "error", "the machine has 8.0 GB"),
        ({"n_rows": 0}, "error", "no rows fit for training"),
        ({"n_rows": 2}, "error", "leaves a part empty"),
    ],
)
def test_what_is_odd_is_said_in_one_sentence(values, level, sentence):
    ((found, text),) = said(**values)
    assert found == level
    assert sentence in text


@pytest.mark.parametrize(
    "values",
    [
        {"batch_size": 630},
        {"epochs": 6, "early_stopping": 5, "schedule": "constant"},
        {"architecture": "cnn", "conv_activation": "linear", "dense_activation": "linear"},
        {"dense_units": "8192,8192,8192"},
    ],
)
def test_what_is_just_right_is_left_alone(values):
    assert said(**values) == []


def test_errors_come_first():
    levels = [level for level, _ in said(test_fraction=0, batch_size=65536, fit_on="all")]
    assert levels == ["warning", "warning", "note"]
