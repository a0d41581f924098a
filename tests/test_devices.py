"""Devices: settings that TensorFlow takes once per process, so each is tried in its own."""

import json
import subprocess
import sys

from redshift_core.devices import cpu_name, n_cores

REPORT = """
import json
from redshift_core.config import TrainingConfig
from redshift_core.devices import open_devices
from redshift_core.errors import InputError
import tensorflow as tf
try:
    opened = open_devices(TrainingConfig(**json.loads({settings!r})))
    intra = tf.config.threading.get_intra_op_parallelism_threads()
    print(json.dumps({{**opened.describe(), "intra": intra,
        "data": opened.data_device(1)}}))
except InputError as error:
    print(json.dumps({{"refused": str(error)}}))
"""


def report(**settings) -> dict:
    code = REPORT.format(settings=json.dumps(settings))
    environment = {"CUDA_VISIBLE_DEVICES": "-1", "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_one_thread_is_set_and_repeats_a_history():
    found = report(threads=1, precision="mixed_bfloat16")
    assert found["kind"] == "cpu"
    assert found["intra"] == found["threads"] == 1
    assert found["deterministic"] is True
    assert found["precision"] == "mixed_bfloat16"
    assert found["names"] == [cpu_name()]
    assert found["text"] == f"{cpu_name()}, 1 thread"
    assert found["data"] == "/CPU:0"


def test_a_gpu_that_is_not_there_is_refused_in_one_sentence():
    refused = report(device="gpu")["refused"]
    assert refused.startswith("device = gpu, but TensorFlow sees no GPU here.")
    assert "auto or cpu" in refused


def test_the_processor_has_a_name():
    assert cpu_name()
    assert n_cores() >= 1
