"""Tables of images: what a row says is what is returned, and faults name their line."""

import pickle

import numpy as np
import pytest
from PIL import Image

from p2pselect.datasets import load_image_table, load_mask_folder
from p2pselect.exceptions import ImageReadError, InputError, P2PSelectWarning, UnknownNameError

HEAD = "path,label,split,group,mask"
ROWS = [
    "a/0.png,rust,train,p,",
    "a/1.png,healthy,train,q,m/1.png",
    "b/2.png,rust,valid,r,m/2.png",
    "b/3.png,rust,test,s,m/3.png",
    "b/4.png,healthy,test,t,",
]


def write(folder, lines, encoding="utf-8", name="labels.csv"):
    (folder / name).write_bytes("\n".join(lines).encode(encoding))
    return folder / name


@pytest.fixture
def table(tmp_path):
    """Image i of 6 x 4 pixels has gray 50 * i, and its mask i pixels."""
    for number in range(5):
        file = tmp_path / "ab"[number > 1] / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (6, 4), (50 * number,) * 3).save(file)
        mask = Image.new("L", (6, 4))
        mask.paste(255, (0, 0, number, 1))
        (tmp_path / "m").mkdir(exist_ok=True)
        mask.save(tmp_path / "m" / f"{number}.png")
    return write(tmp_path, [HEAD, *ROWS])


def test_rows_are_returned_in_their_order(table):
    data = load_image_table(table, "test")
    assert [int(image[0, 0, 0]) for image in data.images] == [150, 200]
    assert data.labels.tolist() == ["rust", "healthy"]
    assert data.groups.tolist() == ["s", "t"]
    assert [int(mask.sum()) for mask in data.masks] == [3, 0]
    assert data.masks[1].shape == (4, 6)


@pytest.mark.parametrize("word", ["valid", "validation", "val", "Validation"])
def test_validation_has_three_names(table, word):
    assert load_image_table(table, word).labels.tolist() == ["rust"]


def test_all_rows_are_taken_only_when_that_is_said(table):
    with pytest.raises(InputError, match=r"'train' \(2 rows\), .*split_column=None"):
        load_image_table(table)
    assert len(load_image_table(table, split_column=None).images) == 5


def test_columns_are_found_by_their_names_or_named(table):
    write(table.parent, ["File, CLASS ,species", "a/0.png, x ,A", "", ",,", "b/2.png,y,B"])
    data = load_image_table(table)
    assert data.labels.tolist() == ["x", "y"] and data.groups is None and data.masks is None
    named = load_image_table(table, label_column="species", group_column="CLASS")
    assert named.labels.tolist() == ["A", "B"] and named.groups.tolist() == ["x", "y"]
    assert load_image_table(table, label_column=None).labels is None
    with pytest.raises(UnknownNameError, match="no column 'specie', only .*did you mean 'spec"):
        load_image_table(table, label_column="specie")


def test_a_byte_order_mark_quotes_and_other_letters(table):
    write(table.parent, ['path,"label"', 'a/0.png,"évén, ""odd"""'], encoding="utf-8-sig")
    assert load_image_table(table).labels.tolist() == ['évén, "odd"']


def test_absolute_paths_stay_as_they_are(table, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = write(tmp_path / "elsewhere", ["path,label", f"{table.parent}/a/1.png,x"])
    assert load_image_table(moved).images[0][0, 0, 0] == 50


@pytest.mark.parametrize(
    ("lines", "error", "words"),
    [
        ([], InputError, "has no column called path or file"),
        (["path,label"], InputError, "has no rows"),
        (["label", "x"], InputError, r"has no column called path .*--column path=NAME"),
        (["path;label", "a;x"], InputError, "divided by commas"),
        (["path", "a/0.png"], InputError, "has no column called label or class"),
        (["path,image,label", "a,b,c"], InputError, r"hold the path, \['path', 'image'\]"),
        (["path,label,label", "a,b,c"], InputError, "could hold the label"),
        (["path,label", "a/0.png,x", "b/2.png"], InputError, "line 3: expected 2 cells.*got 1"),
        (["path,label", "a/0.png,x", '"b/2.png,x'], InputError, "line 3: unexpected end"),
        (["path,label", "a/0.png,x", ",x"], InputError, "line 3: no path"),
        (["path,label", "a/0.png,", "b/2.png, "], InputError, "line 2: no label; .* 2 rows"),
        (["path,label,group", "a/0.png,x,"], InputError, "line 2: no group"),
        (["path,label,split", "a/0.png,x,"], InputError, "line 2: no split"),
        (["path,label", "a/0.png,x", "a/9.png,x"], ImageReadError, r"line 3: .* image '.*/a/9"),
        (["path,label", "a,x"], ImageReadError, "line 2: there is no image"),
        (["path,label,mask", "a/0.png,x,m/9.png"], InputError, r"line 2: .*no mask '.*/m/9"),
        (
            ["path,label", "a/0.png,x", "b/2.png,x", "b/../a/0.png,y"],
            InputError,
            r"line 4: the image 'b/../a/0.png' is in line 2 already",
        ),
    ],
)  # fmt: skip
def test_faults_name_their_line(table, lines, error, words):
    write(table.parent, lines)
    with pytest.raises(error, match=f"labels.csv.*{words}"):
        load_image_table(table)


def test_what_is_no_table(table, tmp_path):
    with pytest.raises(InputError, match=r"nowhere.csv cannot be read"):
        load_image_table(tmp_path / "nowhere.csv")
    write(table.parent, ["path,label", "a/0.png,évén"], encoding="latin-1")
    with pytest.raises(InputError, match=r"labels.csv is not text in UTF-8"):
        load_image_table(table)


def test_a_split_that_is_not_there(table):
    with pytest.raises(UnknownNameError, match=r"'tset', only .*; did you mean 'test'"):
        load_image_table(table, "tset")
    write(table.parent, ["path,label", "a/0.png,x"])
    with pytest.raises(InputError, match="no column called split"):
        load_image_table(table, "train")


def test_a_path_in_two_splits_is_refused_whichever_is_loaded(table):
    write(table.parent, [HEAD, *ROWS, "a/0.png,rust,test,p,"])
    with pytest.raises(InputError, match="line 7: .* is in line 2 already"):
        load_image_table(table, "valid")


def test_other_splits_may_be_incomplete(table):
    write(table.parent, [HEAD, *ROWS, "b/9.png,,test,,m/9.png"])
    assert len(load_image_table(table, "train").images) == 2


def test_a_group_in_two_splits_is_said(table):
    write(table.parent, [HEAD, *ROWS[:4], "b/4.png,healthy,test,q,"])
    with pytest.warns(
        P2PSelectWarning, match=r"'q' .*'train' \(line 3\) and 'test' \(line 6\)"
    ):
        load_image_table(table, "train")


def test_missing_images_can_pass(table):
    write(table.parent, ["path,label", "a/0.png,x", "a/9.png,y"])
    data = load_image_table(table, on_error="skip")
    with pytest.warns(P2PSelectWarning, match="9.png"):
        assert data.images.readable().tolist() == [True, False]


def test_images_are_read_as_their_meaning_says(table):
    data = load_image_table(table, "test", value_range=(0, 300))
    assert data.images[0].max() == np.float32(0.5)


# -- masks -----------------------------------------------------------------------------------


def test_masks_are_those_of_a_folder_on_the_grid_of_a_model(table):
    write(table.parent, ["path,label,mask", "b/2.png,x,m/2.png", "b/3.png,x,m/3.png"])
    data = load_image_table(table, size=(8, 9), resize="pad")
    (table.parent / "m" / "0.png").unlink()
    expected = load_mask_folder(table.parent / "m", data.images, (8, 9), resize="pad")
    assert expected.any() and not expected.all()
    np.testing.assert_array_equal(np.asarray(data.masks), expected)
    again = pickle.loads(pickle.dumps(data.masks[[1]]))
    np.testing.assert_array_equal(again[0], expected[1])


def test_what_gray_means_is_decided_for_all_masks(table, tmp_path):
    """A mask with a little noise holds no object where others are black and white."""
    Image.new("L", (6, 4), 3).save(tmp_path / "m" / "1.png")
    write(table.parent, ["path,label,mask", "a/1.png,x,m/1.png", "b/2.png,x,m/2.png"])
    with pytest.warns(P2PSelectWarning, match="nothing brighter"):
        masks = np.asarray(load_image_table(table).masks)
    assert masks.sum(axis=(1, 2)).tolist() == [0, 2]
    write(table.parent, ["path,label,mask", "a/1.png,x,m/1.png"])
    assert load_image_table(table).masks[0].all()  # a label map


def test_remarks_about_masks_are_made_once(table, tmp_path, recwarn):
    for number in (1, 2, 3):
        Image.new("L", (6, 4), 100).save(tmp_path / "m" / f"{number}.png")
    Image.new("L", (6, 4), 255).save(tmp_path / "m" / "4.png")
    rows = [f"{'ab'[n > 1]}/{n}.png,x,m/{n}.png" for n in (1, 2, 3, 4)]
    write(table.parent, ["path,label,mask", *rows])
    masks = load_image_table(table).masks
    assert [mask.any() for mask in masks] == [False] * 3 + [True]
    assert [str(w.message).partition("has")[2] for w in recwarn.list] == [
        " nothing brighter than 127 and counts as a mask without an object"
    ]


def test_a_turned_mask_is_refused(table, tmp_path):
    Image.new("L", (4, 6), 255).save(tmp_path / "m" / "1.png")
    write(table.parent, ["path,label,mask", "a/1.png,x,m/1.png"])
    with pytest.raises(InputError, match="swapped"):
        load_image_table(table).masks[0]


BITS = ["path,label,miner,rust", "a/0.png,x,0,1", "a/1.png,y,1,1", "b/2.png,x,0,0"]


@pytest.mark.parametrize("columns", ["miner,rust", "miner, rust", ["miner", "rust"]])
def test_several_columns_of_labels(table, columns):
    write(table.parent, BITS)
    data = load_image_table(table, label_column=columns)
    assert data.labels.tolist() == [[0, 1], [1, 1], [0, 0]] and data.labels.dtype == np.int64
    assert data.label_names == ["miner", "rust"]
    assert load_image_table(table, label_column="rust,miner").labels[0].tolist() == [1, 0]
    one = load_image_table(table, label_column="miner")
    assert one.labels.tolist() == ["0", "1", "0"] and one.label_names is None


def test_a_column_may_have_a_comma_in_its_name(table):
    write(table.parent, ['path,"big, red"', "a/0.png,x", "a/1.png,y"])
    assert load_image_table(table, label_column="big, red").labels.tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("columns", "lines", "error", "words"),
    [
        ("miner,rusty", BITS, UnknownNameError, "'rusty'.*did you mean 'rust'"),
        ("miner,miner", BITS, InputError, "each named once"),
        (["miner"], BITS, InputError, "at least two"),
        ("miner,rust", [*BITS, "b/3.png,x,2,0"], InputError, "line 5: labels must be 0 or 1"),
        ("miner,rust", [*BITS, "b/3.png,x,,0"], InputError, "line 5: no label"),
        ("miner,rust", [*BITS, 'b/3.png,x,"0,1",0'], InputError, "line 5: labels must be 0"),
    ],
)
def test_several_columns_that_are_no_labels(table, columns, lines, error, words):
    write(table.parent, lines)
    with pytest.raises(error, match=words):
        load_image_table(table, label_column=columns)
