"""Hand a run on: its report and its ZIP to take away, and the door through which one comes in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from pages.ui import choose, server
from pages.ui.attempt import attempt
from pages.ui.jobs.job import show_job, start
from pages.ui.text import escape, size
from redshift_core import jobs
from redshift_core.errors import InputError
from redshift_core.store import RunFolder, Store
from redshift_core.store.archive import import_run
from redshift_core.store.read_only import refuse_writing

RECENT = 50  # newest jobs looked through for files made before
MAX_MB = 200  # of a ZIP uploaded here
ICONS = {".html": ":material/article:", ".zip": ":material/folder_zip:"}


def share(run: RunFolder, dataset: str = "") -> None:
    """Popover with the report of a run and its ZIP.

    Parameters
    ----------
    dataset : str
        Evaluation that the report shows; that on the run's own test rows where empty.
    """
    with st.popover("Report and share", icon=":material/ios_share:", key=f"share_{run.id}"):
        st.caption(
            "The report is one HTML file that opens without network. The ZIP holds settings, "
            "history, split, scaler, model and evaluations, with the redshifts of the test "
            "galaxies; another Redshift Lab takes it in on its Compare page."
        )
        if not run.model_path.exists() or jobs.status(run).active:
            st.caption("Both can be made once the run has ended with a model.")
            return
        request = {"run": run.id, **({"dataset": dataset} if dataset else {})}
        since = max(run.last_evaluated(), run.model_path.stat().st_mtime)
        offer_files("Make report and ZIP", "report", since=since, **request)


def offer_files(label: str, kind: str, *, since: float = 0.0, **request: str | int) -> None:
    """Button that has a short job make files, then links to them; found again after a refresh.

    Parameters
    ----------
    since : float
        Unix time of the last change of what they are made from; older files are not offered.
    """
    store, wanted = Store(), {"kind": kind, **request}
    job = next((one for one in store.jobs()[:RECENT] if one.request == wanted), None)
    now = show_job(job, "Writing") if job else None
    if now and now.active:
        return
    fresh = bool(now) and now.state == "finished" and now.heartbeat >= since
    for path in map(Path, job.result["files"] if fresh else ()):
        if path.exists():
            st.link_button(
                f"{path.name} · {size(path.stat().st_size)}", server.download_url(job, path),
                icon=ICONS.get(path.suffix, ":material/download:"),
            )  # fmt: skip
    st.button(
        "Make again" if fresh else label, key=f"make_{kind}_{request.get('run', '')}",
        type="tertiary" if fresh else "secondary", icon=":material/build:",
        on_click=start, args=(wanted,),
    )  # fmt: skip


def import_door(arrived: Callable[[str], None] = lambda _: None) -> None:
    """Uploader for a run that was packed elsewhere; what came of it is said below.

    Parameters
    ----------
    arrived : callable
        Called with the id of a run that came in, before the page is drawn again.
    """
    st.file_uploader(
        "ZIP of a run", type="zip", key="import_zip", max_upload_size=MAX_MB,
        on_change=attempt, args=(_take_in, arrived),
        help="Made by “Report and share” or `redshift-lab export`. A larger one comes in with "
        "`redshift-lab import FILE`.",
    )  # fmt: skip
    kind, text = st.session_state.get("import_said", ("", ""))
    if kind:
        {"error": st.error, "success": st.success}[kind](escape(text))


def _take_in(arrived: Callable[[str], None]) -> None:
    st.session_state.pop("import_said", None)
    file = st.session_state["import_zip"]
    if file is None:
        return
    refuse_writing()
    store = Store()
    folder = Path(tempfile.mkdtemp(dir=store.cache))
    try:
        path = folder / server.safe_name(file.name)
        path.write_bytes(file.getbuffer())
        run, existing = import_run(store, path)
    except InputError as error:
        st.session_state["import_said"] = ("error", str(error))
        return
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    choose.select(run=run.id)
    arrived(run.id)
    ended = "was here already" if existing else "is here; it can be compared and applied"
    st.session_state["import_said"] = ("success", f"{run.name} {ended}.")
