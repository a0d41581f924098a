"""Redshifts, p(z) and flags that a model gives for spectra, in blocks of bounded memory.

ONNX Runtime computes a run that has its ``model.onnx``; TensorFlow, which takes seconds to import,
the others, and all of a process that has imported it already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from redshift_core import pdf
from redshift_core.constants import N_PIXELS, N_Z_BINS, Z_MAX, Z_MIN
from redshift_core.data.sentinels import has_sentinel
from redshift_core.errors import InputError
from redshift_core.evaluation.flags import density_flags
from redshift_core.evaluation.recalibration import Recalibration
from redshift_core.evaluation.training_range import Coverage, coverage_of
from redshift_core.evaluation.verdict import Tally
from redshift_core.jobs.machine import n_threads
from redshift_core.store import RunFolder, file_digest

BLOCK_CONV = 256  # spectra per call of a convolutional network on a CPU; larger blocks are slower
BLOCK_CONV_GPU = 4096
BLOCK_DENSE = 8192
MADE_OF = "model.keras SHA-256"  # metadata of an ONNX file: the model that it was made of
PER_CALL = "spectra per call"  # and how many to give it at a time
OTHER_FILES = "session.model_external_initializers_file_folder_path"  # where a file may find more
LEVELS = (68, 95)  # % of p(z) inside the intervals given with a redshift


class Answer(NamedTuple):
    """Answer of a model for some spectra."""

    z_phot: NDArray[np.float64]  # (n,) in [0, 0.6], NaN without a redshift; of a p(z), the median
    density: NDArray[np.float32] | None = None  # (n, 240) p(z) in 1/z; None if it gives none


Predictor = Callable[[NDArray[np.floating]], Answer]


def predict_redshift(
    model: Any, flux: NDArray[np.floating], block: int | None = None
) -> NDArray[np.float64]:
    """Redshifts of spectra.

    Parameters
    ----------
    model : keras.Model
        Takes raw flux (n, 186) and returns z_phot (n, 1), or probabilities (n, 240) of the bins.
    flux : array, shape (n_sources, 186)
        Raw flux, e⁻ s⁻¹ per pixel.
    block : int, optional
        Spectra per call of the model; the default depends on the kind of network.

    Returns
    -------
    array, shape (n_sources,)
        z_phot in [0, 0.6], or the median of p(z); NaN if the flux is all zero or not finite, or if
        the model overflows.
    """
    return predictor(model, block)(flux).z_phot


def predictor(model: Any, block: int | None = None, bounded: bool = True) -> Predictor:
    """Function that predicts one array of spectra after the other; the model is compiled once.

    With ``bounded``, a redshift outside the range of the training, [0, 0.6], is set to its end.
    """
    import tensorflow as tf

    call = tf.function(
        lambda flux: model(flux, training=False),
        input_signature=[tf.TensorSpec((None, N_PIXELS), tf.float32)],
    )
    size = block or _block_size(model, bool(tf.config.list_logical_devices("GPU")))
    return _in_blocks(call, model.output_shape[-1], size, bounded)


def onnx_predictor(
    content: bytes, block: int = 0, made_of: str = "", bounded: bool = True
) -> Predictor:
    """As `predictor`, of what an ONNX file holds; TensorFlow is not imported.

    The file may come from anybody: its numbers are taken from ``content`` alone, never from another
    file that it names, and it has to answer a spectrum before it is used.

    Raises
    ------
    Exception
        ValueError where the file was made of another model than that with the SHA-256 ``made_of``,
        if given, or gives neither a redshift nor a p(z); errors of ONNX Runtime where it cannot be
        read.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry(OTHER_FILES, os.devnull)
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    if made_of and about.get(MADE_OF) != made_of:
        raise ValueError("it was made of another model.keras")
    name = session.get_inputs()[0].name

    def call(flux: NDArray[np.float32]) -> NDArray[np.float32]:
        return session.run(None, {name: flux})[0]

    n, n_outputs = call(np.ones((2, N_PIXELS), np.float32)).shape
    if n != 2 or n_outputs not in (1, N_Z_BINS):
        raise ValueError(f"it gives {n_outputs} numbers for a spectrum, and not 1 or {N_Z_BINS}")
    size = block or int(np.clip(int(about[PER_CALL]), 1, BLOCK_DENSE))
    return _in_blocks(call, n_outputs, size, bounded)


def _in_blocks(
    call: Callable[[NDArray], Any], n_outputs: int, size: int, bounded: bool
) -> Predictor:
    """Predictor of a network that takes at most ``size`` spectra in one call."""

    def predict(flux: NDArray[np.floating]) -> Answer:
        if np.ndim(flux) != 2 or np.shape(flux)[1] != N_PIXELS:
            raise ValueError(f"flux has shape {np.shape(flux)}; it must be (n, {N_PIXELS}).")
        answers = np.empty((len(flux), n_outputs), np.float32)
        for start in range(0, len(flux), size):
            values = np.ascontiguousarray(flux[start : start + size], np.float32)
            bad = bad_flux(values)
            if bad.any():
                values = np.where(bad[:, None], np.float32(0), values)
            answer = np.asarray(call(values), np.float32)
            bad |= ~np.isfinite(answer).all(axis=1)
            answers[start : start + size] = answer
            answers[start : start + size][bad] = np.nan
        if n_outputs != N_Z_BINS:
            z_phot = answers[:, 0].astype(np.float64)
            return Answer(np.clip(z_phot, Z_MIN, Z_MAX) if bounded else z_phot)
        answers /= np.float32(pdf.WIDTH)
        return Answer(pdf.point(answers), answers)

    return predict


def bad_flux(flux: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each spectrum has values not finite, sentinels, or only zeros; shape (n,)."""
    return ~np.isfinite(flux).all(axis=1) | ~np.any(flux, axis=1) | has_sentinel(flux)


@dataclass(frozen=True)
class Reader:
    """Gives redshifts and flags for spectra, block by block."""

    predict: Predictor
    coverage: Coverage
    estimate: pdf.Estimate
    priors: Mapping[str, NDArray]
    recalibration: Recalibration | None = None  # of the network's p(z), before another prior

    def read(
        self, flux: NDArray[np.floating], tally: Tally | None = None
    ) -> tuple[dict[str, NDArray], dict[str, NDArray[np.bool_]], NDArray[np.float32] | None]:
        """Columns z_phot, z_low68 …; flags by ``FLAGS``; p(z) under the chosen prior, or None.

        Parameters
        ----------
        flux : array, shape (n_sources, 186)
        tally : Tally, optional
            Collects the spectra for the verdict on the whole file.
        """
        z_phot, density = self.predict(flux)
        columns = {"z_phot": z_phot}
        if density is not None:
            if self.recalibration:
                density = self.recalibration.apply(density)
            density = self.estimate.densities(density, self.priors)
            if self.recalibration or self.estimate != pdf.USUAL:  # else it is the median already
                columns["z_phot"] = pdf.point(density, self.estimate.point)
            tails = [(1 - level / 100) / 2 for level in LEVELS]
            ends = pdf.quantiles(density, *tails, *(1 - tail for tail in tails))
            for place, level in enumerate(LEVELS):
                low, high = ends[:, place], ends[:, place + len(LEVELS)]
                columns |= {f"z_low{level}": low, f"z_high{level}": high}
        bad, departures = np.isnan(z_phot), self.coverage.departures(flux)
        sentinel = np.zeros(len(flux), bool)
        sentinel[bad] = has_sentinel(flux[bad])  # of those without an answer, see `bad_flux`
        departures[sentinel] = np.inf
        if tally:
            tally.add(flux, departures)
        flags = _flags(columns["z_phot"], departures.max(axis=1) > 1, sentinel)
        return columns, {**flags, **density_flags(columns["z_phot"], density, flux)}, density


def open_coverage(run: RunFolder) -> Coverage:
    """Training range of a run; InputError if the run has no model."""
    if not run.model_path.exists() or not run.coverage_path.exists():
        raise InputError(
            f"Run {run.id} has no saved model yet; let it train to the end of an epoch "
            f"(`redshift-lab resume {run.id}` if it has stopped), or choose another run."
        )
    return coverage_of(run)


def open_reader(
    run: RunFolder,
    coverage: Coverage,
    estimate: pdf.Estimate | None = None,
    priors: Mapping[str, NDArray] | None = None,
) -> Reader:
    """Reader of a run's model; imports TensorFlow where the run has no ONNX file that fits."""
    predict = _light_predictor(run)
    if predict is None:
        from redshift_core.learning import models

        predict = predictor(models.load_model(run.model_path))
    return Reader(predict, coverage, estimate or pdf.Estimate(), priors or {})


def _light_predictor(run: RunFolder) -> Predictor | None:
    """Predictor of a run's ONNX file; None where TensorFlow is to be used."""
    if tensorflow_is_loaded() or not run.onnx_path.exists():
        return None
    try:
        made_of = file_digest(run.model_path)
        return onnx_predictor(run.onnx_path.read_bytes(), made_of=made_of)
    except Exception as error:  # whatever is wrong with it, the model itself is there
        print(f"{run.onnx_path} is not used, but the model beside it: {error}")
        return None


def tensorflow_is_loaded() -> bool:
    """Whether this process has paid for TensorFlow already."""
    return "tensorflow" in sys.modules


def flag_text(flags: dict[str, NDArray[np.bool_]]) -> NDArray[np.object_]:
    """Names of the set flags of each source, joined by ``|``; shape (n_sources,)."""
    names = list(flags)
    bits = sum(
        np.asarray(flags[name]).astype(np.int64) << place for place, name in enumerate(names)
    )
    kinds, which = np.unique(bits, return_inverse=True)
    texts = ["|".join(n for p, n in enumerate(names) if kind >> p & 1) for kind in kinds.tolist()]
    return np.array(texts, object)[which]


def _flags(
    z_phot: NDArray, outside: NDArray[np.bool_], sentinel: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    bad = np.isnan(z_phot)
    beyond = (z_phot <= Z_MIN) | (z_phot >= Z_MAX)  # what lies beyond was set to the end
    return {
        "bad_flux": bad,
        "sentinel_flux": sentinel,
        "outside_training_range": outside & ~bad,
        "z_phot_out_of_range": beyond,
    }


def _block_size(model: Any, on_gpu: bool) -> int:
    if _has_conv(model):
        return BLOCK_CONV_GPU if on_gpu else BLOCK_CONV
    return BLOCK_DENSE


def _has_conv(layer: Any) -> bool:
    inner = getattr(layer, "layers", [])
    return "Conv" in type(layer).__name__ or any(_has_conv(one) for one in inner)
