"""Learning rate of every step, computed in NumPy from the step's number alone.

The schedules stretch over the run's configured epochs. A run that is given more epochs later goes
on with the longer schedule, at the point where its step number then lies: its rate rises again.
"""

import numpy as np
from numpy.typing import NDArray

from redshift_core.settings.run import TrainingConfig

WARM_UP = 0.2  # share of a one-cycle run in which the rate rises
START = 0.04  # first rate of one_cycle, in units of the peak
END = 0.001  # last rate of one_cycle and cosine, in units of the peak
EXPONENTIAL_END = 0.01  # last rate of exponential, in units of the first


def learning_rates(
    config: TrainingConfig, first: int, last: int, n_steps: int
) -> NDArray[np.float32]:
    """Rate of the steps ``first`` to ``last`` (exclusive) of a run of ``n_steps``.

    =============  ========================================================
    constant       the rate as set
    exponential    rate · 0.01^(step / n_steps)
    cosine         half a cosine from the rate down to a thousandth of it
    one_cycle      half a cosine up to the rate, then half a cosine down
    =============  ========================================================

    References
    ----------
    Smith & Topin 2018, "Super-convergence" (one cycle); Loshchilov & Hutter 2017 (cosine).
    """
    done = np.arange(first, last, dtype=np.float64) / max(n_steps, 1)
    if config.schedule == "constant":
        share = np.ones_like(done)
    elif config.schedule == "exponential":
        share = EXPONENTIAL_END**done
    elif config.schedule == "cosine":
        share = _half_cosine(done, 1.0, END)
    else:
        rising = _half_cosine(done / WARM_UP, START, 1.0)
        falling = _half_cosine((done - WARM_UP) / (1.0 - WARM_UP), 1.0, END)
        share = np.where(done < WARM_UP, rising, falling)
    return (config.learning_rate * share).astype(np.float32)


def _half_cosine(done: NDArray, start: float, end: float) -> NDArray:
    return end + (start - end) * (1.0 + np.cos(np.pi * np.clip(done, 0.0, 1.0))) / 2.0
