"""Commands about the store and the dashboard: app, rename, note, delete."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from functools import partial
from typing import Annotated, Any

import typer

from redshift_core.cli.output import JsonOption, emit, say
from redshift_core.cli.rules import NAME_LIMIT, checked_name
from redshift_core.errors import DamagedError, InputError
from redshift_core.jobs import in_use
from redshift_core.store import (
    BenchFolder,
    DatasetFolder,
    Folder,
    LimitFolder,
    RunFolder,
    Store,
    TuningFolder,
    dashboard_root,
)
from redshift_core.store.base import BASE, is_base

KINDS = {
    DatasetFolder: "dataset", RunFolder: "run", TuningFolder: "search", LimitFolder: "study",
    BenchFolder: "bench",
}  # fmt: skip

TargetArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="Id or name of a dataset, a run, a search, a study or a bench."
    ),
]


def app(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    address: Annotated[
        str,
        typer.Option(help="Address to listen on; other than this machine's: see docs/serve.md."),
    ] = "127.0.0.1",
) -> None:
    """Open the dashboard in the browser."""
    root = dashboard_root()
    if not (root / "app.py").exists():
        raise InputError(f"The dashboard is not in {root}; install Redshift Lab again.")
    if not _is_local(address):
        say(
            f"Everybody who can reach {address} can use this dashboard and its files, without a "
            "password; docs/serve.md says how to put a proxy in front of it. Pages open under "
            "the names in STREAMLIT_SERVER_ALLOWED_HOSTS alone."
        )
    _refuse_taken(address, port)
    command = [sys.executable, "-m", "streamlit", "run", str(root / "app.py")]
    options = [f"--server.port={port}", f"--server.address={address}"]
    os.environ["REDSHIFT_LAB_HOME"] = str(Store().root.absolute())  # the folder changes below
    os.chdir(root)  # Streamlit reads .streamlit/config.toml there
    sys.stdout.flush()
    os.execv(sys.executable, [*command, *options])


def _refuse_taken(address: str, port: int) -> None:
    """InputError where another program, often an open dashboard, listens there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return  # Streamlit says what it is
            raise InputError(
                f"Port {port} of {address} is taken, perhaps by a dashboard that is open already. "
                f"Use that one, end it, or take another port: redshift-lab app --port {port + 1} "
                f"(make app PORT={port + 1})."
            ) from None


def rename(
    target: TargetArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="New name.")],
    as_json: JsonOption = False,
) -> None:
    """Give a dataset, a run, a search, a study or a bench another name; its id stays."""
    if not (name := checked_name(name)):
        raise InputError(f"A name has 1 to {NAME_LIMIT} characters; give one.")
    folder = find(Store(), target)
    folder.update_info(name=name)
    emit({"id": folder.id, "name": name}, f"{folder.id} is now called {name}.", as_json)


def note(
    target: TargetArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note; empty text removes it.")],
    as_json: JsonOption = False,
) -> None:
    """Write a note to a dataset, a run, a search, a study or a bench."""
    folder = find(Store(), target)
    folder.update_info(note=text.strip())
    emit({"id": folder.id, "note": folder.note}, f"Noted at {folder.id}.", as_json)


def delete(
    target: TargetArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a dataset, a run, a search, a study or a bench, for good; asks first."""
    store = Store()
    broken = {one.id: one for one, _ in store.damaged()}
    folder = broken[target] if target in broken else find(store, target)
    in_use.refuse_while_used(store, folder)
    if isinstance(folder, DatasetFolder) and (users := in_use.trained_on(store, folder)):
        say(
            f"Trained on this dataset: {', '.join(job.id for job in users)}; they stay, but can no "
            "longer be evaluated on it or resumed."
        )
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise InputError(f"{folder.id} was not deleted; add --yes to delete without asking.")
        kind = KINDS.get(type(folder), "job")
        if not typer.confirm(f"Delete {kind} {folder.id} ({folder.name}) for good?", err=True):
            raise InputError(f"{folder.id} was not deleted.")
    again = isinstance(folder, RunFolder) and is_base(folder)
    in_use.delete(store, folder)
    said = f" It comes again when `{BASE}` is asked for." if again else ""
    emit({"deleted": folder.id}, f"Deleted {folder.id}.{said}", as_json)


def find(store: Store, name: str, *kinds: type[Folder]) -> Any:
    """What only one has by id or name, of every kind of ``KINDS`` or only some."""
    getters = {
        DatasetFolder: store.dataset,
        RunFolder: partial(store.run, take_in=False),
        TuningFolder: store.tuning,
        LimitFolder: store.limit,
        BenchFolder: store.bench,
    }
    kinds = kinds or tuple(getters)
    found: list[Folder] = []
    for kind in kinds:
        try:
            found.append(getters[kind](name))
        except InputError as error:
            if isinstance(error, DamagedError) or "are called" in str(error):
                raise
    if len(found) == 1:
        return found[0]
    if found:
        ids = " or ".join(f"{folder.id} ({KINDS[type(folder)]})" for folder in found)
        raise InputError(f"More than one thing is called {name!r}; give the id: {ids}.")
    known = " or ".join(KINDS[kind] for kind in kinds)
    raise InputError(
        f"No {known} {name!r} in {store.root}; list them with redshift-lab datasets, runs, tunings."
    )


def _is_local(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
