"""Hostile ways to call commands: outputs, lists, streams, signals and surroundings."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drawn import tiny_recipe
from hostile.catalogue import Use, add, command, process
from hostile.images import good
from small import small_document

INPUTS = "outputs that are inputs"
PLACES = "places that cannot be written"
LISTS = "lists on standard input"
WORDS = "arguments"
STREAMS = "streams and signals"
AROUND = "surroundings"
RESUMED = "what an interrupted prediction left"
TRAINED = "what an interrupted training left"

FAST = ("--single-instance", "--force-complete", "--model", "MODEL", "--device", "cpu")
NEVER = ("inputs are never written over", "which is the input")


def an_input(kind: str, name: str, make: Callable[[Path], Use]) -> None:
    """Add a call; its folder has a COCO file a.json with three images, and a folder of one."""

    def made(folder: Path) -> Use:
        for i in (1, 2, 3):
            good(folder, f"{i}.png")
        document = small_document()
        for image in document["images"]:
            image.update(width=40, height=48)
        (folder / "a.json").write_text(json.dumps(document))
        good(folder / "photos", "p.png")
        return make(folder)

    add("commands", kind, name, made)


def call(kind: str, name: str, *arguments: Any, before: Callable[[Path], Any] = lambda f: None,
         **right: Any) -> None:  # fmt: skip
    """Add a call in this process."""

    def make(folder: Path) -> Use:
        before(folder)
        return command(*(str(a).replace("FOLDER", str(folder)) for a in arguments), **right)

    an_input(kind, name, make)


def run(kind: str, name: str, *arguments: Any, before: Callable[[Path], Any] = lambda f: None,
        **right: Any) -> None:  # fmt: skip
    """Add a call in a process of its own."""

    def make(folder: Path) -> Use:
        before(folder)
        return process(*(str(a).replace("FOLDER", str(folder)) for a in arguments), **right)

    an_input(kind, name, make)


# -- outputs that are inputs ---------------------------------------------------------------------


def refused(name: str, *arguments: Any, before: Callable[[Path], Any] = lambda f: None,
            says: tuple[str, ...] = ("input",)) -> None:  # fmt: skip
    call(INPUTS, name, *arguments, "--overwrite", before=before, status=1, says=says)


refused("evaluate into its input", "evaluate", "a.json", "--json", "a.json", "--model", "MODEL")
refused(
    "evaluate into its input by another spelling",
    "evaluate",
    "a.json",
    "--json",
    "photos/../a.json",
    "--model",
    "MODEL",
)
refused("predict into its input", "predict", "a.json", "--out", "a.json", *FAST)
refused("predict into its input by a link", "predict", "a.json", "--out", "b.json", *FAST,
        before=lambda f: (f / "b.json").symlink_to("a.json"))  # fmt: skip
refused("predict into its input by a hard link", "predict", "a.json", "--out", "b.json", *FAST,
        before=lambda f: os.link(f / "a.json", f / "b.json"))  # fmt: skip
refused("predict from a link into what it leads to", "predict", "b.json", "--out", "a.json", *FAST,
        before=lambda f: (f / "b.json").symlink_to("a.json"))  # fmt: skip
refused(
    "predict into its input by an absolute name",
    "predict",
    "a.json",
    "--out",
    "FOLDER/./a.json",
    *FAST,
)
refused("predict into its input by a linked folder", "predict", "a.json", "--annotations", "there/a.json", *FAST,
        before=lambda f: (f / "there").symlink_to("."))  # fmt: skip
refused("predict into an image", "predict", "1.png", "--out", "1.png", *FAST, says=(".json",))
refused("predict into an image called .json", "predict", "2.json", "--out", "2.json", *FAST,
        before=lambda f: (f / "1.png").rename(f / "2.json"), says=("input",))  # fmt: skip
refused("predict into its map of categories", "predict", "a.json", "--categories", "m.json", "--out", "m.json", *FAST,
        before=lambda f: (f / "m.json").write_text("{}"), says=("input|toml",))  # fmt: skip
refused("predict over the partial file that is its input", "predict", "r.json.partial", "--out", "r.json", *FAST,
        before=lambda f: (f / "1.png").rename(f / "r.json.partial"))  # fmt: skip
refused("predict whose drawings go over images", "predict", "photos", "--out", "r.json", "--overlays", "photos", *FAST,
        before=lambda f: good(f / "photos", "p.png.png"))  # fmt: skip
refused(
    "pseudo-label into its input", "pseudo-label", "a.json", "--out", "a.json", "--model", "MODEL"
)
refused("apply into its input", "apply", "a.json", "e.jsonl", "--out", "a.json",
        before=lambda f: (f / "e.jsonl").write_text("x"))  # fmt: skip
refused("apply into its edits", "apply", "a.json", "e.json", "--out", "e.json",
        before=lambda f: (f / "e.json").write_text("x"))  # fmt: skip
refused("convert into its input", "convert", "coco", "a.json", "--out", ".")
refused("convert into its input by a hard link", "convert", "coco", "b.json", "--out", "there",
        before=lambda f: ((f / "there").mkdir(), os.link(f / "a.json", f / "there" / "b.json"),
                          os.link(f / "a.json", f / "b.json")))  # fmt: skip
refused("convert a folder of files into itself by a link", "convert", "coco", ".", "--out", "there",
        before=lambda f: (f / "there").symlink_to("."))  # fmt: skip
refused("init a schema into its input", "init", "schema", "a.toml", "--out", "a.toml",
        before=lambda f: (f / "a.json").rename(f / "a.toml"))  # fmt: skip
refused("an output that is the list of the images of another", "predict", "photos", "--out", "r.json", "--annotations",
        "r.images.json", *FAST, says=("name the same file",))  # fmt: skip
refused("two outputs of one name", "predict", "photos", "--out", "r.json", "--annotations", "./r.json", *FAST,
        says=("name the same file",))  # fmt: skip
refused("an output in the annotator's folder", "predict", "photos", "--out", ".a.json.fashion/r.json", *FAST,
        says=("annotator",))  # fmt: skip
call(INPUTS, "train into a folder with a model", "train", "x.toml", "--run", "run", status=1, says=("model|run",),
     before=lambda f: ((f / "x.toml").write_text('[[data.train]]\nfile = "a.json"\n'), (f / "run").mkdir(),
                       (f / "run" / "model.json").write_text("{}")))  # fmt: skip
call(INPUTS, "an existing file without --overwrite", "predict", "photos", "--out", "r.json", *FAST, status=1,
     says=("exists", "--overwrite"), before=lambda f: (f / "r.json").write_text("mine"))  # fmt: skip
call(INPUTS, "an existing list of images without --overwrite", "predict", "photos", "--out", "r.json", *FAST, status=1,
     says=("exists", "--overwrite"), before=lambda f: (f / "r.images.json").write_text("mine"))  # fmt: skip
call(INPUTS, "an existing drawing without --overwrite", "predict", "photos", "--out", "r.json", "--overlays", "d", *FAST,
     status=1, says=("exists", "--overwrite"), before=lambda f: good(f / "d", "p.png.png"))  # fmt: skip
call(INPUTS, "a link to nothing as output", "predict", "photos", "--out", "r.json", *FAST, status=1,
     says=("exists",), before=lambda f: (f / "r.json").symlink_to("gone.json"))  # fmt: skip

# -- places --------------------------------------------------------------------------------------


def nowhere(name: str, out: str, *says: str, before: Callable[[Path], Any] = lambda f: None,
            more: tuple[str, ...] = ()) -> None:  # fmt: skip
    """Add an output that cannot be written: found out before the model is loaded."""
    call(PLACES, name, "predict", "photos", "--out", out, *more, "--model", "there-is-no-such-model",
         before=before, status=1, says=says, never=("there-is-no-such-model",))  # fmt: skip


nowhere("an output in a file", "a.json/r.json", "a.json")
nowhere("an output in the processes' folder", "/proc/r.json", "/proc")
nowhere(
    "an output that is a folder",
    "photos.json",
    "folder",
    before=lambda f: (f / "photos.json").mkdir(),
)
nowhere("an output of 300 letters", "r" * 300 + ".json", "cannot be written")
nowhere(
    "an output of a loop of links",
    "x.json",
    "exists|link|loop|written",
    before=lambda f: (f / "x.json").symlink_to("x.json"),
)
nowhere(
    "an output in a loop of links",
    "x/r.json",
    "x/r.json",
    before=lambda f: (f / "x").symlink_to("x"),
)
nowhere("an output called .jpg", "r.jpg", ".json")
nowhere("an output without an ending", "r", ".json")
nowhere(
    "an output that is a pipe",
    "r.json",
    "pipe|regular|exists",
    before=lambda f: os.mkfifo(f / "r.json"),
    more=("--overwrite",),
)
nowhere(
    "an output that is a device",
    "r.json",
    "device|regular|exists",
    before=lambda f: (f / "r.json").symlink_to("/dev/full"),
    more=("--overwrite",),
)
nowhere("an output that is read-only, to be overwritten", "r.json", "read-only",
        before=lambda f: ((f / "r.json").write_text("mine"), (f / "r.json").chmod(0o444)), more=("--overwrite",))  # fmt: skip
nowhere("drawings in a file", "r.json", "a.json", more=("--overlays", "a.json"))
nowhere("drawings below a file", "r.json", "a.json", more=("--overlays", "a.json/drawn"))
call(PLACES, "nothing is left of a folder that was made for nothing", "predict", "photos", "--out", "new/deep/r.json",
     "--model", "there-is-no-such-model", status=1, says=("there-is-no-such-model",))  # fmt: skip
call(PLACES, "an output in folders that are made", "predict", "photos", "--out", "new/deep/r.json", *FAST,
     makes=("new", "new/deep", "new/deep/r.json", "new/deep/r.images.json"))  # fmt: skip
call(PLACES, "an output with odd letters", "predict", "photos", "--out", "\u202e[b]%s{}\n衣.json", *FAST,
     makes=("*衣.json", "*衣.images.json"))  # fmt: skip

# -- lists ---------------------------------------------------------------------------------------


def a_list(
    name: str, stdin: bytes, found: int, *says: str, before: Callable[[Path], Any] = lambda f: None
) -> None:
    made = ("r.json", "r.images.json") if found else ()
    told = (f"{found} garments? in {found} images?,",) if found else ()
    call(LISTS, name, "predict", "-", "--out", "r.json", *FAST, stdin=stdin, before=before,
         status=0 if found else 1, says=(*says, *told), makes=made)  # fmt: skip


a_list("an empty list", b"", 0, "lists nothing")
a_list("a list of empty lines", b"\n\r\n \n", 0, "lists nothing")
a_list("a list with CRLF", b"1.png\r\n2.png\r\n", 2)
a_list("a list that ends with null characters", b"1.png\0photos/p.png\0", 2)
a_list(
    "a list with nulls and a name with a line feed",
    b"1.png\0a\nb.png\0",
    2,
    before=lambda f: good(f, "a\nb.png"),
)
a_list("a list with a mark of UTF-8", b"\xef\xbb\xbf1.png\n2.png\n", 2)
a_list("a list in UTF-16", "1.png\n2.png\n".encode("utf-16"), 0, "UTF-16")
a_list("a list of bytes that are no UTF-8", b"1.png\nh\xe9.png\n", 2, before=lambda f: good(f / "x", "y.png") and os.rename(
       os.fsencode(f / "x" / "y.png"), os.fsencode(f) + b"/h\xe9.png"))  # fmt: skip
a_list("a list with one that is gone", b"1.png\ngone.png\n2.png\n", 2, "gone.png")
a_list("a list with the same one twice", b"1.png\n./1.png\n1.png\n", 1)
a_list("a list of 20,000 names of one image", b"1.png\n" * 20_000, 1)
a_list("a list with a name of 100,000 letters", b"1.png\n" + b"x" * 100_000 + b"\n", 1)
a_list("a list of a device and a pipe", b"/dev/zero\n1.png\n", 1, "/dev/zero")
a_list("a list with a COCO file among images", b"1.png\na.json\n", 0, "one COCO file")
call(
    LISTS,
    "a list of one COCO file",
    "predict",
    "-",
    "--out",
    "r.json",
    *FAST,
    stdin=b"a.json\n",
    makes=("r.json",),
)
call(
    LISTS,
    "the list twice",
    "predict",
    "-",
    "-",
    "--out",
    "r.json",
    *FAST,
    stdin=b"1.png\n",
    status=1,
    says=("twice",),
)
call(
    LISTS,
    "a glob that matches nothing",
    "predict",
    "*.tif",
    "--out",
    "r.json",
    *FAST,
    status=1,
    says=("glob",),
)
call(LISTS, "a name with the letters of globs", "predict", "[1].png", "--out", "r.json", *FAST,
     before=lambda f: good(f, "[1].png"), makes=("r.json", "r.images.json"), says=("1 garment",))  # fmt: skip

# -- arguments -----------------------------------------------------------------------------------


def words(name: str, *arguments: Any, status: int = 2, says: tuple[str, ...] = ()) -> None:
    call(WORDS, name, *arguments, status=status, says=says)


words("no command")
words("a command that there is not", "predcit", "x", says=("did you mean predict",))
words(
    "an option that there is not",
    "predict",
    "photos",
    "--overwite",
    says=("did you mean --overwrite",),
)
words("an option cut short", "predict", "photos", "--overw", says=("--overw",))
words("an option without its value", "predict", "photos", "--out", says=("--out",))
words("a batch of 0", "predict", "photos", "--batch", "0", says=("found '0'",))
words("a batch of 10^30", "predict", "photos", "--batch", "1" + "0" * 30, says=("whole number",))
words("a batch of other digits", "predict", "photos", "--batch", "\u0663x", says=("whole number",))
words("a share of nan", "evaluate", "a.json", "--margin", "nan", says=("number",))
words("a share of 1e400", "evaluate", "a.json", "--margin", "1e400", says=("number",))
words("sizes of text", "predict", "photos", "--multi-scale", "224,big", says=("size",))
words(
    "sizes without end",
    "predict",
    "photos",
    "--multi-scale",
    ",".join(["64"] * 500),
    says=("at most 16",),
)
words("pixels below 0", "predict", "photos", "--max-pixels", "-5", says=("max-pixels",))
words("an empty name of an output", "predict", "photos", "--out", "", says=("name of a file",))
words("an argument with an escape", "stats", "a.json", "\x1b[2J", says=("too many",))
words("an argument of 1,000 letters", "stats", "a.json", "x" * 1000, says=("too many",))
words("an empty input", "predict", "", "--model", "MODEL", says=("name of a file",))
words("an input of 5,000 letters", "predict", "x" * 5000, "--model", "MODEL", status=1)
words("an input with half a surrogate", "predict", "a\udce9.png", "--model", "MODEL", status=1)
words("a COCO file of 5,000 letters", "stats", "x" * 5000 + ".json", status=1)
words(
    "a device that there is not",
    "predict",
    "photos",
    "--model",
    "MODEL",
    "--device",
    "mps:7",
    status=1,
    says=("Device",),
)
words(
    "a device of markup",
    "predict",
    "photos",
    "--model",
    "MODEL",
    "--device",
    "[red]",
    status=1,
    says=("Device",),
)
words("a model with a null character", "predict", "photos", "--model", "a\0b", status=1)
words("an empty model", "predict", "photos", "--model", "", status=1, says=("model",))
words(
    "a model that is a folder of images",
    "predict",
    "photos",
    "--model",
    "photos",
    status=1,
    says=("model",),
)
words(
    "categories of another word",
    "predict",
    "a.json",
    "--model",
    "MODEL",
    "--categories",
    "all",
    status=1,
    says=("'add', 'skip'",),
)
words(
    "a map that is not there",
    "predict",
    "a.json",
    "--model",
    "MODEL",
    "--categories",
    "m.toml",
    status=1,
    says=("m.toml",),
)
words(
    "images that are a file",
    "predict",
    "a.json",
    "--model",
    "MODEL",
    "--images",
    "1.png",
    "--out",
    "r.json",
    status=1,
)
words(
    "a root that is not there",
    "predict",
    "a.json",
    "--model",
    "MODEL",
    "--allow-root",
    "gone/deep",
    "--images",
    "gone",
    "--out",
    "r.json",
    status=1,
)
words("a version of 0", "versions", "a.json", "--restore", "0", says=("number",))
words(
    "a version that there is not",
    "versions",
    "a.json",
    "--restore",
    "99",
    status=1,
    says=("no earlier versions",),
)
words(
    "versions of a file that is not there", "versions", "gone.json", status=1, says=("gone.json",)
)
words(
    "edits that are none", "apply", "a.json", "1.png", "--out", "r.json", status=1, says=("1.png",)
)
words(
    "edits that are a folder",
    "apply",
    "a.json",
    "photos",
    "--out",
    "r.json",
    status=1,
    says=("photos",),
)
words("opening what is not there", "open", "gone.json", status=1, says=("gone.json",))
words(
    "going on with a training that is not there",
    "train",
    "--resume",
    "--run",
    "gone",
    status=1,
    says=("gone",),
)

# -- what was left -------------------------------------------------------------------------------


def left(name: str, data: bytes | Callable[[Path], Any], *says: str) -> None:
    def before(folder: Path) -> None:
        if callable(data):
            data(folder)
        else:
            (folder / "r.json.partial").write_bytes(data)

    call(
        RESUMED,
        name,
        "predict",
        "photos",
        "--out",
        "r.json",
        "--resume",
        *FAST,
        before=before,
        status=1,
        says=says,
    )


left("an empty partial file", b"", "not what an interrupted prediction left")
left("a partial file of something else", b'{"a": 1}\n', "not what an interrupted prediction left")
left("a partial file of one line without end", b"x" * (3 << 20), "not what")
left("a partial file nested deep", b"[" * 100_000 + b"\n", "not what")
left(
    "a partial file of another prediction",
    b'{"format": "napari-fashion partial predictions", "version": 1, "of": {}}\n',
    "another prediction",
)
left("a partial file that is a pipe", lambda f: os.mkfifo(f / "r.json.partial"), "r.json.partial")
left("a partial file that is a folder", lambda f: (f / "r.json.partial").mkdir(), "r.json.partial")


def trained(name: str, make: Callable[[Path], Any], *says: str) -> None:
    """Add a run whose only checkpoint `make` makes, to be gone on with."""

    def before(folder: Path) -> None:
        recipe = {"format": 2, **tiny_recipe(folder / "a.json", schema="from-data")}
        split: dict[str, list[str]] = {"train": ["1.png", "2.png", "3.png"], "validation": []}
        (folder / "run" / "checkpoints").mkdir(parents=True)
        (folder / "run" / "recipe.json").write_text(json.dumps(recipe))
        (folder / "run" / "split.json").write_text(json.dumps(split))
        make(folder / "run" / "checkpoints" / "step-00000001.safetensors")

    call(TRAINED, name, "train", "--resume", "--run", "run", "--device", "cpu", before=before,
         status=1, says=("cannot be resumed", *says), may_make=("run/run.lock",))  # fmt: skip


def a_checkpoint(path: Path, **changes: Any) -> None:
    """Write a checkpoint of another network, whose digest is right."""
    import torch

    from napari_fashion.engine.train.checkpoint import About, Manifest, Progress, write_checkpoint

    manifest = Manifest(
        progress=Progress(epoch=1, step=1, whole_epoch=True, seconds=0.0, lr_factor=1.0),
        about=About(fingerprint="", schema_digest="", recipe_digest="", start=None),
        optimiser="AdamW",
    )
    write_checkpoint(path, manifest.model_copy(update=changes), {"network.x": torch.zeros(1)})


def a_header(path: Path, header: bytes, rest: bytes = b"") -> None:
    path.write_bytes(len(header).to_bytes(8, "little") + header + rest)


trained("a checkpoint of nothing", lambda p: p.write_bytes(b""), "0 bytes without a header")
trained("a pickled checkpoint", lambda p: p.write_bytes(b"\x80\x04K\x01."), "pickled data")
trained("a checkpoint that is a pipe", os.mkfifo, "a pipe")
trained("a checkpoint that is a folder", lambda p: p.mkdir(), "step-00000001")
trained("a checkpoint that is a link to itself", lambda p: p.symlink_to(p.name), "step-00000001")
trained("a checkpoint of exabytes", lambda p: a_header(
    p, b'{"network.x":{"dtype":"F32","shape":[1099511627775],"data_offsets":[0,4398046511100]}}'),
    r"shape \[1099511627775\]")  # fmt: skip
trained("a checkpoint nested deep", lambda p: a_header(p, b'{"a":' + b"[" * 100_000), "nested")
trained("a checkpoint of other weights", lambda p: a_header(
    p, b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"abcd"), "damaged")  # fmt: skip
trained("a checkpoint of another network", a_checkpoint, "is missing|not of this run")
trained("a checkpoint of a later version", lambda p: a_checkpoint(p, version=2), "version 2")
trained("a checkpoint under another name",
        lambda p: a_checkpoint(p.with_name("step-00000007.safetensors")), "is missing|not of")  # fmt: skip
trained("a checkpoint whose optimiser is a text of megabytes",
        lambda p: a_checkpoint(p, optimiser="x" * (4 << 20)), "4096 letters or fewer")  # fmt: skip


def damaged(name: str, *lines: bytes) -> None:
    """Add a partial file whose first line is right and whose others are not."""

    def make(folder: Path) -> Use:
        from hostile import using
        from napari_fashion.cli.partial import Partial

        kept: list[bytes] = []
        remove = Partial.remove

        def keep(self: Partial) -> None:
            kept.append(self.path.read_bytes())
            remove(self)

        model = folder.parent.parent.parent / "m.json"
        Partial.remove = keep  # type: ignore[method-assign]
        here = os.getcwd()
        os.chdir(folder)
        try:
            using.command(folder, model, ["predict", "photos", "--out", "r.json", *FAST])
        finally:
            os.chdir(here)
            Partial.remove = remove  # type: ignore[method-assign]
        (folder / "r.json").unlink()
        (folder / "r.images.json").unlink()
        head = kept[0].splitlines(keepends=True)[0]
        (folder / "r.json.partial").write_bytes(head + b"".join(lines))
        return Use("damaged", {"file": "r.json"}, (0,), (), (), (), ("r.json", "r.images.json"))

    an_input(RESUMED, name, make)


damaged("a partial file with a torn line", b'{"start": 0, "n": 1, "fou')
damaged("a partial file with a line of another form", b'{"start": 0}\n')
damaged(
    "a partial file with numbers that are none",
    b'{"start": 0, "n": "x", "found": [], "left_out": []}\n',
)
damaged(
    "a partial file that goes too far", b'{"start": 0, "n": 1000000, "found": [], "left_out": []}\n'
)
damaged(
    "a partial file with findings of another form",
    b'{"start": 0, "n": 1, "found": [5, null], "left_out": "x"}\n',
)
damaged(
    "a partial file with a batch twice", b'{"start": 0, "n": 0, "found": [], "left_out": []}\n' * 3
)

# -- streams, signals and surroundings -----------------------------------------------------------

PREDICT = ("predict", "photos", "--out", "r.json", *FAST)
RESULTS = ("r.json", "r.images.json")
PERHAPS = (*RESULTS, "r.json.partial")
TELLS = {"PYTHONPROFILEIMPORTTIME": "1"}  # a line on standard error for each import

run(STREAMS, "standard output is closed", *PREDICT, shell=">&-", makes=RESULTS)
run(STREAMS, "standard error is closed", "stats", "a.json", shell="2>&-", says=("images",))
run(STREAMS, "standard input is closed", "predict", "-", "--out", "r.json", *FAST, shell="<&-", status=1,
    says=("lists nothing",))  # fmt: skip
run(
    STREAMS,
    "standard output is full",
    "stats",
    "a.json",
    shell=">/dev/full",
    status=1,
    says=("No space",),
)
run(STREAMS, "the reader goes away", "stats", "a.json", shell="| true")
run(STREAMS, "Ctrl+C while our own modules are imported", *PREDICT, env=TELLS, status=(-2, 130),
    signals=(("napari_fashion.cli.status", signal.SIGINT),))  # fmt: skip
run(STREAMS, "Ctrl+C while torch is imported", *PREDICT, env=TELLS, status=(130,), may_make=PERHAPS,
    signals=(("torch._utils_internal", signal.SIGINT),), says=("interrupted; not done",))  # fmt: skip
run(STREAMS, "Ctrl+C twice while torch is imported", *PREDICT, env=TELLS, status=(130, -2), may_make=PERHAPS,
    signals=(("torch._utils_internal", signal.SIGINT), (0.02, signal.SIGINT)))  # fmt: skip
run(STREAMS, "SIGTERM while torch is imported", *PREDICT, env=TELLS, status=(143,), may_make=PERHAPS,
    signals=(("torch._utils_internal", signal.SIGTERM),), says=("ended by SIGTERM",))  # fmt: skip

run(AROUND, "a terminal of ASCII", "stats", "衣.json", env={"PYTHONIOENCODING": "ascii"},
    before=lambda f: (f / "a.json").rename(f / "衣.json"), says=("images",))  # fmt: skip
run(AROUND, "a terminal of cp1252", "stats", "衣.json", env={"PYTHONIOENCODING": "cp1252"},
    before=lambda f: (f / "a.json").rename(f / "衣.json"), says=("images",))  # fmt: skip
run(AROUND, "the C locale", "predict", "photos", "--out", "衣.json", *FAST, makes=("衣.json", "衣.images.json"),
    env={"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})  # fmt: skip
run(AROUND, "no HOME, no PATH, no folder of what is remembered", *PREDICT, makes=RESULTS,
    env={"HOME": None, "PATH": "", "XDG_STATE_HOME": "/dev/null/x", "XDG_CACHE_HOME": "/dev/null/y"})  # fmt: skip
run(
    AROUND,
    "a HOME that is a file",
    "stats",
    "a.json",
    env={"HOME": "/dev/null", "XDG_STATE_HOME": None},
    says=("images",),
)
run(
    AROUND,
    "no folder of temporary files",
    "stats",
    "a.json",
    env={"TMPDIR": "/gone", "TEMP": "", "TMP": ""},
    says=("images",),
)
run(
    AROUND,
    "a dumb terminal of one column",
    "stats",
    "a.json",
    env={"TERM": "dumb", "COLUMNS": "1", "LINES": "0"},
    says=("images  +3",),
)
call(AROUND, "a limit of pixels that is none", *PREDICT, before=lambda f: os.environ.update(NAPARI_FASHION_MAX_PIXELS="many"),
     status=1, says=("NAPARI_FASHION_MAX_PIXELS is 'many'",))  # fmt: skip
run(AROUND, "a display that is none", "open", "a.json", env={"DISPLAY": "", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""},
    status=1, says=("no display",))  # fmt: skip
run(AROUND, "an image whose library warns", "predict", "warns.tif", "--out", "r.json", *FAST, before=lambda f: warns(f),
    status=1, says=("warns.tif",))  # fmt: skip


def warns(folder: Path) -> None:
    (folder / "warns.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
