"""The text lists of DeepFashion in the ways in which copies of them differ."""

from __future__ import annotations

import pytest

from napari_fashion.coco.convert.attributes import read_attributes
from napari_fashion.coco.convert.deepfashion_lists import landmarks_of, schema_of
from napari_fashion.coco.convert.faults import Faults, Wrong
from napari_fashion.coco.convert.lists import ListFile, box_of, numbers
from napari_fashion.errors import ConvertError

SLOTS = {1: (0, 1, 2, 3, 6, 7), 2: (4, 5, 6, 7), 3: tuple(range(8))}


def list_file(folder, data, name="list_bbox.txt", first="image_name"):
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    faults = Faults()
    return ListFile(folder, name, first, faults), faults


@pytest.mark.parametrize(
    "text",
    [
        "2\nimage_name x_1\na.jpg 1\nb.jpg 2\n",
        "2\r\nimage_name x_1\r\na.jpg 1\r\nb.jpg 2\r\n",
        "2\nimage_name\tx_1\na.jpg\t1\nb.jpg\t2",
        "\ufeff2\nimage_name x_1\na.jpg   1 \nb.jpg   2 \n\n\n",
    ],
)
def test_white_space_line_ends_and_a_byte_order_mark_do_not_count(tmp_path, text):
    file, faults = list_file(tmp_path, text)
    assert list(file.rows()) == [(3, ["a.jpg", "1"]), (4, ["b.jpg", "2"])]
    assert file.header == ["image_name", "x_1"]
    assert not faults


def test_lines_are_counted_with_blank_ones(tmp_path):
    file, faults = list_file(tmp_path, "1\n\nimage_name x_1\n\n\na.jpg 1\n")
    assert list(file.rows()) == [(6, ["a.jpg", "1"])]
    assert not faults


def test_a_list_without_count_or_header_is_read_and_told(tmp_path):
    file, faults = list_file(tmp_path, "image_name x_1\na.jpg 1\n")
    assert list(file.rows()) == [(2, ["a.jpg", "1"])]
    (line,) = faults.tally.lines()
    assert "list_bbox.txt, line 1: found no count; expected the number of lines" in line
    file, faults = list_file(tmp_path, "1\na.jpg 1\n")
    assert list(file.rows()) == [(2, ["a.jpg", "1"])]
    (line,) = faults.tally.lines()
    assert (
        "line 2: found no header but 'a.jpg 1'; expected a header that begins with image_name"
        in line
    )


@pytest.mark.parametrize("text", ["", "\n\n", "  \r\n"])
def test_an_empty_list_is_an_error(tmp_path, text):
    with pytest.raises(
        ConvertError, match=r"list_bbox.txt: found nothing, an empty file; expected a count"
    ):
        list_file(tmp_path, text)


def test_a_missing_list_and_a_folder_are_errors(tmp_path):
    with pytest.raises(ConvertError, match=r"Anno/x.txt: cannot be read \(No such file"):
        ListFile(tmp_path, "Anno/x.txt", "image_name", Faults())
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConvertError, match="folder: cannot be read"):
        ListFile(tmp_path, "folder", "image_name", Faults())


def test_a_line_that_is_no_utf8_is_left_out_and_told(tmp_path):
    file, faults = list_file(tmp_path, b"2\nimage_name x_1\ncaf\xe9.jpg 1\nb.jpg 2\n")
    assert list(file.rows()) == [(4, ["b.jpg", "2"])]
    lines = list(faults.tally.lines())
    assert "line 3" in lines[0]
    assert "expected text in UTF-8" in lines[0]


def test_a_line_of_megabytes_is_an_error(tmp_path):
    file, _ = list_file(tmp_path, b"1\nimage_name x_1\n" + b"a" * (1 << 21))
    with pytest.raises(ConvertError, match="line 3: found more than 1,048,576 bytes"):
        list(file.rows())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("018 039 182 277", (18, 39, 164, 238)),
        ("0 0 10.5 20", (0, 0, 10.5, 20)),
        ("018 039 182", "3 numbers after the name"),
        ("1 2 3 4 5", "5 numbers after the name"),
        ("1 2 x 4", "4 words, '1 2 x 4'"),
        ("1 2 nan 4", "4 words, '1 2 nan 4'"),
        ("10 0 5 20", "10 0 5 20, a box without an area"),
        ("", "0 numbers after the name"),
    ],
)
def test_boxes(words, expected):
    assert box_of(words.split()) == expected


def test_numbers_keep_their_kind():
    found = numbers(["007", "-3", "2.5", "4.0"])
    assert found == [7, -3, 2.5, 4]
    assert [type(n) for n in found] == [int, int, float, int]
    assert numbers(["1e400"]) is None
    assert numbers(["inf"]) is None


@pytest.mark.parametrize(
    ("line", "has_variation", "found", "expected"),
    [
        ("2" + " 0 1 2" * 6, False, "18 numbers (6 landmarks) for clothes type 2", "12 numbers, "),
        ("4 0 1 2", False, "the clothes type 4", "1, 2 or 3"),
        ("", False, "the clothes type missing", "1, 2 or 3"),
        ("2 7" + " 0 1 2" * 4, True, "the variation type 7", "1 to 5"),
        ("2 0 1 2 0 1 2 3 1 2 0 1 2", False, "the visibility 3 of landmark 3", "0, 1 or 2"),
        ("2 0 1 x 0 1 2 0 1 2 0 1 2", False, "'2 0 1 x ", "numbers after the name"),
        ("2 1" + " 0 1 2" * 4, False, "13 numbers (4 landmarks) for clothes type 2", "12 numbers"),
    ],
)
def test_lines_of_landmarks_that_make_no_sense(line, has_variation, found, expected):
    wrong = landmarks_of(line.split(), has_variation, SLOTS)
    assert isinstance(wrong, Wrong)
    assert wrong.found.startswith(found)
    assert wrong.expected.startswith(expected)


def test_visibility_is_mapped_and_what_is_cut_off_lies_nowhere():
    found = landmarks_of(
        ["2", "0", "026", "045", "1", "215", "047", "2", "005", "299", "2", "000", "000"],
        False,
        SLOTS,
    )
    assert found == (2, None, [0] * 12 + [26, 45, 2, 215, 47, 1] + [0] * 6)
    assert landmarks_of(["3", "4"] + ["0", "1", "2"] * 8, True, SLOTS)[:2] == (3, 4)


def test_the_slots_are_those_of_the_schema():
    hem, waist = schema_of("hem"), schema_of("waistline")
    assert {t: hem.landmarks_of(b) for t, b in ((1, "upper"), (2, "lower"), (3, "full"))} == SLOTS
    assert waist.landmarks_of("upper") == (0, 1, 2, 3, 4, 5)
    assert waist.landmarks_of("full") == hem.landmarks_of("full")


def attributes(folder, rows):
    (folder / "Anno").mkdir()
    (folder / "Anno" / "list_attr_cloth.txt").write_text(
        "3\nattribute_name  attribute_type\na-line  4\nfit and flare  3\nlace  2\n"
    )
    (folder / "Anno" / "list_attr_img.txt").write_text(
        f"{len(rows)}\nimage_name  attribute_labels\n" + "".join(f"{row}\n" for row in rows)
    )
    faults = Faults()
    return read_attributes(folder, "Anno", faults), faults


def test_attributes_are_there_or_unknown_by_their_names(tmp_path):
    noted, faults = attributes(tmp_path, ["a.jpg   1 -1  0", "b.jpg  -1 1 1 ", "c.jpg -1 -1 -1"])
    assert not faults
    assert noted("a.jpg") == {"attributes": ["a-line"], "attributes_unknown": ["lace"]}
    assert noted("b.jpg") == {"attributes": ["fit and flare", "lace"]}
    assert noted("c.jpg") == {"attributes": []}
    assert noted("d.jpg") == {}


def test_a_row_of_attributes_that_makes_no_sense_is_told_and_its_garment_kept(tmp_path):
    noted, faults = attributes(tmp_path, ["a.jpg 1 -1", "b.jpg 1 2 -1", "c.jpg 1 -1 -1"])
    assert noted("a.jpg") == noted("b.jpg") == {}
    assert noted("c.jpg") == {"attributes": ["a-line"]}
    lines = list(faults.tally.lines())
    assert lines[0] == "garments kept without attributes: a line makes no sense: 2"
    assert "line 3: found 2 values; expected 3 values of 1, -1 or 0" in lines[1]
    assert "line 4: found other values than 1, -1 and 0" in lines[2]
