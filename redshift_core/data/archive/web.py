"""Calls over the network that end: time limits, tries with longer and longer waits, and Stop heard.

Archives fail in many ways: they are silent, cut their answers short, or send an error page with the
status of a success. Whoever reads an answer raises `ArchiveError` where it is not what it should
be; `Web.call` then asks again, and in the end says in one sentence what the archive said last.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from redshift_core.errors import InputError

LONGEST_WAIT = 120.0  # s between two tries
POLL = 0.1  # s between two looks at whether an answer has come or the user wants to stop
LARGEST = 2_000_000_000  # bytes of an answer; more is no answer to what is asked here
TOO_MANY = ("too many", "exceeds the limit", "maximum number of")  # ids, in the archive's words

Answer = TypeVar("Answer")


class ArchiveError(Exception):
    """An answer that is not what it should be; another try may bring a better one."""


class RefusedError(ArchiveError):
    """The archive understood the question and says no: one more try, in case it was only busy."""


class TooMuchError(ArchiveError):
    """The archive wants to be asked for less at a time."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a service, and how often to ask it again."""

    tries: int = 6
    wait: float = 4.0  # s before the second try; twice as long before each further one
    connect: float = 15.0  # s until a connection stands
    silence: float = 900.0  # s without a byte; DataLink was seen to take 1.8 s per spectrum
    whole: float = 7_200.0  # s for one answer: an asynchronous query may run for two hours


class Web:
    """A connection to one service.

    Parameters
    ----------
    url : str
        Address of the service; a token goes to its host and to no other.
    patience : Patience
    tick : callable
        Called many times a second while an answer is awaited; an exception from it, such as
        Stopped, ends the wait.
    token : str
        Value of the header ``Authorization``; none is sent where it is empty.
    """

    def __init__(self, url: str, patience: Patience, tick: Callable[[], None], token: str = ""):
        import requests

        self.patience, self.tick = patience, tick
        self.session = requests.Session()
        limits = (patience.connect, patience.silence)
        self.session.request = functools.partial(self.session.request, timeout=limits)  # type: ignore[method-assign]
        host = urlsplit(url).netloc

        def authorize(request: Any) -> Any:
            if token and urlsplit(request.url).netloc == host:
                request.headers["Authorization"] = token
            return request

        self.session.auth = authorize

    def call(self, what: str, function: Callable[[], Answer]) -> Answer:
        """Result of a function that asks the service, after as many tries as it takes.

        Parameters
        ----------
        what : str
            What is asked for, as in "gave no … after 6 tries".

        Raises
        ------
        InputError
            Where no try brought an answer.
        TooMuchError
            Where the service wants to be asked for less; that is not tried again.
        """
        tries, last = self.patience.tries, ""
        for attempt in range(1, tries + 1):
            try:
                return self._wait_for(function)
            except TooMuchError:
                raise
            except ArchiveError as error:
                last = " ".join(str(error).split())[:300].rstrip(".")
                if isinstance(error, RefusedError) and attempt > 1:
                    break
            if attempt < tries:
                self._pause(min(self.patience.wait * 2 ** (attempt - 1), LONGEST_WAIT))
        times = "1 try" if attempt == 1 else f"{attempt} tries"
        raise InputError(f"The archive gave no {what} after {times}; its last word was: {last}.")

    def post(self, url: str, **arguments: Any) -> tuple[int, bytes]:
        """Status and whole body of the answer to a POST."""
        import requests

        try:
            with self.session.post(url, stream=True, **arguments) as response:
                parts, size = [], 0
                for part in response.iter_content(1 << 16):
                    parts.append(part)
                    size += len(part)
                    if size > LARGEST:
                        raise ArchiveError(f"the answer is larger than {LARGEST / 1e9:.0f} GB")
                return response.status_code, b"".join(parts)
        except requests.RequestException as error:
            raise ArchiveError(reason(error)) from error

    def _wait_for(self, function: Callable[[], Answer]) -> Answer:
        """Result of a function that runs in a thread, so that Stop is heard meanwhile."""
        found: list[Any] = []

        def work() -> None:
            try:
                found.append((function(), None))
            except BaseException as error:
                found.append((None, error))

        thread = threading.Thread(target=work, daemon=True)  # a silent server must not hold us
        thread.start()
        end = time.monotonic() + self.patience.whole
        while thread.is_alive():
            self.tick()
            if time.monotonic() > end:
                raise ArchiveError(f"no whole answer within {self.patience.whole:.0f} s")
            thread.join(POLL)
        value, error = found[0]
        if error is not None:
            raise error
        return value

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.tick()
            time.sleep(min(POLL, left))


def reason(error: Exception) -> str:
    """What a library says of a failed call, as a clause without the names of its classes."""
    import requests

    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ReadTimeout):
        return "it was silent for longer than the time limit"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "its answer was cut off"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "no connection to it could be made or kept (is this machine online?)"
    return str(error)


def check_status(status: int, body: bytes) -> None:
    """Refuse what came with an error of HTTP, or with an error page in place of data.

    Raises
    ------
    ArchiveError
    """
    text = body[:600].decode("utf-8", "replace").strip()
    said = " ".join(text.split())[:160]
    if status in (413, 414) or any(words in text.lower() for words in TOO_MANY):
        raise TooMuchError(f"it wants fewer sources at a time (HTTP {status}: {said})")
    if status >= 400:
        raise ArchiveError(f"HTTP {status}: {said or 'without a word'}")
    if "<html" in text.lower():
        raise ArchiveError(f"a web page in place of data: {said}")
    if "service error" in text.lower() or not body:
        raise ArchiveError(said or "an empty answer")
