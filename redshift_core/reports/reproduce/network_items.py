"""The dissertation's chapter on its network: Table 2 and Figures 13 to 15."""

from __future__ import annotations

import pandas as pd

from redshift_core import figures, reference
from redshift_core.reports.document import Chart, Part, Table
from redshift_core.reports.reproduce.source import FEW_EPOCHS, MANY_EPOCHS, Item, Source
from redshift_core.settings.layers import LayerRow, conv_shapes, layer_table
from redshift_core.settings.presets import PRESETS
from redshift_core.settings.run import ModelConfig


def architecture(source: Source) -> list[Part]:
    """Layers of the network with their parameters beside the published ones."""
    model = source.config.model
    rows = layer_table(model, source.config.scaler.name)
    kernels = iter(conv_shapes(model))
    n_parameters = sum(row.n_parameters for row in rows)
    frame = pd.DataFrame(
        {
            "layer": [row.kind for row in rows] + ["Total"],
            "filters or units": [_width(row) for row in rows] + [""],
            "kernel": [str(next(kernels).kernel) if row.kind == "Conv1D" else "–" for row in rows]
            + [""],
            "parameters": [row.n_parameters for row in rows] + [n_parameters],
            "published": _published(model, rows),
        }
    ).astype({"published": "Int64"})
    counted = source.environment.get("n_parameters")
    counted_text = f" Counted in the trained network: {counted:,}." if counted else ""
    formats = dict.fromkeys(("parameters", "published"), "localized")
    return [
        Table(
            frame,
            "table-2",
            f"Trainable parameters of each layer.{counted_text} The scaler is the first layer "
            "here with fixed numbers.",
            f"Layers of the network, {n_parameters:,} parameters in all, beside the published",
            formats,
        )
    ]


def loss(source: Source) -> list[Part]:
    """Loss of the first 20 epochs."""
    return [_curve(source, "loss", FEW_EPOCHS)]


def loss_longer(source: Source) -> list[Part]:
    """Loss of every epoch, beside the 40 published ones."""
    published = reference.history()
    best = published.loc[published.val_mae.idxmin()]
    parts: list[Part] = [
        _curve(source, "loss", None),
        f"The published record goes on to {len(published)} epochs; its lowest validation MAE, "
        f"{best.val_mae:.5f}, is that of epoch {best.epoch:.0f}, and that of epoch {FEW_EPOCHS} is "
        f"{published.val_mae[FEW_EPOCHS - 1]:.5f}.",
    ]
    done = len(source.history)
    if done < MANY_EPOCHS:
        parts.append(
            f"This run has {done} epochs; the figure is complete from {MANY_EPOCHS} epochs on."
        )
    return parts


def error(source: Source) -> list[Part]:
    """MAE of the first 20 epochs."""
    return [_curve(source, "mae", FEW_EPOCHS)]


def _curve(source: Source, column: str, epochs: int | None) -> Chart:
    history, published = source.history, reference.history()
    if epochs:
        history, published = history.head(epochs), published.head(epochs)
    what = {"loss": "Huber loss", "mae": "Mean absolute error in z"}[column]
    if column == "loss" and source.config.training.loss != "huber":
        what = f"Loss (this run: {source.config.training.loss}; published: Huber)"
    last = history.iloc[-1]
    return Chart(
        figures.learning_curve(history, column, published),
        f"{what} per epoch, dimensionless. After epoch {last.epoch:.0f}: training "
        f"{last[column]:.5f}, validation {last[f'val_{column}']:.5f}. Dotted: published.",
        f"{what} of training and validation rows over {len(history)} epochs beside the published",
    )


def _width(row: LayerRow) -> str:
    return str(row.output_shape[-1]) if row.kind in ("Conv1D", "Dense") else "–"


def _published(model: ModelConfig, rows: list[LayerRow]) -> list[int | None]:
    """Published parameters, layer by layer, where the layers are of the same kinds; their sum."""
    dissertation = layer_table(PRESETS["dissertation"].model)
    if [row.kind for row in rows] != [row.kind for row in dissertation]:
        return [None] * len(rows) + [reference.N_PARAMETERS]
    published = iter(reference.LAYER_PARAMETERS)
    return [next(published) if row.n_parameters else 0 for row in rows] + [reference.N_PARAMETERS]


ITEMS = (
    Item(
        "Table 2",
        "The network",
        "Four convolutions, each halved by pooling, then five dense layers; nearly half of the "
        "699,073 parameters sit in the second convolution.",
        "",
        architecture,
    ),
    Item(
        "Figure 13",
        "Training and validation loss, 20 epochs",
        "Both losses fall and stay close together: no over-fitting in 20 epochs.",
        "the level of the loss, which depends on how noisy the spectra are.",
        loss,
        needs="history",
    ),
    Item(
        "Figure 14",
        "Training and validation loss, 30 epochs and more",
        "After epoch 20 the training loss goes on falling while the validation loss hovers around "
        "0.00050: the network has converged and begins to over-fit.",
        "the level of the loss, and the epoch at which the curves part.",
        loss_longer,
        needs="history",
    ),
    Item(
        "Figure 15",
        "Training and validation MAE",
        "Both errors level off, in the published record near 0.022.",
        "the level of the error.",
        error,
        needs="history",
    ),
)
