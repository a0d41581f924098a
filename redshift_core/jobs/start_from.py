"""Fine-tuning: the settings of a run that starts from another, and the copy that it starts from.

The copy is made when the run is started, so whatever becomes of the other run, this one can go on.
"""

from __future__ import annotations

import shutil
from dataclasses import fields, replace

from redshift_core.errors import DamagedError, InputError
from redshift_core.settings.presets import fine_tuning
from redshift_core.settings.run import ModelConfig, RunConfig
from redshift_core.store import DatasetFolder, RunFolder, Store, file_digest, write_json


def fine_tuned(source: RunFolder, dataset: DatasetFolder) -> RunConfig:
    """Settings of a run on a dataset that starts from another run.

    Where that has learned on the same galaxies, its split is taken too: another one would put
    galaxies it has seen among the test rows.

    Raises
    ------
    InputError
        Where the other run has no model to start from.
    """
    check_source(source)
    config = replace(fine_tuning(source.config), dataset=dataset.id, start_from=source.id)
    if _same_galaxies(source, dataset):
        scaler = replace(config.scaler, fit_on=source.config.scaler.fit_on)
        config = replace(config, split=source.config.split, scaler=scaler)
    return config


def check_source(source: RunFolder) -> None:
    """Refuse a run from which none can start."""
    if not source.model_path.exists():
        raise InputError(
            f"Run {source.id} has saved no model to start from; let it train to the end of an "
            "epoch, or choose another run."
        )
    if not source.scaler_path.exists():
        raise DamagedError.of(source.scaler_path, "it is missing")


def copy_start(store: Store, run: RunFolder, config: RunConfig, dataset: DatasetFolder) -> None:
    """Give a new run its copy of the scaler and the model that it starts from.

    Raises
    ------
    InputError
        Where the settings ask for another network, or the other run cannot be started from.
    """
    source = store.run(config.start_from)
    check_source(source)
    _check_same_network(source, config)
    if _same_galaxies(source, dataset) and config.split != source.config.split:
        raise InputError(
            f"Run {source.id} has learned on the galaxies of {dataset.id}, so a run that starts "
            "from it must keep its split: with another, galaxies that it has seen would be among "
            "the test rows. Leave the settings of the split as they are."
        )
    start = run.start
    start.path.mkdir()
    shutil.copyfile(source.scaler_path, start.scaler_path)
    shutil.copyfile(source.model_path, start.model_path)
    if source.seen_path.exists():
        shutil.copyfile(source.seen_path, start.seen_path)
    facts = {
        "run": source.id,
        "name": source.name,
        "model_sha256": file_digest(start.model_path),
        "dataset": source.trained_on,
    }
    if before := source.started_from:
        facts["started_from"] = before
    write_json(start.info_path, facts)


def _check_same_network(source: RunFolder, config: RunConfig) -> None:
    """Refuse a network or a scaler that is not the source's, by the names of what differs."""
    theirs = source.config
    changed = [
        item.name
        for item in fields(ModelConfig)
        if getattr(config.model, item.name) != getattr(theirs.model, item.name)
    ]
    changed += ["scaler"] * (config.scaler.name != theirs.scaler.name)
    if changed:
        raise InputError(
            f"A run that starts from {source.id} has its network and its scaler, so "
            f"{', '.join(changed)} cannot be set; leave that out, or train from scratch."
        )


def _same_galaxies(source: RunFolder, dataset: DatasetFolder) -> bool:
    from redshift_core.data import galaxies_of  # brings Arrow, and its threads, into a process

    seen = galaxies_of(source.trained_on)
    return bool(seen) and seen == galaxies_of(dataset.info)
