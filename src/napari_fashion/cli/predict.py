"""Find the garments in images.

Writes COCO results (a list of garments with landmarks, scores and categories). Where the inputs are
images, the list of images that the results' ids name is written beside them (NAME.images.json).
What was predicted is kept in NAME.json.partial while the command runs: after Ctrl+C or a crash,
--resume goes on from there. Under torchrun several processes share the images, with the same results.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError, ImageError
from napari_fashion.tally import Tally, counted

if TYPE_CHECKING:
    from napari_fashion.cli.partial import Partial
    from napari_fashion.coco import Dataset
    from napari_fashion.coco.categories import CategoryAnswer, CategoryRule
    from napari_fashion.coco.ids import RecordId
    from napari_fashion.coco.views import Image
    from napari_fashion.engine.garment_model import GarmentModel
    from napari_fashion.engine.prediction import Prediction
    from napari_fashion.images.transforms import RGBImage
    from napari_fashion.schema import Schema

EXAMPLES = (
    "napari-fashion predict photos/ --annotations photos.json   # then: napari-fashion open photos.json",
    "napari-fashion predict annotations.json --images photos/ --out results.json --overlays drawn/",
    "find . -name '*.jpg' | napari-fashion predict - --out results.json --resume",
)
UNKNOWN = "garments of categories that the file lacks"
UNDRAWN = "drawings left out"
LONGEST_NAME = 255
"""So many bytes may a file's name have on nearly every system."""
DEFAULT_OUT = Path("predictions.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "input", nargs="+", type=parsing.name,
        help="images, folders, globs, one COCO file, or a data set by name (people:test); '-' reads a list "
        "from standard input",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=parsing.path, metavar="FILE",
        help="COCO results to write (default: predictions.json; none with --annotations alone)",
    )  # fmt: skip
    parser.add_argument(
        "--annotations", type=parsing.path, metavar="FILE",
        help="COCO file to write, with the images and the garments found, which the annotator opens; "
        "what people annotated in the input stays",
    )  # fmt: skip
    parser.add_argument(
        "--overlays", type=parsing.path, metavar="FOLDER", help="also draw them, as PNG"
    )
    parser.add_argument(
        "--single-instance", action="store_true", help="the images are crops of one garment each"
    )
    parser.add_argument(
        "--force-complete",
        action="store_true",
        help="give every landmark a position, however unsure",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with a prediction that was interrupted"
    )
    parsing.add_overwrite(parser)
    parsing.add_schema(parser, "of images and folders: ", "as the model has it")
    parsing.add_images(parser)
    parsing.add_categories(parser)
    parsing.add_journal(parser)
    parsing.add_model(parser)
    parser.add_argument(
        "--runtime", choices=("auto", "torch", "onnx"), default="auto",
        help="what runs the model: onnx for an exported one (export-model), which needs no torch "
        "(default: what the model's file is for)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Predict; return the exit status."""
    from napari_fashion.cli.partial import Partial
    from napari_fashion.coco.categories import CategoryRule
    from napari_fashion.engine.distributed import processes

    if options.single_instance and options.refine:
        raise FashionError(
            "--refine adds a pass over crops of the garments of full images; --single-instance says that "
            "the images are such crops already. Leave one of them out."
        )
    out = options.out
    if out is None and options.annotations is None:
        out = DEFAULT_OUT
    answer = inputs.category_answer(options.categories)
    together = processes()
    given = together.from_first(lambda: inputs.listed(options.input))
    outputs = _declared(options, given, out)
    inputs.set_limits(options.max_pixels)

    from napari_fashion.engine.decode import announce_compiling
    from napari_fashion.engine.model_set import load_model

    model = load_model(options.model, options.device, options.runtime, threads=options.threads)
    with inputs.opened(
        given,
        _file_schema(options, model),
        with_journal=options.with_journal,
        images=options.images,
        allow_roots=options.allow_root,
    ) as (dataset, own):
        _check_landmarks(given[0], dataset, model)
        inputs.tell_problems(dataset)
        rule = CategoryRule.of(dataset, model.schema.file_schema, answer)
        inputs.tell_spelled(rule, given[0])
        added = bool(rule.new) and own
        for record in rule.new if own else ():
            dataset.insert_record("categories", record)
        listing = None
        if out is not None and (added or not own):
            listing = outputs.file(out.with_name(out.stem + ".images.json"), "the list of images")
        outputs.reads_images(dataset)
        first: Path = out or options.annotations
        kept = outputs.partial(first.with_name(first.name + ".partial"))
        going_on = options.resume and os.path.lexists(kept)
        overlays = _Overlays(options.overlays, dataset, outputs, going_on=going_on)
        partial = Partial(
            kept,
            _conditions(options, model, dataset, rule),
            dataset.images.ids,
            options.batch,
        )
        partial.begin(resume=options.resume, overwrite=options.overwrite)
        together.wait()  # all have checked what is there, before anything is drawn
        with _kept(partial, len(dataset.images)), announce_compiling(terminal.notify):
            _predict(model, dataset, rule, partial, overlays, options)
        together.wait()  # until everything is found
        if not together.first:
            return status.DONE
        return _finish(model, dataset, answer, partial, out, listing, options)


def _file_schema(options: argparse.Namespace, model: GarmentModel) -> Schema:
    """Return the schema of images without annotations."""
    from napari_fashion.schema import Schema

    schema = model.schema if options.schema is None else Schema.load(options.schema)
    return schema.file_schema


@contextmanager
def _kept(partial: Partial, total: int) -> Iterator[None]:
    """Close the partial file in the end; on Ctrl+C, tell what it has of `total` images."""
    try:
        yield
    except KeyboardInterrupt:
        terminal.warn(
            f"{partial.count():,} of {total:,} images are done and kept in {partial.path}; the same "
            "command with --resume goes on."
        )
        raise
    finally:
        partial.close()


def _check_landmarks(given: str, dataset: Dataset, model: GarmentModel) -> None:
    from napari_fashion.documents import counted

    if dataset.schema.landmarks != model.schema.file_schema.landmarks:
        raise FashionError(
            f"{terminal.plain(given)} has {counted(dataset.schema.landmarks, 'landmarks')}; the model "
            f"finds {counted(model.schema.file_schema.landmarks, 'landmarks')}. Name a model that finds "
            "the file's (--model)."
        )


def _declared(options: argparse.Namespace, given: Sequence[str], out: Path | None) -> Outputs:
    """Return what the command reads and will write, checked."""
    outputs = Outputs([*given, options.categories], overwrite=options.overwrite)
    outputs.reads_models([options.model])
    if out is not None:
        outputs.file(out, "--out")
    if options.annotations is not None:
        outputs.file(options.annotations, "--annotations")
    if options.overlays is not None:
        outputs.folder(options.overlays, "--overlays")
    return outputs


def _conditions(
    options: argparse.Namespace, model: GarmentModel, dataset: Dataset, rule: CategoryRule
) -> dict[str, Any]:
    """Return what has to be the same for an interrupted prediction to go on."""
    from napari_fashion.cli.partial import digest_of
    from napari_fashion.images import pixel_limit

    return {
        "model": model.id,
        "images": digest_of(dataset),
        "single-instance": options.single_instance,
        "force-complete": options.force_complete,
        "flip": options.flip_tta,
        "sizes": options.multi_scale,
        "refine": options.refine,
        "batch": options.batch,
        "runtime": model.runs_on,
        "categories": [repr(i) for i in rule.ids],
        "root": os.path.abspath(dataset.image_root),
        "allow-root": sorted(os.path.abspath(root) for root in options.allow_root),
        "max-pixels": pixel_limit(),
        "overlays": options.overlays is not None,
    }


class _Overlays:
    """Where drawings go: below the folder, one an image, never over an input."""

    def __init__(
        self, folder: Path | None, dataset: Dataset, outputs: Outputs, *, going_on: bool
    ) -> None:
        self._outputs = outputs
        self._going_on = going_on
        self._targets: dict[RecordId, Path] = {}
        if folder is None:
            return
        paths = []
        taken: set[Path] = set()
        for image in dataset.images:
            try:
                paths.append(image.path)
            except ImageError:
                continue
            target = overlay_path(folder, image.file_name)
            n = 1
            while target in taken:
                n += 1
                target = overlay_path(folder, image.file_name, n)
            taken.add(target)
            self._targets[image.id] = target
        outputs.reads(paths)
        for target in self._targets.values():
            outputs.check(target, "an overlay", ours=going_on)

    def draw(
        self, image_id: RecordId, image: RGBImage, prediction: Prediction, schema: Schema
    ) -> str:
        """Draw what was found in an image; return why it cannot be, a sentence, else nothing."""
        target = self._targets.get(image_id)
        if target is None:
            return ""
        from napari_fashion.engine.overlays import draw_prediction
        from napari_fashion.images.transforms import write_png

        self._outputs.check(target, "an overlay", ours=self._going_on)
        try:
            write_png(target, draw_prediction(image, prediction, schema))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            return f"{target}: cannot be written ({reason}). Check the folder and the space on the disk."
        return ""


def overlay_path(folder: Path, file_name: str, n: int = 1) -> Path:
    """Return where an image's overlay goes: below the folder, whatever the file name is."""
    parts = [p for p in Path(file_name.replace("\\", "/")).parts if p not in ("..", ".", "/")]
    parts = [p for p in parts if not p.endswith(":")] or ["image"]
    ending = f".{n}.png" if n > 1 else ".png"
    leaf = parts[-1]
    if len(os.fsencode(leaf + ending)) > LONGEST_NAME:  # cut, and still one of a kind
        ending = f"-{hashlib.sha256(os.fsencode(leaf)).hexdigest()[:8]}{ending}"
        kept = os.fsencode(leaf)[: LONGEST_NAME - len(ending)]
        leaf = kept.decode(sys.getfilesystemencoding(), "ignore")
    return folder.joinpath(*parts[:-1], leaf + ending)


def _predict(
    model: GarmentModel,
    dataset: Dataset,
    rule: CategoryRule,
    partial: Partial,
    overlays: _Overlays,
    options: argparse.Namespace,
) -> None:
    """Predict what is not in the partial files yet and is this process's to do, a batch at a time.

    What is in a batch follows from the images' places and sizes alone: gone on with, or with another
    number of processes, the batches are the same.
    """
    from napari_fashion.coco.results import result_records
    from napari_fashion.engine.places import unfold_prediction

    decoder = model.inference.decoder.model_copy(
        update={
            "single_instance": options.single_instance,
            "force_complete": options.force_complete,
        }
    )
    inference = model.inference.overridden(
        flip_tta=options.flip_tta, sizes=options.multi_scale, refine=options.refine, decoder=decoder
    )
    images = dataset.images
    with terminal.progress("predicting", partial.done + partial.left) as shown:
        shown.update(partial.done)
        for places in partial.ranges():
            start = places.start
            while start < places.stop:
                n, chunk, left_out = _read_batch(images[start : places.stop])
                predictions = [
                    unfold_prediction(found, model.schema)
                    for found in model.predict([pixels for _, pixels in chunk], inference)
                ]
                found = []
                for (image, pixels), prediction in zip(chunk, predictions, strict=True):
                    records, unknown = result_records(dataset, image.id, prediction, rule)
                    found.append([image.id, records])
                    left_out += [(UNKNOWN, f"{image.file_name}: {name}") for name in unknown]
                    if why := overlays.draw(image.id, pixels, prediction, model.schema.file_schema):
                        left_out.append((UNDRAWN, why))
                partial.add(start, n, found, left_out)
                shown.advance(n)
                start += n


def _read_batch(
    images: Iterable[Image],
) -> tuple[int, list[tuple[Image, RGBImage]], list[tuple[str, str]]]:
    """Read the next images, no more than fit into memory.

    Returns
    -------
    How many are done with, those that could be read, and what is left out.
    """
    from napari_fashion.images import batches, read_image

    n = n_pixels = 0
    chunk: list[tuple[Image, RGBImage]] = []
    left_out: list[tuple[str, str]] = []
    for image in images:
        n += 1
        try:
            pixels = read_image(image.path, size=image.known_size, exact=True)
        except FashionError as error:
            left_out.append(("images left out", str(error)))
        else:
            chunk.append((image, pixels))
            n_pixels += pixels.shape[0] * pixels.shape[1]
            if n_pixels >= batches.MAX_BATCH_PIXELS:
                break
    return n, chunk, left_out


def _finish(
    model: GarmentModel,
    dataset: Dataset,
    answer: CategoryAnswer,
    partial: Partial,
    out: Path | None,
    listing: Path | None,
    options: argparse.Namespace,
) -> int:
    """Write the results from the partial file; return the exit status."""
    from napari_fashion.coco.results import write_results

    left_out = Tally()
    for path, reason in dataset.left_out:
        left_out.add("images left out", reason or str(path))
    images = garments = 0
    for chunk in partial.chunks():
        images += len(chunk["found"])
        garments += sum(len(records) for _, records in chunk["found"])
        for kind, text in chunk["left_out"]:
            left_out.add(kind, text)
    terminal.tell(left_out)
    if UNKNOWN in left_out.counts and options.categories == "skip":
        terminal.warn("--categories with a map, or 'add', takes them.")
    if not images:
        partial.remove()
        raise FashionError(
            f"none of the {len(dataset.images) + len(dataset.left_out):,} images can be predicted; "
            "nothing was written."
        )
    if out is not None:
        results = (
            r for chunk in partial.chunks() for _, records in chunk["found"] for r in records
        )
        write_results(results, out, overwrite=options.overwrite)
        if listing is not None:
            dataset.save(listing, overwrite=options.overwrite)
            terminal.notify(f"{listing}: the images that the ids name")
        terminal.notify(
            f"{out}: {counted(garments, 'garment')} in {counted(images, 'image')}, by {model.id}"
        )
    if options.annotations is not None:
        taken = _annotate(model, dataset, partial, answer)
        dataset.save(options.annotations, overwrite=options.overwrite)
        terminal.notify(
            f"{options.annotations}: {taken} Open it: napari-fashion open {options.annotations}"
        )
    partial.remove()
    return status.DONE


def _annotate(
    model: GarmentModel, dataset: Dataset, partial: Partial, answer: CategoryAnswer
) -> str:
    """Put what was found into the data set, as the annotator does; return what was done."""
    from napari_fashion.coco.results import prediction_of_results
    from napari_fashion.editing.predictions import take_prediction

    added = kept = 0
    for chunk in partial.chunks():
        for image_id, records in chunk["found"]:
            size = dataset.image(image_id).size
            prediction = prediction_of_results(
                records, dataset, model.schema.file_schema, size, model.id,
                model.inference.visibility.visible_threshold,
            )  # fmt: skip
            taken = take_prediction(dataset, image_id, prediction, model.schema.file_schema, answer)
            if taken.edit is not None:
                taken.edit.apply(dataset)
            added += taken.added
            kept += taken.kept + taken.updated
    theirs = f", {kept:,} that people annotated kept" if kept else ""
    return f"{added:,} garments of {model.id}{theirs}."
