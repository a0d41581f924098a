"""Where spectra come from, behind one small interface: ask the catalogue, ask for coefficients.

ESA answers queries by TAP and gives coefficients by DataLink. AIP and ARI have the coefficients in
a table, so that TAP gives both. A folder of the archive's bulk files has coefficients alone. What
a service calls things, and how that changes from release to release, is data here: the names are
tried in turn, and what worked is remembered.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pyarrow as pa

from redshift_core.data.archive import adql
from redshift_core.data.archive.bulk import BulkFiles
from redshift_core.data.archive.datalink import DataLink
from redshift_core.data.archive.memory import Memory
from redshift_core.data.archive.tables import spectra_of
from redshift_core.data.archive.tap import Tap
from redshift_core.data.archive.web import Patience, RefusedError, TooMuchError, Web
from redshift_core.errors import InputError

TOKEN_NAME = "REDSHIFT_LAB_ARCHIVE_TOKEN"  # environment variable
RELEASE = "Gaia DR3"


@dataclass(frozen=True)
class Site:
    """What must be known of an archive."""

    title: str
    url: str  # ends with a slash, except where it is the address of TAP itself
    chunk: int  # sources asked for at once
    row_bytes: int  # that a source's spectrum takes on the way, about
    tap: str = ""  # below the url
    data: str | None = None  # DataLink's address below the url; None where TAP has coefficients
    tables: tuple[str, ...] = ()  # tables of coefficients in the release's schema, tried in turn
    authorization: str | None = None  # header by which it takes a token; None where none is known


SITES = {
    # DataLink takes 5,000 ids and was seen to need 1.8 s for each: 200 of them are 6 minutes.
    "esa": Site(
        "ESA's Gaia archive", "https://gea.esac.esa.int/", 200, 13_300,
        "tap-server/tap", "data-server/data",
    ),
    "aip": Site(
        "Gaia@AIP", "https://gaia.aip.de/tap", 1_000, 1_500,
        tables=("xp_continuous_mean_spectrum",), authorization="Token {}",
    ),
    "ari": Site(
        "ARI Heidelberg", "https://gaia.ari.uni-heidelberg.de/tap", 40, 1_500,
        tables=("xp_continuous_mean_spectrum",),
    ),
}  # fmt: skip


class Service(Protocol):
    """What fetching needs of an archive."""

    site: Site
    has_catalogue: bool  # whether it answers queries
    is_certain: bool  # whether a source that an answer lacks is surely not there

    def query(self, text: str, quick: bool = False) -> pa.Table:
        """Rows that answer a query in ADQL; ``quick`` ones are few and wait for no queue."""
        ...

    def sources(self, ids: Sequence[int]) -> pa.Table:
        """What the catalogue says of some sources: positions, magnitudes, UGC's redshift."""
        ...

    def coefficients(self, ids: Sequence[int]) -> pa.Table:
        """Rows of ``tables.SPECTRA`` of those sources that it has, in any order."""
        ...

    def parts(self, ids: Sequence[int], chunk: int) -> list[int]:
        """Numbers of sources to ask for at once, for ids in rising order."""
        ...


class _NoTableError(RefusedError):
    """The archive has no table of galaxy candidates, or not in this release."""


class Archive:
    """An archive on the network.

    Parameters
    ----------
    site : Site
    release : str
        Such as "Gaia DR3".
    web : Web
    memory : Memory
        What worked earlier.
    """

    has_catalogue = True
    is_certain = False

    def __init__(self, site: Site, release: str, web: Web, memory: Memory):
        self.site, self.release, self.web, self.memory = site, release, web, memory
        self.tap = Tap(site.url + site.tap, web)
        self.data = DataLink(site.url + site.data, release, web, memory) if site.data else None

    def query(self, text: str, quick: bool = False) -> pa.Table:
        """Rows that answer a query."""
        try:
            return self.web.call("answer to the query", lambda: self.tap.query(text, quick))
        except TooMuchError as error:
            raise InputError(
                f"{self.site.title} refuses the query as too large ({error}); cut it by magnitude "
                "or by a cone, and fetch the sample in several parts."
            ) from None

    def sources(self, ids: Sequence[int]) -> pa.Table:
        """What the catalogue says of some sources; without UGC where there is no such table."""

        def ask(with_candidates: bool) -> pa.Table:
            text = adql.sources(self.release, ids, with_candidates)
            try:
                return self.tap.query(text, quick=True)
            except RefusedError as error:
                if with_candidates and adql.CANDIDATES in str(error).lower():
                    raise _NoTableError(*error.args) from error
                raise

        return self.web.call(
            "catalogue of the sources",
            lambda: self.memory.first_that_works("candidates", (True, False), ask, _NoTableError),
        )

    def coefficients(self, ids: Sequence[int]) -> pa.Table:
        """Coefficients by DataLink, else from a table."""
        if self.data is not None:
            return self.web.call("spectra", lambda: self.data.spectra(ids))

        def ask(table: str) -> pa.Table:
            name = f"{adql.schema(self.release)}.{table}"
            return spectra_of(self.tap.query(adql.coefficients(name, ids), quick=True))

        return self.web.call(
            "spectra",
            lambda: self.memory.first_that_works("table", self.site.tables, ask, RefusedError),
        )

    def parts(self, ids: Sequence[int], chunk: int) -> list[int]:
        """Equal numbers, and the rest."""
        n, rest = divmod(len(ids), chunk)
        return [chunk] * n + [rest] * bool(rest)


def site_of(text: str) -> Site:
    """The site that a user names: a key of ``SITES``, a URL, ``NAME=URL`` or a folder.

    Raises
    ------
    InputError
    """
    name, _, url = text.partition("=")
    if text.lower() in SITES:
        return SITES[text.lower()]
    if name.lower() in SITES and _is_url(url):
        known = SITES[name.lower()]
        return replace(known, url=url.rstrip("/") + "/" if known.tap else url.rstrip("/"))
    if _is_url(text):
        return replace(SITES["esa"], title=text, url=text.rstrip("/") + "/")
    if Path(text).expanduser().is_dir():
        folder = Path(text).expanduser().absolute()
        return Site(f"the folder {folder}", str(folder), 1_000, 15_000)
    raise InputError(
        f"--service {text!r} is not known; choose {', '.join(SITES)}, a URL that speaks ESA's "
        "protocol, or a folder of XpContinuousMeanSpectrum_*.csv.gz files."
    )


def open_service(
    site: Site, release: str, patience: Patience, memory: Memory, tick: Callable[[], None]
) -> Service:
    """The service of a site; nothing is sent yet."""
    if not _is_url(site.url):
        return BulkFiles(site, tick)
    token = os.environ.get(TOKEN_NAME, "")
    header = site.authorization.format(token) if token and site.authorization else ""
    return Archive(site, release, Web(site.url, patience, tick, header), memory)


def _is_url(text: str) -> bool:
    return urlsplit(text).scheme in ("http", "https") and bool(urlsplit(text).netloc)
