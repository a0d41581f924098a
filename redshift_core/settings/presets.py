"""The presets: whole configurations of a run, by name."""

from __future__ import annotations

import dataclasses

from redshift_core.errors import InputError
from redshift_core.settings.run import (
    AugmentationConfig,
    ModelConfig,
    RunConfig,
    ScalerConfig,
    TrainingConfig,
)

# White noise of 0.4 % of the mean flux: no price in accuracy, and rounding to two decimals or noise
# up to 1 % of the mean cost next to nothing (docs/robustness.md).
# Below 63,000 training rows it grows, which keeps small sets from being learned by heart
# (docs/small-sets.md).
NOISE = AugmentationConfig(white_noise=0.004, noise_rows=63_000)

# Small training sets (docs/small-sets.md): as many steps as 126,000 galaxies get in the 6 epochs of
# preset best, in batches of at most a tenth of the set.
MIN_STEPS, EPOCH_STEPS = 1_500, 10

PRESETS: dict[str, RunConfig] = {
    "dissertation": RunConfig(
        preset="dissertation", training=TrainingConfig(keep="last"), model=ModelConfig()
    ),
    "fast": RunConfig(
        preset="fast",
        seed=1,
        scaler=ScalerConfig(name="whitened"),
        model=ModelConfig(
            architecture="mlp",
            dense_units=(256, 128, 64),
            dense_activation="gelu",
            initializer="lecun_normal",
        ),
        augmentation=dataclasses.replace(NOISE, noise_rows=126_000),  # learns by heart sooner
        training=TrainingConfig(
            optimizer="adamw",
            learning_rate=0.002,
            schedule="one_cycle",
            weight_decay=0.1,
            averaging=0.999,
            clip_norm=0.1,
            huber_delta=0.05,  # about twice the typical error: outliers no longer upset a step
            batch_size=128,
            epochs=10,
            min_steps=MIN_STEPS,
            epoch_steps=EPOCH_STEPS,
        ),
    ),
    "fast_cnn": RunConfig(
        preset="fast_cnn",
        seed=1,
        scaler=ScalerConfig(name="whitened"),
        model=ModelConfig(
            architecture="cnn",
            head="pdf",
            conv_filters=(32, 64, 64),
            conv_kernels=(8, 5, 5),
            conv_strides=(4, 2, 2),
            pooling="none",
            conv_activation="gelu",
            dense_units=(256, 128),
            dense_activation="gelu",
            initializer="lecun_normal",
        ),
        augmentation=NOISE,
        training=TrainingConfig(
            optimizer="adamw",
            learning_rate=0.002,
            schedule="one_cycle",
            weight_decay=0.3,
            averaging=0.999,
            clip_norm=1.0,
            loss="cross_entropy",
            batch_size=256,
            epochs=6,
            min_steps=MIN_STEPS,
            epoch_steps=EPOCH_STEPS,
        ),
    ),
    "best": RunConfig(
        preset="best",
        seed=1,
        scaler=ScalerConfig(name="whitened"),
        model=ModelConfig(
            architecture="rescnn",
            head="pdf",
            conv_filters=(32, 64, 64),
            conv_kernels=(8, 5, 5),
            conv_strides=(4, 2, 2),
            pooling="none",
            conv_activation="gelu",
            dense_units=(512, 512, 512),
            dense_activation="gelu",
            initializer="lecun_normal",
        ),
        augmentation=NOISE,
        training=TrainingConfig(
            optimizer="adamw",
            learning_rate=0.002,
            schedule="one_cycle",
            loss="cross_entropy",
            averaging=0.999,
            clip_norm=1.0,
            weight_decay=1.0,
            batch_size=512,
            epochs=6,
            min_steps=MIN_STEPS,
            epoch_steps=EPOCH_STEPS,
        ),
    ),
}


def fine_tuning(source: RunConfig) -> RunConfig:
    """Settings of a run that starts from the weights of another, for any number of galaxies.

    Network, scaler, loss and augmentation are those of the other run; see docs/fine-tuning.md for
    how the rest was chosen.
    """
    loss = {
        key: getattr(source.training, key)
        for key in ("loss", "huber_delta", "target_width", "clip_norm")
    }
    training = TrainingConfig(
        optimizer="adamw",
        learning_rate=3e-4,
        schedule="one_cycle",
        weight_decay=0.1,
        averaging=0.98,
        batch_size=64,
        epochs=10,
        min_steps=600,
        **loss,
    )
    return RunConfig(
        preset=source.preset,
        seed=source.seed,
        scaler=dataclasses.replace(source.scaler, fit_on="train"),
        model=source.model,
        # The source has learned not to rely on noise; more of it made few galaxies worse.
        augmentation=dataclasses.replace(source.augmentation, noise_rows=0),
        training=training,
    )


def preset(name: str, dataset: str = "") -> RunConfig:
    """Preset by name, for one dataset."""
    if name not in PRESETS:
        raise InputError(f"Unknown preset {name!r}; choose {' or '.join(PRESETS)}.")
    return dataclasses.replace(PRESETS[name], dataset=dataset)
