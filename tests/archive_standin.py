"""A stand-in for Gaia's archive and CDS X-Match on the loopback, for tests. All in it is SIMULATED.

It speaks as the recorded answers do: TAP, at once and through a queue, over SQLite; DataLink with
rows in any order and sources that it does not have left out; X-Match by position. Faults are
injected by number of the call. Source ids are negative, so that what is made of them is marked
SIMULATED.
"""

import io
import json
import random
import re
import sqlite3
import threading
import time
import zipfile
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from astropy.io import fits
from astropy.io.votable import from_table, writeto
from astropy.io.votable.tree import Info
from astropy.table import MaskedColumn, Table

from tests.archive_galaxies import Archive, distance, survey_archive

CAPABILITIES = """<?xml version="1.0"?><vosi:capabilities
 xmlns:vosi="http://www.ivoa.net/xml/VOSICapabilities/v1.0"
 xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1"
 xmlns:tr="http://www.ivoa.net/xml/TAPRegExt/v1.0"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><capability
 standardID="ivo://ivoa.net/std/TAP" xsi:type="tr:TableAccess"><interface role="std"
 xsi:type="vs:ParamHTTP"><accessURL use="base">http://HOST/tap-server/tap</accessURL></interface>
 <language><name>ADQL</name><version>2.0</version></language><outputFormat>
 <mime>application/x-votable+xml</mime></outputFormat></capability></vosi:capabilities>"""
JOB = """<?xml version="1.0"?><uws:job xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"
 xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1"><uws:jobId>{id}</uws:jobId>
 <uws:phase>{phase}</uws:phase><uws:executionDuration>7200</uws:executionDuration><uws:results>
 <uws:result id="result" xlink:href="{url}/results/result"/></uws:results></uws:job>"""
ERROR = """<?xml version="1.0"?><VOTABLE version="1.3"
 xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">
 <INFO name="QUERY_STATUS" value="ERROR">{}</INFO></RESOURCE></VOTABLE>"""
HTML = b"<!DOCTYPE html><html><body>Archive down for maintenance</body></html>"


@contextmanager
def serving(archive):
    """The archive at ``archive.url`` while the block lasts."""
    handler = type("Bound", (Handler,), {"archive": archive})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # clients are killed here
    archive.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """One request to the stand-in."""

    archive: Archive

    def log_message(self, *arguments):
        """Say nothing."""

    def do_GET(self):
        self.answer({})

    def do_DELETE(self):
        self.send(200, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/"):
            message = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\n\n" + body)
            parts = message.get_payload()
            self.answer(
                {
                    part.get_param("name", header="content-disposition"): part.get_payload(
                        decode=True
                    ).decode()
                    for part in parts
                }
            )
        else:
            self.answer({key: found[0] for key, found in parse_qs(body.decode()).items()})

    def send(self, status, body, kind="application/x-votable+xml", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, fields):
        address = urlsplit(self.path)
        fields = {key: found[0] for key, found in parse_qs(address.query).items()} | fields
        fields = {key.upper(): value for key, value in fields.items()}
        path, archive = address.path, self.archive
        kind = next((k for k in ("data-server", "async", "sync", "xmatch") if k in path), "other")
        kind = "xmatch" if "xmatch" in path else kind
        with archive.lock:
            number = archive.counts[kind]
            archive.counts[kind] += 1
            fault = archive.faults(kind, number)
            archive.calls.append((kind, number, fault))
            archive.headers.append(dict(self.headers))
        if self.broken(fault):
            return
        if kind == "data-server":
            self.data(fields, fault)
        elif kind == "xmatch":
            self.send(200, votable(cross_match(archive.redshifts, fields["CAT1"])))
        elif kind == "sync":
            self.rows(fields["QUERY"], min(int(fields.get("MAXREC", 10**9)), archive.sync_rows))
        elif kind == "async":
            self.job(path, fields)
        elif path.endswith("/capabilities"):
            self.send(200, CAPABILITIES.replace("HOST", self.headers["Host"]).encode(), "text/xml")
        else:
            self.send(404, b"not found", "text/plain")

    def broken(self, fault):
        """Answer with a fault that knows nothing of the question; False where there is none."""
        if fault == "silent":
            time.sleep(self.archive.silence)
        elif fault == "html":
            self.send(200, HTML, "text/html")
        elif fault == "service error":
            self.send(200, b"SERVICE ERROR: try later", "text/plain")
        elif fault.isdigit():
            self.send(int(fault), b"Error %s: null" % fault.encode(), "text/plain")
        elif fault == "error":
            self.send(200, ERROR.format("SERVICE ERROR: busy").encode())
        elif fault == "invalid":
            self.send(200, b"<?xml version='1.0'?><VOTABLE><RESOURCE><TABLE>")
        elif fault != "dead":
            return False
        self.close_connection = True
        return True

    def rows(self, query, limit=None):
        try:
            table, is_cut = select(self.archive, query, limit)
        except sqlite3.Error as error:
            self.send(400, ERROR.format(error).encode())
            return
        self.send(200, votable(table, "OVERFLOW" if is_cut else "OK"))

    def job(self, path, fields):
        jobs, base = self.archive.jobs, f"{self.archive.url}tap-server/tap/async"
        name = path.partition("/async")[2].strip("/").partition("/")[0]
        if not name:
            name = str(len(jobs))
            jobs[name] = {"query": fields["QUERY"], "phase": "PENDING", "looks": 0}
            self.send(303, b"", Location=f"{base}/{name}")
        elif path.endswith("/phase"):
            jobs[name]["phase"] = "EXECUTING"
            self.send(303, b"", Location=f"{base}/{name}")
        elif path.endswith("/results/result"):
            self.rows(jobs[name]["query"])
        else:
            job = jobs[name]
            job["looks"] += job["phase"] == "EXECUTING"
            if job["looks"] > 2:
                job["phase"] = "COMPLETED"
            text = JOB.format(id=name, phase=job["phase"], url=f"{base}/{name}")
            self.send(200, text.encode(), "text/xml")

    def data(self, fields, fault):
        archive = self.archive
        ids = [int(text.split()[-1]) for text in fields.get("ID", "").split(",") if text]
        if len(ids) > archive.limit:
            self.send(500, b"Error 500: too many ids", "text/plain")
            return
        if (fields["RETRIEVAL_TYPE"], fields["DATA_STRUCTURE"]) not in archive.words:
            self.send(500, b"Error 500: null", "text/plain")
            return
        archive.asked.append(ids)
        archive.releases.add(fields["RELEASE"])
        found = [one for one in ids if one in archive.spectra]
        random.Random(len(archive.asked)).shuffle(found)
        if fault == "short":
            found = found[:-1]
        body = packed(found, archive.spectra, fields["RETRIEVAL_TYPE"])
        if fault == "truncated":
            body = body[: len(body) // 2]
        if fault == "cut off":  # says that more will come, and hangs up
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:1000])
            self.close_connection = True
            return
        self.send(200, body, "application/zip")


def packed(ids, spectra, name):
    """ZIP with the FITS table of some sources; columns of variable length, as recorded."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        if ids:
            file.writestr(f"{name}_RAW.fits", _fits(ids, spectra))
    return content.getvalue()


def _fits(ids, spectra):
    columns = [fits.Column("SOURCE_ID", "K", array=np.array(ids, np.int64))]
    for place, (band, basis) in enumerate((("bp", 56), ("rp", 57))):
        arrays = np.empty(len(ids), object)
        arrays[:] = [np.asarray(spectra[one][place], float) for one in ids]
        columns.append(fits.Column(f"{band}_basis_function_id", "I", array=[basis] * len(ids)))
        columns.append(fits.Column(f"{band}_coefficients", "PD()", array=arrays))
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(content)
    return content.getvalue()


def select(archive, query, limit):
    """Rows of a query, and whether there are more than the limit."""
    text = re.sub(r"--[^\n]*", "", query)
    top = re.search(r"(?i)\bTOP\s+(\d+)", text)
    text = re.sub(r"(?i)\bTOP\s+\d+", "", text) + (f" LIMIT {top[1]}" if top else "")
    with archive.lock:
        cursor = archive.database.execute(text)
        names, rows = [one[0] for one in cursor.description], cursor.fetchall()
    is_cut = limit is not None and len(rows) > limit
    return _table(names, rows[:limit] if is_cut else rows), is_cut


def _table(names, rows):
    columns = []
    for place, name in enumerate(names):
        cells = [row[place] for row in rows]
        if name.endswith("_coefficients"):
            values = np.empty(len(cells), object)
            for row, cell in enumerate(cells):
                numbers = json.loads(cell)
                values[row] = np.ma.array(numbers, mask=[False] * len(numbers))
            columns.append(MaskedColumn(values, name))
            continue
        mask = [cell is None for cell in cells]
        is_text = any(isinstance(cell, str) for cell in cells)
        usual = "" if is_text else 0
        filled = [usual if cell is None else cell for cell in cells]
        kind = str if is_text else (int if all(isinstance(c, int) for c in filled) else float)
        columns.append(MaskedColumn(np.array(filled, kind), name, mask=mask))
    return Table(columns)


def votable(table, status="OK"):
    """Bytes of a VOTable as a service sends it."""
    found = from_table(table)
    found.resources[0].type = "results"
    found.resources[0].infos.append(Info(name="QUERY_STATUS", value=status))
    content = io.BytesIO()
    writeto(found, content, tabledata_format="binary2")
    return content.getvalue()


def cross_match(redshifts, text):
    """Every pair within 1.5″, the upload's columns first, as X-Match answers."""
    lines = [line.split(",") for line in text.replace('"', "").splitlines()]
    rows = []
    for one, ra, dec in lines[1:]:
        apart = distance(float(ra), float(dec), redshifts["ra2"].data, redshifts["dec2"].data)
        rows += [
            (apart[k], int(one), float(ra), float(dec), *redshifts[int(k)])
            for k in np.flatnonzero(apart <= 1.5)
        ]
    names = ["angDist", "source_id", "ra", "dec", *redshifts.colnames]
    if rows:
        return Table(rows=rows, names=names)
    return Table(names=names, dtype=[float, int, *[float] * (len(names) - 2)])


if __name__ == "__main__":  # for trying things by hand: python -m tests.archive_standin SURVEY
    import sys

    with serving(survey_archive(sys.argv[1])) as _archive:
        print(f"--service {_archive.url} REDSHIFT_LAB_XMATCH={_archive.url}xmatch", flush=True)
        threading.Event().wait()
