"""The chief: the process that serves the oracle to workers over gRPC.

The chief extends KerasTuner's service: it knows which worker has which trial, and when it last
heard from each worker. If a worker dies or is silent for too long, its trial goes to the next
worker that asks. Whatever the first worker sends later is refused, so no trial counts twice. The
chief ends when no trial is left, even if workers have died (KerasTuner's chief would wait forever).

The messages of KerasTuner's service lack some fields. The worker's name, its progress and the
reason for a failure, and the id of the search in return, therefore travel as metadata of the calls.
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
from redshift_core.learning.tuning.trial_log import TrialLog
from redshift_core.settings.search import TuningConfig
from redshift_core.store import CHECKOUT, JobContext, TuningFolder

SILENCE = float(os.environ.get("REDSHIFT_LAB_SILENCE", "30"))  # s until a worker counts as dead
POLL = 0.2  # s between two checks of the workers
LINGER = 10.0  # s during which workers can still learn that the search is over
STOP_LIMIT = 30.0  # s that workers have to stop by themselves
N_THREADS = 8  # calls served at the same time, so that no heartbeat waits for a Gaussian process


class Servicer(OracleServicer):
    """KerasTuner's service, for an oracle of this package."""

    def __init__(self, oracle: Any, trial_log: TrialLog, tuning_id: str):
        super().__init__(oracle)
        self.trial_log, self.tuning_id = trial_log, tuning_id
        self.heard: dict[str, float] = {}  # worker → monotonic time of its last call
        self.told: set[str] = set()  # workers that know that the search is over
        self.error: Exception | None = None  # the exception that broke the oracle

    def GetSpace(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Greet a worker with the id of the search."""
        context.set_trailing_metadata((("tuning-bin", self.tuning_id.encode()),))
        return protos.get_service().GetSpaceResponse()

    def CreateTrial(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Give a worker its next trial."""
        self.heard[request.tuner_id] = time.monotonic()
        with self._guarded():
            trial = self.oracle.create_trial(request.tuner_id)
        if trial.status == "STOPPED":
            self.told.add(request.tuner_id)
        return protos.get_service().CreateTrialResponse(trial=strip_space(trial).to_proto())

    def GetTrial(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Take note that a worker is alive, and of the progress of its trial."""
        metadata = self._metadata(context)
        self.heard[metadata["worker"]] = time.monotonic()
        if "leaving" in metadata:
            self.told.add(metadata["worker"])
        if request.trial_id:
            self._refuse_others(context, metadata["worker"], request.trial_id)
            self.trial_log.progress(request.trial_id, json.loads(metadata["progress-bin"]))
        return protos.get_service().GetTrialResponse()

    def UpdateTrial(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Take the figures of a trial."""
        self._refuse_others(context, self._metadata(context)["worker"], request.trial_id)
        with self._guarded():
            self.oracle.update_trial(request.trial_id, dict(request.metrics))
        return protos.get_service().UpdateTrialResponse()

    def EndTrial(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Close a trial, unless it has been given to another worker."""
        metadata = self._metadata(context)
        trial = Trial.from_proto(request.trial)
        served = self.oracle.trials.get(trial.trial_id)
        trial.hyperparameters = served.hyperparameters if served else trial.hyperparameters
        trial.message = metadata.get("message-bin", b"").decode() or None
        with self._guarded():
            accepted = self.oracle.end_trial_of(metadata["worker"], trial)
        if not accepted:
            self._refuse_others(context, metadata["worker"], trial.trial_id)
        return protos.get_service().EndTrialResponse()

    def _metadata(self, context: grpc.ServicerContext) -> dict[str, Any]:
        return dict(context.invocation_metadata())

    def _refuse_others(self, context: grpc.ServicerContext, worker: str, trial_id: str) -> None:
        if not self.oracle.owns(worker, trial_id):
            text = f"Trial {trial_id} no longer belongs to worker {worker}."
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.error = error
            raise


class Chief:
    """Leads a search whose trials are done by workers."""

    def __init__(self, context: JobContext, config: TuningConfig, oracle: Any, trial_log: TrialLog):
        self.context, self.config, self.oracle, self.trial_log = context, config, oracle, trial_log
        self.tuning = TuningFolder(context.folder.path)
        self.servicer = Servicer(oracle, trial_log, self.tuning.id)
        self.children: dict[str, subprocess.Popen] = {}
        self.deadline = time.monotonic() + 3600 * config.hours if config.hours else float("inf")

    def run(self, address: str | None) -> bool:
        """Serve until no trial is left; True if the user stopped the search.

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
        command = [sys.executable, "-m", "redshift_core.learning.tuning.worker", address]
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
        """Watch the workers until no trial is left; True if the user stopped the search."""
        while not self.oracle.done:
            time.sleep(POLL)
            if self.context.should_stop():
                return True
            if self.servicer.error:
                raise self.servicer.error
            if time.monotonic() > self.deadline and not self.oracle.closed:
                self.oracle.closed = "the time limit was reached"
            self._bury()
            if self.children and all(c.poll() is not None for c in self.children.values()):
                if self.oracle.done:
                    break
                raise InputError(
                    f"All {len(self.children)} workers of {self.tuning.id} have ended before the "
                    "search was finished; the end of the log says why. Resume it to continue."
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
        self.trial_log.report(self.context, max(1, n_busy))
        if not n_busy:
            self.context.report(
                message=f"Waiting for workers{f' at {address}' if address else ''}."
            )

    def _dismiss(self, stopped: bool) -> None:
        """Wait until the workers know, from the chief or the stop file, that the search is over."""
        self.oracle.closed = self.oracle.closed or "stopped"
        end = time.monotonic() + (STOP_LIMIT if stopped else LINGER)
        while time.monotonic() < end:
            self._bury()
            at_work = set(self.servicer.heard) - self.servicer.told
            if not at_work:
                return
            time.sleep(POLL)


def strip_space(trial: Trial) -> Trial:
    """Copy of a trial without its search space, which workers do not need and KerasTuner prints."""
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
            "and a free port above 1023."
        )
    return port
