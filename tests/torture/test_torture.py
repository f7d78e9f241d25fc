"""A small count of what `make torture` does for half an hour."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fuzz import generated_run, mutation_run
from killing import kill_once


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_window_loses_the_last_edit_at_most(tmp_path, seed):
    kill_once(1000 + seed, tmp_path)


@pytest.mark.parametrize(
    ("kind", "runs"),
    [("bytes", 400), ("lines", 1500), ("images", 2000), ("toml", 1500), ("models", 60)],
)
def test_mutated_input_ends_in_an_answer_or_a_fashion_error(kind, runs):
    assert mutation_run(kind, runs) == runs


def test_a_killed_training_goes_on_to_the_very_same_weights():
    """In a process of its own: it forks, and a process with threads of other tests should not."""
    script = Path(__file__).with_name("training_kills.py")
    command = [sys.executable, str(script), "--kills", "7", "--full-disk", "3", "--moments", "2"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "12 disturbed runs came to the weights of the undisturbed one" in result.stdout


def test_generated_files_come_back_to_the_byte():
    assert generated_run(150) == 150
