"""Runs beside each other: what was set differently, what came out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from redshift_core.evaluation.density_metrics import FIGURES
from redshift_core.evaluation.metrics import METRICS
from redshift_core.settings.presets import preset
from redshift_core.settings.run import RunConfig
from redshift_core.store.records import Evaluation

OF_DENSITIES = ("crps", "ks", "coverage68")  # figures of p(z) that stand beside the metrics
UNSEEN = ("schema_version",)  # of no interest where settings are compared


def settings_table(config: RunConfig) -> dict[str, str]:
    """Every setting of a run by its dotted name, as text.

    Examples
    --------
    >>> settings_table(RunConfig())["model.conv_kernels"]
    '5, 5, 3, 2'
    """
    values: dict[str, str] = {}
    for name, value in config.to_dict().items():
        inner = value if isinstance(value, dict) else {"": value}
        for leaf, one in inner.items():
            text = ", ".join(map(str, one)) if isinstance(one, list) else str(one)
            values[f"{name}.{leaf}".rstrip(".")] = text
    return {name: text for name, text in values.items() if name not in UNSEEN}


def recipe_text(config: RunConfig) -> str:
    """Preset of a run, and every setting in which it departs from that.

    Examples
    --------
    >>> recipe_text(preset("best").with_values({"weight_decay": 0.1}))
    'best, training.weight_decay 0.1'
    """
    usual = settings_table(preset(config.preset, config.dataset))
    changed = [f"{k} {v}" for k, v in settings_table(config).items() if v != usual[k]]
    return ", ".join([config.preset, *changed])


def differing_settings(configs: Mapping[str, RunConfig]) -> pd.DataFrame:
    """Settings in which runs differ: a line each, a column per run.

    Parameters
    ----------
    configs : mapping
        Name of the run → its settings.

    Returns
    -------
    DataFrame
        ``setting`` (dotted) and one text column per run; no line where all agree.
    """
    tables = {name: settings_table(config) for name, config in configs.items()}
    lines = []
    for setting in next(iter(tables.values()), {}):
        values = {name: table[setting] for name, table in tables.items()}
        if len(set(values.values())) > 1:
            lines.append({"setting": setting, **values})
    return pd.DataFrame(lines, columns=["setting", *tables])


def metrics_table(results: Mapping[str, Evaluation]) -> pd.DataFrame:
    """Every metric of several evaluations, a line per run, as text with the digits that it means.

    Its interval stands beside it where it has one.

    Figures of p(z) stand beside them where any of the runs gives densities.

    Parameters
    ----------
    results : mapping
        Name of the run → how it was judged.
    """
    lines = []
    for name, metrics in results.items():
        line: dict[str, Any] = {"run": name, "galaxies": metrics.n}
        values = metrics.to_dict()
        for metric in METRICS.values():
            line[metric.title] = metric.shown(values)
            if any(metric.interval(one.to_dict()) for one in results.values()):
                line[f"{metric.title}, 68 %"] = metric.interval_text(values)
        if any(one.pdf for one in results.values()):
            pdf = metrics.pdf or {}
            figures = (FIGURES[key] for key in OF_DENSITIES)
            line |= {figure.title: figure.shown(pdf) for figure in figures}
        lines.append(line)
    return pd.DataFrame(lines)


def densities_table(results: Mapping[str, Evaluation]) -> pd.DataFrame:
    """Every figure of merit of p(z), a line per run that gives one; empty where none does.

    Parameters
    ----------
    results : mapping
        Name of the run → how it was judged.
    """
    judged = {name: metrics.pdf for name, metrics in results.items() if metrics.pdf}
    return pd.DataFrame(
        {"run": name, **{figure.title: figure.shown(pdf) for figure in FIGURES.values()}}
        for name, pdf in judged.items()
    )


def caveats(
    configs: Mapping[str, RunConfig], results: Mapping[str, Evaluation], dataset: str
) -> list[str]:
    """What keeps figures of several runs on one dataset from being compared as they stand.

    Parameters
    ----------
    configs, results : mapping
        Name of the run → settings; → its evaluation, of the runs that have one on the dataset.
    dataset : str
        Its id.
    """
    sentences = []
    if unjudged := [name for name in configs if name not in results]:
        sentences.append(f"Not evaluated on this dataset: {', '.join(unjudged)}.")
    own = [name for name in results if configs[name].dataset == dataset]
    others = [name for name in results if name not in own]
    if own and others:
        sentences.append(
            f"Only the test rows count for {', '.join(own)}, trained on this dataset; every usable "
            f"row counts for {', '.join(others)}."
        )
    if any(one.n_flagged for one in results.values()) and (
        earlier := [name for name, one in results.items() if one.n_flagged is None]
    ):
        sentences.append(
            "Evaluated by an earlier version, which counted rows that ingest flagged, too: "
            f"{', '.join(earlier)}. Evaluate them again."
        )
    if len({configs[name].split for name in own}) > 1:
        sentences.append("The runs were split differently, so their test rows are not the same.")
    if leaky := [name for name in own if configs[name].scaler.fit_on == "all"]:
        sentences.append(f"The scaler saw the test rows too: {', '.join(leaky)}.")
    return sentences
