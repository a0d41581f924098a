"""Every dialect × header × missing word × id form gives the same spectra."""

from pathlib import Path

import numpy as np
import pytest

from redshift_core.data import read_blocks
from redshift_core.data.cells import ROUNDED
from redshift_core.data.redshift_column import HIGHEST_Z
from redshift_core.data.text_forms import MAX_ASTROPY_BYTES, TEXT
from redshift_core.errors import InputError
from tests.data import dialects
from tests.data.dialects import NO_ID, NO_Z, N, Z
from tests.data.tables import PIXELS, many_rows


def fault(path, cell):
    """What is wrong with what was read of a cell; empty where all is right."""
    try:
        (found,) = read_blocks(path)
    except InputError as error:
        return f"refused: {error}"
    wanted_z = np.where(np.arange(N) == NO_Z, np.nan, Z)
    if len(found) != N:
        return f"{len(found)} rows"
    if not np.allclose(found.z_spec, wanted_z, rtol=2e-6, atol=0, equal_nan=True):
        return f"z {found.z_spec}"
    if not np.allclose(found.flux, cell.flux, rtol=1e-6, atol=1e-6, equal_nan=True):
        return "flux"
    known = np.full(N, cell.ids is not None)
    if cell.lacks_id:
        known[NO_ID] = False
    ids = np.arange(N) if cell.ids is None else np.where(known, cell.ids, np.arange(N))
    if found.known_id.tolist() != known.tolist() or found.source_id.tolist() != ids.tolist():
        return f"ids {found.source_id}"
    return ""


@pytest.mark.parametrize(
    ("share", "n_wanted"),
    [(0.3, (211, 4_737)), pytest.param(1.0, (708, 15_340), marks=pytest.mark.study)],
)
def test_every_dialect_gives_the_same_spectra(tmp_path, capsys, share, n_wanted):
    n_files, n_cells, wrong = 0, 0, {}
    for cell in dialects.cells(share):
        n_files, n_cells = n_files + 1, n_cells + len(cell.gone)
        if said := fault(dialects.written(tmp_path, cell), cell):
            wrong[cell.name] = said
    with capsys.disabled():
        print(
            f"\nseparators × headers × ids: {n_files - len(wrong)} of {n_files} files right; with "
            f"each missing word {n_cells:,} cells"
        )
    assert not wrong, "\n".join(f"{name}: {said}" for name, said in list(wrong.items())[:20])
    assert (n_files, n_cells) == n_wanted, "so that none is lost without a word"


def test_every_other_writer_gives_the_same_spectra(tmp_path):
    cells = list(dialects.other_writers())
    found = {cell.name: fault(dialects.written(tmp_path, cell), cell) for cell in cells}
    assert {name: said for name, said in found.items() if said} == {}
    assert len(found) == 31


def test_the_manual_names_every_form_that_the_readers_take():
    page = (Path(__file__).parents[2] / "docs" / "your-file.md").read_text("utf-8")
    signs = [*TEXT.comments, *TEXT.minus, *filter(None, TEXT.missing), *TEXT.id_prefixes]
    lacking = [sign for sign in signs if f"`{sign}" not in page]
    words = [*TEXT.separators, *TEXT.encodings, *TEXT.astropy.values(), TEXT.declaration]
    lacking += [word for word in words if word not in page]
    lacking += [sign for sign in TEXT.exponents if f"5{sign}" not in page]
    assert not lacking
    assert f"{MAX_ASTROPY_BYTES / 1e6:.0f} MB" in page
    assert f"above {HIGHEST_Z:g} is" in page
    assert f"{ROUNDED:,}" in page


@pytest.mark.parametrize("n", [6, 2_500])
def test_a_line_end_in_quotes_is_part_of_its_cell_whatever_the_size(tmp_path, n):
    """2,500 rows are some 3 MB: more than one block, so that a line end may fall between two."""
    body = many_rows(np.full(n, 0.25))
    notes = [f'line 1 of {k},\nline 2, ""so""' for k in range(n)]
    lines = [f'"{note}",{",".join(row)}' for note, row in zip(notes, body, strict=True)]
    path = tmp_path / "a.csv"
    path.write_text(",".join(["note", "z", *PIXELS]) + "\n" + "\n".join(lines) + "\n")
    found = list(read_blocks(path, block_rows=n))
    assert [len(one) for one in found] == [n]
    assert found[0].other["note"].to_pylist() == [note.replace('""', '"') for note in notes]
    lines[n - 3] = lines[n - 3].replace("0.25,", "0.25x,", 1)
    path.write_text(",".join(["note", "z", *PIXELS]) + "\n" + "\n".join(lines) + "\n")
    with pytest.raises(InputError, match=f"line {2 + 2 * (n - 3)}, column z: '0.25x'"):
        list(read_blocks(path))


def test_a_table_too_large_for_astropy_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("redshift_core.data.ascii_tables.MAX_ASTROPY_BYTES", 1000)
    cell = next(cell for cell in dialects.other_writers() if cell.name == "astropy ipac")
    path = dialects.written(tmp_path, cell)
    with pytest.raises(InputError, match=r"is an IPAC table of more than .* Save it as CSV"):
        list(read_blocks(path))
    monkeypatch.undo()
    path.write_bytes(cell.content.replace(b"double", b"banana", 1))
    with pytest.raises(InputError, match=r"seems to be an IPAC table, .* cannot be read as one"):
        list(read_blocks(path))
    path.write_bytes(cell.content.replace(b"5 0.1234567", b"50.1234567 ", 1))
    with pytest.raises(InputError, match="line 5: a value stands between the columns"):
        list(read_blocks(path))
