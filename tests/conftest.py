"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["trained_runs"]

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")  # a slow machine is no fault of the code

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def photos_dir() -> Path:
    """Folder of the CC0 photos (`images/`, `train.json`, `test.json`), or skip."""
    folder = Path(os.environ.get("NAPARI_FASHION_PHOTOS", SHARED / "data" / "garments"))
    if not (folder / "images").is_dir():
        pytest.skip(
            "the CC0 garment photos are not here; run `napari-fashion fetch` and set "
            "NAPARI_FASHION_PHOTOS to the folder"
        )
    return folder


@pytest.fixture(scope="session")
def people_dir() -> Path:
    """Folder of the street photos (`images/`, `unlabelled/`, `train.json`), or skip."""
    folder = Path(os.environ.get("NAPARI_FASHION_PEOPLE", SHARED / "data" / "people"))
    if not (folder / "images").is_dir():
        pytest.skip(
            "the street photos are not here; run `napari-fashion fetch people` and set "
            "NAPARI_FASHION_PEOPLE to the folder"
        )
    return folder


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """Folder of reference fields and what the reference decoder finds in them, or skip."""
    folder = Path(os.environ.get("NAPARI_FASHION_REFERENCE", SHARED / "reference"))
    if not any(folder.glob("case_*.npz")):
        pytest.skip("the reference fields are not here; set NAPARI_FASHION_REFERENCE to the folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory):
    """A person's own keys don't matter to the tests, and theirs are not the person's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))
        yield


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory, monkeypatch):
    """Journals of folders that cannot be written go to the state folder: not to the user's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))
