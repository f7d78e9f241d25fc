"""COCO files in the layouts that programs write, made from a seed; for tests of the round trip."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

NAMES = ["left_collar", "right_collar", "left_hem", "right_hem"]


class _Number(float):
    """A number whose text is kept by `json.dumps`."""

    def __new__(cls, text: str) -> _Number:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text


def document(rng: random.Random, *, n: int | None = None) -> dict[str, Any]:
    """Return a random document: odd ids, orders, fields, texts and numbers."""
    n = rng.randint(0, 6) if n is None else n
    as_text = rng.random() < 0.15
    ids = rng.sample(range(1, 4 * n + 2), n)
    image_ids: list[Any] = [f"img-{i}" if as_text else i for i in ids]
    images = [
        _shuffled(
            rng,
            {"id": key, "file_name": f"{rng.choice(TEXTS)}{key}.jpg", "width": 640, "height": 480},
        )
        for key in image_ids
    ]
    m = rng.randint(0, 2 * n) if n else 0
    annotations = []
    for key in rng.sample(range(1, 5 * m + 2), m):
        record: dict[str, Any] = {
            "id": key,
            "image_id": rng.choice(image_ids) if rng.random() < 0.95 else "gone",
            "category_id": rng.choice([1, 2, 2]),
            "keypoints": [
                v for _ in NAMES for v in (_number(rng), _number(rng), rng.choice([0, 1, 2]))
            ],
            "bbox": [_number(rng) for _ in range(4)],
            "iscrowd": rng.choice([0, 0, 1]),
        }
        if rng.random() < 0.3:
            record["x-extra"] = _value(rng, 2)
        if rng.random() < 0.2:
            record["fashion"] = {"source": "model:a", "score": 0.5, "x": _value(rng, 1)}
        if rng.random() < 0.1:
            del record["keypoints"]
        annotations.append(_shuffled(rng, record))
    tables = {
        "info": {"description": rng.choice(TEXTS), "n": _number(rng)},
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": i, "name": name, "keypoints": NAMES, "skeleton": [[1, 2]]}
            for i, name in enumerate(("Top", "Dress"), 1)
        ],
        "x-top": _value(rng, 2),
    }
    if rng.random() < 0.2:
        del tables["info"]
    if not annotations and rng.random() < 0.5:
        del tables["annotations"]
    return _shuffled(rng, tables)


TEXTS = [
    "a",
    "Röcke/",
    "一/",
    "\u2028",
    'q"uo\\te',
    "\U0001f457",
    "tab\t",
    "",
    "a/b",
    "\x7f",
    "{[,]}",
]


def _number(rng: random.Random) -> Any:
    texts = ["1.10", "1e5", "-0", "-0.0", "12345678901234567890", "0.1000000000000000055", "3E+2"]
    kinds: list[Callable[[], Any]] = [
        lambda: rng.randint(0, 640),
        lambda: round(rng.uniform(0, 640), 2),
        lambda: rng.uniform(-9, 640),
        lambda: _Number(rng.choice(texts)),
    ]
    return rng.choice(kinds)()


def _value(rng: random.Random, depth: int) -> Any:
    kind = rng.randint(0, 7 if depth else 4)
    if kind < 2:
        return rng.choice(TEXTS)
    if kind < 4:
        return rng.choice([None, True, False, _number(rng)])
    if kind == 4:
        return rng.choice([[], {}])
    if kind < 6:
        return [_value(rng, depth - 1) for _ in range(rng.randint(1, 3))]
    return {rng.choice(TEXTS) + str(i): _value(rng, depth - 1) for i in range(rng.randint(1, 3))}


def _shuffled(rng: random.Random, record: dict[str, Any]) -> dict[str, Any]:
    keys = list(record)
    if rng.random() < 0.3:
        rng.shuffle(keys)
    return {key: record[key] for key in keys}


def _encoder(**options: Any) -> Callable[[Any], str]:
    class Encoder(json.JSONEncoder):
        def iterencode(self, o: Any, _one_shot: bool = False) -> Any:
            # The C encoder writes float.__repr__; the plain one can be told otherwise.
            markers: dict[int, Any] = {}
            escape = (
                json.encoder.encode_basestring_ascii
                if self.ensure_ascii
                else json.encoder.encode_basestring
            )
            return json.encoder._make_iterencode(
                markers, self.default, escape, self.indent, repr, self.key_separator,
                self.item_separator, False, False, False,
            )(o, 0)  # fmt: skip

    return lambda value: "".join(Encoder(**options).iterencode(value))


plain = _encoder()
compact = _encoder(separators=(",", ":"), ensure_ascii=False)


def _record_a_line(value: dict[str, Any], inner: Callable[[Any], str], gap: str) -> str:
    parts = []
    for key, item in value.items():
        if isinstance(item, list) and item and isinstance(item[0], dict):
            rows = f",{gap}".join(inner(row) for row in item)
            parts.append(f"{inner(key)}: [{gap}{rows}{gap}]")
        else:
            parts.append(f"{inner(key)}: {inner(item)}")
    return "{" + gap + f",{gap}".join(parts) + gap + "}"


def _lists_inline(value: dict[str, Any]) -> str:
    """Indented, but every list without objects in it stands on one line."""

    def write(item: Any, margin: str) -> str:
        if isinstance(item, dict) and item:
            inner = margin + "  "
            rows = [f"{plain(k)}: {write(v, inner)}" for k, v in item.items()]
            return "{\n" + inner + f",\n{inner}".join(rows) + f"\n{margin}" + "}"
        if isinstance(item, list) and any(isinstance(v, dict) for v in item):
            inner = margin + "  "
            return (
                "[\n" + inner + f",\n{inner}".join(write(v, inner) for v in item) + f"\n{margin}]"
            )
        return plain(item)

    return write(value, "")


def _upper(text: str) -> str:
    """Escapes with capitals, and every slash escaped, as some encoders write them."""
    import re

    text = re.sub(r"(?<!\\)((?:\\\\)*\\u)([0-9a-f]{4})", lambda m: m[1] + m[2].upper(), text)
    return text.replace("/", "\\/")


LAYOUTS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "plain": lambda d: plain(d).encode(),
    "compact": lambda d: compact(d).encode(),
    "indent 1": lambda d: _encoder(indent=1)(d).encode() + b"\n",
    "indent 4 utf-8": lambda d: _encoder(indent=4, ensure_ascii=False)(d).encode() + b"\n\n",
    "tabs": lambda d: _encoder(indent="\t")(d).encode(),
    "crlf": lambda d: _encoder(indent=2)(d).replace("\n", "\r\n").encode() + b"\r\n",
    "record a line": lambda d: _record_a_line(d, plain, "\n").encode() + b"\n",
    "record a line, compact": lambda d: _record_a_line(d, compact, "\r\n").encode(),
    "lists inline": lambda d: _lists_inline(d).encode() + b"\n",
    "capital escapes": lambda d: _upper(plain(d)).encode(),
    "byte order mark": lambda d: b"\xef\xbb\xbf" + _encoder(indent=2)(d).encode() + b"\n",
    "utf-16": lambda d: b"\xff\xfe" + compact(d).encode("utf-16-le"),
}
"""How the bytes of a document are written, by name."""
