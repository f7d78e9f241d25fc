"""The model: network, schema and options; images in, fields and predictions out.

Importing this imports no torch: what runs the network is imported when a model is loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.inference.pipeline import Pipeline
from napari_fashion.engine.inference.runtime import Runtime, RuntimeName
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.model_file import (
    ModelFile,
    ModelInfo,
    read_model_file,
    stem_of,
    write_description,
)
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.prediction import Prediction
from napari_fashion.errors import CheckpointError
from napari_fashion.files import atomic_write
from napari_fashion.images import to_rgb
from napari_fashion.schema import Schema

if TYPE_CHECKING:
    import torch

    from napari_fashion.engine.network.network import Network

_log = logging.getLogger(__name__)


class Model:
    """What runs a network, with everything that is needed to use it.

    Parameters
    ----------
    runtime
        Runs the network.
    schema
        Of what it predicts.
    config
        The network's shape.
    info
        See `ModelInfo`.
    model_id
        Name and digest of the weights; None if they are the network's, and may still change.
    """

    def __init__(
        self,
        runtime: Runtime,
        schema: Schema,
        config: NetworkConfig,
        info: ModelInfo,
        model_id: str | None = None,
    ) -> None:
        self.schema = schema
        self.config = config
        self.info = info
        self.pipeline = Pipeline(runtime, schema, config, lambda: self.id)
        self._id = model_id

    @classmethod
    def of_network(
        cls, network: Network, schema: Schema, info: ModelInfo, device: torch.device | None = None
    ) -> Model:
        """Return a model of a network in torch, which moves to `device` (the CPU by default)."""
        import torch

        from napari_fashion.engine.inference.torch_runtime import TorchRuntime

        runtime = TorchRuntime(network, device or torch.device("cpu"))
        return cls(runtime, schema, network.config, info)

    @classmethod
    def create(
        cls, config: NetworkConfig, schema: Schema, info: ModelInfo, device: torch.device
    ) -> Model:
        """Return a model with random weights (of torch's global seed)."""
        from napari_fashion.engine.network.network import Network

        fields = Layers.of(schema, config.layers).field_schema
        network = Network(config, fields.n_landmarks, len(fields.edges), len(fields.categories))
        return cls.of_network(network, schema, info, device)

    @property
    def runtime(self) -> Runtime:
        """What runs the network."""
        return self.pipeline.runtime

    @property
    def network(self) -> Network:
        """The network in torch.

        Raises
        ------
        CheckpointError
            If the model is an exported one.
        """
        network: Network | None = getattr(self.runtime, "network", None)
        if network is None:
            raise CheckpointError(
                f"{self.id} is exported (ONNX) and has no network to train or to save; expected the "
                "model that it was exported from."
            )
        return network

    @property
    def layers(self) -> Layers:
        """Which of the network's fields are of which landmarks."""
        return self.pipeline.layers

    @property
    def inference(self) -> InferenceOptions:
        """How the model is used, unless other options are given."""
        return self.info.inference

    @property
    def member_names(self) -> tuple[str, ...]:
        """None: it is no set of models (`ModelSet`)."""
        return ()

    @property
    def runs_on(self) -> str:
        """The kind of device and of runtime."""
        return self.runtime.device.split(":")[0] + type(self.runtime).__name__

    def only(self, body_types: Sequence[str]) -> Model:
        """Return itself, which is for all body types (`ModelSet.only`)."""
        return self

    @property
    def id(self) -> str:
        """Name and a digest of the weights. Options of inference are not in it."""
        if self._id is None:
            from napari_fashion.engine.network.files import id_of, state_of

            self._id = id_of(self.info.name, state_of(self.network))
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
            If a weight is too great for float16, or the model is an exported one.
        """
        import hashlib

        from safetensors.torch import save

        from napari_fashion.engine.network.files import id_of, in_full, rounded, state_of

        stem = stem_of(Path(path))
        state = state_of(self.network)
        if half:
            state = rounded(state, stem)
        weights = save(state)
        target = stem.with_name(stem.name + ".json")
        atomic_write(stem.with_name(stem.name + ".safetensors"), weights)
        write_description(
            target,
            self.info,
            self.config,
            self.schema,
            model_id=id_of(self.info.name, in_full(state)),
            weights="safetensors",
            weights_sha256=hashlib.sha256(weights).hexdigest(),
            parameters=sum(p.numel() for p in self.network.parameters()),
        )
        return target

    @classmethod
    def load(
        cls,
        source: Path | str = "bundled",
        device: str | torch.device = "auto",
        runtime: RuntimeName = "auto",
        *,
        threads: int | None = None,
    ) -> Model:
        """Load a model.

        Parameters
        ----------
        source
            The name of a packaged model (`PACKAGED_MODELS`), a folder that holds ``model.json``, or the
            path of a model's ``.json``, ``.safetensors`` or ``.onnx``.
        device
            ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``...; an exported model runs on the CPU.
        runtime
            What is to run it; ``"auto"`` for what its file is for.
        threads
            CPU threads, of the whole process for torch; None for as many as there are cores.

        Raises
        ------
        CheckpointError
            If a file is missing, damaged, of another format, or weights and JSON do not belong
            together, or it is a set of models (`model_set.load_model` takes both). Weights are never
            unpickled: anything but safetensors and ONNX is refused.
        """
        return cls.of_file(read_model_file(source), device, runtime, threads=threads)

    @classmethod
    def of_file(
        cls,
        file: ModelFile,
        device: str | torch.device = "auto",
        runtime: RuntimeName = "auto",
        *,
        threads: int | None = None,
    ) -> Model:
        """Load the model of a description that was read; otherwise as `load`."""
        kind = file.description.weights
        if runtime != "auto" and (runtime == "onnx") != (kind == "onnx"):
            remedy = (
                "Export it: napari-fashion export-model MODEL --out FILE.onnx."
                if runtime == "onnx"
                else "Use the model that it was exported from, or its own runtime."
            )
            raise CheckpointError(
                f"{file.weights}: its runtime is {'onnx' if kind == 'onnx' else 'torch'}; got {runtime}. "
                f"{remedy}"
            )
        load = cls._exported if kind == "onnx" else cls._trained
        model = load(file, device, threads)
        _log.info("model %s of %s on %s", model.id, file.path, model.runtime.device)
        return model

    @classmethod
    def _trained(cls, file: ModelFile, device: str | torch.device, threads: int | None) -> Model:
        import torch

        from napari_fashion.engine.devices import choose_device
        from napari_fashion.engine.network.files import load_network

        if threads:
            torch.set_num_threads(threads)
        network = load_network(file)
        chosen = choose_device(device) if isinstance(device, str) else device
        return cls.of_network(network, file.schema, file.description.info, chosen)

    @classmethod
    def _exported(cls, file: ModelFile, device: str | torch.device, threads: int | None) -> Model:
        from napari_fashion.engine.inference.onnx_runtime import OnnxRuntime

        if str(device) not in ("auto", "cpu"):
            raise CheckpointError(
                f"{file.weights}: an exported model runs on the CPU; got device {device}. Use auto or cpu."
            )
        described = file.description
        return cls(
            OnnxRuntime.load(file, threads),
            file.schema,
            described.network,
            described.info,
            described.id,
        )

    # -- using it --------------------------------------------------------------------------

    def fields(self, image: NDArray[Any]) -> Fields:
        """Compute the fields of one image, a (H, W[, channels]) array, by the model's own options."""
        return self.fields_batch([image])[0]

    def fields_batch(
        self,
        images: Sequence[NDArray[Any]],
        options: InferenceOptions | None = None,
        *,
        crop: bool = False,
    ) -> list[Fields]:
        """Compute the fields of several images in a single pass, those of one input size in one batch.

        Parameters
        ----------
        images
            (H, W[, channels]) arrays; what is not uint8 RGB is converted (`to_rgb`).
        options
            Given whole; the model's own by default. Refinement and decoder do not matter here.
        crop
            Whether the images are crops of one garment each (`InferenceOptions.crop_aspect`).
        """
        options = options or self.inference
        aspect = options.crop_aspect if crop else 1.0
        rgb = [to_rgb(image) for image in images]
        return self.pipeline.fields(
            rgb, options.sizes, flip=options.flip_tta, padding=options.padding, aspect=aspect
        )

    def predict(
        self,
        images: Sequence[NDArray[Any]],
        options: InferenceOptions | None = None,
        *,
        crop: bool | None = None,
    ) -> list[Prediction]:
        """Predict the garments of each image; see `predict_with_fields`."""
        both = self.predict_with_fields(images, options, crop=crop)
        return [prediction for _, prediction in both]

    def predict_with_fields(
        self,
        images: Sequence[NDArray[Any]],
        options: InferenceOptions | None = None,
        *,
        crop: bool | None = None,
    ) -> list[tuple[Fields, Prediction]]:
        """Compute each image's fields and find its garments, coordinates in its own pixels.

        Parameters
        ----------
        images
            (H, W[, channels]) arrays; what is not uint8 RGB is converted (`to_rgb`).
        options
            Given whole; the model's own by default.
        crop
            Whether the images are crops of one garment each, which get
            `InferenceOptions.crop_aspect` and no refinement pass; None for what
            ``options.decoder.single_instance`` says.

        Returns
        -------
        Of each image, the fields of the pass that its garments were detected in, and the garments.
        """
        options = options or self.inference
        if crop is None:
            crop = options.decoder.single_instance
        return self.pipeline.predict([to_rgb(i) for i in images], options, crop=crop)

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
            Of the decoder; the model's own by default.
        """
        inference = self.inference
        if options is not None:
            inference = inference.overridden(decoder=options)
        return self.pipeline.decode(fields, size, inference)


__all__ = ["Model", "ModelInfo"]
