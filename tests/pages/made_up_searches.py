"""Searches in every state, written as the worker leaves them."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
import pandas as pd

from redshift_core.settings.layers import n_parameters
from redshift_core.settings.search import TuningConfig
from redshift_core.settings.space import run_config
from redshift_core.store import DatasetFolder, Store, TuningFolder, write_json


def make_values(generator: np.random.Generator) -> dict[str, Any]:
    """Values of one trial, as KerasTuner leaves them: those of absent layers are not there."""
    n_conv, n_dense = (int(n) for n in generator.integers(1, 4, 2))
    return {
        "conv_layers": n_conv,
        **{f"conv_filters_{i + 1}": 2 ** int(generator.integers(4, 8)) for i in range(n_conv)},
        **{f"conv_kernels_{i + 1}": int(generator.integers(2, 9)) for i in range(n_conv)},
        "conv_activation": str(generator.choice(["relu", "gelu", "sigmoid"])),
        "dense_layers": n_dense,
        **{f"dense_units_{i + 1}": 2 ** int(generator.integers(5, 9)) for i in range(n_dense)},
        "dense_activation": str(generator.choice(["relu", "tanh"])),
        "loss": str(generator.choice(["huber", "mse", "mae"])),
        "optimizer": str(generator.choice(["adam", "sgd"])),
    }


def make_entry(number: int, state: str = "finished", *, seed: int = 3, **more) -> dict[str, Any]:
    """Line of trials.json; a sigmoid network is much worse than the others."""
    values = make_values(np.random.default_rng([seed, number]))
    noise = np.random.default_rng([seed, number, 1]).normal(0, 0.0005)
    score = (0.045 if values["conv_activation"] == "sigmoid" else 0.023) + noise
    scored = score if state == "finished" else None
    return {
        "trial": f"{number:02d}", "state": state, "values": values, "score": scored,
        "val_mae": scored, "epochs": 3, "seconds": 12.5, "n_parameters": 0, "worker": "0",
        "started": time.time() - 60, "message": "", "repaired": [], "retries": 0, **more,
    }  # fmt: skip


def make_tuning(
    store: Store,
    dataset: DatasetFolder,
    state: str = "finished",
    entries: list[dict[str, Any]] | None = None,
    *,
    name: str = "",
    message: str = "",
    pid: int = 0,
    pid_started: float = 0.0,
    **settings,
) -> TuningFolder:
    """Folder of a search with its trials; ``pid`` and ``pid_started`` as in `make_run`."""
    entries = [make_entry(number) for number in range(10)] if entries is None else entries
    tuning = store.new_tuning(name or f"{state} search")
    if name:
        tuning.update_info(name=name)
    config = TuningConfig(dataset=dataset.id, **{"trials": 12, "epochs": 3, **settings})
    base = dataclasses.replace(config.base, dataset=dataset.id)
    write_json(tuning.config_path, dataclasses.replace(config, base=base).to_dict())
    write_json(tuning.request_path, {"kind": "tune"})
    about = {"id": dataset.id, "simulated": bool(dataset.info.get("simulated"))}
    write_json(tuning.environment_path, {"dataset": about})
    ended = [one for one in entries if one["state"] in ("finished", "failed")]
    detail = {"trials": config.trials, "seconds_left": 75.0, "device": "CPU, 2 threads"}
    detail |= {"seconds_total": 300.0}
    status = {
        "state": state, "kind": "tune", "message": message, "done": len(ended),
        "total": config.trials, "submitted": time.time() - 100, "heartbeat": time.time(),
        "pid": pid, "pid_started": pid_started, "user_error": False, "detail": detail,
    }  # fmt: skip
    write_json(tuning.status_path, status)
    tuning.log_path.write_text("Trial 3 of 12\nall is well\n", encoding="utf-8")
    for entry in entries:
        add_trial(tuning, entry, dataclasses.replace(config, base=base))
    if entries:
        write_json(tuning.trials_path, entries)
    return tuning


def add_trial(tuning: TuningFolder, entry: dict[str, Any], config: TuningConfig) -> None:
    """Folder of a trial: its run and the history of its epochs."""
    folder = tuning.trial(entry["trial"])
    folder.path.mkdir(parents=True)
    run, entry["repaired"] = run_config(config.base, entry["values"])
    write_json(folder.config_path, run.to_dict())
    entry["n_parameters"] = n_parameters(run.model, run.scaler.name)
    if entry["epochs"]:
        epoch = np.arange(1, entry["epochs"] + 1)
        mae = 0.022 + 0.02 / epoch
        pd.DataFrame(
            {
                "epoch": epoch, "loss": mae**2, "mae": mae, "val_loss": mae**2, "val_mae": mae,
                "seconds": 1.0, "learning_rate": 0.001,
            }
        ).to_csv(folder.history_path, index=False)  # fmt: skip
