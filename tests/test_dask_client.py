"""The Dask client: processes of this machine, a scheduler of the user's, and what fails."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from redshift_core.errors import InputError
from redshift_core.jobs import dask_client
from redshift_core.jobs.dask_client import open_client

pytest.importorskip("distributed")


def facts(number):
    return number, os.getpid(), os.environ.get("OMP_NUM_THREADS"), "tensorflow" in sys.modules


def dies_once(path):
    """End the process that computes this at the first call."""
    try:
        with open(path, "x"):
            os.kill(os.getpid(), signal.SIGKILL)
    except FileExistsError:
        return "done"


def test_workers_of_this_machine_are_processes_without_tensorflow_and_survive_a_death(tmp_path):
    with open_client(2, None, tmp_path / "scratch", threads=1) as client:
        assert client.scheduler.address.startswith("tls://127.0.0.1:")
        done = client.gather(client.map(facts, range(8)))
        assert [one[0] for one in done] == [*range(8)]
        assert os.getpid() not in {one[1] for one in done}
        assert {one[2:] for one in done} == {("1", False)}
        assert client.submit(dies_once, str(tmp_path / "died")).result(timeout=60) == "done"
    assert not (tmp_path / "scratch").exists()


def test_a_scheduler_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_client, "CONNECT_SECONDS", 2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(InputError, match=r"No Dask scheduler answered at 'tcp://127.0.0.1:\d+'"):
        enter(address, tmp_path)
    monkeypatch.setattr(dask_client, "CONNECT_SECONDS", 5)
    port = address.rpartition(":")[2]
    usual = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
    with subprocess.Popen([*usual, "--port", port, "--no-dashboard"]) as process:
        try:
            with pytest.raises(InputError, match="has no worker; start one on each machine"):
                enter(address, tmp_path)
        finally:
            process.terminate()


def test_an_address_that_is_none(tmp_path):
    with pytest.raises(InputError, match="No Dask scheduler answered at 'nonsense://x'"):
        enter("nonsense://x", tmp_path)


def test_without_dask_the_sentence_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'redshift-lab\[cluster\]'"):
        enter(None, tmp_path)


def enter(address, folder):
    with open_client(1, address, folder):
        pass
