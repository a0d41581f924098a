"""Tables for other programs: no formulas, no half files, clear refusals."""

import doctest

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from redshift_core.errors import InputError
from redshift_core.store import tables
from redshift_core.store.tables import (
    check_out,
    csv_text,
    latex_text,
    markdown_text,
    safe_cells,
)
from redshift_core.store.writers import PARQUET_KEY, TableWriter

TABLE = pd.DataFrame(
    {
        "source_id": [2**62 + 1, -7],
        "z_phot": [-0.25, np.nan],
        "name": ["=HYPERLINK(1)", "M 31"],
    }
)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_a_text_cell_that_a_spreadsheet_would_run_is_prefixed(start):
    assert safe_cells(pd.DataFrame({"a": [f"{start}1+1"]})).a.tolist() == [f"'{start}1+1"]


def test_a_header_that_a_spreadsheet_would_run_is_prefixed():
    assert list(safe_cells(pd.DataFrame({"=a": [1]})).columns) == ["'=a"]


def test_negative_numbers_and_large_ids_stay_as_they_are():
    lines = csv_text(TABLE).splitlines()
    assert lines[1] == f"{2**62 + 1},-0.25,'=HYPERLINK(1)"
    assert lines[2] == "-7,,M 31"


def test_the_table_itself_is_not_changed():
    safe_cells(TABLE)
    assert TABLE.name.tolist() == ["=HYPERLINK(1)", "M 31"]


def test_blocks_are_written_one_below_the_other_in_every_format(tmp_path):
    files = [tmp_path / "t.csv", tmp_path / "t.parquet"]
    with TableWriter(files, {"key": "value"}) as writer:
        writer.write(TABLE)
        assert not any(path.exists() for path in files)
        writer.write(TABLE)
    twice = pd.concat([TABLE, TABLE], ignore_index=True)
    pd.testing.assert_frame_equal(pd.read_parquet(files[1]), twice)
    assert files[0].read_text() == csv_text(twice)
    assert pq.read_schema(files[1]).metadata[PARQUET_KEY] == b'{"key": "value"}'
    assert sorted(tmp_path.iterdir()) == files


def test_a_result_that_cannot_be_written_is_refused(tmp_path):
    source = tmp_path / "survey.csv"
    source.write_text("z")
    for out, text in {
        tmp_path / "out.xlsx": "does not end in .csv, .parquet, .*, which chooses the format",
        tmp_path / "missing" / "out.csv": "does not exist; make it first",
        source: "is the input file",
    }.items():
        with pytest.raises(InputError, match=text):
            check_out(out, source)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_out(tmp_path / "folder.csv")
    assert check_out(tmp_path / "OUT.CSV", source) == tmp_path / "OUT.CSV"


NUMBERS = pd.DataFrame({"bin_of z": ["0.0–0.1", "a|b & c"], "σ": [-0.01234, np.nan], "n": [7, 8]})
FORMATS = {"σ": "%+.3f", "n": "%d"}


def test_markdown_keeps_one_line_a_row_and_escapes_what_it_would_read():
    lines = markdown_text(NUMBERS, FORMATS).splitlines()
    assert lines == [
        "| bin_of z | σ | n |",
        "| --- | ---: | ---: |",
        "| 0.0–0.1 | -0.012 | 7 |",
        r"| a\|b & c | – | 8 |",
    ]


def test_markdown_leaves_an_underscore_within_a_word_and_escapes_any_other():
    names = pd.DataFrame({"z_spec": ["_a_", "__b", "c__d", "σ_NMAD"]})
    cells = [line.strip("| ") for line in markdown_text(names).splitlines()]
    assert cells == ["z_spec", "---", r"\_a\_", r"\_\_b", r"c\_\_d", "σ_NMAD"]


def test_markdown_sets_texts_to_the_right_that_the_caller_names():
    rule = markdown_text(NUMBERS.astype(str), right=["σ", "n"]).splitlines()[1]
    assert rule == "| --- | ---: | ---: |"


def test_latex_sets_numbers_in_their_own_columns_and_escapes_what_it_would_run():
    lines = latex_text(NUMBERS, FORMATS).splitlines()
    assert lines[0] == r"\begin{tabular}{lrr}"
    assert lines[2] == r"bin\_of z & $\sigma$ & n \\"
    assert lines[4] == r"0.0--0.1 & $-0.012$ & 7 \\"
    assert lines[5] == r"a$|$b \& c & -- & 8 \\"
    assert lines[-1] == r"\end{tabular}"


def test_latex_runs_nothing_that_a_user_wrote():
    text = latex_text(pd.DataFrame({"x": [r"\input{/etc/passwd} 5% ~^"]}))
    assert r"\textbackslash{}input\{/etc/passwd\} 5\% \textasciitilde{}\textasciicircum{}" in text


def test_a_table_of_no_lines_has_a_head():
    empty = NUMBERS.head(0)
    assert len(markdown_text(empty).splitlines()) == 2
    assert len(latex_text(empty).splitlines()) == 6
    assert latex_text(pd.DataFrame()).startswith(r"\begin{tabular}{}")
    assert markdown_text(pd.DataFrame()) == ""


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(tables).failed == 0
