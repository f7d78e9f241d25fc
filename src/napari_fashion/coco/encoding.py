"""The encoding of a JSON file: which it is, and its bytes in UTF-8."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from napari_fashion.errors import CocoError


def find_encoding(data: bytes) -> tuple[str, bool]:
    """Return a JSON file's encoding and whether it begins with a byte order mark."""
    encoding = json.detect_encoding(data)
    if encoding == "utf-8-sig":
        return "utf-8", True
    for bom, name in (
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(bom):
            return name, True
    return encoding, False


def as_utf8(data: bytes, encoding: str, bom: bool, path: Path | None) -> bytes:
    """Return a file in UTF-8 without its byte order mark; CocoError if it is not its encoding."""
    try:
        if encoding == "utf-8":
            data = data[3:] if bom else data
            if not data.isascii():
                decoder = codecs.getincrementaldecoder("utf-8")()
                for at in range(0, len(data), 1 << 20):
                    decoder.decode(data[at : at + (1 << 20)])
                decoder.decode(b"", final=True)
            return data
        return data.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeDecodeError as error:
        raise CocoError(
            f"byte {error.start} is not {error.encoding}; expected JSON in UTF-8.", path=path
        ) from error


def in_encoding(
    parts: Iterable[bytes | memoryview], encoding: str, bom: bool
) -> Iterator[bytes | memoryview]:
    """Yield a document, given in UTF-8, in an encoding; UTF-8 part by part, others in one piece."""
    if encoding == "utf-8":
        if bom:
            yield codecs.BOM_UTF8
        yield from parts
    else:
        text = b"".join(parts).decode()
        yield (("\ufeff" if bom else "") + text).encode(encoding)
