"""Why a worker ended without a report of its own, and what memory had to do with it, in words."""

from __future__ import annotations

import contextlib
import errno
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redshift_core.constants import size_text
from redshift_core.errors import InputError
from redshift_core.jobs import machine
from redshift_core.store import JobFolder, RunFolder, Store
from redshift_core.store.faults import is_full, sentence

CHILDREN: dict[Path, subprocess.Popen[bytes]] = {}  # folder of a job → worker started from here
RESUMABLE = "a training run, a search or the prediction of a catalogue can be resumed."
NO_MEMORY = (  # what libraries say that get no memory, whatever the kind of error
    "Cannot allocate memory", "cannot allocate memory", "failed to map segment", "bad_alloc",
    "MemoryError", "can't start new thread", "pthread_create failed", "Unable to allocate",
    "ResourceExhausted", "Out of memory", "out of memory", "Memory allocation",
    "Failed to launch worker thread", "Resource temporarily unavailable",
)  # fmt: skip
LESS = "End other programs, give it more memory, or lower the batch size, the layers or the rows."
GO_ON = {  # kind of job → how its user goes on
    "train": "`redshift-lab resume {id}` goes on from its last checkpoint.",
    "tune": "`redshift-lab tune --resume {id}` does the trials that it lacks.",
    "coordinate": "`redshift-lab tune --resume {id}` does the trials that it lacks.",
    "limit": "`redshift-lab limit --resume {id}` does what it lacks.",
    "bench": "`redshift-lab bench --resume {id}` does the rows that it lacks.",
    "catalogue": "Give the same command again; the parts that are done stay.",
    "fetch": "Fetch the same again; what has come is kept.",
}


@dataclass(frozen=True)
class Limits:
    """What memory a process may have."""

    allowed: int  # bytes: the machine's, or what a control group allows
    addresses: int  # bytes that it may map (``ulimit -v``); 0 without a limit


def own_limits() -> Limits:
    """Those of this process."""
    return Limits(machine.total_memory(), machine.address_limit() or 0)


def ended(folder: JobFolder) -> int | None:
    """Exit code of a worker that this process has started, the negative signal if one killed it.

    None while it is at work, and where another process has started it.
    """
    child = CHILDREN.get(folder.path)
    return child.poll() if child else None


def kill_child(folder: JobFolder) -> bool:
    """Kill a worker that this process has started; False where another has."""
    child = CHILDREN.get(folder.path)
    if child is None:
        return False
    child.kill()
    child.wait()  # by itself: who else waits for it takes its exit code away
    return True


def forget_ended() -> None:
    """Drop the workers that have ended with a report."""
    for path in [path for path, child in CHILDREN.items() if child.poll() in (0, 2)]:
        del CHILDREN[path]


def why(folder: JobFolder, kind: str, memory: int, limits: Limits, log: str) -> str:
    """Why a worker ended without a report, as far as can be seen, and how to go on.

    Parameters
    ----------
    memory : int
        Bytes that it held at its last report; 0 where it made none.
    log : str
        The end of its log.
    """
    if child := CHILDREN.get(folder.path):
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(1.0)  # it is dead, and some of its threads may still be ending
    code = ended(folder) or None  # 0 says only that its exit code is not known any more
    starved = any(word in log for word in NO_MEMORY)
    starved = starved or 0 < limits.addresses < _addresses(kind)
    if starved:
        cause = "it got no memory from the system"
    elif code is None:
        cause = "it was killed, ran out of memory, or crashed"
    elif code == -signal.SIGKILL:
        cause = "it was killed (SIGKILL), as the system does when memory runs out"
    elif code < 0:
        cause = f"it crashed ({signal.Signals(-code).name})"
    else:
        cause = f"it ended with exit code {code}"
    held = f"It held {size_text(memory)} at its last report. " if memory else ""
    told = ""
    if starved or code in (None, -signal.SIGKILL):
        told = f" {held}{_balance(folder, kind, limits)}."
    below = " The end of its log is below." if log.strip() else ""
    what = f"The worker process ended without a report: {cause}."
    return f"{what}{told}{below} {_go_on(folder, kind)}"


def remedy(error: BaseException, folder: JobFolder) -> str:
    """What a user can do about an error that ended a job; empty where it is a bug."""
    kind = folder.request.get("kind", "")
    if is_full(error):
        said = sentence(error, folder.path)
        return f"{said} {_go_on(folder, kind)}" if kind in GO_ON else said
    if isinstance(error, InputError):
        return str(error)
    if any(map(_is_memory, _chain(error))):
        balance = _balance(folder, kind, own_limits())
        return f"The memory is not enough. {balance}. {LESS} {_go_on(folder, kind)}"
    return sentence(error, folder.path)


def command_starved(error: BaseException) -> str:
    """What to do about a command that got no memory; empty where its error is of another kind."""
    if not any(map(_is_memory, _chain(error))):
        return ""
    return f"The memory is not enough. {_compared('This command', 0, '', own_limits())}."


def needed_memory(folder: JobFolder, kind: str) -> int:
    """Bytes of memory that a job needs, about; without an estimate, what its libraries need."""
    from redshift_core.data.split import split_counts
    from redshift_core.jobs import cost, extras

    with contextlib.suppress(InputError, OSError, KeyError):
        if kind == "train":
            config = RunFolder(folder.path).config
            rows = Store(folder.path.parent.parent).dataset(config.dataset).info["n_rows"]
            return cost.memory(config, *split_counts(rows, config.split)[:2]).total
    return cost.TENSORFLOW_BYTES if kind in extras.NEEDING else cost.LIGHT_BYTES


def _balance(folder: JobFolder, kind: str, limits: Limits) -> str:
    """Memory that a job needs and what there is, as a sentence without its stop."""
    return _compared(f"This job ({kind})", needed_memory(folder, kind), kind, limits)


def _compared(what: str, needed: int, kind: str, limits: Limits) -> str:
    """Memory that something needs and what there is, as a sentence without its stop."""
    from redshift_core.jobs import cost

    needs = f"{what} needs about {size_text(needed or cost.LIGHT_BYTES)} of memory"
    if limits.addresses:
        return (
            f"{needs} and {size_text(_addresses(kind))} of addresses, and its process may map "
            f"{size_text(limits.addresses)} (ulimit -v)"
        )
    free = machine.free_memory()
    now = f", of which {size_text(free)} are free now" if free < limits.allowed else ""
    return f"{needs}, and its process may have {size_text(limits.allowed)}{now}"


def _addresses(kind: str) -> int:
    """Bytes of addresses that the worker of a job maps, or a command, about."""
    from redshift_core.jobs import cost, extras

    return cost.TENSORFLOW_ADDRESSES if kind in extras.NEEDING else cost.LIGHT_ADDRESSES


def _go_on(folder: JobFolder, kind: str) -> str:
    again = "Do it again; nothing half-written is left."
    return GO_ON.get(kind, again).format(id=folder.id)


def _is_memory(error: BaseException) -> bool:
    known = isinstance(error, MemoryError)
    known = known or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    text = f"{type(error).__name__}: {error}"
    return known or any(word in text for word in NO_MEMORY)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
