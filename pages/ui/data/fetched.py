"""Fetches that have not ended well, each with a way to go on, and what is known of one that has."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from pages.ui import server
from pages.ui.data import intake
from pages.ui.data.archive import active_requests
from pages.ui.display import download
from pages.ui.text import count, counted, escape, size
from redshift_core import jobs
from redshift_core.data.archive import missing_ids
from redshift_core.data.archive.services import site_of
from redshift_core.data.archive.unfinished import Unfinished, discard, unfinished
from redshift_core.errors import InputError
from redshift_core.store import DatasetFolder, Store


def unfinished_fetches(store: Store) -> None:
    """List of fetches that were stopped or broke off; nothing where there is none."""
    working = active_requests(store)
    found = [one for one in unfinished(store) if one.request not in working]
    if not found:
        return
    st.markdown("**Unfinished fetches**: what has come is kept.")
    for one in found:
        with st.container(border=True):
            _line(store, one)


def show_origin(folder: DatasetFolder) -> None:
    """Where a fetched dataset comes from, and the sources that the archive lacks."""
    about = folder.info.get("archive")
    if not about:
        return
    if n_missing := about.get("n_missing"):
        st.info(
            f"The archive has no spectrum of {count(n_missing)} of the "
            f"{counted(about['n_asked'], 'source')} that were asked for.",
            icon=":material/search_off:",
        )
        download(
            lambda: pd.DataFrame({"source_id": missing_ids(folder)}),
            f"missing_{folder.id}", "Download the missing ids",
        )  # fmt: skip
    with st.expander("From the archive", icon=":material/cloud_download:"):
        lines = [(key, escape(str(text))) for key, text in _facts(about).items() if text]
        st.table(
            pd.DataFrame(lines), hide_index=True, hide_header=True,
            alt="Archive, release, date and redshifts of the dataset",
        )  # fmt: skip
        if query := about.get("adql"):
            st.code(query, language="sql", wrap_lines=True)
        _spectra(folder)


def _spectra(folder: DatasetFolder) -> None:
    """The file of coefficients that came, to predict and to take home, while it is kept."""
    for job in Store().jobs()[: intake.RECENT_JOBS]:
        if job.request.get("kind") == "fetch" and job.result.get("dataset") == folder.id:
            path = Path(job.result.get("file") or "")
            break
    else:
        return
    if not path.is_file():
        return
    with st.container(horizontal=True):
        if st.button("Predict them", key=f"predict_{folder.id}", icon=":material/auto_awesome:"):
            intake.hand_over(path, "predict")
            st.switch_page("pages/predict.py")
        st.link_button(
            f"Download the coefficients (Parquet, {size(path.stat().st_size)})",
            server.download_url(job, path), icon=":material/download:",
        )  # fmt: skip


def _facts(about: Mapping[str, Any]) -> dict[str, Any]:
    redshifts = about.get("redshifts") or {}
    source = str(redshifts.get("from", "")).rsplit("/", 1)[-1]
    if catalogue := redshifts.get("catalogue"):
        source += f" ({catalogue}, by {redshifts['by']})"
    if "matched" in redshifts:
        source += f", of {count(redshifts['matched'])} sources"
    if redshifts.get("ambiguous"):
        source += f"; {count(redshifts['ambiguous'])} more are not unique and got none"
    return {
        "Archive": ", ".join(dict.fromkeys((about["service"], about["url"]))),
        "Release": about["release"],
        "Fetched": about["fetched"],
        "List of ids": about.get("ids"),
        "Sources asked for": count(about["n_asked"]),
        "Redshifts": source,
        "Made with": ", ".join(f"{key} {text}" for key, text in about["versions"].items()),
    }


def _line(store: Store, one: Unfinished) -> None:
    """One fetch: how far it came, to go on and to discard."""
    begun = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(one.begun))
    far = (
        f"{count(one.n_done)} of {count(one.n_sources)} sources have come"
        if one.n_sources
        else "no spectrum has come yet"
    )
    st.markdown(f"**{escape(one.request.name)}**: {far}.")
    st.caption(f"{escape(site_of(one.request.service).title)}, begun {begun}.")
    key = one.folder.name
    with st.container(horizontal=True):
        if st.button("Resume", key=f"resume_{key}", type="primary", icon=":material/play_arrow:"):
            intake.follow(jobs.start(store, "fetch", **one.request.to_dict()))
        with st.popover("Discard", icon=":material/delete:"):
            st.markdown("Remove all that has come of this fetch?")
            if st.button("Discard for good", key=f"discard_{key}", type="primary"):
                _discard(store, one)


def _discard(store: Store, one: Unfinished) -> None:
    try:
        discard(store, one)
    except InputError as error:
        st.error(escape(str(error)))
        return
    st.rerun()
