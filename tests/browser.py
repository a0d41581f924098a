"""The dashboard in a real browser: a server of its own, a Chromium page, what both did.

Without Chromium the browser tests skip and say so; with ``REDSHIFT_LAB_REQUIRE_BROWSER=1`` a
missing browser is a failure. ``REDSHIFT_LAB_SCREENSHOTS=<folder>`` keeps pictures of the journey.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from redshift_core.store import CHECKOUT

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
START_LIMIT = 60.0  # s
STEP_LIMIT = 60_000  # ms a step may take on a busy machine
KNOWN_404 = re.compile(r"/[a-z]+/_stcore/(health|host-config)$")  # Streamlit's, on deep links


def chromium() -> str:
    """Path of Chromium; skips the test, or fails it where a browser is required."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        sentence = f"No Chromium on the path (looked for {', '.join(NAMES)})."
        if os.environ.get("REDSHIFT_LAB_REQUIRE_BROWSER") == "1":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


class Server:
    """``streamlit run app.py`` on a free port; ``root`` is the folder of ``app.py``."""

    def __init__(
        self,
        home: Path,
        log: Path,
        port: int | None = None,
        python: str = sys.executable,
        root: Path = CHECKOUT,
        health: str = "_stcore/health",
    ):
        self.home, self.log = home, log
        self.python, self.root, self.health = python, root, health
        self.port = port or _free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def start(self) -> Server:
        command = [self.python, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, f"--server.port={self.port}"],
                cwd=self.root,
                env={**os.environ, "REDSHIFT_LAB_HOME": str(self.home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_LIMIT
        while not self._healthy():
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"The server did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def maps(self) -> str:
        """Files that the server's process has mapped."""
        return Path(f"/proc/{self.pid}/maps").read_text()

    def rss_anon(self) -> float:
        """Private memory of the server, in MB."""
        found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found.group(1)) * 1024 / 1e6

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/{self.health}", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False


class Visit:
    """A browser page and what it did: requests to other hosts, errors on the console."""

    def __init__(self, page, server: Server):
        self.page, self.server = page, server
        self.strangers: list[str] = []
        self.errors: list[str] = []
        self._network = None  # a limit holds for as long as the session that set it
        page.set_default_timeout(STEP_LIMIT)
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, path: str = "") -> Visit:
        self.page.goto(f"{self.server.url}/{path}", wait_until="domcontentloaded")
        return self.settle()

    def menu(self, name: str) -> Visit:
        """Change the page as a visitor does; a narrow window hides the menu behind a button."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
        title = "Redshift Lab" if name == "Home" else name
        self.page.get_by_role("heading", name=title, level=1).wait_for()
        return self.settle()

    def settle(self) -> Visit:
        """Wait until the script has run."""
        self.page.wait_for_function(
            "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState"
            " === 'notRunning'"
        )
        return self

    def shows(self, look: Callable[[], object], wanted: object) -> None:
        """Wait until what is looked at is as wanted: React paints some values after the script."""
        end = time.monotonic() + STEP_LIMIT / 1000
        while (seen := look()) != wanted and time.monotonic() < end:
            self.page.wait_for_timeout(100)
        assert seen == wanted

    def text(self) -> str:
        return self.page.get_by_test_id("stMain").inner_text()

    def shot(self, name: str) -> None:
        """Keep a picture of the page, where a folder for pictures is named."""
        if folder := os.environ.get("REDSHIFT_LAB_SCREENSHOTS"):
            self.settle().page.wait_for_timeout(1000)
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def slow_upload(self, bytes_per_second: int) -> None:
        """Limit what the page may send per second; -1 lifts the limit."""
        self._network = self._network or self.page.context.new_cdp_session(self.page)
        self._network.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": 0,
                "downloadThroughput": -1,
                "uploadThroughput": bytes_per_second,
            },
        )

    def _request(self, request) -> None:
        address = urlsplit(request.url)
        own = address.netloc == urlsplit(self.server.url).netloc
        if address.scheme in ("http", "https", "ws", "wss") and not own:
            self.strangers.append(request.url)

    def _console(self, message) -> None:
        where = urlsplit((message.location or {}).get("url", "")).path
        if message.type == "error" and not KNOWN_404.search(where):
            self.errors.append(f"{message.text} ({where})")


@contextmanager
def browser(width: int = 1400, height: int = 900, scheme: str = "light") -> Iterator:
    """Chromium context in which downloads are accepted."""
    from playwright.sync_api import sync_playwright

    path = chromium()
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield chrome.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                accept_downloads=True,
                reduced_motion="reduce",  # moving placeholders take a seventh of all work
            )
        finally:
            chrome.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
