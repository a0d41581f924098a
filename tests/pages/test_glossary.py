"""The Glossary page: words, search, one word by its address, figures that open."""

import pytest

from pages.ui.glossary.figures import FIGURES
from redshift_core.reports.glossary import GLOSSARY
from tests.pages.made_up import open_page, texts


def headings(at):
    return [heading.value for heading in at.subheader]


def test_every_word_is_there_and_no_figure_is_drawn_before_it_is_opened(store):
    at = open_page("glossary")
    assert not at.exception
    assert headings(at) == [one.word for one in GLOSSARY.values()]
    assert not at.get("plotly_chart")


def test_a_search_narrows_the_list(store):
    at = open_page("glossary")
    at.text_input(key="search").set_value("over-fitting").run()
    assert headings(at)[0] == "Over-fitting"
    assert len(headings(at)) < len(GLOSSARY)
    at.text_input(key="search").set_value("quark").run()
    assert headings(at) == []
    assert "No word here says that" in texts(at)


def test_a_search_in_the_address_is_done(store):
    assert "Huber" in headings(open_page("glossary", search="huber"))


@pytest.mark.parametrize(
    "word", {one.figure: name for name, one in GLOSSARY.items() if one.figure}.values()
)
def test_a_word_in_the_address_shows_alone_with_its_figure(store, word):
    at = open_page("glossary", word=word)
    assert not at.exception
    assert headings(at) == [GLOSSARY[word].word]
    (chart,) = at.get("plotly_chart")
    shown = FIGURES[GLOSSARY[word].figure]
    assert shown.caption in texts(at)
    assert chart.proto.alt.startswith("SIMULATED" if shown.simulated else shown.alt)


def test_all_words_come_back_at_a_click(store):
    at = open_page("glossary", word="huber")
    at.button(key="all_words").click().run()
    assert len(headings(at)) == len(GLOSSARY)


def test_lines_move_with_the_slider(store):
    at = open_page("glossary", word="redshift")
    before = at.get("plotly_chart")[0].proto.spec
    at.slider(key="slider_redshift").set_value(0.3).run()
    assert "z = 0.3000" in at.get("plotly_chart")[0].proto.spec
    assert "z = 0.3000" not in before
