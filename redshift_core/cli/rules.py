"""Options that do not go together, and the sentence that says so before anything is read or begun.

What cannot be taken is refused: an option that a command would only ignore is a wrong result
later. `RULES` names what excludes what; a rule that depends on a value stands in the command.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperCommand

from redshift_core.errors import InputError

HOW = ("--detach", "--json")  # how a command is followed
NAME_LIMIT = 100  # characters


def checked_name(name: str) -> str:
    """A name that a thing may get, or none, without blanks at its ends or in a row."""
    name = " ".join(name.split())
    if len(name) > NAME_LIMIT or name == "latest":
        raise InputError(
            f"A name has 1 to {NAME_LIMIT} characters and is not `latest`; this one is "
            f"{name[:NAME_LIMIT]!r}."
        )
    return name


def name_option(text: str) -> Any:
    """Option of the name of something new."""
    return typer.Option(help=text, callback=checked_name)


@dataclass(frozen=True)
class Apart:
    """``option`` cannot be given with some others."""

    option: str
    others: tuple[str, ...]
    why: str  # after the option's name

    def refusal(self, given: set[str]) -> str:
        """Sentence where this rule is broken, else nothing."""
        wrong = [one for one in self.others if one in given]
        if self.option not in given or not wrong:
            return ""
        return (
            f"{self.option} {self.why}, so {_all(wrong)} cannot be given with it; leave one of "
            "them out."
        )


@dataclass(frozen=True)
class Alone:
    """``option`` goes with some others only."""

    option: str
    beside: tuple[str, ...]
    why: str  # after "as it"

    def refusal(self, given: set[str]) -> str:
        """Sentence where this rule is broken, else nothing."""
        wrong = sorted(given - {self.option, *self.beside})
        if self.option not in given or not wrong:
            return ""
        return (
            f"{self.option} goes only with {_all(self.beside)}, as it {self.why}; leave "
            f"{_all(wrong)} out."
        )


@dataclass(frozen=True)
class Needs:
    """``option`` says something only where ``other`` is given."""

    option: str
    other: str
    why: str  # a clause

    def refusal(self, given: set[str]) -> str:
        """Sentence where this rule is broken, else nothing."""
        if self.option not in given or self.other in given:
            return ""
        return f"{self.option} goes only with {self.other}: {self.why}."


Rule = Apart | Alone | Needs
SHARE = Needs("--share", "--prior", "it goes some way to another prior")
RULES: dict[str, tuple[Rule, ...]] = {
    "train": (
        Apart(
            "--from",
            ("--preset", "--from-trial"),
            "takes the network and the settings that suit it from a run",
        ),
        Apart("--from-trial", ("--preset",), "takes every setting from a trial of a search"),
    ),
    "tune": (
        Alone(
            "--resume",
            ("--trials", "--scheduler", *HOW),
            "goes on with a search and all its settings",
        ),
        Apart("--scheduler", ("--workers",), "leaves the trials to the workers of a cluster"),
    ),
    "limit": (
        Alone("--resume", ("--against", *HOW), "goes on with a study and all its settings"),
        Apart("--passes", ("--minutes",), "says how much is trained in place of the time"),
    ),
    "bench": (
        Alone("--scale", ("--rows", "--resume", *HOW), "measures what steps cost"),
        Alone("--resume", ("--scale", *HOW), "goes on with a bench and all its settings"),
        Needs("--rows", "--scale", "they are the numbers of galaxies of that measurement"),
        Apart("--dataset", ("--n", "--seed"), "takes a survey, and none is made"),
        Needs("--flat-seed", "--flat-n", "it is the seed of those galaxies"),
    ),
    "evaluate": (SHARE,),
    "predict": (
        SHARE,
        Apart("--scheduler", ("--workers",), "leaves the parts to the workers of a cluster"),
    ),
    "fetch": (
        Needs("CUTS", "--candidates", "they choose among galaxy candidates"),
        Apart("--ids", ("--adql", "--candidates", "--cone"), "names the sources"),
        Apart("--adql", ("--candidates", "--cone"), "chooses the sources"),
        Needs("--matched-only", "--redshifts", "else no source has a redshift"),
        Apart("--count", ("--matched-only",), "asks for no redshift"),
    ),
}


class Command(TyperCommand):
    """A command that refuses options which do not go together."""

    def invoke(self, ctx: Any) -> Any:
        """Check what was given, then do it."""
        check(self.name or "", given(ctx))
        return super().invoke(ctx)


def check(command: str, names: Iterable[str]) -> None:
    """Raise an InputError where options of a command do not go together.

    Parameters
    ----------
    names : iterable of str
        What the user gave: ``--preset``, and an argument by its name in the help, ``DATASET``.
    """
    for rule in RULES.get(command, ()):
        if said := rule.refusal(set(names)):
            raise InputError(said)


def given(ctx: typer.Context) -> set[str]:
    """Names of what the user gave on the command line."""
    sources = {one: ctx.get_parameter_source(one.name or "") for one in ctx.command.params}
    return {
        name_of(one) for one, source in sources.items() if source and source.name == "COMMANDLINE"
    }


def name_of(parameter: Any) -> str:
    """An option as it is given, ``--detach``, or the name of an argument in the help."""
    long = [one for one in parameter.opts if one.startswith("--")]
    return long[0] if long else parameter.metavar or parameter.name.upper()


def _all(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
