import io
import pickle
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import KFold, train_test_split
from sklearn.utils import _safe_indexing, indexable

from p2pselect.exceptions import ImageReadError, InputError, P2PSelectWarning
from p2pselect.images import ImageSequence, _decode, as_images
from p2pselect.images._pixels import resize


@pytest.fixture(params=["array", "files", "PIL", "arrays of unequal size"])
def images(request, pixels, paths):
    if request.param == "array":
        return as_images(pixels)
    if request.param == "files":
        return as_images(paths)
    if request.param == "PIL":
        return as_images([Image.fromarray(image) for image in pixels])
    return as_images([image[: 20 - i] for i, image in enumerate(pixels)])


KEYS = {
    "slice": slice(1, 6, 2),
    "negative step": slice(None, None, -1),
    "ints": [3, 0, 3],
    "negative ints": np.array([-1, -7]),
    "bools": np.array([True, False, True, False, False, False, True]),
    "bool list": [True] + [False] * 6,
    "uint8": np.array([2, 1], dtype=np.uint8),
    "nothing": [],
    "nobody": np.zeros(7, dtype=bool),
}


@pytest.mark.parametrize("key", KEYS)
def test_views_are_those_images(key, images):
    expected = np.arange(7)[np.asarray(KEYS[key], dtype=int) if key == "nothing" else KEYS[key]]
    view = images[KEYS[key]]
    assert isinstance(view, ImageSequence)
    assert len(view) == len(expected) and view.shape == (len(expected),)
    for got, number in zip(view, expected, strict=True):
        np.testing.assert_array_equal(got, images[int(number)])
    again = view[::-1]
    for got, number in zip(again, expected[::-1], strict=True):
        np.testing.assert_array_equal(got, images[int(number)])
    np.testing.assert_array_equal(
        images.batch(KEYS[key], size=8), images.batch(slice(None), size=8)[expected]
    )


def test_pickled_views(images):
    view = pickle.loads(pickle.dumps(images[[4, 2]]))
    assert len(view) == 2
    np.testing.assert_array_equal(view[1], images[2])
    whole = pickle.loads(pickle.dumps(images))
    np.testing.assert_array_equal(whole[6], images[6])
    assert whole.image_shape == images.image_shape


def test_a_pickled_view_takes_only_its_images():
    big = as_images(np.zeros((1000, 16, 16, 3), np.uint8))
    assert len(pickle.dumps(big[:10])) < 20 * 16 * 16 * 3


def test_scikit_learn_can_slice(images):
    y = np.arange(7)
    train, test, y_train, y_test = train_test_split(images, y, random_state=0)
    assert isinstance(train, ImageSequence) and len(test) == len(y_test) == 2
    np.testing.assert_array_equal(train[0], images[int(y_train[0])])
    for fold, _ in KFold(3).split(images):
        assert len(_safe_indexing(images, fold)) == len(fold)
    assert indexable(images, y)[0] is images


@pytest.mark.parametrize("key", [7, -8, [0, 7], [-8], np.array([[1]]), 1.5, [0.5], "a", None])
def test_impossible_keys(key, images):
    with pytest.raises(IndexError):
        images[key]


def test_masks_of_other_length_are_refused(images):
    with pytest.raises(IndexError, match="a mask of 3 values cannot choose from 7"):
        images[[True, False, True]]


def test_one_image(images, pixels):
    np.testing.assert_array_equal(images[0], pixels[0])
    np.testing.assert_array_equal(images[np.int64(-7)], pixels[0])
    assert images[0].dtype == np.uint8


def test_batches_are_new_arrays(images):
    before = images[1].copy()
    images.batch([1], size=(20, 28))[:] = 0
    np.testing.assert_array_equal(images[1], before)


def test_attributes(pixels, paths):
    of_array, of_files = as_images(pixels), as_images(paths)
    assert of_array.image_shape == (20, 28) and of_files.image_shape is None
    assert of_array.files is None
    assert of_files[2:4].files.tolist() == [str(path) for path in paths[2:4]]
    assert repr(of_array) == "ImageSequence(7 images, 20 x 28, 3 channels, uint8)"
    assert repr(of_files) == "ImageSequence(7 images, files, 3 channels, uint8)"


def test_size_of_batches(pixels):
    images = as_images(pixels)
    assert images.batch([0], size=5).shape == (1, 5, 5, 3)
    assert images.batch([0], size=(5, 9)).shape == (1, 5, 9, 3)
    assert images.batch([], size=5).shape == (0, 5, 5, 3)
    assert images.batch([]).shape == (0, 20, 28, 3)


@pytest.mark.parametrize("size", [0, -1, 2.5, (4,) * 3, (4, 0), "a", [], True])
def test_impossible_sizes(size, pixels):
    with pytest.raises(InputError, match="size must be"):
        as_images(pixels).batch([0], size=size)


def test_unequal_images_need_a_size(pixels):
    images = as_images([pixels[0], pixels[1, :10]])
    with pytest.raises(InputError, match="pass size="):
        images.batch([0, 1])
    assert images.image_shape is None
    assert images.batch([0, 1], size=6).shape == (2, 6, 6, 3)
    np.testing.assert_array_equal(images.batch([1]), pixels[1:2, :10])


def test_files_of_no_images_have_no_size(paths):
    with pytest.raises(InputError, match="pass size="):
        as_images(paths).batch([])


def test_one_path_is_no_sequence():
    with pytest.raises(InputError, match="is one path"):
        ImageSequence("cat.jpg")


def test_paths_are_read_when_asked_for(tmp_path):
    images = ImageSequence([tmp_path / "later.png"])
    with pytest.raises(ImageReadError, match="later.png: no such file"):
        images[0]
    Image.new("RGB", (3, 2), "red").save(tmp_path / "later.png")
    assert images[0].tolist() == [[[255, 0, 0]] * 3] * 2


def test_readable_says_which(paths, tmp_path, monkeypatch):
    monkeypatch.setattr("p2pselect.images._sources._BLOCK", 2)
    (tmp_path / "broken.png").write_bytes(paths[0].read_bytes()[:100])
    wanted = [paths[0], tmp_path / "broken.png", tmp_path / "nowhere.png", paths[1]]
    images = as_images(wanted, on_error="skip")
    with pytest.warns(P2PSelectWarning, match="2 of 4 (?s:.*)broken.png(?s:.*)nowhere.png"):
        ok = images.readable()
    assert ok.tolist() == [True, False, False, True]
    np.testing.assert_array_equal(images[ok][1], images[3])


def test_readable_of_arrays(pixels):
    assert as_images(pixels).readable().all()


def test_no_object_is_kept_per_file():
    paths = [f"/data/class/{number:06d}.jpg" for number in range(20_000)]
    tracemalloc.start()
    images = ImageSequence(paths)[::2]
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    # 22 bytes of path, and 8 of index in the view.
    assert kept < 32 * len(paths)
    assert len(images) == 10_000


def test_sizes_are_those_of_the_images(images):
    expected = [image.shape[:2] for image in images[[3, 0]]]
    assert images[[3, 0]].sizes().tolist() == [list(shape) for shape in expected]
    assert images[:0].sizes().shape == (0, 2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_of_files_are_upright_and_read_no_pixels(orientation, tmp_path, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    shape = as_images([tmp_path / "a.jpg"])[0].shape[:2]
    monkeypatch.setattr(Image.Image, "load", None)
    assert as_images([tmp_path / "a.jpg"]).sizes().tolist() == [list(shape)]
    (tmp_path / "b.jpg").write_bytes(b"text")
    with pytest.raises(ImageReadError, match="b.jpg: not an image"):
        as_images([tmp_path / "b.jpg"]).sizes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_thumbnails_stand_upright_and_show_the_whole_image(orientation, tmp_path, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = orientation
    corners = np.array([[[250, 20, 20], [20, 250, 20], [90, 90, 90]], [[20, 20, 250]] * 3])
    # So flat that it has no smaller size that would do the wrong way round.
    picture = Image.fromarray(corners.astype(np.uint8)).resize((960, 120), 0)
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    images = as_images([tmp_path / "a.jpg"])
    decoded = []

    def convert(image, *rest, own=_decode.from_pillow):
        decoded.append(image.size)
        return own(image, *rest)

    monkeypatch.setattr(_decode, "from_pillow", convert)
    small = images.thumbnail(0, 120)
    assert decoded == [(120, 15)]
    assert small.shape == ((15, 120, 3) if orientation < 5 else (120, 15, 3))
    full = resize(images[0], small.shape[:2])
    assert np.abs(small.astype(int) - full).mean() < 4


def test_thumbnails_of_small_images_have_their_size(images):
    for number, image in enumerate(images):
        np.testing.assert_array_equal(images.thumbnail(number), image)
        h, w = image.shape[:2]
        expected = (10, round(10 * w / h)) if h >= w else (round(10 * h / w), 10)
        assert images.thumbnail(number, 10).shape == (*expected, 3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 4])
def test_thumbnails_are_rgb_of_the_same_kind(dtype, channels):
    pixels = np.ones((2, 8, 4, channels), dtype)
    small = as_images(pixels)[1:].thumbnail(-1, 4)
    assert small.shape == (4, 2, 3) and small.dtype == dtype
    assert as_images(pixels[:, :1]).thumbnail(0, 1).shape == (1, 1, 3)


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".webp", ".tif"])
def test_a_file_that_is_cut_off_is_found(ending, kept, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    for name in ("whole", "cut"):
        Image.fromarray(noise).save(tmp_path / f"{name}{ending}")
    content = (tmp_path / f"cut{ending}").read_bytes()
    (tmp_path / f"cut{ending}").write_bytes(content[: int(kept * len(content))])
    images = as_images([tmp_path / f"whole{ending}", tmp_path / f"cut{ending}"])
    images[:1].check_readable()
    with pytest.raises(
        ImageReadError, match=rf"1 of 2 images cannot be read:\n  .*cut{ending}"
    ):
        images.check_readable()


def test_damage_of_a_jpeg_is_looked_for_at_its_smallest_size(tmp_path, monkeypatch):
    seen = []
    convert = _decode.from_pillow
    monkeypatch.setattr(
        _decode, "from_pillow", lambda image, *rest: seen.append(image.size) or convert(image)
    )
    content = io.BytesIO()
    for ending in (".jpg", ".png"):
        Image.new("RGB", (800, 640), (200, 30, 30)).save(tmp_path / f"a{ending}")
    Image.new("RGB", (160, 80)).save(content, "JPEG")
    as_images([tmp_path / "a.jpg", tmp_path / "a.png"]).check_readable()
    as_images([content.getvalue()]).check_readable()
    assert sorted(seen) == [(20, 10), (100, 80), (800, 640)]


def test_many_damaged_files_are_counted_and_the_first_named(tmp_path):
    for number in range(23):
        (tmp_path / f"{number:02}.png").write_bytes(b"not an image")
    images = as_images(sorted(tmp_path.iterdir()))
    with pytest.raises(
        ImageReadError, match=r"23 of 23 (?s:.*)09.png.*\n  and 13 more$"
    ) as said:
        images.check_readable(progress=True)
    assert "10.png" not in str(said.value)


def test_damage_in_what_is_not_a_file_is_found(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels[0]).save(buffer, "PNG")
    cut = buffer.getvalue()[:-40]
    images = as_images([buffer.getvalue(), cut])
    with pytest.warns(P2PSelectWarning, match="1 of 2 images cannot be read"):
        assert images.readable().tolist() == [True, False]
    # A Pillow image decodes its file when asked for its pixels.
    images = as_images([Image.fromarray(pixels[0]), Image.open(io.BytesIO(cut))])
    with pytest.raises(InputError, match="1 of 2 (?s:.*)image 1"):
        images.check_readable()
    as_images(pixels).check_readable()
