"""What in a picture is the object: black and white, labels, palettes, noise."""

import warnings

import numpy as np
import pytest
from PIL import Image

from p2pselect.datasets import load_image_folder, load_mask_folder
from p2pselect.exceptions import ImageReadError, InputError, P2PSelectWarning

OBJECT = np.zeros((20, 40), bool)
OBJECT[5:15, 10:20] = True
NOISE = np.random.default_rng(0).integers(0, 5, OBJECT.shape)


@pytest.fixture
def read(tmp_path):
    """Writes one mask per picture, and images, and reads the masks."""

    def read(*pictures, ending=".png", **options):
        for number, picture in enumerate(pictures):
            for part, image, end in (
                ("images", Image.new("RGB", (40, 20)), ".png"),
                ("masks", picture, ending),
            ):
                (tmp_path / part / "cat").mkdir(parents=True, exist_ok=True)
                image.save(tmp_path / part / "cat" / f"{number}{end}")
        return load_mask_folder(
            tmp_path / "masks", load_image_folder(tmp_path / "images")[0], **options
        )

    return read


def picture(values, dtype=np.uint8):
    return Image.fromarray(np.asarray(values).astype(dtype))


def palette(indices, *colors):
    image = Image.new("P", OBJECT.shape[::-1])
    image.putdata(np.asarray(indices).ravel().tolist())
    image.putpalette([channel for color in colors for channel in color])
    return image


BLACK, WHITE, RED, BLUE = (0, 0, 0), (255, 255, 255), (200, 0, 0), (0, 0, 60)
CLEAR = {
    "1 bit": picture(OBJECT, bool),
    "white": picture(OBJECT * 255),
    "label": picture(OBJECT * 1),
    "larger label": picture(OBJECT * 7),
    "16 bits": picture(OBJECT * 7, np.uint16),
    "16 bits, label 255": picture(OBJECT * 255, np.uint16),
    "16 bits, white": picture(OBJECT * 65535, np.uint16),
    "16 bits, noisy": picture(np.where(OBJECT, 65000, NOISE * 256), np.uint16),
    "noisy": picture(np.where(OBJECT, 250 + NOISE, NOISE)),
    "noisy color": picture(
        np.dstack([np.where(OBJECT, 250 - NOISE, NOISE), *[OBJECT * 252] * 2])
    ),
    "opacity": picture(np.dstack([OBJECT * 0 + 255] * 3 + [OBJECT * 255])),
    "dark color": picture(OBJECT[..., None] * np.array(BLUE)),
    "palette": palette(OBJECT * 1, BLACK, RED),
    "palette on white": palette(OBJECT * 1, WHITE, RED),
    "palette of grays": palette(~OBJECT * 1, WHITE, BLACK),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", CLEAR)
def test_the_object_is_found(kind, read):
    np.testing.assert_array_equal(read(CLEAR[kind])[0], OBJECT)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("color", [WHITE, (255, 235, 200)])
def test_noise_of_jpeg_is_not_the_object(read, color):
    mask = read(picture(OBJECT[..., None] * np.array(color)), ending=".jpg")[0]
    np.testing.assert_array_equal(mask, OBJECT)


@pytest.mark.filterwarnings("error")
def test_floats_are_brightness(read):
    np.testing.assert_array_equal(read(picture(OBJECT * 0.9, "f4"), ending=".tif")[0], OBJECT)


def test_a_black_mask_with_noise_has_no_object(read):
    with pytest.warns(P2PSelectWarning, match="1.png has nothing brighter than 127"):
        masks = read(CLEAR["white"], picture(NOISE), picture(OBJECT * 0))
    assert masks.sum(axis=(1, 2)).tolist() == [OBJECT.sum(), 0, 0]


def test_soft_edges_count_from_half_of_white(read):
    soft = np.clip(np.arange(40) * 8 - 32, 0, 255) * np.ones((20, 1))
    with pytest.warns(P2PSelectWarning, match="mostly shades of gray"):
        np.testing.assert_array_equal(read(picture(soft))[0], soft >= 128)


def test_several_labels_are_said(read):
    labels = OBJECT * 1 + (np.arange(40) > 14) * OBJECT
    with pytest.warns(P2PSelectWarning, match=r"0.png has several labels.*\(2 such masks\)"):
        masks = read(picture(labels), palette(labels, BLACK, RED, BLUE))
    np.testing.assert_array_equal(masks, [OBJECT] * 2)


BORDER = np.roll(OBJECT, 1, axis=1) & ~OBJECT


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (palette(OBJECT + 255 * BORDER, BLACK, RED, *[BLUE] * 254), "label 255 next to others"),
        (picture(OBJECT + 255 * BORDER, np.uint16), "label 255 next to others"),
        (
            picture(OBJECT + 255 * BORDER),
            r"values \[1, 255\] next to 255. Is this noise, or",
        ),
        (
            picture(OBJECT[..., None] * np.array(RED) + BORDER[..., None] * [224, 224, 192]),
            r"color \(224, 224, 192\)",
        ),
        (palette(OBJECT * 1, RED, BLACK), "palette has black at 1"),
        (
            picture(np.random.default_rng(0).integers(0, 255, (20, 40, 3))),
            "colors: this is a photograph",
        ),
        (picture(-1 * OBJECT, np.int32), "negative values"),
        (picture(OBJECT * 7.0, "f4"), r"outside \[0, 1\]"),
    ],
)
def test_what_may_not_be_the_object_is_refused(mask, message, read):
    ending = ".tif" if mask.mode in ("F", "I") else ".png"
    with pytest.raises((InputError, ImageReadError), match=message):
        read(mask, ending=ending)


@pytest.mark.parametrize("factor", [1, 2])
def test_swapped_sides_are_refused(factor, read):
    turned = picture(OBJECT.T * 255)
    turned = turned.resize([side // factor for side in turned.size], Image.Resampling.NEAREST)
    with pytest.raises(InputError, match=r"0.png has its height and width swapped.*\(20, 40\)"):
        read(turned, size=32)


def test_other_sizes_of_the_same_aspect_ratio_are_accepted(read):
    small = picture(OBJECT * 255).resize((13, 7), Image.Resampling.NEAREST)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(small, size=32).shape == (1, 32, 32)
    with pytest.warns(
        P2PSelectWarning, match=r"aspect ratio .*\(20, 20\), its image \(20, 40\)"
    ):
        read(picture(OBJECT[:, :20] * 255), size=32)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_stand_upright_as_the_images_do(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for part, image in (("images", Image.new("RGB", (40, 20))), ("masks", CLEAR["white"])):
        (tmp_path / part / "cat").mkdir(parents=True)
        image.save(tmp_path / part / "cat" / "1.png", exif=exif)
    images, _ = load_image_folder(tmp_path / "images")
    mask = load_mask_folder(tmp_path / "masks", images)[0]
    assert mask.shape == images[0].shape[:2] and mask.sum() == OBJECT.sum()
    CLEAR["white"].save(tmp_path / "masks" / "cat" / "1.png")
    if orientation >= 5:
        with pytest.raises(InputError, match="EXIF orientation"):
            load_mask_folder(tmp_path / "masks", images)


def test_missing_masks_can_be_left_out(read, tmp_path):
    read(CLEAR["white"], CLEAR["white"])
    (tmp_path / "masks" / "cat" / "0.png").unlink()
    images, _ = load_image_folder(tmp_path / "images")
    with pytest.raises(InputError, match="1 of 2 images have no mask"):
        load_mask_folder(tmp_path / "masks", images)
    with pytest.warns(P2PSelectWarning, match=r"1 of 2 images have no mask .* is .*0.png"):
        masks = load_mask_folder(tmp_path / "masks", images, missing="skip")
    np.testing.assert_array_equal(masks, [OBJECT * False, OBJECT])
    (tmp_path / "masks" / "cat" / "1.png").unlink()
    with pytest.raises(InputError, match="2 of 2 images have no mask"):
        load_mask_folder(tmp_path / "masks", images, missing="skip")
    with pytest.raises(InputError, match="missing must be"):
        load_mask_folder(tmp_path / "masks", images, missing="ignore")
