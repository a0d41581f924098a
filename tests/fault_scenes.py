"""Disks that are small, full or read-only, and a store of another user; all of it needs root."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534
OVERRIDES = 0b1110  # the capabilities by which root reads, writes and owns the files of others


def _mount(*arguments: str | Path) -> None:
    if os.geteuid():
        pytest.skip("only root may mount a file system")
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")


@contextlib.contextmanager
def small_disk(folder: Path, n_bytes: int) -> Iterator[Path]:
    """A file system of so many bytes, mounted on a folder until the block ends."""
    folder.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """The folder on a read-only file system until the block ends."""
    _mount("--bind", folder, folder)
    try:
        _mount("-o", "remount,bind,ro", folder)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def foreign(folder: Path, mode: int) -> Iterator[Path]:
    """The folder and all in it another user's, with the rights of ``mode`` for this one.

    Root is kept from what others may not do by giving up, until the block ends, the capabilities
    to do it all the same; threads that begin meanwhile lack them too, and child processes do not.
    """
    if os.geteuid():
        pytest.skip("only root may give files to another user")
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        os.chown(path, NOBODY, NOBODY)
        path.chmod(mode | (0o700 if path.is_dir() else 0o600))
    libc = ctypes.CDLL(None, use_errno=True)
    header, held = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(header, held):
        pytest.skip("the capabilities of this process cannot be seen")
    fewer = (ctypes.c_uint32 * 6)(held[0] & ~OVERRIDES, *held[1:])
    libc.capset(header, fewer)
    try:
        yield folder
    finally:
        libc.capset(header, held)
        for path in paths:
            os.chown(path, os.geteuid(), -1)


def fill(disk: Path, left: int) -> None:
    """Leave so many bytes of a disk free."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    with filler.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(disk).free - left)))


def parts_left(*folders: Path) -> list[Path]:
    """What was begun and not ended, anywhere in some folders."""
    hidden = [path for folder in folders for path in folder.rglob(".*")]
    return [path for path in hidden if path.name.startswith((".tmp-", ".new-", ".room"))]
