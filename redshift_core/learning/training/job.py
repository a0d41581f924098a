"""The job that trains a run: it reports, saves, stops early or on request, and resumes."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from redshift_core import prediction
from redshift_core.errors import InputError
from redshift_core.evaluation import spread
from redshift_core.learning.training.checkpoint import (
    DivergedError,
    Progress,
    State,
    best_of,
    forget_state,
    load_state,
    save_state,
    state_to_resume,
    write_history,
)
from redshift_core.learning.training.pace import Pace, seconds_left
from redshift_core.learning.training.portable import leave_onnx
from redshift_core.learning.training.prepare import environment, prepare, scaler_facts
from redshift_core.settings.run import RunConfig
from redshift_core.settings.schedules import learning_rates
from redshift_core.store import JobContext, RunFolder, Stopped, write_json

if TYPE_CHECKING:
    from redshift_core.learning.training.loop import Loop

SAVE_SECONDS = 30.0  # s between two checkpoints inside an epoch
EPOCH_SAVE_SECONDS = 5.0  # s since the last checkpoint after which the end of an epoch is saved


def train_and_judge(context: JobContext) -> dict[str, Any]:
    """Job: train a run and, when it has done all its epochs, judge it on its test rows.

    If a run ends while it is being judged, its model is already saved. Resuming such a run judges
    it without training it again, unless the request asks for ``more`` epochs.

    Returns
    -------
    dict
        As for `train_job`; ``stopped`` is also true if the user stopped the judging.
    """
    run = RunFolder(context.folder.path)
    try:
        result = _trained_before(context, run) or train_job(context)
    except DivergedError:
        leave_onnx(run, context.store)
        raise
    leave_onnx(run, context.store)
    if result["stopped"] or not run.config.split.test_fraction:
        return result
    try:
        _judge(context, run)
    except Stopped:
        message = "Stopped while judging the run. Its model is saved: evaluate or resume the run."
        context.report(message=message, now=True)
        return {**result, "stopped": True}
    context.report(message="The run is trained and judged on its test rows.", now=True)
    return result


def _trained_before(context: JobContext, run: RunFolder) -> dict[str, Any] | None:
    """Result of a run whose training is complete; None if epochs are left to do."""
    if not context.request.get("resume") or context.request.get("more"):
        return None
    state = load_state(run)
    if state is None or not state.progress.finished or not run.model_path.exists():
        return None
    context.report(state.progress.epoch, state.progress.epoch, "Loading TensorFlow.", now=True)
    from redshift_core.learning.devices import open_devices

    open_devices(run.config.training)
    return state.progress.result(run, stopped=False)


def _judge(context: JobContext, run: RunFolder) -> None:
    """Judge a trained run on its test rows, and report the progress."""
    dataset = run.config.dataset

    def report(done: float, total: float, message: str) -> None:
        sentence = f"Judging the test rows. {message}"
        context.report_or_stop(message=sentence, judged=done / total if total else 0.0)

    context.report(message="Judging the test rows.", now=True)
    try:
        prediction.evaluate_run(run, context.store.dataset(dataset), report)
    except (InputError, OSError) as error:
        if dataset in [folder.id for folder in context.store.datasets()]:
            raise
        raise InputError(
            f"{run.id} is trained and its model is saved, but its dataset {dataset} was deleted "
            "before its test rows were judged. Read the same file in again and evaluate the run "
            "on that."
        ) from error


def train_job(
    context: JobContext, virtual_cpus: int = 1, n_steps: int | None = None
) -> dict[str, Any]:
    """Train the run of a job folder, or continue it if the request says ``resume``.

    Parameters
    ----------
    virtual_cpus : int
        See ``devices.open_devices``.
    n_steps : int, optional
        Total number of steps, if the last epoch is to end early.

    Returns
    -------
    dict
        ``run``, ``val_mae`` of the saved weights (None before the first epoch was completed),
        ``epochs`` completed, ``stopped`` by the user.
    """
    run = RunFolder(context.folder.path)
    config = run.config
    state = state_to_resume(run, config) if context.request.get("resume") else None
    if state is None:
        for stale in ("history", "split", "seen", "scaler", "model", "onnx"):
            getattr(run, f"{stale}_path").unlink(missing_ok=True)
    prepared = prepare(context, run, config)
    context.report(message="Loading TensorFlow.", now=True)
    from redshift_core.learning.devices import open_devices
    from redshift_core.learning.training.loop import Data, Loop

    devices = open_devices(config.training, virtual_cpus)
    context.report(message="Building the network.", device=devices.text, now=True)
    data = Data.place(prepared.train, prepared.val, devices)
    loop = Loop(config, prepared.scaler, data, devices)
    if config.start_from and state is None:
        loop.start_from(run.start.model_path)
    facts = environment(prepared.dataset, prepared.split, devices.describe())
    facts |= {"scaler": scaler_facts(prepared.scaler), "n_parameters": loop.n_parameters}
    facts |= {spread.KEY: prepared.spectra}
    if config.start_from:
        facts |= {"started_from": run.started_from}
    write_json(run.environment_path, facts)
    del prepared.train, prepared.val  # the loop holds its own copy
    return Trainer(context, run, config, loop, state, n_steps).train()


class Trainer:
    """Trains one run, from its start or resumption to its end or stop."""

    def __init__(
        self,
        context: JobContext,
        run: RunFolder,
        config: RunConfig,
        loop: Loop,
        state: State | None,
        n_steps: int | None = None,
    ):
        self.context, self.run, self.config, self.loop = context, run, config, loop
        self.n_steps = n_steps or loop.length.n_steps  # in all
        self.progress = state.progress if state else Progress()
        self.kept = state.kept if state else []  # weights to be saved in model.keras
        self.best = state.best or state.kept if state else []  # of the lowest validation MAE
        self.model_is_saved = False  # a process that was killed may have left an older one
        self.steps, self.blocks = Pace(), Pace()
        if state and not self._take_up(state):
            raise InputError(
                f"The checkpoint of {run.id} does not fit its config.json, which was changed. "
                "Start a new run with the new settings."
            )
        if self._exhausted():  # more epochs are requested, so patience starts again
            self.progress.n_worse = 0

    def train(self) -> dict[str, Any]:
        """Do the remaining epochs; returns the result of the job."""
        write_history(self.run, self.progress)
        self.saved = self.mark = time.monotonic()
        try:
            stopped = not self._train_epochs()
        except DivergedError as error:
            raise DivergedError(f"{error}{self._go_back()}") from error
        self.progress.finished = not stopped
        self._calibrate()
        self._save()
        ending = "Stopped" if stopped else "Finished"
        message = f"{ending} after {_count(self.progress.epoch, 'epoch')}."
        self.context.report(message=message, trained=not stopped, now=True)
        return self.progress.result(self.run, stopped)

    def _train_epochs(self) -> bool:
        """Do the remaining epochs; False if the user stops."""
        if not self._judge_start():
            return False
        while self.progress.epoch < self.loop.length.epochs and not self._exhausted():
            if not (self._train_epoch() and self._validate()):
                return False
        return True

    def _take_up(self, state: State) -> bool:
        """Set the network to a checkpoint; False where it belongs to another configuration."""
        loop = self.loop  # a run that has diverged has only the weights of its best epoch
        return loop.restore(state.variables) if state.variables else loop.set_weights(state.kept)

    def _go_back(self) -> str:
        """Save the best epoch after all, and let a resumed run begin there; says so."""
        self.progress, epoch = best_of(self.progress), self.progress.epoch + 1
        self.kept, rate = self.best, self.config.training.learning_rate
        if self.kept:
            save_state(self.run, State(self.progress, [], self.kept))
            self._calibrate()
            self.model_is_saved = False
            self._save_model()
        else:
            forget_state(self.run)
        self.context.report(diverged=epoch, val_mae=self.progress.kept_val_mae, now=True)
        done = self.progress.epoch
        where = f"goes on from epoch {done}, whose model is saved" if done else "begins again"
        return (
            f" Resumed with a lower one, it {where}: redshift-lab resume {self.run.id} --set "
            f"learning_rate={rate / 10:g}."
        )

    def _calibrate(self) -> None:
        """Fit the temperature of a PDF head to the weights that are saved."""
        if self.kept and self.config.model.head == "pdf":
            self.loop.calibrate(self.kept)
            z_spec, z_phot = self.loop.validation_redshifts(self.kept)
            self.progress.kept_val_mae = float(np.abs(z_phot - z_spec).mean())
            self.model_is_saved = False

    def _exhausted(self) -> bool:
        return 0 < self.loop.length.patience <= self.progress.n_worse

    def _train_epoch(self) -> bool:
        """Do the remaining steps of this epoch; False if the user stops."""
        loop, progress, training = self.loop, self.progress, self.config.training
        generator = np.random.default_rng([self.config.seed, progress.epoch])
        order = generator.permutation(loop.n_train).astype(np.int32)
        order = loop.on_device(order)
        loop.sums.assign(progress.sums)
        offset = progress.epoch * loop.n_steps
        end = min(loop.n_steps, self.n_steps - offset)
        while progress.step < end:
            first = progress.step
            last = min(first + self.steps.n, end)
            rates = learning_rates(training, offset + first, offset + last, self.n_steps)
            begin = time.monotonic()
            progress.sums = loop.train(order, rates, first, last).numpy().tolist()
            self.steps.update(last - first, time.monotonic() - begin)
            self._refuse_nan(progress.sums)
            progress.step, progress.learning_rate = last, float(rates[-1])
            if not self._go_on():
                return False
        return True

    def _judge_start(self) -> bool:
        """Validate the weights of another run that it starts from; False if the user stops.

        They are what is saved unless an epoch does better.
        """
        progress = self.progress
        begins = progress.epoch == progress.step == 0 and progress.start_val_mae is None
        if not (self.config.start_from and begins):
            return True
        if (found := self._validation()) is None:
            return False
        progress.best_val_loss, progress.best_val_mae = found
        progress.start_val_mae = progress.kept_val_mae = progress.best_val_mae
        self.kept = self.best = self.loop.weights()
        self.context.report(start_val_mae=progress.start_val_mae)
        return True

    def _validate(self) -> bool:
        """Validate and close the epoch; False if the user stops before it is closed."""
        if (found := self._validation()) is None:
            return False
        self._close_epoch(*found)
        return True

    def _validation(self) -> tuple[float, float] | None:
        """Loss and MAE of the validation rows; None if the user stops before they are known."""
        loop = self.loop
        loop.sums.assign([0.0, 0.0, 0.0])
        sums, first = [0.0, 0.0, 0.0], 0
        while first < loop.n_blocks:
            last = min(first + self.blocks.n, loop.n_blocks)
            begin = time.monotonic()
            sums = loop.validate(first, last).numpy().tolist()
            self.blocks.update(last - first, time.monotonic() - begin)
            first = last
            if not self._go_on(blocks_done=first):
                return None
        self._refuse_nan(sums)
        return sums[0] / sums[2], sums[1] / sums[2]

    def _close_epoch(self, val_loss: float, val_mae: float) -> None:
        progress, training = self.progress, self.config.training
        loss, mae, n = progress.sums
        self._tick()
        line = (progress.epoch + 1, loss / n, mae / n, val_loss, val_mae)
        names = ("epoch", "loss", "mae", "val_loss", "val_mae")
        line_dict = dict(zip(names, line, strict=True))
        line_dict |= {"seconds": progress.seconds, "learning_rate": progress.learning_rate}
        progress.history.append(line_dict)
        is_best = progress.best_val_mae is None or val_mae < progress.best_val_mae
        if is_best or training.keep == "last":
            self.kept, progress.kept_val_mae = self.loop.weights(), val_mae
            self.model_is_saved = False
        if is_best:
            self.best, progress.best_val_mae = self.kept, val_mae
        lowest = progress.best_val_loss
        if lowest is None or val_loss < lowest - training.min_delta:
            progress.best_val_loss, progress.n_worse = val_loss, 0
        else:
            progress.n_worse += 1
        progress.epoch += 1
        progress.step, progress.seconds, progress.sums = 0, 0.0, [0.0, 0.0, 0.0]
        if progress.epoch == 1 or time.monotonic() - self.saved > EPOCH_SAVE_SECONDS:
            self._save()
        write_history(self.run, progress)
        self.context.report(val_mae=progress.kept_val_mae, now=True)

    def _tick(self) -> None:
        """Add the time since the last tick to the epoch's seconds."""
        now = time.monotonic()
        self.progress.seconds += now - self.mark
        self.mark = now

    def _go_on(self, blocks_done: int | None = None) -> bool:
        """Report, and save if it is time to; False if the user asked for a stop."""
        self._tick()
        self._report(blocks_done)
        if self.context.should_stop():
            return False
        if time.monotonic() - self.saved > SAVE_SECONDS:
            self._save()
        return True

    def _report(self, blocks_done: int | None) -> None:
        progress, loop, epochs = self.progress, self.loop, self.loop.length.epochs
        loss, mae, n = progress.sums
        what = "Validating" if blocks_done is not None else "Training"
        rate = loop.batch / self.steps.seconds if self.steps.seconds else None
        self.context.report(
            done=progress.epoch + progress.step / loop.n_steps,
            total=epochs,
            message=f"{what}, epoch {progress.epoch + 1} of {epochs}.",
            epoch=progress.epoch + 1,
            epochs=epochs,
            step=progress.step,
            steps=loop.n_steps,
            validated=(blocks_done or 0) / loop.n_blocks,
            rate=rate,
            seconds_left=seconds_left(progress, loop, self.steps, self.blocks, blocks_done or 0),
            loss=loss / n if n else None,  # before the first step of a run that starts from another
            mae=mae / n if n else None,
            val_mae=progress.kept_val_mae,
        )

    def _refuse_nan(self, sums: list[float]) -> None:
        if not all(map(math.isfinite, sums)):
            raise DivergedError(
                f"The loss became NaN in epoch {self.progress.epoch + 1}: the training diverged. "
                f"Lower the learning rate (now {self.config.training.learning_rate:g}) or clip the "
                "gradient (clip_norm = 1)."
            )

    def _save(self) -> None:
        """Write a checkpoint, and the model if its weights have changed."""
        self._tick()
        best = [] if self.best is self.kept else self.best
        save_state(self.run, State(self.progress, self.loop.values(), self.kept, best))
        if self.kept:
            self._save_model()
        self.saved = time.monotonic()

    def _save_model(self) -> None:
        if not self.model_is_saved:
            self.run.onnx_path.unlink(missing_ok=True)  # of the weights before
            self.loop.save_model(self.run.model_path, self.kept)
            self.model_is_saved = True
            self.context.report(saved_val_mae=self.progress.kept_val_mae, now=True)


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
