"""Every setting of an information-limit study, and how many epochs each size is given."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from redshift_core.errors import InputError
from redshift_core.settings.fields import Settings, setting
from redshift_core.settings.presets import preset
from redshift_core.settings.run import RunConfig

SCHEMA_VERSION = 1
SIZES = tuple(16_000 * 2**step for step in range(9))  # 16,000 to 4,096,000
MAX_SIZE = 100_000_000


@dataclass(frozen=True)
class LimitConfig(Settings):
    """One study, whole.

    The test survey has the seed ``seed``; the galaxies of size number i (from 1) of repeat r have
    ``seed + i + 1000 · r``, so no galaxy is in two surveys.
    """

    base: RunConfig = field(default_factory=lambda: preset("best"))  # network and recipe
    sizes: tuple[int, ...] = setting(
        SIZES, "Training galaxies of each training, rising.", low=1, high=MAX_SIZE
    )
    n_test: int = setting(
        100_000, "Galaxies of the one test survey that judges all.", low=100, high=10_000_000
    )
    repeats: int = setting(
        1, "Trainings of each size, from other galaxies and another seed.", low=1, high=100
    )
    seed: int = setting(
        90_000_000, "Seed of the test survey; the following ones are those of the training.",
        low=0, high=2**31 - 1_000_000,
    )  # fmt: skip
    minutes: float = setting(
        30.0, "Time for surveys and trainings, by speeds measured at the start.", low=0.01
    )
    passes: int = setting(
        0, "Spectra shown to the network at every size; 0: as many as the minutes allow.", low=0
    )
    check_passes: bool = setting(
        True, "Train one large size again with half the epochs: do more steps still help?"
    )
    schema_version: int = setting(SCHEMA_VERSION, "Version of this list of settings.")

    def check(self) -> None:
        """Refuse a newer schema, and sizes that are none or come twice."""
        if self.schema_version > SCHEMA_VERSION:
            raise InputError(
                f"This study has schema version {self.schema_version}, this program reads up to "
                f"{SCHEMA_VERSION}; update Redshift Lab."
            )
        if not self.sizes or len(set(self.sizes)) < len(self.sizes):
            raise InputError(f"sizes = {self.sizes} must be one or more, each of them once.")
        object.__setattr__(self, "sizes", tuple(sorted(self.sizes)))


@dataclass(frozen=True)
class Training:
    """One training of a study."""

    n: int  # galaxies
    spectra: int  # shown to the network: the last epoch may end early
    repeat: int  # 0, 1, …
    seed: int  # of the galaxies and of the weights
    check: bool = False  # shown half as many, to see whether steps still help

    @property
    def key(self) -> str:
        """Name of its folder."""
        return f"{self.n:09d}-{self.repeat}" + ("-half" if self.check else "")

    @property
    def epochs(self) -> float:
        """How often it sees a galaxy, on average."""
        return self.spectra / self.n


def spectra_of(n: int, passes: int, most: int) -> int:
    """Spectra shown at a size: ``passes``, but at least one epoch and at most ``most``.

    Examples
    --------
    >>> [spectra_of(n, 4_000_000, 12) for n in (20_000, 630_000, 8_000_000)]
    [240000, 4000000, 8000000]
    """
    return max(n, min(most * n, passes))


def trainings(config: LimitConfig, passes: int) -> list[Training]:
    """Every training of a study in the order in which they are done, the smallest first."""
    most = config.base.training.epochs
    listed = [
        Training(n, spectra_of(n, passes, most), repeat, config.seed + number + 1000 * repeat)
        for number, n in enumerate(config.sizes, start=1)
        for repeat in range(config.repeats)
    ]
    halved = [one for one in listed if one.epochs >= 2 and one.repeat == 0]
    if config.check_passes and halved:
        last = halved[-1]
        listed.append(dataclasses.replace(last, spectra=last.spectra // 2, check=True))
    return listed


def affordable_passes(config: LimitConfig, spectra: float) -> int:
    """Most spectra that every size can be shown if all trainings together see so many.

    Every size is seen whole once, even where that is more than asked.

    Examples
    --------
    >>> ten = preset("best").with_values({"epochs": 10})
    >>> two = LimitConfig(ten, sizes=(100, 1000), check_passes=False)
    >>> affordable_passes(two, 3000)
    2000
    """
    low, high = min(config.sizes), max(config.sizes) * config.base.training.epochs
    while low < high:
        middle = (low + high + 1) // 2
        fits = sum(one.spectra for one in trainings(config, middle)) <= spectra
        low, high = (middle, high) if fits else (low, middle - 1)
    return low
