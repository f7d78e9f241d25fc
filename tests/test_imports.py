"""The rooms that run without a window import none of what makes one, and no import goes in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

FORBIDDEN = (
    "napari",
    "qtpy",
    "PyQt5",
    "PyQt6",
    "PySide6",
    "magicgui",
    "superqt",
    "napari_fashion.app",
)


@pytest.mark.parametrize(
    ("module", "beside"),
    [
        ("napari_fashion.schema", ("torch", "numba")),
        ("napari_fashion.coco", ("torch", "numba", "napari_fashion.engine")),
        ("napari_fashion.coco", ("napari_fashion.editing",)),
        ("napari_fashion.editing.opening", ("torch", "numba")),
        ("napari_fashion.editing.predictions", ("torch", "numba")),
        ("napari_fashion.datasets.photos", ("torch", "numba", "napari_fashion.engine")),
        ("napari_fashion.datasets.people", ("torch", "numba", "napari_fashion.engine")),
        ("napari_fashion.datasets.procedural", ("torch", "numba", "napari_fashion.engine")),
        ("napari_fashion.datasets.opening", ("torch", "numba", "scipy", "napari_fashion.engine")),
        ("napari_fashion.engine.data.reading", ("torch", "numba")),
        ("napari_fashion.engine.data.sampling", ("torch", "numba")),
        ("napari_fashion.engine.data.split", ("torch", "numba")),
        ("napari_fashion.engine.evaluation.matching", ("torch", "numba")),
        ("napari_fashion.engine.evaluation.report", ("torch", "numba")),
        ("napari_fashion.engine.train.recipe", ("torch",)),
        ("napari_fashion.engine.train.fine_tuning", ("torch", "numba")),
        ("napari_fashion.engine.train.run_schema", ("torch", "numba")),
        ("napari_fashion.engine.train.events", ("torch", "numba")),
        ("napari_fashion.engine.train.runs", ("torch", "numba")),
        ("napari_fashion.engine.train.trainer", ()),
        ("napari_fashion.engine.model", ("torch", "torchvision", "timm", "onnx", "onnxruntime")),
        ("napari_fashion.engine.inference.pipeline", ("torch", "onnx", "onnxruntime")),
        ("napari_fashion.engine.inference.options", ("torch", "torchvision")),
        ("napari_fashion.engine.decode", ("torch", "torchvision")),
        ("napari_fashion.engine.network.config", ("torch", "torchvision", "timm", "numba")),
        ("napari_fashion.engine.network.heads", ("torch", "numba")),
        ("napari_fashion.engine.network.network", ("torchvision", "timm", "numba")),
        ("napari_fashion.cli", ("torch", "numba")),
    ],
)
def test_a_room_imports_only_what_it_may(module, beside):
    code = (
        f"import sys, {module}\n"
        f"bad = [m for m in {FORBIDDEN + beside} if m in sys.modules]\n"
        "print(bad); sys.exit(bool(bad))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


SRC = Path(__file__).resolve().parents[1] / "src"

LAZY = {
    "napari_fashion.app.jobs.predict": "torch takes seconds to import",
    "napari_fashion.app.sample_data": "samples are made without Qt as well",
    "napari_fashion.app.viewer.reader": "napari asks for readers without Qt",
    "napari_fashion.coco.results": "coco loads no engine",
    "napari_fashion.datasets.opening": "scipy is needed for procedural sources only",
    "napari_fashion.engine.model": "a model that ONNX Runtime runs needs no torch",
    "napari_fashion.engine.network.backbones.catalogue": "only the backbone that is asked for",
}
"""Modules that import others of ours inside functions, with their reasons; commands (`cli`) all may."""


@cache
def import_graph():
    """Return the imports of each module: pairs of a module of ours and whether it is imported lazily."""
    files = {}
    for file in SRC.rglob("*.py"):
        parts = file.relative_to(SRC).with_suffix("").parts
        files[".".join(parts).removesuffix(".__init__")] = file
    graph = {}
    for name, file in files.items():
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        found = set(imports(ast.parse(file.read_text("utf-8")), package, lazy=False))
        graph[name] = {
            (target if target in files else target.rpartition(".")[0], lazy)
            for target, lazy in found
            if target in files or target.rpartition(".")[0] in files
        } - {(name, False), (name, True)}
    return graph


def imports(node, package, *, lazy):
    """Yield what a tree imports, by absolute names; those under ``TYPE_CHECKING`` count as well."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, lazy) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - child.level]
            parts = [*(above if child.level else ()), *([child.module] if child.module else ())]
            yield from ((".".join([*parts, alias.name]), lazy) for alias in child.names)
        is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        yield from imports(child, package, lazy=lazy or is_function)


def first_circle(graph):
    """Return the modules of one circle of imports, in order; empty if there is none."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return path[path.index(name) :]
        if name not in done:
            path.append(name)
            for target in sorted(graph[name]):
                if circle := visit(target):
                    return circle
            path.pop()
            done.add(name)
        return []

    return next(filter(None, map(visit, sorted(graph))), [])


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"d", "b"}, "d": set()}
    assert first_circle(graph) == ["b", "c"]
    assert first_circle({**graph, "c": {"d"}}) == []


@pytest.mark.parametrize("with_lazy", [False, True])
def test_no_import_goes_in_a_circle(with_lazy):
    graph = {
        name: {target for target, lazy in found if with_lazy or not lazy}
        for name, found in import_graph().items()
    }
    assert sum(map(len, graph.values())) > 300
    assert first_circle(graph) == []


def test_lazy_imports_have_a_reason():
    found = {
        name
        for name, targets in import_graph().items()
        if any(lazy for _, lazy in targets) and not name.startswith("napari_fashion.cli")
    }
    assert found == set(LAZY)
