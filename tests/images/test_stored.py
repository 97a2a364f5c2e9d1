"""Files that are read as they are stored, because somebody says what that means."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from p2pselect.datasets import load_image_folder
from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import ImageSequence, as_images

RNG = np.random.default_rng(0)
WIDE = RNG.integers(0, 4096, (12, 9, 5)).astype(np.uint16)


def _write(folder, values, name="a.tif", **options):
    path = folder / name
    options = {"photometric": "minisblack", **options}
    if values.ndim == 3:
        options = {"planarconfig": "contig", **options}
    tifffile.imwrite(path, values, **options)
    return path


def _read(path, **said):
    said.setdefault("value_range", (0, 4095))
    images = as_images([path], **said)
    return images[0]


def _expected(values):
    return np.clip(values / 4095, 0, 1)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_bands_are_channels(channels, planar, options, tmp_path):
    values = WIDE[..., :channels]
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    if channels == 1:
        stored, planar = values[..., 0], None
    path = _write(tmp_path, stored, planarconfig=planar, **options)
    np.testing.assert_allclose(_read(path, n_channels=channels), _expected(values), atol=1e-6)


def test_bands_of_16_bits_keep_all_bits(tmp_path):
    values = np.uint16([[[1, 2, 3], [256, 257, 258]]])
    path = _write(tmp_path, values, photometric="rgb")
    image = _read(path, value_range="dtype")
    np.testing.assert_array_equal(np.rint(image * 65535), values)


def test_pages_are_what_somebody_says(tmp_path):
    path = _write(tmp_path, np.moveaxis(WIDE, -1, 0), planarconfig=None)
    as_channels = _read(path, pages="channels", n_channels=5)
    np.testing.assert_allclose(as_channels, _expected(WIDE), atol=1e-6)
    for page in (0, 3):
        one = _read(path, pages=page)
        np.testing.assert_allclose(one[..., 0], _expected(WIDE[..., page]), atol=1e-6)
    for said in ({}, {"value_range": (0, 4095)}, {"n_channels": 5}):
        with pytest.raises(ImageReadError, match=r"5 pages.*pages=.channels"):
            as_images([path], **said).check(0)
    with pytest.raises(ImageReadError, match="5 pages, so there is no page 5"):
        _read(path, pages=5)
    for pages in ("depth", -1, True, 1.5):
        with pytest.raises(InputError, match="pages must be"):
            _read(path, pages=pages)


def test_smaller_copies_are_no_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as file:
        file.write(WIDE[..., 0], subifds=0)
        file.write(WIDE[::2, ::2, 0], subfiletype=1)
    assert _read(tmp_path / "pyramid.tif").shape == (12, 9, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright(orientation, tmp_path):
    values = (WIDE[..., 0] >> 4).astype(np.uint8)
    path = _write(tmp_path, values, extratags=[(274, "H", 1, orientation, True)])
    decoded = as_images([path])[0][..., 0]
    np.testing.assert_array_equal(
        np.rint(_read(path, value_range=(0, 255))[..., 0] * 255), decoded
    )


def test_white_that_is_zero_is_white(tmp_path):
    path = _write(tmp_path, WIDE[..., 0], photometric="miniswhite")
    image = _read(path, value_range="dtype")[..., 0]
    np.testing.assert_array_equal(np.rint(image * 65535), 65535 - WIDE[..., 0])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_arrays_of_numpy(dtype, ending, tmp_path):
    values = (WIDE // 32).astype(dtype)
    path = tmp_path / f"a.{ending}"
    (np.save if ending == "npy" else np.savez)(path, values)
    expected = _expected(values)
    np.testing.assert_allclose(_read(path, n_channels=5), expected, atol=1e-6)
    first = tmp_path / f"first.{ending}"
    (np.save if ending == "npy" else np.savez)(first, np.moveaxis(values, -1, 0))
    found = _read(first, n_channels=5, channels="first")
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(ImageReadError, match="file of NumPy, which does not say"):
        as_images([path]).check(0)


def test_an_archive_of_several_arrays_is_no_image(tmp_path):
    np.savez(tmp_path / "a.npz", one=WIDE, two=WIDE)
    with pytest.raises(ImageReadError, match=r"holds the arrays \['one', 'two'\]"):
        _read(tmp_path / "a.npz")


def test_objects_are_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ImageReadError, match="allow_pickle"):
        _read(tmp_path / "a.npy")


def test_other_files(tmp_path):
    gray = (WIDE[..., 0] >> 4).astype(np.uint8)
    Image.fromarray(gray).save(tmp_path / "gray.png")
    Image.fromarray(WIDE[..., 0]).save(tmp_path / "wide.png")
    Image.fromarray(np.stack([gray] * 3, 2)).save(tmp_path / "color.png")
    Image.fromarray(gray > 99).save(tmp_path / "bit.png")
    Image.fromarray(gray).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(WIDE[..., 0] / np.float32(4095)).save(tmp_path / "float.tif")
    read = {name.name: _read(name, value_range=(0, 255)) for name in tmp_path.iterdir()}
    np.testing.assert_array_equal(np.rint(read["gray.png"][..., 0] * 255), gray)
    np.testing.assert_array_equal(read["bit.png"][..., 0], gray > 99)
    assert read["color.png"].shape[2] == read["palette.png"].shape[2] == 3
    wide = _read(tmp_path / "wide.png")[..., 0]
    np.testing.assert_allclose(wide, _expected(WIDE[..., 0]), atol=1e-6)
    floats = _read(tmp_path / "float.tif", value_range=(0, 1))[..., 0]
    np.testing.assert_allclose(floats, _expected(WIDE[..., 0]), atol=1e-6)


def test_a_file_per_channel(tmp_path):
    (tmp_path / "kind").mkdir()
    for channel, marker in enumerate(("_dna", "_actin", "_er")):
        for image in range(2):
            values = WIDE[..., channel + image]
            _write(tmp_path / "kind", values, f"{image}{marker}.tif")
    images, labels = load_image_folder(tmp_path, channel_files=("_dna", "_actin", "_er"))
    assert labels.tolist() == ["kind"] * 2
    told = as_images(
        images, channel_files=("_dna", "_actin", "_er"), n_channels=3, value_range=(0, 4095)
    )
    assert told.files.tolist() == images.files.tolist()
    of_folder = as_images(
        tmp_path, channel_files=("_dna", "_actin", "_er"), n_channels=3, value_range=(0, 4095)
    )
    assert of_folder.files.tolist() == images.files.tolist()
    for image in range(2):
        expected = _expected(WIDE[..., image : image + 3])
        np.testing.assert_allclose(told[image], expected, atol=1e-6)
    (tmp_path / "kind" / "1_er.tif").unlink()
    with pytest.raises(ImageReadError, match="1_er.tif: no such file"):
        told.check(1)
    with pytest.raises(InputError, match="channel_files must be"):
        as_images(images, channel_files="_dna")
    lonely = _write(tmp_path, WIDE[..., 0], "lonely.tif")
    with pytest.raises(ImageReadError, match="'_dna' in its name exactly once"):
        as_images([lonely], channel_files=("_dna", "_er"), value_range=(0, 9)).check(0)


def test_what_is_measured_is_the_set(tmp_path):
    paths = [
        _write(tmp_path, np.full((4, 4), 100 * i, np.uint16), f"{i}.tif") for i in range(11)
    ]
    images = as_images(paths, value_range="percentiles")
    np.testing.assert_allclose(images.value_range, [(0, 1000)], atol=20)
    assert isinstance(images, ImageSequence) and images[3:5][0][0, 0, 0] == pytest.approx(0.3)


def test_files_that_differ_are_named(tmp_path):
    first, other = _write(tmp_path, WIDE), _write(tmp_path, WIDE[..., :2], "b.tif")
    with pytest.raises(ImageReadError, match="b.tif has 2 channels of uint16; other files"):
        as_images([first, other], n_channels=5, value_range="dtype").check(1)
    bare = as_images([first], n_channels=5)
    with pytest.raises(ImageReadError, match="a.tif has dtype uint16.*say the range"):
        bare.check(0)
    with pytest.raises(InputError, match="images of 5 channels, not n_channels=4"):
        as_images([first], n_channels=4, value_range="dtype")


def test_damage_is_found_and_skipped(tmp_path):
    good = _write(tmp_path, WIDE)
    bad = tmp_path / "bad.tif"
    bad.write_bytes(good.read_bytes()[:100])
    images = as_images(
        [bad, tmp_path / "none.tif", good],
        n_channels=5,
        value_range="percentiles",
        on_error="skip",
    )
    with pytest.warns(match="2 of 3 images cannot be read"):
        assert images.readable().tolist() == [False, False, True]
    with pytest.raises(ImageReadError, match="none.tif"):
        as_images([good, tmp_path / "none.tif"], n_channels=5, value_range=(0, 9))


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    np.save(tmp_path / "a.npy", WIDE)
    for path in (_write(tmp_path, WIDE), tmp_path / "a.npy"):
        with pytest.raises(ImageReadError, match="MAX_IMAGE_PIXELS"):
            _read(path, n_channels=5)


def test_encoded_images_and_pictures_have_no_range(tmp_path):
    path = _write(tmp_path, WIDE[..., 0])
    for X in ([path.read_bytes()], [Image.open(path)]):
        with pytest.raises(InputError, match="value_range is for arrays, tensors and files"):
            as_images(X, value_range=(0, 4095))
