"""Hostile requests to a real server, by HTTP and by WebSocket, and nonsense in pages' addresses.

Survived: the server answers with less than 500 (a stranger with a refusal) or hangs up, and is well
afterwards, with nothing in its inbox; a page draws itself without an exception.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import random
import re
import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from streamlit.components.v2 import manifest_scanner
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from redshift_core.store import Store
from scripts.soak import Outcome
from tests.browser import Server
from tests.pages.made_up import make_dataset, make_run, open_page

PATIENCE = 5.0  # s for one answer
N_ADDRESSES = 700
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT", "QUX")
TARGETS = ("/", "/data", "/api/upload/x", "/api/download/x/y", "/_stcore/health")
PATHS = (
    "/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
    "/static/../../pyproject.toml", "/app/static/..%5c..%5capp.py", "/component/x/../../app.py",
    "/api/download/../../x", "/api/download/..%2f..%2f/log.txt", "/api/download/x/..%2flog.txt",
    "/api/download/%00/%00", "/api/upload/..%2f..%2fx", "/api/upload/", "/api/upload/a/b",
    "/media/../../etc/passwd", "/_stcore/upload_file/x/y", "/_stcore/host-config/../x",
    "/%ff%fe", "/" + "a" * 60_000, "/?" + "x=1&" * 10_000, "/data?dataset=%00", "/%",
    "http://evil.example/", "*", "/\\..\\..\\windows", "/api//download//x",
    "/.streamlit/config.toml", "/.git/config", "/data/demo/survey.parquet",
    "/redshift_core/errors.py",
)  # fmt: skip
HOSTS = (
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[", "", "a@127.0.0.1",
    "127.0.0.1:evil", "evil.example:80@127.0.0.1", "x" * 20_000, "127.0.0.1/", "*", "xn--",
)  # fmt: skip
ORIGINS = (
    "https://evil.example", "null", "http://[", "http://127.0.0.1.evil.example", "file://",
    "http://evil.example@127.0.0.1", "javascript:1", "http://localhost.evil.example", "x",
    "https://", "http://" + "e" * 20_000, "http://nobody.invalid",
)  # fmt: skip
HEADERS = (
    "Content-Length: -1", "Content-Length: 99999999999999999999", "Content-Length: abc",
    "Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: chunked\r\nContent-Length: 4",
    "Transfer-Encoding: gzip", "Transfer-Encoding: chunked, chunked", "Expect: 200-maybe",
    "X-Long: " + "y" * 200_000, "\r\n".join(f"X-{k}: {k}" for k in range(3_000)), "No colon here",
    "X-Nul: a\x00b", " folded: x", "Cookie: _streamlit_xsrf=" + "z" * 9_000, "Range: bytes=9-1",
    "Upgrade: websocket\r\nConnection: upgrade", "Sec-Fetch-Site: cross-site", "Connection: x, y",
)  # fmt: skip
BROKEN = (
    b"", b"\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"PUT /api/upload/x HTTP/1.1\r\nHost: localhost",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)  # fmt: skip
NAMES = (
    "bin", "box", "job", "run", "trial", "word", "galaxy", "estimate", "on", "overlay", "row",
    "width", "by", "against", "dataset",
)  # fmt: skip
PAGES = ("home", "data", "explore", "train", "tune", "evaluate", "compare", "reproduce", "predict")
VALUES = ("1e400", "nan", "-1", "../../etc", "\x00\ud7ff", "9" * 5_000, "<script>", "[]", "🜛")
Answer = tuple[int, bytes]


def by_http(scratch: Path) -> Outcome:
    """Methods, paths, hosts, origins, headers and bytes that no browser of ours sends."""
    with _server(scratch) as server:
        token = _token(server)
        tries = list(_requests(server, token))
        bad = [name for name, send, holds in tries if not holds(_answer(send))]
        with contextlib.suppress(OSError):
            tries.append(("the token works in the end", None, None))
            if _answer(_talk(server, _put(server, token, f"Host: {_host(server)}")))[0] != 200:
                bad.append("the token works in the end")
        bad += _unwell(server, n_files=1)
    return _outcome("Hostile HTTP requests", len(tries), bad)


def by_websocket(scratch: Path) -> Outcome:
    """Handshakes of strangers, and messages that are none."""
    with _server(scratch) as server:
        url, own = f"ws://{_host(server)}/_stcore/stream", f"http://{_host(server)}"
        # Streamlit lets a@127.0.0.1 pass; no browser sends an Origin with a user's name.
        refused = [(f"origin {one[:40]}", one, None) for one in ORIGINS if "@" not in one]
        refused += [(f"host {one[:40]}", own, one) for one in HOSTS]
        bad = [name for name, origin, host in refused if _joins(server, url, origin, host)]
        messages = list(_messages())
        for what in messages:
            with (
                contextlib.suppress(WebSocketException, OSError),
                connect(url, origin=own, proxy=None, close_timeout=0.2) as client,
            ):
                client.send(what)
                client.recv(timeout=PATIENCE)
            bad += [f"message {what[:20]!r}: {why}" for why in _unwell(server, n_files=0)]
    return _outcome("Hostile WebSocket requests", len(refused) + len(messages), bad)


def in_addresses(scratch: Path) -> Outcome:
    """Nonsense as every parameter of a page's address."""
    os.environ["REDSHIFT_LAB_HOME"] = str(scratch / "home")
    scan = manifest_scanner.scan_component_manifests  # reads what every package says of itself
    manifest_scanner.scan_component_manifests = functools.cache(scan)
    logging.getLogger("streamlit").setLevel(logging.ERROR)
    store = Store()
    dataset = make_dataset(store, n=2000)  # as many as the made-up evaluation has
    run = make_run(store, dataset, evaluated=True)
    usual = {"dataset": dataset.id, "run": run.id}
    asked = [(page, name, value) for page in PAGES for name in NAMES for value in VALUES]
    asked = random.Random(16).sample(asked, N_ADDRESSES)
    bad = []
    for page, name, value in asked:
        at = open_page(page, **{**usual, name: value})
        if at.exception:
            bad.append(f"{page}?{name}={value[:20]}: {at.exception[0].message[:60]}")
    return _outcome("Nonsense addresses of pages", len(asked), bad)


TRIALS = (by_http, by_websocket, in_addresses)


@contextlib.contextmanager
def _server(scratch: Path) -> Iterator[Server]:
    server = Server(scratch / "home", scratch / "log.txt").start()
    try:
        yield server
    finally:
        server.stop()


def _requests(
    server: Server, token: str
) -> Iterator[tuple[str, Callable[[], Answer], Callable[[Answer], bool]]]:
    """Every request: its name, what sends it, and what its answer must be."""

    def no_error(answer: Answer) -> bool:
        return answer[0] < 500 and b"root:" not in answer[1] and b"[server]" not in answer[1]

    def refused(answer: Answer) -> bool:
        return answer[0] == 0 or 400 <= answer[0] < 500

    host = f"Host: {_host(server)}"
    for method in METHODS:
        for path in TARGETS:
            yield f"{method} {path}", _talk(server, _request(method, path, host)), no_error
    for path in PATHS:
        yield f"path {path[:40]}", _talk(server, _request("GET", path, host)), no_error
    for one in HOSTS:
        yield f"host {one[:40]}", _talk(server, _put(server, token, f"Host: {one}")), refused
    for one in ORIGINS:
        sent = _put(server, token, host, f"Origin: {one}")
        yield f"origin {one[:40]}", _talk(server, sent), refused
    for one in HEADERS:
        yield f"header {one[:40]}", _talk(server, _request("GET", "/", host, one)), no_error
        sent = _request("PUT", "/api/upload/guess", host, one)
        yield f"upload with {one[:40]}", _talk(server, sent), refused
    for one in BROKEN:
        yield f"bytes {one[:20]!r}", _talk(server, one), no_error
    for site in ("cross-site", "same-site", "nonsense"):
        sent = _put(server, token, host, f"Sec-Fetch-Site: {site}")
        yield f"Sec-Fetch-Site: {site}", _talk(server, sent), refused


def _messages() -> Iterator[bytes | str]:
    """What a client that is none may send."""
    yield from ("", "text", b"", b"\x00", b"\xff" * 64, os.urandom(5_000), b"\x5a" * 1_000_000)
    for page in ("", "../../app", "nonsense", "\x00", "x" * 100_000):
        for query in ("", "dataset=%00", "x" * 100_000, "&&&==", "job=../../x"):
            message = BackMsg()
            message.rerun_script.page_name, message.rerun_script.query_string = page, query
            yield message.SerializeToString()
    yield BackMsg(rerun_script={"page_script_hash": "f" * 32}).SerializeToString()[:-3]


def _joins(server: Server, url: str, origin: str, host: str | None) -> bool:
    """Whether a stranger gets a connection."""
    lines = [
        "GET /_stcore/stream HTTP/1.1", f"Host: {_host(server) if host is None else host}",
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", f"Origin: {origin}",
    ]  # fmt: skip
    return _answer(_talk(server, "\r\n".join([*lines, "", ""]).encode()))[0] == 101


def _token(server: Server) -> str:
    """A token for an upload, as the Data page is given it."""
    url, own = f"ws://{_host(server)}/_stcore/stream", f"http://{_host(server)}"
    with connect(url, origin=own, proxy=None, max_size=None, close_timeout=0.2) as client:
        message = BackMsg()
        message.rerun_script.page_name = "data"
        client.send(message.SerializeToString())
        while True:
            if found := re.search(rb"/api/upload/([\w-]{32})", client.recv(timeout=30)):
                return found[1].decode()


def _put(server: Server, token: str, *headers: str) -> bytes:
    sent = ("Content-Length: 4", "x-filename: a.csv", *headers)
    return _request("PUT", f"/api/upload/{token}", *sent, body="z,x\n")


def _request(method: str, path: str, *headers: str, body: str = "") -> bytes:
    lines = (f"{method} {path} HTTP/1.1", *headers, "Connection: close", "", body)
    return "\r\n".join(lines).encode("utf-8", "surrogatepass")


def _talk(server: Server, sent: bytes) -> Callable[[], Answer]:
    """What sends bytes and reads the status of the answer, 0 where the server hangs up."""

    def talk() -> Answer:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as line:
            with contextlib.suppress(OSError):
                line.sendall(sent)
                if sent in BROKEN:  # else the server waits for more
                    line.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(OSError):
                while len(answer) < 1_000_000 and (more := line.recv(65_536)):
                    answer += more
        found = re.match(rb"HTTP/1\.\d (\d{3})", answer)
        return (int(found[1]) if found else 0), answer

    return talk


def _answer(send: Callable[[], Answer]) -> Answer:
    try:
        return send()
    except OSError:
        return 0, b""


def _unwell(server: Server, n_files: int) -> list[str]:
    """What is wrong with the server, or more in its inbox than may be."""
    found = []
    try:
        urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=PATIENCE).close()
    except OSError as error:
        found.append(f"the server is not well: {error}")
    files = [path for path in (server.home / "inbox").rglob("*") if path.is_file()]
    if len(files) > n_files:
        found.append(f"{len(files)} files in the inbox")
    return found


def _host(server: Server) -> str:
    return f"127.0.0.1:{server.port}"


def _outcome(what: str, tried: int, bad: list[str]) -> Outcome:
    bad = list(dict.fromkeys(bad))
    note = "; ".join(bad[:5]).replace("|", "/").replace("\n", " ")
    return Outcome(what, tried, max(0, tried - len(bad)), len(bad), note)
