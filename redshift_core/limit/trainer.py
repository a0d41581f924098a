"""A run's training loop, over windows of galaxies that come and go."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from redshift_core.config import RunConfig
from redshift_core.constants import N_PIXELS
from redshift_core.devices import Devices
from redshift_core.limit.stream import Stream
from redshift_core.runs import RunFolder
from redshift_core.schedules import learning_rates
from redshift_core.training.checkpoint import State
from redshift_core.training.job import Trainer
from redshift_core.training.loop import Data, Loop
from redshift_core.training.prepare import Part


class StreamLoop(Loop):
    """Loop whose training data are one window, replaced by the next."""

    def __init__(self, config: RunConfig, stream: Stream, devices: Devices):
        n_inputs = N_PIXELS if stream.raw else stream.scaler.n_inputs
        device = devices.data_device(4 * stream.rows * n_inputs)
        with tf.device(device):
            window = [
                tf.Variable(tf.zeros(shape)) for shape in ((stream.rows, n_inputs), (stream.rows,))
            ]
            val = stream.validation
            held = Data(tuple(window), (tf.constant(val.features), tf.constant(val.z_spec)), device)
        super().__init__(config, stream.scaler, held, devices)
        self.steps_per_window = self.n_steps
        last = stream.n - (stream.n_windows - 1) * stream.rows
        self.n_steps = (stream.n_windows - 1) * self.steps_per_window + -(-last // self.batch)

    def feed(self, part: Part) -> None:
        """Put a window where the steps read it; a shorter one leaves the end as it was."""
        n = len(part.z_spec)
        for variable, values in zip(self.data["train"], (part.features, part.z_spec), strict=True):
            variable[:n].assign(values)


class StreamTrainer(Trainer):
    """Trainer of a streamed survey: the same steps, reports and checkpoints, no validation."""

    def __init__(
        self,
        context: Any,
        folder: RunFolder,
        config: RunConfig,
        loop: StreamLoop,
        stream: Stream,
        spectra: int,
        state: State | None,
    ):
        super().__init__(context, folder, config, loop, state)
        self.loop: StreamLoop = loop
        self.stream = stream
        self.total = max(1, round(loop.n_steps * spectra / stream.n))  # steps in all

    def _train_epoch(self) -> bool:
        """Do the steps left in this epoch, window after window; False where the user stops."""
        loop, progress = self.loop, self.progress
        loop.sums.assign(progress.sums)
        end = min(loop.n_steps, self.total - progress.epoch * loop.n_steps)
        while progress.step < end:
            number, step = divmod(progress.step, loop.steps_per_window)
            part = self.stream.window(number)
            loop.feed(part)
            last = min(end - number * loop.steps_per_window, -(-len(part.z_spec) // loop.batch))
            if not self._train_window(number, step, last, len(part.z_spec)):
                return False
        return True

    def _train_window(self, number: int, step: int, n_steps: int, rows: int) -> bool:
        loop, progress, training = self.loop, self.progress, self.config.training
        generator = np.random.default_rng([self.config.seed, progress.epoch, number])
        order = loop.on_device(generator.permutation(rows).astype(np.int32))
        offset = progress.epoch * loop.n_steps + number * loop.steps_per_window
        while step < n_steps:
            last = min(step + self.steps.n, n_steps)
            rates = learning_rates(training, offset + step, offset + last, self.total)
            begin = time.monotonic()
            progress.sums = loop.train(order, rates, step, last).numpy().tolist()
            self.steps.update(last - step, time.monotonic() - begin)
            self._refuse_nan(progress.sums)
            progress.learning_rate = float(rates[-1])
            progress.step += last - step
            step = last
            if not self._go_on():
                return False
        return True

    def _validate(self) -> bool:
        """Close the epoch; the fixed test survey judges when all are done."""
        progress = self.progress
        progress.epoch += 1
        progress.step, progress.sums = 0, [0.0, 0.0, 0.0]
        return True


class StudyContext:
    """What a `Trainer` sees of the outside: its progress becomes that of the whole study."""

    def __init__(
        self, tell: Callable[[float, str, float | None], None], should_stop: Callable[[], bool]
    ):
        self._tell, self.should_stop = tell, should_stop

    def report(
        self,
        done: float | None = None,
        total: float | None = None,
        message: str | None = None,
        *,
        now: bool = False,
        **detail: Any,
    ) -> None:
        """Tell the epochs done, the epoch under way and the spectra per second."""
        if done is not None:
            epoch = f"epoch {detail.get('epoch')} of {detail.get('epochs')}"
            self._tell(done, epoch, detail.get("rate"))


def measured_rate(loop: StreamLoop, stream: Stream, seconds: float) -> float:
    """Spectra per second of training, over about ``seconds``; spoils the weights.

    Windows are made meanwhile, as in a training. The first call compiles and does not count.
    """
    n, done = 1, 0
    loop.train(*_still(loop, stream, 0, 1))
    begin = time.monotonic()
    while (spent := time.monotonic() - begin) < seconds:
        number, step = divmod(done, loop.steps_per_window)
        if not step:
            loop.feed(stream.window(number % stream.n_windows))
        last = min(step + n, loop.steps_per_window)
        loop.train(*_still(loop, stream, step, last)).numpy()
        done += last - step
        n = max(1, int(0.5 * done / max(time.monotonic() - begin, 1e-6)))
    return done * loop.batch / spent


def _still(loop: StreamLoop, stream: Stream, first: int, last: int) -> tuple[Any, ...]:
    """Arguments of steps in the order of the rows, too small to make the loss diverge."""
    order = loop.on_device(np.arange(stream.rows, dtype=np.int32))
    return order, np.full(last - first, 1e-6, np.float32), first, last
