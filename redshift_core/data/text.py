"""Reader of text tables: blocks of whole lines, parsed side by side in threads, in bounded memory.

Numbers are parsed in float64 and the fluxes then rounded to float32, so that a redshift is exact as
written and an id never passes through a float. What is read is stated in `text_forms`.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

from redshift_core.data.array_text import ArrayTextTable, holds_arrays
from redshift_core.data.blocks import Block, Table
from redshift_core.data.dialect import dialect_of
from redshift_core.data.headerless import by_position
from redshift_core.data.headers import Columns, recognise
from redshift_core.data.lines import end_of_records, opened
from redshift_core.data.sniff import check_text, gzip_error
from redshift_core.data.text_kinds import astropy_kind
from redshift_core.data.text_parser import Parser
from redshift_core.data.text_stream import TextStream
from redshift_core.errors import InputError
from redshift_core.settings.names import FORMATS, FileFormat

BLOCK_BYTES = 2 << 20  # text parsed at once; its numbers still fit the processor's cache
HEAD_BYTES = 1 << 20  # text looked at for header and delimiter
MAX_LINE = 16 << 20  # a longer line is no table
MAX_THREADS = 8  # beyond these the disk and the hash are the limit


def text_table(path: Path, packed: bool = False) -> Table:
    """Reader of a text table, plain or compressed with gzip, by what its first lines hold."""
    table = TextTable(path, packed)
    if table.holds_arrays:
        return ArrayTextTable(path, packed)
    if table.astropy_kind:
        from redshift_core.data.ascii_tables import AsciiTable

        return AsciiTable(path, packed, table.astropy_kind)
    return table


class TextTable(Table):
    """A text table, plain or compressed with gzip, with one number in each cell."""

    def __init__(self, path: Path, packed: bool = False):
        self.path = path
        self.packed = packed
        with TextStream(path, packed) as (stream, _):
            most = HEAD_BYTES if packed else min(HEAD_BYTES, 2 * path.stat().st_size + 1)
            self.head = self._read(stream, most)
        self.whole = len(self.head) < HEAD_BYTES
        self.holds_arrays = holds_arrays(self.head)
        self.astropy_kind = "" if self.holds_arrays else astropy_kind(self.head)
        if self.holds_arrays or self.astropy_kind:
            return
        self._check(self.head)
        self.dialect = dialect_of(path.name, self.head, self.whole)
        self.names = self.dialect.names
        self.first = self.dialect.first
        self.has_header = self.dialect.has_header

    def columns(self, wanted: dict[str, str]) -> Columns:
        """Columns by header, by position, or as the user says."""
        if not self.has_header and "flux" not in wanted:
            n = len([name for name in self.names if name])  # without what separators at ends make
            guess = by_position(self.path.name, [row[:n] for row in self.first])
            if not wanted:
                return replace(guess, names=tuple(self.names))
            wanted = {**guess.mapping, **wanted}
        found = recognise(self.path.name, self.names, wanted, self.first, self.has_header)
        return replace(found, units=self.dialect.units)

    def blocks(self, columns: Columns) -> Iterator[tuple[Block, int]]:
        """Rows in order, each block with the bytes of the file done by then."""
        parser = Parser(self.path.name, self.dialect, columns, self.line_of)
        if self.whole:
            start = self.dialect.start
            text = memoryview(self.head)[start:]
            yield parser.parse(text, start, True), self.path.stat().st_size
        else:
            yield from self._in_threads(parser)

    def line_of(self, offset: int) -> int:
        """Number of the line, from 1, that begins after so many bytes of text."""
        line = 1
        with TextStream(self.path, self.packed) as (stream, _):
            while offset > 0 and (part := stream.read(min(offset, BLOCK_BYTES))):
                line += part.count(b"\n")
                offset -= len(part)
        return line

    def _in_threads(self, parser: Parser) -> Iterator[tuple[Block, int]]:
        threads = min(_n_cores(), MAX_THREADS)
        free: SimpleQueue[bytearray] = SimpleQueue()
        for _ in range(threads + 2):
            free.put(bytearray(BLOCK_BYTES))
        pending: deque[tuple[Future[Block], int]] = deque()
        pool = ThreadPoolExecutor(threads)

        def parse(text: _Text) -> Block:
            try:
                return parser.parse(memoryview(text.buffer)[: text.size], text.offset, text.last)
            finally:
                free.put(text.buffer)

        try:
            for text, done in self._texts(free):
                pending.append((pool.submit(parse, text), done))
                if len(pending) > threads:
                    yield _result(pending)
            while pending:
                yield _result(pending)
        finally:
            pool.shutdown(cancel_futures=True)

    def _texts(self, free: SimpleQueue[bytearray]) -> Iterator[tuple[_Text, int]]:
        """Blocks of whole lines in used-up buffers, each with the bytes of the file read."""
        offset, rest, last = self.dialect.start, b"", False
        with TextStream(self.path, self.packed) as (stream, raw):
            self._read(stream, offset)
            while not last:
                buffer = free.get()
                if len(buffer) < len(rest) + BLOCK_BYTES:
                    buffer = bytearray(len(rest) + BLOCK_BYTES)
                buffer[: len(rest)] = rest
                size = len(rest) + self._fill(stream, memoryview(buffer)[len(rest) :])
                last = size < len(buffer)
                end = size if last else end_of_records(buffer, self.dialect.delimiter, size)
                rest = bytes(buffer[end:size])
                if len(rest) > MAX_LINE:
                    raise self._endless(offset + end, rest)
                yield _Text(buffer, end, offset, last), raw.tell()
                offset += end

    def _endless(self, offset: int, rest: bytes) -> InputError:
        place = f"{self.path.name}, line {self.line_of(offset)}"
        if opened(rest, self.dialect.delimiter) is None or b"\n" not in rest:
            return InputError(f"{place} is longer than 16 MB: it is no table.")
        return InputError(
            f'{place}: a cell begins with a quote (") that is not closed; close it, or write it '
            "twice where it belongs to the text."
        )

    def _check(self, head: bytes) -> None:
        """Refuse what is no text table."""
        file = self.path.name
        if inner := next((one for one in FORMATS.values() if _begins(head, one)), None):
            raise InputError(f"{file} is a packed {inner.title} file; unpack it (gunzip).")
        if not head:
            raise InputError(f"{file} holds an empty file; expected a table of spectra.")
        check_text(file, head[: 1 << 16])
        if not self.whole and b"\n" not in head and b"\r" not in head:
            raise InputError(f"{file} has a first line of more than 1 MB: it is no table.")

    def _read(self, stream: BinaryIO, size: int) -> bytes:
        """Exactly ``size`` bytes, less only at the end of the file."""
        buffer = bytearray(size)
        return bytes(memoryview(buffer)[: self._fill(stream, memoryview(buffer))])

    def _fill(self, stream: BinaryIO, view: memoryview) -> int:
        """Fill a buffer; the bytes read, fewer than it holds only at the end of the file."""
        filled = 0
        try:
            while filled < len(view) and (n := stream.readinto(view[filled:])):
                filled += n
        except (EOFError, OSError, zlib.error) as error:
            if self.packed:
                raise gzip_error(self.path.name, error) from None
            raise
        return filled


@dataclass(frozen=True)
class _Text:
    """Whole lines at the beginning of a buffer."""

    buffer: bytearray
    size: int  # bytes of them
    offset: int  # where they stand in the text, in bytes
    last: bool  # whether the text ends with them


def _begins(head: bytes, form: FileFormat) -> bool:
    return bool(form.magic) and head.startswith(form.magic)


def _n_cores() -> int:
    """Cores this process may use; not every system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _result(pending: deque[tuple[Future[Block], int]]) -> tuple[Block, int]:
    future, done = pending.popleft()
    return future.result(), done
