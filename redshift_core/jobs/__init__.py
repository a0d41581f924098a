"""Start, watch, stop and resume jobs; the worker that executes them."""

from redshift_core.jobs.launch import (
    resume,
    resume_bench,
    resume_limit,
    resume_tuning,
    start,
    start_bench,
    start_limit,
    start_training,
    start_tuning,
    submit,
)
from redshift_core.jobs.start_from import fine_tuned
from redshift_core.jobs.watch import (
    Status,
    at_work,
    epochs_text,
    kill,
    log_tail,
    saved_val_mae,
    status,
    stop,
    wait,
)

__all__ = [
    "Status",
    "at_work",
    "epochs_text",
    "fine_tuned",
    "kill",
    "log_tail",
    "resume",
    "resume_bench",
    "resume_limit",
    "resume_tuning",
    "saved_val_mae",
    "start",
    "start_bench",
    "start_limit",
    "start_training",
    "start_tuning",
    "status",
    "stop",
    "submit",
    "wait",
]
