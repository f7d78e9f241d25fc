"""How a trained model is used: one block of a recipe and of ``model.json``; imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_validator

from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.limits import MAX_SIZE, MAX_SIZES
from napari_fashion.engine.padding import GREY, Colour, read_colour
from napari_fashion.options import Options


class RefinementOptions(Options):
    """The passes over a full image: detection, redetection, and refinement of each garment.

    The detection pass finds the garments of the full image. The refinement pass runs the network on
    a crop around each of them (top-down pose estimation), which localises landmarks more precisely.

    Attributes
    ----------
    margin
        Margin of the crop around the box of a garment's landmarks, as a share of the box.
    detection_size
        Longer side of the full image in the detection pass, pixels; None for
        `InferenceOptions.input_size`. The detection pass uses no flip TTA.
    redetect_size
        Longer side of a second detection pass, which runs on images that may hold more garments
        than the first pass found, pixels; None for no second pass.
    flip_tta
        Whether the refinement pass uses flip TTA; None for `InferenceOptions.flip_tta`. Without it an
        image takes about half the time, and loses little where landmarks were detected already.
    """

    margin: float = Field(default=0.2, ge=0, le=2)
    detection_size: int | None = Field(default=None, ge=32, le=MAX_SIZE)
    redetect_size: int | None = Field(default=None, ge=32, le=MAX_SIZE)
    flip_tta: bool | None = None


class VisibilityOptions(Options):
    """From what a model says of each landmark to present or not, and visible or hidden.

    A calibration is Platt's (1999): the probability is ``sigmoid(scale * logit(p) + offset)`` of what
    the network says, with values fitted on images that it did not learn from.

    Attributes
    ----------
    present_threshold
        Landmarks that are less probably there are not found, unless every landmark is to be given a
        position (`DecoderOptions.force_complete`).
    visible_threshold
        Landmarks that are found are visible from this probability on, and hidden below.
    present_scale, present_offset
        Calibration of a landmark's score, as the probability that it is there.
    visible_scale, visible_offset
        Calibration of the probability that it is visible.
    """

    present_threshold: float = Field(default=0.0, ge=0, le=1)
    visible_threshold: float = Field(default=0.5, ge=0, le=1)
    present_scale: float = Field(default=1.0, ge=0, le=100)
    present_offset: float = Field(default=0.0, ge=-100, le=100)
    visible_scale: float = Field(default=1.0, ge=0, le=100)
    visible_offset: float = Field(default=0.0, ge=-100, le=100)


class InferenceOptions(Options):
    """Options of inference, given whole: a model uses its own unless it is given others.

    Attributes
    ----------
    input_size
        Longer side of an image in the network's input, pixels; a multiple of 32.
    flip_tta
        Average predictions with those of the horizontally flipped image (flip TTA). Doubles
        inference time.
    multi_scale
        Longer sides, in pixels, whose fields are averaged on the cells of the first one (best the
        greatest); empty for `input_size` alone.
    crop_aspect
        Aspect ratio of crops in the input: the shorter side is ``longer * (shorter / longer) **
        crop_aspect``. 1 keeps the shape, 0 makes squares. Values below 1 stretch narrow garments,
        which improves localisation on thin strips. Training uses it too.
    padding
        Colour of what lies outside the image in the network's input: ``"grey"`` or ``[R, G, B]``.
        Training has the same one, unless `AugmentOptions.padding` says otherwise.
    refinement
        Passes over full images (`RefinementOptions`); None for a single pass. In TOML, ``true``
        stands for the default options and ``false`` for None.
    decoder
        Thresholds and modes of the decoder (`DecoderOptions`).
    visibility
        Thresholds and calibration of what is there and what is visible (`VisibilityOptions`).
    """

    model_config = ConfigDict(frozen=True)

    input_size: int = Field(default=256, ge=32, le=MAX_SIZE, multiple_of=32)
    flip_tta: bool = True
    multi_scale: list[Annotated[int, Field(ge=32, le=MAX_SIZE)]] = Field(
        default_factory=list, max_length=MAX_SIZES
    )
    crop_aspect: float = Field(default=0.75, ge=0, le=1)
    padding: Colour = GREY
    refinement: RefinementOptions | None = RefinementOptions()
    decoder: DecoderOptions = DecoderOptions()
    visibility: VisibilityOptions = VisibilityOptions()

    @field_validator("padding", mode="before")
    @classmethod
    def _read_padding(cls, value: Any) -> Any:
        return read_colour(value)

    @field_validator("refinement", mode="before")
    @classmethod
    def _yes_or_no(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return {} if value else None
        return value

    def overridden(
        self,
        *,
        flip_tta: bool | None = None,
        sizes: Sequence[int] | None = None,
        refine: bool | None = None,
        decoder: DecoderOptions | None = None,
    ) -> InferenceOptions:
        """Return these options with some of them replaced; None keeps an option.

        Parameters
        ----------
        flip_tta
            The option of this name, for the refinement pass too.
        decoder
            The option of this name.
        sizes
            `multi_scale`, for all passes: there is no detection size and no redetection then.
        refine
            False for a single pass; True for a refinement pass, by default options if these have none.
        """
        changes: dict[str, Any] = {}
        refinement = self.refinement
        if refine is not None:
            refinement = (refinement or RefinementOptions()) if refine else None
        if sizes is not None:
            changes["multi_scale"] = list(sizes)
            if refinement is not None:
                none = {"detection_size": None, "redetect_size": None}
                refinement = refinement.model_copy(update=none)
        if flip_tta is not None:
            changes["flip_tta"] = flip_tta
            if refinement is not None:
                refinement = refinement.model_copy(update={"flip_tta": None})
        changes["refinement"] = refinement
        if decoder is not None:
            changes["decoder"] = decoder
        return self.model_copy(update=changes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Longer sides at which the network sees an image, pixels."""
        return tuple(self.multi_scale) or (self.input_size,)
