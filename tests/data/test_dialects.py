"""Every dialect × header × missing word × id form gives the same spectra."""

import numpy as np
import pytest

from redshift_core.data import read_blocks
from redshift_core.errors import InputError
from tests.data import dialects
from tests.data.dialects import NO_ID, NO_Z, N, Z


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
    [(0.4, (271, 5_820)), pytest.param(1.0, (708, 15_340), marks=pytest.mark.study)],
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
    assert len(found) == 30
