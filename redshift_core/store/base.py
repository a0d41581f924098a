"""The base network: a run that comes with the package, learned on SIMULATED galaxies.

It stands in ``resources/base`` as a ZIP that `export_run` packed, made by ``scripts/make_base.py``
and never written to. Whoever asks for the run ``base`` gets the copy in the store, which is taken
in the first time; from then on it is a run like any other.
"""

from __future__ import annotations

from redshift_core.store.files import PACKAGE

BASE = "base"  # name of the run
FOLDER = PACKAGE / "resources" / "base"
CARD = "measured.json"  # what was measured of it, beside the ZIP
