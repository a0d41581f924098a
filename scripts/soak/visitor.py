"""A visitor of the dashboard without a browser: Streamlit's WebSocket, message by message.

So the server can be measured with many visitors on a machine that could not also run as many
browsers. A visitor opens pages, uses one widget at a time, and polls as a browser does where a
part of the page refreshes itself.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

LIMIT = 120.0  # s to wait for an answer
_UPLOAD = re.compile(rb"/api/upload/[\w-]+")
_DONE = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


@dataclass(frozen=True)
class Widget:
    """An element of the page that can be used."""

    id: str
    fragment: str  # part of the page that runs again with it; empty for all of it


@dataclass
class Visitor:
    """One session; ``errors`` holds what pages raised, in words."""

    url: str
    errors: list[str] = field(default_factory=list)
    widgets: dict[str, Widget] = field(default_factory=dict)  # label → widget
    polled: dict[str, float] = field(default_factory=dict)  # fragment → s between two runs
    uploads: set[str] = field(default_factory=set)  # addresses that take a file
    _pages: dict[str, str] = field(default_factory=dict)  # path → hash
    _page: str = ""
    _query: str = ""

    async def __aenter__(self) -> Visitor:
        address = self.url.replace("http", "ws", 1) + "/_stcore/stream"
        self._socket = await websockets.connect(
            address, subprotocols=["streamlit"], max_size=None, origin=self.url,
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self._socket.close()

    async def open(self, path: str, query: str = "") -> float:
        """Open a page by its path; s until it was drawn."""
        self._page, self._query = self._pages.get(path, ""), query
        self.widgets, self.polled = {}, {}
        return await self._run(path if not self._page else "")

    async def use(self, label: str, **value: Any) -> float:
        """Give a widget a value, such as ``double_value=0.04``; s until the answer was drawn."""
        widget = self.widgets[label]
        return await self._run("", WidgetState(id=widget.id, **value), widget.fragment)

    async def read(self, seconds: float, polled: Callable[[float], None]) -> None:
        """Look at the page for a while; what refreshes itself is asked for as a browser does."""
        end = time.monotonic() + seconds
        due = {name: time.monotonic() + every for name, every in self.polled.items()}
        while (left := end - time.monotonic()) > 0:
            name = min(due, key=due.__getitem__, default="")
            if not name or due[name] >= end:
                await asyncio.sleep(left)
                return
            await asyncio.sleep(max(0.0, due[name] - time.monotonic()))
            polled(await self._run("", fragment=name, is_auto_rerun=True))
            now = time.monotonic()
            due = {one: due.get(one, 0.0) for one in self.polled}
            due = {one: now + self.polled[one] if one == name else due[one] for one in due}

    async def _run(
        self, name: str, state: WidgetState | None = None, fragment: str = "", **more: Any
    ) -> float:
        message = BackMsg()
        client = message.rerun_script
        client.query_string, client.page_script_hash = self._query, self._page
        client.page_name, client.fragment_id = name, fragment
        client.context_info.url = f"{self.url}/{name}"
        for key, value in more.items():
            setattr(client, key, value)
        if state is not None:
            client.widget_states.widgets.append(state)
        begun = time.monotonic()
        await self._socket.send(message.SerializeToString())
        while True:
            data = await asyncio.wait_for(self._socket.recv(), LIMIT)
            self.uploads |= {found.decode() for found in _UPLOAD.findall(data)}
            if self._take(ForwardMsg.FromString(data)):
                return time.monotonic() - begun

    def _take(self, message: ForwardMsg) -> bool:
        """Keep what a message says; whether the page is drawn."""
        kind = message.WhichOneof("type")
        if kind == "script_finished":
            if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                self.errors.append("the script could not be compiled")
                return True
            return message.script_finished in _DONE
        if kind == "navigation":
            self._pages = {page.url_pathname: page.page_script_hash
                           for page in message.navigation.app_pages}  # fmt: skip
            self._page = message.navigation.page_script_hash
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self.polled[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "stop_auto_rerun":
            for name in message.stop_auto_rerun.fragment_ids:
                self.polled.pop(name, None)
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._element(message.delta)
        return False

    def _element(self, delta: Any) -> None:
        kind = delta.new_element.WhichOneof("type")
        element = getattr(delta.new_element, kind) if kind else None
        if kind == "exception":
            self.errors.append(f"{element.type}: {element.message}")
        elif getattr(element, "label", "") and getattr(element, "id", ""):
            self.widgets[element.label] = Widget(element.id, delta.fragment_id)
