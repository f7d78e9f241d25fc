"""The model: network, schema and configuration; images in, fields and predictions out."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError
from safetensors.torch import save
from torch import Tensor

from napari_fashion.documents import ended, read_json, shown
from napari_fashion.engine.decode import (
    DecodedGarment,
    DecoderOptions,
    decode_fields,
)
from napari_fashion.engine.decode.body_types import without_impossible
from napari_fashion.engine.fields import Fields, average_fields
from napari_fashion.engine.inference.options import InferenceOptions, RefinementOptions
from napari_fashion.engine.inference.refinement import (
    crop_around,
    may_hide_more,
    merge,
    sees_more,
)
from napari_fashion.engine.network.network import (
    Heads,
    Network,
    NetworkConfig,
    bounded_log_spread,
    cell_grid,
    fold_norms,
    pool_category,
)
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.engine.renamed import FORMAT as VERSION
from napari_fashion.engine.renamed import translate_model
from napari_fashion.engine.weights import expect_shapes_of, read_weights
from napari_fashion.errors import CheckpointError, SchemaError
from napari_fashion.files import atomic_write
from napari_fashion.images import to_rgb
from napari_fashion.images.transforms import PADDING, Crop, Placement, RGBImage, resize
from napari_fashion.options import Options, told
from napari_fashion.schema import Schema

_log = logging.getLogger(__name__)

FORMAT = "napari-fashion model"

_CUTS_AT_ONCE = 16  # more garments than that in a few images must not cost memory without end

CELLS_ACROSS = 3
"""An image is seen with so many cells across, however slim: a cell that lies mostly outside it has
learned nothing, and one or two do not tell its edges apart (training/model-card.md)."""


def devices() -> list[str]:
    """Return the names of the devices that torch finds on this machine, the CPU first."""
    found = ["cpu"]
    if torch.cuda.is_available():
        found += ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        found += ["xpu", *(f"xpu:{i}" for i in range(torch.xpu.device_count()))]
    return found


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; ``"auto"`` is the GPU where there is one.

    Raises
    ------
    CheckpointError
        If the device asked for is not here; the message lists those that are.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    here = devices()
    if name not in here:
        raise CheckpointError(
            f"Device {shown(name, 30)} is not on this machine; expected auto, or one of those that "
            f"are: {', '.join(here)}."
        )
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise CheckpointError(
            f"Device {name!r} cannot be used here ({str(error).splitlines()[0][:200]}); expected "
            f"auto, or one of: {', '.join(here)}."
        ) from error
    _log.info("device %s", device)
    return device


@dataclass
class ModelInfo:
    """What stands beside the weights, in readable JSON.

    Attributes
    ----------
    name
        Of the recipe.
    inference
        How it is used, unless other options are given.
    recipe
        The recipe's dictionary form.
    data
        Fingerprint and counts of the training data, and the split by image key.
    metrics
        On the validation split.
    history
        Where it started from, when and on what machine it was trained, for how long.
    """

    name: str = "model"
    inference: InferenceOptions = field(default_factory=InferenceOptions)
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)


INFO_KEYS = ("name", "recipe", "data", "metrics", "history")
"""Keys of `ModelInfo` that stand in the document as they are."""


class Description(Options):
    """What stands in a model's JSON file, as far as it is relied on; see `ModelInfo`."""

    model_config = ConfigDict(extra="ignore", str_max_length=None)

    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    schema_: dict[str, Any] = Field(alias="schema")
    network: NetworkConfig
    name: str = Field(max_length=100)
    inference: InferenceOptions
    recipe: dict[str, Any]
    data: dict[str, Any]
    metrics: dict[str, Any]
    history: dict[str, Any]


class Model:
    """A network with everything that is needed to use it.

    Parameters
    ----------
    network
        The network.
    schema
        The schema of its channels.
    info
        See `ModelInfo`.
    device
        Where it runs.
    """

    def __init__(
        self,
        network: Network,
        schema: Schema,
        info: ModelInfo,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.network = network.to(self.device).eval()
        self.schema = schema
        self.info = info
        self._id: str | None = None
        self._folded: tuple[int, Network] | None = None

    @classmethod
    def create(
        cls, config: NetworkConfig, schema: Schema, info: ModelInfo, device: torch.device
    ) -> Model:
        """Return a model with random weights (of torch's global seed)."""
        network = Network(config, schema.n_landmarks, len(schema.edges), len(schema.categories))
        return cls(network, schema, info, device)

    @property
    def config(self) -> NetworkConfig:
        """The network's configuration."""
        return self.network.config

    @property
    def decoder_options(self) -> DecoderOptions:
        """Thresholds that the model's recipe gives; otherwise the published ones."""
        return self.info.inference.decoder

    @property
    def crop_aspect(self) -> float:
        """What the recipe calls so (`Recipe`); 1 for models from before there was such a thing."""
        return self.info.inference.crop_aspect

    @property
    def mirror(self) -> bool:
        """Whether the model's recipe averages with the mirrored image."""
        return self.info.inference.flip_tta

    @property
    def sizes(self) -> tuple[int, ...]:
        """Longer sides at which the model sees an image: the recipe's `look_sizes`.

        Without any, the working size.
        """
        return self.info.inference.sizes

    @property
    def refining(self) -> RefinementOptions | None:
        """How it looks closer at what it finds in whole images: the recipe's `refine`."""
        return self.info.inference.refinement

    @property
    def id(self) -> str:
        """Name and a digest of the weights.

        How they are used (the recipe's `mirror`, `crop_aspect`, `refine`, `decoder`) is not in it.
        """
        if self._id is None:
            self._id = _id_of(self.info.name, _state(self.network))
        return self._id

    # -- files -----------------------------------------------------------------------------

    def save(self, path: Path | str, *, half: bool = False) -> Path:
        """Write ``<path>.safetensors`` and ``<path>.json``, each atomically; return the JSON's path.

        Parameters
        ----------
        path
            With either suffix or none.
        half
            Round the weights to float16, for half the size; they are float32 again once loaded.

        Raises
        ------
        CheckpointError
            If a weight is too great for float16.
        """
        stem = _stem(Path(path))
        state = _state(self.network)
        if half:
            rounded = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
            if not all(v.isfinite().all() for v in rounded.values()):
                raise CheckpointError(
                    f"{stem}: a weight exceeds float16 (65504). Save the model without half."
                )
            weights = save(rounded)
            state = _in_full(rounded)
        else:
            weights = save(state)
        document = {
            "format": FORMAT,
            "version": VERSION,
            "id": _id_of(self.info.name, state),
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "schema": self.schema.to_dict(),
            "network": self.config.model_dump(mode="json"),
            "inference": self.info.inference.model_dump(mode="json"),
            **{key: getattr(self.info, key) for key in INFO_KEYS},
        }
        atomic_write(stem.with_name(stem.name + ".safetensors"), weights)
        target = stem.with_name(stem.name + ".json")
        atomic_write(target, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
        return target

    @classmethod
    def load(cls, source: Path | str = "bundled", device: str | torch.device = "auto") -> Model:
        """Load a model.

        Parameters
        ----------
        source
            ``"bundled"``, a folder that holds ``model.json``, or the path of a model's ``.json``
            or ``.safetensors``.
        device
            ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``...

        Raises
        ------
        CheckpointError
            If a file is missing, damaged, of another format, or weights and JSON do not belong
            together. Weights are never unpickled: anything but safetensors is refused.
        """
        stem = _find(source)
        described = stem.with_name(stem.name + ".json")
        weights_path = stem.with_name(stem.name + ".safetensors")
        document = read_json(
            described, CheckpointError, expected="the model's description (JSON) beside its weights"
        )
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise CheckpointError(
                f"{described}: not a napari-fashion model; expected a JSON file with "
                f'"format": "{FORMAT}", as `napari-fashion train` writes it.'
            )
        if (found := document.get("version")) not in (1, VERSION) or isinstance(found, bool):
            raise CheckpointError(
                f"{described}: format version {shown(document.get('version'))}; expected 1 to "
                f"{VERSION}, which this napari-fashion reads. Use the version that wrote it."
            )
        if found == 1:
            document = translate_model(document)
        try:
            made = Description.model_validate(document)
            schema = Schema.from_dict(made.schema_)
        except ValidationError as error:
            raise CheckpointError(
                f"{described}: does not describe a model: {ended(told(error, Description))}"
            ) from error
        except SchemaError as error:
            raise CheckpointError(f"{described}: does not describe a model: {error}") from error
        sizes = (schema.n_landmarks, len(schema.edges), len(schema.categories))
        with torch.device("meta"):  # shapes without memory, however large they are
            shapes = Network(made.network, *sizes)
        together = "Keep the two files of one model together."
        weights = read_weights(
            weights_path,
            expect_shapes_of(shapes, weights_path, f"{described.name} describes", together),
        )
        if weights.sha256 != made.weights_sha256:
            raise CheckpointError(
                f"{weights_path}: these are other weights than {described.name} was saved with. "
                f"{together}"
            )
        if isinstance(device, str):
            device = choose_device(device)
        network = Network(made.network, *sizes)
        network.load_state_dict(_in_full(weights.tensors))
        info = ModelInfo(**{key: getattr(made, key) for key in ("inference", *INFO_KEYS)})
        model = cls(network, schema, info, device)
        _log.info("model %s of %s on %s", document.get("id"), stem, device)
        return model

    # -- using it --------------------------------------------------------------------------

    def place(
        self, width: int, height: int, side: int | None = None, *, crop: bool = False
    ) -> Placement:
        """Return how an image is scaled into the network's input, at `side` or as usual.

        An image that is `cut` to one garment gets the shape of the recipe's `crop_aspect`.
        """
        config = self.config
        side = self.info.inference.input_size if side is None else side
        least = CELLS_ACROSS * config.stride
        aspect = self.crop_aspect if crop else 1.0
        return Placement.fit(width, height, side, config.multiple, config.margin, least, aspect)

    def fields(self, image: NDArray[np.generic]) -> Fields:
        """Compute the fields of one image, a (H, W[, channels]) array."""
        return self.fields_batch([image])[0]

    def fields_batch(
        self,
        images: Sequence[NDArray[np.generic]],
        *,
        flip: bool | None = None,
        sizes: Sequence[int] | None = None,
        crop: bool = False,
    ) -> list[Fields]:
        """Compute the fields of several images, those of one input size in one batch.

        Parameters
        ----------
        images
            (H, W[, channels]) arrays; what is not uint8 RGB is converted (`to_rgb`).
        flip
            Average with the fields of the mirrored image (twice the time); None as the model's
            recipe says.
        sizes
            Longer sides, in pixels, at which the network sees each image: the fields are those
            of the first, with the others averaged in. None for the model's own (`sizes`).
        cut
            The images are cut to one garment each (`place`).
        """
        flip = self.mirror if flip is None else flip
        sizes = self.sizes if sizes is None else sizes
        rgb = [to_rgb(p) for p in images]
        seen = [self._fields_at(rgb, size, flip, crop) for size in sizes]
        return [average_fields(looks) for looks in zip(*seen, strict=True)]

    def _fields_at(self, rgb: list[RGBImage], size: int, flip: bool, crop: bool) -> list[Fields]:
        """Compute the fields of (H, W, 3) uint8 images at one size."""
        places = [self.place(p.shape[1], p.shape[0], size, crop=crop) for p in rgb]
        groups: dict[tuple[int, int], list[int]] = {}
        for i, place in enumerate(places):
            groups.setdefault(place.padded, []).append(i)
        results: list[Fields | None] = [None] * len(rgb)
        for (width, height), members in groups.items():
            inputs = np.full((len(members), height, width, 3), PADDING, dtype=np.uint8)
            for row, i in enumerate(members):
                small = resize(rgb[i], places[i].size)
                m = places[i].margin
                inputs[row, m : m + small.shape[0], m : m + small.shape[1]] = small
            heads = self._forward(torch.from_numpy(inputs), flip, [places[i] for i in members])
            for row, i in enumerate(members):
                results[i] = self._to_fields(heads, row, places[i])
        return [f for f in results if f is not None]

    def predict(
        self,
        images: Sequence[NDArray[np.generic]],
        *,
        options: DecoderOptions | None = None,
        flip: bool | None = None,
        sizes: Sequence[int] | None = None,
        crop: bool | None = None,
        refine: bool | None = None,
    ) -> list[Prediction]:
        """Predict the garments of each image, coordinates in its own pixels; see `look`."""
        looks = self.look(images, options=options, flip=flip, sizes=sizes, crop=crop, refine=refine)
        return [prediction for _, prediction in looks]

    def look(
        self,
        images: Sequence[NDArray[np.generic]],
        *,
        options: DecoderOptions | None = None,
        flip: bool | None = None,
        sizes: Sequence[int] | None = None,
        crop: bool | None = None,
        refine: bool | None = None,
    ) -> list[tuple[Fields, Prediction]]:
        """Compute each image's fields, and find its garments, coordinates in its own pixels.

        Parameters
        ----------
        images, flip, sizes
            See `fields_batch`. With `refine` both looks go by `flip` and `sizes` where these are
            given; else the first one sees the image itself, at the recipe's ``find_size``, and
            once more at its ``find_again`` where there may be more to find (`may_hide_more`).
        options
            The model's own (`decoder_options`) where None.
        cut
            Whether the images are cut to one garment each (`place`); None for what
            ``options.single_instance`` says.
        refine
            Look once more, and closer, at each garment (`refine.merge`); the fields stay those of
            the whole image. None: as the model's recipe says, for whole images; cuts to one
            garment are as close as can be.

        Raises
        ------
        ValueError
            If a closer look at a cut, or at a single garment, is asked for.
        """
        options = options or self.decoder_options
        crop = options.single_instance if crop is None else crop
        if refine is None:
            refine = self.refining is not None and not (crop or options.single_instance)
        elif refine and (crop or options.single_instance):
            raise ValueError("refine is for whole images; found cut or options.single_instance.")
        closer = (self.refining or RefinementOptions()) if refine else None
        rgb = [to_rgb(p) for p in images]
        if closer is None:
            found = self.fields_batch(rgb, flip=flip, sizes=sizes, crop=crop)
        else:
            wide = sizes if closer.detection_size is None else sizes or [closer.detection_size]
            found = self.fields_batch(rgb, flip=bool(flip), sizes=wide)
        predictions = self._decode_all(found, rgb, options)
        if closer is not None:
            if closer.redetect_size is not None and sizes is None:
                self._find_again(rgb, found, predictions, options, closer.redetect_size, bool(flip))
            predictions = self._refine(rgb, predictions, options, closer, flip, sizes)
        return list(zip(found, predictions, strict=True))

    def _find_again(
        self,
        images: Sequence[RGBImage],
        found: list[Fields],
        predictions: list[Prediction],
        options: DecoderOptions,
        size: int,
        flip: bool,
    ) -> None:
        """See images that may hold more at `size`; replace what was found where that sees more."""
        threshold = options.landmark_threshold
        unsure = [i for i, p in enumerate(predictions) if may_hide_more(p, threshold)]
        at_once = max(len(images) // 4, 4)  # each has several times the first look's pixels
        for start in range(0, len(unsure), at_once):
            some = unsure[start : start + at_once]
            rgb = [images[i] for i in some]
            fields = self.fields_batch(rgb, flip=flip, sizes=[size])
            for i, f, p in zip(some, fields, self._decode_all(fields, rgb, options), strict=True):
                if sees_more(p, predictions[i]):
                    found[i], predictions[i] = f, p

    def _refine(
        self,
        images: Sequence[RGBImage],
        predictions: Sequence[Prediction],
        options: DecoderOptions,
        closer: RefinementOptions,
        flip: bool | None,
        sizes: Sequence[int] | None,
    ) -> list[Prediction]:
        """Look closer at every garment of every image, many at once."""
        places: list[tuple[int, int]] = []
        crops: list[Crop] = []
        for i, (image, prediction) in enumerate(zip(images, predictions, strict=True)):
            for j, garment in enumerate(prediction.garments):
                crop = crop_around(image, garment, options.landmark_threshold, closer.margin)
                if crop is not None:
                    places.append((i, j))
                    crops.append(crop)
        one = options.model_copy(update={"single_instance": True})
        garments: list[list[PredictedGarment | None]] = [list(p.garments) for p in predictions]
        at_once = max(len(images), _CUTS_AT_ONCE)
        for start in range(0, len(crops), at_once):
            some = slice(start, start + at_once)
            seen = self.predict([c.image for c in crops[some]], options=one, flip=flip, sizes=sizes)
            for (i, j), crop, again in zip(places[some], crops[some], seen, strict=True):
                if not again.garments:
                    continue
                first = predictions[i].garments
                both = merge(
                    first[j],
                    again.garments[0],
                    crop,
                    first[:j] + first[j + 1 :],
                    options.landmark_threshold,
                )
                garments[i][j] = self._possible(both, options)
        return [
            replace(p, garments=tuple(g for g in kept if g is not None))
            for p, kept in zip(predictions, garments, strict=True)
        ]

    def _decode_all(
        self, fields: Sequence[Fields], images: Sequence[RGBImage], options: DecoderOptions
    ) -> list[Prediction]:
        return [
            self.decode(f, (p.shape[1], p.shape[0]), options)
            for f, p in zip(fields, images, strict=True)
        ]

    def decode(
        self, fields: Fields, size: tuple[int, int], options: DecoderOptions | None = None
    ) -> Prediction:
        """Find the garments in an image's fields.

        Parameters
        ----------
        fields
            Of one image, by this model.
        size
            The image's width and height; no landmark lies beyond its edges.
        options
            The model's own (`decoder_options`) where None.
        """
        options = options or self.decoder_options
        decoded = decode_fields(fields, self.schema, options)
        garments = (self._garment(fields, d, options, size) for d in decoded)
        kept = tuple(g for g in garments if g is not None)
        return Prediction(kept, size[0], size[1], self.id)

    def _for_inference(self) -> Network:
        """Return the network with its norms folded, as its weights are now."""
        version = sum(t._version for t in chain(self.network.parameters(), self.network.buffers()))
        if self._folded is None or self._folded[0] != version:
            self._folded = (version, fold_norms(self.network))
        return self._folded[1]

    @torch.inference_mode()
    def _forward(self, inputs: Tensor, flip: bool, places: list[Placement]) -> Heads:
        x = inputs.to(self.device).permute(0, 3, 1, 2).float()
        if self.device.type == "cuda":
            with torch.autocast("cuda"):
                return self._forward_once(x, flip, places)
        return self._forward_once(x, flip, places)

    def _forward_once(self, x: Tensor, flip: bool, places: list[Placement]) -> Heads:
        network = self._for_inference()
        if not flip:
            return activate(network(x))
        n = len(x)
        both = torch.cat([x, torch.full_like(x, float(PADDING))])  # one pass is faster than two
        for row, place in enumerate(places):
            columns = slice(place.margin, place.margin + place.size[0])
            both[n + row, :, :, columns] = x[row, :, :, columns].flip(-1)
        heads = activate(network(both))
        one, other = Heads(*(part[:n] for part in heads)), Heads(*(part[n:] for part in heads))
        return average_flipped(one, other, places, self.schema, self.config.stride)

    def _to_fields(self, heads: Heads, row: int, place: Placement) -> Fields:
        stride = self.config.stride
        w, h = (-(-side // stride) for side in place.size)
        first = place.margin // stride
        rows, columns = slice(first, first + h), slice(first, first + w)
        pif = heads.pif[row, :, :, rows, columns].float().cpu().numpy()
        paf = heads.paf[row, :, :, rows, columns].float().cpu().numpy()
        pif[:, 1:3] -= first
        paf[:, 1:5] -= first
        scale, offset = place.cell_geometry(stride)
        return Fields(
            pif_confidence=pif[:, 0],
            pif_xy=pif[:, 1:3],
            pif_spread=pif[:, 3],
            # A cell whose vote may be off by b speaks for places that far around: the decoder's
            # Gaussian, half the size wide, must not be narrower than the votes scatter.
            pif_size=np.maximum(pif[:, 4], 2 * pif[:, 3]),
            paf_confidence=paf[:, 0],
            paf_xy1=paf[:, 1:3],
            paf_xy2=paf[:, 3:5],
            paf_spread1=paf[:, 5],
            paf_spread2=paf[:, 6],
            category=heads.category[row, :, rows, columns].float().cpu().numpy(),
            edges=self.schema.edges,
            scale=scale,
            offset=offset,
        )

    def _garment(
        self,
        fields: Fields,
        decoded: DecodedGarment,
        options: DecoderOptions,
        size: tuple[int, int],
    ) -> PredictedGarment | None:
        scale = np.asarray(fields.scale)
        scores = decoded.scores
        found = scores > 0
        # Landmarks lie in the image: one that is seen beyond its edge is at the edge.
        xy = fields.to_pixels(decoded.xy).clip(-0.5, np.array(size) - 0.5)
        garment = PredictedGarment(
            xy=np.where(found[:, None], xy, 0.0).astype(np.float32),
            scores=scores,
            spread=np.where(found, decoded.spread * np.float32(np.sqrt(scale.prod())), 0.0),
            category=self._category(fields, decoded.xy[found]),
            score=decoded.score,
        )
        return self._possible(garment, options)

    def _possible(
        self, garment: PredictedGarment, options: DecoderOptions
    ) -> PredictedGarment | None:
        if options.force_complete:
            return garment
        # In an image of one garment, even one landmark of it is worth showing.
        least = 1 if options.single_instance else options.min_landmarks
        return without_impossible(garment, self.schema, min_landmarks=least)

    def _category(self, fields: Fields, xy_cells: NDArray[np.generic]) -> NDArray[np.float32]:
        """Let the cells in the garment's box vote (as in training); probabilities (C,)."""
        logits = torch.from_numpy(fields.category)
        if logits.shape[0] == 0:
            return np.zeros(0, dtype=np.float32)
        _, h, w = logits.shape
        mask = torch.zeros((h, w), dtype=torch.bool)
        if len(xy_cells):
            low = np.floor(xy_cells.min(0) + 0.5).astype(int).clip(0, [w - 1, h - 1])
            high = np.ceil(xy_cells.max(0) - 0.5).astype(int).clip(0, [w - 1, h - 1])
            high = np.maximum(high, low)
            mask[low[1] : high[1] + 1, low[0] : high[0] + 1] = True
        pooled = pool_category(logits, mask, self.config.category_pool)
        return torch.softmax(pooled, -1).numpy()


def activate(heads: Heads) -> Heads:
    """Turn raw outputs into confidences 0..1, absolute positions, spreads and sizes in cells."""
    pif, paf = heads.pif.float(), heads.paf.float()
    grid = cell_grid(pif.shape[-2], pif.shape[-1], pif.device)
    pif = torch.cat(
        [
            pif[:, :, :1].sigmoid(),
            pif[:, :, 1:3] + grid,
            bounded_log_spread(pif[:, :, 3:4]).exp(),
            torch.nn.functional.softplus(pif[:, :, 4:5]),
        ],
        dim=2,
    )
    paf = torch.cat(
        [
            paf[:, :, :1].sigmoid(),
            paf[:, :, 1:3] + grid,
            paf[:, :, 3:5] + grid,
            bounded_log_spread(paf[:, :, 5:7]).exp(),
            torch.nn.functional.softplus(paf[:, :, 7:9]),
        ],
        dim=2,
    )
    return Heads(pif, paf, heads.category.float())


def average_flipped(
    heads: Heads, other: Heads, places: list[Placement], schema: Schema, stride: int
) -> Heads:
    """Average activated fields with those of the mirrored images.

    A mirrored edge is the edge between the mirrored landmarks; where the schema has no such edge,
    the edge keeps its own fields. Where the image's width is no multiple of the stride, the
    mirrored cells lie up to half a cell beside; positions are corrected for it exactly.
    """
    flips = list(schema.flips)
    mirror_edge: list[tuple[int, bool] | None] = []
    for a, b in schema.edges:
        fa, fb = flips[a], flips[b]
        if (fa, fb) in schema.edges:
            mirror_edge.append((schema.edges.index((fa, fb)), False))
        elif (fb, fa) in schema.edges:
            mirror_edge.append((schema.edges.index((fb, fa)), True))
        else:
            mirror_edge.append(None)
    pif, paf, category = heads.pif.clone(), heads.paf.clone(), heads.category.clone()
    for row, place in enumerate(places):
        first = place.margin // stride
        last = first + -(-place.size[0] // stride)
        # x of a mirrored place is right - x, in cells of the input
        right = (2 * place.margin + place.size[0]) / stride - 1.0

        def back(
            field: Tensor,
            xs: Sequence[int],
            first: int = first,
            last: int = last,
            right: float = right,
        ) -> Tensor:
            turned = field[..., first:last].flip(-1).clone()
            for x in xs:
                turned[:, x] = right - turned[:, x]
            return turned

        mirrored = back(other.pif[row][flips], [1])
        pif[row, ..., first:last] = _blend(pif[row, ..., first:last], mirrored, [1, 2, 3, 4])
        for e, twin in enumerate(mirror_edge):
            if twin is None:
                continue
            source, swapped = twin
            turned = back(other.paf[row, source : source + 1], [1, 3])
            if swapped:
                turned = turned[:, [0, 3, 4, 1, 2, 6, 5, 8, 7]]
            paf[row, e : e + 1, :, :, first:last] = _blend(
                paf[row, e : e + 1, :, :, first:last], turned, list(range(1, 9))
            )
        category[row, ..., first:last] = (
            category[row, ..., first:last] + other.category[row, ..., first:last].flip(-1)
        ) / 2
    return Heads(pif, paf, category)


def _blend(one: Tensor, two: Tensor, channels: list[int]) -> Tensor:
    """Average confidences (channel 0) plainly, the `channels` weighed by confidence."""
    a, b = one[:, :1], two[:, :1]
    share = a / (a + b).clamp(min=1e-6)
    blended = one.clone()
    blended[:, :1] = (a + b) / 2
    blended[:, channels] = share * one[:, channels] + (1 - share) * two[:, channels]
    return blended


def _state(network: Network) -> dict[str, Tensor]:
    return {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}


def _in_full(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def _id_of(name: str, state: dict[str, Tensor]) -> str:
    """Return the model's id: the same whether its weights are stored in half or in full."""
    return f"{name}-{hashlib.sha256(save(state)).hexdigest()[:8]}"


def _stem(path: Path) -> Path:
    return path.with_suffix("") if path.suffix in (".json", ".safetensors") else path


def _find(source: Path | str) -> Path:
    if str(source) == "bundled":
        folder = Path(str(resources.files("napari_fashion").joinpath("models")))
        path = folder / "bundled"
        if not path.with_suffix(".safetensors").is_file():
            raise CheckpointError(
                "The package has no bundled model here; install the released package, or train one: "
                "napari-fashion train training/recipes/bundled.toml."
            )
        return path
    path = Path(source)
    if path.is_dir():
        path = path / "model"
    if path.suffix in (".pt", ".pth", ".pkl", ".ckpt", ".bin"):
        raise CheckpointError(
            f"{path}: weights in pickled form are not loaded, since unpickling runs code from the "
            "file. Expected a .safetensors file with its .json."
        )
    stem = _stem(path)
    if not stem.with_name(stem.name + ".json").is_file():
        raise CheckpointError(
            f"{source}: no model there; expected a folder with model.json and model.safetensors, "
            "the path of either, or 'bundled'."
        )
    return stem


__all__ = ["FORMAT", "Model", "ModelInfo", "activate", "choose_device"]
