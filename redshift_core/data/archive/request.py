"""What a fetch is asked for, and the key under which its chunks are kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redshift_core.data.archive import adql
from redshift_core.data.archive.services import RELEASE, site_of
from redshift_core.errors import InputError
from redshift_core.settings.fields import Settings, setting
from redshift_core.store import file_digest

NONE, UGC = "none", "ugc"


@dataclass(frozen=True)
class FetchRequest(Settings):
    """A sample, where its spectra come from, and its redshifts; the request of the job ``fetch``.

    Either ``ids`` or ``adql`` names the sample. ``redshifts`` is a key of
    ``redshifts.CATALOGUES``, ugc, none or the absolute path of a table.
    """

    name: str = setting("", "Name of the dataset.")
    service: str = setting("esa", "esa, aip, ari, a URL, NAME=URL, or a folder of bulk files.")
    release: str = setting(RELEASE, "Release of the archive.")
    ids: str = setting("", "File of source ids.")
    adql: str = setting("", "Query that gives the sources; it must have a column source_id.")
    redshifts: str = setting(NONE, "sdss, desi, ugc, none, or a file.")
    matched_only: bool = setting(False, "Fetch only the sources that have a redshift.")
    count: bool = setting(False, "Only say how many sources it would be.")
    bases: str = setting("", "Basis functions of another release: GaiaXPy's configuration.")
    sampling: str = setting("", "Wavelengths of the pixels, as ESA publishes them.")
    chunk: int = setting(0, "Sources asked for at once; 0: what suits the service.", low=0)
    tries: int = setting(6, "Times that a call is made before it is given up.", low=1)
    wait: float = setting(4.0, "s before the second try, doubled for each further one.", low=0)
    timeout: float = setting(900.0, "s of silence after which a call is given up.", low=0.1)

    def check(self) -> None:
        """Exactly one sample; the release has a name that a schema can be made of."""
        if bool(self.ids) == bool(self.adql.strip()):
            raise InputError(
                "A fetch needs one sample: a file of ids, or a query; got "
                f"{'both' if self.ids else 'none'}."
            )
        if not adql.schema(self.release):
            raise InputError(f"{self.release!r} names no release; expected such as 'Gaia DR3'.")

    @classmethod
    def of_job(cls, request: dict[str, Any]) -> FetchRequest:
        """Request in a job's ``request.json``."""
        return cls.from_dict({key: value for key, value in request.items() if key != "kind"})

    @property
    def made_with(self) -> dict[str, str]:
        """Files that fluxes are made with, in place of the product's own."""
        files = {"bases": self.bases, "sampling": self.sampling}
        return {key: path for key, path in files.items() if path}

    @property
    def key(self) -> str:
        """Twelve letters that tell what is fetched apart from all else; not how it is fetched."""
        redshifts = self.redshifts
        if Path(redshifts).is_absolute():
            redshifts = _sha256(Path(redshifts))
        what = {
            "url": site_of(self.service).url,
            "release": self.release,
            "sample": _sha256(Path(self.ids)) if self.ids else adql.clean(self.adql),
            "redshifts": redshifts,
            "matched_only": self.matched_only,
            **{key: _sha256(Path(path)) for key, path in self.made_with.items()},
        }
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]


def _sha256(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from None
