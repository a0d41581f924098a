"""Repeated galaxies: flagged, on one side of a split, and never what a run is judged on elsewhere.

The splits here are derived by hand from the shuffle of six rows with seed 4.
"""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from redshift_core import data
from redshift_core.data import repeats
from redshift_core.data.repeats import Seen, fingerprints, galaxies, groups, identities
from redshift_core.data.split import Split, learned_rows, new_split, split_rows
from redshift_core.errors import InputError
from redshift_core.settings.run import SplitConfig
from redshift_core.store import Store

FINGERPRINT_OF_ONES = 7_333_335_304_775_925_760
GAIA = 3_000_000_000_000_000_001  # an id as the survey gives them


def ingested(store: Store, name: str, flux: np.ndarray, ids: np.ndarray | None = None):
    columns = {} if ids is None else {"source_id": ids}
    z = np.linspace(0.05, 0.5, len(flux))
    columns |= {"z": z, **{f"flux_{pixel}": flux[:, pixel] for pixel in range(186)}}
    path = store.root / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return data.open_dataset(data.ingest(path, store, name))


@pytest.fixture(scope="module")
def spectra() -> np.ndarray:
    return np.random.default_rng(1).normal(5, 1, (60, 186)).astype(np.float32)


def test_six_galaxies_split_by_hand():
    # The shuffle of 0 … 9 with seed 4 is 3 8 4 9 2 6 0 1 5 7. Galaxies: A = rows 0 4, B = 1,
    # C = 2 3, D = 5 6 7, E = 8, F = 9, each at the place of its first row: E (8) is second, F (9)
    # fourth, C (2) fifth, A (0) seventh, B (1) eighth, D (5) ninth. So E F C A B D, within a galaxy
    # by place: 8 | 9 | 3 2 | 4 0 | 1 | 6 5 7, which may be cut after 1, 2, 4, 6 or 7 rows. Wanted
    # are cuts after 3 test rows (nearest: 2, the first of two as near) and after 3 + 4 (7).
    assert np.random.RandomState(4).permutation(10).tolist() == [3, 8, 4, 9, 2, 6, 0, 1, 5, 7]
    galaxy = np.array([0, 1, 2, 2, 0, 5, 5, 5, 8, 9])
    split = split_rows(np.arange(10) + 100, SplitConfig(test_fraction=0.3), galaxy)
    assert split.test.tolist() == [108, 109]
    assert split.train.tolist() == [103, 102, 104, 100, 101]
    assert split.val.tolist() == [106, 105, 107]


@pytest.mark.parametrize("n", [10, 333, 5_000])
def test_without_repeats_the_split_is_the_one_it_always_was(n):
    rows, config = np.arange(n) * 3, SplitConfig()
    plain, grouped = split_rows(rows, config), split_rows(rows, config, np.arange(n))
    for part in ("train", "val", "test"):
        np.testing.assert_array_equal(getattr(plain, part), getattr(grouped, part))


def test_fewer_galaxies_than_parts_are_refused_with_their_number():
    with pytest.raises(InputError, match="are of 2 galaxies, each repeated"):
        split_rows(np.arange(40), SplitConfig(), np.arange(40) // 20 * 20)
    split = split_rows(np.arange(60), SplitConfig(), np.arange(60) // 20 * 20)
    assert sorted(split.counts.values()) == [20, 20, 20]


def test_a_galaxy_is_known_by_its_spectrum_or_its_id_also_by_way_of_a_third_row():
    assert groups(np.array([1, 1, 2, 3, 4]), np.array([5, 6, 6, 7, 8])).tolist() == [0, 0, 0, 3, 4]


def test_one_bit_of_a_spectrum_changes_its_fingerprint(spectra):
    bits = np.repeat(spectra[:1], 186 * 32, axis=0).view(np.uint32)
    bits[np.arange(len(bits)), np.arange(len(bits)) // 32] ^= np.left_shift(
        np.uint32(1), np.arange(len(bits), dtype=np.uint32) % 32
    )
    two_signs = spectra[:1].copy()
    two_signs[0, [3, 8]] *= -1
    found = fingerprints(np.concatenate([spectra[:1], bits.view(np.float32), two_signs]))
    assert len(np.unique(found)) == len(found)
    # They stand in the runs of a store, so they stay what they are.
    assert int(fingerprints(np.ones((1, 186), np.float32))[0]) == FINGERPRINT_OF_ONES


def test_ingest_flags_a_spectrum_that_an_earlier_row_has_and_training_keeps_it_together(
    tmp_path, spectra
):
    store = Store(tmp_path / "home")
    flux = np.concatenate([spectra, spectra, spectra[:20]])
    dataset = ingested(store, "twice", flux)
    assert dataset.info["flagged"] == {"repeated_spectrum": 80}
    assert np.flatnonzero(dataset.flags).tolist() == list(range(60, 140))
    assert "80 of 140 rows have the spectrum of an earlier row" in dataset.info["warnings"][0]
    assert sum(new_split(SplitConfig(), dataset).counts.values()) == 60

    config = SplitConfig(include_flagged=True)
    split = new_split(config, dataset)
    assert np.sort(split.all).tolist() == list(range(140))
    sides = [set((part % 60).tolist()) for part in (split.train, split.val, split.test)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 60

    apart = new_split(SplitConfig(include_flagged=True, repeats="anywhere"), dataset)
    np.testing.assert_array_equal(apart.test, split_rows(np.arange(140), config).test)
    assert set((apart.test % 60).tolist()) & set((apart.train % 60).tolist())


def test_a_dataset_of_an_earlier_version_without_the_flag_is_split_by_galaxy_too(
    tmp_path, spectra, monkeypatch
):
    monkeypatch.setattr("redshift_core.data.catalogue.fingerprints", lambda flux: np.arange(
        len(flux), dtype=np.uint64))  # as if none repeated  # fmt: skip
    dataset = ingested(Store(tmp_path / "home"), "old", np.concatenate([spectra, spectra]))
    monkeypatch.undo()
    assert dataset.info["flagged"] == {}
    split = new_split(SplitConfig(), dataset)
    assert not set((split.test % 60).tolist()) & set((learned_rows(split) % 60).tolist())


def test_ids_that_only_number_the_rows_name_no_galaxy(tmp_path, spectra):
    store, n = Store(tmp_path / "home"), np.arange(60)
    kinds = {"numbered": n + 1, "simulated": -1 - 7 * n, "gaia": GAIA + n // 2 * 34359738368}
    found = {name: ingested(store, name, spectra, ids) for name, ids in kinds.items()}
    assert (identities(found["numbered"]) == -1).all()
    assert (identities(found["simulated"]) == -1).all()
    np.testing.assert_array_equal(identities(found["gaia"]), kinds["gaia"])
    assert galaxies(found["gaia"], n).tolist() == (n // 2 * 2).tolist()


def test_what_a_run_has_seen_is_known_by_spectrum_and_by_id_and_comes_back_from_disk(
    tmp_path, spectra
):
    store = Store(tmp_path / "home")
    ids = GAIA + np.arange(60) ** 2 * 34359738368
    seen = Seen.of(ingested(store, "one", spectra, ids), np.arange(30))
    seen.save(tmp_path / "seen.npz")
    # Rows 0 … 9 of the other file are seen spectra under new ids, 10 … 19 seen ids with new
    # spectra, 20 … 59 neither: their galaxies lie in the rows that the run kept for its test.
    flux, other = np.roll(spectra, 0, axis=0) + np.float32(1), ids.copy()
    flux[:10], other[:10] = spectra[:10], ids[:10] + 1
    other[20:30] += 1
    found = Seen.load(tmp_path / "seen.npz").among(
        ingested(store, "two", flux, other), np.arange(60)
    )
    assert [np.flatnonzero(one).tolist() for one in found] == [
        list(range(10)), list(range(10, 20))
    ]  # fmt: skip
    assert not seen.joined(None).whole
    assert seen.joined(seen).whole


def test_half_a_million_spectra_are_hashed_in_two_seconds():
    import time

    flux = np.random.default_rng(0).random((20_000, 186), np.float32)
    begin = time.process_time()
    repeats.repeated(fingerprints(flux), np.ones(len(flux), bool))
    assert (time.process_time() - begin) * 520_393 / 20_000 < 2.0


def test_learned_rows_are_training_and_validation():
    split = Split(np.array([3, 1]), np.array([2]), np.array([0]))
    assert learned_rows(split).tolist() == [1, 2, 3]
