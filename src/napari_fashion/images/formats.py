"""What a file is, by its first bytes; which names are images."""

from __future__ import annotations

from typing import NamedTuple

EXPECTED = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC"
"""What is read, for messages."""

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"),
        *(".avif", ".heic", ".heif"),
    )
)
"""Names that end so are images, in letters of any case."""


class Kind(NamedTuple):
    """What a file begins like.

    Attributes
    ----------
    name
        Of the format.
    text
        With its article, for a sentence.
    """

    name: str
    text: str


def looks_like(head: bytes) -> Kind:
    """Return the kind of a file by its first bytes; give at least 64 of them, if it has them."""
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    for at, magic, kind in _MAGIC:
        if head[at : at + len(magic)] == magic:
            return kind
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    lower = text[:256].lower()
    if lower.startswith((b"<!doctype html", b"<html")) or b"<html" in lower:
        return Kind("HTML", "a web page (HTML)")
    if b"<svg" in lower:
        return Kind("SVG", "an SVG file")
    if lower.startswith(b"<"):
        return Kind("XML", "an XML file")
    if text[:1] in (b"{", b"["):
        return Kind("JSON", "a JSON file")
    if lower.startswith(b"version https://git-lfs"):
        return Kind("LFS", "a pointer of Git LFS and not the file itself (run `git lfs pull`)")
    if head and not head.strip(b"\0"):
        return Kind("zeros", "a file that begins with zeros only")
    return Kind("unknown", "no image that is known by its first bytes")


def _of_brands(head: bytes) -> Kind:
    length = min(max(int.from_bytes(head[:4], "big"), 16), len(head))
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, length - 3, 4))]
    if any(brand in (b"avif", b"avis") for brand in brands):
        return Kind("AVIF", "an AVIF file")
    if any(brand in _HEIC for brand in brands):
        return Kind("HEIC", "a HEIC file")
    return Kind("MP4", "a film (MP4 or QuickTime)")


_HEIC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"mif1", b"msf1"))


def _kinds(*rows: tuple[int, bytes, str, str]) -> tuple[tuple[int, bytes, Kind], ...]:
    return tuple(
        (at, magic, Kind(name, f"{article} {name} file")) for at, magic, name, article in rows
    )


_MAGIC = _kinds(
    (0, b"\xff\xd8\xff", "JPEG", "a"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG", "a"),
    (8, b"WEBP", "WebP", "a"),
    (0, b"II*\0", "TIFF", "a"),
    (0, b"MM\0*", "TIFF", "a"),
    (0, b"II+\0", "TIFF", "a"),
    (0, b"MM\0+", "TIFF", "a"),
    (0, b"GIF8", "GIF", "a"),
    (0, b"BM", "BMP", "a"),
    (0, b"%!PS", "EPS", "an"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS", "an"),
    (0, b"%PDF", "PDF", "a"),
    (0, b"DDS ", "DDS", "a"),
    (0, b"8BPS", "PSD", "a"),
    (0, b"\0\0\1\0", "ICO", "an"),
    (0, b"\0\0\2\0", "CUR", "a"),
    (0, b"icns", "ICNS", "an"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000", "a"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000", "a"),
    (0, b"\xff\x0a", "JPEG XL", "a"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL", "a"),
    (0, b"II\xbc", "JPEG XR", "a"),
    (0, b"qoif", "QOI", "a"),
    (0, b"SIMPLE  =", "FITS", "a"),
    (0, b"\x89HDF", "HDF5", "an"),
    (0, b"v/1\x01", "OpenEXR", "an"),
    (0, b"#?RADIANCE", "HDR", "an"),
    (0, b"gimp xcf", "XCF", "an"),
    (0, b"\xd7\xcd\xc6\x9a", "WMF", "a"),
    (40, b" EMF", "EMF", "an"),
    (0, b"\x01\xda", "SGI", "an"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster", "a"),
    (0, b"FUJIFILM", "RAF (camera raw)", "a"),
    (0, b"P1", "PBM", "a"),
    (0, b"P2", "PGM", "a"),
    (0, b"P3", "PPM", "a"),
    (0, b"P4", "PBM", "a"),
    (0, b"P5", "PGM", "a"),
    (0, b"P6", "PPM", "a"),
    (0, b"PK\x03\x04", "ZIP", "a"),
    (0, b"\x1f\x8b", "gzip", "a"),
    (0, b"7z\xbc\xaf", "7z", "a"),
    (0, b"Rar!", "RAR", "a"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM", "a"),
    (0, b"RIFF", "RIFF (AVI or WAV)", "a"),
    (0, b"\x93NUMPY", "NumPy", "a"),
)
