"""Text of a file as UTF-8, whether it is packed with gzip or written in UTF-16."""

from __future__ import annotations

import codecs
import io
import zlib
from pathlib import Path
from typing import BinaryIO

from redshift_core.data.limits import Unpacked
from redshift_core.data.sniff import encoding_of, gzip_error

PIECE = 1 << 20  # bytes recoded at once


class TextStream:
    """Text of a file in UTF-8, and the file itself for the place reached.

    What is neither UTF-8 nor UTF-16 is handed on as it is.
    """

    def __init__(self, path: Path, packed: bool):
        self.path = path
        self.raw = path.open("rb", buffering=1 << 20 if packed else 0)
        self.text: BinaryIO = self.raw
        if packed:
            self.text = Unpacked(path.name, self.raw)

    def __enter__(self) -> tuple[BinaryIO, BinaryIO]:
        try:
            start = self.text.read(1 << 12)
        except BaseException as error:
            self.__exit__()
            if not isinstance(error, EOFError | OSError | zlib.error):
                raise
            raise gzip_error(self.path.name, error) from None
        self.text.seek(0)
        if encoding := encoding_of(start or b""):
            self.text = io.BufferedReader(_Recoded(self.text, encoding), PIECE)
        return self.text, self.raw

    def __exit__(self, *_: object) -> None:
        self.text.close()
        self.raw.close()


class _Recoded(io.RawIOBase):
    """A stream of another encoding as UTF-8."""

    def __init__(self, source: BinaryIO, encoding: str):
        self.source = source
        self.decoder = codecs.getincrementaldecoder(encoding)("replace")
        self.waiting = b""
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self.waiting and not self.ended:
            piece = self.source.read(PIECE)
            self.ended = not piece
            self.waiting = self.decoder.decode(piece, final=self.ended).encode()
        n = min(len(self.waiting), len(buffer))
        buffer[:n] = self.waiting[:n]
        self.waiting = self.waiting[n:]
        return n

    def close(self) -> None:
        self.source.close()
        super().close()
