"""Hostile recipes, schemas, maps of categories, models and sets of them."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hostile.catalogue import Use, add, command, read

RECIPES = "recipes"
SCHEMAS = "schemas and maps of categories"
MODELS = "model files"

RECIPE = b'name = "x"\nseed = 1\n[[data.train]]\nfile = "a.json"\n'
SCHEMA = b'name = "s"\n[[landmark]]\nname = "left_a"\n'


def a_text(kind: str, reader: str, name: str, data: bytes | Callable[[Path], Any], *says: str,
           refused: bool = True, file: str = "x.toml") -> None:  # fmt: skip
    """Add a document that is read, and given to the command that reads it."""

    def make(folder: Path) -> Use:
        if callable(data):
            data(folder)
        else:
            (folder / file).write_bytes(data)
        return read(reader, file, *says, refused=refused)

    add("documents", kind, name, make)
    if reader == "recipe" and refused:

        def train(folder: Path) -> Use:
            make(folder)
            return command("train", file, "--run", "run", status=1, says=says)

        add("documents", kind, f"train with {name}", train)


GOOD = RECIPE
for _name, _data, _refused, *_says in (
    ("a recipe with a mark of UTF-8", codecs.BOM_UTF8 + GOOD, False),
    ("a recipe in UTF-16", codecs.BOM_UTF16_LE + GOOD.decode().encode("utf-16-le"), False),
    ("a recipe with CRLF", GOOD.replace(b"\n", b"\r\n"), False),
    ("an empty recipe", b"", True, "data"),
    ("a recipe of null characters", bytes(500), True),
    ("a recipe in Latin-1", 'name = "é"\n'.encode("latin-1") + GOOD, True, "UTF-8|utf-8"),
    ("a recipe that is JSON", b'{"name": "x"}', True, "TOML"),
    ("a recipe that is YAML", b"name: x\ndata:\n  - a\n", True, "TOML"),
    ("a recipe with a slip in a key", b"sede = 2\n" + GOOD.replace(b"seed = 1\n", b""), True, "seed"),
    ("a recipe with a key twice", b"seed = 2\n" + GOOD, True, "twice|overwrite|TOML"),
    ("a recipe with 1e400", GOOD + b"[optimiser]\nlr = 1e400\n", True, "lr"),
    ("a recipe with nan", GOOD + b"[optimiser]\nlr = nan\n", True, "lr"),
    ("a recipe with an integer of 5,000 digits", b"seed = " + b"9" * 5000 + b"\n", True),
    ("a recipe with a seed below 0", GOOD.replace(b"seed = 1", b"seed = -1"), True, "seed"),
    ("a recipe with true for a number", GOOD + b"[schedule]\nepochs = true\n", True, "epochs"),
    ("a recipe with a date for a number", GOOD + b"[schedule]\nepochs = 2026-11-30\n", True, "epochs"),
    ("a recipe with a batch of 10^12", GOOD + b"[schedule]\nbatch = 1000000000000\n", True, "batch"),
    ("a recipe with an input size of 10^9", b"inference.input_size = 1000000000\n" + GOOD, True, "inference.input_size"),
    ("a recipe with a key of before", b"mirror = true\n" + GOOD, True, "inference.flip_tta"),
    ("a recipe nested 5,000 deep", b"a = " + b"[" * 5000 + b"]" * 5000, True),
    ("a recipe with a key of 5,000 parts", b".".join([b"a"] * 5000) + b" = 1\n", True),
    ("a recipe of 2 MB", b"# " + b"x" * (2 << 20) + b"\n" + GOOD, True),
    ("a recipe named by a path", GOOD.replace(b'"x"', b'"../../etc/x"'), True, "name"),
    ("a recipe whose name is an option", GOOD.replace(b'"x"', b'"a\\u0000b"'), True, "name"),
    ("a recipe without sources", b"[data]\ntrain = []\n", True, "train"),
    ("a recipe with a source that is a text", b'[data]\ntrain = ["a.json"]\n', True, "train"),
    ("a recipe with an escape in a key", b'"\\u001b[2J" = 1\n' + GOOD, True),
    ("a recipe with a key of 100,000 letters", b"k" * 100_000 + b" = 1\n" + GOOD, True),
    ("a recipe of 5,000 unknown keys", b"".join(b"k%d = 1\n" % i for i in range(5000)) + GOOD, True),
):  # fmt: skip
    a_text(RECIPES, "recipe", _name, _data, *_says, refused=_refused)  # type: ignore[arg-type]

a_text(RECIPES, "recipe", "a recipe that is a folder", lambda f: (f / "x.toml").mkdir())
a_text(RECIPES, "recipe", "a recipe that is not there", lambda f: None)
a_text(RECIPES, "recipe", "a recipe that is a pipe", lambda f: os.mkfifo(f / "x.toml"), "pipe")
a_text(
    RECIPES,
    "recipe",
    "a recipe that is a loop of links",
    lambda f: (f / "x.toml").symlink_to("x.toml"),
)
a_text(
    RECIPES,
    "recipe",
    "a recipe that is a device",
    lambda f: (f / "x.toml").symlink_to("/dev/zero"),
    "device",
)


def trained(name: str, text: str, *says: str, files: dict[str, bytes] | None = None) -> None:
    """Add a recipe that is right as a text and impossible to begin with."""

    def make(folder: Path) -> Use:
        (folder / "x.toml").write_text(text)
        for file, data in (files or {}).items():
            (folder / file).write_bytes(data)
        return command("train", "x.toml", "--run", "run", "--device", "cpu", status=1, says=says,
                       never=("KeyError", "ValueError"))  # fmt: skip

    add("documents", RECIPES, name, make)


SOURCE = '[[data.train]]\nfile = "a.json"\n'
trained("a source that is not there", SOURCE, "a.json")
trained("a source that is a folder", '[[data.train]]\nfile = "."\n')
trained(
    "a source of photos that there is not", '[[data.train]]\nfile = "photos:nothing"\n', "photos"
)
trained(
    "a source of samples without a number", '[[data.train]]\nfile = "samples:many"\n', "samples"
)
trained("a source of 10^12 samples", '[[data.train]]\nfile = "samples:1000000000000"\n', "samples")
trained("a source with a null character", '[[data.train]]\nfile = "a\\u0000.json"\n')
trained("a start that is not there", 'start_from = "none.json"\n' + SOURCE)
trained("a recipe that starts from itself", 'start_from = "x.toml"\n' + SOURCE)
trained("two recipes that start from each other", 'start_from = "y.toml"\n' + SOURCE,
        files={"y.toml": b'start_from = "x.toml"\n' + SOURCE.encode()})  # fmt: skip
trained("a schema that is not there", 'schema = "none.toml"\n' + SOURCE, "none|a.json")
trained("a schema that is no name", 'schema = "../../etc/passwd"\n' + SOURCE)
trained("pretrained weights that are a pickle", 'pretrained = "w.pt"\n' + SOURCE,
        files={"w.pt": pickle.dumps({"a": 1})})  # fmt: skip
trained("a source of no images", SOURCE, "nothing to learn|no image|No source|keypoints", files={"a.json": json.dumps(
    {"images": [], "annotations": [], "categories": []}).encode()})  # fmt: skip

# -- schemas and maps ----------------------------------------------------------------------------

for _name, _data, *_says in (
    ("an empty schema", b""),
    ("a schema of one unknown key", b"x = 1\n"),
    ("a schema without names", b"[[landmarks]]\nx = 1\n"),
    ("a schema with landmarks as a text", b'name = "s"\nlandmarks = "a,b"\n'),
    ("a schema with a landmark twice", b'name = "s"\nlandmarks = ["a", "a"]\ncategories = ["c"]\n'),
    ("a schema nested 5,000 deep", b"a = " + b"[" * 5000 + b"]" * 5000),
    ("a schema of numbers", b"name = 5\nlandmarks = [1, 2]\ncategories = [3]\n"),
    ("a schema of dates and nan", b"name = 2026-11-30\nsigmas = [nan, inf]\n"),
    ("a schema that is binary", bytes(range(256)) * 9),
):  # fmt: skip
    a_text(SCHEMAS, "schema", _name, _data, *_says)
a_text(SCHEMAS, "schema", "a schema that is a pipe", lambda f: os.mkfifo(f / "x.toml"))

for _name, _data, *_says in (
    ("an empty map", b""),
    ("a map without its table", b'"T-Shirt" = "tops"\n', "categories"),
    ("a map of numbers", b"[categories]\nShirt = 5\n", "Shirt"),
    ("a map of lists of what is no name", b'[categories]\nShirt = ["a", 5]\n', "Shirt"),
    ("a map of empty lists", b"[categories]\nShirt = []\n", "Shirt"),
    ("a map of a list", b'categories = ["Shirt"]\n', "categories"),
    ("a map with a key twice", b'[categories]\nShirt = "a"\nShirt = "b"\n'),
    ("a map of 3 MB", b"[categories]\n" + b'"' + b"x" * (3 << 20) + b'" = "a"\n'),
    ("a map in Latin-1", '[categories]\n"é" = "a"\n'.encode("latin-1")),
):  # fmt: skip
    a_text(SCHEMAS, "map", _name, _data, *_says)

# -- models --------------------------------------------------------------------------------------


def a_model(name: str, change: Callable[[dict[str, Any], bytes], tuple[Any, bytes]], *says: str,
            digest: bool = True, refused: bool = True) -> None:  # fmt: skip
    """Add the tiny model with its description or weights changed; the digest fits, where asked."""

    def make(folder: Path) -> Use:
        made = folder.parent.parent.parent / "m"
        described = json.loads(made.with_suffix(".json").read_text())
        described, weights = change(described, made.with_suffix(".safetensors").read_bytes())
        if isinstance(described, dict) and digest:
            described["weights_sha256"] = hashlib.sha256(weights).hexdigest()
        data = described if isinstance(described, bytes) else json.dumps(described).encode()
        (folder / "x.json").write_bytes(data)
        (folder / "x.safetensors").write_bytes(weights)
        return read("model", "x.json", *says, refused=refused)

    add("documents", MODELS, name, make)


def header(weights: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    n = int.from_bytes(weights[:8], "little")
    found = json.loads(weights[8 : 8 + n])
    changed = change(found)
    data = changed if isinstance(changed, bytes) else json.dumps(found).encode()
    return len(data).to_bytes(8, "little") + data + weights[8 + n :]


def _first(found: dict[str, Any]) -> dict[str, Any]:
    return next(v for k, v in found.items() if k != "__metadata__")


def _nan(weights: bytes) -> bytes:
    n = 8 + int.from_bytes(weights[:8], "little")
    return weights[:n] + struct.pack("<f", float("nan")) * ((len(weights) - n) // 4)


a_model("a model as it is", lambda d, w: (d, w), refused=False)
a_model("weights that are a pickle", lambda d, w: (d, pickle.dumps({"a": np.zeros(3)})), "pickled")
a_model("weights that are empty", lambda d, w: (d, b""))
a_model("weights cut in the middle", lambda d, w: (d, w[: len(w) // 2]))
a_model("weights with more behind them", lambda d, w: (d, w + bytes(100)))
a_model(
    "weights of another model", lambda d, w: (d, _nan(w)), "other weights|not finite", digest=False
)
a_model("weights of NaN", lambda d, w: (d, _nan(w)), "not finite")
a_model("a header of 2^63 bytes", lambda d, w: (d, (2**63 - 1).to_bytes(8, "little") + w[8:]))
a_model("a header that is a list", lambda d, w: (d, header(w, lambda h: b"[1, 2, 3]")))
a_model(
    "a header of nested lists", lambda d, w: (d, header(w, lambda h: b'{"a":' + b"[" * 100_000))
)
a_model(
    "a tensor of 10^18 numbers",
    lambda d, w: (d, header(w, lambda h: _first(h).update(shape=[10**9, 10**9]))),
)
a_model(
    "a tensor of a negative shape",
    lambda d, w: (d, header(w, lambda h: _first(h).update(shape=[-1, -5]))),
)
a_model("tensors that lie on each other", lambda d, w: (d, header(w, lambda h: [
    v.update(data_offsets=[0, v["data_offsets"][1] - v["data_offsets"][0]]) for k, v in h.items() if k != "__metadata__"] and None)))  # fmt: skip
a_model(
    "a tensor of an unknown kind",
    lambda d, w: (d, header(w, lambda h: _first(h).update(dtype="C128"))),
)
a_model(
    "a tensor that is missing", lambda d, w: (d, header(w, lambda h: h.pop(next(iter(h))) and None))
)
a_model("a description that is empty", lambda d, w: (b"", w), "empty")
a_model(
    "a description of another program",
    lambda d, w: ({"model_type": "bert"}, w),
    "not a napari-fashion model",
)
a_model("a description of version 99", lambda d, w: ({**d, "version": 99}, w), "version")
a_model("a description of version '1'", lambda d, w: ({**d, "version": "1"}, w), "version")
a_model(
    "a network of a million channels",
    lambda d, w: ({**d, "network": {**d["network"], "width": 10**6}}, w),
)
a_model(
    "a network of 10^9 blocks",
    lambda d, w: ({**d, "network": {**d["network"], "blocks": 10**9}}, w),
)
a_model(
    "a network of an unknown backbone",
    lambda d, w: ({**d, "network": {**d["network"], "backbone": "__import__('os')"}}, w),
    "backbone",
)
a_model("a schema of another model", lambda d, w: ({**d, "schema": {**d["schema"], "name": 5}}, w))
a_model(
    "a description without a schema",
    lambda d, w: ({k: v for k, v in d.items() if k != "schema"}, w),
    "schema",
)
a_model(
    "a description with NaN",
    lambda d, w: (json.dumps(d).replace('"input_size": 64', '"input_size": NaN').encode(), w),
)
a_model("a description nested 100,000 deep", lambda d, w: (b'{"format":' + b"[" * 100_000, w))
a_model(
    "an input size of 2^40",
    lambda d, w: ({**d, "inference": {**d["inference"], "input_size": 2**40}}, w),
    "inference.input_size",
)
a_model(
    "a mean colour of text",
    lambda d, w: (
        {
            **d,
            "inference": {
                "decoder": {"pif_threshold": "high"},
                "refinement": 5,
                "multi_scale": "x",
            },
        },
        w,
    ),
)


def _inference(**changes: Any) -> Callable[[dict[str, Any], bytes], tuple[Any, bytes]]:
    return lambda d, w: ({**d, "inference": {**d["inference"], **changes}}, w)


def _schema(**changes: Any) -> Callable[[dict[str, Any], bytes], tuple[Any, bytes]]:
    return lambda d, w: ({**d, "schema": {**d["schema"], **changes}}, w)


a_model("an input size of 10^9", _inference(input_size=10**9), "inference.input_size")
a_model("2,000 sizes", _inference(multi_scale=[64] * 2000), "multi_scale.*16 items or fewer")
a_model("sizes of 10^9", _inference(multi_scale=[64, 10**9]), "multi_scale")
a_model(
    "a redetection size of 10^9", _inference(refinement={"redetect_size": 10**9}), "redetect_size"
)
a_model("a crop aspect of text", _inference(crop_aspect="wide"), "crop_aspect")
a_model(
    "a network of 10^6 blocks",
    lambda d, w: ({**d, "network": {**d["network"], "blocks": 10**6}}, w),
    "network.blocks",
)
a_model(
    "a network that upsamples 10^6 times",
    lambda d, w: ({**d, "network": {**d["network"], "upsample": 10**6}}, w),
    "network.upsample",
)
a_model(
    "a backbone that a library does not know",
    lambda d, w: ({**d, "network": {**d["network"], "backbone": "torchvision:os.system"}}, w),
    "torchvision:os.system",
)
a_model(
    "a backbone of 645 million parameters",
    lambda d, w: ({**d, "network": {**d["network"], "backbone": "torchvision:regnet_y_128gf"}}, w),
    "644,812,894",
)
a_model(
    "10^6 categories",
    _schema(categories=[{"name": str(i), "body_types": ["upper"]} for i in range(10**6)]),
    "at most 4,000,000",
)
a_model(
    "100,000 categories",
    _schema(categories=[{"name": str(i), "body_types": ["upper"]} for i in range(10**5)]),
    "100,000 categories",
)
a_model(
    "10,000 landmarks",
    _schema(landmarks=[{"name": str(i), "sigma": 0.1} for i in range(10**4)]),
    "landmark",
)
a_model(
    "9,000 categories at 4,096 pixels",
    lambda d, w: (
        {
            **d,
            "schema": {
                **d["schema"],
                "categories": [{"name": str(i), "body_types": ["upper"]} for i in range(9000)],
            },
            "inference": {**d["inference"], "input_size": 4096},
        },
        w,
    ),
    "GiB",
)
a_model("a recipe that is a list", lambda d, w: ({**d, "recipe": []}, w), "recipe: found")
a_model(
    "heads of another layout", lambda d, w: ({**d, "heads": d["heads"][:2]}, w), "heads: found 2"
)
a_model("heads that are a number", lambda d, w: ({**d, "heads": 5}, w), "heads")
a_model(
    "a description of weights in ONNX alone", lambda d, w: ({**d, "weights": "onnx"}, w), "x.onnx"
)


def an_export(name: str, data: bytes, *says: str) -> None:
    """Add a file that is described as an exported model."""

    def make(folder: Path) -> Use:
        made = folder.parent.parent.parent / "m"
        described = json.loads(made.with_suffix(".json").read_text())
        described |= {"weights": "onnx", "weights_sha256": hashlib.sha256(data).hexdigest()}
        (folder / "x.json").write_text(json.dumps(described))
        (folder / "x.onnx").write_bytes(data)
        return read("model", "x.onnx", *says)

    add("documents", MODELS, name, make)


an_export("an exported model that is empty", b"", "x.onnx|onnx")
an_export("an exported model that is a pickle", pickle.dumps({"a": 1}), "x.onnx|onnx")
an_export("an exported model of null characters", bytes(100_000), "x.onnx|onnx")


def _only(file: str, data: bytes) -> Callable[[Path], Use]:
    def make(folder: Path) -> Use:
        (folder / file).write_bytes(data)
        return read("model", file)

    return make


def _torch_zip(folder: Path) -> Use:
    with zipfile.ZipFile(folder / "x.pt", "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"a": 1}))
    return read("model", "x.pt", "pickle")


add("documents", MODELS, "a checkpoint of torch", _torch_zip)
add(
    "documents",
    MODELS,
    "a description alone",
    _only("x.json", b'{"format": "napari-fashion model"}'),
)
add("documents", MODELS, "weights alone", _only("x.safetensors", b"\2\0\0\0\0\0\0\0{}"))
add("documents", MODELS, "a model of another program", _only("x.onnx", b"\x08\x07\x12"))

# -- model sets ----------------------------------------------------------------------------------

SETS = "model sets"
ONE = "../../../m"  # the tiny model, from an input's folder
MEMBERS = [{"model": ONE, "body_types": ["upper"]}, {"model": ONE, "body_types": ["lower"]}]
SET = {
    "format": "napari-fashion model set",
    "version": 1,
    "name": "x",
    "schema": "garments",
    "members": MEMBERS,
}


def a_set(name: str, document: bytes | dict[str, Any], *says: str, refused: bool = True,
          beside: Callable[[Path], Any] = lambda folder: None) -> None:  # fmt: skip
    """Add a model set's file that is read, and given to a command."""

    def write(folder: Path) -> None:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        (folder / "x.json").write_bytes(data)
        beside(folder)

    def make(folder: Path) -> Use:
        write(folder)
        return read("model", "x.json", *says, refused=refused)

    def evaluate(folder: Path) -> Use:
        write(folder)
        return command("evaluate", "samples:1:1", "--model", "x.json", status=1, says=says)

    add("documents", SETS, name, make)
    if refused:
        add("documents", SETS, f"evaluate with {name}", evaluate)


def member(**changes: Any) -> dict[str, Any]:
    return {**SET, "members": [{**MEMBERS[0], **changes}, MEMBERS[1]]}


a_set("a set of one model twice", SET, refused=False)
for _name, _document, *_says in (
    ("a set of itself", member(model="x.json"), "a set of models"),
    ("a set of a set of it", member(model="y.json"), "a set of models"),
    ("a set of no members", {**SET, "members": []}, "2 or more"),
    ("a set of members that are a text", {**SET, "members": ONE}, "a list"),
    ("a set of 100,000 members", {**SET, "members": [MEMBERS[0]] * 100_000}, "32 items or fewer"),
    ("a set of a model at an absolute path", member(model="/etc/passwd"), "relative to the file"),
    ("a set of a model on a drive", member(model="C:\\m"), "relative to the file"),
    ("a set of a model at an address", member(model="https://example.org/m.json"), "no model there"),
    ("a set of a model with a null character", member(model="a\0b"), "relative to the file"),
    ("a set of a model with an escape", member(model="\x1b[2Jm"), "no model there"),
    ("a set of a model of 5,000 letters", member(model="m" * 5000), "letters or fewer"),
    ("a set of a model of 1,000 folders", member(model="../" * 1000 + "m"), "no model there"),
    ("a set of a pickle", member(model="w.pt"), "pickle"),
    ("a set of a pipe", member(model="p.json"), "no model there"),
    ("a set of a device", member(model="d.json"), "no model there"),
    ("a set of a body type of 4,000 letters", member(body_types=["b" * 4000]), "body type"),
    ("a set of a body type twice", member(body_types=["lower"]), "one for each body type"),
    ("a set of no body type", member(body_types=[]), "1 or more"),
    ("a set of a schema that is not there", {**SET, "schema": "../../etc/passwd"}, "schema"),
    ("a set of a schema that is no schema", {**SET, "schema": {"name": 5}}, "is malformed"),
    ("a set of a schema that lacks landmarks", {**SET, "schema": "deepfashion2-trousers"}, "body type"),
    ("a set with a scale of 10^9", member(calibration={"scale": 1e9}), "scale"),
    ("a set with true for a scale", member(calibration={"scale": True}), "scale"),
    ("a set with a calibration of another kind", member(calibration={"slope": 1}), "not a known key"),
    ("a set whose name is a number", {**SET, "name": 5}, "name"),
    ("a set of version 99", {**SET, "version": 99}, "version 99"),
    ("a set with infinity", json.dumps(member(calibration={"scale": float("inf")})).encode(), "finite"),
    ("a set nested 5,000 deep", b'{"format": "napari-fashion model set", "members": ' + b"[" * 5000),
    ("a set cut in the middle", json.dumps(SET).encode()[:90], "JSON"),
):  # fmt: skip

    def _beside(folder: Path) -> None:
        (folder / "y.json").write_text(json.dumps(member(model="x.json")))
        (folder / "w.pt").write_bytes(pickle.dumps({"a": 1}))
        os.mkfifo(folder / "p.json")
        (folder / "d.json").symlink_to("/dev/zero")

    a_set(_name, _document, *_says, beside=_beside)  # type: ignore[arg-type]
