"""Every name that a setting may take, each with one line that says what it is; and file formats.

``config`` checks against the names; the form shows the line of the one that is chosen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class FileFormat:
    """How a format of tables of spectra is called and known."""

    title: str  # in the user's words
    suffixes: tuple[str, ...]  # last endings of file names, the usual one first
    magic: bytes = b""  # first bytes of every such file; none for text
    written: bool = False  # whether predictions are written in it, too


FORMATS = {  # format of ``data.READERS`` → how it is known
    "csv": FileFormat(
        "CSV",
        (".csv", ".tsv", ".txt", ".dat", ".tab", ".asc", ".ascii", ".tbl", ".mrt", ".rst", ".cat"),
        written=True,
    ),
    "csv.gz": FileFormat("CSV.gz", (".gz",), b"\x1f\x8b"),
    "parquet": FileFormat("Parquet", (".parquet", ".pq"), b"PAR1", written=True),
    "feather": FileFormat("Feather", (".feather", ".arrow"), b"ARROW1"),
    "fits": FileFormat("FITS", (".fits", ".fit"), b"SIMPLE  =", written=True),
    "votable": FileFormat("VOTable", (".vot", ".votable", ".xml"), b"<?xml", written=True),
    "ecsv": FileFormat("ECSV", (".ecsv",), b"# %ECSV", written=True),
    "zip": FileFormat("ZIP", (".zip",), b"PK\x03\x04"),
}
ENDINGS = tuple(ending for one in FORMATS.values() for ending in one.suffixes)
WRITTEN = {  # ending of a table that is written → its format, of ``store.writers.WRITERS``
    ending: name
    for name, one in FORMATS.items()
    if one.written
    for ending in (one.suffixes if one.magic else one.suffixes[:1])  # .tsv has another delimiter
}
USUAL_ENDINGS = tuple(one.suffixes[0] for one in FORMATS.values() if one.written)


def in_words(names: Iterable[str]) -> str:
    """Names as a sentence lists them.

    Examples
    --------
    >>> in_words([".csv", ".parquet", ".fits"]), in_words([".npy"])
    ('.csv, .parquet or .fits', '.npy')
    """
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


FORMAT_TITLES = in_words(one.title for one in FORMATS.values())  # for sentences

SCALERS = {
    "minmax": "Each pixel to 0–1 by its lowest and highest training flux; the dissertation's.",
    "standard": "Each pixel minus its mean, divided by its standard deviation.",
    "robust": "Each pixel minus its median, divided by its interquartile range.",
    "quantile": "Each pixel replaced by its rank among the training fluxes, 0–1.",
    "spectrum": "Each spectrum divided by its own mean; brightness and scatter join as two inputs.",
    "shape": "As spectrum, then each input minus its mean, divided by its standard deviation.",
    "whitened": "As shape, then freed of correlations (ZCA): each pixel tells what only it knows.",
}
REPEATS = {
    "together": "All of them on one side of the split, so that no test galaxy was learned from.",
    "anywhere": "Each row for itself, the dissertation's very split: repeats fall on both sides.",
}
FIT_ON = {
    "train": "The scaler sees the training rows only.",
    "all": "The scaler sees every row, as in the dissertation's listing: the test rows leak in.",
}
ARCHITECTURES = {
    "cnn": "Convolutions look for shapes along the spectrum, then dense layers weigh them.",
    "mlp": "Dense layers only: every unit sees every pixel. Many times quicker than cnn.",
    "rescnn": "Convolutions beside the inputs themselves, then the blocks of resmlp.",
    "mixed": "Members in turn rescnn, cnn and resmlp: what one kind misses, another sees.",
    "resmlp": "Dense layers in blocks that each add to what they were given; trains deeper nets.",
}
HEADS = {
    "regression": "One number, the redshift.",
    "pdf": "A probability for each of 240 bins of redshift: p(z), with its uncertainty.",
}
PADDINGS = {
    "valid": "Kernels stay inside the spectrum, so each layer is a little shorter.",
    "same": "Zeros are added at both ends, so the length stays.",
}
POOLINGS = {
    "max": "Keeps the largest value of each window.",
    "average": "Keeps the mean of each window.",
    "none": "No pooling: the length falls by kernels and strides only.",
}
ACTIVATIONS = {
    "relu": "max(0, x): the plain choice, and the dissertation's.",
    "leaky_relu": "As relu, but a fifth of the slope below zero, so no unit dies.",
    "elu": "Bends smoothly to −1 below zero.",
    "selu": "elu scaled so that values keep their spread; wants lecun_normal.",
    "gelu": "A smooth relu: x times the normal distribution's cumulative probability.",
    "silu": "A smooth relu: x times sigmoid(x); also called swish.",
    "mish": "A smooth relu: x times tanh(softplus(x)).",
    "tanh": "S-shaped, −1 to 1; flat far from zero, where learning slows.",
    "sigmoid": "S-shaped, 0 to 1; flat far from zero, where learning slows.",
    "linear": "No bend: such a layer adds nothing that its neighbour could not do.",
}
INITIALIZERS = {
    "glorot_uniform": "Uniform, scaled by inputs and outputs; Keras's default.",
    "glorot_normal": "Normal, scaled by inputs and outputs.",
    "he_uniform": "Uniform, scaled by inputs; made for relu.",
    "he_normal": "Normal, scaled by inputs; made for relu.",
    "lecun_normal": "Normal, scaled by inputs; made for selu, good for gelu.",
}
OPTIMIZERS = {
    "adamax": "Adam with the largest recent gradient in place of its mean square; calm steps.",
    "adam": "Step sizes of each weight from running means of its gradient and its square.",
    "adamw": "Adam that also lets every weight decay a little at each step.",
    "sgd": "Plain gradient descent with momentum; wants a larger learning rate.",
}
SCHEDULES = {
    "constant": "The same rate throughout.",
    "one_cycle": "Up to the rate over the first fifth, then down to a thousandth of it.",
    "cosine": "Half a cosine from the rate down to a thousandth of it.",
    "exponential": "Falls steadily to a hundredth of the rate.",
}
LOSSES = {
    "huber": "Squared for small errors, linear for large ones: outliers weigh less.",
    "mse": "Squared error: large errors weigh most; aims at the mean redshift.",
    "mae": "Absolute error: every error weighs by its size; aims at the median redshift.",
    "logcosh": "Squared for small errors, linear for large ones, without a seam.",
    "cross_entropy": "Minus the log of the probability given to the true redshift's bin.",
    "crps": "Squared distance between the cumulative p(z) and the step at the true redshift.",
}
LOSSES_OF = {  # head → losses that judge what it gives
    "regression": ("huber", "mse", "mae", "logcosh"),
    "pdf": ("cross_entropy", "crps"),
}
KEEP = {
    "best": "The epoch with the lowest validation MAE.",
    "last": "The last epoch, as the dissertation did.",
}
PRECISIONS = {
    "float32": "32-bit numbers throughout.",
    "mixed_bfloat16": "Layers in 16 bits with float32's range; for new GPUs and a few CPUs.",
    "mixed_float16": "Layers in 16 bits with loss scaling; for GPUs.",
}
DEVICES = {
    "auto": "Every GPU there is, else the CPU.",
    "cpu": "The CPU, even where there is a GPU.",
    "gpu": "A GPU; the run fails where there is none.",
}
PRESETS = {
    "dissertation": "The published network and recipe: 699,073 parameters, batch 16, 20 epochs.",
    "fast": "A small dense network on whitened spectra: beats dissertation, in seconds.",
    "fast_cnn": "A small convolutional network on whitened spectra: p(z), far sooner than best.",
    "best": "Convolutions beside residual blocks on whitened spectra: p(z), the most accurate.",
}
BASELINES = {
    "prior": "The training redshifts alone: the same p(z) for every galaxy.",
    "ridge": "Linear regression with a penalty on squared weights.",
    "knn": "Nearest neighbours in 20 principal components, weighted by 1 / distance.",
    "hist_gradient_boosting": "Boosted trees on binned features (scikit-learn's own).",
    "random_forest": "100 trees whose leaves keep their redshifts, so that it has a p(z).",
    "svm": "Support vector machine, RBF, 8,000 spectra about flat in z: in the manner of UGC.",
    "xgboost": "Boosted trees of XGBoost (needs the extra peers).",
    "lightgbm": "Boosted trees of LightGBM (needs the extra peers).",
    "catboost": "Boosted symmetric trees of CatBoost (needs the extra peers).",
    "flexzboost": "p(z) from cosines with boosted coefficients (needs the extra peers).",
}
METRICS = {  # figure of merit of redshifts → its definition; computed in ``evaluation.metrics``
    "mae": "Mean of |z_phot − z_spec|, in z.",
    "rmse": "Root of the mean squared z_phot − z_spec, in z.",
    "bias_median": "Median of e_z = (z_phot − z_spec) / (1 + z_spec).",
    "bias_mean": "Mean of e_z = (z_phot − z_spec) / (1 + z_spec).",
    "sigma_nmad": "1.4826 · median |e_z − median e_z|.",
    "sigma_iqr": "(Q75 − Q25) of e_z / 1.349.",
    "outlier_fraction_0.05": "Share with |e_z| > 0.05, the limit of the SDSS main sample.",
    "outlier_fraction_0.15": "Share with |e_z| > 0.15, the classic limit.",
    "outlier_fraction_lsst": "Share with |e_z| > max(0.06, 3 σ_IQR).",
}
