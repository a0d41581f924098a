"""The process that serves the oracle to workers over gRPC, and outlives any of them.

KerasTuner's service as it is, and beside it what that lacks: the chief knows whose a trial is and
when it last heard of each worker. A worker that has died, or has been silent for too long, loses
its trial to the next that asks; what it sends later is refused, so no trial counts twice. The
chief ends when no trial is left, whoever is dead (KerasTuner's waits for ever).

What the service's messages have no field for travels as metadata of the call: the worker's name,
its progress, the reason of a failure; back, the search's id.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from redshift_core.errors import InputError
from redshift_core.learning.devices import n_cores
from redshift_core.learning.tuning.book import TrialBook
from redshift_core.settings.search import TuningConfig
from redshift_core.store import CHECKOUT, JobContext, TuningFolder

SILENCE = float(os.environ.get("REDSHIFT_LAB_SILENCE", "30"))  # s without a word: taken for dead
POLL = 0.2  # s between two looks at the workers
LINGER = 10.0  # s in which workers may still hear that the search is over
STOP_LIMIT = 30.0  # s that workers on this machine have to stop by themselves
N_THREADS = 8  # calls answered at a time: a heartbeat must not wait for a Gaussian process


class Servicer(OracleServicer):
    """KerasTuner's service, for an oracle of this package."""

    def __init__(self, oracle: Any, book: TrialBook, tuning_id: str):
        super().__init__(oracle)
        self.book, self.tuning_id = book, tuning_id
        self.heard: dict[str, float] = {}  # worker → monotonic time of its last word
        self.told: set[str] = set()  # workers that know that it is over
        self.error: Exception | None = None  # that broke the oracle

    def GetSpace(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Greet a worker: the id of the search."""
        context.set_trailing_metadata((("tuning-bin", self.tuning_id.encode()),))
        return protos.get_service().GetSpaceResponse()

    def CreateTrial(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Give a worker its next trial."""
        self.heard[request.tuner_id] = time.monotonic()
        with self._guarded():
            trial = self.oracle.create_trial(request.tuner_id)
        if trial.status == "STOPPED":
            self.told.add(request.tuner_id)
        return protos.get_service().CreateTrialResponse(trial=bare(trial).to_proto())

    def GetTrial(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Hear that a worker lives and how far its trial is."""
        said = self._said(context)
        self.heard[said["worker"]] = time.monotonic()
        if "leaving" in said:
            self.told.add(said["worker"])
        if request.trial_id:
            self._refuse_others(context, said["worker"], request.trial_id)
            self.book.progress(request.trial_id, json.loads(said["progress-bin"]))
        return protos.get_service().GetTrialResponse()

    def UpdateTrial(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Take the figures of a trial."""
        self._refuse_others(context, self._said(context)["worker"], request.trial_id)
        with self._guarded():
            self.oracle.update_trial(request.trial_id, dict(request.metrics))
        return protos.get_service().UpdateTrialResponse()

    def EndTrial(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Close a trial, unless it was given to another worker meanwhile."""
        said = self._said(context)
        trial = Trial.from_proto(request.trial)
        known = self.oracle.trials.get(trial.trial_id)
        trial.hyperparameters = known.hyperparameters if known else trial.hyperparameters
        trial.message = said.get("message-bin", b"").decode() or None
        with self._guarded():
            accepted = self.oracle.end_trial_of(said["worker"], trial)
        if not accepted:
            self._refuse_others(context, said["worker"], trial.trial_id)
        return protos.get_service().EndTrialResponse()

    def _said(self, context: grpc.ServicerContext) -> dict[str, Any]:
        return dict(context.invocation_metadata())

    def _refuse_others(self, context: grpc.ServicerContext, worker: str, trial_id: str) -> None:
        if not self.oracle.owns(worker, trial_id):
            text = f"Trial {trial_id} is not {worker}'s any more."
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.error = error
            raise


class Chief:
    """A search whose trials are done by workers."""

    def __init__(self, context: JobContext, config: TuningConfig, oracle: Any, book: TrialBook):
        self.context, self.config, self.oracle, self.book = context, config, oracle, book
        self.tuning = TuningFolder(context.folder.path)
        self.servicer = Servicer(oracle, book, self.tuning.id)
        self.children: dict[str, subprocess.Popen] = {}
        self.deadline = time.monotonic() + 3600 * config.hours if config.hours else float("inf")

    def run(self, address: str | None) -> bool:
        """Serve until no trial is left; True where the user stopped.

        Parameters
        ----------
        address : str, optional
            "HOST:PORT" at which workers of any machine connect. Without it, the workers are
            processes of this machine.
        """
        server = grpc.server(ThreadPoolExecutor(N_THREADS))
        protos.get_service_grpc().add_OracleServicer_to_server(self.servicer, server)
        port = _listen(server, address or "127.0.0.1:0")
        server.start()
        try:
            if address is None:
                self._hire(f"127.0.0.1:{port}")
            stopped = self._watch(address)
            self._dismiss(stopped)
        finally:
            for child in self.children.values():
                child.kill()
            server.stop(1.0).wait()
        return stopped

    def _hire(self, address: str) -> None:
        threads = self.config.base.training.threads or max(1, n_cores() // self.config.workers)
        command = [sys.executable, "-m", "redshift_core.learning.tuning.member", address]
        command += ["--threads", str(threads), "--parent", str(os.getpid())]
        path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
        home = {"PYTHONPATH": path, "REDSHIFT_LAB_HOME": str(self.context.store.root)}
        for number in range(self.config.workers):
            self.children[str(number)] = subprocess.Popen(
                [*command, "--name", str(number)],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **home, "OMP_NUM_THREADS": str(threads)},
            )

    def _watch(self, address: str | None) -> bool:
        """Look after the workers until no trial is left; True where the user stopped."""
        while not self.oracle.done:
            time.sleep(POLL)
            if self.context.should_stop():
                return True
            if self.servicer.error:
                raise self.servicer.error
            if time.monotonic() > self.deadline and not self.oracle.closed:
                self.oracle.closed = "the time is up"
            self._bury()
            if self.children and all(c.poll() is not None for c in self.children.values()):
                if self.oracle.done:
                    break
                raise InputError(
                    f"All {len(self.children)} workers of {self.tuning.id} have ended before the "
                    "search; the end of the log says why. Resume it to go on."
                )
            self._report(address)
        return False

    def _bury(self) -> None:
        """Queue the trials of workers that are dead or have been silent for too long."""
        now = time.monotonic()
        gone = {name: "ended" for name, c in self.children.items() if c.poll() is not None}
        for name, heard in list(self.servicer.heard.items()):
            if now - heard > SILENCE:
                gone.setdefault(name, "was silent")
        for name, what in gone.items():
            self.servicer.heard.pop(name, None)
            if trial := self.oracle.give_back(name):
                print(f"Worker {name} {what}; its trial {trial} is queued again.", flush=True)

    def _report(self, address: str | None) -> None:
        n_busy = len(self.oracle.ongoing_trials)
        self.book.report(self.context, max(1, n_busy))
        if not n_busy:
            self.context.report(
                message=f"Waiting for workers{f' at {address}' if address else ''}."
            )

    def _dismiss(self, stopped: bool) -> None:
        """Wait until the workers know that it is over: from the chief, or from the stop file."""
        self.oracle.closed = self.oracle.closed or "stopped"
        end = time.monotonic() + (STOP_LIMIT if stopped else LINGER)
        while time.monotonic() < end:
            self._bury()
            at_work = set(self.servicer.heard) - self.servicer.told
            if not at_work:
                return
            time.sleep(POLL)


def bare(trial: Trial) -> Trial:
    """Trial without its search space, which a worker does not need (and KerasTuner prints)."""
    values = keras_tuner.HyperParameters()
    values.values = dict(trial.hyperparameters.values)
    return Trial(values, trial.trial_id, trial.status)


def _listen(server: grpc.Server, address: str) -> int:
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        raise InputError(
            f"The chief cannot listen at {address}: give HOST:PORT with a name of this machine "
            "and a port that is free, above 1023."
        )
    return port
