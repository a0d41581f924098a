"""Memory and time of a configuration before it runs: by hand, and from made-up finished runs."""

import dataclasses

import pytest

from redshift_core.jobs import cost, machine
from redshift_core.jobs.cost import PastRun, epoch_time, memory, past_runs, plain_seconds
from redshift_core.settings.layers import n_flops
from redshift_core.settings.presets import PRESETS
from redshift_core.settings.run import RunConfig
from redshift_core.store import write_json

N_TRAIN, N_VAL = 1000, 400
FAST, CNN = PRESETS["fast"].with_values({"epoch_steps": 0}), PRESETS["dissertation"]
SPEED = 1e11  # operations per second


@pytest.fixture(autouse=True)
def known_machine(monkeypatch):
    """A machine of two cores called Abacus, without a GPU."""
    monkeypatch.setattr(machine, "cpu_name", lambda: "Abacus")
    monkeypatch.setattr(machine, "n_cores", lambda: 2)
    monkeypatch.setattr(machine, "has_gpu", lambda: False)


def past(config: RunConfig, times: float, device: str = "cpu", name: str = "Abacus") -> PastRun:
    """Run on 500 and 100 rows whose epochs took ``times`` the plain model's seconds."""
    seconds = times * plain_seconds(config, 500, 100, SPEED)
    return PastRun(config, device, name, 500, 100, seconds)


def test_memory_of_a_small_network_by_hand():
    config = FAST.with_values({"dense_units": "10", "batch_size": 100})
    n = 188 * 10 + 10 + 10 + 1  # 186 pixels, brightness, scatter → 10 → 1
    found = memory(config, N_TRAIN, N_VAL)
    assert found.data == 2 * 1400 * 189 * 4
    assert found.weights == 12 * n
    assert found.optimizer == 8 * n
    assert found.activations == 2 * 100 * (188 + 10 + 1) * 4
    assert found.total == cost.TENSORFLOW_BYTES + sum(dataclasses.astuple(found)[1:])


def test_memory_follows_optimizer_precision_and_the_rows_of_a_step():
    base = memory(FAST, N_TRAIN, N_VAL)
    assert memory(FAST.with_values({"optimizer": "sgd"}), N_TRAIN, N_VAL).optimizer == (
        base.optimizer // 2
    )
    halved = memory(FAST.with_values({"precision": "mixed_bfloat16"}), N_TRAIN, N_VAL)
    assert halved.activations == base.activations // 2
    huge = memory(FAST.with_values({"batch_size": 65536}), N_TRAIN, N_VAL)
    assert huge.activations == base.activations // 128 * N_TRAIN  # a batch is at most all rows


def test_the_plain_model_by_hand():
    seconds = plain_seconds(FAST, N_TRAIN, N_VAL, SPEED)
    operations = 3400 * n_flops(FAST.model, "spectrum")
    assert seconds == pytest.approx(operations / (cost.EFFICIENCY * SPEED) + 8 * cost.STEP_SECONDS)


def test_without_a_run_the_plain_model_stands_and_says_so():
    found = epoch_time(FAST, N_TRAIN, N_VAL, [], SPEED)
    assert found == cost.EpochTime(plain_seconds(FAST, N_TRAIN, N_VAL, SPEED), 0, "Abacus")


def test_finished_runs_correct_the_plain_model_by_their_median():
    runs = [past(FAST, times) for times in (1.5, 2.0, 7.0)]
    found = epoch_time(FAST, N_TRAIN, N_VAL, runs, SPEED)
    assert found.n_runs == 3
    assert found.seconds == pytest.approx(2.0 * plain_seconds(FAST, N_TRAIN, N_VAL, SPEED))


def test_only_runs_like_this_one_on_this_device_count():
    other = [
        past(CNN, 3.0),
        past(FAST, 3.0, name="Slide rule"),
        past(FAST.with_values({"precision": "mixed_bfloat16"}), 3.0),
        past(FAST.with_values({"device": "cpu"}), 3.0),
        past(FAST.with_values({"threads": 1}), 3.0),
    ]
    assert epoch_time(FAST, N_TRAIN, N_VAL, other, SPEED).n_runs == 0
    two = FAST.with_values({"threads": 2})
    assert epoch_time(two, N_TRAIN, N_VAL, [past(FAST, 3.0)]).n_runs == 1


def test_the_nearest_runs_in_size_and_batch_count():
    far = [past(FAST.with_values({"batch_size": 8192}), 9.0)] * cost.NEAREST
    found = epoch_time(FAST, N_TRAIN, N_VAL, [*far, *[past(FAST, 2.0)] * cost.NEAREST], SPEED)
    assert found.n_runs == cost.NEAREST
    assert found.seconds == pytest.approx(2.0 * plain_seconds(FAST, N_TRAIN, N_VAL, SPEED))


def test_a_gpu_is_judged_by_its_own_runs_alone(monkeypatch):
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    assert epoch_time(FAST, N_TRAIN, N_VAL, [past(CNN, 1.0, "gpu", "Tesla")], SPEED) is None
    found = epoch_time(FAST, N_TRAIN, N_VAL, [past(FAST, 0.1, "gpu", "Tesla")], SPEED)
    assert (found.device, found.n_runs) == ("Tesla", 1)


def test_finished_runs_are_read_from_their_folders_without_the_first_epoch(store):
    for name, result in (("good", True), ("unfinished", False), ("no environment", True)):
        run = store.new_run(name)
        write_json(run.config_path, FAST.to_dict())
        run.history_path.write_text("epoch,seconds\n1,9.0\n2,1.0\n3,3.0\n")
        if result:
            write_json(run.result_path, {"run": run.id})
        if name != "no environment":
            device = {"kind": "cpu", "names": ["Abacus"]}
            counts = {"train": 500, "val": 100, "test": 0}
            write_json(run.environment_path, {"device": device, "split": counts})
    assert past_runs(store) == [PastRun(FAST, "cpu", "Abacus", 500, 100, 2.0)]


def test_the_machine_tells_its_name_cores_memory_and_speed(monkeypatch):
    monkeypatch.undo()
    assert machine.cpu_name()
    assert machine.n_cores() >= 1
    assert 0 < machine.free_memory() <= machine.total_memory()
    assert machine.matmul_speed() > 1e8


def test_the_matrix_product_is_timed_on_a_machine_too_busy_to_look_in_time(monkeypatch):
    monkeypatch.setattr(machine, "MEASURE_SECONDS", 0.0)
    assert machine.matmul_speed.__wrapped__() > 1e8
