"""The menu, and the way back to it for a page that is opened by its own address.

Streamlit also runs files in a folder called ``pages`` on their own until a session has called
``st.navigation``. ``guard`` catches that: it remembers where the visitor wanted to go and lets
``route`` take them there.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.ui import access, choose
from pages.ui.attempt import show_refused
from pages.ui.text import escape
from redshift_core.errors import InputError
from redshift_core.store import faults, store_root
from redshift_core.store.read_only import is_read_only
from redshift_core.store.store import one_look

TITLE = "Redshift Lab"
ICON = Path(__file__).with_name("icon.png")
_ROUTED = "_routed"  # set once this session has a menu
_PENDING = "_pending"  # page and query parameters wanted before there was one

SECTIONS: dict[str, list[tuple[str, str, str, str]]] = {  # file, title, icon, tooltip
    "": [("pages/home.py", "Home", ":material/home:", "Start here")],
    "Survey": [
        ("pages/data.py", "Data", ":material/database:", "Add spectra, see what was flagged"),
        ("pages/explore.py", "Explore", ":material/query_stats:", "Look at redshifts and spectra"),
    ],
    "Network": [
        ("pages/train.py", "Train", ":material/model_training:", "Fit a network, watch it learn"),
        ("pages/tune.py", "Tune", ":material/tune:", "Search for a better network"),
        ("pages/evaluate.py", "Evaluate", ":material/fact_check:", "How good the redshifts are"),
        ("pages/compare.py", "Compare", ":material/compare_arrows:", "Runs side by side"),
        ("pages/reproduce.py", "Reproduce", ":material/menu_book:", "The dissertation, again"),
    ],
    "Use": [
        ("pages/predict.py", "Predict", ":material/auto_awesome:", "Redshifts for new spectra"),
    ],
    "Help": [
        ("pages/glossary.py", "Glossary", ":material/menu_book:", "The words, with figures"),
    ],
}


def guard(page: str) -> None:
    """First line of every page: bring the visitor in through app.py.

    Parameters
    ----------
    page : str
        The page's own path, relative to app.py: ``"pages/train.py"``.
    """
    if _ROUTED not in st.session_state:
        st.session_state[_PENDING] = (page, dict(st.query_params))
        st.switch_page("app.py")


def route() -> None:
    """Show the menu and run the page it stands on."""
    st.session_state[_ROUTED] = True
    # A local picture, and before the menu: the menu's Material icons would otherwise become the
    # page's icon, which every browser would fetch from fonts.gstatic.com.
    st.set_page_config(page_icon=str(ICON), layout="wide")
    page = st.navigation({name: _pages(entries) for name, entries in SECTIONS.items()})
    st.set_page_config(page_title=f"{page.title} · {TITLE}")
    st.logo(str(ICON), size="large")
    if pending := st.session_state.pop(_PENDING, None):
        target, query = pending
        st.switch_page(target, query_params=query)
    choose.keep_in_url()
    if not access.signed_in():
        return
    if is_read_only():
        st.caption(":material/visibility: For viewers: nothing can be started or changed here.")
    show_refused()
    try:
        with one_look():
            page.run()
    except InputError as error:  # met in the middle of a page: what stands above it stays
        st.error(escape(str(error)), icon=":material/broken_image:")
    except OSError as error:  # a store that may not be read or written, or a full disk
        said = faults.sentence(error, store_root())
        if not said:
            raise
        st.error(escape(said), icon=":material/lock:")


def _pages(entries: list[tuple[str, str, str, str]]) -> list[st.Page]:
    return [
        st.Page(
            file,
            title=title,
            icon=icon,
            help=tooltip,
            default=title == "Home",
            url_path=None if title == "Home" else title.lower(),
        )
        for file, title, icon, tooltip in entries
    ]
