"""Redshifts of galaxies from Gaia's BP/RP spectra; the file list is the architecture.

    data → learning → prediction → evaluation → figures → reports

Importing this package is cheap: TensorFlow is only reached in a worker process.
"""

from redshift_core.errors import InputError

__all__ = ["InputError", "__version__"]
__version__ = "0.1.0"
