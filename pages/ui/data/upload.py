"""A file input that streams to the inbox: any size, constant memory, with progress and cancel.

The browser sends each file to the route of ``pages.ui.server``, one after the other; the page
learns only that they have arrived. An upload goes on while the visitor looks at another page. What
is left out, and what a proxy answers in place of the server, is said below the input.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from pages.ui import server
from pages.ui.text import size
from redshift_core.settings.names import FORMAT_TITLES, FORMATS
from redshift_core.store import Store
from redshift_core.store.read_only import is_read_only

ACCEPT = ",".join(suffix for one in FORMATS.values() for suffix in one.suffixes)
MOST = 20  # files that are taken at once
PROXY = "The proxy in front of this dashboard"
ANSWERS = {  # status that no answer of the server's own explains → sentence
    "413": f"{PROXY} takes no file of this size (status 413). Whoever runs it can raise its limit "
    "(nginx: client_max_body_size), or you can put the file into the inbox folder on the server.",
    "502": f"{PROXY} did not reach it (status 502): it is starting again, or has stopped. Wait a "
    "minute, load the page again, and choose the file again.",
    "504": f"{PROXY} did not wait until the file had arrived (status 504). Whoever runs it can let "
    "it wait longer (nginx: proxy_read_timeout), or you can put the file into the inbox folder on "
    "the server.",
    "401": f"{PROXY} asks for the password again (status 401); load the page again.",
    "other": f"{PROXY} refused the file (status STATUS); load the page again, or ask whoever runs "
    "it.",
    "broken": "The connection broke off after LOADED of TOTAL MB; choose the file again. Where it "
    "always breaks off, a proxy in front of this dashboard may allow no larger file (nginx: "
    "client_max_body_size), or none that takes longer (proxy_read_timeout).",
}
ANSWERS["503"] = ANSWERS["502"].replace("502", "503")

_HTML = """
<div class="drop">
  <label>
    <span class="label"></span>
    <input type="file" aria-describedby="hint" />
    <span class="choose" aria-hidden="true"></span>
    <span class="hint" id="hint"></span>
  </label>
  <div class="running" hidden>
    <progress max="1" value="0" aria-label="Upload progress"></progress>
    <button type="button" class="cancel">Cancel</button>
  </div>
  <div class="status" role="status"></div>
</div>
"""

_CSS = """
.drop { border: 1px dashed var(--st-border-color); border-radius: var(--st-base-radius);
  background: var(--st-secondary-background-color); color: var(--st-text-color);
  padding: 1rem; font-family: var(--st-font); font-size: 0.95rem; }
.drop.over, .drop:focus-within { border-color: var(--st-primary-color); }
label { display: flex; flex-wrap: wrap; gap: 0.4rem 1rem; align-items: center; cursor: pointer; }
.label { flex-basis: 100%; font-weight: 600; }
input { position: absolute; width: 1px; height: 1px; opacity: 0; }
.choose, .cancel { background: var(--st-background-color); color: var(--st-text-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
  padding: 0.35rem 0.8rem; font: inherit; cursor: pointer; }
.choose:hover, .cancel:hover, .cancel:focus-visible, input:focus-visible + .choose {
  border-color: var(--st-primary-color); color: var(--st-primary-color); }
.hint { opacity: 0.75; font-size: 0.875rem; }
.running { display: flex; gap: 0.75rem; align-items: center; margin-top: 0.75rem; }
.running[hidden] { display: none; }
progress { flex: 1; min-width: 4rem; height: 0.6rem; accent-color: var(--st-primary-color); }
.status { white-space: pre-line; overflow-wrap: anywhere; }
.status:not(:empty) { margin-top: 0.5rem; }
.status.bad { color: var(--st-red-text-color); }
"""

_JS = """
const megabytes = (n) => (n / 1e6).toLocaleString("en", { maximumFractionDigits: n < 1e7 ? 1 : 0 })

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const find = (selector) => parentElement.querySelector(selector)
  const drop = find(".drop"), input = find("input"), running = find(".running")
  const bar = find("progress"), status = find(".status")
  const flights = (window.redshiftLabUploads ??= {})
  find(".label").textContent = data.label
  find(".hint").textContent = data.hint
  find(".choose").textContent = data.urls.length > 1 ? "Choose files" : "Choose a file"
  input.accept = data.accept
  input.multiple = data.urls.length > 1

  const say = (text, bad) => {
    status.textContent = text
    status.classList.toggle("bad", Boolean(bad))
  }
  const view = {
    progress: (flight) => {
      running.hidden = false
      input.disabled = true
      const loaded = flight.before + flight.loaded
      bar.value = flight.total ? loaded / flight.total : 0
      const which = flight.files.length > 1 ? ` (${flight.at + 1} of ${flight.files.length})` : ""
      const name = flight.files[flight.at].name
      say(`${name}${which}: ${megabytes(loaded)} of ${megabytes(flight.total)} MB`)
    },
    end: (text, bad) => {
      running.hidden = true
      input.disabled = false
      input.value = ""
      say(text, bad)
      drop.dataset.spent = data.token
      setTriggerValue("finished", data.token)
    },
  }

  const finish = (flight, said) => {
    delete flights[flight.token]
    const lines = said ? [said] : []
    if (flight.arrived.length > 1) lines.push(`${flight.arrived.length} files have arrived.`)
    else if (flight.arrived.length) lines.push(`${flight.arrived[0]} has arrived.`)
    if (flight.left.length && !flight.single) lines.push("Left out:")
    flight.view.end([...lines, ...flight.left].join("\\n"), flight.left.length > 0)
  }

  const leave = (flight, name, why) => flight.left.push(flight.single ? why : `${name}: ${why}`)

  const next = (flight) => {
    if (flight.at >= flight.files.length) return finish(flight)
    const file = flight.files[flight.at], request = new XMLHttpRequest()
    flight.request = request
    flight.loaded = 0
    const go = (why) => {
      if (why) leave(flight, file.name, why)
      else flight.arrived.push(file.name)
      flight.before += file.size
      flight.at += 1
      next(flight)
    }
    request.upload.onprogress = (event) => {
      flight.loaded = event.loaded
      flight.view.progress(flight)
    }
    request.onload = () => {
      if (request.status === 200) return go()
      let why = data.answers[request.status] ?? data.answers.other
      try { why = JSON.parse(request.responseText).error ?? why } catch (error) {}
      go(why.replace("STATUS", request.status))
    }
    request.onerror = () => go(data.answers.broken
      .replace("LOADED", megabytes(flight.loaded)).replace("TOTAL", megabytes(file.size)))
    request.onabort = () => finish(flight, "Upload cancelled.")
    request.open("PUT", flight.urls[flight.at])
    request.setRequestHeader("x-filename", encodeURIComponent(file.name))
    request.setRequestHeader("x-files", flight.files.length)
    flight.view.progress(flight)
    request.send(file)
  }

  const send = (chosen) => {
    const all = [...chosen]
    if (!all.length || flights[data.token]) return
    if (drop.dataset.spent === data.token) {  // the next tokens are on their way
      drop.waiting = all
      return
    }
    const flight = {
      view, token: data.token, urls: data.urls, single: all.length === 1, left: [], arrived: [],
      at: 0, before: 0, loaded: 0,
    }
    const small = all.filter((file) => file.size <= data.limit)
    for (const file of all) if (file.size > data.limit) leave(flight, file.name, data.too_large)
    flight.files = small.slice(0, data.urls.length)
    for (const file of small.slice(data.urls.length)) leave(flight, file.name, data.too_many)
    flight.total = flight.files.reduce((sum, file) => sum + file.size, 0)
    if (!flight.files.length) return say(flight.left.join("\\n"), true)
    flights[data.token] = flight
    next(flight)
  }

  if (flights[data.token]) {
    flights[data.token].view = view
    view.progress(flights[data.token])
  } else if (data.arrived) {  // the page that sent them was loaded again before the last one
    setTriggerValue("finished", data.token)
  }
  if (drop.waiting && drop.dataset.spent !== data.token) {
    send(drop.waiting)
    drop.waiting = null
  }
  input.onchange = () => send(input.files)
  find(".cancel").onclick = () => flights[data.token]?.request.abort()
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over") }
  drop.ondragleave = () => drop.classList.remove("over")
  drop.ondrop = (event) => {
    event.preventDefault()
    drop.classList.remove("over")
    send(event.dataTransfer.files)
  }
}
"""

_file_input = st.components.v2.component("redshift_lab_upload", html=_HTML, css=_CSS, js=_JS)


def upload(store: Store, label: str, key: str, accept: str = ACCEPT) -> Path | None:
    """File input; the path of a file that has just arrived in the inbox, once.

    Parameters
    ----------
    store : Store
        Where the file goes: ``inbox/upload-…/name``.
    label : str
        What the file is for.
    key : str
        Key of the widget, one per page.
    accept : str
        Endings of the files that the browser offers, parted by commas.
    """
    return next(iter(uploads(store, label, key, accept, most=1)), None)


def uploads(
    store: Store, label: str, key: str, accept: str = ACCEPT, most: int = MOST
) -> list[Path]:
    """As `upload`, of several files at a time; empty while none, or not the last, has arrived.

    Parameters
    ----------
    most : int
        Files that are taken at once; the browser names those that it leaves out.
    """
    if is_read_only():
        st.caption("Files are not taken here: this dashboard is for viewers.")
        return []
    slot = f"_token_{key}"
    tokens = [st.session_state.get(slot, ""), *st.session_state.get(f"_more{slot}", [])]
    leaves = [leave for token in tokens if (leave := server.ticket(token))]
    arrived = [leave.path for leave in leaves if leave.state == "done"]
    ended = sum(leave.state in ("done", "failed") for leave in leaves)
    whole = bool(leaves) and ended >= leaves[0].n_files
    if arrived and (st.session_state.pop(f"_ended{slot}", False) or whole):
        _forget(slot)
        return arrived
    expired = bool(leaves) and leaves[0].state == "open" and leaves[0].spent
    if not leaves or whole or (expired and not arrived):
        tokens = [server.mint(store) for _ in range(most)]
        st.session_state[slot], st.session_state[f"_more{slot}"] = tokens[0], tokens[1:]
    _file_input(
        key=key,
        data={"arrived": len(arrived), "label": label, "accept": accept, **_said(tokens)},
        on_finished_change=lambda: _finished(slot),
    )
    return []


def _said(tokens: list[str]) -> dict[str, Any]:
    """Where the browser sends files to, and what it says of those that it leaves out."""
    limit, several = server.upload_limit(), len(tokens) > 1
    most = f"{len(tokens)} files are taken at once; send it after the others."
    return {
        "token": tokens[0],
        "urls": [server.upload_url(token) for token in tokens],
        "limit": limit,
        "hint": f"or drop {'them' if several else 'it'} here: {FORMAT_TITLES}, up to {size(limit)}",
        "too_large": server.too_large("This file", limit),
        "too_many": most if several else "one file is taken at a time here; send it afterwards.",
        "answers": ANSWERS,
    }


def _finished(slot: str) -> None:
    """The browser has nothing left to send; where nothing arrived, it gives its tokens back."""
    tokens = [st.session_state.get(slot, ""), *st.session_state.get(f"_more{slot}", [])]
    if any((leave := server.ticket(token)) and leave.state == "done" for token in tokens):
        st.session_state[f"_ended{slot}"] = True
    else:  # even before the server has noticed
        _forget(slot)


def _forget(slot: str) -> None:
    """Let the next run of the page ask for new tokens."""
    for name in (slot, f"_more{slot}"):
        st.session_state.pop(name, None)
