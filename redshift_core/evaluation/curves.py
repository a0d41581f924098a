"""Learning curves read out in words: what the gap between training and validation loss says.

The validation loss jumps from epoch to epoch, so both curves are averaged over a window of w
epochs (an eighth of the run, three to ten) before they are compared. With σ the relative scatter
of the validation loss, two such windows differ by σ·√(2/w) by chance; *noise* is twice that.
First rule that holds:

1. *too early*: fewer than MIN_EPOCHS epochs.
2. *over-fitting*: the validation loss has risen above its lowest window by more than RISE and
   more than the noise, while the training loss went on falling.
3. *over-fitting*: the validation loss lies more than GAP above the training loss.
4. *under-fitting*: both losses still fall by more than FALL per epoch, and over a window by more
   than the noise.
5. *healthy*: none of these.

σ is the median of abs(change from one epoch to the next) / 0.954, which is right for independent
normal scatter. In the published record it is 1.7 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_EPOCHS = 6
RISE = 0.02  # of the validation loss above its lowest window
GAP = 0.25  # of the validation loss above the training loss
FALL = 0.01  # of both losses, per epoch


@dataclass(frozen=True)
class Reading:
    """What a pair of learning curves says."""

    kind: str  # too early, under-fitting, healthy, over-fitting
    text: str  # one or two sentences with the run's own numbers


def read_curves(loss: Sequence[float], val_loss: Sequence[float]) -> Reading:
    """Read the learning curves of a run.

    Parameters
    ----------
    loss, val_loss : array, shape (n_epochs,)
        Training and validation loss of every epoch so far, above zero.

    Examples
    --------
    >>> read_curves([2.0] * 6, [2.1] * 6).kind
    'healthy'
    """
    train, val = (np.asarray(values, dtype=np.float64) for values in (loss, val_loss))
    n = len(train)
    if n < MIN_EPOCHS:
        return Reading(
            "too early", f"{n} of the {MIN_EPOCHS} epochs that a reading of the curves needs."
        )
    width = int(np.clip(round(n / 8), 3, 10))
    smooth_train, smooth_val = _running_mean(train, width), _running_mean(val, width)
    gap = smooth_val[-1] / smooth_train[-1] - 1
    best = int(smooth_val.argmin())
    rise = smooth_val[-1] / smooth_val[best] - 1
    still_learning = smooth_train[-1] < smooth_train[best]
    noise = 2 * _scatter(val) * np.sqrt(2 / width)
    if rise > max(RISE, noise) and still_learning:
        turn = best + width  # last epoch of that window
        return Reading(
            "over-fitting",
            f"Since about epoch {turn} the validation loss has risen by {rise:.1%} while the "
            f"training loss fell by {1 - smooth_train[-1] / smooth_train[best]:.1%}: the network "
            f"memorises its training galaxies. Stop near epoch {turn}, or add dropout or "
            "galaxies.",
        )
    if gap > GAP:
        return Reading(
            "over-fitting",
            f"The validation loss lies {gap:.0%} above the training loss: the network knows its "
            "training galaxies better than others. A smaller network, dropout or more galaxies "
            "would narrow the gap.",
        )
    falls = [_fall(smooth, width) for smooth in (smooth_train, smooth_val)]
    if min(falls) > FALL and min(falls) * width > noise:
        return Reading(
            "under-fitting",
            f"Both losses still fall, by {falls[0]:.1%} (training) and {falls[1]:.1%} (validation) "
            "per epoch: there is more to learn. Go on for more epochs, or raise the learning rate.",
        )
    side = "above" if gap >= 0 else "below"
    place = f"{rise:.1%} above its lowest" if rise >= 0.0005 else "at its lowest"
    return Reading(
        "healthy",
        f"The validation loss has levelled off {abs(gap):.1%} {side} the training loss, {place}: "
        "what the network learned holds for galaxies it has not seen.",
    )


def _running_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Mean of every ``width`` neighbouring epochs, shape (n − width + 1,)."""
    return np.convolve(values, np.full(width, 1 / width), mode="valid")


def _scatter(values: NDArray[np.float64]) -> float:
    """Relative scatter of a curve from one epoch to the next."""
    return float(np.median(np.abs(np.diff(values) / values[:-1])) / 0.954)


def _fall(smooth: NDArray[np.float64], width: int) -> float:
    """Relative fall per epoch between the last window and the one before it."""
    before = smooth[max(0, len(smooth) - 1 - width)]
    return (1 - smooth[-1] / before) / min(width, len(smooth) - 1)
