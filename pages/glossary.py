"""Glossary: the words of this program in plain sentences, with the figure that shows them."""

import streamlit as st

from pages.ui.glossary.figures import FIGURES, show_figure
from pages.ui.nav import guard
from pages.ui.text import count
from redshift_core.reports.glossary import GLOSSARY, SECTIONS, search

guard("pages/glossary.py")


def entry(name: str, *, opened: bool = False) -> None:
    """A word, its sentences, and its figure, which is drawn once it is opened."""
    one = GLOSSARY[name]
    st.subheader(one.word, anchor=name)
    st.markdown(one.text)
    if not one.figure:
        return
    title = f"Figure: {FIGURES[one.figure].title}"
    with st.expander(
        title, expanded=opened, key=f"open_{name}_{opened}", on_change="rerun"
    ) as figure:
        if figure.open:
            show_figure(one.figure, name)


def one_word(name: str) -> None:
    """The word that the address asks for, with its figure."""
    with st.container(border=True):
        entry(name, opened=True)
    if st.button("Show all words", key="all_words", icon=":material/menu_book:"):
        st.query_params.pop("word", None)
        st.rerun()


def all_words() -> None:
    """Every word by subject, or those that a search finds."""
    text = st.text_input(
        "Search the words", key="search", bind="query-params", placeholder="for example: loss",
        max_chars=60,
    )  # fmt: skip
    found = search(text)
    st.caption(f"{count(len(found))} of {count(len(GLOSSARY))} words.")
    if text and not found:
        st.info("No word here says that. Try a shorter search, or clear it to see them all.")
    elif text:
        for name in found:
            entry(name)
    else:
        for section, entries in SECTIONS.items():
            links = " · ".join(f"[{one.word}](#{name})" for name, one in entries.items())
            st.markdown(f"**{section}:** {links}")
        for section, entries in SECTIONS.items():
            st.header(section, divider="gray")
            for name in entries:
                entry(name)


st.title("Glossary")
if (word := st.query_params.get("word")) in GLOSSARY:
    one_word(word)
else:
    st.fragment(all_words)()
