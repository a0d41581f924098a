"""What a user of `redshift-lab adapt` is told: when not to adapt, and how many spectra it takes."""

WARNING = (
    "Adapt only to galaxies whose redshifts are distributed like those of the run's training "
    "galaxies, for instance two samples picked by the same rule. Every difference is taken for the "
    "instrument's and the physics' doing: adapted to only distant galaxies, near ones are turned "
    "into their likeness, and the network learns wrong redshifts."
)
LEAST = 300  # spectra to adapt to; they brought three quarters of what 20,000 did (SIMULATED)
