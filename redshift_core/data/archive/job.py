"""The job that fetches a sample from an archive and makes a dataset of it.

All that comes is kept in the store's cache, in a folder named after what is fetched:

    sources-<k>.parquet  redshifts-<k>.parquet  spectra-<k>.parquet   a chunk each, written at once
    parts.json           how many sources each chunk of spectra asks for
    tried.json           what the archive was found to call things

A fetch that is stopped or killed leaves them, and the same request goes on from there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from redshift_core import __version__
from redshift_core.data.archive import adql, redshifts
from redshift_core.data.archive.memory import Memory
from redshift_core.data.archive.request import NONE, UGC, FetchRequest
from redshift_core.data.archive.services import Service, open_service, site_of
from redshift_core.data.archive.tables import SPECTRA, numbers, once, read_ids
from redshift_core.data.archive.web import Patience, TooMuchError, Web
from redshift_core.data.ingest import ingest_file
from redshift_core.errors import InputError
from redshift_core.store import (
    DatasetFolder,
    JobContext,
    Stopped,
    Store,
    atomic,
    read_json,
    slug,
    write_json,
)

MISSING = "missing.csv"  # in the dataset's folder: ids that the archive has no spectrum of
SOURCES_AT_ONCE = 1_000  # whose positions and magnitudes one query asks for
GOES_ON = "What has come is kept; the same command goes on from there."


def fetch_job(context: JobContext) -> dict[str, Any]:
    """Fetch as a job; the request is a `FetchRequest`.

    Returns
    -------
    dict
        ``dataset`` (id), ``rows``, ``missing`` (ids), ``flagged``, ``existing``; of a count
        ``rows``, ``calls``, ``megabytes`` and ``adql``; ``{"stopped": True}`` after a stop.
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
        self.folder = context.store.cache / f"archive-{request.key}"
        self.memory = Memory(None if request.count else self.folder / "tried.json")
        self.patience = Patience(request.tries, request.wait, silence=request.timeout)
        self.service: Service = open_service(
            self.site, request.release, self.patience, self.memory, self._tick
        )
        self.chunk = request.chunk or self.site.chunk
        self._most = {"sources": SOURCES_AT_ONCE, "spectra": self.chunk}  # that it takes at once

    def count(self) -> dict[str, Any]:
        """How many sources it would be, and what that costs."""
        if self.request.ids:
            n_rows = len(read_ids(Path(self.request.ids)))
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
            return _result(found, existing=True)
        self.folder.mkdir(exist_ok=True)
        lock = filelock.FileLock(self.context.store.locks / f"{self.folder.name}.lock")
        try:
            with lock.acquire(blocking=False):
                return self._run()
        except filelock.Timeout:
            raise InputError(
                "Another job fetches just this; wait for it, or stop it first."
            ) from None

    def _run(self) -> dict[str, Any]:
        for left in self.folder.glob(".tmp-*"):  # of a process that was killed
            left.unlink()
        write_json(self.folder / "request.json", {**self.request.to_dict(), "begun": time.time()})
        try:
            sources, matched = self._with_redshifts(self._sources())
            self._spectra(sources)
        except InputError as error:
            if any(self.folder.glob("*-*.parquet")):
                raise InputError(f"{error} {GOES_ON}") from error
            raise
        table = self.context.folder.output / f"{slug(self.request.name, 'archive')}.parquet"
        has = self._join(table, len(self._parts(sources)))
        missing = sources["source_id"].filter(pc.invert(pc.is_in(sources["source_id"], has)))
        columns = {"source_id": "source_id", "z": "z" if "z" in sources.column_names else NONE}
        dataset, existing = ingest_file(
            table, self.context.store, self.request.name, columns, self.context.report_or_stop
        )
        ids = [int(one) for one in missing.to_pylist()]
        _write_missing(dataset.path / MISSING, ids)
        dataset.update_info(archive=self._provenance(len(sources), len(ids), matched))
        shutil.rmtree(self.folder, ignore_errors=True)
        return _result(dataset, existing)

    def _tick(self) -> None:
        self.context.report_or_stop()

    # The sample

    def _sources(self) -> pa.Table:
        """Every source once, in order of its id, with what the catalogue says of it."""
        if not self.request.ids:
            return self._kept("sources", 0, self._answer)
        listed = read_ids(Path(self.request.ids))
        if not self.service.has_catalogue:
            return listed
        ids = listed["source_id"].to_pylist()
        parts = []
        for number, first in enumerate(range(0, len(ids), SOURCES_AT_ONCE)):
            some = ids[first : first + SOURCES_AT_ONCE]
            self.context.report_or_stop(first, len(ids), "Asking the catalogue of the sources")
            parts.append(self._kept("sources", number, lambda some=some: self._catalogue(some)))
        known = pa.concat_tables(parts, promote_options="permissive")
        joined = listed.select(["source_id"]).join(known, "source_id", join_type="left outer")
        return joined.sort_by("source_id").combine_chunks()

    def _answer(self) -> pa.Table:
        """Sources that the query gives."""
        self.context.report_or_stop(0, 0, f"{self.site.title} looks for the sources")
        found = self.service.query(self.request.adql)
        if "source_id" not in found.column_names:
            raise InputError(
                f"The query gives no column source_id; it gives {', '.join(found.column_names)}."
            )
        if not found.num_rows:
            raise InputError("The query gives no source; widen its cuts.")
        return once(_plain(found))

    def _catalogue(self, ids: list[int]) -> pa.Table:
        return once(_plain(self._in_pieces("sources", self.service.sources, ids)))

    # Redshifts

    def _with_redshifts(self, sources: pa.Table) -> tuple[pa.Table, dict[str, Any]]:
        """Sources with a column z where they have one, and how it was come by."""
        wanted = self.request.redshifts
        matched: dict[str, Any] = {"from": wanted}
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
            found, matched["ambiguous"] = redshifts.unique(pairs)
            sources = sources.join(found, "source_id", join_type="left outer")
            sources = sources.sort_by("source_id").combine_chunks()
        has_z = sources["z"].is_valid()
        matched["matched"] = pc.sum(has_z).as_py() or 0
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
        known = sources.filter(pc.and_(sources["ra"].is_valid(), sources["dec"].is_valid()))
        catalogue, url = redshifts.CATALOGUES[wanted], redshifts.xmatch_url()
        web = Web(url, self.patience, self._tick)
        parts = [redshifts.PAIRS.empty_table()]
        for number, first in enumerate(range(0, len(known), redshifts.POSITIONS)):
            some = known.slice(first, redshifts.POSITIONS)
            self.context.report_or_stop(first, len(known), f"Matching with {catalogue.title}")

            def match(some: pa.Table = some) -> pa.Table:
                return web.call(
                    f"redshifts of {catalogue.title}",
                    lambda: redshifts.cross_match(some, catalogue, web, url),
                )

            parts.append(self._kept("redshifts", number, match))
        return pa.concat_tables(parts)

    # Spectra

    def _parts(self, sources: pa.Table) -> list[int]:
        """Number of sources in each chunk, as it was when the fetch began."""
        path = self.folder / "parts.json"
        if not path.exists():
            parts = self.service.parts(sources["source_id"].to_pylist(), self.chunk)
            write_json(path, {"parts": parts})
        return read_json(path)["parts"]

    def _spectra(self, sources: pa.Table) -> None:
        """Fetch every chunk that has not come yet."""
        first, here, begun = 0, 0, time.monotonic()
        for number, n in enumerate(self._parts(sources)):
            left = {}
            if here:
                rate = (time.monotonic() - begun) / here
                left = {"seconds_left": rate * (len(sources) - first)}
            self.context.report_or_stop(
                first, len(sources), f"{first:,} of {len(sources):,} sources fetched", **left
            )
            rows = sources.slice(first, n)
            if not self._path("spectra", number).exists():
                self._kept("spectra", number, lambda rows=rows: self._rows(rows))
                here += n
            first += n

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
        """Answers about some sources, as many at a time as the service takes."""
        parts, first = [], 0
        while first < len(ids):
            some = ids[first : first + self._most[what]]
            try:
                parts.append(ask(some))
            except TooMuchError as error:
                if len(some) == 1:
                    raise InputError(
                        f"{self.site.title} takes not even one source: {error}."
                    ) from None
                self._most[what] = len(some) // 2
            else:
                first += len(some)
        return pa.concat_tables(parts, promote_options="permissive")

    # Files

    def _path(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number:05d}.parquet"

    def _kept(self, kind: str, number: int, make: Callable[[], pa.Table]) -> pa.Table:
        """Table of a chunk: as it was kept, else made and kept."""
        path = self._path(kind, number)
        if path.exists():
            return pq.read_table(path)
        table = make()
        with atomic(path) as part:
            pq.write_table(table, part, compression="zstd")
        return table

    def _join(self, path: Path, n_parts: int) -> pa.Array:
        """Write the chunks of spectra into one file, one by one; the ids in it."""
        path.parent.mkdir(exist_ok=True)
        ids, writer = [], None
        try:
            with atomic(path) as part:
                for number in range(n_parts):
                    table = pq.read_table(self._path("spectra", number))
                    ids.append(table["source_id"].combine_chunks())
                    writer = writer or pq.ParquetWriter(part, table.schema, compression="zstd")
                    writer.write_table(table)
                if writer is not None:
                    writer.close()
                if not sum(map(len, ids)):
                    raise InputError(
                        f"{self.site.title} has a spectrum of none of the sources; choose those "
                        "with has_xp_continuous = 'True'."
                    )
        finally:
            if writer is not None:
                writer.close()
        return pa.concat_arrays([one for one in ids if len(one)])

    def _provenance(self, n_asked: int, n_missing: int, matched: dict[str, Any]) -> dict[str, Any]:
        request = self.request
        clients = ("pyvo", "requests", "astropy")
        return {
            "key": request.key,
            "service": self.site.title,
            "url": self.site.url,
            "release": request.release,
            "adql": request.adql or None,
            "ids": Path(request.ids).name or None,
            "redshifts": {**matched, "xmatch": redshifts.xmatch_url()}
            if matched["from"] in redshifts.CATALOGUES
            else matched,
            "n_asked": n_asked,
            "n_missing": n_missing,
            "fetched": time.strftime("%Y-%m-%d", time.gmtime()),
            "versions": {"redshift-lab": __version__, **{one: version(one) for one in clients}},
            "names_that_worked": self.memory.known,
        }


def finished(store: Store, key: str) -> DatasetFolder | None:
    """Dataset that an earlier fetch made of the same request."""
    for dataset in store.datasets():
        if (dataset.info.get("archive") or {}).get("key") == key:
            return dataset
    return None


def missing_ids(dataset: DatasetFolder) -> list[int]:
    """Ids that were asked for and of which the archive has no spectrum."""
    path = dataset.path / MISSING
    if not path.exists():
        return []
    return [int(line) for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def _write_missing(path: Path, ids: list[int]) -> None:
    if ids:
        with atomic(path) as part:
            part.write_text("\n".join(["source_id", *map(str, ids)]) + "\n", encoding="utf-8")


def _result(dataset: DatasetFolder, existing: bool) -> dict[str, Any]:
    info = dataset.info
    return {
        "dataset": dataset.id,
        "rows": info["n_rows"],
        "missing": missing_ids(dataset),
        "flagged": info["flagged"],
        "existing": existing,
    }


def _plain(table: pa.Table) -> pa.Table:
    """Columns as int64, float64, bool or text, so that chunks of one fetch fit together."""
    columns = []
    for column in table.columns:
        kind = column.type
        if pa.types.is_integer(kind):
            column = column.cast(pa.int64())
        elif pa.types.is_floating(kind) or pa.types.is_null(kind):
            column = numbers(column)
        columns.append(column)
    return pa.table(columns, names=table.column_names)
