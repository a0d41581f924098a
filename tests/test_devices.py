"""Devices: settings that TensorFlow takes once per process, so each is tried in its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from redshift_core.jobs.machine import cpu_name

REPORT = """
import json
from redshift_core.settings.run import TrainingConfig
from redshift_core.learning.devices import open_devices
from redshift_core.errors import InputError
import tensorflow as tf
try:
    open_devices(TrainingConfig(device="gpu"))
except InputError as error:
    print(json.dumps(str(error)))
opened = open_devices(TrainingConfig(threads=1, precision="mixed_bfloat16"))
intra = tf.config.threading.get_intra_op_parallelism_threads()
print(json.dumps({**opened.describe(), "intra": intra, "data": opened.data_device(1)}))
"""


@pytest.fixture(scope="module")
def report() -> tuple[str, dict]:
    """What a process without a GPU says to ``device = gpu``, and to one thread."""
    environment = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", REPORT]
    folder = Path(__file__).parents[1]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    refused, found = map(json.loads, done.stdout.splitlines()[-2:])
    return refused, found


def test_a_gpu_that_is_not_there_is_refused_in_one_sentence(report):
    assert report[0].startswith("device = gpu, but TensorFlow sees no GPU here.")
    assert "auto or cpu" in report[0]


def test_one_thread_is_set_and_repeats_a_history(report):
    found = report[1]
    assert found["kind"] == "cpu"
    assert found["intra"] == found["threads"] == 1
    assert found["deterministic"] is True
    assert found["precision"] == "mixed_bfloat16"
    assert found["names"] == [cpu_name()]
    assert found["text"] == f"{cpu_name()}, 1 thread"
    assert found["data"] == "/CPU:0"
