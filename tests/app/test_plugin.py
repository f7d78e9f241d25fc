from __future__ import annotations

import json

import npe2
import numpy as np
import pytest
from PIL import Image as PilImage

from napari_fashion.app import sample_data
from napari_fashion.app.viewer.reader import OPEN, get_reader
from napari_fashion.app.viewer.writer import write_landmarks
from napari_fashion.app.widgets import files
from napari_fashion.coco import Dataset
from napari_fashion.errors import FashionError
from small import SCHEMA, small_document


def test_the_reader_takes_coco_keypoint_files(dataset_file) -> None:
    read = get_reader(str(dataset_file))
    (image, style, kind), (points, point_style, _) = read(str(dataset_file))
    assert (image.shape, kind) == ((120, 120, 3), "image")
    assert style["metadata"] == {OPEN: str(dataset_file)}
    assert points[0].tolist() == [20, 40]
    assert point_style["features"]["name"][0] == "left_collar"


def test_the_reader_takes_folders_of_images(dataset_file) -> None:
    folder = str(dataset_file.parent)
    ((image, _, _),) = get_reader(folder)(folder)
    assert image.shape == (120, 120, 3)


def test_napari_offers_our_reader_for_json_and_folders_only(dataset_file, tmp_path) -> None:
    manifest = npe2.PluginManifest.from_distribution("napari-fashion")
    manager = npe2.PluginManager()
    manager.register(manifest)

    def offered(path) -> bool:
        return any(manager.iter_compatible_readers([str(path)]))

    assert offered(dataset_file)
    assert offered(dataset_file.parent)
    for name in ("image.png", "stack.tif", "table.csv"):
        (tmp_path / name).write_bytes(b"x")
        assert not offered(tmp_path / name)


def test_the_reader_takes_whatever_open_takes(dataset_file, tmp_path) -> None:
    document = small_document()
    listing = {"images": document["images"]}
    (tmp_path / "list.json").write_text(json.dumps(listing))
    del document["categories"]
    (tmp_path / "bare.json").write_text(json.dumps(document))
    results = [{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 2] * SCHEMA.n_landmarks}]
    (tmp_path / "r.json").write_text(json.dumps(results))
    assert get_reader(str(tmp_path / "r.json")) is None  # nothing says of what
    (tmp_path / "r.images.json").write_text(json.dumps({**small_document(), "annotations": []}))
    for name in ("list.json", "r.json"):
        (image, _, _), *_ = get_reader(str(tmp_path / name))(str(tmp_path / name))
        assert image.shape == (120, 120, 3)
    assert get_reader(str(tmp_path / "bare.json")) is not None
    outer = tmp_path / "outer"
    (outer / "deep" / "er").mkdir(parents=True)
    assert get_reader(str(outer)) is None
    (tmp_path / "1.png").rename(outer / "deep" / "er" / "1.png")
    ((image, _, _),) = get_reader(str(outer))(str(outer))
    assert image.shape == (120, 120, 3)


@pytest.mark.parametrize("name", ["x" * 300 + ".json", "x" * 300, "a\0.json", "a\ud800.json"])
def test_the_reader_leaves_names_alone_that_the_system_refuses(name) -> None:
    assert get_reader(name) is None


def test_the_reader_puts_no_points_on_an_image_of_another_size(dataset_file) -> None:
    PilImage.new("RGB", (60, 50)).save(dataset_file.parent / "1.png")
    ((image, _, kind),) = get_reader(str(dataset_file))(str(dataset_file))
    assert (image.shape, kind) == ((50, 60, 3), "image")


def test_an_image_that_cannot_be_read_is_grey_and_of_bounded_size(dataset_file) -> None:
    document = small_document()
    document["images"][0] |= {"file_name": "gone.png", "width": 10**6, "height": 10**6}
    dataset_file.write_text(json.dumps(document))
    ((image, _, kind),) = get_reader(str(dataset_file))(str(dataset_file))
    assert kind == "image"
    assert max(image.shape) <= 4096


@pytest.mark.parametrize(
    "text", ["", "{}", '{"images": [], "annotations": []}', '[{"keypoints": []}]', "not json"]
)
def test_the_reader_leaves_other_json_alone(tmp_path, text) -> None:
    (tmp_path / "x.json").write_text(text)
    assert get_reader(str(tmp_path / "x.json")) is None


def test_the_reader_leaves_other_things_alone(dataset_file, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    assert get_reader(str(tmp_path / "empty")) is None
    assert get_reader(str(dataset_file.parent / "1.png")) is None
    assert get_reader([str(dataset_file), str(dataset_file)]) is None
    assert get_reader(str(tmp_path / "missing.json")) is None


def test_the_writer_refuses_foreign_points(tmp_path) -> None:
    with pytest.raises(FashionError, match="not the Fashion annotator's"):
        write_landmarks(str(tmp_path / "x.json"), np.zeros((1, 2)), {"metadata": {}})
    assert not (tmp_path / "x.json").exists()


def test_the_manifest_is_valid_and_every_command_is_there() -> None:
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("napari-fashion")
    manifest.validate_imports()


@pytest.fixture(scope="module")
def data_home(tmp_path_factory):
    """A folder for the user's data, in which the samples are rendered once."""
    return tmp_path_factory.mktemp("data")


def test_the_procedural_sample_has_images_to_do_and_done(monkeypatch, data_home) -> None:
    monkeypatch.setattr(sample_data.cc0, "default_folder", lambda: data_home / "photos")
    dataset = Dataset.load(sample_data.procedural_file())
    assert len(dataset.images) == 12
    annotated = [bool(image.garments) for image in dataset.images]
    assert annotated[:6] == [False] * 6
    assert any(annotated[6:])
    assert all(image.path.is_file() for image in dataset.images)


def test_the_photo_sample_says_how_to_get_the_photos(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("NAPARI_FASHION_PHOTOS", str(tmp_path))
    with pytest.raises(FashionError, match="napari-fashion fetch"):
        sample_data.photos_file(tmp_path)


def test_the_photo_sample_finds_them(monkeypatch, tmp_path, photos_dir) -> None:
    monkeypatch.setenv("NAPARI_FASHION_PHOTOS", str(photos_dir))
    dataset = Dataset.load(sample_data.photos_file(tmp_path))
    assert dataset.images[0].path.is_file()
    assert not dataset.images[0].garments


@pytest.mark.window
class TestInNapari:
    def test_a_file_opened_by_napari_comes_into_the_annotator(self, app, dataset_file, qtbot):
        app.viewer.open(str(dataset_file), plugin="napari-fashion")
        qtbot.waitUntil(lambda: app.session.editor is not None and app.session.editor.n_images == 3)
        app.person.see()
        assert [layer.name for layer in app.viewer.layers] == ["image", "field", "landmarks"]

    def test_what_is_open_is_asked_about_before_napari_opens_another(
        self, app, dataset_file, qtbot, tmp_path, monkeypatch
    ) -> None:
        app.dock.open(dataset_file)
        app.actions.set_reviewed(True)
        other = tmp_path / "other.json"
        other.write_text(dataset_file.read_text())
        asked = []

        def stay(*_, **__):
            asked.append([layer.name for layer in app.viewer.layers])
            return "cancel"

        monkeypatch.setattr(files, "ask_unsaved", stay)
        before, editor = [layer.name for layer in app.viewer.layers], app.session.editor
        app.viewer.open(str(other), plugin="napari-fashion")
        qtbot.waitUntil(lambda: len(app.viewer.layers) == len(before))
        assert len(asked) == 1
        assert asked[0][: len(before)] == before  # nothing was removed yet
        assert [layer.name for layer in app.viewer.layers] == before
        assert app.session.editor is editor
        assert app.viewer.layers.selection.active.name == "landmarks"

    def test_our_layer_saved_by_napari_is_the_whole_data_set(self, app, dataset_file, tmp_path):
        app.dock.open(dataset_file)
        app.actions.set_reviewed(True)
        target = tmp_path / "out.json"
        app.viewer.layers["landmarks"].save(str(target), plugin="napari-fashion")
        written = json.loads(target.read_text())
        assert [i["id"] for i in written["images"]] == [1, 2, 3]
        assert written["images"][0]["fashion"] == {"reviewed": True}
        assert dataset_file.read_text() == json.dumps(small_document())

    def test_commands_are_in_the_menus_and_work(self, app, dataset_file) -> None:
        from napari._app_model import get_app_model

        app.dock.open(dataset_file)
        model = get_app_model()
        in_menu = {
            item.command.id
            for item in model.menus.get_menu("napari-fashion/commands")
            if hasattr(item, "command")
        }
        assert {"napari-fashion.predict", "napari-fashion.undo"} <= in_menu
        model.commands.execute_command("napari-fashion.next_image").result()
        assert app.session.editor.index == 1
        model.commands.execute_command("napari-fashion.previous_image").result()
        assert app.session.editor.index == 0

    def test_the_sample_opens_from_the_menu(self, app, qtbot, monkeypatch, data_home) -> None:
        monkeypatch.setattr(sample_data.cc0, "default_folder", lambda: data_home / "photos")
        app.viewer.open_sample("napari-fashion", "procedural")
        qtbot.waitUntil(
            lambda: app.session.editor is not None and app.session.editor.n_images == 12
        )
