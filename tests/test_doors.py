"""The dashboard behind real proxies: nginx and Caddy as docs/serve.md prints them, and bare ones.

One server and one nginx for all of it, spoken to without a browser. Without nginx or Caddy (Debian
packages nginx-light and caddy) their tests are skipped.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
import requests
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.sync.client import connect

from pages.ui.data.upload import ANSWERS
from redshift_core.store import CHECKOUT, Store
from tests.browser import Server, _free_port

DOCS = (CHECKOUT / "docs" / "serve.md").read_text(encoding="utf-8")
NAME, PASSWORD = "lab.example.org", "open sesame"  # of the documentation; of this file
SIGNED = "Basic " + base64.b64encode(f"viewer:{PASSWORD}".encode()).decode()
BCRYPT = "$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy"  # of it, quick to check
BARE = """
server {{ listen 127.0.0.1:{bare}; location / {{ proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $redshift_lab_connection;
    proxy_pass http://127.0.0.1:{port}; }} }}
server {{ listen 127.0.0.1:{small}; client_max_body_size 1k;
    location / {{ proxy_pass http://127.0.0.1:{port}; }} }}
server {{ listen 127.0.0.1:{dead}; location / {{ proxy_pass http://127.0.0.1:1; }} }}
"""


def printed(language: str, *changes: tuple[str, str]) -> str:
    """Configuration of docs/serve.md, with what only this test has in place of its examples."""
    text = re.search(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)[1]
    for old, new in changes:
        assert old in text, f"docs/serve.md no longer has {old!r}"
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Server under the sub-path lab, with the variables of the documented service."""
    folder = tmp_path_factory.mktemp("doors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMLIT_SERVER_BASE_URL_PATH", "lab")
        for name, value in re.findall(r'Environment="?(\w+)=([^"\n]+)', printed("ini")):
            patch.setenv(name, value)
        server = Server(folder / "home", folder / "log.txt", health="lab/_stcore/health")
        yield server.start()
    server.stop()


@pytest.fixture(scope="module")
def ports(server, tmp_path_factory):
    """Ports of nginx: ``own`` as documented, ``bare`` with its defaults, ``small``, ``dead``.

    Under ``cert`` is its certificate.
    """
    if not (nginx := shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")):
        pytest.skip("No nginx on this machine (Debian: apt-get install nginx-light).")
    folder = tmp_path_factory.mktemp("nginx")
    ports = {name: _free_port() for name in ("own", "bare", "small", "dead")}
    _certificate(folder)
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", PASSWORD], capture_output=True, text=True, check=True
    ).stdout.strip()
    (folder / "htpasswd").write_text(f"viewer:{hashed}\n")
    documented = printed(
        "nginx",
        ("listen 443 ssl", f"listen 127.0.0.1:{ports['own']} ssl"),
        ("/etc/ssl/lab.example.org.pem", f"{folder}/cert.pem"),
        ("/etc/ssl/lab.example.org.key", f"{folder}/key.pem"),
        ("/etc/nginx/redshift-lab.htpasswd", f"{folder}/htpasswd"),
        ("127.0.0.1:8501", f"127.0.0.1:{server.port}"),
        ("location / {", "location /lab/ {"),
    )
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{'user root;' * (os.getuid() == 0)} daemon off; worker_processes 1;\n"
        f"pid {folder}/pid; error_log {folder}/error.log;\n"
        "events {}\nhttp { access_log off;\n"
        f"{paths}{documented}{BARE.format(port=server.port, **ports)}}}"
    )
    command = [nginx, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for port in ports.values():
            _wait_for(port, process, folder / "error.log")
        yield ports | {"cert": str(folder / "cert.pem")}
    finally:
        process.terminate()
        process.wait(10)


def _certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2",
         "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip


def _wait_for(port: int, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 15
    while True:
        try:
            return requests.get(f"http://127.0.0.1:{port}/", timeout=5).close()
        except requests.ConnectionError:
            said = log.read_text() if log.exists() else ""
            assert process.poll() is None, said
            assert time.monotonic() < end, said
            time.sleep(0.05)


def upload_path(port: int, origin: str, host: str = "127.0.0.1", **how) -> str:
    """Where the Data page sends a file to, as a browser behind this port is told."""
    scheme = "wss" if "ssl" in how else "ws"
    url = f"{scheme}://{host}:{port}/lab/_stcore/stream"
    line = socket.create_connection(("127.0.0.1", port))
    how = {
        "subprotocols": ["streamlit"],
        "max_size": None,
        "close_timeout": 0.2,
        "proxy": None,
        **how,
    }
    with connect(url, origin=origin, sock=line, **how) as client:
        message = BackMsg()
        message.rerun_script.page_name = "data"
        client.send(message.SerializeToString())
        while True:
            if found := re.search(rb"/lab/api/upload/[\w-]{32}", client.recv(timeout=30)):
                return found[0].decode()


def put(port: int, path: str, origin: str, scheme: str = "http", **how):
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin", "x-filename": "a.csv"}
    return requests.put(
        f"{scheme}://127.0.0.1:{port}{path}", data=b"z,flux_0\n" * 1000, timeout=30,
        headers=headers | how.pop("headers", {}), **how,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_file_arrives_through_nginx_with_its_default_host_header(server, ports, name):
    origin = f"http://{name}:{ports['bare']}"
    path = upload_path(ports["bare"], origin)
    for stranger in ("https://evil.example", "null", "http://[", f"http://{NAME}.evil.example"):
        assert put(ports["bare"], path, stranger).status_code == 403
    crossed = put(ports["bare"], path, origin, headers={"Sec-Fetch-Site": "cross-site"})
    assert crossed.status_code == 403
    answer = put(ports["bare"], path, origin)
    assert (answer.status_code, answer.json()["name"]) == (200, "a.csv")


def test_nginx_as_documented_asks_for_the_password_and_hands_everything_on(server, ports):
    origin, port = f"https://{NAME}:{ports['own']}", ports["own"]
    named = {"Host": f"{NAME}:{port}"}
    page = f"https://127.0.0.1:{port}/lab/"
    assert requests.get(page, headers=named, verify=ports["cert"], timeout=9).status_code == 401
    login = {"auth": ("viewer", PASSWORD), "verify": ports["cert"]}
    assert requests.get(page, headers=named, timeout=9, **login).status_code == 200
    signed = {"Authorization": SIGNED}
    known = ssl.create_default_context(cafile=ports["cert"])
    path = upload_path(port, origin, NAME, ssl=known, additional_headers=signed)
    rebound = {"Host": "evil.example"}
    assert put(port, path, origin, "https", headers=rebound, **login).status_code == 403
    answer = put(port, path, origin, "https", headers=named, **login)
    assert (answer.status_code, answer.json()["name"]) == (200, "a.csv")
    assert len(list(Store(server.home).inbox.rglob("a.csv"))) >= 1


def test_what_a_proxy_answers_itself_has_a_sentence_about_its_limit(server, ports):
    origin = f"http://127.0.0.1:{ports['small']}"
    for name, status, word in (("small", 413, "client_max_body_size"), ("dead", 502, "status 502")):
        answer = put(ports[name], "/lab/api/upload/any", origin)
        assert answer.status_code == status
        assert "json" not in answer.headers["content-type"]  # so the page takes its own sentence
        assert word in ANSWERS[str(status)]


def test_caddy_as_documented_asks_for_the_password_and_hands_everything_on(server, tmp_path):
    if not (caddy := shutil.which("caddy")):
        pytest.skip("No Caddy on this machine (Debian: apt-get install caddy).")
    port = _free_port()
    (tmp_path / "Caddyfile").write_text(
        "{\n admin off\n auto_https off\n}\n"
        + printed(
            "caddy",
            ("lab.example.org {", f"http://127.0.0.1:{port} {{\nbind 127.0.0.1\n"),
            ("$2a$14$REPLACE.THIS.BY.THE.HASH.OF.THE.PASSWORD", BCRYPT),
            ("127.0.0.1:8501", f"127.0.0.1:{server.port}"),
        )
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [caddy, "run", "--config", tmp_path / "Caddyfile"], stdout=log, stderr=log
        )
    try:
        _wait_for(port, process, tmp_path / "log")
        page = f"http://127.0.0.1:{port}/lab/"
        assert requests.get(page, timeout=9).status_code == 401
        signed = {"Authorization": SIGNED}
        origin = f"http://127.0.0.1:{port}"
        path = upload_path(port, origin, additional_headers=signed)
        assert put(port, path, origin, headers=signed).status_code == 200
    finally:
        process.terminate()
        process.wait(10)
