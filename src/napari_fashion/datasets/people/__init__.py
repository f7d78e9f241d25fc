"""Street photos with landmarks of the garments that people wear: fetch, verify, locate."""

from napari_fashion.datasets.fetching import FetchReport
from napari_fashion.datasets.people.fetch import fetch
from napari_fashion.datasets.people.locate import default_folder, landmarks, locate
from napari_fashion.datasets.people.splits import SPLITS, UNLABELLED, document
from napari_fashion.datasets.people.tags import category_map, kinds, map_text, schema_of

__all__ = [
    "SPLITS",
    "UNLABELLED",
    "FetchReport",
    "category_map",
    "default_folder",
    "document",
    "fetch",
    "kinds",
    "landmarks",
    "locate",
    "map_text",
    "schema_of",
]
