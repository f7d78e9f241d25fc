"""One checkpoint as a file: what comes back, and what is refused."""

from __future__ import annotations

import json
import os
import struct

import pytest
import torch
from safetensors.torch import load_file

from napari_fashion.engine.train import checkpoint as module
from napari_fashion.engine.train.checkpoint import (
    About,
    DamagedCheckpointError,
    Manifest,
    Progress,
    Validation,
    read_checkpoint,
    read_manifest,
    write_checkpoint,
)
from napari_fashion.errors import CheckpointError


def manifest(**changes):
    values = {
        "progress": Progress(epoch=1, step=7, whole_epoch=True, seconds=2.5, lr_factor=0.1),
        "about": About(fingerprint="f", schema_digest="s", recipe_digest="r", start=None),
        "validation": Validation(step=7, metrics={"ne": 0.25, "top1": None}),
        "optimiser": "AdamW",
        "scalars": {"a.b": {"count": 3, "rate": 0.5}},
        "scaler": {"scale": 1024.0, "growth_interval": 2000},
        "state": {"guard": {"recent": [1.0, -2.0], "deep": {"n": [1, None, "x"]}}},
        "good": False,
    }
    return Manifest(**(values | changes))


TENSORS = {
    "network.weight": torch.randn(3, 4, 2, 2).contiguous(memory_format=torch.channels_last),
    "network.count": torch.tensor(5),
    "network.none": torch.zeros(0, 3),
    "average.weight": torch.randn(4, 3).T,
    "average.half": torch.randn(5).half(),
    "average.brain": torch.randn(5).bfloat16(),
    "average.double": torch.randn(2, dtype=torch.float64),
    "optimiser.step.weight": torch.tensor(3.0),
    "random.cpu": torch.get_rng_state(),
    "random.flag": torch.tensor([True, False]),
}


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "step-00000007.safetensors"
    write_checkpoint(place, manifest(), TENSORS)
    return place


def accept(shapes):
    pass


def test_a_checkpoint_comes_back_bit_by_bit_and_any_reader_of_safetensors_reads_it(path):
    found = read_checkpoint(path, accept)
    assert found.manifest == manifest() == read_manifest(path)
    assert type(found.manifest.scaler["growth_interval"]) is int
    for tensors in (found.tensors, load_file(path)):
        assert tensors.keys() == TENSORS.keys()
        for name, value in TENSORS.items():
            assert tensors[name].dtype == value.dtype
            assert torch.equal(tensors[name], value), name
    assert found.under("average.").keys() == {"weight", "half", "brain", "double"}


def test_tensors_are_written_from_where_they_are(tmp_path, monkeypatch):
    weight = torch.randn(1000)
    written = []
    monkeypatch.setattr(module, "atomic_write", lambda path, data: written.extend(data))
    write_checkpoint(tmp_path / "x", manifest(), {"network.w": weight})
    weight[0] = 42.0  # seen in what was to be written: it is the same memory
    assert struct.unpack("<f", bytes(written[1][:4])) == (42.0,)
    assert len(written) == 2


def test_a_flipped_bit_anywhere_is_noticed(path, tmp_path):
    data = path.read_bytes()
    place = tmp_path / "rotten.safetensors"
    header = 8 + int.from_bytes(data[:8], "little")
    for at in [*range(0, header, 7), *range(header, len(data), 101), len(data) - 1]:
        for bit in (0, 7):
            rotten = bytearray(data)
            rotten[at] ^= 1 << bit
            place.write_bytes(rotten)
            with pytest.raises(DamagedCheckpointError, match=r"rotten\.safetensors"):
                read_checkpoint(place, accept)


def test_a_file_that_is_cut_short_or_goes_on_is_noticed(path, tmp_path):
    data = path.read_bytes()
    place = tmp_path / "cut.safetensors"
    for length in [0, 1, 7, 8, 9, *range(10, len(data), 97), len(data) - 1]:
        place.write_bytes(data[:length])
        with pytest.raises(DamagedCheckpointError):
            read_checkpoint(place, accept)
    place.write_bytes(data + b"\0")
    with pytest.raises(DamagedCheckpointError):
        read_checkpoint(place, accept)
    place.unlink()
    for make in (place.mkdir, lambda: (place.rmdir(), os.mkfifo(place))):
        make()
        with pytest.raises(DamagedCheckpointError, match="cannot be read"):
            read_checkpoint(place, accept)


def test_the_shapes_are_looked_at_before_any_tensor_is_read(path, monkeypatch):
    seen = []

    def refuse(shapes):
        seen.append(dict(shapes))
        raise ValueError("not mine")

    monkeypatch.setattr(module, "read_weights", None)
    with pytest.raises(ValueError, match="not mine"):
        read_checkpoint(path, refuse)
    assert seen[0]["network.weight"] == (3, 4, 2, 2)


def test_numbers_that_are_not_finite_are_no_state(tmp_path):
    place = tmp_path / "x.safetensors"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_checkpoint(place, manifest(state={"guard": {"usual": float("nan")}}), TENSORS)
    assert not place.exists()
    write_checkpoint(place, manifest(), {"network.w": torch.tensor([float("nan")])})
    with pytest.raises(DamagedCheckpointError, match=r"'network\.w' holds numbers that are not"):
        read_checkpoint(place, accept)


def with_text(path, text):
    """Replace the manifest of a checkpoint by a text, with a digest that fits."""
    other = type("Other", (), {"model_dump": lambda self: text})()
    write = json.dumps
    try:
        module.json.dumps = lambda value, **options: (
            value if value is text else write(value, **options)
        )
        write_checkpoint(path, other, {"network.w": torch.zeros(1)})
    finally:
        module.json.dumps = write


def changed(**changes):
    return json.dumps(manifest().model_dump(mode="json") | changes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty; expected a checkpoint"),
        ("5", "no state of a run: the document: found 5; expected a table"),
        ("[" * 100_000, "nested too deeply"),
        ('{"progress": 1, "progress": 2}', "the key 'progress' comes twice"),
        ('{"good": NaN}', "found nan at good"),
        (changed(version=2), "format version 2; expected 1. Use the version"),
        (changed(version=[]), r"format version \[\]; expected 1"),
        (changed(format="x"), "format: found 'x'; expected 'napari-fashion checkpoint'"),
        (changed(progress={"epoch": 1}), r"progress\.step is missing"),
        (changed(progress=None), "progress: found nothing; expected a table"),
        (
            changed(progress=manifest().progress.model_dump() | {"step": "x"}),
            r"progress\.step: found 'x'; expected a whole number",
        ),
        (
            changed(progress=manifest().progress.model_dump() | {"step": -1}),
            r"progress\.step: found -1; expected 0 or more",
        ),
        (
            changed(progress=manifest().progress.model_dump() | {"lr_factor": 0}),
            r"progress\.lr_factor: found 0; expected more than 0",
        ),
        (changed(scalars={"x": 5}), r"scalars\.x: found 5; expected a table"),
        (changed(scaler=None), "scaler: found nothing; expected a table"),
        (changed(state=[]), r"state: found \[\]; expected a table"),
        (changed(validation={"step": 1, "metrics": 3}), r"validation\.metrics: found 3"),
        (changed(about={}), r"about\.fingerprint is missing"),
        (changed(optimiser="x" * 9999), "optimiser: found 'x.*4096 letters or fewer"),
    ],
)
def test_a_manifest_that_is_none_is_refused_by_key(tmp_path, text, said):
    place = tmp_path / "x.safetensors"
    with_text(place, text)
    for read in (read_manifest, lambda path: read_checkpoint(path, accept)):
        with pytest.raises(CheckpointError, match=said) as caught:
            read(place)
        assert not isinstance(caught.value, DamagedCheckpointError)


def test_other_weights_are_no_checkpoint(tmp_path):
    from safetensors.torch import save_file

    place = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(1)}, place)
    with pytest.raises(CheckpointError, match="no text 'checkpoint'; expected a checkpoint"):
        read_manifest(place)
    with pytest.raises(DamagedCheckpointError):
        read_checkpoint(place, accept)


@pytest.mark.parametrize(
    ("metrics", "step", "error"),
    [({"ne": 0.25}, 7, 0.25), ({"ne": 0.25}, 6, None), ({"ne": None}, 7, None), ({}, 7, None)],
)
def test_the_error_is_that_of_this_very_step(metrics, step, error):
    assert manifest(validation=Validation(step=step, metrics=metrics)).error == error
    assert manifest(validation=None).error is None
