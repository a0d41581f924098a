"""The words of this program, each in one or two plain sentences.

``GLOSSARY`` maps an anchor (``?word=sigma_nmad``) to its entry; ``figure`` names the entry of
``figures.GLOSSARY_FIGURES`` that shows it, where one helps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from redshift_core.constants import N_PIXELS
from redshift_core.runs import demo_file

EXAMPLE_Z = (0.08, 0.12)  # redshift range of the example galaxy


@dataclass(frozen=True)
class Entry:
    """One word."""

    word: str
    text: str  # Markdown
    figure: str = ""


SECTIONS: dict[str, dict[str, Entry]] = {
    "Sky and spectra": {
        "redshift": Entry(
            "Redshift, z",
            "How much the light of a galaxy is stretched on its way: observed wavelength = "
            "(1 + z) · emitted wavelength. Space expands, so a larger z means farther away; "
            "features of a spectrum move to the right with it.",
            "redshift",
        ),
        "z_spec": Entry(
            "z_spec",
            "Spectroscopic redshift: measured from sharp lines in a spectrum of high resolution "
            "(here by SDSS), and taken as the truth.",
        ),
        "z_phot": Entry(
            "z_phot",
            "The network's redshift. Gaia's spectra are so coarse that what they give is closer "
            "to a redshift from colours (photometric) than to one from lines.",
        ),
        "bp_rp": Entry(
            "BP and RP",
            "Gaia's blue and red photometer. Each spreads a galaxy's light through a prism into a "
            "short spectrum; 80 BP and 106 RP samples, set side by side, are the 186 fluxes. "
            "They overlap from 619 to 627 nm, and the seam between them shows in every spectrum.",
            "spectrum",
        ),
        "flux": Entry(
            "Flux",
            "Light per pixel, in electrons per second as the detector counts them. Noise can make "
            "it negative.",
        ),
        "pixel": Entry(
            "Pixel",
            "One of the 186 samples of a spectrum. Pixels are about equally wide in Gaia's "
            "pseudo-wavelength, not in nm: the prism spreads blue light more than red.",
            "spectrum",
        ),
        "ugc": Entry(
            "UGC",
            "Unresolved Galaxy Classifier: Gaia's own redshifts in Data Release 3, from support "
            "vector machines on the same 186 fluxes. The incumbent.",
        ),
    },
    "Judging redshifts": {
        "e_z": Entry(
            "e_z",
            "Error relative to the stretch: (z_phot − z_spec) / (1 + z_spec). Most figures of the "
            "field are made of it.",
        ),
        "bias": Entry(
            "Bias",
            "Whether redshifts are too high or too low on the whole: the median of e_z here, the "
            "mean elsewhere.",
        ),
        "sigma_nmad": Entry(
            "σ_NMAD",
            "Scatter that outliers cannot inflate: 1.4826 · median(|e_z − median(e_z)|). For "
            "normally distributed errors it equals the standard deviation.",
            "sigma_nmad",
        ),
        "outlier_fraction": Entry(
            "Outlier fraction",
            "Share of galaxies whose |e_z| exceeds a threshold: 0.15 by custom, 0.05 for bright "
            "galaxies.",
            "sigma_nmad",
        ),
        "mae": Entry(
            "MAE",
            "Mean absolute error, the average of |z_phot − z_spec|, in plain redshift. The "
            "dissertation's headline: 0.021.",
            "losses",
        ),
        "rmse": Entry(
            "RMSE",
            "Root of the mean squared error, in plain redshift. Large errors weigh more than in "
            "the MAE.",
        ),
        "shrinkage": Entry(
            "Shrinkage toward the mean",
            "Given a noisy spectrum, the answer with the least squared error is the mean of all "
            "redshifts it could have (the posterior mean), and most galaxies have a middling one. "
            "So low redshifts come out too high and high ones too low: the arithmetic of sparse, "
            "noisy data, not a fault in the training.",
            "shrinkage",
        ),
        "training_range": Entry(
            "Outside the training range",
            "A network answers every spectrum, also one like none it has seen. This flag marks "
            "spectra farther, in shape or brightness, from the kinds of spectra it was trained on "
            "than 99 % of its validation spectra. It does not catch whatever looks like a galaxy "
            "within the noise, and a redshift without it can still be wrong.",
        ),
        "why_this_redshift": Entry(
            "Why this redshift?",
            "Which pixels the network went by: groups of them are replaced, one after the other, "
            "by the mean of galaxies of like brightness, and the gradient says what the answer "
            "owes to each pixel. It shows what counted, not that it was right to count.",
        ),
    },
    "Probability densities": {
        "density": Entry(
            "p(z), probability density",
            "How probable each redshift is for one galaxy, given its spectrum: 240 bins between "
            "z = 0 and 0.6, in units of 1/z, so that the area is 1. A narrow one is a sure answer; "
            "its width is the error bar.",
        ),
        "point_estimate": Entry(
            "Median, mean and mode of p(z)",
            "Ways to make one redshift of a density. The median has the least expected absolute "
            "error, the mean the least squared one; the mode is the most probable bin.",
        ),
        "prior": Entry(
            "Prior",
            "What is taken to be known of a redshift before the spectrum is seen: here, how "
            "redshifts are distributed. A network learns that of its training set. Another one "
            "enters as p(z) · new prior / training prior, with the area made 1 again.",
        ),
        "flat_prior": Entry(
            "Flat prior",
            "Every redshift equally probable beforehand. It takes the shrinkage toward common "
            "redshifts out, so rare distant galaxies are not drawn near; the average error of a "
            "survey, where most are not rare, gets larger: much larger where a network saw too few "
            "galaxies to know the rare ones.",
        ),
        "multimodal": Entry(
            "Multimodal",
            "A p(z) with several separate hills, each with at least a tenth of the probability: "
            "the spectrum fits different redshifts, and one number cannot say so.",
        ),
        "pit": Entry(
            "PIT",
            "Probability integral transform: the share of p(z) below the true redshift. Over many "
            "galaxies it is spread evenly over 0–1 if the densities are right; a valley in its "
            "histogram means too narrow, a hill too wide, a slope biased ones.",
        ),
        "ks": Entry(
            "KS and Cramér–von Mises",
            "Two distances between the PIT values and an even spread: Kolmogorov–Smirnov the "
            "largest gap between the cumulative curves, Cramér–von Mises their mean squared gap.",
        ),
        "credibility": Entry(
            "Credibility and coverage",
            "Credibility is the probability that p(z) puts into an interval; coverage is the share "
            "of true redshifts that lie in it. They agree where densities mean what they say.",
        ),
        "crps": Entry(
            "CRPS",
            "Continuous ranked probability score: the squared distance between the cumulative p(z) "
            "and a step at the true redshift, summed over z. The absolute error of a whole "
            "density, in z; less is better.",
        ),
        "cde_loss": Entry(
            "CDE loss",
            "Conditional density estimation loss: the mean of ∫ p(z)² dz − 2 p(z_spec), in 1/z. "
            "It rewards probability at the true redshift; less is better, and good ones are "
            "negative.",
        ),
        "log_likelihood": Entry(
            "Log-likelihood",
            "Mean of ln p(z_spec). More is better; a single true redshift where p(z) is nearly "
            "zero costs dearly.",
        ),
    },
    "Data for training": {
        "split": Entry(
            "Training, validation and test rows",
            "The network learns from the training rows; the validation rows show during training "
            "how it does on others; the test rows are looked at once, at the end. The "
            "dissertation's shares: 63, 27 and 10 %.",
            "split",
        ),
        "leakage": Entry(
            "Leakage",
            "When something of the test rows reaches the training, for example a scaler fitted on "
            "all rows. Test figures then look better than they will be on new galaxies.",
        ),
        "scaler": Entry(
            "Scaler",
            "Brings fluxes of very different size to a common range before the network sees "
            "them; its numbers come from the training rows alone and are saved in the model.",
        ),
    },
    "Network": {
        "weights": Entry(
            "Parameters, weights",
            "The numbers that training adjusts. The dissertation's network has 699,073.",
        ),
        "convolution": Entry(
            "Convolution",
            "A short row of weights, the kernel, slides along the spectrum and gives out a "
            "weighted sum at each place: large where the spectrum looks like the kernel. A layer "
            "has many kernels (filters) and learns their weights.",
            "convolution",
        ),
        "pooling": Entry(
            "Pooling",
            "Keeps one number, the largest or the mean, of every few neighbours: shorter, "
            "and less sensitive to where exactly a feature lies.",
            "convolution",
        ),
        "dense": Entry(
            "Dense layer",
            "Every unit takes a weighted sum of everything the layer before gives out.",
        ),
        "activation": Entry(
            "Activation",
            "The bend applied to every number that a layer gives out. Without it any number of "
            "layers would amount to one.",
            "activations",
        ),
        "dropout": Entry(
            "Dropout",
            "Switches some units off at random in each training step, so that none can be relied "
            "on alone; a remedy for over-fitting.",
        ),
    },
    "Training": {
        "loss": Entry(
            "Loss",
            "The number that training makes small: an average over galaxies of how bad each error "
            "is.",
            "losses",
        ),
        "mse": Entry(
            "MSE",
            "Mean squared error. One galaxy that is off by 0.2 weighs as much as a hundred that "
            "are off by 0.02.",
            "losses",
        ),
        "huber": Entry(
            "Huber",
            "Squared for errors below δ, linear beyond: outliers no longer dominate. With δ = 1, "
            "as in the dissertation, no error here is beyond, and Huber is half the squared error.",
            "losses",
        ),
        "optimizer": Entry(
            "Optimizer",
            "The rule that turns the slope of the loss into a step of the weights.",
            "learning_rate",
        ),
        "adamax": Entry(
            "Adam, Adamax",
            "Optimizers that give every weight a step size of its own, from its recent slopes: "
            "Adam divides by their root mean square, Adamax by the largest, which is calmer.",
        ),
        "learning_rate": Entry(
            "Learning rate",
            "Length of the steps. Too small: slow. Too large: the steps jump over the valley and "
            "the loss grows.",
            "learning_rate",
        ),
        "schedule": Entry(
            "Schedule",
            "How the learning rate changes over a run. One cycle rises to the peak, so that "
            "training moves far, then falls, so that it settles.",
            "schedules",
        ),
        "batch": Entry(
            "Batch",
            "Galaxies per step. Small batches make many noisy steps; large ones fewer, calmer, "
            "and quicker per galaxy.",
        ),
        "epoch": Entry("Epoch", "One pass over all training rows."),
        "under_fitting": Entry(
            "Under-fitting",
            "The network has not learned what the data hold: both losses still fall, or it is too "
            "small. Go on, or enlarge it.",
            "over_fitting",
        ),
        "over_fitting": Entry(
            "Over-fitting",
            "The network learns its training galaxies by heart: the training loss goes on falling "
            "while the validation loss turns up. In the published record this begins, slightly, "
            "after epoch 35.",
            "over_fitting",
        ),
        "early_stopping": Entry(
            "Early stopping",
            "Ends a run when the validation loss has not fallen for some epochs: a guard against "
            "over-fitting.",
            "over_fitting",
        ),
    },
}
GLOSSARY: dict[str, Entry] = {name: one for part in SECTIONS.values() for name, one in part.items()}


def search(text: str) -> list[str]:
    """Anchors of the entries whose word or text holds every word searched for.

    Examples
    --------
    >>> search("huber")[0]
    'huber'
    """
    wanted = text.lower().split()
    found = [
        name
        for name, one in GLOSSARY.items()
        if all(part in f"{name} {one.word} {one.text}".lower() for part in wanted)
    ]
    return sorted(found, key=lambda name: text.lower() not in GLOSSARY[name].word.lower())


@cache
def example_spectrum() -> tuple[NDArray[np.float32], float]:
    """Flux, shape (186,), and redshift of the demo survey's brightest galaxy near z = 0.1.

    SIMULATED.
    """
    import pyarrow.parquet as pq

    z = pq.read_table(demo_file(), columns=["z"]).column(0).to_numpy()
    names = [f"flux_{pixel}" for pixel in range(N_PIXELS)]
    columns = pq.read_table(demo_file(), columns=names).columns
    flux = np.stack([column.to_numpy() for column in columns], axis=1)
    inside = (z > EXAMPLE_Z[0]) & (z < EXAMPLE_Z[1])
    row = int(np.where(inside, flux.mean(axis=1), -np.inf).argmax())
    found = flux[row].astype(np.float32)
    found.setflags(write=False)
    return found, float(z[row])
