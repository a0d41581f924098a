"""Devices of a computation: CPU threads or GPUs, their precision, and how they share a batch.

TensorFlow accepts these settings only before its first operation, so a process opens its devices
once (``open_devices``). GPUs allocate memory as it is needed. Several devices use a
``MirroredStrategy``, which can be tested without a GPU by dividing the CPU into virtual devices.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"  # overrides the user's keras.json

import keras
import tensorflow as tf

from redshift_core.errors import InputError
from redshift_core.jobs.machine import cpu_name, n_cores
from redshift_core.settings.run import TrainingConfig

ON_DEVICE_BYTES = 4 * 2**30  # training data up to this size is kept in a GPU's own memory


@dataclass(frozen=True)
class Devices:
    """Opened devices of this process."""

    kind: str  # cpu | gpu
    names: tuple[str, ...]  # product name of each device
    n_replicas: int  # devices that share each batch
    threads: int  # CPU threads
    precision: str  # policy of the layers
    deterministic: bool  # whether the same seed gives the same history
    strategy: tf.distribute.Strategy

    @property
    def text(self) -> str:
        """One line for the user."""
        if self.kind == "gpu":
            return " + ".join(self.names)
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        shared = f", {self.n_replicas} virtual devices" if self.n_replicas > 1 else ""
        return f"{self.names[0]}, {threads}{shared}"

    def describe(self) -> dict[str, Any]:
        """Facts for ``environment.json``."""
        return {
            "kind": self.kind,
            "names": list(self.names),
            "replicas": self.n_replicas,
            "threads": self.threads,
            "cores": n_cores(),
            "precision": self.precision,
            "deterministic": self.deterministic,
            "text": self.text,
        }

    def data_device(self, n_bytes: int) -> str:
        """Device that holds training data of this size: the only GPU, or the host."""
        alone = self.kind == "gpu" and self.n_replicas == 1
        return "/GPU:0" if alone and n_bytes <= ON_DEVICE_BYTES else "/CPU:0"


def open_devices(config: TrainingConfig, virtual_cpus: int = 1) -> Devices:
    """Configure TensorFlow for a run; must be called before anything is computed.

    Parameters
    ----------
    virtual_cpus : int
        Divide the CPU into this many devices and mirror the model over them, as with several GPUs.

    Raises
    ------
    InputError
        If a GPU is asked for and there is none.
    """
    gpus = _choose_gpus(config.device)
    threads = config.threads or n_cores()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1 if threads == 1 else min(threads, 4))
    if config.threads == 1:
        tf.config.experimental.enable_op_determinism()
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if virtual_cpus > 1 and not gpus:
        parts = [tf.config.LogicalDeviceConfiguration()] * virtual_cpus
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
    keras.config.set_dtype_policy(config.precision)
    devices = tf.config.list_logical_devices("GPU" if gpus else "CPU")
    return Devices(
        kind="gpu" if gpus else "cpu",
        names=tuple(_gpu_name(gpu) for gpu in gpus) or (cpu_name(),),
        n_replicas=len(devices),
        threads=threads,
        precision=config.precision,
        deterministic=config.threads == 1,
        strategy=choose_strategy([device.name for device in devices]),
    )


def choose_strategy(names: list[str]) -> tf.distribute.Strategy:
    """Default strategy for one device; several devices mirror the model and share each batch."""
    if len(names) > 1:
        return tf.distribute.MirroredStrategy(names)
    return tf.distribute.get_strategy()


def _choose_gpus(wish: str) -> list[tf.config.PhysicalDevice]:
    gpus = tf.config.list_physical_devices("GPU")
    if wish == "gpu" and not gpus:
        raise InputError(
            "device = gpu, but TensorFlow sees no GPU here. Choose device = auto or cpu, or "
            "install the GPU libraries (pip install 'redshift-lab[gpu]') and check the driver."
        )
    if wish == "cpu":
        tf.config.set_visible_devices([], "GPU")
        return []
    return gpus


def _gpu_name(gpu: tf.config.PhysicalDevice) -> str:
    details = tf.config.experimental.get_device_details(gpu)
    return details.get("device_name") or gpu.name
