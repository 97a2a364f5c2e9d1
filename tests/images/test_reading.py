"""Odd files: what happens with each is stated, and stated here."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import as_images
from p2pselect.images.reading import read_file

RED, BLACK, WHITE = [255, 0, 0], [0, 0, 0], [255, 255, 255]


def _saved(image, path, **options):
    image.save(path, **options)
    return read_file(path)


@pytest.fixture
def corner():
    """Three wide, two high, red at the top left."""
    image = Image.new("RGB", (3, 2))
    image.putpixel((0, 0), (255, 0, 0))
    return image


WHERE_RED_ENDS = {1: (0, 0), 2: (0, 2), 3: (1, 2), 4: (1, 0), 5: (0, 0), 6: (0, 1)} | {
    7: (2, 1),
    8: (2, 0),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tiff", "webp"])
def test_exif_orientation_is_applied(orientation, ending, corner, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if ending == "webp" else {}
    array = _saved(corner, tmp_path / f"a.{ending}", exif=exif, **options)
    assert array.shape == ((2, 3, 3) if orientation < 5 else (3, 2, 3))
    assert array[WHERE_RED_ENDS[orientation]].tolist() == RED
    assert array.sum() == 255
    with Image.open(tmp_path / f"a.{ending}") as image:
        np.testing.assert_array_equal(as_images([image])[0], array)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_matter(corner, tmp_path):
    array = _saved(corner, tmp_path / "a.png", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert array[0, 0].tolist() == RED


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, WHITE),
        ("L", 77, [77] * 3),
        ("RGB", (1, 2, 3), [1, 2, 3]),
        ("RGBX", (1, 2, 3, 0), [1, 2, 3]),
        ("CMYK", (0, 255, 255, 0), RED),
        ("CMYK", (0, 0, 0, 255), BLACK),
        ("HSV", (0, 255, 255), RED),
        ("YCbCr", (255, 128, 128), WHITE),
        ("LA", (200, 128), [100] * 3),
        ("RGBA", (200, 100, 0, 128), [100, 50, 0]),
        ("RGBA", (255, 255, 255, 0), BLACK),
        ("I;16", 0x12FF, [0x12] * 3),
        ("I", 65535, WHITE),
    ],
)
def test_every_mode_has_a_rule(mode, colour, expected):
    images = as_images([Image.new(mode, (4, 5), colour)])
    assert images[0].shape == (5, 4, 3) and images[0].dtype == np.uint8
    assert (images[0] == expected).all()
    assert (images.batch([0], size=3) == expected).all()


def test_floats_without_a_range_are_refused(tmp_path):
    image = Image.new("F", (2, 2))
    with pytest.raises(InputError, match="image 1 .PIL, mode F.*no known range"):
        as_images([Image.new("L", (2, 2)), image])[1]
    image.save(tmp_path / "a.tiff")
    with pytest.raises(ImageReadError, match="a.tiff: .*no known range"):
        read_file(tmp_path / "a.tiff")


def test_integers_beyond_16_bits():
    with pytest.raises(InputError, match="from 0 to 70000"):
        image = Image.new("I", (2, 1))
        image.putpixel((0, 0), 70000)
        as_images([image])[0]


def test_16_bit_png(tmp_path):
    values = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    array = _saved(Image.fromarray(values), tmp_path / "a.png")
    assert array[0].tolist() == [[0] * 3, [0] * 3, [1] * 3, [255] * 3]


def test_palette_with_transparency(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    array = _saved(image, tmp_path / "a.png", transparency=1)
    assert array[0].tolist() == [RED, BLACK]


def test_one_transparent_colour(tmp_path):
    array = _saved(
        Image.new("RGB", (1, 1), "white"), tmp_path / "a.png", transparency=(255,) * 3
    )
    assert array[0].tolist() == [BLACK]


def test_opacity_is_the_same_in_files_and_arrays(tmp_path):
    rgba = np.random.default_rng(0).integers(0, 256, (9, 9, 4), dtype=np.uint8)
    from_file = _saved(Image.fromarray(rgba), tmp_path / "a.png")
    np.testing.assert_array_equal(as_images(rgba[None]).batch([0])[0], from_file)


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tiff"])
def test_first_frame_of_an_animation(ending, tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if ending == "webp" else {}
    array = _saved(
        frames[0], tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:], **options
    )
    assert (array == RED).all()


def test_cmyk_jpeg(tmp_path):
    array = _saved(
        Image.new("CMYK", (16, 16), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=95
    )
    assert np.abs(array.astype(int) - RED).max() < 8


def test_the_name_does_not_decide(corner, tmp_path):
    corner.save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert read_file(tmp_path / "a.jpg")[0, 0].tolist() == RED


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "gif", "tiff", "bmp"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated(ending, share, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"cut.{ending}"
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(ImageReadError, match=f"cut.{ending}"):
        read_file(path)


def test_not_images(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("this is no image")
    (tmp_path / "folder.jpg").mkdir()
    for name, reason in (
        ("empty.jpg", r"not an image in a known format \(0 bytes\)"),
        ("text.jpg", r"not an image in a known format \(16 bytes\)"),
        ("folder.jpg", "is a folder"),
        ("nowhere.jpg", "no such file"),
    ):
        with pytest.raises(ImageReadError, match=f"{name}: {reason}"):
            read_file(tmp_path / name)


def test_no_program_is_started_for_a_file(tmp_path):
    (tmp_path / "a.png").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(ImageReadError, match="not an image in a known format"):
        read_file(tmp_path / "a.png")


@pytest.mark.parametrize("side", [40, 80])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decompression_bombs(side, tmp_path, monkeypatch):
    # Pillow itself only warns up to twice its limit.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("L", (side, side)).save(tmp_path / "bomb.png")
    with pytest.raises(ImageReadError, match="bomb.png: .*pixels"):
        read_file(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert read_file(tmp_path / "bomb.png").shape == (side, side, 3)


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0,
    reason="file permissions do not bind the superuser",
)
def test_forbidden_file(corner, tmp_path):
    corner.save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(ImageReadError, match="a.png: cannot be decoded: .*ermission"):
        read_file(tmp_path / "a.png")


def test_files_are_closed(paths):
    opened = Path("/proc/self/fd")
    if not opened.is_dir():
        pytest.skip("open files cannot be counted here")
    before = len(list(opened.iterdir()))
    for path in paths * 5:
        read_file(path)
    assert len(list(opened.iterdir())) == before
