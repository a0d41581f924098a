"""Numbers that stand for a missing flux are found in any unit, and real spectra are not."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from redshift_core.constants import FLAGS
from redshift_core.data import ingest, open_dataset, read_blocks
from redshift_core.data.sentinels import has_sentinel
from redshift_core.data.split import new_split
from redshift_core.errors import InputError
from redshift_core.reference.real_galaxies import real_galaxies
from redshift_core.settings.run import SplitConfig
from redshift_core.store import demo_file
from tests.data.tables import arrow, redshifts, spectra

WORDS = [
    1e20, -1e20, -999.0, -9999.0, 9999.0, -99.0, 1e30, 9.969209968386869e36, 3.4028235e38, -32768.0,
]  # fmt: skip


def noisy(level: float, scatter: float, n: int = 300) -> np.ndarray:
    """Flat spectra with noise, some of them mostly noise, as at the faint end."""
    return np.random.default_rng(1).normal(level, scatter, (n, 186)).astype(np.float32)


@pytest.mark.parametrize("word", WORDS)
def test_a_number_that_stands_for_a_missing_flux_is_found_wherever_it_stands(word):
    flux = spectra(40).astype(np.float32)
    for row, pixels in enumerate(([0], [185], range(0, 10), range(80, 186), range(0, 186, 3))):
        flux[row, list(pixels)] = word
    flux[5] = word  # every pixel
    assert np.flatnonzero(has_sentinel(flux)).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_word_is_found_in_a_bright_spectrum_too_and_is_none_among_its_like():
    bright = np.linspace(100, 700, 186, dtype=np.float32)[None].repeat(4, axis=0)
    bright[0, 7], bright[1, 7] = -999, 9999
    counts = np.linspace(9_900, 10_100, 186, dtype=np.float32).round()
    counts[90] = 9_999  # among neighbours of its size
    assert has_sentinel(bright).tolist() == [True, True, False, False]
    assert not has_sentinel(counts[None]).any()


def test_no_measured_or_simulated_spectrum_is_taken_for_one():
    blocks = [block.flux for block in read_blocks(demo_file())]
    assert sum(map(len, blocks)) == 5_000  # SIMULATED
    assert not any(has_sentinel(flux).any() for flux in [*blocks, real_galaxies().flux])
    for level, scatter in ((0.0, 1.0), (0.3, 1.0), (-0.2, 0.5), (5.0, 0.1), (300.0, 2.0)):
        flux = noisy(level, scatter)
        for unit in (1.0, 1e-18, 1e12):
            assert not has_sentinel(flux * np.float32(unit)).any()
    line = noisy(1.0, 0.1)
    line[:, 100] = 40.0  # an emission line as strong as they come
    line[:, :80] = 0.0  # and a band without light
    assert not has_sentinel(line).any()


def test_what_is_not_finite_or_zero_has_flags_of_its_own():
    flux = spectra(4).astype(np.float32)
    flux[0, 3], flux[1, 3], flux[2] = np.nan, np.inf, 0.0
    assert not has_sentinel(flux).any()
    assert has_sentinel(flux[:0]).shape == (0,)


def test_training_on_a_file_with_sentinels_is_training_on_its_other_rows(tmp_path, store):
    flux, z, ids = spectra(200), np.resize(redshifts(100), 200), np.arange(200) + 7
    flux[::20, 30:40] = 1e20
    whole = np.ones(200, bool)
    whole[::20] = False
    pq.write_table(arrow(flux, z, ids), tmp_path / "all.parquet")
    pq.write_table(arrow(flux[whole], z[whole], ids[whole]), tmp_path / "clean.parquet")
    found, clean = (
        open_dataset(ingest(tmp_path / f"{name}.parquet", store)) for name in ("all", "clean")
    )
    assert found.info["flagged"] == {"sentinel_flux": 10}
    assert found.info["n_usable"] == 190
    assert any(
        "10 of 200 spectra hold a number that stands" in one for one in found.info["warnings"]
    )
    for include_flagged in (False, True):
        config = SplitConfig(include_flagged=include_flagged)
        split, wanted = new_split(config, found), new_split(config, clean)
        for part in ("train", "val", "test"):
            rows, same = getattr(split, part), getattr(wanted, part)
            np.testing.assert_array_equal(found.flux[rows], clean.flux[same])
            np.testing.assert_array_equal(found.z_spec[rows], clean.z_spec[same])


def test_a_file_of_nothing_else_is_refused(tmp_path, store):
    flux = spectra(6)
    flux[:, 5] = -999
    pq.write_table(arrow(flux, None, np.arange(6)), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"no usable row: .* a stand-in such as −999"):
        ingest(tmp_path / "a.parquet", store)
    assert FLAGS["sentinel_flux"] == 64
