"""A file input that streams to the inbox: any size, constant memory, with progress and cancel.

The browser sends the file to the route of ``pages.ui.server``; the page learns only that the file
has arrived. An upload goes on while the visitor looks at another page.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import server
from pages.ui.text import size
from redshift_core.settings.names import FORMAT_TITLES, FORMATS
from redshift_core.store import Store

ACCEPT = ",".join(suffix for one in FORMATS.values() for suffix in one.suffixes)

_HTML = """
<div class="drop">
  <label>
    <span class="label"></span>
    <input type="file" aria-describedby="hint" />
    <span class="choose" aria-hidden="true">Choose a file</span>
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
  input.accept = data.accept

  const say = (text, bad) => {
    status.textContent = text
    status.classList.toggle("bad", Boolean(bad))
  }
  const view = {
    progress: (flight) => {
      running.hidden = false
      input.disabled = true
      bar.value = flight.total ? flight.loaded / flight.total : 0
      say(`${flight.name}: ${megabytes(flight.loaded)} of ${megabytes(flight.total)} MB`)
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

  const send = (file) => {
    if (!file || flights[data.token]) return
    if (file.size > data.limit) return say(data.too_large, true)
    if (drop.dataset.spent === data.token) {  // the next token is on its way
      drop.waiting = file
      return
    }
    const request = new XMLHttpRequest()
    const flight = { request, view, name: file.name, loaded: 0, total: file.size }
    flights[data.token] = flight
    const finish = (text, bad) => {
      delete flights[data.token]
      flight.view.end(text, bad)
    }
    request.upload.onprogress = (event) => {
      flight.loaded = event.loaded
      flight.view.progress(flight)
    }
    request.onload = () => {
      if (request.status === 200) return finish(`${file.name} has arrived.`)
      let sentence = `The server answered with status ${request.status}.`
      try { sentence = JSON.parse(request.responseText).error } catch (error) {}
      finish(sentence, true)
    }
    request.onerror = () => finish("The connection broke off; choose the file again.", true)
    request.onabort = () => finish("Upload cancelled.")
    request.open("PUT", data.url)
    request.setRequestHeader("x-filename", encodeURIComponent(file.name))
    view.progress(flight)
    request.send(file)
  }

  if (flights[data.token]) {
    flights[data.token].view = view
    view.progress(flights[data.token])
  }
  if (drop.waiting && drop.dataset.spent !== data.token) {
    send(drop.waiting)
    drop.waiting = null
  }
  input.onchange = () => send(input.files[0])
  find(".cancel").onclick = () => flights[data.token]?.request.abort()
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over") }
  drop.ondragleave = () => drop.classList.remove("over")
  drop.ondrop = (event) => {
    event.preventDefault()
    drop.classList.remove("over")
    send(event.dataTransfer.files[0])
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
    slot = f"_token_{key}"
    leave = server.ticket(st.session_state.get(slot, ""))
    if leave is not None and leave.state == "done":
        del st.session_state[slot]
        return leave.path
    if leave is None or leave.spent:
        st.session_state[slot] = server.mint(store)
    limit = server.upload_limit()
    _file_input(
        key=key,
        data={
            "token": st.session_state[slot],
            "url": server.upload_url(st.session_state[slot]),
            "label": label,
            "accept": accept,
            "limit": limit,
            "hint": f"or drop it here: {FORMAT_TITLES}, up to {size(limit)}",
            "too_large": server.too_large("This file", limit),
        },
        on_finished_change=lambda: _finished(slot),
    )
    return None


def _finished(slot: str) -> None:
    """A broken-off upload gives its token back, even before the server has noticed."""
    leave = server.ticket(st.session_state.get(slot, ""))
    if leave is None or leave.state != "done":
        st.session_state.pop(slot, None)
