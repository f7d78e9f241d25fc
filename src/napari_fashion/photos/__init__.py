"""The public CC0 garment photos that our landmark files belong to: fetch, verify, locate."""

from napari_fashion.photos.fetch import FetchReport, fetch
from napari_fashion.photos.locate import default_folder, landmarks, locate

__all__ = ["FetchReport", "default_folder", "fetch", "landmarks", "locate"]
