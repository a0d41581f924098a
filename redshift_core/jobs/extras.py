"""What an installation without the extra ``train`` cannot do, and the sentence that says so.

TensorFlow is looked for and not imported, so that commands and pages can ask before anything is
written or queued.
"""

from __future__ import annotations

from importlib.util import find_spec

from redshift_core.errors import InputError
from redshift_core.store import RunFolder

PACKAGES = ("tensorflow", "keras")  # as they are imported
NEEDING = {  # kind of job → what needs TensorFlow
    "train": "Training a network",
    "tune": "Searching for a network",
    "limit": "A study of the information limit",
    "bench": "A bench with networks among its rows",
    "scale": "A bench of sizes",
    "adapt": "Adapting a run",
    "explain": "Explaining a redshift",
    "onnx": "Writing a run as ONNX",
}
APPLYING = {  # and only where the run has no ONNX file that can be used
    "predict": "Predicting with a run that has no usable model.onnx",
    "catalogue": "Predicting with a run that has no usable model.onnx",
    "evaluate": "Evaluating a run that has no usable model.onnx",
    "stress": "Perturbing the spectra of a run that has no usable model.onnx",
}


def lacking(kind: str, run: RunFolder | None = None) -> str:
    """Sentence on what must be installed for a job; empty where nothing is missing.

    Parameters
    ----------
    kind : str
        Kind of the job.
    run : RunFolder, optional
        Run that the job applies.
    """
    light = run is None or run.onnx_path.exists()
    needs = kind in NEEDING or (kind in APPLYING and not light)
    return sentence(kind) if needs and find_spec("tensorflow") is None else ""


def check(kind: str, run: RunFolder | None = None) -> None:
    """Refuse a job for which TensorFlow is missing; see `lacking`."""
    if said := lacking(kind, run):
        raise InputError(said)


def sentence(kind: str) -> str:
    """That a kind of job needs TensorFlow, and how to get it."""
    what = (NEEDING | APPLYING).get(kind, "This job")
    return (
        f"{what} needs TensorFlow, which is not installed here; get it with "
        "pip install 'redshift-lab[train]'."
    )
