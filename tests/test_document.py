"""The self-contained HTML file: nothing in it is taken as markup, nothing in it leaves the disk."""

import json
import re
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from redshift_core import figures
from redshift_core.errors import InputError
from redshift_core.reports import document
from redshift_core.reports.document import Chart, Section, Table
from redshift_core.store.tables import cell_text

EVIL = "\"'></script><script>alert(1)</script>{{ lead }}"


def rendered(*parts, simulated=False, title="Title"):
    return document.render(title, "Lead.", [Section("Part", list(parts))], simulated)


def a_chart(name="run"):
    figure = figures.spectrum({name: np.linspace(1, 2, 186)}, np.linspace(366, 996, 186))
    return Chart(figure, f"Caption of {name}.", f"Alt of {name}.")


def own_markup(text):
    """The file without the embedded library and its scripts."""
    return re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_text_from_outside_is_never_markup():
    table = Table(pd.DataFrame({EVIL: [EVIL]}), EVIL, EVIL, EVIL)
    text = rendered(EVIL, table, a_chart(EVIL), title=EVIL)
    markup = own_markup(text)
    assert "<script>alert" not in text
    assert markup.count("</script>") == markup.count('<script type="application/json">') == 1
    assert "&lt;/script&gt;" in markup
    assert "\"'>" not in markup  # no attribute ends early
    assert "{{ lead }}" in markup  # and nothing is taken as the template's own


def test_a_figure_comes_back_from_the_file_as_it_was():
    text = rendered(a_chart(EVIL))
    spec = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])
    assert spec["data"][0]["name"] == EVIL
    assert "template" not in spec["layout"]


def test_the_file_forbids_itself_every_request_and_names_no_other_file():
    markup = own_markup(rendered(a_chart(), "text"))
    assert "default-src 'none'" in markup
    assert not re.search(r"<(link|img|iframe|script[^>]+src)\b", markup)
    assert not re.search(r"https?://", markup)


def test_the_library_is_embedded_once_whatever_the_number_of_figures():
    one, two = rendered(a_chart()), rendered(a_chart(), a_chart())
    assert len(two) - len(one) < 100_000
    assert one.count("Plotly.newPlot(box") == two.count("Plotly.newPlot(box") == 1


def test_simulated_data_say_so_under_the_title_in_the_figure_and_in_its_alternative():
    chart = a_chart()
    text = own_markup(rendered(chart, simulated=True))
    assert 'class="mark">SIMULATED' in text
    assert 'aria-label="SIMULATED. Alt of run."' in text
    assert '"text":"SIMULATED"' in text
    assert "SIMULATED" not in own_markup(rendered(chart))


def test_a_table_holds_the_numbers_as_read_and_its_csv_the_whole_of_them():
    frame = pd.DataFrame({"z bin": ["0.00–0.05"], "n": [12345], "mean": [0.0216499], "no": [None]})
    text = rendered(Table(frame, "t", "", "", {"n": "localized", "mean": "%.4f"}))
    assert '<td class="n">12,345</td><td class="n">0.0216</td>' in text
    assert '<td class="short">–</td>' in text
    csv = unquote(re.search(r'href="data:text/csv;charset=utf-8,([^"]*)"', text)[1])
    assert csv.splitlines()[1] == "0.00–0.05,12345,0.0216499,"


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (None, "%.4f", "–"), (float("nan"), "", "–"), (pd.NA, "localized", "–"), (True, "", "yes"),
        (-0.00817, "%+.4f", "-0.0082"), (520393, "localized", "520,393"), ("a", "%.2f", "a"),
        (0.5, "", "0.5"), (3, "", "3"),
    ],
)  # fmt: skip
def test_cells_are_written_as_the_pages_write_them(value, form, text):
    assert cell_text(value, form) == text


def test_a_document_is_written_whole_and_only_as_html(tmp_path):
    assert document.write(tmp_path / "a.html", "text") == tmp_path / "a.html"
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
    with pytest.raises(InputError, match=r"does not end in \.html"):
        document.write(tmp_path / "a.pdf", "text")
