"""From fields to garments: the greedy PifPaf decoder; imports no torch.

The method is that of Kreiss, Bertoni and Alahi, "PifPaf" (CVPR 2019) and "OpenPifPaf" (T-ITS 2021),
which calls PIF and PAF composite intensity and association fields (CIF, CAF). A high-resolution
confidence map f is accumulated from the PIF (`confidence`); its strong places are seeds; from a placed
landmark the PAF leads to the next one (`graph`), the surest connection first, each confirmed by the way
back; what a garment occupies seeds no other and belongs to the better one (`greedy`). Landmarks that are
not found can be completed (`complete`), and crops of one garment are decoded as one (`single`).

Everything here is in cells. The loops are compiled by numba on the first call of an installation
(`prepare`, `announce_compiling`), then read from its cache. They release the GIL: images can be decoded
in threads.
"""

from __future__ import annotations

from napari_fashion.engine.decode._compiled import announce_compiling
from napari_fashion.engine.decode.confidence import RESOLUTION, confidence_map
from napari_fashion.engine.decode.decoder import decode_fields, prepare
from napari_fashion.engine.decode.garment import DecodedGarment
from napari_fashion.engine.decode.options import PUBLISHED, DecoderOptions
from napari_fashion.engine.decode.trace import DecodeTrace

__all__ = [
    "PUBLISHED",
    "RESOLUTION",
    "DecodeTrace",
    "DecodedGarment",
    "DecoderOptions",
    "announce_compiling",
    "confidence_map",
    "decode_fields",
    "prepare",
]
