"""Lines of the search space's table: made from parameters, read back into them, explained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd

from redshift_core.errors import InputError
from redshift_core.settings.run import SECTIONS, RunConfig, setting_paths
from redshift_core.settings.space import ADDABLE, DEFAULT_SPACE, Parameter, run_config

N_LAYERS = {  # parameters that are no setting themselves
    "conv_layers": "Number of convolutional layers.",
    "dense_layers": "Number of dense layers.",
}
ONE_CONVOLUTION = {"conv_layers": 1, "conv_filters": 16, "conv_kernels": 2}


def default_lines() -> list[dict[str, Any]]:
    """Lines of the table as they are at first: the usual space ticked, what can be added below."""
    return [
        {
            "search": parameter in DEFAULT_SPACE,
            "parameter": parameter.name,
            "kind": parameter.kind,
            **_range(parameter),
            "values": ", ".join(parameter.choices),
            "about": _about(parameter.name)["help"],
        }
        for parameter in (*DEFAULT_SPACE, *ADDABLE)
    ]


def parameters_of(lines: pd.DataFrame) -> tuple[tuple[Parameter, ...], list[str]]:
    """Parameters of the ticked lines, and a sentence for each line that cannot work."""
    parameters, wrong = [], []
    for line in lines[lines.search].to_dict("records"):
        try:
            parameters.append(_parameter(line))
        except InputError as error:
            wrong.append(str(error))
    return tuple(parameters), wrong


def meanings(lines: pd.DataFrame) -> str:
    """Markdown list of the names that the ticked lines choose from, one line on each."""
    texts = []
    for line in lines[lines.search].to_dict("records"):
        choices = _about(line["parameter"])["choices"]
        names = [name.strip() for name in str(line["values"]).split(",")]
        if items := [f"- `{name}`: {choices[name]}" for name in names if name in choices]:
            texts.append("\n".join([f"**{line['parameter'].replace('_', ' ')}**", "", *items]))
    return "\n\n".join(texts) or "No choice of names is ticked."


def taken_over(lines: pd.DataFrame, base: RunConfig) -> str:
    """Values of the lines that are not ticked."""
    layers = {
        "conv_layers": len(base.model.conv_filters),
        "dense_layers": len(base.model.dense_units),
    }
    values = {**base.model.to_dict(), **base.training.to_dict(), "scaler": base.scaler.name}
    ticked = set(lines[lines.search].parameter)
    convolutions = {name: n for name, n in ONE_CONVOLUTION.items() if name in ticked}
    values["architecture"] = run_config(base, convolutions)[0].model.architecture
    names = lines[~lines.search].parameter
    return (
        ", ".join(f"{name.replace('_', ' ')} {_text({**values, **layers}[name])}" for name in names)
        or "nothing"
    )


def _range(parameter: Parameter) -> dict[str, Any]:
    """Cells of a range; empty where the parameter is none."""
    if parameter.values is not None:
        return {"low": None, "high": None, "step": None, "log": False}
    return {name: getattr(parameter, name) for name in ("low", "high", "step", "log")}


def _parameter(line: dict[str, Any]) -> Parameter:
    """Parameter of a line; an emptied cell is no number, or no text."""
    name, kind = line["parameter"], line["kind"]
    text = line["values"].strip() if isinstance(line["values"], str) else ""
    if kind == "choice":
        return Parameter(name, kind, choices=(text,))
    if kind == "fixed":
        if not text or "," in text:
            raise InputError(
                f"{name} is fixed, but its value is {text!r}; write one value into Choices or "
                "fixed value."
            )
        return Parameter(name, kind, value=text)
    numbers = {key: float("nan") if line[key] is None else line[key] for key in ("low", "high")}
    step = 0.0 if line["step"] is None or line["step"] != line["step"] else line["step"]
    return Parameter(name, kind, step=step, log=bool(line["log"]), **numbers)


def _text(value: Any) -> str:
    return " · ".join(map(str, value)) if isinstance(value, list) else str(value)


def _about(name: str) -> Mapping[str, Any]:
    """Help of a parameter's setting, and what each of the names means that it may take."""
    if name in N_LAYERS:
        return {"help": N_LAYERS[name], "choices": {}}
    section, leaf = setting_paths()[name]
    fields = {item.name: item.metadata for item in dataclasses.fields(SECTIONS[section])}
    return fields[leaf]
