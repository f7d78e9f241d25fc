"""OpenPifPaf's side of bench_training.py; runs in a Python that has OpenPifPaf 0.13.

    python peer_training.py COCO.json BACKBONE BATCH SIZE STEPS THREADS

Prints the seconds of each step, data loading and augmentation included.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np
import openpifpaf
import torch

HAS_SCIPY = importlib.util.find_spec("scipy") is not None
SIGMAS = [0.079, 0.079, 0.062, 0.062, 0.107, 0.107, 0.089, 0.089]
EQUAL_STRIDES = ["--resnet-pool0-stride=2", "--resnet-block5-dilation=2"]
"""Strides of every stage as ours are: a pooled stem, and a last stage that stays at stride 16."""


def make_heads(category):
    """Return the two heads for a category of a COCO file: fields at half the backbone's stride."""
    skeleton = [tuple(edge) for edge in category["skeleton"]]
    names = category["keypoints"]
    common = {"keypoints": names, "sigmas": SIGMAS, "pose": np.ones((len(names), 3))}
    pif = openpifpaf.headmeta.Cif("cif", "garments", draw_skeleton=skeleton, **common)
    paf = openpifpaf.headmeta.Caf("caf", "garments", skeleton=skeleton, **common)
    for head in (pif, paf):
        head.upsample_stride = 2
    return [pif, paf]


def make_loader(file, heads, batch, size):
    """Return a loader of augmented images with their targets."""
    names = heads[0].keypoints
    swap = {n: n.replace("left", "right") for n in names if "left" in n}
    swap |= {right: left for left, right in swap.items()}
    transforms = openpifpaf.transforms
    # It rotates by SciPy; without SciPy it has that much less to do than our side.
    rotation = [transforms.RandomApply(transforms.RotateUniform(20.0), 0.5)] if HAS_SCIPY else []
    preprocess = transforms.Compose(
        [
            transforms.NormalizeAnnotations(),
            transforms.RandomApply(transforms.HFlip(names, swap), 0.5),
            transforms.RescaleRelative(
                scale_range=(0.4, 2.0), power_law=True, stretch_range=(0.75, 1.33), fast=True
            ),
            transforms.Crop(size, use_area_of_interest=True),
            transforms.CenterPad(size),
            *rotation,
            transforms.TRAIN_TRANSFORM,
            transforms.Encoders(
                [openpifpaf.encoder.Cif(heads[0]), openpifpaf.encoder.Caf(heads[1])]
            ),
        ]
    )
    dataset = openpifpaf.plugins.coco.CocoDataset(
        image_dir=str(Path(file).parent),
        ann_file=file,
        preprocess=preprocess,
        annotation_filter=True,
        min_kp_anns=1,
        category_ids=[],
    )
    collate = openpifpaf.datasets.collate_images_targets_meta
    return torch.utils.data.DataLoader(
        dataset, batch_size=batch, shuffle=True, drop_last=True, collate_fn=collate
    )


def configure(backbone):
    """Read options as the command line of OpenPifPaf does; return a network factory."""
    parser = argparse.ArgumentParser()
    for part in (openpifpaf.network.Factory, openpifpaf.network.losses.Factory):
        part.cli(parser)
    openpifpaf.encoder.cli(parser)
    options = ["--basenet", backbone]
    if backbone.startswith("resnet"):
        options += ["--resnet-no-pretrain", *EQUAL_STRIDES]
    arguments = parser.parse_args(options)
    arguments.debug_indices = []
    for part in (openpifpaf.network.Factory, openpifpaf.network.losses.Factory):
        part.configure(arguments)
    openpifpaf.encoder.configure(arguments)
    return openpifpaf.network.Factory()


def main():
    """Train some steps, and print the seconds of each."""
    file, backbone = sys.argv[1:3]
    batch, size, steps, threads = map(int, sys.argv[3:])
    torch.set_num_threads(threads)
    heads = make_heads(json.loads(Path(file).read_text())["categories"][0])
    network, _ = configure(backbone).factory(head_metas=heads)
    loss_of = openpifpaf.network.losses.Factory().factory(heads)
    loader = make_loader(file, heads, batch, size + 1)
    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.95, nesterov=True)
    network.train()
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    seconds, shapes = [], None
    for _ in range(steps):
        began = time.perf_counter()
        images, targets, _meta = next(batches)
        outputs = network(images)
        loss, _parts = loss_of(outputs, targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - began)
        shapes = [list(output.shape) for output in outputs]
    print(json.dumps({"seconds": seconds, "shapes": shapes}))


if __name__ == "__main__":
    main()
