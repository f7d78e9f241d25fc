"""Hostile COCO files: of other tools, of other forms, damaged, or made to break whoever reads them."""

from __future__ import annotations

import codecs
import copy
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from hostile.catalogue import Use, add
from small import SCHEMA, small_document

TOOLS = "files of other tools"
TEXTS = "texts that are no JSON, or hardly"
LARGE = "records that are large or deep"
KEYPOINTS = "keypoints of other forms"
VALUES = "boxes, flags and scores of other forms"
IDS = "ids of every kind"
TABLES = "tables and references"
CATEGORIES = "categories and skeletons"

_stream = io.BytesIO()
Image.new("RGB", (120, 120), (90, 120, 60)).save(_stream, "PNG")
PIXELS = _stream.getvalue()


def a_file(kind: str, name: str, make: Callable[[], Any], *says: str, refused: bool = False,
           file: str = "a.json", never: tuple[str, ...] = ()) -> None:  # fmt: skip
    """Add a file: what `make` returns is a document, a text or bytes."""

    def made(folder: Path) -> Use:
        for i in (1, 2, 3):
            (folder / f"{i}.png").write_bytes(PIXELS)
        found = make()
        if not isinstance(found, (str, bytes)):
            found = json.dumps(found)
        data = found.encode("utf-8", "surrogatepass") if isinstance(found, str) else found
        (folder / file).write_bytes(data)
        return Use("records", {"file": file}, (1 if refused else 0,), says, never)

    add("records", kind, name, made)


def changed(
    kind: str, name: str, change: Callable[[dict[str, Any]], Any], *says: str, **more: Any
) -> None:
    """Add the small document with something changed."""

    def make() -> Any:
        document = copy.deepcopy(small_document())
        found = change(document)
        return document if found is None else found

    a_file(kind, name, make, *says, **more)


def of_garment(kind: str, name: str, says: tuple[str, ...] = (), **values: Any) -> None:
    """Add the small document with values of its first garment changed."""
    changed(kind, name, lambda d: d["annotations"][0].update(copy.deepcopy(values)), *says)


FLAT = small_document()["annotations"][0]["keypoints"]
N = len(SCHEMA.landmarks)

# -- keypoints -----------------------------------------------------------------------------------

for _name, _value in {
    "numbers as text": [str(v) for v in FLAT],
    "pairs": [v for i, v in enumerate(FLAT) if i % 3 < 2],
    "nested triplets": [FLAT[i : i + 3] for i in range(0, len(FLAT), 3)],
    "objects": [{"x": 1, "y": 2, "v": 2}] * N,
    "an object by name": {name: [1, 2, 2] for name in SCHEMA.landmarks},
    "one text": "40,20,2,80,20,2",
    "nulls": [None] * len(FLAT),
    "one null": [*FLAT[:-1], None],
    "a number missing": FLAT[:-1],
    "too many": FLAT + [1, 2, 2] * 5,
    "a number alone": 7,
    "truths": [True, False, True] * N,
    "NaN and infinity": [float("nan"), float("inf"), 2, *FLAT[3:]],
    "1e308": [1e308, -1e308, 2, *FLAT[3:]],
    "integers of 400 digits": [10**400, 1, 2, *FLAT[3:]],
    "visibilities of every kind": [
        v for i in range(N) for v in (5, 5, (3, -1, 1.5, 2.0, 99, 0.5, 2, 1)[i % 8])
    ],
    "places far outside": [-1e6, 1e6, 2] * N,
    "places in 0..1": [0.25, 0.5, 2] * N,
    "not labelled, with places": [40, 40, 0] * N,
    "294 numbers of DeepFashion2": [1.5, 2.5, 2] * 294,
    "an empty list": [],
}.items():
    of_garment(KEYPOINTS, f"keypoints: {_name}", keypoints=_value)

changed(KEYPOINTS, "keypoints: no key", lambda d: d["annotations"][0].pop("keypoints") and None)
changed(KEYPOINTS, "keypoints: a key that comes twice", lambda d: json.dumps(d).replace(
        '"keypoints": [40', '"keypoints": "x", "keypoints": [40', 1))  # fmt: skip
changed(
    KEYPOINTS,
    "keypoints: 1e400 in the text",
    lambda d: json.dumps(d).replace("[40, 20, 2", "[1e400, -1e400, 2", 1),
)
changed(KEYPOINTS, "keypoints: an integer of 5,000 digits", lambda d: json.dumps(d).replace(
        "[40, 20, 2", f"[{'9' * 5000}, 20, 2", 1))  # fmt: skip
changed(KEYPOINTS, "keypoints: -0, 1E5 and 0.1e-7", lambda d: json.dumps(d).replace(
        "[40, 20, 2", "[-0.0, 1E1, 2.0e0", 1))  # fmt: skip
changed(
    KEYPOINTS,
    "keypoints: 20,000 numbers",
    lambda d: d["annotations"][0].update(keypoints=[1, 2, 2] * 7000),
)

# -- values --------------------------------------------------------------------------------------

for _name, _value in {
    "NaN": [float("nan")] * 4,
    "infinite": [0, 0, float("inf"), 10],
    "negative": [50, 50, -20, -20],
    "of no size": [50, 50, 0, 0],
    "text": ["1", "2", "30", "40"],
    "corners as objects": {"x": 1, "y": 2, "w": 3, "h": 4},
    "two numbers": [1, 2],
    "null": None,
    "nested": [[1, 2], [3, 4]],
    "of 1e308": [-1e308, -1e308, 1e308, 1e308],
    "of integers of 400 digits": [10**400, 0, 1, 1],
    "far outside": [1e6, 1e6, 50, 50],
}.items():
    of_garment(VALUES, f"a box: {_name}", bbox=_value)

for _name, _value in {
    "'0'": "0", "'false'": "false", "a list": [], "an object": {}, "2": 2, "-1": -1, "NaN": float("nan"),
    "null": None, "a long text": "yes" * 5000,
}.items():  # fmt: skip
    of_garment(VALUES, f"iscrowd: {_name}", iscrowd=_value)

of_garment(
    VALUES, "a crowd as RLE", iscrowd=1, segmentation={"counts": "abc\\x", "size": [120, 120]}
)
of_garment(
    VALUES,
    "a segmentation of NaN, text and nothing",
    segmentation=[[float("nan")], "x", None, []],
    area="big",
)
of_garment(VALUES, "our own key with other things in it", fashion={
    "source": 5, "score": "0.9", "keypoint_scores": "high", "category_scores": [1], "landmark_sources": {"a": 1},
    "touched": "yes"})  # fmt: skip
of_garment(VALUES, "our own key of another tool", fashion="2019/autumn")
of_garment(
    VALUES,
    "a model's scores of NaN and too few",
    fashion={
        "source": "model:x",
        "score": float("nan"),
        "keypoint_scores": [1, "x", None],
        "category_scores": {"Shirt": float("inf"), "?": 2},
    },
)
of_garment(
    VALUES,
    "scores of 10^400",
    score=10**400,
    fashion={"source": "model:x", "score": 10**400, "keypoint_scores": [10**400] * N},
)
of_garment(VALUES, "num_keypoints and area as objects", num_keypoints={}, area=[1])
changed(VALUES, "an image's own key with other things in it", lambda d: d["images"][0].update(fashion={
    "reviewed": "false", "rejected": [5, {"keypoints": "x"}, [[1, 2]], None], "ignore": [[1], "x", None, [float("nan")] * 4]}))  # fmt: skip
changed(VALUES, "sizes of an image that are none", lambda d: [i.update(width=w, height=h) for i, (w, h) in zip(
    d["images"], (("120", "120"), (float("nan"), -5), (10**400, 1e308)), strict=True)] and None)  # fmt: skip

# -- texts ---------------------------------------------------------------------------------------

TEXT = json.dumps(small_document())
a_file(TEXTS, "an empty file", lambda: b"", refused=True)
a_file(TEXTS, "a file of spaces", lambda: b"  \n\t ", refused=True)
a_file(TEXTS, "a file of one byte", lambda: b"{", refused=True)
a_file(TEXTS, "null characters", lambda: bytes(5000), refused=True)
a_file(TEXTS, "a text cut in the middle", lambda: TEXT[: len(TEXT) // 2], refused=True)
a_file(TEXTS, "a text with more behind it", lambda: TEXT + "\n" + TEXT, refused=True)
a_file(TEXTS, "gzip called .json", lambda: gzip.compress(TEXT.encode())[:300], refused=True)
a_file(TEXTS, "an image called .json", lambda: PIXELS, refused=True)
a_file(TEXTS, "a web page called .json", lambda: b"<!DOCTYPE html><html></html>", refused=True)
a_file(TEXTS, "UTF-8 with a mark", lambda: codecs.BOM_UTF8 + TEXT.encode())
a_file(TEXTS, "UTF-16", lambda: TEXT.encode("utf-16"))
a_file(TEXTS, "UTF-32", lambda: TEXT.encode("utf-32"))
a_file(TEXTS, "Latin-1", lambda: TEXT.replace("small", "sm\xe4ll").encode("latin-1"), refused=True)
a_file(
    TEXTS, "CRLF and tabs", lambda: json.dumps(small_document(), indent="\t").replace("\n", "\r\n")
)
a_file(
    TEXTS, "old Mac's line ends", lambda: json.dumps(small_document(), indent=1).replace("\n", "\r")
)
a_file(
    TEXTS,
    "comments and commas at the ends",
    lambda: "// made by hand\n" + TEXT[:-1] + ",}",
    refused=True,
)
a_file(TEXTS, "single quotes", lambda: str(small_document()), refused=True)
a_file(TEXTS, "lines of JSON", lambda: '{"image": 1}\n{"image": 2}\n', refused=True)
a_file(TEXTS, "a number, a text, null", lambda: b"null", refused=True)
a_file(TEXTS, "a list of numbers", lambda: b"[1, 2, 3]", refused=True)
a_file(
    TEXTS, "half a surrogate in a text", lambda: TEXT.replace('"small"', '"\\ud800 \\udc00\\ud800"')
)
a_file(TEXTS, "null characters in texts", lambda: TEXT.replace('"small"', '"a\\u0000b"'))
a_file(
    TEXTS, "a control character in a text", lambda: TEXT.replace('"small"', '"a\nb"'), refused=True
)
a_file(
    TEXTS,
    "the tables named twice",
    lambda: TEXT[:-1] + ', "images": [], "annotations": []}',
    refused=True,
)
a_file(TEXTS, "keys in escapes", lambda: TEXT.replace('"images"', '"im\\u0061ges"').replace(
       '"keypoints"', '"\\u006beypoints"'))  # fmt: skip
a_file(
    TEXTS,
    "NaN, Infinity and -Infinity everywhere",
    lambda: TEXT.replace("2.5", "NaN").replace("9000.5", "-Infinity"),
)
a_file(
    TEXTS,
    "numbers that JSON does not know",
    lambda: TEXT.replace("9000.5", "+9000.5"),
    refused=True,
)
a_file(TEXTS, "a name in capitals", lambda: TEXT, file="A.JSON")
a_file(TEXTS, "a name that looks like an option and markup", lambda: TEXT, file="[b]%s{}$x;.json")
a_file(
    TEXTS, "a name of line feeds and a turned end", lambda: TEXT, file="a\n\x1b[31m\u202enosj.json"
)

# -- large and deep ------------------------------------------------------------------------------

a_file(LARGE, "lists nested a million deep", lambda: b"[" * 1_000_000, refused=True)
a_file(
    LARGE,
    "objects nested 100,000 deep",
    lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    refused=True,
)
a_file(
    LARGE,
    "a record nested 100,000 deep",
    lambda: TEXT.replace("9000.5", "[" * 100_000 + "]" * 100_000, 1),
    refused=True,
)
a_file(LARGE, "a record nested 900 deep", lambda: TEXT.replace("9000.5", "[" * 900 + "]" * 900, 1))
a_file(
    LARGE,
    "info nested 100,000 deep",
    lambda: TEXT.replace('"small"', "[" * 100_000 + "]" * 100_000, 1),
    refused=True,
)
a_file(LARGE, "a text of 5 MB", lambda: TEXT.replace('"small"', '"' + "x" * (5 << 20) + '"', 1))
a_file(
    LARGE, "a file name of 1 MB", lambda: TEXT.replace('"1.png"', '"' + "x" * (1 << 20) + '"', 1)
)
changed(
    LARGE, "a category's name of 2 MB", lambda d: d["categories"][0].update(name="x" * (2 << 20))
)
changed(
    LARGE,
    "a record of 2,000 keys",
    lambda d: d["annotations"][0].update({f"k{i}": i for i in range(2000)}),
)
changed(
    LARGE, "2,000 keys beside the tables", lambda d: d.update({f"k{i}": i for i in range(2000)})
)
changed(LARGE, "a record that has a key 2,000 times", lambda d: json.dumps(d).replace(
        '"kept":', '"same": 1, ' * 2000 + '"kept":', 1))  # fmt: skip
changed(LARGE, "2,000 annotations of no image", lambda d: d["annotations"].extend(
    {"id": 1000 + i, "image_id": 99, "category_id": 77} for i in range(2000)))  # fmt: skip
changed(LARGE, "500 categories of one name", lambda d: d["categories"].extend(
    {"id": 1000 + i, "name": "Shirt", "keypoints": list(SCHEMA.landmarks)} for i in range(500)))  # fmt: skip
changed(LARGE, "200 garments on one image", lambda d: d["annotations"].extend(
    {**d["annotations"][0], "id": 1000 + i} for i in range(200)))  # fmt: skip
changed(
    LARGE,
    "a skeleton of 5,000 edges",
    lambda d: d["categories"][0].update(skeleton=[[1, 2]] * 5000),
)
changed(LARGE, "10,000 landmarks of one category", lambda d: [c.update(
    keypoints=[f"p{i}" for i in range(10_000)], skeleton=[]) for c in d["categories"]] and None, refused=True)  # fmt: skip

# -- ids -----------------------------------------------------------------------------------------

for _name, _value in {
    "text": "11", "a float": 11.0, "a fraction": 11.5, "null": None, "true": True, "a list": [11], "an object": {"id": 11},
    "NaN": float("nan"), "negative": -5, "zero": 0, "2^63": 2**63, "400 digits": 10**400, "an empty text": "",
    "a text of letters": "7f0e-uuid\n", "a text with a null character": "a\0b", "half a surrogate": "\ud800",
}.items():  # fmt: skip
    _readable = (
        isinstance(_value, (int, str, float)) and not isinstance(_value, bool) and _name != "NaN"
    )
    changed(IDS, f"an annotation's id: {_name}",
            lambda d, v=_value: d["annotations"][0].update(id=v), refused=not _readable)  # fmt: skip

changed(
    IDS,
    "an id of 5,000 digits",
    lambda d: json.dumps(d).replace('"id": 11', f'"id": {"7" * 5000}', 1),
    refused=False,
)
changed(IDS, "images' ids of text, garments' of numbers", lambda d: [
    i.update(id=str(i["id"])) for i in d["images"]] and None, "text in one place")  # fmt: skip
changed(IDS, "1 and '1' side by side", lambda d: d["images"][1].update(id="1"))
changed(IDS, "image ids of text with file names in them", lambda d: [
    (i.update(id=i["file_name"]), [a.update(image_id=i["file_name"]) for a in d["annotations"]]) for i in d["images"]] and None)  # fmt: skip
changed(IDS, "an image twice", lambda d: d["images"].append(dict(d["images"][0])), refused=True)
changed(
    IDS,
    "an annotation twice",
    lambda d: d["annotations"].append(dict(d["annotations"][0])),
    refused=True,
)
changed(
    IDS,
    "a category twice",
    lambda d: d["categories"].append(dict(d["categories"][0])),
    refused=True,
)
changed(IDS, "no id", lambda d: d["annotations"][0].pop("id") and None, refused=True)
changed(
    IDS,
    "an id twice in a record",
    lambda d: json.dumps(d).replace('"id": 11', '"id": 5, "id": 11', 1),
)
changed(IDS, "references of every kind", lambda d: d["annotations"].extend(
    {"id": 100 + i, "image_id": v, "category_id": v, "keypoints": FLAT}
    for i, v in enumerate((None, [], {}, True, 1.0, 1.5, "1", " 1", "01", float("nan"), 10**400))), refused=True)  # fmt: skip

# -- tables --------------------------------------------------------------------------------------

for _table in ("images", "annotations", "categories"):
    for _name, _value in {"null": None, "a text": "x", "an object": {"1": {"id": 1}}, "of numbers": [1, 2],
                          "of nulls": [None]}.items():  # fmt: skip
        changed(
            TABLES,
            f"{_table}: {_name}",
            lambda d, t=_table, v=_value: d.update({t: v}),
            refused=True,
        )
    changed(TABLES, f"{_table}: empty", lambda d, t=_table: d.update({t: []}))
    changed(TABLES, f"{_table}: missing", lambda d, t=_table: d.pop(t) and None,
            refused=_table == "images")  # fmt: skip
changed(TABLES, "info: a list", lambda d: d.update(info=[1, 2]))
changed(TABLES, "info: our key with other things in it", lambda d: d.update(
    info={"fashion": {"schema": 5, "image_root": ["x"]}}), "schema")  # fmt: skip
changed(TABLES, "info: the name of a schema that leads elsewhere", lambda d: d.update(
    info={"fashion": {"schema": "../../../etc/passwd"}}), "schema")  # fmt: skip
changed(TABLES, "info: a schema inside, damaged", lambda d: d.update(
    info={"fashion": {"schema": {"name": "x", "landmarks": [{"name": None}], "skeleton": "x"}}}), "schema")  # fmt: skip
changed(TABLES, "an empty object", lambda d: {}, refused=True)
changed(TABLES, "records of images among annotations", lambda d: d.update(annotations=d["images"]))

# -- categories ----------------------------------------------------------------------------------

for _name, _value in {
    "null": None, "text": "all", "from 0": [[0, 1]], "beyond": [[1, 99]], "of NaN": [[float("nan"), 1]],
    "of names": [["left_neckline", "right_neckline"]], "of three ends": [[1, 2, 3]], "flat": [1, 2, 2, 3],
    "of truths": [[True, True]], "of loops": [[1, 1], [2, 2]], "of 10^400": [[10**400, 1]],
}.items():  # fmt: skip
    changed(
        CATEGORIES,
        f"skeleton: {_name}",
        lambda d, v=_value: [c.update(skeleton=v) for c in d["categories"]] and None,
    )

changed(
    CATEGORIES,
    "categories without names",
    lambda d: [c.pop("name") for c in d["categories"]] and None,
    refused=True,
)
changed(CATEGORIES, "names that are no text", lambda d: [c.update(name=v) for c, v in zip(
    d["categories"], (None, 5, [], {}, True, "", " "), strict=False)] and None)  # fmt: skip
changed(
    CATEGORIES,
    "all of one name",
    lambda d: [c.update(name="Shirt") for c in d["categories"]] and None,
    "categories of one name",
)
changed(CATEGORIES, "names of spaces, cases and Unicode forms", lambda d: [c.update(name=v) for c, v in zip(
    d["categories"], ("shirt", " Shirt ", "SHIRT", "T\u2011Shirt", "Shirt\u200b", "e\u0301"), strict=False)] and None)  # fmt: skip
changed(
    CATEGORIES,
    "landmarks of one name",
    lambda d: [c.update(keypoints=["a"] * N) for c in d["categories"]] and None,
)
changed(
    CATEGORIES,
    "landmarks that are no text",
    lambda d: (
        [c.update(keypoints=[None, 5, [], {}, "a", "b", "c", "d"]) for c in d["categories"]]
        and None
    ),
    refused=True,
)
changed(
    CATEGORIES,
    "landmarks as one text",
    lambda d: [c.update(keypoints="left,right") for c in d["categories"]] and None,
    refused=True,
)
changed(CATEGORIES, "landmarks in another order in each category", lambda d: [c.update(
    keypoints=list(SCHEMA.landmarks[i % N :] + SCHEMA.landmarks[: i % N])) for i, c in enumerate(d["categories"])] and None)  # fmt: skip
changed(CATEGORIES, "landmarks of another schema", lambda d: [c.update(
    keypoints=["nose", "left_eye"], skeleton=[[1, 2]]) for c in d["categories"]] and None)  # fmt: skip
changed(CATEGORIES, "a remembered answer that is none", lambda d: d["categories"][0].update(
    fashion={"stands_for": 5, "of": "x", "left_out": [None, {}], "categories": {}}))  # fmt: skip

# -- other tools ---------------------------------------------------------------------------------

IMAGE = {"id": 1, "file_name": "1.png", "width": 120, "height": 120}
a_file(TOOLS, "CVAT: a box category first, zero based names", lambda: {
    "licenses": [{"name": "", "id": 0, "url": ""}], "info": {"contributor": "", "year": "", "version": ""},
    "categories": [{"id": 1, "name": "box", "supercategory": ""},
                   {"id": 2, "name": "Shirt", "supercategory": "", "keypoints": list(SCHEMA.landmarks), "skeleton": [[1, 2]]}],
    "images": [{**IMAGE, "license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 2, "segmentation": [], "area": 0.0, "bbox": [0.0, 0.0, 0.0, 0.0],
                     "iscrowd": 0, "attributes": {"occluded": False, "track_id": 0, "keyframe": True}, "keypoints": [float(v) for v in FLAT],
                     "num_keypoints": 8}]})  # fmt: skip
a_file(TOOLS, "Roboflow: ids from 0, a supercategory of the same name", lambda: {
    "info": {"year": "2026", "version": "1", "description": "Exported from roboflow.com"},
    "licenses": [{"id": 1, "url": "", "name": "Unknown"}],
    "categories": [{"id": 0, "name": "Shirt", "supercategory": "none"},
                   {"id": 1, "name": "Shirt", "supercategory": "Shirt", "keypoints": list(SCHEMA.landmarks), "skeleton": [[1, 2]]}],
    "images": [{**IMAGE, "id": 0, "license": 1, "date_captured": "2026-11-30T00:00:00+00:00", "extra": {"name": "IMG_1.jpg"}}],
    "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [1, 1, 100, 100], "area": 10000, "segmentation": [], "iscrowd": 0,
                     "keypoints": FLAT}]}, "1 images, 1 garments")  # fmt: skip
a_file(TOOLS, "Label Studio: its own export", lambda: [
    {"id": 1, "data": {"img": "/data/upload/1.png"}, "annotations": [{"result": [{"type": "keypointlabels"}]}]}], refused=True)  # fmt: skip
a_file(TOOLS, "Label Studio: COCO without sizes", lambda: {
    "images": [{"id": 0, "file_name": "../../label-studio/data/media/upload/1/1.png"}], "categories": [{"id": 0, "name": "Shirt"}],
    "annotations": [{"id": 0, "image_id": 0, "category_id": 0, "segmentation": [], "bbox": [1.5, 2.5, 3, 4], "ignore": 0, "iscrowd": 0, "area": 12}],
    "info": {"contributor": "Label Studio", "date_created": "2026"}})  # fmt: skip
a_file(TOOLS, "VGG: its own export", lambda: {"1.png4711": {
    "filename": "1.png", "size": 4711, "regions": [{"shape_attributes": {"name": "point", "cx": 1, "cy": 2}}]}}, refused=True)  # fmt: skip
a_file(TOOLS, "labelme: its own file", lambda: {"version": "5.0", "flags": {}, "imagePath": "1.png", "shapes": [
    {"label": "a", "points": [[1, 2]], "shape_type": "point"}]}, refused=True)  # fmt: skip
a_file(TOOLS, "labelme2coco: file names of Windows, polygons", lambda: {
    "images": [{"height": 120, "width": 120, "id": 0, "file_name": "JPEGImages\\1.png"}],
    "categories": [{"supercategory": "shirt", "id": 0, "name": "shirt"}],
    "annotations": [{"segmentation": [[1, 1, 9, 1, 9, 9]], "iscrowd": 0, "area": 32.0, "image_id": 0, "bbox": [1, 1, 8, 8], "category_id": 0, "id": 0}]})  # fmt: skip
a_file(TOOLS, "FiftyOne: visibilities left out, scores", lambda: {
    "info": {"year": ""}, "licenses": [], "images": [{**IMAGE, "license": None}],
    "categories": [{"id": 0, "name": "Shirt", "supercategory": None, "keypoints": list(SCHEMA.landmarks)}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 0, "keypoints": [v for i, v in enumerate(FLAT) if i % 3 < 2], "num_keypoints": 8, "score": 0.5}]})  # fmt: skip
a_file(TOOLS, "sleap-io: skeletons from 0, text visibilities", lambda: {
    "images": [IMAGE], "categories": [{"id": 1, "name": "Shirt", "keypoints": list(SCHEMA.landmarks), "skeleton": [[0, 1], [1, 2]]}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": [float("nan"), float("nan"), 0, *FLAT[3:]], "num_keypoints": 7, "bbox": [float("nan")] * 4, "area": float("nan"), "iscrowd": 0}]})  # fmt: skip
a_file(TOOLS, "mmpose: a config's metainfo", lambda: {
    "info": {}, "images": [IMAGE], "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": FLAT, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0}],
    "categories": [{"id": 1, "name": "Shirt", "keypoints": [{"name": n, "id": i} for i, n in enumerate(SCHEMA.landmarks)], "skeleton": [{"link": [0, 1]}]}]}, refused=True)  # fmt: skip
a_file(TOOLS, "DeepFashion2: 294 landmarks, 13 categories", lambda: {
    "images": [IMAGE], "categories": [{"id": i + 1, "name": f"c{i}", "keypoints": [str(k) for k in range(1, 295)], "skeleton": []} for i in range(13)],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "keypoints": [5, 6, 2] * 3 + [0, 0, 0] * 291, "style": 0, "pair_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}]})  # fmt: skip
a_file(TOOLS, "DeepFashion2: one image's own file", lambda: {
    "source": "user", "pair_id": 1, "item1": {"category_id": 1, "landmarks": [1, 2, 2], "bounding_box": [1, 2, 3, 4], "segmentation": []}}, refused=True)  # fmt: skip
a_file(TOOLS, "Supervisely: its own project", lambda: {
    "classes": [{"title": "Shirt", "shape": "graph"}], "tags": [], "size": {"height": 1, "width": 1}, "objects": []}, refused=True)  # fmt: skip
a_file(TOOLS, "COCO's captions", lambda: {"info": {}, "images": [IMAGE], "licenses": [], "annotations": [
    {"id": 1, "image_id": 1, "caption": "A shirt."}]})  # fmt: skip
a_file(TOOLS, "COCO panoptic: segments, annotations without ids", lambda: {
    "images": [IMAGE], "categories": [{"id": 1, "name": "Shirt", "isthing": 1}],
    "annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": []}]}, refused=True)  # fmt: skip
a_file(TOOLS, "COCO persons: 17 landmarks from the nose on", lambda: {
    "images": [IMAGE], "categories": [{"id": 1, "name": "person", "keypoints": [f"k{i}" for i in range(17)], "skeleton": [[16, 14]]}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2] * 17, "num_keypoints": 17, "bbox": [1, 1, 9, 9], "iscrowd": 0, "area": 9}]})  # fmt: skip
a_file(TOOLS, "results without the images' list", lambda: [
    {"image_id": 1, "category_id": 1, "keypoints": FLAT, "score": 0.5}], refused=True)  # fmt: skip
