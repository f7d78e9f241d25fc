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


def as_value(value):
    """A value as TOML has it in a line; tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {as_value(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def as_toml(recipe):
    """A recipe's dictionary form as TOML."""
    lines = [f"{k} = {json.dumps(v)}" for k, v in recipe.items() if not isinstance(v, dict)]
    for key, table in recipe.items():
        if not isinstance(table, dict):
            continue
        lists = {
            k: v for k, v in table.items() if isinstance(v, list) and v and isinstance(v[0], dict)
        }
        lines.append(f"[{key}]")
        lines += [f"{k} = {as_value(v)}" for k, v in table.items() if k not in lists]
        for name, rows in lists.items():
            for row in rows:
                lines.append(f"[[{key}.{name}]]")
                lines += [f"{k} = {as_value(v)}" for k, v in row.items()]
    return "\n".join(lines)


@pytest.fixture
def toml():
    """Return `as_toml`."""
    return as_toml
