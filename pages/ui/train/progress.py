"""How far a run is, in shares for its bars and in words for the lines above them."""

from __future__ import annotations

import time

from pages.ui.text import count, escape
from redshift_core.constants import duration
from redshift_core.jobs import Status

SILENT = 20.0  # s without a heartbeat after which the page says so
VALIDATION = 0.125  # share of an epoch's work that validation is, with the default split


def in_epoch(now: Status) -> bool:
    """Whether an epoch is under way: neither before the first nor after the last."""
    message = now.message
    return (
        now.state in ("running", "stopping")
        and bool(now.detail.get("epoch"))
        and (not message or "epoch" in message)
    )


def judging(now: Status) -> bool:
    """Whether the run is trained and its test rows are being judged."""
    return now.active and now.message.startswith("Judging")


def epoch_share(now: Status) -> float:
    """Share of the epoch under way that is done, 0 to 1: its steps, then its validation.

    After the last epoch it is the share of the step of judging that is under way.
    """
    if judging(now):
        return now.detail.get("judged", 0.0)
    if not in_epoch(now) or not now.detail.get("steps"):
        return 0.0
    steps = now.detail.get("step", 0) / now.detail["steps"]
    return min(1.0, (1 - VALIDATION) * steps + VALIDATION * now.detail.get("validated", 0.0))


def epoch_text(now: Status) -> str:
    """Which epoch is under way and how far it is."""
    if judging(now):
        return "Judging the test rows"
    if not in_epoch(now):
        return "No epoch under way"
    detail = now.detail
    parts = [f"Epoch {detail['epoch']} of {detail.get('epochs', '?')}"]
    if now.message.startswith("Validating"):
        parts.append("validating")
    elif detail.get("steps"):
        parts.append(f"step {count(detail.get('step', 0))} of {count(detail['steps'])}")
    return " · ".join(parts)


def whole_text(now: Status) -> str:
    """What the run is doing, how far it is, how long it will take."""
    waiting = {"starting": "Starting", "queued": "In the queue", "stopping": "Stopping"}
    parts = [waiting.get(now.state, "")]
    if in_epoch(now):
        parts.append(f"{now.fraction:.0%} of the run")
        left = now.detail.get("seconds_left")
        if now.state == "running" and left is not None:
            parts.append(f"about {duration(left)} left")
    else:
        parts.append(now.message.rstrip("."))
    return " · ".join(escape(part) for part in parts if part) or "Starting"


def heartbeat(now: Status) -> str:
    """How long ago the run last gave a sign of life."""
    if not now.heartbeat:
        return ""
    silent = time.time() - now.heartbeat
    text = f"updated {duration(silent)} ago"
    return f":orange[{text}: no sign of life]" if silent > SILENT else text
