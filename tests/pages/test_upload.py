"""The upload and download routes, over a real socket: names, tokens, limits, broken connections."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvicorn
from starlette.applications import Starlette
from streamlit import net_util
from streamlit.web.server import server_util

from pages.ui import access, server
from redshift_core.store import Store, write_json


@pytest.fixture(scope="module")
def port():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(Starlette(routes=server.ROUTES), log_level="error")
    web = uvicorn.Server(config)
    thread = threading.Thread(target=web.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    web.should_exit = True
    thread.join(10)


def connect(port: int) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20))


def put(port: int, token: str, body: bytes = b"z,flux_0\n", name: str = "a.csv", **headers: str):
    sent = {"x-filename": name, **{k.replace("_", "-"): v for k, v in headers.items()}}
    with connect(port) as connection:
        connection.request("PUT", f"/api/upload/{token}", body=body, headers=sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def left_behind(store: Store) -> list[Path]:
    return list(store.inbox.rglob("*"))


def wait_until(condition, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_an_upload_arrives_whole_in_the_inbox(port, store):
    body = os.urandom(3_500_000)
    token = server.mint(store)
    status, answer = put(port, token, body, "my galaxies.csv.gz")
    assert (status, answer) == (200, {"name": "my-galaxies.csv.gz", "bytes": len(body)})
    path = server.ticket(token).path
    assert path.read_bytes() == body
    assert path.parent.parent == store.inbox


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../../etc/passwd", "passwd"),
        ("..%2f..%2fevil.csv", "evil.csv"),
        ("C:\\Users\\me\\data.csv", "data.csv"),
        ("%2e%2e", "upload"),
        ("", "upload"),
        (".hidden", "hidden"),
        ("-rf.csv", "rf.csv"),
        ("a%00b%0d%0a.csv", "a-b-.csv"),
        ("%D0%B3%D0%B0%D0%BB.parquet", "parquet"),
        ("x" * 500 + ".csv", "x" * 116 + ".csv"),
        ("<img src=x onerror=alert(1)>.csv", "img-src-x-onerror-alert-1-.csv"),
    ],
)
def test_no_file_name_leaves_the_inbox(port, store, sent, kept):
    token = server.mint(store)
    status, answer = put(port, token, name=sent)
    assert (status, answer["name"]) == (200, kept)
    assert [p.name for p in left_behind(store) if p.is_file()] == [kept]


def test_a_token_works_once(port, store):
    token = server.mint(store)
    assert put(port, token)[0] == 200
    status, answer = put(port, token)
    assert status == 403
    assert "has been used or has expired" in answer["error"]


def test_a_wrong_or_expired_token_is_refused_and_leaves_nothing(port, store):
    assert put(port, "guess")[0] == 403
    assert put(port, server.mint(store, life=-1.0))[0] == 403
    assert left_behind(store) == []


def test_a_file_above_the_limit_is_refused_with_its_limit(port, store, monkeypatch):
    monkeypatch.setenv("REDSHIFT_LAB_UPLOAD_GB", "0.000001")
    status, answer = put(port, server.mint(store), b"x" * 1001)
    assert status == 413
    assert "1e-06 GB" in answer["error"]
    assert left_behind(store) == []


def test_a_limit_holds_for_a_body_of_untold_length(port, store, monkeypatch):
    monkeypatch.setenv("REDSHIFT_LAB_UPLOAD_GB", "0.001")
    token = server.mint(store)
    body = (b"x" * 100_000 for _ in range(15))
    # The server may hang up while we are still sending, which is as good as its answer.
    with connect(port) as connection, suppress(BrokenPipeError, ConnectionResetError):
        connection.request(
            "PUT",
            f"/api/upload/{token}",
            body=body,
            encode_chunked=True,
            headers={"x-filename": "a.csv", "transfer-encoding": "chunked"},
        )
        assert connection.getresponse().status == 413
    assert wait_until(lambda: server.ticket(token).state == "failed")
    assert left_behind(store) == []


def test_a_broken_connection_leaves_nothing(port, store):
    token = server.mint(store)
    with socket.create_connection(("127.0.0.1", port)) as client:
        head = f"PUT /api/upload/{token} HTTP/1.1\r\nHost: localhost\r\nx-filename: a.csv\r\n"
        client.sendall(f"{head}Content-Length: 9000000\r\n\r\n".encode() + b"x" * 3_000_000)
        assert wait_until(lambda: any(p.suffix == ".part" for p in left_behind(store)))
    assert wait_until(lambda: left_behind(store) == [])
    assert server.ticket(token).spent


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"host": "evil.example"},
    ],
)
def test_another_site_cannot_use_a_token(port, store, headers):
    token = server.mint(store)
    assert put(port, token, **headers)[0] == 403
    assert server.ticket(token).state == "open"
    assert left_behind(store) == []


def test_the_page_itself_may_upload(port, store):
    host = f"127.0.0.1:{port}"
    headers = {"host": host, "origin": f"http://{host}", "sec_fetch_site": "same-origin"}
    assert put(port, server.mint(store), **headers)[0] == 200


def test_the_sweep_removes_read_uploads_and_spares_the_users_own_files(store):
    def uploaded(name: str) -> Path:
        folder = store.inbox / f"{server.UPLOAD_PREFIX}{name}"
        folder.mkdir()
        (folder / "a.csv").write_text("z")
        return folder / "a.csv"

    read, busy, waiting, abandoned = (uploaded(n) for n in ("read", "busy", "waiting", "old"))
    os.utime(abandoned.parent, (0, 0))
    own = store.inbox / "own.csv"
    own.write_text("z")
    server.sweep(store, busy={str(busy)}, ended={str(read), str(busy), str(own)})
    assert sorted(p for p in store.inbox.rglob("*") if p.is_file()) == sorted([busy, own, waiting])


def get(port: int, path: str, **headers: str):
    sent = {k.replace("_", "-"): v for k, v in headers.items()}
    with connect(port) as connection:
        connection.request("GET", path, headers=sent)
        answer = connection.getresponse()
        return answer, answer.read()


def test_a_download_gives_a_file_of_the_job_and_nothing_else(port, store):
    job = store.new_job("predict")
    write_json(job.request_path, {"kind": "predict"})
    job.output.mkdir()
    (job.output / "predictions.csv").write_text("row,z_phot\n0,0.1\n")
    job.log_path.write_text("private")
    answer, body = get(port, server.download_url(job, job.output / "predictions.csv"))
    assert (answer.status, body) == (200, b"row,z_phot\n0,0.1\n")
    assert "attachment" in answer.headers["content-disposition"]
    for path in (f"{job.id}/log.txt", f"{job.id}/..%2flog.txt", "..%2f..%2fx/y", "none/a.csv"):
        assert get(port, f"/api/download/{path}")[0].status == 404
    assert (
        get(port, f"/api/download/{job.id}/predictions.csv", host="evil.example")[0].status == 403
    )


def test_a_page_of_another_site_makes_the_server_ask_nobody_on_the_internet(monkeypatch):
    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda *_, **__: pytest.fail("asked"))

    async def begin():
        async with server.lifespan(None):
            return server_util.is_url_from_allowed_origins("https://evil.example")

    assert not asyncio.run(begin())


@pytest.mark.parametrize(
    "value", ["http://[", "null", "", "http://evil.example@127.0.0.1", "127.0.0.1:evil"]
)
def test_a_nonsense_host_or_origin_is_refused_in_one_sentence(port, store, value):
    status, answer = put(port, server.mint(store), origin=value or "http://")
    assert (status, answer["error"][-1]) == (403, ".")
    status, answer = put(port, server.mint(store), host=value or "[")
    assert status == 403


def test_a_forwarded_name_counts_only_where_the_proxy_is_trusted(port, store, monkeypatch):
    forwarded = {"x_forwarded_host": "lab.example.org", "origin": "https://lab.example.org:8443"}
    assert put(port, server.mint(store), **forwarded)[0] == 403
    monkeypatch.setenv("REDSHIFT_LAB_TRUST_PROXY", "1")
    assert put(port, server.mint(store), **forwarded)[0] == 403  # it is not an allowed name yet
    hosts = ["127.0.0.1", "localhost", "lab.example.org"]
    monkeypatch.setattr(access.config, "get_option", _with(hosts))
    assert put(port, server.mint(store), **forwarded)[0] == 200
    assert (
        put(port, server.mint(store), **{**forwarded, "origin": "https://evil.example"})[0] == 403
    )
    assert not server.is_local()  # whoever comes through a proxy has no files of this machine


def _with(hosts):
    known = access.config.get_option
    return lambda name: hosts if name == "server.allowedHosts" else known(name)


@pytest.mark.parametrize(
    ("headers", "local"),
    [
        ({"Origin": "http://localhost:8501", "Host": "localhost:8501"}, True),
        ({"Origin": "http://lab.example.org", "Host": "127.0.0.1:8501"}, False),
        ({"Origin": "http://localhost", "X-Forwarded-For": "10.0.0.7"}, False),
        ({"Origin": "http://localhost", "Via": "1.1 proxy"}, False),
        ({"Origin": "http://["}, False),
    ],
)
def test_a_visitor_who_comes_through_a_proxy_does_not_sit_here(monkeypatch, headers, local):
    monkeypatch.setattr(access.st, "context", SimpleNamespace(headers=headers))
    assert server.is_local() is local
