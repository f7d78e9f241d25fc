"""Necks: features of several strides to those that the heads read."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class RefiningBlock(nn.Module):
    """Residual depthwise 5x5 and pointwise convolutions on (B, width, H, W) features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.Conv2d(width, 2 * width, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape."""
        y: Tensor = x + self.body(x)
        return y


class SumNeck(nn.Module):
    """Project features of several strides to one width, sum them at the first one's, refine."""

    def __init__(self, channels: tuple[int, ...], width: int, blocks: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width))
            for c in channels
        )
        self.blocks = nn.Sequential(*(RefiningBlock(width) for _ in range(blocks)))

    def forward(self, features: list[Tensor]) -> Tensor:
        """Return (B, width, H, W) at the stride of the first features."""
        total: Tensor = self.laterals[0](features[0])
        for lateral, feature in zip(list(self.laterals)[1:], features[1:], strict=True):
            total = total + F.interpolate(
                lateral(feature), size=total.shape[-2:], mode="bilinear", align_corners=False
            )
        refined: Tensor = self.blocks(F.relu(total))
        return refined
