from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_fashion.datasets import fetching
from napari_fashion.datasets.photos import fetch, locate
from napari_fashion.datasets.photos.locate import DATA
from napari_fashion.errors import FetchError
from photo_server import Server, serving

# The package has the function under the module's name.
module = importlib.import_module("napari_fashion.datasets.photos.fetch")

LABELLED = [f"images/{name}.jpg" for name in ("a1", "b2", "c3", "d4")]
OTHERS = [f"images/{name}.jpg" for name in ("e5", "f6")]
PHOTOS = {path: (path.encode() * 2000)[:30_000] for path in LABELLED + OTHERS}


@pytest.fixture(autouse=True)
def package_data(tmp_path, monkeypatch) -> Path:
    """A package's data of six photos; no pause is slept."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [f"{path},{hashlib.sha256(data).hexdigest()}" for path, data in PHOTOS.items()]
    (folder / "checksums.csv").write_text("\n".join(["path,sha256", *rows]) + "\n")
    splits = ["train", "train", "train", "test", "unlabelled", "no_garment"]
    rows = [f"{Path(p).stem},1,Dress,False,{s}" for p, s in zip(PHOTOS, splits, strict=True)]
    (folder / "split.csv").write_text("\n".join(["image,sender_id,label,kids,split", *rows]) + "\n")
    (folder / "train.json").write_text("train")
    (folder / "test.json").write_text("test")
    (folder / "source.toml").write_text('address = "http://127.0.0.1:9/nowhere"\n')
    monkeypatch.setattr(module, "DATA", folder)
    return folder


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(fetching, "_pause", slept.append)
    return slept


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(PHOTOS) as server:
        yield server


def photos_in(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in (folder / "images").iterdir()}


def labelled() -> dict[str, bytes]:
    return {path: PHOTOS[path] for path in LABELLED}


# -- from an address ---------------------------------------------------------------------------


def test_fetches_and_puts_the_landmarks_beside(server, tmp_path):
    target = tmp_path / "target"
    seen = []
    report = fetch(
        target, source=server.address, progress=lambda *step: seen.append(step), connections=3
    )
    assert photos_in(target) == labelled()
    assert (target / "train.json").read_text() == "train"
    assert (target / "test.json").read_text() == "test"
    assert (target / "split.csv").exists()
    assert (report.wanted, report.present, report.fetched, report.failed) == (4, 0, 4, {})
    assert report.complete
    assert [step[:2] for step in seen] == [(i, 4) for i in range(1, 5)]
    assert sorted(step[2] for step in seen) == LABELLED
    assert str(report) == f"4 of 4 photos are in {target} (4 fetched, 0 were there)."


def test_all_brings_those_without_landmarks_too(server, tmp_path):
    assert fetch(tmp_path / "t", source=server.address, what="all").fetched == 6
    assert photos_in(tmp_path / "t") == PHOTOS


def test_the_address_of_the_package_is_the_default(server, tmp_path, package_data):
    (package_data / "source.toml").write_text(f'address = "{server.address}"\n')
    assert fetch(tmp_path / "t").complete


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    target = tmp_path / "target"
    fetch(target, source=server.address)
    (target / "images" / "b2.jpg").unlink()
    (target / "images" / "c3.jpg").unlink()
    server.requests.clear()
    report = fetch(target, source=server.address)
    assert (report.present, report.fetched) == (2, 2)
    assert sorted(server.times()) == ["images/b2.jpg", "images/c3.jpg"]
    assert photos_in(target) == labelled()


def test_another_file_of_a_photos_name_is_kept(server, tmp_path):
    images = tmp_path / "t" / "images"
    images.mkdir(parents=True)
    (images / "a1.jpg").write_bytes(b"my own")
    (images / "b2.jpg").mkdir()
    (images / "c3.jpg").symlink_to(tmp_path / "nowhere.jpg")
    report = fetch(tmp_path / "t", source=server.address)
    assert (images / "a1.jpg").read_bytes() == b"my own"
    assert (images / "b2.jpg").is_dir()
    assert (images / "c3.jpg").is_symlink()
    assert not (tmp_path / "nowhere.jpg").exists()
    assert (report.present, report.fetched) == (0, 1)
    assert sorted(report.failed) == LABELLED[:3]
    assert "and 2 more: another file has that name already, and was kept; " in str(report)
    assert list(server.times()) == ["images/d4.jpg"]


def test_what_got_the_name_meanwhile_is_kept(server, tmp_path):
    images = tmp_path / "t" / "images"

    def meanwhile(handler, path, nth):
        if path == "images/a1.jpg":
            (images / "a1.jpg").write_bytes(b"my own")
        return False

    server.trouble = meanwhile
    report = fetch(tmp_path / "t", source=server.address)
    assert (images / "a1.jpg").read_bytes() == b"my own"
    assert list(report.failed) == ["images/a1.jpg"]
    assert (report.present, report.fetched) == (0, 3)


@pytest.mark.parametrize("from_folder", [False, True])
@pytest.mark.parametrize("make", [Path.symlink_to, Path.hardlink_to])
def test_no_link_is_written_through(server, tmp_path, folder, from_folder, make):
    images = tmp_path / "t" / "images"
    images.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_bytes(PHOTOS["images/a1.jpg"][:10])
    part = images / "a1.jpg.part"
    make(part, victim)
    report = fetch(tmp_path / "t", source=folder if from_folder else server.address)
    assert victim.read_bytes() == PHOTOS["images/a1.jpg"][:10]
    assert part.samefile(victim)
    assert list(report.failed) == ["images/a1.jpg"]
    assert "a1.jpg.part is a link or no regular file" in report.failed["images/a1.jpg"]
    assert (report.present, report.fetched) == (0, 3)


def test_what_is_not_the_photo_is_not_counted_when_giving_up(tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_GIVE_UP_AFTER", 2)
    images = tmp_path / "t" / "images"
    images.mkdir(parents=True)
    for path in (*LABELLED[2:], *OTHERS):
        (tmp_path / "t" / path).write_bytes(b"my own")
    (tmp_path / "t" / OTHERS[1]).write_bytes(PHOTOS[OTHERS[1]])
    report = fetch(tmp_path / "t", connections=1, what="all")  # port 9 of this machine
    assert sorted(report.failed) == [*LABELLED, OTHERS[0]]
    assert (report.present, report.fetched) == (1, 0)


def test_a_landmark_file_is_not_written_through_a_link(server, tmp_path):
    target = tmp_path / "t"
    target.mkdir()
    (target / "train.json").symlink_to(tmp_path / "nowhere.json")
    report = fetch(target, source=server.address)
    assert report.kept == [target / "train.json"]
    assert not (tmp_path / "nowhere.json").exists()


def test_a_part_goes_on_where_it_stopped(server, tmp_path):
    (tmp_path / "t" / "images").mkdir(parents=True)
    (tmp_path / "t" / "images" / "a1.jpg.part").write_bytes(PHOTOS["images/a1.jpg"][:12_345])
    assert fetch(tmp_path / "t", source=server.address).complete
    assert ("images/a1.jpg", "bytes=12345-") in server.requests
    assert photos_in(tmp_path / "t") == labelled()


def test_a_connection_that_breaks_off_goes_on(server, tmp_path, pauses):
    def break_off(handler, path, nth):
        if path != "images/a1.jpg" or nth > 1:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(PHOTOS[path])))
        handler.end_headers()
        handler.wfile.write(PHOTOS[path][:1000])
        return True

    server.trouble = break_off
    assert fetch(tmp_path / "t", source=server.address).complete
    assert [r for p, r in server.requests if p == "images/a1.jpg"] == [None, "bytes=1000-"]
    assert photos_in(tmp_path / "t") == labelled()
    assert len(pauses) == 1


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    def no_ranges(handler, path, nth):
        data = PHOTOS[path]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
        return True

    server.trouble = no_ranges
    (tmp_path / "t" / "images").mkdir(parents=True)
    (tmp_path / "t" / "images" / "a1.jpg.part").write_bytes(b"half of it")
    assert fetch(tmp_path / "t", source=server.address).complete
    assert photos_in(tmp_path / "t") == labelled()


@pytest.mark.parametrize("part", [b"x" * 10, b"x" * 30_000, b"x" * 40_000])
def test_a_part_of_another_file_is_dropped(server, tmp_path, part):
    (tmp_path / "t" / "images").mkdir(parents=True)
    (tmp_path / "t" / "images" / "a1.jpg.part").write_bytes(part)
    assert fetch(tmp_path / "t", source=server.address).complete
    assert photos_in(tmp_path / "t") == labelled()


def test_errors_that_pass_are_tried_again_with_growing_pauses(server, tmp_path, pauses):
    def busy(handler, path, nth):
        if path != "images/a1.jpg" or nth > 3:
            return False
        handler.send_error([500, 503, 429][nth - 1])
        return True

    server.trouble = busy
    assert fetch(tmp_path / "t", source=server.address).complete
    assert server.times()["images/a1.jpg"] == 4
    assert [round(p / base) for p, base in zip(pauses, (0.5, 1, 2), strict=True)] == [1, 1, 1]


def test_what_fails_is_reported_and_the_rest_comes(server, tmp_path, pauses):
    def broken(handler, path, nth):
        if path == "images/a1.jpg":
            handler.send_error(500)
            return True
        return False

    server.trouble = broken
    del server.photos["images/b2.jpg"]
    server.photos["images/c3.jpg"] = b"another image"
    report = fetch(tmp_path / "t", source=server.address)
    assert photos_in(tmp_path / "t") == {"images/d4.jpg": PHOTOS["images/d4.jpg"]}
    assert not report.complete
    assert report.failed["images/a1.jpg"] == "the server answers 500 Internal Server Error"
    assert report.failed["images/b2.jpg"] == "the server answers 404 Not Found"
    assert report.failed["images/c3.jpg"].startswith("what came is another file (SHA-256 ")
    assert server.times()["images/a1.jpg"] == 4
    assert server.times()["images/b2.jpg"] == 1
    text = str(report)
    assert text.startswith("1 of 4 photos are in")
    assert "Failed: images/b2.jpg: the server answers 404 Not Found" in text
    assert "Run it again to go on" in text


def test_a_refusal_is_not_repeated(server, tmp_path, pauses):
    server.trouble = lambda handler, path, nth: handler.send_error(403) or True
    report = fetch(tmp_path / "t", source=server.address)
    assert set(report.failed.values()) == {"the server answers 403 Forbidden"}
    assert set(server.times().values()) == {1}
    assert pauses == []
    assert "and 3 more: the server answers 403" in str(report)


def test_a_source_that_is_not_there_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_GIVE_UP_AFTER", 2)
    report = fetch(tmp_path / "t", connections=1, what="all")  # port 9 of this machine
    assert set(report.failed) == set(PHOTOS)
    assert (report.present, report.fetched) == (0, 0)
    assert sum("no answer (" in reason for reason in report.failed.values()) == 2
    assert "and 3 more: not tried, since the others failed" in str(report)


def test_a_mirror_may_keep_the_unlabelled_apart(server, tmp_path):
    for path in OTHERS:
        server.photos[path.replace("images", "unlabelled")] = server.photos.pop(path)
    assert fetch(tmp_path / "t", source=server.address + "/", what="all").complete
    assert photos_in(tmp_path / "t") == PHOTOS


def test_stopping_from_the_progress_leaves_whole_photos_only(server, tmp_path):
    def stop(done, total, path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path / "t", source=server.address, progress=stop, connections=1)
    there = photos_in(tmp_path / "t")
    assert 1 <= len(there) < 4
    assert all(PHOTOS[path] == data for path, data in there.items())
    assert fetch(tmp_path / "t", source=server.address).complete


# -- from a folder -----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "a folder"
    for path, data in PHOTOS.items():
        place = folder / (path if path in LABELLED else path.replace("images", "unlabelled"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return folder


@pytest.mark.parametrize("form", [Path, str, Path.as_uri])
def test_a_local_folder_will_do(tmp_path, folder, form):
    report = fetch(tmp_path / "t", source=form(folder), what="all")
    assert report.complete
    assert photos_in(tmp_path / "t") == PHOTOS


def test_photos_in_a_folder_are_verified_too(tmp_path, folder):
    (folder / "images" / "a1.jpg").write_bytes(b"edited")
    (folder / "images" / "b2.jpg").unlink()
    report = fetch(tmp_path / "t", source=folder)
    assert sorted(report.failed) == ["images/a1.jpg", "images/b2.jpg"]
    assert report.failed["images/b2.jpg"] == f"not in {folder}"
    assert len(photos_in(tmp_path / "t")) == 2


def test_landmarks_that_somebody_changed_are_left_alone(tmp_path, folder):
    target = tmp_path / "t"
    target.mkdir()
    (target / "train.json").write_text("corrected")
    report = fetch(target, source=folder)
    assert (target / "train.json").read_text() == "corrected"
    assert report.kept == [target / "train.json"]
    assert f"Kept your own {target / 'train.json'}." in str(report)


def test_a_source_that_is_neither_is_an_error(tmp_path):
    with pytest.raises(FetchError, match="nowhere: no such folder; expected a folder of photos or"):
        fetch(tmp_path / "t", source=tmp_path / "nowhere")
    with pytest.raises(FetchError, match="ftp://x: no such folder"):
        fetch(tmp_path / "t", source="ftp://x")


def test_a_target_that_cannot_be_written_is_an_error(tmp_path, folder):
    (tmp_path / "file").touch()
    with pytest.raises(FetchError, match="file: cannot be written"):
        fetch(tmp_path / "file", source=folder)


def test_locate_finds_what_was_fetched(tmp_path, folder, monkeypatch):
    monkeypatch.delenv("NAPARI_FASHION_PHOTOS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "home"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    report = fetch(source=folder)
    assert tmp_path / "home" in report.target.parents
    assert locate() == report.target


# -- the real ones -----------------------------------------------------------------------------


@pytest.mark.shared
def test_the_real_photos(photos_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "DATA", DATA)
    report = fetch(tmp_path / "t", source=photos_dir)
    assert (report.wanted, report.fetched, report.failed) == (2232, 2232, {})
    assert (tmp_path / "t" / "train.json").read_bytes() == (DATA / "train.json").read_bytes()
