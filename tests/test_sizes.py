"""Files and functions stay small enough to be read in one go."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_FILE, MOST_FUNCTION = 500, 60
"""Numbers of lines; the docstring of a function is not counted."""

LONGER = {}
"""Functions that may be longer, each with its reason; at most five."""


def python_files():
    for folder in ("src", "training", "benchmarks"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def functions(file):
    """Yield the qualified name and the number of lines of each function of a file."""

    def walk(node, prefix):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                n = child.end_lineno - child.lineno + 1
                if ast.get_docstring(child) is not None:
                    docstring = child.body[0]
                    n -= docstring.end_lineno - docstring.lineno + 1
                yield f"{prefix}{child.name}", n
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")
            else:
                yield from walk(child, prefix)

    yield from walk(ast.parse(file.read_text("utf-8")), "")


def test_no_file_is_longer_than_it_may_be():
    lengths = {p.relative_to(ROOT): len(p.read_text("utf-8").splitlines()) for p in python_files()}
    assert len(lengths) > 100
    assert {str(p): n for p, n in lengths.items() if n > MOST_FILE} == {}


def test_no_function_is_longer_than_it_may_be():
    found = {
        f"{file.relative_to(ROOT).as_posix()}:{name}": n
        for file in python_files()
        for name, n in functions(file)
        if n > MOST_FUNCTION
    }
    assert len(LONGER) <= 5
    assert {name: n for name, n in found.items() if name not in LONGER} == {}
    assert set(LONGER) <= set(found), "the list names functions that are short enough"
