"""Every setting of a run as widgets, made from the fields of the settings dataclasses.

Help and limits stand in ``settings.run``, a line per choice in ``settings.names``:
a setting added there appears here by itself, explained below its widget. Settings that cannot
matter under the present choices are left out of sight.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from pages.ui.train.from_run import from_run
from pages.ui.train.from_trial import from_trial
from redshift_core.errors import InputError
from redshift_core.settings import names as choices
from redshift_core.settings.layers import CONVOLVED
from redshift_core.settings.presets import PRESETS, preset
from redshift_core.settings.run import SECTIONS, RunConfig

Values = dict[str, dict[str, Any]]  # section → field → value; "" holds the run's own

UP_FRONT = (
    ("training", "epochs"),
    ("training", "batch_size"),
    ("training", "learning_rate"),
    ("", "seed"),
)
DEVICE = (("training", "precision"), ("training", "device"), ("training", "threads"))
GROUPS: dict[str, tuple[str, ...]] = {
    "Data: split and scaling": ("split", "scaler"),
    "Network": ("model",),
    "Training": ("training",),
    "Augmentation: changed spectra in training": ("augmentation",),
}
LABELS = {
    "l1": "L1 penalty",
    "l2": "L2 penalty",
    "name": "Scaler",
    "fit_on": "Fit scaler on",
    "val_fraction": "Validation fraction",
}
FIXED = ("scaler", "model")  # sections that a run which starts from another takes from it
MIN_STEPS = ("training", "min_steps")  # 0 where the user names a number of epochs
LOSS = ("training", "loss")  # offered are those that judge what the chosen head gives
IRRELEVANT: dict[tuple[str, str], Callable[[Values], bool]] = {
    ("training", "momentum"): lambda v: v["training"]["optimizer"] != "sgd",
    ("training", "weight_decay"): lambda v: v["training"]["optimizer"] != "adamw",
    ("training", "huber_delta"): lambda v: v["training"]["loss"] != "huber",
    ("training", "target_width"): lambda v: v["training"]["loss"] != "cross_entropy",
    ("augmentation", "noise_rows"): lambda v: not v["augmentation"]["white_noise"],
    ("training", "min_delta"): lambda v: not v["training"]["early_stopping"],
    ("model", "pool_size"): lambda v: (
        v["model"]["pooling"] == "none" or v["model"]["architecture"] not in CONVOLVED
    ),
    **{
        ("model", name): lambda v: v["model"]["architecture"] not in CONVOLVED
        for name in (
            "conv_filters",
            "conv_kernels",
            "conv_strides",
            "padding",
            "pooling",
            "conv_activation",
        )
    },
}


def settings_form(dataset: str) -> RunConfig | None:
    """Preset, trial or trained run, and every setting; the configuration, or None.

    Where the settings do not go together, the reason is shown.

    Parameters
    ----------
    dataset : str
        Id of the dataset to train on.
    """
    name, base = _begin(dataset)
    values: Values = {"": {"seed": base.seed}, **{s: {} for s in SECTIONS}}
    for section in SECTIONS:
        values[section] = getattr(base, section).to_dict()
    for column, path in zip(st.columns(len(UP_FRONT)), UP_FRONT, strict=True):
        with column:
            _widget(base, path, values)
    for title, sections in GROUPS.items():
        own = [one for one in sections if not (base.start_from and one in FIXED)]
        if own:
            with st.expander(title):
                _grid(base, [path for s in own for path in _fields(s)], values)
    with st.expander("Device"):
        _grid(base, DEVICE, values)
    try:
        about = {"dataset": dataset, "preset": name, "start_from": base.start_from}
        return RunConfig.from_dict({**about, **values.pop(""), **values})
    except InputError as error:
        st.error(str(error))
        return None


def _begin(dataset: str) -> tuple[str, RunConfig]:
    """What the settings begin with: a trial, a trained run or a preset; its preset, and they."""
    if trial := from_trial():
        name = trial.config.preset
        return name, dataclasses.replace(trial.config, dataset=dataset, preset=trial.id)
    if tuned := from_run(dataset):
        return tuned.preset, dataclasses.replace(tuned, preset=f"from {tuned.start_from}")
    name = st.selectbox("Preset", list(PRESETS), key="preset", bind="query-params")
    st.caption(choices.PRESETS[name])
    return name, preset(name, dataset)


def _fields(section: str) -> list[tuple[str, str]]:
    names = [(section, item.name) for item in dataclasses.fields(SECTIONS[section])]
    return [path for path in names if path not in (*UP_FRONT, *DEVICE)]


def _grid(base: RunConfig, paths: Sequence[tuple[str, str]], values: Values) -> None:
    """Widgets in three columns, row by row so that a narrow screen keeps their order.

    A setting's relevance may hang on one drawn before it, so each is asked just before its turn.
    """
    row: list[Any] = []
    for path in paths:
        if (hidden := IRRELEVANT.get(path)) and hidden(values):
            continue
        if not row:
            row = list(st.columns(3))
        with row.pop(0):
            _widget(base, path, values)


def _widget(base: RunConfig, path: tuple[str, str], values: Values) -> None:
    """One setting; what the user chose goes into ``values``."""
    section, name = path
    kind = SECTIONS[section] if section else RunConfig
    item = next(f for f in dataclasses.fields(kind) if f.name == name)
    hint = typing.get_type_hints(kind)[name]
    default = getattr(getattr(base, section) if section else base, name)
    shared = {
        "label": LABELS.get(name, name.replace("_", " ").capitalize()),
        "key": f"set_{base.preset}_{section}_{name}",
        "persist_state": "session",
    }
    limits = item.metadata
    if path == LOSS:
        head = values["model"]["head"]
        limits = {**limits, "choices": {n: choices.LOSSES[n] for n in choices.LOSSES_OF[head]}}
        if default not in limits["choices"]:
            default, shared["key"] = choices.LOSSES_OF[head][0], f"{shared['key']}_{head}"
    if path == MIN_STEPS and values["training"]["epochs"] != base.training.epochs:
        default, shared["key"] = 0, f"{shared['key']}_own"
    value = values[section][name] = _ask(hint, default, limits, shared)
    st.caption(_line(limits, value))


def _line(metadata: Mapping[str, Any], value: Any) -> str:
    """What the setting is, and what the chosen name means."""
    meaning = metadata["choices"].get(value) if metadata["choices"] else None
    return f"{metadata['help']} **{value}**: {meaning}" if meaning else metadata["help"]


def _ask(hint: Any, default: Any, limits: Any, shared: dict[str, Any]) -> Any:
    names, low, high = list(limits["choices"]), limits["low"], limits["high"]
    if typing.get_origin(hint) is tuple:
        return st.text_input(value=", ".join(map(str, default)), **shared)
    if names:
        return st.selectbox(options=names, index=names.index(default), **shared)
    if hint is bool:
        return st.toggle(value=default, **shared)
    if hint is str:
        return st.text_input(value=default, **shared)
    if hint is int:
        return st.number_input(
            value=default, min_value=_whole(low), max_value=_whole(high), step=1, **shared
        )
    step = 10.0 ** math.floor(math.log10(default)) if default else 0.001
    return st.number_input(
        value=float(default), min_value=low, max_value=high, step=step, format="%.6g", **shared
    )


def _whole(limit: float | None) -> int | None:
    return None if limit is None else int(limit)
