"""What names a source of annotated images, and how it is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from napari_fashion.documents import shown
from napari_fashion.options import Options

_KIND = re.compile(r"([a-z][a-z0-9_-]+):")  # one letter and a colon is a drive


def kind_of(name: str) -> str:
    """Return what stands before a colon in the name of a source; empty for a plain file."""
    match = _KIND.match(name)
    return "" if match is None else match[1]


class Source(Options):
    """A source of annotated images.

    Attributes
    ----------
    file
        A COCO keypoint file, relative to the recipe; or a kind and its argument (`datasets.opening`):
        ``photos:train``, ``photos:test``, ``photos:unlabelled``, ``photos:pseudo`` (the same with landmarks
        on which models agreed) and ``photos:no_garment`` are the CC0 photos; ``people:train``,
        ``people:validation``, ``people:train+validation``, ``people:test`` and ``people:tagged`` are the
        street photos, with the categories of `garments`, or with other ones (``people:test:tags``,
        ``people:test:deepfashion``); ``samples:COUNT`` and
        ``samples:COUNT:SEED`` are procedural garments, ``samples:COUNT:SEED:landmarks=deepfashion2`` those
        of DeepFashion2 with all their landmarks (`datasets.procedural.contours`), and
        ``landmarks=fashionai`` those of FashionAI;
        ``layouts:COUNT:SEED`` are two to six garments in an image, and
        ``layouts:COUNT:SEED:garments=3,overlap=0.2-0.4`` sets how they lie
        (`datasets.procedural.LayoutOptions`).
    images
        Folder of the images, if it is not the file's own.
    repeat
        Number of times that each image comes in an epoch.
    empty
        Images without annotations: ``"skip"`` those that nobody reviewed (the default), or
        ``"negative"``: they show no garment.
    unlabelled
        Landmarks of a garment's body type that have no label (visibility 0): ``"unknown"``, they may be
        there, or ``"absent"``: who labelled says that they are not to be seen or told. By default what
        the kind of source says (`datasets.opening.unlabelled_of`), unknown for a plain file.
    pseudo
        Learn from what models predicted as well, as ``napari-fashion pseudo-label`` writes it. No model is
        judged by it: such images are left out if they fall to the held-out share.
    body_types
        Only garments of these body types are learned from, such as ``["upper"]``; None for all.
    others
        Garments of other body types: ``"ignore"`` gives no loss where they are, ``"negative"`` takes them
        as background. Those whose body type is not known are ignored.
    shared_landmarks
        Learn also from garments whose body type has all landmarks of the one in `body_types`, and more: by
        the landmarks that both have (the report's accumulated landmarks: a full garment trains the upper
        model too). Their other landmarks are left out, their category is not learned, their box is that
        of the landmarks that are left, and no model is judged by them. A network with layers of clothing
        ignores them, since they have no category.
    categories
        A map of the categories that the model lacks (TOML, `coco.categories.read_category_map`).
    allow_roots
        Folders beside the data set's in which its images may lie.
    """

    file: str
    images: str | None = None
    repeat: int = Field(default=1, ge=1, le=10_000)
    empty: Literal["skip", "negative"] = "skip"
    unlabelled: Literal["unknown", "absent"] | None = None
    pseudo: bool = False
    body_types: list[str] | None = Field(default=None, min_length=1, max_length=1000)
    others: Literal["ignore", "negative"] = "ignore"
    shared_landmarks: bool = False
    categories: str | None = None
    allow_roots: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _of_body_types(self) -> Source:
        if self.body_types is None and self.others != "ignore":
            raise ValueError(
                'others is "negative" without body_types; expected body_types beside it'
            )
        if self.shared_landmarks and len(self.body_types or ()) != 1:
            raise ValueError(
                f"shared_landmarks is true and body_types is {shown(self.body_types)}; expected one body "
                'type, such as ["upper"], whose landmarks are shared'
            )
        return self

    @property
    def kind(self) -> str:
        """What stands before a colon in the name, such as ``photos``; empty for a plain file.

        >>> Source(file="photos:test").kind, Source(file="C:/train.json").kind
        ('photos', '')
        """
        return kind_of(self.file)

    @property
    def argument(self) -> str:
        """What follows the kind: ``test`` of ``photos:test``; the whole name of a plain file."""
        return self.file.removeprefix(f"{self.kind}:") if self.kind else self.file

    def resolved(self, base: Path) -> Source:
        """Return the source with its relative paths taken from the folder `base`.

        Raises
        ------
        OSError, ValueError, RuntimeError
            If a path cannot be looked for.
        """

        def path(value: str | None) -> str | None:
            if value is None or Path(value).is_absolute():
                return value
            return str((base / value).resolve())

        return self.model_copy(
            update={
                "file": self.file if self.kind else path(self.file),
                "images": path(self.images),
                "categories": path(self.categories),
                "allow_roots": [str((base / root).resolve()) for root in self.allow_roots],
            }
        )
