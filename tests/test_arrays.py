"""Tables written by rows: as NumPy reads them, and whole or not at all."""

import numpy as np
import pandas as pd
import pytest

from redshift_core.errors import DamagedError
from redshift_core.store import arrays
from redshift_core.store.arrays import RowWriter


@pytest.mark.parametrize("blocks", [[], [3], [1, 0, 4], [100_000, 1]])
def test_rows_written_in_blocks_are_one_array(tmp_path, blocks):
    parts = [np.random.default_rng(n).random((n, 3)) for n in blocks]
    with RowWriter(tmp_path / "a.npy", 3, "float16") as writer:
        for part in parts:
            writer.write(part)
    found = np.load(tmp_path / "a.npy", mmap_mode="r")
    wanted = np.concatenate([np.zeros((0, 3)), *parts]).astype(np.float16)
    assert found.dtype == np.float16
    assert found.shape == wanted.shape
    assert (found == wanted).all()


def write_rows(path, *shapes):
    with RowWriter(path, 3, "float16") as writer:
        for shape in shapes:
            writer.write(np.zeros(shape))


def test_a_failure_leaves_what_was_there_before(tmp_path):
    np.save(tmp_path / "a.npy", np.ones(2))
    with pytest.raises(ValueError, match=r"shape \(2, 4\); the table has 3"):
        write_rows(tmp_path / "a.npy", (5, 3), (2, 4))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
    assert np.load(tmp_path / "a.npy").tolist() == [1, 1]


def test_columns_and_lines_are_those_of_pandas(tmp_path, monkeypatch):
    """Of a file of several row groups, read in blocks that do not fit them."""
    monkeypatch.setattr(arrays, "READ_ROWS", 7)
    n = 100
    frame = pd.DataFrame(
        {"row": np.arange(n), "z": np.linspace(0, 1, n), "name": [f"g{k}" for k in range(n)]}
    )
    frame.loc[[3, 50], "z"] = np.nan
    path = tmp_path / "a.parquet"
    frame.to_parquet(path, row_group_size=30)
    found = arrays.read_columns(path, ["z", "row"])
    np.testing.assert_array_equal(found["z"], frame["z"])
    np.testing.assert_array_equal(found["row"], frame["row"])
    assert not found["z"].flags.writeable
    for rows in ([], [99], [0, 29, 30, 31, 89, 90], [50, 3, 3, 98, 0]):
        lines = arrays.read_lines(path, np.array(rows, np.int64))
        pd.testing.assert_frame_equal(lines, frame.iloc[rows].reset_index(drop=True))
    with pytest.raises(DamagedError, match="damaged"):
        arrays.read_columns(path, ["missing"])
