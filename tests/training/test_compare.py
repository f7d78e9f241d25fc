"""The short runs that tell what a measure brings (training/compare.py) differ in that measure alone."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from napari_fashion.engine.renamed import FORMAT


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("compare")


def changed(before, after):
    """Dotted names of what differs in two recipes' dictionaries."""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        return {
            f"{name}.{rest}" if rest else name
            for name in before
            for rest in changed(before[name], after[name])
        }
    return set() if before == after else {""}


def test_every_measure_is_a_recipe_that_differs_from_the_plain_one_in_it_alone(script):
    plain = script.recipe_of("plain", 3, 150).to_dict()
    assert plain["seed"] == 3
    assert plain["schedule"]["max_steps"] == 150
    for name, (_, change) in script.MEASURES.items():
        one = script.recipe_of(name, 3, 150).to_dict()
        asked = {
            f"{part}.{field}" if isinstance(value, dict) else part
            for part, value in change.items()
            for field in (value if isinstance(value, dict) else [""])
        }
        assert changed(plain, one) == asked, name


def test_a_finished_run_is_not_made_again_and_each_seed_has_its_own(script, tmp_path, monkeypatch):
    made = []

    def train(recipe, folder, **options):
        made.append((folder.name, recipe.seed, options["resume"]))
        folder.mkdir(exist_ok=True)
        (folder / "recipe.json").write_text(json.dumps({"format": FORMAT, **recipe.to_dict()}))
        (folder / "model.json").write_text("{}")
        (folder / "events.jsonl").write_text(
            '{"event": "done", "model": "model.json", "seconds": 1}\n'
        )
        return folder / "model.json"

    monkeypatch.setattr(script, "train", train)
    for name, seed in (("plain", 0), ("plain", 1), ("erase", 1)):
        script._run(name, seed, tmp_path, 20)
    assert script._run("plain", 1, tmp_path, 20) == tmp_path / "plain-1" / "model.json"
    assert made == [("plain", 0, False), ("plain-1", 1, False), ("erase-1", 1, False)]
    (tmp_path / "plain" / "events.jsonl").write_text('{"event": "step"}\n')
    (tmp_path / "plain" / "state.json").write_text("{}")
    script._run("plain", 0, tmp_path, 20)  # it was cut off: it goes on
    assert made[-1] == ("plain", 0, True)
    script.refuse_other_runs(["plain", "erase"], [0, 1], tmp_path, 20)
    with pytest.raises(SystemExit, match=r"plain-1 holds a run by another recipe"):
        script.refuse_other_runs(["plain"], [1], tmp_path, 40)
    monkeypatch.setitem(script.MEASURES, "erase", ("more of it", {"augment": {"erase": 0.5}}))
    with pytest.raises(SystemExit, match=r"erase-1 holds a run by another recipe"):
        script.refuse_other_runs(["plain", "erase"], [0, 1], tmp_path, 20)


def judged(error, right):
    """An evaluation of five photos, all landmarks as far off, all categories right or wrong."""
    photos = [
        SimpleNamespace(
            key=key,
            errors=np.full(8, error),
            visibility=np.full(8, 2),
            probabilities=np.array([right, 1 - right]),
            category=0,
        )
        for key in range(5)
    ]
    return SimpleNamespace(judged=photos)


def test_a_row_has_the_seeds_mean_and_each_seeds_difference_to_its_own_plain_run(script):
    plain = [judged(0.10, 0), judged(0.20, 1)]
    row = script._row("more", plain, [judged(0.12, 1), judged(0.16, 1)])
    errors = "0.1400 | -0.0100 (-0.0100 to -0.0100); +0.0200, -0.0400"
    right = "100.0 % | +50.0 (+50.0 to +50.0); +100.0, +0.0"
    assert row == f"| more | {errors} | {errors} | {right} |"
    assert script._row("more", plain[:1], [judged(0.12, 1)]).startswith(
        "| more | 0.1200 | +0.0200 (+0.0200 to +0.0200) | "
    )
