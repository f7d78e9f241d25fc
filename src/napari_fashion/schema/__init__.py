"""Landmark schemas: data that heads, decoder, losses, metrics and layers read."""

from napari_fashion.schema._derived import slug
from napari_fashion.schema._queries import Category
from napari_fashion.schema._schema import BUNDLED, Schema

__all__ = ["BUNDLED", "Category", "Schema", "slug"]
