"""Landmark schemas: data that heads, decoder, losses, metrics and layers read."""

from napari_fashion.schema._schema import BUNDLED, Category, Schema

__all__ = ["BUNDLED", "Category", "Schema"]
