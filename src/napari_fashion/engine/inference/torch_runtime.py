"""The network in torch, with its norms folded."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from napari_fashion.engine.inference.runtime import FieldArrays
from napari_fashion.engine.network.activation import activate_in_place
from napari_fashion.engine.network.folding import fold_norms
from napari_fashion.engine.network.network import Network


class TorchRuntime:
    """Run a network in torch.

    Parameters
    ----------
    network
        It may go on learning: its weights count as they are when an image is run.
    device
        Where the network and the images go.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self.network = network.to(device).eval()
        self.torch_device = device
        self._tensors = [*network.parameters(), *network.buffers()]
        self._folded: tuple[int, Network] | None = None

    @property
    def device(self) -> str:
        """Name of the device."""
        return str(self.torch_device)

    @torch.inference_mode()
    def run(self, images: NDArray[np.uint8]) -> FieldArrays:
        """Compute the fields of a batch; see `Runtime`."""
        x = torch.from_numpy(images).to(self.torch_device).permute(0, 3, 1, 2).float()
        network = self._for_inference()
        with torch.autocast("cuda", enabled=self.torch_device.type == "cuda"):
            heads = activate_in_place(network(x), bounded_spread=network.config.bounded_spread)
        return FieldArrays(*(part.cpu().numpy() for part in heads))

    def _for_inference(self) -> Network:
        """Return the network with its norms folded, as its weights are now."""
        version = sum(t._version for t in self._tensors)
        if self._folded is None or self._folded[0] != version:
            self._folded = (version, fold_norms(self.network))
        return self._folded[1]
