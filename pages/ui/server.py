"""HTTP routes beside the pages: a file streams into the inbox, a result streams out.

    PUT /api/upload/{token}          body: the file; header x-filename: its name, percent-encoded
    GET /api/download/{job}/{name}   one file of a job's output folder

Streamlit's own uploader holds a file in memory three times over; here a chunk goes to disk as it
comes. A token is minted for one visitor and one file, expires, and works once. The file grows as
``.part``, gets its name when it is whole, and is removed on any error.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from streamlit import config, net_util

from pages.ui import access
from redshift_core.errors import InputError, ReadOnlyError
from redshift_core.store import JobFolder, Store, faults
from redshift_core.store.read_only import is_read_only, refuse_writing

GIGABYTE = 1_000_000_000
TOKEN_LIFE = 3600.0  # s from minting to the start of the upload
PIECE = 1 << 20  # bytes collected before they are written
UPLOAD_PREFIX = "upload-"  # folders of the inbox made here, one per upload
NOBODY = f"{secrets.token_hex(16)}.invalid"  # a name that nobody has, and nobody can guess
ABANDONED = 86_400.0  # s after which an upload that no job has taken is removed

is_local = access.is_local


class _Refused(Exception):  # noqa: N818 - an answer, not an error
    def __init__(self, code: int, sentence: str):
        super().__init__(sentence)
        self.code = code


@dataclass
class Ticket:
    """Leave to upload one file."""

    folder: Path  # made when the upload begins
    expires: float  # Unix time, s
    state: str = "open"  # open busy done failed
    path: Path | None = None  # the file, once whole
    n_files: int = 1  # that the browser sends at once, each with a ticket of its own

    @property
    def spent(self) -> bool:
        """Whether a new ticket is needed for another file."""
        return self.state == "failed" or (self.state == "open" and self.expires < time.time())


_tickets: dict[str, Ticket] = {}
_lock = threading.Lock()


def upload_limit() -> int:
    """Largest upload in bytes: ``$REDSHIFT_LAB_UPLOAD_GB`` (4)."""
    return int(float(os.environ.get("REDSHIFT_LAB_UPLOAD_GB", "4")) * GIGABYTE)


def too_large(name: str, limit: int) -> str:
    """Sentence for a file above the limit (bytes)."""
    return (
        f"{name} is larger than the {limit / GIGABYTE:g} GB an upload may have here. Put the file "
        "into the inbox folder on the server, or raise REDSHIFT_LAB_UPLOAD_GB there."
    )


def upload_url(token: str) -> str:
    """Address to which a file with this token is sent."""
    return f"{_base()}/api/upload/{token}"


def download_url(job: JobFolder, path: Path) -> str:
    """Address of one file of a job's output folder."""
    return f"{_base()}/api/download/{job.id}/{path.name}"


def mint(store: Store, life: float = TOKEN_LIFE) -> str:
    """New token for one upload into the store's inbox."""
    token = secrets.token_urlsafe(24)
    with _lock:
        for old in [key for key, ticket in _tickets.items() if ticket.expires < time.time() - 1e5]:
            del _tickets[old]
        _tickets[token] = Ticket(
            store.inbox / f"{UPLOAD_PREFIX}{secrets.token_hex(4)}", time.time() + life
        )
    return token


def ticket(token: str) -> Ticket | None:
    """Ticket of a token minted by this server."""
    return _tickets.get(token)


def safe_name(name: str) -> str:
    """File name reduced to letters, digits, dot, dash and underscore; never a path.

    >>> safe_name("../../etc/passwd")
    'passwd'
    >>> safe_name("my galaxies (1).csv.gz")
    'my-galaxies-1-.csv.gz'
    """
    last = re.split(r"[/\\]", name)[-1]
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", last).lstrip(".-")
    return clean[-120:].lstrip(".-") or "upload"


def discard(path: Path) -> None:
    """Remove an uploaded copy; a file that was not uploaded stays."""
    if path.parent.name.startswith(UPLOAD_PREFIX):
        shutil.rmtree(path.parent, ignore_errors=True)


def sweep(store: Store, busy: set[str], ended: set[str]) -> None:
    """Remove uploaded copies that a job has read or refused, and abandoned ones.

    Files that the user put into the inbox by hand are never touched.

    Parameters
    ----------
    busy, ended : set of str
        Files of jobs still at work, and of jobs that have ended.
    """
    if is_read_only():
        return
    for folder in store.inbox.glob(f"{UPLOAD_PREFIX}*"):
        files = {str(path) for path in folder.glob("*")}
        growing = any(name.endswith(".part") for name in files)
        old = time.time() - folder.stat().st_mtime > ABANDONED
        if not files & busy and (files & ended or (old and not growing)):
            shutil.rmtree(folder, ignore_errors=True)


async def upload(request: Request) -> Response:
    """Take one file into the inbox."""
    try:
        _check_origin(request)
        refuse_writing()
        leave = _take(request.path_params["token"])
    except _Refused as refusal:
        return _answer(refusal)
    except ReadOnlyError as error:
        return _answer(_Refused(403, str(error)))
    try:
        name = safe_name(unquote(request.headers.get("x-filename", "")))
        together = request.headers.get("x-files", "")
        leave.n_files = int(together) if re.fullmatch("[0-9]{1,3}", together) else 1
        leave.path = await _receive(request, leave.folder, name)
        leave.state = "done"
    except _Refused as refusal:
        return _answer(refusal)
    except OSError as error:
        said = faults.sentence(error, leave.folder.parent)
        if not said:
            raise
        return JSONResponse({"error": said}, status_code=507)
    except ClientDisconnect:
        return JSONResponse({"error": "The upload was broken off."}, status_code=400)
    finally:
        if leave.state != "done":
            leave.state = "failed"
            shutil.rmtree(leave.folder, ignore_errors=True)
    return JSONResponse({"name": leave.path.name, "bytes": leave.path.stat().st_size})


async def download(request: Request) -> Response:
    """One file of a job's output folder."""
    try:
        _check_origin(request)
        job = Store().job(request.path_params["job"])
        name = request.path_params["name"]
        found = {path.name: path for path in job.output.glob("*") if path.is_file()}.get(name)
        if found is None:
            raise _Refused(404, f"Job {job.id} has no file {name!r}.")
    except InputError as error:
        return _answer(_Refused(404, str(error)))
    except _Refused as refusal:
        return _answer(refusal)
    return FileResponse(found, filename=found.name)


@contextlib.asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """Load what the first figure needs while the visitor still reads the first page.

    Streamlit asks a service on the Internet for this machine's address whenever a page of another
    site tries to connect; it is told a name that no site can have, so that no request leaves.
    """
    net_util._external_ip = NOBODY
    threading.Thread(target=_warm_up, daemon=True).start()
    yield


async def _receive(request: Request, folder: Path, name: str) -> Path:
    """Write the body to ``folder/name``; nothing under that name before it is whole."""
    limit = upload_limit()
    told = request.headers.get("content-length", "")
    expected = int(told) if told.isdigit() else None
    _check_size(expected or 0, limit, name)
    folder.mkdir(parents=True)
    free = shutil.disk_usage(folder).free - GIGABYTE // 10  # which stay for the jobs
    if (expected or 0) > free:
        raise _Refused(507, faults.full(folder / name, needed=expected or 0))
    part = folder / f"{name}.part"
    with part.open("wb", buffering=0) as file:
        total, piece = 0, bytearray()
        async for chunk in request.stream():
            piece += chunk
            total += len(chunk)
            _check_size(total, limit, name)
            if len(piece) >= PIECE:
                await asyncio.to_thread(file.write, piece)
                piece = bytearray()
        await asyncio.to_thread(file.write, piece)
    if expected is not None and total != expected:
        raise _Refused(400, f"{name} broke off after {total} of {expected} bytes; upload it again.")
    os.replace(part, folder / name)
    return folder / name


def _check_size(n_bytes: int, limit: int, name: str) -> None:
    if n_bytes > limit:
        raise _Refused(413, too_large(name, limit))


def _take(token: str) -> Ticket:
    with _lock:
        found = _tickets.get(token)
        if found is None or found.spent or found.state != "open":
            raise _Refused(
                403, "This upload form has been used or has expired; choose the file again."
            )
        found.state = "busy"
    return found


def _check_origin(request: Request) -> None:
    """Refuse what another site's page sends, and names that were rebound to this machine."""
    if said := access.refusal(request.headers):
        raise _Refused(403, said)


def _answer(refusal: _Refused) -> Response:
    return JSONResponse({"error": str(refusal)}, status_code=refusal.code)


def _warm_up() -> None:
    for name in ("pandas", "pyarrow.parquet", "plotly.graph_objects", "redshift_core.data"):
        importlib.import_module(name)


def _base() -> str:
    path = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""


ROUTES = [
    Route(f"{_base()}/api/upload/{{token}}", upload, methods=["PUT"]),
    Route(f"{_base()}/api/download/{{job}}/{{name}}", download, methods=["GET"]),
]
