"""The ``redshift-lab`` command: the same stages and the same jobs as the dashboard, no browser.

Tables for people on stdout, or with ``--json`` exactly one JSON object (a list from commands that
list) and nothing else; progress and errors on stderr. Exit code 0 finished or stopped,
1 failed, 2 what the user can fix, told in one sentence on stderr. Work is done by worker
processes: this one never imports TensorFlow, so ``--help`` is quick.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from redshift_core import __version__
from redshift_core.cli import (
    bench,
    datasets,
    fetch,
    limit,
    manage,
    reports,
    results,
    short_jobs,
    stress,
    training,
    tuning,
)
from redshift_core.cli.follow import JobFailed
from redshift_core.cli.output import prepare_streams, reader_left, say
from redshift_core.cli.rules import Command
from redshift_core.errors import InputError
from redshift_core.jobs import lost
from redshift_core.store import faults, store_root

# What a wrong option raises. Typer names it only through its public subclass, and its versions
# take it from different packages.
_UsageError: type[Exception] = typer.BadParameter.__mro__[2]
GARBAGE = 200_000  # objects made before a search for garbage, as in a worker
_FIXABLE = (errno.ENOTDIR, errno.EMFILE)

app = typer.Typer(
    name="redshift-lab",
    help="Redshifts of galaxies from Gaia's BP/RP spectra: from a table of spectra to a trained, "
    "judged and applied network.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _function in (
    datasets.simulate,
    datasets.study_simulation,
    datasets.ingest,
    fetch.fetch,
    datasets.datasets,
    training.train,
    training.adapt,
    training.stop,
    training.resume,
    training.runs,
    tuning.tune,
    tuning.trials,
    tuning.tunings,
    limit.limit,
    bench.bench,
    results.evaluate,
    stress.stress,
    results.predict,
    results.explain,
    reports.reproduce,
    reports.report,
    reports.export,
    manage.app,
    manage.rename,
    manage.note,
    manage.delete,
):
    app.command(cls=Command)(_function)
app.command("import", cls=Command)(reports.import_run)
app.command("jobs", cls=Command)(short_jobs.list_jobs)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"redshift-lab {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code. 0: done, 1: failed, 2: the user can fix it."""
    gc.set_threshold(GARBAGE)
    prepare_streams()
    try:
        with _leaving_nothing_behind():
            code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # of `| head -1`: who reads has enough
        reader_left()
        code = 1
    sys.exit(code)


@contextlib.contextmanager
def _leaving_nothing_behind() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the command as an error would: what it was writing is removed."""
    ends = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
    before = {one: signal.getsignal(one) for one in ends if one}
    for one, handler in before.items():
        if handler == signal.SIG_DFL:  # under nohup SIGHUP is ignored, and stays so
            signal.signal(one, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _run(arguments: Sequence[str] | None) -> int:
    """Do a command; its exit code."""
    try:
        code = app(args=arguments, prog_name="redshift-lab", standalone_mode=False)
    except InputError as error:
        say(str(error))
        code = 2
    except JobFailed as error:
        say(str(error))
        code = error.code
    except _UsageError as error:
        say(_usage(error))
        code = 2
    except typer.Abort:
        say("Aborted.")
        code = 1
    except OSError as error:
        said = faults.sentence(error, store_root()) or lost.command_starved(error)
        if not said and error.errno not in _FIXABLE:
            raise
        say(said or f"{error.filename or 'The store'}: {error.strerror}.")
        code = 2
    except (MemoryError, ImportError) as error:
        said = lost.command_starved(error)
        if not said:
            raise
        say(said)
        code = 2
    return code or 0


def _usage(error: Exception) -> str:
    """One sentence of a usage error, with the command whose help says more."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "redshift-lab"
    sentence = error.format_message().strip().rstrip(".")  # type: ignore[attr-defined]
    return f"{sentence}; see {command} --help."
