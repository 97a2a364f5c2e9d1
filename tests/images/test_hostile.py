"""Anything at all: a clear error or right images, never something in between."""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import ImageSequence, as_images

SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 9]), min_size=0, max_size=5).map(tuple)
DTYPES = st.sampled_from(
    ["u1", "f2", "f4", "f8", "u1", "f4", "?", "i8", "u2", "c8", "U3", "S2", "O", "M8[s]"]
)


def _right(images):
    assert images.n_channels in (1, 3, 4)
    for image in images:
        assert image.shape[2] == images.n_channels
        assert image.dtype == (np.float32 if images.is_float else np.uint8)
    batch = images.batch(slice(None), size=(4, 6))
    assert batch.shape == (len(images), 4, 6, 3)
    if images.is_float:
        assert batch.dtype == np.float32
        assert 0 <= batch.min() <= batch.max() <= 1  # False for NaN
    else:
        assert batch.dtype == np.uint8


@st.composite
def arrays(draw):
    dtype, shape = draw(DTYPES), draw(SHAPES)
    if dtype == "O":
        return np.full(shape, draw(st.sampled_from([1, "a", None, 2.5])), dtype=object)
    if dtype in ("f2", "f4", "f8") and draw(st.booleans()):
        width = 8 * int(dtype[1])
        return draw(hnp.arrays(dtype, shape, elements=st.floats(0, 1, width=width)))
    return draw(hnp.arrays(dtype, shape))


@settings(max_examples=250, deadline=None)
@given(arrays(), st.sampled_from(["last", "first"]), st.sampled_from([None, (3, 3), (1, 3, 3)]))
def test_any_array(X, channels, image_shape):
    try:
        images = as_images(X, channels=channels, image_shape=image_shape)
    except (InputError, ImageReadError) as error:
        assert len(str(error)) > 20
        return
    _right(images)


THINGS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.just(Image.new("L", (2, 3))),
    st.just(object()),
    arrays(),
)


@settings(max_examples=120, deadline=None)
@given(st.one_of(THINGS, st.lists(THINGS, max_size=4), st.dictionaries(st.text(), THINGS)))
def test_any_object(X):
    try:
        images = as_images(X)
    except (InputError, ImageReadError) as error:
        assert len(str(error)) > 20
        return
    _right(images)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=5))
def test_arrays_of_any_size(sizes):
    images = as_images([np.full((*size, 3), 9, np.uint8) for size in sizes])
    assert (images.image_shape is None) == (len(set(sizes)) > 1)
    assert (images.batch(slice(None), size=5) == 9).all()


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_views_of_views(data):
    numbers = np.arange(30)
    images = as_images(numbers.astype(np.uint8).reshape(30, 1, 1))
    for _ in range(3):
        n = len(numbers)
        lists = st.lists(st.integers(-n, n - 1), max_size=40) if n else st.just([])
        key = data.draw(st.one_of(st.slices(n), lists, hnp.arrays(bool, n)))
        images = images[key]
        numbers = numbers[np.array(key, dtype=int) if isinstance(key, list) else key]
        assert [int(image[0, 0, 0]) for image in images] == numbers.tolist()


def _file(format: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if format in ("GIF", "BMP", "PPM") else {"exif": exif}
    Image.fromarray(noise).save(buffer, format, **options)
    return buffer.getvalue()


FILES = {name: _file(name) for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM")}


def _read_or_refuse(path):
    try:
        image = ImageSequence([path])[0]
    except ImageReadError as error:
        assert str(path) in str(error)
        return
    assert image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8


@pytest.mark.filterwarnings("ignore")  # Pillow's, about the damage
@pytest.mark.parametrize("format", FILES)
@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damaged_files(format, tmp_path, monkeypatch, data):
    # Damage to a header may ask for many pixels: keep the test's memory small.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    content = bytearray(FILES[format])
    # Half of the damage goes where the headers are.
    where = st.one_of(st.integers(0, 60), st.integers(0, len(content) - 1))
    for place in data.draw(st.lists(where, min_size=1, max_size=6)):
        content[min(place, len(content) - 1)] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    path = tmp_path / "damaged"
    path.write_bytes(bytes(content[:cut]))
    _read_or_refuse(path)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=st.sampled_from([b"", *(file[:12] for file in FILES.values())]), tail=st.binary())
def test_any_bytes(head, tail, tmp_path):
    path = tmp_path / "anything"
    path.write_bytes(head + tail)
    _read_or_refuse(path)
