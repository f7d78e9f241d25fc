"""Which files may be read as images, by a record's name for them; and walks of folders."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from napari_fashion.coco import Dataset, export
from napari_fashion.coco.records import category_records
from napari_fashion.editing.opening import open_editor, take_theirs
from napari_fashion.errors import CocoError, ImageError, OutsideRootError
from napari_fashion.images import ImageFolder, image_files, remember_root, remembered_roots
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

GARMENTS = Schema.load("garments")
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX paths and links")


@pytest.fixture(autouse=True)
def _state(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def root(tmp_path):
    image(tmp_path / "root" / "a.png")
    image(tmp_path / "root" / "sub" / "b.png")
    image(tmp_path / "elsewhere" / "secret.png")
    return tmp_path / "root"


def image(path, size=(4, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)
    return path


def document(*names, root=None):
    doc = {
        "images": [
            {"id": i + 1, "file_name": name, "width": 4, "height": 3}
            for i, name in enumerate(names)
        ],
        "annotations": [],
        "categories": [],
    }
    if root is not None:
        doc["info"] = {"fashion": {"image_root": str(root)}}
    return doc


def written(path, *names, root=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document(*names, root=root)), "utf-8")
    return path


def load(path, **options):
    return Dataset.load(path, fallback=GARMENTS, **options)


# -- walks -------------------------------------------------------------------------------------


def test_files_come_sorted_and_relative(tmp_path):
    for name in [
        "b.JPG",
        "a.png",
        "z/y/c.tiff",
        "z/a.jpeg",
        ".x.jpg",
        ".git/d.jpg",
        "n.txt",
        "jpg",
    ]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(image_files(tmp_path)) == ["a.png", "b.JPG", "z/a.jpeg", "z/y/c.tiff"]


def test_every_suffix_in_any_case_and_the_others_are_counted(tmp_path):
    names = ["a.jfif", "b.JPE", "c.gif", "d.Avif", "e.HEIC", "f.heif", "g.WebP", "h.BMP", "i.TIF"]
    for name in [*names, "x.psd", "y.cr2", ".z"]:
        (tmp_path / name).touch()
    passed_over = Tally()
    assert list(image_files(tmp_path, passed_over=passed_over)) == names
    assert passed_over.total == 2
    dataset_of = pytest.raises(CocoError, match="no image found")
    with dataset_of:
        Dataset.from_folder(tmp_path, schema=GARMENTS)
    image(tmp_path / "j.png")
    assert Dataset.from_folder(tmp_path, schema=GARMENTS).passed_over.total == 2


@posix
def test_linked_folders_are_followed_once_and_only_to_what_is_allowed(root, tmp_path):
    (root / "again").symlink_to(root / "sub")
    (root / "sub" / "loop").symlink_to(root)
    (root / "out").symlink_to(tmp_path / "elsewhere")
    left_out: list[tuple[Path, str]] = []
    assert list(image_files(root, left_out=left_out)) == ["a.png", "sub/b.png"]
    assert [path for path, _ in left_out] == [root / "out"]
    assert "outside" in left_out[0][1]
    left_out.clear()
    found = list(image_files(root, allowed=[tmp_path / "elsewhere"], left_out=left_out))
    assert found == ["a.png", "sub/b.png", "out/secret.png"]
    assert not left_out
    dataset = Dataset.from_folder(root, schema=GARMENTS)
    assert [image.file_name for image in dataset.images] == ["a.png", "sub/b.png"]
    assert [path.name for path, _ in dataset.left_out] == ["out"]
    dataset = Dataset.from_folder(root, schema=GARMENTS, allow_roots=[tmp_path / "elsewhere"])
    assert [image.path.is_file() for image in dataset.images] == [True] * 3


@posix
def test_a_link_to_the_whole_disk_is_not_walked(root):
    (root / "disk").symlink_to("/")
    assert list(image_files(root)) == ["a.png", "sub/b.png"]


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may look anywhere")
def test_a_folder_that_cannot_be_looked_into_is_named(root):
    (root / "sub").chmod(0)
    left_out: list[tuple[Path, str]] = []
    try:
        assert list(image_files(root, left_out=left_out)) == ["a.png"]
    finally:
        (root / "sub").chmod(0o755)
    assert [path.name for path, _ in left_out] == ["sub"]


# -- names -------------------------------------------------------------------------------------


def test_names_inside_are_found_below_the_root(root):
    folder = ImageFolder(root)
    assert folder.path("a.png") == root / "a.png"
    assert folder.path("sub/b.png") == root / "sub" / "b.png"
    assert folder.path("sub/../a.png").is_file()
    assert folder.path("./sub//b.png").is_file()
    assert folder.path("none.png") == root / "none.png"  # it need not be there
    assert folder.path("no/such/folder.png") == root / "no" / "such" / "folder.png"


@posix
def test_windows_separators_are_understood(root):
    assert ImageFolder(root).path("sub\\b.png") == root / "sub" / "b.png"
    image(root / "odd\\name.png")
    assert ImageFolder(root).path("odd\\name.png").is_file()
    with pytest.raises(OutsideRootError):
        ImageFolder(root).path("sub\\..\\..\\elsewhere\\secret.png")


OUTSIDE = [
    "../elsewhere/secret.png",
    "sub/../../elsewhere/secret.png",
    "..\\elsewhere\\secret.png",
    "/etc/passwd",
    "\\\\server\\share\\a.jpg",
    "//server/share/a.jpg",
    "\\\\?\\C:\\a.jpg",
    "C:\\Users\\x\\secret.png",
    "C:secret.png",
    "c:/secret.png",
    "http://example.com/a.jpg",
    "file:///etc/passwd",
    "s3://bucket/a.jpg",
    "~/../../etc/passwd",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_are_refused_without_touching_what_they_name(root, name, monkeypatch):
    """A look at a share of another machine would hand it the user's password hash."""
    touched = []

    def spied(function):
        def call(path, *args, **options):
            touched.append(os.fspath(path))
            return function(path, *args, **options)

        return call

    for call in ("stat", "lstat", "readlink", "listdir", "scandir", "open"):
        monkeypatch.setattr(os, call, spied(getattr(os, call)))
    with pytest.raises(OutsideRootError) as caught:
        ImageFolder(root).path(name)
    monkeypatch.undo()
    assert caught.value.path.replace("\\", "/") == name.replace("\\", "/")
    is_local = name.startswith(("..", "sub", "~")) or name == "/etc/passwd"
    assert (caught.value.folder is not None) == is_local  # allowing the others would change nothing
    assert ("--allow-root" if is_local else "(in a command: --images)") in str(caught.value)
    real = os.path.realpath(root)
    inside = (real, *(str(parent) for parent in Path(real).parents))
    assert all(path in inside or path.startswith(real + os.sep) for path in touched), touched


@posix
def test_links_count_by_where_they_lead(root, tmp_path):
    (root / "leaf.png").symlink_to(tmp_path / "elsewhere" / "secret.png")
    (root / "out").symlink_to(tmp_path / "elsewhere")
    (root / "in.png").symlink_to(root / "sub" / "b.png")
    folder = ImageFolder(root)
    assert folder.path("in.png").is_file()
    for name in ("leaf.png", "out/secret.png", "out/../elsewhere/secret.png"):
        with pytest.raises(OutsideRootError) as caught:
            folder.path(name)
        assert caught.value.folder == tmp_path / "elsewhere"
    allowing = ImageFolder(root, [tmp_path / "elsewhere"])
    assert allowing.path("leaf.png").is_file()
    assert allowing.path("out/secret.png").is_file()
    linked = tmp_path / "linked"  # a root that is a link itself
    linked.symlink_to(root)
    assert ImageFolder(linked).path("sub/b.png").is_file()
    assert ImageFolder(linked).path(str(root / "a.png")).is_file()


@posix
def test_what_is_allowed_may_be_named_in_any_way(root, tmp_path):
    folder = ImageFolder(root, [tmp_path / "elsewhere"])
    for name in ("../elsewhere/secret.png", str(tmp_path / "elsewhere" / "secret.png")):
        assert folder.path(name).is_file()
    with pytest.raises(OutsideRootError):
        folder.path("../elsewhere/../root/../x.png")
    assert ImageFolder(root).path(str(root / "a.png")).is_file()
    with pytest.raises(OutsideRootError):
        ImageFolder(root).path(f"{root}/../elsewhere/secret.png")
    with pytest.raises(OutsideRootError):
        ImageFolder(root).path(f"{root}-other/x.png")  # begins alike, lies elsewhere


def test_the_error_names_what_would_have_to_be_allowed(root, tmp_path):
    with pytest.raises(OutsideRootError) as caught:
        ImageFolder(root).path("../elsewhere/secret.png")
    assert caught.value.folder == Path(os.path.realpath(tmp_path)) / "elsewhere"
    assert ImageFolder(root, [caught.value.folder]).path("../elsewhere/secret.png").is_file()


@pytest.mark.parametrize(
    "name",
    [
        "/data/upload/1/b.png",
        "/home/somebody/root/sub/b.png",
        "C:\\data\\sub\\b.png",
        "http://server/data/b.png",
        "\\\\server\\share\\sub\\b.png",
        "/data/local-files/b.png",
    ],
)
def test_an_absolute_name_of_another_machine_is_found_by_its_longest_ending(root, name):
    image(root / "b.png")
    found = ImageFolder(root).path(name)
    deep = "sub" in name
    assert found == (root / "sub" / "b.png" if deep else root / "b.png")


def test_unicode_forms_find_each_other(root):
    composed, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    image(root / composed / f"{apart}.png")
    folder = ImageFolder(root)
    for head in (composed, apart):
        for leaf in (composed, apart):
            assert folder.path(f"{head}/{leaf}.png").is_file()
    assert not folder.path(f"{composed}/caffè.png").exists()


@pytest.mark.parametrize(
    "name",
    [None, "", 5, ["a.png"], {"x": 1}, "a\0b.png", "\ud800.png", ".", "..", "/", "///", "x" * 309],
)
def test_what_is_no_name_is_said(root, name):
    with pytest.raises(ImageError, match=r"file_name|refuses"):
        ImageFolder(root).path(name)


def test_a_root_that_no_system_has_is_this_image_s_failure():
    for bad in ("a\0b", "\ud800", "x" * 5000):
        with pytest.raises(ImageError):
            ImageFolder(bad).path("a.png")


def test_a_remembered_folder_is_allowed_when_a_name_leads_there(root, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.png").write_bytes(b"x")
    (root / "link.png").symlink_to(other / "b.png")
    names = ("../other/b.png", str(other / "b.png"), "link.png")
    folder = ImageFolder(root)
    for name in names:
        with pytest.raises(OutsideRootError):
            folder.path(name)
    remember_root(other)
    for name in names:
        assert ImageFolder(root).path(name).read_bytes() == b"x"
        with pytest.raises(OutsideRootError):
            ImageFolder(root).path("../elsewhere/b.png")


def test_the_list_of_remembered_folders_is_read_only_if_some_name_leads_out(root, monkeypatch):
    def never():
        raise AssertionError

    monkeypatch.setattr("napari_fashion.images.folder.remembered_roots", never)
    assert ImageFolder(root).path("a.png").is_file()


def test_a_folder_is_resolved_once_for_all_its_names(root, monkeypatch):
    resolved: list[str] = []
    realpath = os.path.realpath
    monkeypatch.setattr(
        os.path, "realpath", lambda p, **k: (resolved.append(p), realpath(p, **k))[1]
    )
    folder = ImageFolder(root)
    for i in range(2_000):
        folder.path(f"sub/{i}.png")
    assert 0 < len(resolved) < 20


# -- data sets ---------------------------------------------------------------------------------


def test_a_record_without_a_name_costs_no_other(tmp_path):
    image(tmp_path / "a.png")
    path = written(tmp_path / "a.json", None, "a.png", "x" * 309, "a\0b", 5, "/etc/passwd")
    dataset = load(path)
    found = dict(dataset.missing_images())
    assert list(found) == [0, 2, 3, 4, 5]
    assert "image 1: no file_name" in found[0]
    assert "an absolute path" in found[5]
    assert dataset.images[1].path.is_file()


def test_a_root_that_only_the_file_names_is_not_read(root, tmp_path):
    path = written(tmp_path / "far" / "down" / "a.json", "secret.png", root=tmp_path / "elsewhere")
    dataset = load(path)
    with pytest.raises(OutsideRootError) as caught:
        _ = dataset.images[0].path
    assert caught.value.folder == tmp_path / "elsewhere"
    assert load(path, allow_roots=[caught.value.folder]).images[0].path.is_file()
    assert load(path, allow_roots=[tmp_path]).images[0].path.is_file()
    assert load(path, image_root=tmp_path / "elsewhere").images[0].path.is_file()
    remember_root(caught.value.folder)  # what the window does when the person says yes
    assert load(path).images[0].path.is_file()


@posix
@pytest.mark.parametrize(
    "noted", ["//server/share", "\\\\server\\share", "C:\\x", "http://x/y", "a\0b"]
)
def test_a_noted_root_on_another_machine_is_not_touched(tmp_path, noted, monkeypatch):
    path = written(tmp_path / "in" / "a.json", "a.png", root=noted)
    real = os.lstat
    asked: list[str] = []
    monkeypatch.setattr(os, "lstat", lambda p, **o: (asked.append(os.fspath(p)), real(p, **o))[1])
    with pytest.raises(ImageError):
        _ = load(path).images[0].path
    monkeypatch.undo()
    assert not [p for p in asked if "server" in p or "x/y" in p]


@posix
def test_a_noted_root_near_the_file_is_read_unless_a_link_leads_away(root, tmp_path):
    for noted in (".", "../root", "sub", str(root)):
        place = written(root / "a.json", "b.png" if noted == "sub" else "a.png", root=noted)
        assert load(place).images[0].path.is_file(), noted
    (root / "away").symlink_to("/etc")
    path = written(root / "a.json", "passwd", root="away")
    with pytest.raises(OutsideRootError):
        _ = load(path).images[0].path


def test_what_our_export_and_save_wrote_is_believed_on_this_account(root, tmp_path, monkeypatch):
    mine = written(root / "a.json", "a.png")
    for n, write in enumerate((lambda d, p: d.save(p), lambda d, p: export(d, p))):
        target = tmp_path / "x" / "y" / f"{n}" / "out.json"
        write(load(mine), target)
        assert load(target).images[0].path.is_file()
    assert str(root.resolve()) in remembered_roots()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another account"))
    with pytest.raises(OutsideRootError):
        _ = load(target).images[0].path


def test_an_export_does_not_make_a_stranger_s_root_believed(root, tmp_path):
    path = written(tmp_path / "far" / "down" / "a.json", "secret.png", root=tmp_path / "elsewhere")
    for target in (tmp_path / "q" / "r" / "out.json", path.with_name("b.json")):
        load(path).save(target)
        with pytest.raises(OutsideRootError):
            _ = load(target).images[0].path
    assert not remembered_roots()
    opening = open_editor(path, schema=GARMENTS)
    fresh, _ = take_theirs(opening.editor)
    assert not fresh.dataset.image_folder.trusted


def test_editors_subsets_and_merges_keep_what_is_allowed(root, tmp_path):
    path = written(root / "a.json", "../elsewhere/secret.png")
    opening = open_editor(path, schema=GARMENTS, allow_roots=[tmp_path / "elsewhere"])
    dataset = opening.editor.dataset
    assert dataset.images[0].path.is_file()
    assert dataset.subset([1]).images[0].path.is_file()
    fresh, _ = take_theirs(opening.editor)
    assert fresh.dataset.images[0].path.is_file()


def test_a_folder_s_own_file_and_results_keep_what_is_allowed(root, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps([{"image_id": 1, "category_id": 1}]))
    written(tmp_path / "r.images.json", "../elsewhere/secret.png")
    options = {"image_root": root, "allow_roots": [tmp_path / "elsewhere"]}
    assert load(tmp_path / "r.json", **options).images[0].path.is_file()


@posix
def test_files_that_were_named_may_be_links(root, tmp_path):
    (root / "link.png").symlink_to(tmp_path / "elsewhere" / "secret.png")
    dataset = Dataset.from_files([root / "link.png", root / "a.png"], schema=GARMENTS)
    assert [image.path.is_file() for image in dataset.images] == [True, True]
    assert not dataset.left_out


def test_looking_for_the_images_asks_for_no_name_that_leads_out(tmp_path, monkeypatch):
    path = written(tmp_path / "in" / "a.json", "//server/share/a.png", "../../../../etc/passwd")
    asked: list[str] = []
    real = os.path.isfile
    monkeypatch.setattr(os.path, "isfile", lambda p: (asked.append(os.fspath(p)), real(p))[1])
    load(path)
    assert not [p for p in asked if p.startswith("//server") or "etc" in p]


def test_the_folder_above_needs_a_yes_unless_the_files_are_annotations(tmp_path):
    for name, noted in (("set", None), ("set", "..")):
        image(tmp_path / "a.png")
        path = written(tmp_path / name / "a.json", "a.png", root=noted)
        with pytest.raises(OutsideRootError) as caught:
            _ = load(path).images[0].path
        assert caught.value.folder.resolve() == tmp_path.resolve()
        assert load(path, allow_roots=[caught.value.folder]).images[0].path.is_file()
        usual = written(tmp_path / "Annotations" / "a.json", "a.png", root=noted)
        assert load(usual).images[0].path.is_file()
        load(usual).save(tmp_path / "x" / "y" / "out.json", overwrite=True)
        export(load(usual), tmp_path / "x" / "y" / "exported.json", overwrite=True)
        assert not remembered_roots()  # nobody gave it
    load(path, image_root=tmp_path).save(path.with_name("b.json"))
    assert remembered_roots() == (str(tmp_path.resolve()),)
    assert load(path).images[0].path.is_file()


@posix
def test_a_drive_and_the_home_folder_are_never_guessed(tmp_path, monkeypatch):
    home = tmp_path / "me"
    monkeypatch.setenv("HOME", str(home))
    image(home / "a.png")
    image(home / "secret" / "a.png")
    for folder in ("labels", "downloads"):
        for noted in (None, "..", "../secret"):
            path = written(home / folder / "secret.json", "a.png", root=noted)
            dataset = load(path)
            assert dict(dataset.missing_images())
            dataset.save(tmp_path / "x" / "y" / "out.json", overwrite=True)
    assert not remembered_roots()
    name = next(p for p in ("etc/passwd", "etc/hosts") if Path("/", p).is_file())
    monkeypatch.setattr("napari_fashion.coco.image_places.is_file", lambda p: str(p) == f"/{name}")
    from napari_fashion.coco.store import Store

    store = Store(json.dumps(document(name)).encode())
    guessed = Dataset(store, fallback=GARMENTS, path=Path("/labels/a.json"))
    assert guessed.image_root == Path("/labels")


@posix
def test_a_usual_place_that_is_a_link_away_needs_a_yes(root, tmp_path):
    (root / "sub" / "images").symlink_to(tmp_path / "elsewhere")
    path = written(root / "sub" / "x.json", "secret.png")
    with pytest.raises(OutsideRootError) as caught:
        _ = load(path).images[0].path
    assert load(path, allow_roots=[caught.value.folder]).images[0].path.is_file()


def test_two_names_that_end_alike_are_not_one_file(root):
    folder = ImageFolder(root)
    for _ in range(2):
        assert folder.path("/data/front/a.png") == root / "a.png"
        assert folder.path("\\data\\front\\a.png") == root / "a.png"
        with pytest.raises(ImageError, match="front/a\\.png was taken for already"):
            folder.path("/data/back/a.png")
    assert folder.path("/data/back/sub/b.png") == root / "sub" / "b.png"


def test_an_address_is_no_local_file_unless_the_images_were_given(root):
    path = written(root / "x.json", "http://host.example/a.png", "/data/sub/b.png")
    dataset = load(path)
    with pytest.raises(OutsideRootError, match="--images") as caught:
        _ = dataset.images[0].path
    assert caught.value.folder is None
    assert dataset.images[1].path.is_file()
    assert load(path, image_root=root).images[0].path.is_file()


# -- the list of roots -------------------------------------------------------------------------


def test_the_list_is_bounded_and_may_be_damaged(tmp_path, monkeypatch):
    from napari_fashion.images import roots

    monkeypatch.setattr(roots, "MAX_ROOTS", 3)
    for i in range(5):
        remember_root(tmp_path / str(i))
    assert [Path(root).name for root in remembered_roots()] == ["2", "3", "4"]
    for text in ("{", "5", "[5, null]", "[" * 100_000, '["relative"]', " " * (2 << 20)):
        roots._list_path().write_text(text)
        assert remembered_roots() == ()
    remember_root(tmp_path)
    assert remembered_roots() == (str(tmp_path.resolve()),)
    remember_root("a\0b")
    assert len(remembered_roots()) == 1


def test_a_list_that_cannot_be_written_costs_nothing_in_this_process(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    remember_root(tmp_path)
    assert remembered_roots() == (str(tmp_path.resolve()),)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another account"))
    assert remembered_roots() == ()


@posix
def test_a_drive_and_the_home_folder_are_not_remembered(tmp_path, monkeypatch):
    from napari_fashion.images import roots

    monkeypatch.setenv("HOME", str(tmp_path / "users" / "me"))
    for folder in ("/", tmp_path / "users" / "me", tmp_path / "users"):
        remember_root(folder)
    assert remembered_roots() == ()
    remember_root(tmp_path / "users" / "me" / "photos")
    known = remembered_roots()
    assert [Path(root).name for root in known] == ["photos"]
    roots._list_path().write_text(json.dumps(["/", *known]))  # as earlier versions wrote it
    assert remembered_roots() == known


def test_no_image_is_opened_anywhere_else():
    """`napari_fashion.images` is the one place that opens image files."""
    source = Path(__file__).resolve().parents[2] / "src"
    found = subprocess.run(
        [
            "grep",
            "-rlE",
            r"Image\.open\(|imread|TiffFile\(|MAX_IMAGE_PIXELS",
            "--include=*.py",
            source,
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert [Path(path).relative_to(source).as_posix() for path in found] == [
        "napari_fashion/images/tiff.py"
    ]


def test_images_that_may_not_be_read_are_left_out_of_training_and_counted(root, tmp_path, caplog):
    from napari_fashion.datasets.source import Source
    from napari_fashion.engine.data.reading import load_sources
    from napari_fashion.errors import RecipeError

    doc = document("a.png", "../elsewhere/secret.png")
    for image in doc["images"]:
        image["fashion"] = {"reviewed": True}
    path = root / "a.json"
    path.write_text(json.dumps({**doc, "categories": category_records(GARMENTS)}), "utf-8")
    left_out = Tally()
    found = load_sources([Source(file=str(path))], GARMENTS, left_out)
    assert [one.key for one in found] == ["a.png"]
    assert left_out.total == 1
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    load_sources([Source(file=str(path))], GARMENTS)
    assert "secret.png" in caplog.text
    doc["images"] = doc["images"][1:]
    path.write_text(json.dumps({**doc, "categories": category_records(GARMENTS)}), "utf-8")
    with pytest.raises(RecipeError, match=r"secret\.png"):
        load_sources([Source(file=str(path))], GARMENTS)


def test_a_file_of_ours_alone_may_read_a_folder_that_nobody_gave(root, tmp_path):
    source = written(tmp_path / "set" / "a.json", "a.png", root="../" + root.name)
    assert load(source).images[0].path.is_file()  # beside the file
    for n, write in enumerate((lambda d, p: d.save(p), lambda d, p: export(d, p))):
        target = tmp_path / "x" / "y" / f"{n}" / "out.json"
        write(load(source), target)
        assert load(target).images[0].path.is_file()
        other = target.with_name("other.json")
        other.write_bytes(target.read_bytes())
        with pytest.raises(OutsideRootError):
            _ = load(other).images[0].path
        target.write_text(target.read_text().replace("/root", "/elsewhere"))
        with pytest.raises(OutsideRootError):
            _ = load(target).images[0].path
    assert not remembered_roots()
