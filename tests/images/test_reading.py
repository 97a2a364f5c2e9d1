"""Odd files: what happens with each is stated, and stated here."""

import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFile

from p2pselect.exceptions import ImageReadError, InputError, P2PSelectWarning
from p2pselect.images import ImageSequence, as_images

RED, BLACK, WHITE = [255, 0, 0], [0, 0, 0], [255, 255, 255]


def read_file(path):
    return ImageSequence([path])[0]


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
    ("mode", "color", "expected"),
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
def test_every_mode_has_a_rule(mode, color, expected):
    images = as_images([Image.new(mode, (4, 5), color)])
    assert images[0].shape == (5, 4, 3) and images[0].dtype == np.uint8
    assert (images[0] == expected).all()
    assert (images.batch([0], size=3) == expected).all()


def test_floats_without_a_range_are_refused(tmp_path):
    image = Image.new("F", (2, 2))
    with pytest.raises(InputError, match="image 1 .PIL, mode F.*no known range"):
        as_images([Image.new("L", (2, 2)), image])[1]
    image.save(tmp_path / "a.tiff")
    with pytest.raises(ImageReadError, match="a.tiff: .*no known range.*value_range="):
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


def test_packed_values_of_12_bits_go_up_to_white(tmp_path):
    # A TIFF file of two pixels, 0xFFF and 0x800; Pillow reads such files, but writes none.
    tags = {256: 2, 257: 1, 258: 12, 259: 1, 262: 1, 273: 122, 277: 1, 278: 1, 279: 3}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4)
    (tmp_path / "a.tif").write_bytes(head + b"\xff\xf8\x00")
    assert read_file(tmp_path / "a.tif")[0, :, 0].tolist() == [255, 128]


def test_palette_with_transparency(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    array = _saved(image, tmp_path / "a.png", transparency=1)
    assert array[0].tolist() == [RED, BLACK]


def test_one_transparent_color(tmp_path):
    array = _saved(
        Image.new("RGB", (1, 1), "white"), tmp_path / "a.png", transparency=(255,) * 3
    )
    assert array[0].tolist() == [BLACK]


def test_opacity_is_the_same_in_files_and_arrays(tmp_path):
    rgba = np.random.default_rng(0).integers(0, 256, (9, 9, 4), dtype=np.uint8)
    from_file = _saved(Image.fromarray(rgba), tmp_path / "a.png")
    np.testing.assert_array_equal(as_images(rgba[None]).batch([0])[0], from_file)


@pytest.mark.filterwarnings("ignore:.*frames or pages")
@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_first_frame_of_an_animation(ending, tmp_path):
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue", "lime")]
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
    (tmp_path / "text.jpg").write_text("not an image yet")
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


def _tiff(path, values, **options):
    tifffile.imwrite(path, values, **options)
    return path


@pytest.fixture
def ramp():
    """All values of 16 bits that a camera of 12 bits makes."""
    return np.arange(4096, dtype=np.uint16).reshape(64, 64)


def _png16(path, values):
    """A PNG of 16 bits, of colors too, which Pillow cannot write."""
    channels = values.shape[2] if values.ndim == 3 else 1
    color_type = {1: 0, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", *values.shape[1::-1], 16, color_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        check = zlib.crc32(kind + data)
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "save",
    [
        lambda folder, v: _png16(folder / "a.png", v),
        lambda folder, v: _tiff(folder / "a.tif", v),
        lambda folder, v: _tiff(folder / "a.tif", v, byteorder=">"),
        lambda folder, v: _tiff(folder / "a.tif", v + 30000),
        lambda folder, v: _tiff(folder / "a.tif", v.astype(np.uint32)),
        lambda folder, v: _tiff(folder / "a.tif", v * 3),  # 14 bits, as raw photographs
        lambda folder, v: _png16(folder / "a.png", np.dstack([v] * 3)),
        lambda folder, v: _tiff(folder / "a.tif", np.dstack([v] * 3)),
        lambda folder, v: _png16(folder / "a.png", np.dstack([v] * 3 + [v * 0 + 65535])),
    ],
)
def test_narrow_values_in_16_bits_are_said_once(save, ramp, tmp_path):
    path = save(tmp_path, ramp)
    with pytest.warns(P2PSelectWarning, match=rf"{path.name} has 16-bit values from .*levels"):
        images = as_images([path, path])
        first = images[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(images[1:][0], first)
    with pytest.warns(P2PSelectWarning, match="16-bit values"):
        as_images(images)[0]


def test_the_warning_names_range_and_levels(ramp, tmp_path):
    with pytest.warns(P2PSelectWarning, match=r"a.tif has .* from 0 to 4095, .* leave 16 of"):
        array = read_file(_tiff(tmp_path / "a.tif", ramp))
    np.testing.assert_array_equal(array[..., 0], ramp >> 8)


@pytest.mark.parametrize("values", [[0, 1 << 14], [40000, 60000], [9, 9]])
def test_wide_and_blank_images_of_16_bits_are_not_remarked_on(values, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        array = read_file(_tiff(tmp_path / "a.tif", np.uint16([values] * 2)))
    assert array[0, :, 0].tolist() == [value >> 8 for value in values]


def test_16_bit_images_are_scaled_alike_whatever_comes_with_them(ramp, tmp_path):
    wide = _tiff(tmp_path / "wide.tif", ramp * 16)
    narrow = _tiff(tmp_path / "narrow.tif", ramp)
    with pytest.warns(P2PSelectWarning):
        alone = as_images([narrow])[0]
        together = as_images([wide, narrow])[1]
    np.testing.assert_array_equal(alone, together)


def test_16_bits_with_white_as_zero_and_with_a_transparent_value(tmp_path):
    values = np.uint16([[0, 40000, 65535]])
    inverted = read_file(_tiff(tmp_path / "a.tif", values, photometric="miniswhite"))
    assert inverted[0, :, 0].tolist() == [255, (65535 - 40000) >> 8, 0]
    image = Image.fromarray(values)
    image.info["transparency"] = 65535
    image.save(tmp_path / "a.png", transparency=65535)
    assert read_file(tmp_path / "a.png")[0, :, 0].tolist() == [0, 40000 >> 8, 0]


BANDS = {
    "five": (
        (4, 5, 5),
        {"photometric": "rgb", "planarconfig": "contig", "extrasamples": ("unspecified",) * 2},
    ),
    "infrared": ((4, 5, 4), {"photometric": "rgb", "extrasamples": ("unspecified",)}),
    "five of gray": ((4, 5, 5), {"photometric": "minisblack", "planarconfig": "contig"}),
    "two of gray": ((4, 5, 2), {"photometric": "minisblack", "planarconfig": "contig"}),
    "four of gray": ((4, 5, 4), {"photometric": "minisblack", "planarconfig": "contig"}),
    "planes": ((5, 4, 5), {"photometric": "minisblack", "planarconfig": "separate"}),
}


@pytest.mark.parametrize("kind", BANDS)
def test_bands_are_not_dropped(kind, tmp_path):
    shape, options = BANDS[kind]
    path = _tiff(tmp_path / "a.tif", np.zeros(shape, np.uint8), **options)
    with pytest.raises(ImageReadError, match=r"a\.tif: .* bands"):
        read_file(path)


def test_planes_of_16_bits_are_not_misread(tmp_path):
    options = {"photometric": "rgb", "planarconfig": "separate"}
    path = _tiff(tmp_path / "a.tif", np.full((3, 4, 5), 4000, np.uint16), **options)
    with pytest.raises(ImageReadError, match="separate planes"):
        read_file(path)
    path = _tiff(tmp_path / "b.tif", np.full((3, 4, 5), 77, np.uint8), **options)
    assert (read_file(path) == 77).all()


def test_signed_bytes_are_not_taken_for_unsigned(tmp_path):
    with pytest.raises(ImageReadError, match="signed 8-bit"):
        read_file(_tiff(tmp_path / "a.tif", np.full((4, 5), -3, np.int8)))


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_opacity_in_a_tiff_is_laid_over_black(kind, tmp_path):
    rgba = np.full((4, 5, 4), (100, 50, 20, 128), np.uint8)
    path = _tiff(tmp_path / "a.tif", rgba, photometric="rgb", extrasamples=(kind,))
    expected = [50, 25, 10] if kind == "unassalpha" else [100, 50, 20]
    assert np.abs(read_file(path)[0, 0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_other_frames_are_mentioned_once(ending, tmp_path):
    path = tmp_path / f"a.{ending}"
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue", "lime")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    images = as_images([path] * 3)
    with pytest.warns(P2PSelectWarning, match=f"a.{ending} has 3 frames or pages") as said:
        images.batch(slice(None))
    assert len(said) == 1


def test_what_pages_are_has_to_be_said(tmp_path):
    stack = np.stack([np.full((4, 5), level, np.uint8) for level in range(7)])
    path = _tiff(tmp_path / "z.tif", stack, photometric="minisblack")
    with pytest.raises(ImageReadError, match=r"7 pages.*pages=.channels.*number of the page"):
        read_file(path)


def test_previews_are_not_frames(tmp_path):
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as file:
        file.write(np.full((64, 64, 3), 9, np.uint8), photometric="rgb")
        file.write(np.full((32, 32, 3), 9, np.uint8), photometric="rgb", subfiletype=1)
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "photo.mpo", save_all=True, append_images=frames[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (read_file(tmp_path / "pyramid.tif") == 9).all()
        assert np.abs(read_file(tmp_path / "photo.mpo").astype(int) - RED).max() < 8


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("ending", ["jpg", "mpo"])
@pytest.mark.parametrize(("limit", "side"), [(6000, 80), (5999, 40), (1520, 40)])
def test_photographs_beyond_the_limit_are_decoded_smaller(
    ending, limit, side, tmp_path, monkeypatch
):
    path = tmp_path / f"photo.{ending}"
    left, right = Image.new("RGB", (80, 75), "red"), Image.new("RGB", (40, 75), "blue")
    left.paste(right, (40, 0))
    left.save(path, quality=95, **({"save_all": True} if ending == "mpo" else {}))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    array = read_file(path)
    assert array.shape == (-(-75 * side // 80), side, 3)
    assert np.abs(array[:, : side // 2 - 1].astype(int) - RED).max() < 12
    assert as_images([path]).sizes().tolist() == [[75, 80]]


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_too_many_pixels_say_what_to_do(ending, tmp_path, monkeypatch):
    Image.new("L", (80, 75)).save(tmp_path / f"photo.{ending}")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1499)
    with pytest.raises(ImageReadError, match=rf"photo.{ending}: .*= 1499.*--max-pixels"):
        read_file(tmp_path / f"photo.{ending}")
    with pytest.raises(InputError, match=r"image 0 .*80 x 75 pixels.*1499.*--max-pixels"):
        as_images([Image.new("L", (80, 75))])[0]
