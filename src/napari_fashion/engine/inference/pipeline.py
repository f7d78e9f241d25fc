"""The passes of a prediction: detection, redetection, refinement.

The detection pass finds the garments of full images. Where an image may hold more, it is detected
in again at a greater size. The refinement pass runs the network on a crop around each garment.
Crops of one garment need a single pass.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from napari_fashion.engine.decode import DecoderOptions, decode_fields
from napari_fashion.engine.fields import Fields, average_fields
from napari_fashion.engine.inference.layering import filling_most, found_once
from napari_fashion.engine.inference.options import InferenceOptions, RefinementOptions
from napari_fashion.engine.inference.postprocess import (
    category_probabilities,
    fields_of,
    judged_presence,
    possible_garment,
    predicted_garment,
)
from napari_fashion.engine.inference.preprocess import batches, place
from napari_fashion.engine.inference.refinement import (
    crop_around,
    may_hide_more,
    merge,
    sees_more,
)
from napari_fashion.engine.inference.runtime import FieldArrays, Runtime
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.padding import Colour
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.images.transforms import Crop, RGBImage
from napari_fashion.schema import Schema

_log = logging.getLogger(__name__)

MAX_CROPS = 16
"""Crops in one refinement batch, or as many as there are images: many garments must not take memory
without end."""
LEAST_REDETECTED = 4
"""Images in one redetection batch at least; a quarter of the images otherwise, as each is larger."""


class Pipeline:
    """A runtime with what its fields mean.

    Parameters
    ----------
    runtime
        Runs the network.
    schema
        Of its channels.
    config
        Of the network: stride and margin of its input.
    identify
        Returns the id of the model, which predictions carry.
    """

    def __init__(
        self,
        runtime: Runtime,
        schema: Schema,
        config: NetworkConfig,
        identify: Callable[[], str],
    ) -> None:
        self.runtime = runtime
        self.schema = schema
        self.config = config
        self.identify = identify
        self.layers = Layers.of(schema, config.layers)
        self._said_no_flips = False

    def fields(
        self,
        images: Sequence[RGBImage],
        sizes: Sequence[int],
        *,
        flip: bool,
        padding: Colour,
        aspect: float = 1.0,
    ) -> list[Fields]:
        """Compute each image's fields.

        Parameters
        ----------
        images
            (H, W, 3) uint8 RGB each.
        sizes
            Longer sides in the network's input, pixels; the fields of further ones are averaged on
            the cells of the first.
        flip
            Whether to use flip TTA; without effect for a schema whose flips are not known.
        padding
            Colour of what lies outside the images in the network's input.
        aspect
            See `preprocess.place`.
        """
        if flip and not self.schema.mirrors:
            flip = False
            self._say_no_flips()
        scales = [self._fields_at(images, size, flip, padding, aspect) for size in sizes]
        return [average_fields(fields) for fields in zip(*scales, strict=True)]

    def _say_no_flips(self) -> None:
        if not self._said_no_flips:
            self._said_no_flips = True
            _log.warning("flip TTA is off: %s", self.schema.mirror_problem)

    def _fields_at(
        self,
        images: Sequence[RGBImage],
        size: int,
        flip: bool,
        padding: Colour,
        aspect: float,
    ) -> list[Fields]:
        """Compute each image's fields at one size."""
        places = [place((i.shape[1], i.shape[0]), size, self.config, aspect) for i in images]
        found: dict[int, Fields] = {}
        for batch in batches(images, places, flip=flip, padding=padding):
            arrays = self.runtime.run(batch.pixels)
            n = len(batch.indices)
            own = zip(*arrays.rows(0, n), strict=True)
            flipped = zip(*arrays.rows(n, 2 * n), strict=True) if flip else [None] * n
            for index, placement, one, other in zip(
                batch.indices, batch.placements, own, flipped, strict=True
            ):
                found[index] = fields_of(
                    FieldArrays(*one),
                    placement,
                    self.layers.field_schema,
                    self.config.stride,
                    None if other is None else FieldArrays(*other),
                )
        return [found[i] for i in range(len(images))]

    def decode(
        self, fields: Fields, size: tuple[int, int], options: InferenceOptions
    ) -> Prediction:
        """Find the garments in an image's fields.

        Parameters
        ----------
        fields
            Of one image, by this network.
        size
            The image's width and height; no landmark lies beyond its edges.
        options
            Decoder and visibility count.
        """
        return self._judged(self.find(fields, size, options.decoder), options)

    def find(
        self,
        fields: Fields,
        size: tuple[int, int],
        options: DecoderOptions,
        layer: int | None = None,
    ) -> Prediction:
        """Find the garments, before what is there and what is visible is told apart.

        Parameters
        ----------
        fields, size
            As for `decode`.
        options
            Of the decoder.
        layer
            In whose fields; None for all, in which no garment is found twice.
        """
        found: list[PredictedGarment] = []
        for n in range(len(self.layers.layers)) if layer is None else [layer]:
            found += self._decode_layer(fields, size, options, n)
        if len(self.layers.layers) > 1 and layer is None:
            if options.single_instance:
                whole = category_probabilities(fields, np.zeros((0, 2)), self.config.category_pool)
                mass = self.layers.mass(whole)
                found = filling_most(found, size, options.landmark_threshold, mass)
            else:
                found = found_once(found, self.schema.sigmas, options.landmark_threshold)
        return Prediction(tuple(found), size[0], size[1], self.identify())

    def _decode_layer(
        self, fields: Fields, size: tuple[int, int], options: DecoderOptions, layer: int
    ) -> list[PredictedGarment]:
        part = self.layers.part_of(fields, layer)
        if self.layers.is_one:
            decoded = decode_fields(part, self.schema, options)
        else:
            sets = self.layers.layers[layer].sets
            decoded = decode_fields(part, None, options, landmark_sets=sets)
        garments = (
            predicted_garment(part, d, size, self.layers, layer, self.config, options)
            for d in decoded
        )
        return [garment for garment in garments if garment is not None]

    def _judged(self, prediction: Prediction, options: InferenceOptions) -> Prediction:
        """Say what is there and what is visible."""
        judged = (
            judged_presence(garment, self.schema, options.decoder, options.visibility)
            for garment in prediction.garments
        )
        kept = tuple(garment for garment in judged if garment is not None)
        return replace(prediction, garments=kept)

    def predict(
        self, images: Sequence[RGBImage], options: InferenceOptions, *, crop: bool
    ) -> list[tuple[Fields, Prediction]]:
        """Compute each image's fields and find its garments, coordinates in its own pixels.

        Parameters
        ----------
        images
            (H, W, 3) uint8 RGB each.
        options
            Given whole. Refinement is for full images: it is not used with `crop` or with a decoder that
            finds exactly one garment.
        crop
            Whether the images are crops of one garment each.

        Returns
        -------
        Fields of the full image, as the garments were detected in them, and what was found.
        """
        decoder = options.decoder
        refinement = None if crop or decoder.single_instance else options.refinement
        if refinement is None:
            aspect = options.crop_aspect if crop else 1.0
            fields = self.fields(
                images, options.sizes, flip=options.flip_tta, padding=options.padding, aspect=aspect
            )
            found = self._decode_all(fields, images, decoder)
            return list(zip(fields, (self._judged(p, options) for p in found), strict=True))
        size = refinement.detection_size
        sizes = options.sizes if size is None else [size]
        fields = self.fields(images, sizes, flip=False, padding=options.padding)
        predictions = self._decode_all(fields, images, decoder)
        if refinement.redetect_size is not None:
            self._redetect(images, fields, predictions, options, refinement.redetect_size)
        predictions = self._refine(images, predictions, options, refinement)
        return list(zip(fields, (self._judged(p, options) for p in predictions), strict=True))

    def _decode_all(
        self, fields: Sequence[Fields], images: Sequence[RGBImage], options: DecoderOptions
    ) -> list[Prediction]:
        return [
            self.find(f, (image.shape[1], image.shape[0]), options)
            for f, image in zip(fields, images, strict=True)
        ]

    def _redetect(
        self,
        images: Sequence[RGBImage],
        fields: list[Fields],
        predictions: list[Prediction],
        options: InferenceOptions,
        size: int,
    ) -> None:
        """Detect at `size` in images that may hold more; replace what was found if that sees more."""
        threshold = options.decoder.landmark_threshold
        unsure = [i for i, p in enumerate(predictions) if may_hide_more(p, threshold)]
        step = max(len(images) // 4, LEAST_REDETECTED)
        for start in range(0, len(unsure), step):
            indices = unsure[start : start + step]
            chosen = [images[i] for i in indices]
            larger = self.fields(chosen, [size], flip=False, padding=options.padding)
            again = self._decode_all(larger, chosen, options.decoder)
            for i, f, prediction in zip(indices, larger, again, strict=True):
                if sees_more(prediction, predictions[i]):
                    fields[i], predictions[i] = f, prediction

    def _refine(
        self,
        images: Sequence[RGBImage],
        predictions: Sequence[Prediction],
        options: InferenceOptions,
        refinement: RefinementOptions,
    ) -> list[Prediction]:
        """Place the landmarks of every garment by a pass over its crop."""
        threshold = options.decoder.landmark_threshold
        flip = options.flip_tta if refinement.flip_tta is None else refinement.flip_tta
        owners: list[tuple[int, int]] = []
        crops: list[Crop] = []
        for i, (image, prediction) in enumerate(zip(images, predictions, strict=True)):
            for j, garment in enumerate(prediction.garments):
                crop = crop_around(image, garment, threshold, refinement.margin)
                if crop is not None:
                    owners.append((i, j))
                    crops.append(crop)
        decoder = options.decoder.model_copy(update={"single_instance": True})
        garments: list[list[PredictedGarment | None]] = [list(p.garments) for p in predictions]
        step = max(len(images), MAX_CROPS)
        for start in range(0, len(crops), step):
            chosen = slice(start, start + step)
            views = [crop.image for crop in crops[chosen]]
            fields = self.fields(
                views,
                options.sizes,
                flip=flip,
                padding=options.padding,
                aspect=options.crop_aspect,
            )
            for (i, j), crop, view in zip(owners[chosen], crops[chosen], fields, strict=True):
                detected = predictions[i].garments
                size = crop.image.shape[1], crop.image.shape[0]
                prediction = self.find(view, size, decoder, detected[j].layer)
                if not prediction.garments:
                    continue
                # Landmarks of another layer are looked for in fields of their own.
                others = [
                    other
                    for n, other in enumerate(detected)
                    if n != j and other.layer == detected[j].layer
                ]
                merged = merge(detected[j], prediction.garments[0], crop, others, threshold)
                garments[i][j] = possible_garment(merged, self.schema, options.decoder)
        return [
            replace(p, garments=tuple(g for g in kept if g is not None))
            for p, kept in zip(predictions, garments, strict=True)
        ]
