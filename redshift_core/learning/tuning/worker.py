"""A worker process of a search: ``python -m redshift_core.learning.tuning.worker HOST:PORT``.

It asks the chief for trials, trains them, and sends heartbeats meanwhile. It must use the chief's
store, on a disk that both machines can reach. It ends when the chief has no trial left, when the
user stops the search, or when the chief has not answered for a while.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import sys
import threading
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import grpc
from keras_tuner.engine.trial import Trial
from keras_tuner.src import protos

from redshift_core.errors import InputError
from redshift_core.learning.devices import open_devices
from redshift_core.learning.tuning.chief import SILENCE, strip_space
from redshift_core.learning.tuning.search import NotMine, Searcher
from redshift_core.learning.tuning.trial import Rows
from redshift_core.store import Stopped, Store

GREETING = 300.0  # s that a worker waits for a chief to start
BEAT = min(2.0, SILENCE / 6)  # s between two heartbeats
POLL = 0.02  # s between two checks for an answer


class ChiefGoneError(ConnectionError):
    """The chief has not answered for too long."""


class Client:
    """Gives a worker access to the oracle of the chief."""

    def __init__(self, address: str, worker: str, parent: int = 0):
        self.address, self.worker, self.parent = address, worker, parent
        channel = grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 2000)])
        self.stub = protos.get_service_grpc().OracleStub(channel)
        self.trial, self.progress = "", {}  # of the running trial
        self.taken = self.gone = False
        threading.Thread(target=self._beat, daemon=True).start()

    def greet(self) -> str:
        """Wait for the chief; returns the id of its search."""
        request = protos.get_service().GetSpaceRequest()
        try:
            _, call = self.stub.GetSpace.with_call(request, timeout=GREETING, wait_for_ready=True)
        except grpc.RpcError as error:
            raise InputError(
                f"No chief answered at {self.address} within {GREETING:.0f} s; start it with "
                "--role chief, and check the address and the firewall."
            ) from error
        return dict(call.trailing_metadata())["tuning-bin"].decode()

    def create_trial(self, tuner_id: str) -> Trial:
        """Next trial."""
        request = protos.get_service().CreateTrialRequest(tuner_id=tuner_id)
        trial = Trial.from_proto(self._ask(self.stub.CreateTrial, request).trial)
        self.taken, self.progress = False, {}
        self.trial = trial.trial_id if trial.status == "RUNNING" else ""
        return trial

    def update_trial(self, trial_id: str, metrics: dict[str, float]) -> None:
        """Send the figures of a trial."""
        request = protos.get_service().UpdateTrialRequest(trial_id=trial_id, metrics=metrics)
        self._ask(self.stub.UpdateTrial, request)

    def end_trial(self, trial: Trial) -> None:
        """Send how a trial ended."""
        self.trial = ""  # a heartbeat that is still in transit must not be blamed on this trial
        request = protos.get_service().EndTrialRequest(trial=strip_space(trial).to_proto())
        self._ask(self.stub.EndTrial, request, ("message-bin", (trial.message or "").encode()))

    def leave(self) -> None:
        """Tell the chief not to wait for this worker, which the user has stopped."""
        request = protos.get_service().GetTrialRequest()
        metadata = self._metadata(("leaving", "yes"))
        with contextlib.suppress(grpc.RpcError):  # the chief may have ended already
            self.stub.GetTrial(request, timeout=BEAT, metadata=metadata)

    def tell(self, trial_id: str, progress: dict[str, Any]) -> None:
        """Keep the progress for the next heartbeat."""
        self.progress = dict(progress)

    def check(self) -> None:
        """Raise ChiefGoneError or NotMine if there is no point in training on."""
        self._check_chief()
        if self.taken:
            raise NotMine

    def _check_chief(self) -> None:
        if self.gone:
            raise ChiefGoneError(
                f"The chief at {self.address} is gone: it ended, or the network failed. The "
                "finished trials are kept; resume the search to continue."
            )

    def _ask(self, method: Any, request: Any, *facts: tuple[str, Any]) -> Any:
        """Answer of the chief; the request is repeated if the connection breaks."""
        while True:
            call = method.future(request, wait_for_ready=True, metadata=self._metadata(*facts))
            while not call.done():
                self._check_chief()
                time.sleep(POLL)
            try:
                return call.result()
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.FAILED_PRECONDITION:
                    raise NotMine from error
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise ChiefGoneError(f"The chief failed: {error.details()}") from error
                time.sleep(1.0)

    def _metadata(self, *facts: tuple[str, Any]) -> tuple[tuple[str, Any], ...]:
        return (("worker", self.worker), *facts)

    def _beat(self) -> None:
        """Send the chief a heartbeat every few seconds, and notice if the chief is gone."""
        while not self.gone:
            time.sleep(BEAT)
            if self.parent and os.getppid() != self.parent:
                self.gone = True
                return
            trial = self.trial
            metadata = (
                ("worker", self.worker),
                ("progress-bin", json.dumps(self.progress).encode()),
            )
            request = protos.get_service().GetTrialRequest(trial_id=trial)
            try:
                self.stub.GetTrial(request, timeout=SILENCE, wait_for_ready=True, metadata=metadata)
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.FAILED_PRECONDITION:
                    self.taken = bool(trial) and trial == self.trial
                elif error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                    self.gone = True


def main(arguments: list[str] | None = None) -> int:
    """Work for a chief; 0 if the search ends or is stopped, 1 if it fails, 2 for wrong input."""
    parser = argparse.ArgumentParser(prog="worker", description=__doc__)
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("--name", default=f"{platform.node()}-{os.getpid()}")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as the search says")
    parser.add_argument("--parent", type=int, default=0, help="process that this worker ends with")
    parser.add_argument("--dataset", default="", help="dataset that the search must use")
    options = parser.parse_args(arguments)
    try:
        _work(options)
    except Stopped:
        print(f"Worker {options.name}: stopped.", flush=True)
    except InputError as error:
        print(error, file=sys.stderr, flush=True)
        return 2
    except ChiefGoneError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0


def _work(options: argparse.Namespace) -> None:
    client = Client(options.address, options.name, options.parent)
    store = Store()
    tuning = store.tuning(client.greet())
    config = tuning.config
    if options.dataset not in ("", config.dataset):
        raise InputError(
            f"The chief at {options.address} uses dataset {config.dataset}, not "
            f"{options.dataset}; name that dataset, or another chief."
        )
    training = config.base.training
    if options.threads:
        training = dataclasses.replace(training, threads=options.threads)
    devices = open_devices(training)
    print(f"Worker {options.name}: {tuning.id} on {devices.text}.", flush=True)

    def should_stop() -> bool:
        client.check()
        return tuning.stop_path.exists()

    rows = Rows(tuning, config, store)
    searcher = Searcher(tuning, config, rows, devices, client.tell, should_stop)
    try:
        searcher.search(client, options.name)
    except Stopped:
        client.leave()
        raise
    print(f"Worker {options.name}: no trial is left.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
