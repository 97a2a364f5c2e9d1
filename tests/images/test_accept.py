import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy import sparse
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from p2pselect.exceptions import ImageReadError, InputError, P2PSelectWarning
from p2pselect.images import ImageSequence, as_images
from p2pselect.images._torch_datasets import labels_of


def _object_array(items):
    array = np.empty(len(items), dtype=object)
    for number, item in enumerate(items):
        array[number] = item
    return array


class Pairs(Dataset):
    """Images and their numbers, as torchvision's data sets give them."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, number):
        return self.images[number], number


FORMS = {
    "array": lambda a, p: a,
    "opaque RGBA": lambda a, p: np.concatenate([a, np.full_like(a[..., :1], 255)], axis=-1),
    "strided": lambda a, p: np.repeat(a, 2, axis=2)[:, :, ::2],
    "Fortran order": lambda a, p: np.asfortranarray(a),
    "list of arrays": lambda a, p: list(a),
    "object array": lambda a, p: _object_array(list(a)),
    "series of arrays": lambda a, p: pd.Series(list(a)),
    "PIL": lambda a, p: [Image.fromarray(image) for image in a],
    "str paths": lambda a, p: [str(path) for path in p],
    "tuple of Path": lambda a, p: tuple(p),
    "path array": lambda a, p: np.array([str(path) for path in p]),
    "path column": lambda a, p: np.array([[str(path)] for path in p]),
    "encoded": lambda a, p: [path.read_bytes() for path in p],
    "encoded series": lambda a, p: pd.Series([path.read_bytes() for path in p]),
    "bytearrays": lambda a, p: [bytearray(path.read_bytes()) for path in p],
    "binary files in memory": lambda a, p: [BytesIO(path.read_bytes()) for path in p],
    "open files": lambda a, p: [path.open("rb") for path in p],
    "data set of tensors": lambda a, p: TensorDataset(torch.from_numpy(a), torch.arange(7)),
    "subset of a data set": lambda a, p: Subset(Pairs([a[0], *a]), range(1, 8)),
    "data set of Pillow images": lambda a, p: Pairs([Image.fromarray(image) for image in a]),
    "data set of images alone": lambda a, p: TensorDataset(torch.from_numpy(a)),
    "path series": lambda a, p: pd.Series([str(path) for path in p]),
    "data frame": lambda a, p: pd.DataFrame({"file": [str(path) for path in p]}),
    "tensor": lambda a, p: torch.from_numpy(a),
    "list of tensors": lambda a, p: [torch.from_numpy(image) for image in a],
    "sequence": lambda a, p: as_images(a),
    "sequence of files": lambda a, p: ImageSequence(p),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_batches(form, pixels, paths):
    images = as_images(FORMS[form](pixels, paths))
    canonical = as_images(pixels)
    some = np.array([5, 0, 3])
    np.testing.assert_array_equal(images.batch(slice(None)), pixels)
    np.testing.assert_array_equal(images.batch(some, size=9), canonical.batch(some, size=9))
    assert len(images) == len(pixels)
    assert not images.is_float
    assert images.n_channels == (4 if form == "opaque RGBA" else 3)


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy, list, _object_array])
def test_channels_first(convert, pixels):
    images = as_images(
        convert(np.ascontiguousarray(np.moveaxis(pixels, -1, 1))), channels="first"
    )
    np.testing.assert_array_equal(images.batch(slice(None)), pixels)
    assert images.image_shape == pixels.shape[1:3]


def test_flat_rows(pixels):
    flat = pixels.reshape(len(pixels), -1)
    for rows in (flat, pd.DataFrame(flat)):
        images = as_images(rows, image_shape=pixels.shape[1:])
        np.testing.assert_array_equal(images.batch(slice(None)), pixels)
    first = np.moveaxis(pixels, -1, 1)
    images = as_images(
        first.reshape(len(first), -1), image_shape=first.shape[1:], channels="first"
    )
    np.testing.assert_array_equal(images.batch(slice(None)), pixels)
    gray = as_images(pixels[..., 0].reshape(len(pixels), -1), image_shape=pixels.shape[1:3])
    np.testing.assert_array_equal(gray[2][..., 0], pixels[2, ..., 0])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("as_list", [False, True])
def test_floats_equal_their_uint8(dtype, as_list, pixels):
    floats = (pixels / 255).astype(dtype)
    images = as_images(list(floats) if as_list else floats)
    batch = images.batch([4, 1])
    assert images.is_float and batch.dtype == np.float32
    atol = 5e-4 if dtype == np.float16 else 1e-6
    np.testing.assert_allclose(batch, pixels[[4, 1]] / 255, rtol=0, atol=atol)
    resized = images.batch([4], size=10)
    np.testing.assert_allclose(resized, as_images(pixels).batch([4], 10) / 255, atol=1.5 / 255)


def test_bfloat16_tensor(pixels):
    tensor = torch.from_numpy(pixels).to(torch.bfloat16) / 255
    assert as_images(tensor).batch([0]).dtype == np.float32


def test_tensor_that_requires_grad():
    assert as_images(torch.zeros(2, 4, 4, 3, requires_grad=True)).is_float


@pytest.mark.parametrize("shape", [(7, 20, 28), (7, 20, 28, 1)])
def test_gray_is_repeated(shape, pixels):
    gray = pixels[..., :1].reshape(shape)
    images = as_images(gray)
    assert images.n_channels == 1 and images[0].shape == (20, 28, 1)
    np.testing.assert_array_equal(
        images.batch(slice(None)), np.repeat(pixels[..., :1], 3, axis=-1)
    )


def test_rounding_errors_are_clipped():
    images = as_images(np.array([-5e-7, 1 + 5e-7]).reshape(1, 1, 2, 1))
    assert images[0].min() == 0 and images[0].max() == 1


def test_memory_maps_are_not_loaded(tmp_path, pixels):
    file = tmp_path / "images.npy"
    np.save(file, pixels)
    mapped = np.load(file, mmap_mode="r")
    images = as_images(mapped)
    assert np.shares_memory(images._source.array, mapped)
    batch = images[2:4].batch([0, 1], size=(20, 28))
    np.testing.assert_array_equal(batch, pixels[2:4])
    batch[:] = 0  # a copy: the file is read-only


def test_float_checks_make_no_copy():
    import tracemalloc

    big = np.zeros((64, 256, 256, 3), dtype=np.float32)
    tracemalloc.start()
    as_images(big)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < big.nbytes / 10


U8 = np.zeros((4, 8, 8, 3), dtype=np.uint8)
RGBA = np.zeros((4, 8, 8, 4), dtype=np.uint8)
BAD = {
    "first without saying": (np.zeros((4, 3, 8, 8), np.uint8), {}, 'channels="first"'),
    "last without saying": (U8, {"channels": "first"}, 'channels="last"'),
    "two channels": (U8[..., :2], {}, "it has 2 channels; expected 1"),
    "five channels": (np.zeros((4, 8, 8, 5), np.uint8), {}, "pass n_channels=5"),
    "other channels": (U8, {"n_channels": 5}, "3 channels; expected n_channels=5"),
    "fewer pixels": ([b"II*"], {"n_channels": 0}, "n_channels must be a positive int"),
    "range backwards": (U8, {"value_range": (9, 3)}, "value_range must be a pair"),
    "range of infinity": (U8, {"value_range": (0, np.inf)}, "value_range must be a pair"),
    "range of nothing": (U8, {"value_range": "all"}, "value_range must be a pair"),
    "two ranges": (U8, {"value_range": ((0, 1), (0, 2))}, "2 pairs, .* 3 channels"),
    "range and opacity": (RGBA, {"value_range": (0, 9)}, "opacity cannot be told from color"),
    "range of a type": (U8 / 255, {"value_range": "dtype"}, "needs whole numbers"),
    "range of NaN": (np.full((2, 4, 4, 1), np.nan), {"value_range": (0, 9)}, "NaN"),
    "one image": (np.zeros((8, 8, 3), np.uint8), {}, r"X\[None\]"),
    "one gray image": (np.zeros((8, 8), np.uint8), {}, "image_shape="),
    "one axis": (np.zeros(8), {}, r"shape \(8,\)"),
    "five axes": (np.zeros((1, 1, 4, 4, 3)), {}, r"shape \(1, 1, 4, 4, 3\)"),
    "no axis": (np.array(3.0), {}, r"shape \(\)"),
    "empty": (U8[:0], {}, "no image"),
    "empty list": ([], {}, "no image"),
    "no pixel": (np.zeros((4, 0, 8, 3), np.uint8), {}, "without a pixel"),
    "bool": (U8 > 0, {}, "dtype bool"),
    "int64": (U8.astype(int), {}, "astype"),
    "uint16": (U8.astype(np.uint16), {}, "\\(0, 4095\\) for 12 bits, \\(0, 65535\\)"),
    "complex": (U8.astype(complex), {}, "Complex data not supported"),
    "text pixels": (U8.astype(str), {}, "dtype <U"),
    "floats to 16": (U8 + 16.0, {}, r"expected \[0, 1\] \(say the range of the values"),
    "floats of 16 bits": (U8 + 4095.0, {}, "say the range of the values"),
    "0..255 floats": (U8 + 255.0, {}, r"from 255 to 255, expected \[0, 1\] \(pass X / 255"),
    "normalized": (U8 - 2.1, {}, "from -2.1 to -2.1.*normalization"),
    "array of bytes": (np.array([b"cat.jpg"]), {}, "dtype .S7.*list of bytes"),
    "loader": (DataLoader(TensorDataset(torch.zeros(4, 8, 8, 3))), {}, r"X\.dataset"),
    "columns": (
        pd.DataFrame({"path": ["a.png"], "label": [1]}),
        {},
        "columns, .*'path', 'label'",
    ),
    "rows": ([{"image": 1, "label": 2}], {}, "dict of .*'image', 'label'.*one column"),
    "encoded rows": ([{"bytes": b"1", "path": None}], {}, r"\[item\['bytes'\] for item in X\]"),
    "None": (None, {}, "X is a NoneType"),
    "dict": ({"a": U8}, {}, "X is a dict"),
    "mixed": ([U8[0], "a.png"], {}, "item 1 is a path"),
    "missing value": (["a.png", None], {}, "item 1 of X is None"),
    "channels differ": ([U8[0], U8[0, ..., :1]], {}, "image 1 has 1"),
    "types differ": ([U8[0], U8[0] / 255], {}, "image 0 has u pixels.*image 1 has f"),
    "bad item": ([U8[0], U8[0, 0, 0]], {}, r"image 1 of X has shape \(3,\)"),
    "ragged": ([[1, 2], [3]], {}, "uneven lengths"),
    "sparse": (sparse.eye(4), {}, "sparse"),
    "masked": (np.ma.masked_equal(U8, 0), {}, "masked array"),
    "features": (U8.reshape(4, -1), {"image_shape": (8, 9)}, "X has 192 features"),
    "image_shape": (U8.reshape(4, -1), {"image_shape": (192,)}, "image_shape must be"),
    "fraction": (U8.reshape(4, -1), {"image_shape": (8, 24.0)}, "image_shape must be"),
    "other shape": (U8, {"image_shape": (8, 9, 3)}, "image_shape says"),
    "flat, one row": (np.zeros(192), {"image_shape": (8, 8, 3)}, "Reshape your data"),
    "flat, NaN": (
        np.full((2, 4), np.nan),
        {"image_shape": (2, 2)},
        "NaN or infinity, first in image 0",
    ),
    "channels": (U8, {"channels": "middle"}, "channels must be"),
    "on_error": (U8, {"on_error": "ignore"}, "on_error must be"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    X, options, message = BAD[case]
    with pytest.raises(InputError, match=message):
        as_images(X, **options)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("as_list", [False, True])
def test_not_finite_names_the_image(value, as_list):
    X = np.zeros((9, 4, 4, 3))
    X[6, 1, 2, 0] = value
    X[8] = value
    with pytest.raises(InputError, match="image 6"):
        as_images(list(X) if as_list else X)


def test_not_finite_beyond_the_first_chunk(monkeypatch):
    monkeypatch.setattr("p2pselect.images._pixels._CHUNK_BYTES", 100)
    X = np.zeros((9, 4, 4), dtype=np.float32)
    X[7, 3, 3] = np.nan
    with pytest.raises(InputError, match="first in image 7"):
        as_images(X)
    X[7] = 3
    with pytest.raises(InputError, match="from 0 to 3"):
        as_images(X)


def test_one_image_that_is_not_an_array_is_a_set_of_one(paths):
    expected = as_images([paths[0]])
    encoded = Path(paths[0]).read_bytes()
    for one in (paths[0], str(paths[0]), encoded, BytesIO(encoded), Image.open(paths[0])):
        images = as_images(one)
        assert len(images) == 1
        np.testing.assert_array_equal(images[0], expected[0])
    with pytest.raises(ImageReadError, match=r"nowhere\.jpg"):
        as_images("nowhere.jpg")


def test_missing_files_are_counted(paths, tmp_path):
    wanted = [paths[0], tmp_path / "nowhere.png", tmp_path]
    with pytest.raises(ImageReadError, match="2 of 3 .* the first is .*nowhere.png"):
        as_images(wanted)
    with pytest.raises(ImageReadError, match="nowhere"):
        as_images(ImageSequence(wanted))
    assert len(as_images(wanted, on_error="skip")) == 3


def test_torch_is_not_imported():
    code = "import sys, p2pselect.images, p2pselect.datasets; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([b"cat.jpg"], "item 0 of X .bytes.*a path would be a str.*not an image"),
        (["https://x.org/a.jpg"], "addresses are not downloaded"),
        (["~/a.jpg"], "expanduser"),
    ],
)
def test_what_is_not_read_is_said(X, message):
    with pytest.raises(ImageReadError, match=message):
        as_images(X)


def test_closed_files_are_an_error(paths):
    with paths[0].open("rb") as file:
        pass
    with pytest.raises(ImageReadError, match="cannot be read: I/O operation on closed file"):
        as_images([file])


def test_open_files_are_where_they_were(paths):
    with paths[0].open("rb") as file:
        file.seek(5)
        as_images([file])
        assert file.tell() == 5


def test_items_that_differ_or_change_are_named(pixels):
    images = as_images(Pairs([pixels[0], pixels[1], pixels[2, ..., :1]]))
    with pytest.raises(InputError, match=r"image 2 of X has shape \(20, 28, 1\)"):
        images.batch([0, 2], size=8)
    with pytest.raises(InputError, match=r"item 1 of X .*with channels='last'"):
        as_images(Pairs([pixels[0], np.moveaxis(pixels[1], 2, 0)]))
    with pytest.raises(InputError, match="no image"):
        as_images(Pairs([]))


def test_random_transforms_are_refused(pixels):
    class Flipping(Pairs):
        def __getitem__(self, number):
            return self.images[number][:: rng.choice([-1, 1])], number

    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="item 0 of X changes each time"):
        as_images(Flipping(pixels))


def test_labels_of_a_data_set(pixels):
    class Listed(Pairs):
        targets = torch.arange(7) * 10

        def __getitem__(self, number):
            raise AssertionError("no image needs to be read")

    assert labels_of(Pairs(pixels)) == list(range(7))
    assert labels_of(Subset(Listed(pixels), [4, 2])) == [40, 20]
    assert labels_of(TensorDataset(torch.zeros(2, 4, 4, 3), torch.tensor([5, 3]))) == [5, 3]
    with pytest.raises(InputError, match="item 0 of X has no label: pass labels as y"):
        labels_of(TensorDataset(torch.zeros(2, 4, 4, 3)))


def test_targets_that_the_data_set_transforms_are_not_taken(pixels):
    class Renamed(Pairs):
        targets = range(7)
        target_transform = staticmethod(str)

        def __getitem__(self, number):
            return self.images[number], self.target_transform(number)

    assert labels_of(Renamed(pixels)) == list("0123456")


LONG = "x" * 100_000


@pytest.mark.parametrize(
    "X",
    [
        [b"no image" * 20_000],
        LONG,
        [LONG],
        [LONG, 1],
        [U8[0], {LONG: LONG}],
        pd.DataFrame({LONG: [LONG], "b": [LONG]}),
        {LONG: LONG},
        [[LONG]],
        np.array([[LONG, LONG]]),
        Pairs([LONG]),
        Pairs([b"no image" * 20_000]),
        pd.Series([{"bytes": b"12" * 100_000}]),
    ],
)
def test_messages_stay_short(X):
    with pytest.raises((InputError, ImageReadError)) as caught:
        as_images(X)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_is_all_images_below_it_in_natural_order(kind, tmp_path):
    (tmp_path / "b").mkdir()
    for number, name in enumerate(["2.png", "10.png", "b/1.png"]):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    with pytest.warns(P2PSelectWarning, match=r"left out .*\.txt 1"):
        images = as_images(kind(tmp_path))
    assert [image[0, 0, 0] for image in images] == [0, 1, 2]
    assert images.files.tolist() == [str(tmp_path / n) for n in ("2.png", "10.png", "b/1.png")]


def test_a_folder_without_images_says_so(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"holds no images, but files .*\.txt 1"):
        as_images(tmp_path)
