"""The public CC0 garment photos that our landmark files belong to: fetch, verify, locate."""

from napari_fashion.datasets.fetching import FetchReport
from napari_fashion.datasets.photos.fetch import fetch
from napari_fashion.datasets.photos.locate import default_folder, landmarks, locate
from napari_fashion.datasets.photos.split import category_document, senders

__all__ = [
    "FetchReport",
    "category_document",
    "default_folder",
    "fetch",
    "landmarks",
    "locate",
    "senders",
]
