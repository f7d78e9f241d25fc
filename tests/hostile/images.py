"""Hostile image files, and hostile names of images."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from hostile.catalogue import Use, add, command

CALLED = "images that are something else"
BOMBS = "images that would fill the memory"
DAMAGED = "images that are damaged or lie"
ODD = "images of odd depths and kinds, which are read"
NO_FILES = "images that are no regular files"
NAMES = "names of images"
OUTSIDE = "names that lead elsewhere"

PIXELS = (np.arange(48 * 40 * 3).reshape(48, 40, 3) * 7 % 256).astype(np.uint8)


def saved(kind: str, image: Any = None, **options: Any) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(PIXELS) if image is None else image
    image.save(stream, kind, **options)
    return stream.getvalue()


def good(folder: Path, name: str = "good.png") -> bytes:
    data = saved("PNG")
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return data


def png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, data in chunks:
        parts += [struct.pack(">I", len(data)), name, data]
        parts.append(struct.pack(">I", zlib.crc32(name + data)))
    return b"".join(parts)


def png_of(
    width: int, height: int, depth: int = 8, colour: int = 2, rows: bytes | None = None
) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(bytes(10_000) if rows is None else rows, 9)
    return png([(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")])


def an_image(kind: str, name: str, file: str, data: bytes | Callable[[], bytes] | Callable[[Path], None],
             *says: str, refused: bool = True) -> None:  # fmt: skip
    """Add a file that is read alone and in a folder with a good one."""

    def make(folder: Path) -> Use:
        good(folder)
        made = data
        if callable(made):
            try:
                made = made()  # type: ignore[call-arg]
            except TypeError:
                made(folder)  # type: ignore[call-arg]
                made = None
        if made is not None:
            (folder / file).write_bytes(made)  # type: ignore[arg-type]
        return Use("image", {"file": file, "refused": refused}, (1 if refused else 0,), says)

    add("images", kind, name, make)


# -- something else ------------------------------------------------------------------------------

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/tmp/x) (w) file\nshowpage\n"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>'

for _name, _data, _says in (
    ("an EPS called .jpg", EPS, "EPS"),
    ("a PDF called .jpg", b"%PDF-1.7\n" + bytes(99), "PDF"),
    ("an SVG called .png", SVG, "SVG"),
    ("a web page called .jpg", b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    ("an ICO called .png", saved("ICO"), "ICO"),
    ("a PSD called .png", b"8BPS\0\1" + bytes(60), "PSD"),
    ("a DDS called .png", b"DDS " + struct.pack("<I", 124) + bytes(120), "DDS"),
    ("a PPM called .png", saved("PPM"), "PPM"),
    ("a JPEG 2000 called .jpg", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), "JPEG 2000"),
    ("a film called .jpg", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(60), "film"),
    ("a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "LFS"),
    ("a gzip called .png", b"\x1f\x8b\x08\0" + bytes(40), "gzip"),
    ("a ZIP called .jpg", b"PK\x03\x04" + bytes(40), "ZIP"),
    ("JSON called .jpg", b'{"error": "expired"}', "JSON"),
    ("an AVI called .webp", b"RIFF\x24\0\0\0AVI LIST" + bytes(40), "RIFF"),
    ("a pickle called .png", b"\x80\x04\x95" + bytes(40), "no image"),
    ("an XML bomb called .jpg", b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><l>&b;</l>', "XML"),
    ("an mbox of an MPO's name", b"From - \n\n" * 9, "no image"),
    ("a camera's raw file called .tif", b"FUJIFILMCCD-RAW " + bytes(90), "RAF"),
    ("a WMF called .bmp", b"\xd7\xcd\xc6\x9a" + bytes(40), "WMF"),
):  # fmt: skip
    an_image(CALLED, _name, "bad" + _name[_name.rindex(".") :] if "." in _name[-6:] else "bad.jpg",
             _data, _says)  # fmt: skip


# -- bombs ---------------------------------------------------------------------------------------


def _tiff_of_strips() -> bytes:
    """A TIFF of 40,000 x 40,000 one-bit pixels in a few bytes."""
    tags = [(256, 4, 1, 40_000), (257, 4, 1, 40_000), (258, 3, 1, 1), (259, 3, 1, 1), (262, 3, 1, 1),
            (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 40_000), (279, 4, 1, 200_000_000)]  # fmt: skip
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + body + bytes(4)


def _tiff_tags(**changes: Any) -> bytes:
    tags = {
        "width": (256, 4, 1, 40), "height": (257, 4, 1, 48), "bits": (258, 3, 1, 8),
        "compression": (259, 3, 1, 1), "kind": (262, 3, 1, 1), "strip": (273, 4, 1, 8),
        "samples": (277, 3, 1, 1), "rows": (278, 4, 1, 48), "bytes": (279, 4, 1, 1920), **changes,
    }  # fmt: skip
    rows = sorted(tag for tag in tags.values() if tag is not None)
    body = b"".join(struct.pack("<HHII", *tag) for tag in rows)
    return struct.pack("<2sHIH", b"II", 42, 8, len(rows)) + body + bytes(4 + 1920)


def _gif_of(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF0, 0, 0) + bytes(6) + (
        b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00;"
    )  # fmt: skip


def _bmp_of(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHI", 60, 0, 0, 54) + struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(40)  # fmt: skip


def _text_bomb() -> bytes:
    """A PNG whose comment unpacks to 200 MB."""
    packed = zlib.compress(bytes(200 << 20), 9)
    head = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(5 * 4))
    return png([(b"IHDR", head), (b"zTXt", b"a\0\0" + packed), (b"IDAT", rows), (b"IEND", b"")])


def _profile_bomb() -> bytes:
    packed = zlib.compress(bytes(200 << 20), 9)
    head = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(5 * 4))
    return png([(b"IHDR", head), (b"iCCP", b"a\0\0" + packed), (b"IDAT", rows), (b"IEND", b"")])


def _many_scans() -> bytes:
    data = saved("JPEG", Image.new("RGB", (3000, 3000)), progressive=True)
    at = data.index(b"\xff\xda")
    end = data.index(b"\xff", at + 14)
    scan = data[at:end]
    return data[:at] + scan * 4000 + data[at:]


an_image(BOMBS, "a PNG of 100,000 x 100,000", "bad.png", lambda: png_of(100_000, 100_000), "pixels")
an_image(BOMBS, "a grey PNG of one bit, 60,000 x 60,000", "bad.png",
         lambda: png_of(60_000, 60_000, 1, 0), "pixels")  # fmt: skip
an_image(
    BOMBS,
    "a PNG of 2^31 - 1 a side",
    "bad.png",
    lambda: png_of(2**31 - 1, 2**31 - 1),
    "on each side",
)
an_image(
    BOMBS, "a PNG one pixel high and a billion wide", "bad.png", lambda: png_of(10**9, 1), "pixels"
)
an_image(BOMBS, "a TIFF of 40,000 x 40,000 in 200 bytes", "bad.tif", _tiff_of_strips, "pixels")
an_image(BOMBS, "a TIFF of 4 billion samples a pixel", "bad.tif",
         lambda: _tiff_tags(samples=(277, 4, 1, 2**32 - 1)))  # fmt: skip
an_image(BOMBS, "a TIFF of a thousand samples a pixel and 10,000 x 10,000", "bad.tif",
         lambda: _tiff_tags(samples=(277, 3, 1, 1000), width=(256, 4, 1, 10_000),
                            height=(257, 4, 1, 10_000)))  # fmt: skip
an_image(BOMBS, "a TIFF whose strip says 4 GB", "bad.tif",
         lambda: _tiff_tags(bytes=(279, 4, 1, 2**32 - 1), compression=(259, 3, 1, 8)))  # fmt: skip
an_image(BOMBS, "a GIF of 65,535 x 65,535", "bad.gif", lambda: _gif_of(65_535, 65_535), "pixels")
an_image(BOMBS, "a BMP of a million a side", "bad.bmp", lambda: _bmp_of(10**6, 10**6), "pixels")
an_image(BOMBS, "a BMP of a negative height of 2^31", "bad.bmp", lambda: _bmp_of(100, -(2**31)))
an_image(BOMBS, "a WebP of 16,383 x 16,383", "bad.webp",
         lambda: b"RIFF" + struct.pack("<I", 40) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4)
         + (16_382).to_bytes(3, "little") * 2 + b"VP8 " + struct.pack("<I", 10) + bytes(10))  # fmt: skip
an_image(BOMBS, "a PNG's comment of 200 MB", "bad.png", _text_bomb)
an_image(BOMBS, "a PNG's colour profile of 200 MB", "bad.png", _profile_bomb)
an_image(BOMBS, "a progressive JPEG of 4,000 scans", "bad.jpg", _many_scans, "scans")


def _sparse(folder: Path) -> None:
    with (folder / "bad.png").open("wb") as stream:
        stream.write(saved("PNG"))
        stream.truncate(3 << 30)


an_image(BOMBS, "a file of 3 GB with holes called .png", "bad.png", _sparse, "bytes")


# -- damaged -------------------------------------------------------------------------------------


def _exif(orientation: int) -> bytes:
    return (
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01"
        + struct.pack(">HH", orientation, 0)
        + bytes(4)
    )


an_image(DAMAGED, "an empty file", "bad.jpg", b"", "empty")
an_image(DAMAGED, "a file of one byte", "bad.jpg", b"\xff")
an_image(DAMAGED, "a JPEG of its first three bytes", "bad.jpg", b"\xff\xd8\xff")
an_image(DAMAGED, "a JPEG cut in the middle", "bad.jpg", lambda: saved("JPEG")[:700])
an_image(DAMAGED, "a PNG cut in the middle", "bad.png", lambda: saved("PNG")[:-300])
an_image(DAMAGED, "a PNG without data", "bad.png", lambda: png_of(9, 9, rows=b""))
an_image(DAMAGED, "a PNG of 0 x 0", "bad.png", lambda: png_of(0, 0))
an_image(DAMAGED, "a GIF of 0 x 0", "bad.gif", lambda: _gif_of(0, 0))
an_image(DAMAGED, "a BMP of 0 x 7", "bad.bmp", lambda: _bmp_of(0, 7))
an_image(DAMAGED, "a TIFF whose directory points at itself", "bad.tif",
         b"II*\0\x08\0\0\0\0\0\x08\0\0\0" + bytes(20))  # fmt: skip
an_image(DAMAGED, "a TIFF of 65,535 tags that are not there", "bad.tif", b"II*\0\x08\0\0\0\xff\xff")
an_image(
    DAMAGED,
    "a TIFF of an unknown compression",
    "bad.tif",
    lambda: _tiff_tags(compression=(259, 3, 1, 34_999)),
)
an_image(DAMAGED, "a TIFF of 7 bits a sample", "bad.tif", lambda: _tiff_tags(bits=(258, 3, 1, 7)))
an_image(DAMAGED, "a TIFF whose strips lie behind its end", "bad.tif",
         lambda: _tiff_tags(strip=(273, 4, 1, 2**31)))  # fmt: skip
an_image(DAMAGED, "a TIFF of no rows a strip", "bad.tif", lambda: _tiff_tags(rows=(278, 4, 1, 0)))
an_image(DAMAGED, "a WebP cut in the middle", "bad.webp", lambda: saved("WEBP")[:60])
an_image(DAMAGED, "an AVIF cut in the middle", "bad.avif", lambda: saved("AVIF")[:200])
an_image(DAMAGED, "a HEIC of its first bytes", "bad.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
an_image(DAMAGED, "a JPEG whose EXIF says orientation 99", "bad.jpg",
         lambda: saved("JPEG", exif=_exif(99)), "40 x 48", refused=False)  # fmt: skip
an_image(DAMAGED, "a JPEG whose EXIF is cut", "bad.jpg",
         lambda: saved("JPEG", exif=b"Exif\0\0MM\0*\0\0\xff\xff"), "40 x 48", refused=False)  # fmt: skip
an_image(DAMAGED, "a JPEG whose EXIF turns it", "bad.jpg", lambda: saved("JPEG", exif=_exif(6)),
         "48 x 40", refused=False)  # fmt: skip
an_image(DAMAGED, "a JPEG with a script behind its end", "bad.jpg",
         lambda: saved("JPEG") + b"<script>x</script>" * 99, "40 x 48", refused=False)  # fmt: skip


def _lying_palette() -> bytes:
    head = struct.pack(">IIBBBBB", 4, 4, 8, 3, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff" * 4) * 4)
    return png([(b"IHDR", head), (b"PLTE", b"\1\2\3"), (b"IDAT", rows), (b"IEND", b"")])


an_image(DAMAGED, "a PNG whose palette has one colour and whose pixels say 255", "bad.png",
         _lying_palette, refused=False)  # fmt: skip


# -- odd kinds -----------------------------------------------------------------------------------


def _tiff(array: Any, **options: Any) -> Callable[[], bytes]:
    def made() -> bytes:
        stream = io.BytesIO()
        tifffile.imwrite(stream, array, **options)
        return stream.getvalue()

    return made


FLOATS = np.linspace(-3, 900, 48 * 40, dtype=np.float32).reshape(48, 40)
HOLES = FLOATS.copy()
HOLES[::3] = np.nan
HOLES[1::3] = np.inf

for _name, _file, _data in (
    ("a CMYK JPEG", "bad.jpg", lambda: saved("JPEG", Image.new("CMYK", (40, 48), (9, 99, 9, 0)))),
    ("a float TIFF", "bad.tif", _tiff(FLOATS)),
    ("a float TIFF of NaN and infinity", "bad.tif", _tiff(HOLES)),
    ("a float TIFF of nothing but NaN", "bad.tif", _tiff(np.full((48, 40), np.nan, np.float32))),
    ("a double TIFF of 1e300", "bad.tif", _tiff(FLOATS.astype(np.float64) * 1e297)),
    ("a TIFF of 16-bit colour", "bad.tif", _tiff(PIXELS.astype(np.uint16) * 257, photometric="rgb")),
    ("a TIFF of signed numbers", "bad.tif", _tiff(FLOATS.astype(np.int16))),
    ("a TIFF of 32 bits", "bad.tif", _tiff(np.arange(1920, dtype=np.uint32).reshape(48, 40) * 2_000_000)),
    ("a TIFF of five pages", "bad.tif", _tiff(np.stack([PIXELS[..., 0]] * 5))),
    ("a planar TIFF", "bad.tif", _tiff(np.moveaxis(PIXELS, 2, 0), photometric="rgb", planarconfig="separate")),
    ("a BigTIFF", "bad.tif", _tiff(PIXELS, photometric="rgb", bigtiff=True)),
    ("a big-endian TIFF", "bad.tif", _tiff(PIXELS.astype(np.uint16) * 9, photometric="rgb", byteorder=">")),
    ("an animated GIF", "bad.gif",
     lambda: saved("GIF", save_all=True, append_images=[Image.new("RGB", (40, 48))] * 3)),
    ("an animated PNG", "bad.png",
     lambda: saved("PNG", save_all=True, append_images=[Image.new("RGB", (40, 48))] * 3)),
    ("an animated WebP", "bad.webp",
     lambda: saved("WEBP", save_all=True, append_images=[Image.new("RGB", (40, 48))] * 3)),
    ("a PNG of grey and alpha in 16 bits", "bad.png",
     lambda: png_of(4, 4, 16, 4, (b"\0" + bytes(range(16))) * 4)),
    ("a PNG of one bit", "bad.png", lambda: saved("PNG", Image.new("1", (40, 48), 1))),
    ("an image of one pixel", "bad.png", lambda: saved("PNG", Image.new("RGB", (1, 1)))),
    ("an image of 1 x 3,000", "bad.png", lambda: saved("PNG", Image.new("RGB", (1, 3000)))),
    ("a PNG called .jpg", "bad.jpg", lambda: saved("PNG")),
    ("a JPEG called .JPG.PNG", "bad.JPG.PNG", lambda: saved("JPEG")),
    ("a BMP from the bottom up", "bad.bmp", lambda: saved("BMP")),
):  # fmt: skip
    an_image(ODD, _name, _file, _data, "read", refused=False)


# -- no regular files ----------------------------------------------------------------------------


def no_file(name: str, make: Callable[[Path], None], *says: str) -> None:
    an_image(NO_FILES, name, "bad.png", make, *says)


def _socket(folder: Path) -> None:
    here = os.getcwd()
    os.chdir(folder)
    try:
        socket.socket(socket.AF_UNIX).bind("bad.png")
    finally:
        os.chdir(here)


def _loop(folder: Path) -> None:
    (folder / "bad.png").symlink_to("other.png")
    (folder / "other.png").symlink_to("bad.png")


no_file("a pipe called .png", lambda folder: os.mkfifo(folder / "bad.png"), "pipe")
no_file("a socket called .png", _socket, "socket")
no_file("a link to nothing", lambda folder: (folder / "bad.png").symlink_to("gone"), "no such file")


def predict_list(kind: str, name: str, records: Callable[[Path], list[dict[str, Any]]], found: int,
                 *says: str, status: int = 0, arguments: tuple[str, ...] = ()) -> None:  # fmt: skip
    """Add a COCO file whose images have hostile names; `found` of them can be predicted."""

    def make(folder: Path) -> Use:
        inner = folder / "data"
        inner.mkdir()
        rows = records(inner)
        for i, row in enumerate(rows, 1):
            row.setdefault("id", i)
            row.setdefault("width", 40)
            row.setdefault("height", 48)
        categories = [{"id": 1, "name": "clothing"}]
        document = {"images": rows, "annotations": [], "categories": categories}
        text = json.dumps(document).encode("utf-8", "surrogatepass")
        (inner / "list.json").write_bytes(text)
        line = ["predict", "data/list.json", "--out", "r.json", "--annotations", "a.json", "--overlays",
                "drawn", "--single-instance", "--force-complete", "--model", "MODEL", *arguments]  # fmt: skip
        makes = ("r.json", "a.json", "drawn", "drawn/*") if found else ()
        told = (f"{found} garments? in {found} images?,",) if found else ()
        return command(*line, status=status, says=(*says, *told), makes=makes, may_make=("drawn",))

    add("images", kind, name, make)


def names(*texts: Any) -> Callable[[Path], list[dict[str, Any]]]:
    def made(folder: Path) -> list[dict[str, Any]]:
        good(folder)
        return [{"file_name": "good.png"}, *({"file_name": text} for text in texts)]

    return made


def real(*texts: str) -> Callable[[Path], list[dict[str, Any]]]:
    """Files that really have these names."""

    def made(folder: Path) -> list[dict[str, Any]]:
        for text in texts:
            good(folder, text)
        return [{"file_name": text} for text in texts]

    return made


predict_list(NO_FILES, "a folder named as an image",
             lambda f: ((f / "sub.png").mkdir(), *names("sub.png")(f))[1:], 1, "sub.png")  # fmt: skip
predict_list(NO_FILES, "a device named as an image", names("/dev/zero", "../../../../../../dev/urandom"), 1,
             "/dev/zero")  # fmt: skip


def _links(
    target: Callable[[Path], Any], name: str = "link.png"
) -> Callable[[Path], list[dict[str, Any]]]:
    def made(folder: Path) -> list[dict[str, Any]]:
        (folder / name).symlink_to(target(folder))
        return names(name)(folder)

    return made


predict_list(NO_FILES, "a link to a device", _links(lambda f: "/dev/zero"), 1, "link.png")
predict_list(NO_FILES, "a loop of links", _links(lambda f: "link.png"), 1, "link.png")
predict_list(
    NO_FILES, "a link to this process's memory", _links(lambda f: "/proc/self/mem"), 1, "link.png"
)

# -- names ---------------------------------------------------------------------------------------

predict_list(NAMES, "names that are no text", names(None, 5, [], {}, True, 1.5, ["a.png"]), 1)
predict_list(NAMES, "empty and blank names", names("", " ", "\t", ".", "./", "/"), 1)
predict_list(NAMES, "names with null characters", names("a\0.png", "\0"), 1)
predict_list(NAMES, "names with half surrogates", names("\udc80.png", "a\ud800.png"), 1)
predict_list(NAMES, "names of 255, 256 and 5,000 letters",
             names("a" * 251 + ".png", "a" * 252 + ".png", "a" * 5000, "a/" * 2500 + "x.png"), 1)  # fmt: skip
predict_list(NAMES, "a real name of 255 letters", real("b" * 251 + ".png"), 1)
predict_list(
    NAMES, "a real name of 253 bytes in letters of three bytes", real("衣" * 83 + ".png"), 1
)
predict_list(NAMES, "names with markup, percent and braces",
             real("[red]a[/red].png", "100%s.png", "{0}{x}.png", "$(touch x).png", "`id`.png", "a;b&c.png"), 6)  # fmt: skip
predict_list(
    NAMES, "names with line feeds and escapes", real("a\nb.png", "a\x1b[2Jb.png", "a\rb.png"), 3
)
predict_list(
    NAMES, "names that turn the writing", real("\u202egnp.a.png", "\u200bzero\u200d.png"), 2
)
predict_list(NAMES, "names like options", real("-rf.png", "--out", "-"), 3)
predict_list(
    NAMES, "two names that differ in case or Unicode form", real("É.png", "e\u0301.png", "é.png"), 3
)
predict_list(NAMES, "a file and a folder whose drawings collide", real("x", "x.png/y"), 2,
             "drawings left out")  # fmt: skip
predict_list(NAMES, "an image named twice, and by another spelling",
             lambda f: [*names("good.png", "./good.png", "sub/../good.png")(f)], 3)  # fmt: skip
predict_list(NAMES, "names of Windows with drives and devices",
             names("C:\\photos\\a.png", "CON", "NUL.png", "a:b.png", "C:a.png", "..\\..\\x.png"), 1)  # fmt: skip
predict_list(NAMES, "a good image by a name of Windows", lambda f: (good(f, "sub/a.png"), [
             {"file_name": "D:\\set\\sub\\a.png"}, {"file_name": "sub\\a.png"}])[1], 2)  # fmt: skip
predict_list(NAMES, "spaces and dots at the ends", real(" a.png ", "b.png.", "...png"), 3)
predict_list(NAMES, "sizes that are far from the image's",
             lambda f: (good(f), [{"file_name": "good.png", "width": w, "height": h} for w, h in (
                 (40, 48), (48, 40), (4000, 4800), (-40, 48), (10**30, 1), ("40", "48"), (40.0, 48.0),
                 (None, None), (0, 0), (True, True))])[1], 8, "another size|says")  # fmt: skip

# -- elsewhere -----------------------------------------------------------------------------------


def outside(folder: Path) -> Path:
    there = folder.parent / "secret"
    good(there, "s.png")
    return there


def _lead(*texts: str) -> Callable[[Path], list[dict[str, Any]]]:
    def made(folder: Path) -> list[dict[str, Any]]:
        there = outside(folder)
        return names(*(t.replace("OUTSIDE", str(there)) for t in texts))(folder)

    return made


predict_list(
    OUTSIDE, "names with ..", _lead("../secret/s.png", "a/../../secret/s.png"), 1, "allow-root"
)
predict_list(
    OUTSIDE,
    "absolute names",
    _lead("OUTSIDE/s.png", "/etc/passwd", "//server/x.png"),
    1,
    "allow-root",
)
predict_list(OUTSIDE, "addresses", names("http://x.example/a.png", "file:///etc/passwd", "s3://b/a.png",
             "data:image/png;base64,AAAA", "\\\\server\\share\\a.png", "\\\\?\\C:\\a.png"), 1)  # fmt: skip
predict_list(OUTSIDE, "a link out of the folder", lambda f: _links(lambda f: outside(f) / "s.png")(f), 1,
             "allow-root")  # fmt: skip
predict_list(OUTSIDE, "a linked folder out of the folder",
             lambda f: ((f / "sub").symlink_to(outside(f)), *names("sub/s.png")(f))[1:], 1, "allow-root")  # fmt: skip
predict_list(OUTSIDE, "a name with .. that is allowed", _lead("../secret/s.png"), 2,
             arguments=("--allow-root", "data/../secret"))  # fmt: skip
predict_list(OUTSIDE, "nothing but names that lead elsewhere",
             lambda f: [{"file_name": "/etc/passwd"}, {"file_name": "../../x.png"}], 0,
             "nothing was written", status=1)  # fmt: skip


def _noted(root: str) -> Callable[[Path], Use]:
    def make(folder: Path) -> Use:
        good(folder.parent / "far" / "away", "s.png")
        inner = folder / "data"
        inner.mkdir()
        note = root.replace("FAR", str(folder.parent / "far" / "away"))
        document = {
            "info": {"fashion": {"image_root": note}},
            "images": [{"id": 1, "file_name": "s.png", "width": 40, "height": 48}],
            "annotations": [], "categories": [{"id": 1, "name": "clothing"}],
        }  # fmt: skip
        (inner / "list.json").write_text(json.dumps(document))
        return command("predict", "data/list.json", "--out", "r.json", "--model", "MODEL", "--single-instance",
                       status=1, says=("nothing was written",))  # fmt: skip

    return make


add("images", OUTSIDE, "a root that only the file names", _noted("FAR"))
add("images", OUTSIDE, "a root on another machine", _noted("//server/share"))
add("images", OUTSIDE, "a root that is the file system", _noted("/"))
add("images", OUTSIDE, "a root with a null character", _noted("a\0b"))


def _folder_of_links(folder: Path) -> Use:
    there = folder / "photos"
    good(there)
    (there / "again").symlink_to(".")
    (there / "up").symlink_to("..")
    (there / "out").symlink_to(outside(folder))
    (there / "root").symlink_to("/")
    (there / "twin").symlink_to("good.png")
    for i in range(30):
        (there / f"deep{i}").symlink_to("again")
    return command("predict", "photos", "--out", "r.json", "--model", "MODEL", "--single-instance", "--force-complete",
                   says=("1 garment in 1 image", "is a link to /, outside"), makes=("r.json", "r.images.json"))  # fmt: skip


add(
    "images",
    OUTSIDE,
    "a folder of links to itself, above, elsewhere and to everything",
    _folder_of_links,
)
