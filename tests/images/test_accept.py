import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy import sparse

from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import ImageSequence, as_images


def _object_array(items):
    array = np.empty(len(items), dtype=object)
    for number, item in enumerate(items):
        array[number] = item
    return array


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
    grey = as_images(pixels[..., 0].reshape(len(pixels), -1), image_shape=pixels.shape[1:3])
    np.testing.assert_array_equal(grey[2][..., 0], pixels[2, ..., 0])


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
def test_grey_is_repeated(shape, pixels):
    grey = pixels[..., :1].reshape(shape)
    images = as_images(grey)
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
BAD = {
    "first without saying": (np.zeros((4, 3, 8, 8), np.uint8), {}, 'channels="first"'),
    "last without saying": (U8, {"channels": "first"}, 'channels="last"'),
    "two channels": (U8[..., :2], {}, "it has 2 channels; expected 1"),
    "five channels": (np.zeros((4, 8, 8, 5), np.uint8), {}, "it has 5 channels"),
    "one image": (np.zeros((8, 8, 3), np.uint8), {}, r"X\[None\]"),
    "one grey image": (np.zeros((8, 8), np.uint8), {}, "image_shape="),
    "one axis": (np.zeros(8), {}, r"shape \(8,\)"),
    "five axes": (np.zeros((1, 1, 4, 4, 3)), {}, r"shape \(1, 1, 4, 4, 3\)"),
    "no axis": (np.array(3.0), {}, r"shape \(\)"),
    "empty": (U8[:0], {}, "no image"),
    "empty list": ([], {}, "no image"),
    "no pixel": (np.zeros((4, 0, 8, 3), np.uint8), {}, "without a pixel"),
    "bool": (U8 > 0, {}, "dtype bool"),
    "int64": (U8.astype(int), {}, "astype"),
    "uint16": (U8.astype(np.uint16), {}, "65535"),
    "complex": (U8.astype(complex), {}, "Complex data not supported"),
    "text pixels": (U8.astype(str), {}, "dtype <U"),
    "0..255 floats": (U8 + 255.0, {}, r"from 255 to 255, expected \[0, 1\] \(pass X / 255"),
    "normalised": (U8 - 2.1, {}, "from -2.1 to -2.1.*normalisation"),
    "one path": ("cat.jpg", {}, "X is one path, 'cat.jpg'"),
    "one PIL image": (Image.new("RGB", (4, 4)), {}, r"\[image\]"),
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
    monkeypatch.setattr("p2pselect.images.checks._CHUNK_BYTES", 100)
    X = np.zeros((9, 4, 4), dtype=np.float32)
    X[7, 3, 3] = np.nan
    with pytest.raises(InputError, match="first in image 7"):
        as_images(X)
    X[7] = 3
    with pytest.raises(InputError, match="from 0 to 3"):
        as_images(X)


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
