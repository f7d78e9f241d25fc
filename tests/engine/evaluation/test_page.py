"""The report page: well-formed, self-contained, escaped, and what a browser makes of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from browsers import evaluated, opened, screenshot
from judged_garments import SCHEMA, judged_garment, random_garments
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.evaluation import Evaluation
from napari_fashion.engine.evaluation.page import About, clean, number, percent, render
from napari_fashion.engine.evaluation.report import build_report
from napari_fashion.engine.evaluation.sweeps import Point
from napari_fashion.engine.evaluation.worst_images import PREDICTED, SIDE, TRUTH, draw, worst

EVIL = "<script>document.title='gone'</script>&\"' onerror=x.png"
HTML = "{http://www.w3.org/1999/xhtml}"
PARTS = {"cut": "bbox", "margin": 0.0, "choice": "only", "fallback": "corner"}


def evaluation(judged, schema=SCHEMA, name="published", rounds=20) -> Evaluation:
    report = build_report(judged, schema, rounds=rounds)
    return Evaluation(name, "Crops by the file's boxes: <b>one</b>", PARTS, report, judged, 0.01)


def annotated(key: str, path: Path) -> AnnotatedImage:
    k = SCHEMA.n_landmarks
    return AnnotatedImage(
        key, key, path, (120, 80), np.zeros((1, k, 2), np.float32), np.full((1, k), 2),
        np.ones((1, k), bool), np.array([[0, 0, 100, 80]], np.float32), np.zeros(1, int),
        np.zeros(1, bool),
    )  # fmt: skip


@pytest.fixture
def page(tmp_path):
    """A page of which a file's name, a category and the data's name are hostile."""
    judged = random_garments(0, 30)
    judged[0] = replace(judged[0], key=EVIL, errors=np.full(SCHEMA.n_landmarks, 0.9))
    judged[1] = replace(judged[1], key="gone.png", errors=np.full(SCHEMA.n_landmarks, 0.8))
    judged = [replace(j, visibility=np.full(SCHEMA.n_landmarks, 2)) for j in judged]
    Image.new("RGB", (120, 80), (90, 120, 160)).save(tmp_path / "a.png")
    images = [annotated(j.key, tmp_path / "a.png") for j in judged if j.key != "gone.png"]
    points = [Point(m, 0.1 - m / 10, 0.1, (0.05, 0.15), (0.05, 0.12), 0.5) for m in (0, 0.2, 0.5)]
    both = [evaluation(judged), replace(evaluation(judged), protocol="box")]
    about = About("tiny-<1>", f"data/{EVIL}", "2026-01-01", left_out=["<i>odd</i> boxes: 3"])
    text = render(both, images, SCHEMA, about, margins={"box": points}, epochs={"box": points[:1]})
    path = tmp_path / "index.html"
    path.write_text(text, "utf-8")
    return path


def test_the_page_is_well_formed_and_says_what_there_is(page) -> None:
    root = ElementTree.fromstring(page.read_text("utf-8"))
    heads = ["".join(h.itertext()) for h in root.iter(f"{HTML}h2")]
    assert heads == [
        "Figures", "Landmarks", "Presence and visibility", "Categories",
        "Body types, number of garments, categories of the file",
        "Greatest errors", "Published figures",
    ]  # fmt: skip
    text = "".join(root.itertext())
    for name in SCHEMA.landmarks:
        assert name.replace("_", " ") in text
    for words in ("AVG NE", "PDL at 0.1", "category top-1", "the data set is not known",
                  "Wang et al. 2021", "<i>odd</i> boxes: 3", EVIL, "cannot be read"):  # fmt: skip
        assert words in text, words
    charts = list(root.iter("{http://www.w3.org/2000/svg}svg"))
    assert len(charts) == 1 + 1 + 2 + 2  # landmarks, PDL, confidence of each, two sweeps
    for row in root.iter(f"{HTML}table"):
        widths = {len(list(r)) for r in row.iter(f"{HTML}tr")}
        assert len(widths) == 1


def test_names_of_files_are_text(page) -> None:
    text = page.read_text("utf-8")
    root = ElementTree.fromstring(text)
    assert not list(root.iter(f"{HTML}script"))
    assert "<script" not in text
    assert EVIL in [image.get("alt") for image in root.iter(f"{HTML}img")]


def test_the_page_needs_nothing_else(page) -> None:
    root = ElementTree.fromstring(page.read_text("utf-8"))
    for element in root.iter():
        for name, value in element.attrib.items():
            assert name not in ("onload", "onerror", "onclick")
            if name in ("src", "href"):
                assert value.startswith("data:image/")
    assert "url(" not in page.read_text("utf-8")
    assert "@import" not in page.read_text("utf-8")


def test_a_browser_shows_it(page, tmp_path) -> None:
    dom = opened(page, tmp_path)
    assert "<title>Evaluation of tiny-&lt;1&gt;</title>" in dom  # no script of a file's name ran
    seen = evaluated(
        page,
        "[document.images.length, [...document.images].every(i => i.complete && i.naturalWidth > 0),"
        " document.documentElement.scrollWidth <= innerWidth,"
        " [...document.querySelectorAll('svg')].every(s => s.getBoundingClientRect().width > 300),"
        " document.querySelectorAll('svg polyline').length]",
        tmp_path,
    )
    assert seen[0] > 10
    assert seen[1:4] == [True, True, True]
    assert seen[4] >= 7
    picture = tmp_path / "page.png"
    screenshot(page, picture, (1200, 900), tmp_path)
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    assert pixels.shape == (900, 1200, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 30


def test_text_without_what_xml_cannot_hold() -> None:
    assert clean("a\x00b\ud800c\td") == "a\ufffdb\ufffdc\td"
    assert number(None) == percent(None) == "\u2013"
    assert (number(0.12345), percent(0.5)) == ("0.1235", "50.0 %")


def test_odd_names_are_still_well_formed(tmp_path) -> None:
    judged = [replace(j, key="a\x01\udcff.png") for j in random_garments(1, 4)]
    judged = [replace(j, visibility=np.full(SCHEMA.n_landmarks, 2)) for j in judged]
    about = About("m", "d\x0b", "2026-01-01")
    text = render([evaluation(judged, rounds=0)], [], SCHEMA, about)
    ElementTree.fromstring(text.encode("utf-8"))


def test_a_page_of_one_landmark_and_no_category(tmp_path) -> None:
    """What there is none of is left out; other landmarks than DeepFashion's have no published figures."""
    one = replace(
        SCHEMA, landmarks=("dot",), skeletons=(("own", ()),), default_skeleton="own", flips=(0,),
        sigmas=(0.1,), body_types=(("any", (0,)),), categories=(), colors=("#ffffff",),
    )  # fmt: skip
    judged = [judged_garment([0.1], [2], probabilities=np.zeros(0), category=-1)]
    text = render([evaluation(judged, one)], [], one, About("m", "d", "2026-01-01"))
    root = ElementTree.fromstring(text)
    heads = ["".join(h.itertext()) for h in root.iter(f"{HTML}h2")]
    assert heads == ["Figures", "Landmarks", "Presence and visibility", "Greatest errors"]


def test_the_worst_are_the_greatest_mean_errors_of_visible_landmarks() -> None:
    judged = [j for j in random_garments(2, 30) if (j.visibility == 2).any()]
    found = worst(judged, {}, 5)
    means = sorted((float(j.errors[j.visibility == 2].mean()) for j in judged), reverse=True)
    assert [d.error for d in found] == means[:5]
    assert {d.data for d in found} == {""}
    assert len(worst(judged, {}, 99)) == len(judged)


def test_truth_and_prediction_are_drawn_where_they_are() -> None:
    k = SCHEMA.n_landmarks
    pixels = np.full((SIDE, SIDE, 3), 128, np.uint8)
    truth, said = np.tile([100.0, 60.0], (k, 1)), np.tile([200.0, 240.0], (k, 1))
    whole = judged_garment(
        [0.5] * k, [2] + [0] * (k - 1), truth=truth, predicted=said,
        region=judged_garment([0.5], [2]).region._replace(width=SIDE, height=SIDE),
    )  # fmt: skip
    drawn = draw(pixels, whole)
    assert drawn.shape == (SIDE, SIDE, 3)
    assert tuple(drawn[240, 200]) == pytest.approx(PREDICTED, abs=8)
    ring = drawn[60, 100 - 4].astype(int)
    assert tuple(ring) == pytest.approx(TRUTH, abs=40)
    hidden = replace(whole, visibility=np.ones(k, int))
    np.testing.assert_array_equal(draw(pixels, hidden), pixels)


def test_numbers_have_no_more_digits_than_they_should(page) -> None:
    assert not re.search(r">\s*\d\.\d{6,}\s*<", page.read_text("utf-8"))
