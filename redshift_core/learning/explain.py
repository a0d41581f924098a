"""Shows which pixels of a spectrum mattered to its redshift: the job of "Why this redshift?".

There are two methods, which fail in different ways. Both compare the spectrum with a reference: the
mean spectrum of training galaxies of similar brightness, scaled to the brightness of the galaxy. So
both show what sets this galaxy apart from what the network would expect.

Occlusion replaces one group of neighbouring pixels at a time and asks the network again. The
reference fills the gap and is shifted so that it meets the spectrum at both ends. Without the
shift, it would add two steps that the network reacts to. Occlusion shows the features inside one
group. It does not show the overall slope, nor information that two groups share, because each of
them can replace the other.

The gradient shows these as well. It is averaged along the straight line from the reference to the
spectrum and multiplied by their difference. Its sum over all pixels is the difference between the
two answers.

Neither method proves that a feature is real or a redshift right. They show what this network used.

References
----------
Zeiler & Fergus 2014 (occlusion); Sundararajan et al. 2017, equation 3 (integrated gradients).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_BP, N_PIXELS, N_Z_BINS, Z_MAX, Z_MIN, FloatArray, wavelength
from redshift_core.data import Dataset, open_dataset
from redshift_core.data.bases import PIXELS
from redshift_core.data.split import Split
from redshift_core.errors import InputError
from redshift_core.figures import line_positions
from redshift_core.store import JobContext, RunFolder, Store

GROUP = 5  # approximate number of pixels per group; no group crosses the seam of the bands
N_STEPS = 64  # points on the line from the reference to the spectrum
N_LIKE = 500  # training galaxies whose mean spectrum is the reference
N_STRONGEST = 3  # groups described in sentences


@dataclass(frozen=True)
class Explanation:
    """What mattered to one redshift; every effect is in units of z."""

    z: float  # the network's answer: z_phot, or the mean of p(z)
    z_like: float  # its answer to the mean spectrum
    width: float | None  # standard deviation of p(z); None without a PDF head
    gradient: NDArray[np.float64]  # (186,) mean gradient × difference; sums to z − z_like
    occlusion: NDArray[np.float64]  # (n_groups,) z − that with the group replaced
    narrowing: NDArray[np.float64] | None  # (n_groups,) width with the group replaced − width


def groups() -> list[tuple[int, int]]:
    """First and last pixel of each group of neighbours, BP then RP."""
    bands = (np.arange(N_BP), np.arange(N_BP, N_PIXELS))
    parts = [part for band in bands for part in np.array_split(band, round(len(band) / GROUP))]
    return [(int(part[0]), int(part[-1])) for part in parts]


def explain(model: Any, flux: FloatArray, like: FloatArray) -> Explanation:
    """Explain a network's answer to one spectrum.

    Parameters
    ----------
    model : keras.Model
        Takes raw flux (n, 186); gives z_phot (n, 1) or probabilities of bins of z (n, 240).
    flux, like : array, shape (186,)
        The spectrum and the reference that replaces parts of it, e⁻ s⁻¹ per pixel.
    """
    import tensorflow as tf

    flux, like = np.asarray(flux, np.float32), np.asarray(like, np.float32)
    spectra = np.repeat(flux[None], 2 + len(groups()), axis=0)
    spectra[1] = like
    for number, (first, last) in enumerate(groups(), start=2):
        spectra[number] = without(flux, like, first, last)
    z, width = (part.numpy().astype(float) for part in _moments(model(spectra, training=False)))
    share = ((np.arange(N_STEPS) + 0.5) / N_STEPS).astype(np.float32)[:, None]
    way = tf.constant(like + share * (flux - like))
    with tf.GradientTape() as tape:
        tape.watch(way)
        answer, _ = _moments(model(way, training=False))
    slope = tape.gradient(answer, way).numpy().astype(float).mean(axis=0)
    has_width = model.output_shape[-1] == N_Z_BINS
    return Explanation(
        z=float(z[0]),
        z_like=float(z[1]),
        width=float(width[0]) if has_width else None,
        gradient=slope * (flux.astype(float) - like),
        occlusion=z[0] - z[2:],
        narrowing=width[2:] - width[0] if has_width else None,
    )


def without(flux: FloatArray, like: FloatArray, first: int, last: int) -> FloatArray:
    """Spectrum (186,) whose pixels from first to last come from another, shifted to fit in.

    The shift is a straight line between the differences of the two spectra at the pixels beside the
    group. At the end of a band, it is the difference at the only neighbour.
    """
    start, stop = (0, N_BP) if first < N_BP else (N_BP, N_PIXELS)
    beside = [pixel for pixel in (first - 1, last + 1) if start <= pixel < stop]
    pixels = np.arange(first, last + 1)
    result = flux.copy()
    result[pixels] = like[pixels] + np.interp(pixels, beside, (flux - like)[beside])
    return result


def like_spectrum(
    flux: FloatArray, dataset: Dataset, rows: NDArray[np.integer]
) -> tuple[NDArray[np.float64], int]:
    """Mean of the spectra nearest in brightness, scaled to one spectrum; and their number.

    Parameters
    ----------
    flux : array, shape (186,)
        The one spectrum.
    rows : array, shape (n,)
        Rows of the dataset to take them from.

    Returns
    -------
    spectrum : array, shape (186,), e⁻ s⁻¹ per pixel
    n : int
    """
    brightness = float(np.mean(flux, dtype=float))
    near = np.argsort(np.abs(dataset.brightness[rows] - brightness), kind="stable")[:N_LIKE]
    mean = np.asarray(dataset.flux[np.sort(rows[near])], float).mean(axis=0)
    if mean.mean() > 0 and brightness > 0:
        mean *= brightness / mean.mean()
    return mean, len(near)


def explain_job(context: JobContext) -> dict[str, Any]:
    """Job: ``run``, ``dataset``, ``row`` → the explanation, as numbers and as sentences."""
    from redshift_core.learning import models

    request = context.request
    run, folder = context.store.run(request["run"]), context.store.dataset(request["dataset"])
    dataset, row = open_dataset(folder), request["row"]
    context.report(0, 4, "Reading the spectrum and galaxies of similar brightness.", now=True)
    flux = _flux(dataset, row)
    source, rows, whose = _like_rows(run, dataset, context.store)
    like, n_like = like_spectrum(flux, source, rows)
    context.report(1, 4, "Loading the network.", now=True)
    model = models.load_model(run.model_path)
    if context.should_stop():
        return {"stopped": True}
    context.report(3, 4, "Replacing pixels and computing the gradient.", now=True)
    explanation = explain(model, flux, like)
    if not np.isfinite([explanation.z, explanation.z_like]).all():
        raise InputError(f"The network gives row {row} of {dataset.id} no redshift to explain.")
    z_spec, source_id = float(dataset.z_spec[row]), int(dataset.source_id[row])
    result = {
        "run": run.id,
        "dataset": dataset.id,
        "row": row,
        "source_id": source_id if source_id != row else None,  # else the row stands in
        "simulated": bool(folder.info.get("simulated")),
        "z_spec": z_spec if np.isfinite(z_spec) else None,
        "answer": "z_phot" if explanation.width is None else "mean of p(z)",
        "like": f"mean of {n_like:,} {whose} of like brightness",
        "flux": flux.tolist(),
        "like_flux": like.tolist(),
        "groups": groups(),
        **{k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(explanation).items()},
    }
    return {**result, "sentences": sentences(result)}


def sentences(result: dict[str, Any]) -> list[str]:
    """Sentences about the answer and about the groups of pixels with the strongest effects."""
    z_spec = result["z_spec"]
    opening = f"The network's {result['answer']} is {result['z']:.4f}"
    opening += f" (true redshift {z_spec:.4f})" if z_spec is not None else ""
    opening += f"; for the {result['like']} alone it is {result['z_like']:.4f}."
    occlusion = np.asarray(result["occlusion"])
    strongest = np.argsort(-np.abs(occlusion), kind="stable")[:N_STRONGEST]
    return [opening, *(_sentence(result, int(n)) for n in strongest if occlusion[n])]


def _sentence(result: dict[str, Any], number: int) -> str:
    first, last = result["groups"][number]
    nm, effect = wavelength(), result["occlusion"][number]
    band = "bp" if first < N_BP else "rp"
    inside = PIXELS[band]  # the bands overlap, so look only at neighbours in the same band
    low, high = nm[max(first - 1, inside.start)], nm[min(last + 1, inside.stop - 1)]
    names = [
        name
        for name, places in line_positions(nm, result["z"]).items()
        if any(low <= place <= high for place in places)
    ]
    where = f", where {' and '.join(names)} would be at that redshift," if names else ""
    text = f"{band.upper()} {nm[first]:.0f}–{nm[last]:.0f} nm{where} "
    text += f"{'raises' if effect > 0 else 'lowers'} it by {abs(effect):.4f}"
    if result["narrowing"]:
        change = result["narrowing"][number]
        text += f" and makes p(z) {'narrower' if change > 0 else 'wider'} by {abs(change):.4f}"
    return text + "."


def _moments(answer: Any) -> tuple[Any, Any]:
    """Redshifts and widths, tensors of shape (n,), of answers (n, 1) or (n, 240)."""
    import tensorflow as tf

    if answer.shape[-1] != N_Z_BINS:
        return answer[:, 0], tf.zeros_like(answer[:, 0])
    step = (Z_MAX - Z_MIN) / N_Z_BINS
    centres = tf.constant(Z_MIN + step * (np.arange(N_Z_BINS) + 0.5), answer.dtype)
    mean = tf.reduce_sum(answer * centres, axis=1)
    apart = (
        centres - mean[:, None]
    ) ** 2 + step**2 / 12  # variance of the uniform density inside each bin
    return mean, tf.sqrt(tf.reduce_sum(answer * apart, axis=1))


def _flux(dataset: Dataset, row: int) -> NDArray[np.float32]:
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < len(dataset):
        raise InputError(
            f"Row {row} is not in dataset {dataset.id}, whose rows are 0 to {len(dataset) - 1:,}."
        )
    flux = np.array(dataset.flux[row])
    if not np.isfinite(flux).all() or not flux.any():
        raise InputError(
            f"The flux of row {row} of {dataset.id} is missing, infinite or zero throughout, so "
            "there is no redshift to explain; choose another row."
        )
    return flux


def _like_rows(
    run: RunFolder, dataset: Dataset, store: Store
) -> tuple[Dataset, NDArray[np.int64], str]:
    """Training rows of the run, or the dataset's usable rows if the run's own dataset is gone."""
    own = {folder.id: folder for folder in store.datasets()}.get(run.config.dataset)
    if own is not None and run.split_path.exists():
        return open_dataset(own), Split.load(run.split_path).train, "training galaxies"
    rows = dataset.usable_rows()
    if not len(rows):
        raise InputError(
            f"The dataset that run {run.id} was trained on is not in the store, and {dataset.id} "
            "holds no galaxies with redshifts either, so there are no mean spectra to put in place "
            "of the pixels."
        )
    return dataset, rows, "galaxies of this dataset"
