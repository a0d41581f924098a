"""Every command, setting, metric and message of the product as Markdown pages, from the code.

Nothing here is a copy: the commands are those of the command line's own tree, the settings the
fields of their classes, the metrics the functions in the registry, and the messages the sentences
that stand in the source.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import resources
from typing import Any

import typer

from redshift_core import cli, pdf
from redshift_core.constants import shown
from redshift_core.data.archive.request import FetchRequest
from redshift_core.data.spectra import FLAG_TEXT
from redshift_core.evaluation import density_metrics, metrics, training_range
from redshift_core.settings import run
from redshift_core.settings.bench import BenchConfig
from redshift_core.settings.fields import Settings
from redshift_core.settings.limit import LimitConfig
from redshift_core.settings.presets import preset
from redshift_core.settings.search import TuningConfig
from redshift_core.settings.space import Parameter
from scripts.manual.messages import MESSAGES_OF, messages

# Every class of settings that a user meets, in the order in which the page shows them.
SETTINGS: dict[type[Settings], str] = {
    run.RunConfig: "A run: seed and start",
    run.SplitConfig: "A run: split",
    run.ScalerConfig: "A run: scaler",
    run.ModelConfig: "A run: network",
    run.TrainingConfig: "A run: training",
    run.AugmentationConfig: "A run: augmentation",
    TuningConfig: "A search",
    Parameter: "A parameter of a search space",
    BenchConfig: "A bench",
    LimitConfig: "A study of the information limit",
    FetchRequest: "A fetch from an archive",
}
DENSITY = {  # figure of merit of p(z) → the function that computes it, or what it is made of
    "crps": pdf.crps,
    "cde_loss": pdf.cde_loss,
    "log_likelihood": pdf.log_likelihood,
    "ks": pdf.pit,
    "cvm": pdf.pit,
    "coverage68": pdf.interval,
    "coverage95": pdf.interval,
}


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars inside cells are escaped, but not in code, which needs no escape."""
    lines = [headers, ["---"] * len(headers), *rows]
    cells = [[" ".join(BAR.sub(_escaped, cell).split()) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"


BAR = re.compile(r"`[^`]*`|[|]")  # code, or a bar outside it


def _escaped(found: re.Match[str]) -> str:
    return "\\|" if found.group() == "|" else found.group()


# Names of options and settings stay whole; a browser would break them after the hyphens.
WHOLE = "<style>.md-typeset td:first-child code { white-space: nowrap }</style>\n"


# Commands


def commands() -> dict[str, Any]:
    """Every command by its name, as the command line builds it."""
    return typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


def options(command: Any) -> Iterator[Any]:
    """Options and arguments of a command that its help shows."""
    return (one for one in command.params if not getattr(one, "hidden", False))


def names(parameter: Any) -> list[str]:
    """How an option is written, every form of it; an argument by its capitals."""
    if _is_argument(parameter):
        return [parameter.metavar or parameter.name.upper()]
    return [*parameter.opts, *parameter.secondary_opts]


def command_page() -> str:
    """Every command with its help, arguments and options."""
    parts = [
        "# Every command\n\nWritten from the code when this manual was built. "
        "`redshift-lab COMMAND --help` says the same in the terminal. Exit status: 0 finished or "
        "stopped, 1 failed, 2 something that you can fix, said in one sentence.\n",
        WHOLE,
    ]
    for name, command in sorted(commands().items()):
        if not command.hidden:
            parts.append(f"## {name}\n\n{inspect.cleandoc(command.help or '')}\n")
            parts.append(f"```\nredshift-lab {name}{_usage(command)}\n```\n")
            parts.append(table(("", "value", "what it is", "without it"), _parameters(command)))
    return "\n".join(parts)


def _is_argument(parameter: Any) -> bool:
    return not any(name.startswith("-") for name in parameter.opts)


def _usage(command: Any) -> str:
    arguments = [one for one in options(command) if _is_argument(one)]
    words = [names(one)[0] if one.required else f"[{names(one)[0]}]" for one in arguments]
    return "".join(f" {word}" for word in [*words, "[OPTIONS]"])


def _parameters(command: Any) -> Iterator[tuple[str, ...]]:
    hints = typing.get_type_hints(command.callback)
    for one in options(command):
        written = ", ".join(f"`{name}`" for name in names(one))
        yield written, _value(one, hints[one.name]), one.help or "", _default(one)


def _value(parameter: Any, hint: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return ""
    kinds = [kind for kind in typing.get_args(hint) or (hint,) if kind is not types.NoneType]
    word = getattr(kinds[0], "__name__", "")
    kind = {"int": "whole number", "float": "number", "Path": "path"}.get(word, "text")
    return (f"`{parameter.metavar}`" if parameter.metavar else kind) + _limits(parameter)


def _limits(parameter: Any) -> str:
    kind = getattr(parameter, "type", None)
    low, high = (
        getattr(parameter, end, None) if getattr(parameter, end, None) is not None
        else getattr(kind, end, None)
        for end in ("min", "max")
    )  # fmt: skip
    return _between(low, high)


def _between(low: float | None, high: float | None) -> str:
    ends = [
        f"{word} {end:,.12g}"
        for word, end in (("from", low), ("to", high))
        if end is not None and math.isfinite(end)
    ]
    return f" {' '.join(ends)}" if ends else ""


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    said = parameter.show_default
    value = said if isinstance(said, str) else parameter.default
    if getattr(parameter, "is_flag", False):
        return f"`{parameter.opts[0]}`" if value else "no"
    return f"`{value}`" if value not in (None, "", (), []) else ""


# Settings


def setting_page() -> str:
    """Every setting with its help, choices, limits and default."""
    parts = [
        "# Every setting\n\nWritten from the code when this manual was built. The Train, Tune and "
        "Compare pages show the same settings with the same help. On the command line "
        "`--set NAME=VALUE` takes every setting of a run by its name, "
        "`--set training.batch_size=64` by its section and name; a list is written "
        "`--set dense_units=256,128`. The name of the scaler is `scaler`.\n",
        WHOLE,
    ]
    for kind, title in SETTINGS.items():
        about = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
        parts.append(f"## {title}\n\n{about}\n")
        parts.append(table(("setting", "what it is", "values", "default"), _fields(kind)))
        parts += [_choices(item) for item in dataclasses.fields(kind) if _named(item)]
    parts.append(_presets())
    return "\n".join(parts)


def fields(kind: type[Settings]) -> list[dataclasses.Field[Any]]:
    """Settings of a class that have a help, and so are the user's."""
    return [item for item in dataclasses.fields(kind) if "help" in item.metadata]


def _named(item: dataclasses.Field[Any]) -> bool:
    return bool(item.metadata.get("choices"))


def _fields(kind: type[Settings]) -> Iterator[tuple[str, ...]]:
    for item in fields(kind):
        about, allowed = item.metadata, _kind(str(item.type))
        if _named(item):
            allowed = "one of those below" if len(about["choices"]) > 6 else " ".join(
                f"`{name}`" for name in about["choices"]
            )  # fmt: skip
        allowed += _between(about["low"], about["high"])
        yield f"`{item.name}`", about["help"], allowed, _shown(item.default)


def _kind(annotation: str) -> str:
    words = {"int": "whole number", "float": "number", "bool": "true or false", "str": "text"}
    inner = annotation.removeprefix("tuple[").split(",")[0].strip("]")
    word = words.get(inner, inner)
    return f"list, each a {word}" if annotation.startswith("tuple[") else word


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"`{','.join(map(str, value))}`" if value else "none"
    return f"`{value}`" if value != "" else "none"


def _choices(item: dataclasses.Field[Any]) -> str:
    rows = [(f"`{name}`", about) for name, about in item.metadata["choices"].items()]
    return f"Values of `{item.name}`:\n\n" + table(("value", "what it is"), rows)


def _presets() -> str:
    """Every preset: what it changes against the plain settings."""
    plain = _leaves(run.RunConfig()) | {"preset": None}
    parts = ["## Presets\n\nWhat each preset sets otherwise than the defaults above.\n"]
    for name, about in run.choices.PRESETS.items():
        values = _leaves(preset(name)).items()
        rows = [(f"`{key}`", _shown(value)) for key, value in values if value != plain[key]]
        parts.append(f"### {name}\n\n{about}\n")
        parts.append(table(("setting", "value"), rows))
    return "\n".join(parts)


def _leaves(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in dataclasses.fields(settings):  # type: ignore[arg-type]
        value = getattr(settings, item.name)
        if isinstance(value, Settings):
            section = {"scaler": {"name": "scaler"}}.get(item.name, {})
            found |= {section.get(k, k): v for k, v in _leaves(value).items()}
        else:
            found[item.name] = value
    return found


# Metrics


def metric_page() -> str:
    """Every figure of merit: definition, formula and source, how it is written; and the flags."""
    rows = [
        (one.title, f"`{one.key}`", one.definition, _formula(one.function), _form(one.form))
        for one in metrics.METRICS.values()
    ]
    density = [
        (one.title, f"`{'pdf.pit' if one.within else 'pdf'}.{one.key}`", one.definition,
         _formula(DENSITY[one.key]), _form(one.form))
        for one in density_metrics.FIGURES.values()
    ]  # fmt: skip
    headers = ("figure", "key", "definition", "formula and source", "shown as")
    flags = [
        table(("flag", "what it says"), [(f"`{name}`", text) for name, text in texts.items()])
        for texts in (FLAG_TEXT, training_range.FLAGS)
    ]
    return "\n".join((
        "# Every figure of merit, every flag\n\nWritten from the code when this manual was built. "
        "The keys are those of `metrics.json` and of `redshift-lab evaluate RUN --json`. "
        "[Reading every figure](../figures.md) says what to make of them.\n",
        "## Of redshifts\n\ne_z = (z_phot − z_spec) / (1 + z_spec).\n", table(headers, rows),
        "## Of the densities p(z)\n\nRuns with a PDF head only, such as those of the preset "
        "`best`.\n", table(headers, density),
        "## Flags of a row\n\nSet when a file is read. Flagged rows are kept, shown, and left out "
        "of training unless you say otherwise.\n", flags[0],
        "## Flags of a redshift\n\nSet when a redshift is predicted, in the column `flags`.\n",
        flags[1],
    ))  # fmt: skip


def _formula(function: Callable[..., Any]) -> str:
    """First line of a metric's docstring, with its settings and its references."""
    inner = getattr(function, "func", function)
    given = ", ".join(f"{k} = {v}" for k, v in getattr(function, "keywords", {}).items())
    text = inspect.cleandoc(inner.__doc__ or "")
    first, _, rest = text.partition("\n")
    about, _, source = rest.partition("References\n----------\n")
    if function in DENSITY.values():
        first += " " + re.split(r"\n\n[A-Z]\w+\n---", about)[0]
    return " ".join(filter(None, (first, given, source))).replace("``", "`")


def _form(form: str) -> str:
    return f"`{shown(0.0123456, form)}`"


def glossary_page() -> str:
    """Every word of the glossary, by its subject."""
    path = resources.files("redshift_core") / "resources" / "glossary.toml"
    parts = ["# Glossary\n\nThe words of the dashboard, which shows figures beside them.\n"]
    for subject, words in tomllib.loads(path.read_text(encoding="utf-8")).items():
        parts.append(f"## {subject}\n")
        parts += [f"**{one['word']}.** {' '.join(one['text'].split())}\n" for one in words.values()]
    return "\n".join(parts)


# Messages


def message_page() -> str:
    """Every sentence that a command or page refuses something with, by the part that says it."""
    parts = [
        "# Every message\n\nEvery sentence with which a page or a command refuses something, "
        "taken from the code when this manual was built. … stands for what differs: a name, a "
        "number, a line. What to do is in the sentence itself; "
        "[What can go wrong](../messages.md) says more of those that people meet most.\n"
    ]
    found = messages()
    for title, folders in MESSAGES_OF.items():
        mine = sorted({text for where, text in found if where.startswith(folders)})
        parts.append(f"## {title}\n\n" + "\n".join(f"- {text}" for text in mine) + "\n")
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "reference/commands.md": command_page,
    "reference/settings.md": setting_page,
    "reference/metrics.md": metric_page,
    "reference/messages.md": message_page,
    "reference/glossary.md": glossary_page,
}
