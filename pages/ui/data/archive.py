"""The door *From the archive*: which galaxies, which redshifts, how many, and then the fetch.

Nothing large moves before the number of sources has been asked for; both are jobs, so the page
never waits for an archive.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import streamlit as st

from pages.ui import server
from pages.ui.data import intake
from pages.ui.data.upload import ACCEPT, upload
from pages.ui.jobs.job import show_job
from pages.ui.text import counted, escape
from redshift_core import jobs
from redshift_core.data.archive import CUTS, RELEASE, SITES, FetchRequest, around, candidates
from redshift_core.errors import InputError
from redshift_core.store import JobFolder, Store, readable

OTHER = "other"  # a service that is named by its address
CANDIDATES, CIRCLE, IDS = "Galaxy candidates", "A circle on the sky", "A list of source ids"
EVERY = "all"  # candidates without a cut
CUT_TEXTS = {
    EVERY: "All that have a spectrum",
    "pure": "The purer ones (Gaia Collaboration, Bailer-Jones et al. 2023, section 9)",
}
FILE = "file"  # redshifts of the visitor's own catalogue
REDSHIFTS = {
    "sdss": "SDSS, by position (CDS X-Match)",
    "desi": "DESI, by position (CDS X-Match)",
    FILE: "A catalogue of your own",
    "ugc": "Gaia's own, UGC: to compare with",
    "none": "None: spectra to predict",
}
REDSHIFT_NOTES = {
    FILE: "A table with z, and with source_id or ra and dec in degrees.",
    "ugc": "A network that is trained on UGC learns its errors, too. Whatever is chosen here, UGC "
    "comes along, and Evaluate compares a run with it.",
}
COUNTED = "_archive_count"  # id of the job that counts
COUNTING = {"tries": 2, "wait": 2.0, "timeout": 120.0}  # of that job: a visitor waits for it


def archive_door(store: Store) -> None:
    """Form of a fetch; its job is handed to ``intake.follow``."""
    st.markdown(
        "Spectra of galaxies from a public archive of Gaia, with redshifts of other surveys. "
        "This computer asks the archive; it needs a connection to it."
    )
    try:
        request = _request(store)
        if request is None:
            st.caption("Still missing: an address, a query or a file.")
        else:
            _count_then_fetch(store, request)
    except InputError as error:
        st.error(escape(str(error)))


def active_requests(store: Store) -> list[FetchRequest]:
    """What the jobs at work are fetching."""
    working = (job.request for job, now in jobs.at_work(store) if now.kind == "fetch")
    return [FetchRequest.of_job(one) for one in working]


def _request(store: Store) -> FetchRequest | None:
    """What the form says; None while something is missing."""
    left, right = st.columns(2)
    with left:
        service = _service()
    with right:
        redshifts = _redshifts(store)
    sample = st.segmented_control(
        "Sample", [CANDIDATES, CIRCLE, IDS], default=CANDIDATES, required=True,
        key="archive_sample", persist_state="session",
    )  # fmt: skip
    chosen = st.container()
    known = redshifts not in ("", "none", "ugc")
    matched = known and st.checkbox(
        "Fetch only those that have a redshift", True,
        help="The others can be predicted, but not trained on.",
    )  # fmt: skip
    name = st.text_input("Name of the dataset", placeholder=sample, max_chars=80)
    with st.expander("More settings", icon=":material/tune:"):
        release = st.text_input("Release", RELEASE, key="archive_release")
        chunk = st.number_input(
            "Sources asked for at once", 0, 5000, 0, key="archive_chunk",
            help="0: what suits the service.",
        )  # fmt: skip
    with chosen:
        if sample == IDS:
            ids, adql = _file(store, "Source ids: a column source_id, or one id a line", "ids"), ""
        else:
            ids, adql = "", _query(release, circle=sample == CIRCLE)
    if not (service and redshifts and (ids or adql.strip())):
        return None
    return FetchRequest(
        name=name.strip() or sample, service=service, release=release, ids=ids, adql=adql,
        redshifts=redshifts, matched_only=matched, chunk=int(chunk),
    )  # fmt: skip


def _service() -> str:
    """Key of a service, or an address; empty while there is none."""
    titles = {**{key: site.title for key, site in SITES.items()}, OTHER: "Another service"}
    chosen = st.selectbox(
        "Archive", list(titles), format_func=titles.get, key="archive_service",
        persist_state="session",
    )  # fmt: skip
    if chosen != OTHER:
        return chosen
    address = st.text_input(
        "Its address", placeholder="https://archive.example.org/", key="archive_address",
        persist_state="session", help="It must speak the protocol of ESA's archive.",
    )  # fmt: skip
    if address and not address.startswith(("http://", "https://")):
        raise InputError(f"{address!r} is no address; expected such as https://archive.example/.")
    return address


def _redshifts(store: Store) -> str:
    """Where redshifts come from, as a fetch says it; empty while a file is missing."""
    chosen = st.selectbox(
        "Redshifts", list(REDSHIFTS), format_func=REDSHIFTS.get, key="archive_redshifts",
        persist_state="session",
    )  # fmt: skip
    if note := REDSHIFT_NOTES.get(chosen):
        st.caption(note)
    return _file(store, "Catalogue of redshifts", "redshifts") if chosen == FILE else chosen


def _query(release: str, circle: bool) -> str:
    """The query that gives the sample, as the visitor has left it."""
    cone, only = None, True
    if circle:
        columns = st.columns(3)
        cone = (
            columns[0].number_input("Right ascension / °", 0.0, 360.0, 180.0, format="%.4f"),
            columns[1].number_input("Declination / °", -90.0, 90.0, 0.0, format="%.4f"),
            columns[2].number_input("Radius / °", 0.001, 90.0, 1.0, format="%.3f"),
        )
        only = st.checkbox(
            "Only galaxy candidates", True, key="archive_only", help="Else stars are among them."
        )
    cuts = EVERY
    if only:
        cuts = st.selectbox("Candidates", [EVERY, *CUTS], format_func=_cut_text, key="archive_cuts")
    made = candidates(release, CUTS.get(cuts, ""), cone) if only else around(release, cone)
    return st.text_area(
        "Query in ADQL; change it as you like", made, height="content",
        key=f"archive_adql_{zlib.crc32(made.encode()):x}",
        help="It must give source_id, and ra and dec where redshifts are matched by position. "
        "Every further column is kept in the catalogue of the dataset.",
    )  # fmt: skip


def _cut_text(name: str) -> str:
    return CUT_TEXTS.get(name, name)


def _file(store: Store, label: str, what: str) -> str:
    """Path of a file that was uploaded or lies in the inbox; empty while there is none."""
    slot = f"_file_archive_{what}"
    chosen = Path(st.session_state.get(slot, ""))
    if chosen.is_file():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{label}: **{escape(chosen.name)}**", width="content")
            if st.button("Choose another", key=f"again_{what}", type="tertiary"):
                del st.session_state[slot]
                server.discard(chosen)
                st.rerun()
        return str(chosen)
    arrived = upload(store, label, f"upload_archive_{what}", f"{ACCEPT},.txt")
    files = {
        readable(str(path.relative_to(store.inbox))): path for path in intake.inbox_files(store)
    }
    if files:
        name = st.selectbox(
            "Or a file in the inbox", list(files), index=None, key=f"inbox_archive_{what}"
        )
        arrived = arrived or files.get(name)
    if arrived:
        st.session_state[slot] = str(arrived)
        st.rerun()
    return ""


def _count_then_fetch(store: Store, request: FetchRequest) -> None:
    """Say how many sources it would be; then, and only then, offer to fetch them."""
    counting = replace(
        request, name="", redshifts="none", matched_only=False, count=True, **COUNTING
    )
    if st.button("How many are there?", key="archive_count", icon=":material/calculate:"):
        job = jobs.start(store, "fetch", **counting.to_dict())
        st.session_state[COUNTED] = job.id
    job = JobFolder(store.root / "jobs" / st.session_state.get(COUNTED, "none"))
    if not job.request or FetchRequest.of_job(job.request) != counting:
        st.caption("The number of sources is asked for first; nothing large moves before.")
        return
    if show_job(job, "Counting the sources").state == "finished":
        _offer(store, request, job.result)


def _offer(store: Store, request: FetchRequest, found: dict[str, int]) -> None:
    """What a fetch would take, and its button."""
    n, calls = found["rows"], found["calls"]
    later = " Those without a redshift are left out before that." if request.matched_only else ""
    st.markdown(
        f"**{counted(n, 'source')}.** Their spectra take {counted(calls, 'call')} to "
        f"the archive and move about {found['megabytes']:,} MB.{later}"
    )
    busy = request in active_requests(store)
    pressed = st.button(
        "Fetch them", key="archive_fetch", type="primary", icon=":material/cloud_download:",
        disabled=busy or not n,
        help="It can be stopped at any time and goes on where it stopped.",
    )  # fmt: skip
    if pressed:
        intake.follow(jobs.start(store, "fetch", **request.to_dict()))
