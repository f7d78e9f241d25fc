"""A recipe that names only its data."""

from __future__ import annotations

import subprocess
import sys

from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.events import EpochEvent
from napari_fashion.engine.train.recipe import Recipe


def test_a_recipe_that_names_only_its_data_trains(drawn, tmp_path):
    """Apart from sizes that a test can afford, everything has its default."""
    (tmp_path / "recipe.toml").write_text(
        "inference.input_size = 96\n"
        "schedule = {epochs = 20, batch = 8, validate_every = 20}\n"
        f'[[data.train]]\nfile = "{drawn}"\n'
    )
    recipe = Recipe.load(tmp_path / "recipe.toml")
    assert recipe.backbone_weights == "imagenet"
    events = []
    path = train(recipe, tmp_path / "run", device="cpu", emit=events.append)
    *_, last = (event for event in events if isinstance(event, EpochEvent))
    assert last.val["ne"] < 0.1  # a random place in the box: about 0.5
    model = Model.load(path, "cpu")
    images = load_sources([Source(file=str(drawn))], model.schema)
    assert evaluate_images(model, images, rounds=0).report.top1 > 0.3  # 2 of 15 categories: 0.07
    assert model.config.backbone == "efficientnet_lite0"
    assert model.info.inference.flip_tta
    assert model.info.inference.refinement is not None


def test_backbones_without_packaged_weights_start_from_random_ones():
    data = {"data": {"train": [{"file": "a.json"}]}}
    for backbone, pretrained, expected in (
        ("efficientnet_lite0", None, "imagenet"),
        ("efficientnet_lite0", "none", None),
        ("efficientnet_lite0", "a.safetensors", "a.safetensors"),
        ("resnet18", None, None),
        ("resnet18", "imagenet", "imagenet"),  # refused when it is loaded, with what is there
    ):
        recipe = Recipe.from_dict(
            {**data, "network": {"backbone": backbone}, "pretrained": pretrained}
        )
        assert recipe.backbone_weights == expected
    assert Recipe.from_dict({**data, "start_from": "bundled"}).backbone_weights is None


def test_a_recipe_is_checked_without_torch(tmp_path):
    (tmp_path / "recipe.toml").write_text('[[data.train]]\nfile = "a.json"\n')
    code = (
        "import sys\n"
        "from napari_fashion.engine.train import events, runs\n"
        "from napari_fashion.engine.train.recipe import Recipe\n"
        "Recipe.load(sys.argv[1]).to_dict()\n"
        "sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "recipe.toml")]
    assert subprocess.run(command, check=False).returncode == 0
