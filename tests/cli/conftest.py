from __future__ import annotations

import json
import subprocess
import sys

import pytest

from drawn import draw_dataset, tiny_recipe


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """COCO file of 24 drawn garments."""
    return draw_dataset(tmp_path_factory.mktemp("cli"), 24)


@pytest.fixture(scope="session")
def run(drawn, tmp_path_factory):
    """A run made by the command itself, with its events, and the command."""
    folder = tmp_path_factory.mktemp("runs")
    path = folder / "tiny.toml"
    path.write_text(as_toml(tiny_recipe(drawn)))
    command = [sys.executable, "-m", "napari_fashion", "train", str(path), "--run", str(folder / "run"),
               "--device", "cpu", "--threads", "1", "--events", "jsonl"]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return folder / "run", [json.loads(line) for line in result.stdout.splitlines()], command


def as_toml(recipe, prefix=""):
    """A recipe's dictionary form as TOML."""
    lines, tables = [], []
    for key, value in recipe.items():
        name = json.dumps(key) if "." in key else key
        if isinstance(value, dict):
            tables += [f"[{prefix}{name}]", as_toml(value, f"{prefix}{name}.")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for row in value:
                tables += [f"[[{prefix}{name}]]", as_toml(row, f"{prefix}{name}.")]
        else:
            lines.append(f"{name} = {json.dumps(value)}")
    return "\n".join([*lines, *tables])


@pytest.fixture
def toml():
    """Return `as_toml`."""
    return as_toml
