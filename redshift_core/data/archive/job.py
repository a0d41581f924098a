"""The job that fetches a sample from an archive and makes a dataset of it.

All that comes is kept in the store's cache, in a folder named after what is fetched (`chunks`). A
fetch that is stopped or killed leaves it, and the same request goes on from there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from redshift_core.data.archive import adql, redshifts
from redshift_core.data.archive.chunks import Chunks
from redshift_core.data.archive.memory import Memory
from redshift_core.data.archive.request import NONE, UGC, FetchRequest
from redshift_core.data.archive.result import (
    PROVENANCE,
    finished,
    provenance,
    result,
    write_missing,
)
from redshift_core.data.archive.services import Service, open_service, site_of
from redshift_core.data.archive.tables import SPECTRA, once, plain, read_ids
from redshift_core.data.archive.web import Patience, TooMuchError, Web
from redshift_core.data.coefficients import Converter
from redshift_core.data.ingest import ingest_file
from redshift_core.data.mean_spectra import MeanSpectra
from redshift_core.errors import InputError
from redshift_core.store import JobContext, Stopped, slug

SOURCES_AT_ONCE = 1_000  # whose positions and magnitudes one query asks for
GOES_ON = "What has come is kept; the same command goes on from there."


def fetch_job(context: JobContext) -> dict[str, Any]:
    """Fetch as a job; the request is a `FetchRequest`.

    Returns
    -------
    dict
        ``dataset`` (id), ``rows``, ``missing`` (ids), ``flagged``, ``existing``, and ``file``, the
        path of a Parquet file with the coefficients where they came just now; of a count ``rows``,
        ``calls``, ``megabytes`` and ``adql``; ``{"stopped": True}`` after a stop.
    """
    request = FetchRequest.of_job(context.request)
    fetch = Fetch(context, request)
    try:
        return fetch.count() if request.count else fetch.run()
    except Stopped:
        return {"stopped": True}


class Fetch:
    """One fetch, at whatever stage it is.

    Parameters
    ----------
    context : JobContext
        Takes reports and the wish to stop.
    request : FetchRequest
    """

    def __init__(self, context: JobContext, request: FetchRequest):
        self.context, self.request, self.site = context, request, site_of(request.service)
        self.chunks = Chunks(context.store.cache / f"archive-{request.key}")
        self.memory = Memory(None if request.count else self.chunks.memory_path)
        self.patience = Patience(request.tries, request.wait, silence=request.timeout)
        self.service: Service = open_service(
            self.site, request.release, self.patience, self.memory, self._tick
        )
        self.chunk = request.chunk or self.site.chunk
        self._most = {  # that is taken at once
            "sources": SOURCES_AT_ONCE, "redshifts": redshifts.POSITIONS, "spectra": self.chunk,
        }  # fmt: skip

    def count(self) -> dict[str, Any]:
        """How many sources it would be, and what that costs."""
        if self.request.ids:
            ids = read_ids(Path(self.request.ids))["source_id"].to_pylist()
            n_rows, calls = len(ids), len(self.service.parts(ids, self.chunk))
        else:
            self.context.report(message="Counting the sources")
            answer = self.service.query(adql.count(self.request.adql))
            n_rows = int(answer.column(0)[0].as_py())
            calls = -(-n_rows // self.chunk)
        megabytes = round(n_rows * self.site.row_bytes / 1e6, 1)
        return {
            "service": self.site.title, "rows": n_rows, "calls": calls, "megabytes": megabytes,
            "adql": self.request.adql or None,
        }  # fmt: skip

    def run(self) -> dict[str, Any]:
        """Fetch what is lacking, and make the dataset."""
        if found := finished(self.context.store, self.request.key):
            return result(found, existing=True)
        folder = self.chunks.folder
        folder.mkdir(exist_ok=True)
        lock = filelock.FileLock(self.context.store.locks / f"{folder.name}.lock")
        try:
            with lock.acquire(blocking=False):
                self.chunks.begin({**self.request.to_dict(), "begun": time.time()})
                return self._run()
        except filelock.Timeout:
            raise InputError(
                "Another job is fetching the same sources; wait for it, or stop it first."
            ) from None
        except InputError as error:
            if self.chunks.any():
                raise InputError(f"{error} {GOES_ON}") from error
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _run(self) -> dict[str, Any]:
        sources, matched = self._with_redshifts(self._sources())
        self._spectra(sources)
        table = self.context.folder.output / f"{slug(self.request.name, 'archive')}.parquet"
        has = self.chunks.join("spectra", len(self._parts(sources)), table)
        if not len(has):
            shutil.rmtree(self.chunks.folder, ignore_errors=True)  # so that it can be asked again
            raise InputError(
                f"{self.site.title} has a spectrum of none of the sources; choose those with "
                "has_xp_continuous = 'True'."
            )
        columns = {"source_id": "source_id", "z": "z" if "z" in sources.column_names else NONE}
        dataset, existing = ingest_file(
            table,
            self.context.store,
            self.request.name,
            columns | self.request.made_with,
            self.context.report_or_stop,
        )
        lacks = pc.invert(pc.is_in(sources["source_id"], has))
        missing = sources["source_id"].filter(lacks).to_pylist()
        if not (existing and PROVENANCE in dataset.info):
            write_missing(dataset, missing)
            found = {"redshifts": matched, "names_that_worked": self.memory.known}
            about = provenance(self.request, self.site, len(sources), len(missing), **found)
            dataset.update_info(**{PROVENANCE: about})
        shutil.rmtree(self.chunks.folder, ignore_errors=True)
        return {**result(dataset, existing, table), "missing": missing}

    def _tick(self) -> None:
        self.context.report_or_stop()

    # The sample

    def _sources(self) -> pa.Table:
        """Every source once, in order of its id, with what the catalogue says of it."""
        if not self.request.ids:
            return self.chunks.table("sources", 0, self._answer)
        listed = read_ids(Path(self.request.ids))
        if not self.service.has_catalogue:
            return listed
        ids = listed["source_id"].to_pylist()
        parts = []
        for number, first in enumerate(range(0, len(ids), SOURCES_AT_ONCE)):
            make = partial(self._catalogue, ids[first : first + SOURCES_AT_ONCE])
            self.context.report_or_stop(first, len(ids), "Asking the catalogue of the sources")
            parts.append(self.chunks.table("sources", number, make))
        known = pa.concat_tables(parts, promote_options="permissive")
        joined = listed.select(["source_id"]).join(known, "source_id", join_type="left outer")
        return joined.sort_by("source_id").combine_chunks()

    def _answer(self) -> pa.Table:
        """Sources that the query gives."""
        self.context.report_or_stop(0, 0, f"{self.site.title} looks for the sources")
        found = self.service.query(self.request.adql)
        if "source_id" not in found.column_names:
            raise InputError(
                "The query returns no column source_id; it returns "
                f"{', '.join(found.column_names)}."
            )
        if not found.num_rows:
            raise InputError("The query returns no source; widen its conditions.")
        return once(plain(found))

    def _catalogue(self, ids: list[int]) -> pa.Table:
        return once(plain(self._in_pieces("sources", self.service.sources, ids)))

    # Redshifts

    def _with_redshifts(self, sources: pa.Table) -> tuple[pa.Table, dict[str, Any]]:
        """Sources with a column z where they have one, and how it was come by."""
        wanted = self.request.redshifts
        matched: dict[str, Any] = {"from": Path(wanted).name}
        if wanted == NONE:
            return sources, matched
        if "z" in sources.column_names:  # of the user's own query
            sources = sources.rename_columns({"z": "z_of_query"})
        if wanted == UGC:
            if "redshift_ugc" not in sources.column_names:
                raise InputError(f"{self.site.title} gave no redshift_ugc for these sources.")
            sources = sources.append_column("z", sources["redshift_ugc"])
        else:
            pairs = self._pairs(wanted, sources)
            found, matched["n_ambiguous"] = redshifts.unique(pairs)
            sources = sources.join(found, "source_id", join_type="left outer")
            sources = sources.sort_by("source_id").combine_chunks()
        has_z = _is_number(sources["z"])
        matched |= {"n_matched": pc.sum(has_z).as_py() or 0, "n_sources": len(sources)}
        if self.request.matched_only:
            sources = sources.filter(has_z).combine_chunks()
        if not len(sources):
            raise InputError(f"None of the sources has a redshift in {wanted}.")
        return sources, matched

    def _pairs(self, wanted: str, sources: pa.Table) -> pa.Table:
        """Counterparts of the sources that have a redshift."""
        if wanted not in redshifts.CATALOGUES:
            return redshifts.from_file(Path(wanted), sources)
        if "ra" not in sources.column_names:
            raise InputError("The sources have no positions; add ra and dec to the query or file.")
        known = sources.filter(pc.and_(_is_number(sources["ra"]), _is_number(sources["dec"])))
        catalogue, urls = redshifts.CATALOGUES[wanted], redshifts.xmatch_urls()
        web = Web(urls[0], self.patience, self._tick)

        def ask(rows: list[int]) -> pa.Table:
            match = partial(redshifts.cross_match, known.take(rows), catalogue, web)
            tried = partial(self.memory.first_that_works, "xmatch", urls, match)
            return web.call(f"redshifts of {catalogue.title}", tried)

        parts = [redshifts.PAIRS.empty_table()]
        for number, first in enumerate(range(0, len(known), redshifts.POSITIONS)):
            rows = list(range(first, min(first + redshifts.POSITIONS, len(known))))
            self.context.report_or_stop(first, len(known), f"Matching with {catalogue.title}")
            make = partial(self._in_pieces, "redshifts", ask, rows)
            parts.append(self.chunks.table("redshifts", number, make))
        return pa.concat_tables(parts)

    # Spectra

    def _parts(self, sources: pa.Table) -> list[int]:
        """Number of sources in each chunk."""
        ids = sources["source_id"]
        return self.chunks.parts(lambda: self.service.parts(ids.to_pylist(), self.chunk))

    def _spectra(self, sources: pa.Table) -> None:
        """Fetch every chunk that has not come yet."""
        first, here, checked, begun = 0, 0, False, time.monotonic()
        for number, n in enumerate(self._parts(sources)):
            pace = (time.monotonic() - begun) / here if here else None
            self.context.report_or_stop(
                first,
                len(sources),
                f"{first:,} of {len(sources):,} sources fetched",
                seconds_left=pace and pace * (len(sources) - first),
            )
            rows = sources.slice(first, n)
            if not self.chunks.has("spectra", number):
                table = self.chunks.table("spectra", number, partial(self._rows, rows))
                checked = checked or self._check_bases(table)
                here += n
            first += n
        self.context.report(seconds_left=None)

    def _check_bases(self, table: pa.Table) -> bool:
        """Refuse coefficients that no fluxes can be made of, before all have come."""
        if not len(table):
            return False
        bases = {key: Path(path) for key, path in self.request.made_with.items()}
        spectra = MeanSpectra.find(self.site.title, table.column_names)
        spectra.flux(table.combine_chunks().to_batches()[0], Converter(**bases))
        return True

    def _rows(self, sources: pa.Table) -> pa.Table:
        """Those of some sources that the archive has a spectrum of, with the coefficients.

        Sources that an answer lacks are asked for again: an answer may have been cut short.
        """
        ids = sources["source_id"].to_pylist()
        found, rest = SPECTRA.empty_table(), ids
        while rest:
            came = self._in_pieces("spectra", self.service.coefficients, rest)
            wanted = pc.is_in(came["source_id"], pa.array(rest, pa.int64()))
            came = once(came.filter(wanted))
            if not len(came):
                break
            found = pa.concat_tables([found, came])
            has = set(came["source_id"].to_pylist())
            rest = [] if self.service.is_certain else [one for one in rest if one not in has]
        found = once(found)
        place = np.searchsorted(np.array(ids, np.int64), found["source_id"].to_numpy())
        rows = sources.take(pa.array(place))
        for name in SPECTRA.names[1:]:
            rows = rows.append_column(SPECTRA.field(name), found[name])
        return rows

    def _in_pieces(
        self, what: str, ask: Callable[[list[int]], pa.Table], ids: list[int]
    ) -> pa.Table:
        """Answers about some sources, as many at a time as are taken."""
        parts, first = [], 0
        while first < len(ids):
            some = ids[first : first + self._most[what]]
            try:
                parts.append(ask(some))
            except TooMuchError as error:
                if len(some) == 1:
                    raise InputError(
                        f"The service refuses even one source at a time: {error}."
                    ) from None
                self._most[what] = len(some) // 2
            else:
                first += len(some)
        return pa.concat_tables(parts, promote_options="permissive")


def _is_number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.is_finite(column), False)
