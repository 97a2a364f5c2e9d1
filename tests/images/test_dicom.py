"""DICOM images: in the units that they state, or through their own window.

What is expected follows the formulas of the standard (PS3.3, sections C.11.1 and C.11.2).
"""

import importlib.util

import numpy as np
import pytest
from dicom_files import dicom_item, write_dicom

from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import as_images

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pydicom") is None, reason="pydicom is not installed"
)
RNG = np.random.default_rng(0)
STORED = RNG.integers(0, 4096, (6, 12, 9)).astype(np.uint16)
SLOPE, INTERCEPT = 2, -1024


def _read(path, value_range, **said):
    return as_images([path], value_range=value_range, **said)[0][..., 0]


UNITS = {"RescaleSlope": SLOPE, "RescaleIntercept": INTERCEPT}


@pytest.mark.parametrize("kind", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("signed", [False, True])
def test_images_come_in_their_units(kind, signed, tmp_path):
    stored = STORED[0].astype(np.int16) - 2048 if signed else STORED[0]
    path = write_dicom(tmp_path / "a.dcm", stored, kind, **UNITS)
    # Turned around within the range of 12 bits.
    turned = -1 - stored if signed else 4095 - stored
    plain = stored if kind == "MONOCHROME2" else turned
    units = 2.0 * plain - 1024
    expected = np.clip((units + 200) / 3200, 0, 1)
    np.testing.assert_allclose(_read(path, (-200, 3000)), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_the_window_of_a_file_is_what_is_seen(kind, function, tmp_path):
    window = {"WindowCenter": 40, "WindowWidth": 1000}
    if function is not None:
        window["VOILUTFunction"] = function
    path = write_dicom(tmp_path / "a.dcm", STORED[0], kind, **UNITS, **window)
    units = 2.0 * STORED[0] - 1024
    expected = {
        "LINEAR": np.clip((units - 39.5) / 999 + 0.5, 0, 1),
        "LINEAR_EXACT": np.clip((units - 40) / 1000 + 0.5, 0, 1),
        "SIGMOID": 1 / (1 + np.exp(-4 * (units - 40) / 1000)),
    }[function or "LINEAR"]
    if kind == "MONOCHROME1":
        expected = 1 - expected
    images = as_images([path], value_range="window")
    assert images.value_range == "window" and images.is_float
    np.testing.assert_allclose(images[0][..., 0], expected, atol=1e-6)
    assert as_images(images, value_range="window").value_range == "window"
    with pytest.raises(InputError, match="read with value_range=window, not"):
        as_images(images, value_range=(0, 1))
    in_units = as_images([path], value_range=(-200, 3000))
    with pytest.raises(InputError, match="not 'window'"):
        as_images(in_units, value_range="window")


def test_of_several_windows_the_first_counts(tmp_path):
    several = {"WindowCenter": [1000, 40], "WindowWidth": [2001, 80]}
    path = write_dicom(tmp_path / "a.dcm", STORED[0], **several)
    expected = np.clip((STORED[0] - 999.5) / 2000 + 0.5, 0, 1)
    np.testing.assert_allclose(_read(path, "window"), expected, atol=1e-6)


def test_frames_have_units_and_windows_of_their_own(tmp_path):
    frames = [
        dicom_item(
            PixelValueTransformationSequence=dicom_item(
                RescaleSlope=k, RescaleIntercept=-10 * k
            ),
            FrameVOILUTSequence=dicom_item(WindowCenter=500 * k + 0.5, WindowWidth=1001),
        )[0]
        for k in range(1, 7)
    ]
    path = write_dicom(tmp_path / "a.dcm", STORED, PerFrameFunctionalGroupsSequence=frames)
    units = np.stack([k * STORED[k - 1] - 10.0 * k for k in range(1, 7)], axis=2)
    images = as_images([path], value_range=(0, 9000), pages="channels", n_channels=6)
    np.testing.assert_allclose(images[0], np.clip(units / 9000, 0, 1), atol=1e-5)
    images = as_images([path], value_range="window", pages="channels", n_channels=6)
    expected = np.clip((units - 500 * np.arange(1, 7)) / 1000 + 0.5, 0, 1)
    np.testing.assert_allclose(images[0], expected, atol=1e-5)
    np.testing.assert_allclose(_read(path, "window", pages=3), expected[..., 3], atol=1e-5)
    with pytest.raises(ImageReadError, match="6 pages, so there is no page 6"):
        _read(path, "window", pages=6)


def test_frames_share_units(tmp_path):
    shared = dicom_item(PixelValueTransformationSequence=dicom_item(**UNITS))
    path = write_dicom(tmp_path / "a.dcm", STORED, SharedFunctionalGroupsSequence=shared)
    units = 2.0 * STORED[4] - 1024
    found = _read(path, (-1024, 7166), pages=4)
    np.testing.assert_allclose(found, (units + 1024) / 8190, atol=1e-6)


def test_colors(tmp_path):
    colors = RNG.integers(0, 256, (5, 4, 3)).astype(np.uint8)
    path = write_dicom(tmp_path / "rgb.dcm", colors, "RGB", WindowCenter=9, WindowWidth=9)
    images = as_images([path], value_range="dtype")
    np.testing.assert_allclose(images[0] * 255, colors, atol=1e-4)
    with pytest.raises(ImageReadError, match=r"rgb.dcm: .*in color \(RGB\).*no window"):
        _read(path, "window")
    table = RNG.integers(0, 256, (3, 256)).astype(np.uint8)
    names = ("Red", "Green", "Blue")
    palette = {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 8] for name in names}
    palette |= {
        f"{name}PaletteColorLookupTableData": values.tobytes()
        for name, values in zip(names, table, strict=True)
    }
    indices = colors[..., 0].copy()
    path = write_dicom(tmp_path / "palette.dcm", indices, "PALETTE COLOR", **palette)
    found = as_images([path], value_range="dtype")[0] * 255
    np.testing.assert_allclose(found, table[:, indices].transpose(1, 2, 0), atol=1e-4)


@pytest.mark.parametrize("said", [{}, {"WindowCenter": 40}, {"WindowWidth": 9}])
def test_a_file_without_a_window_is_named(said, tmp_path):
    path = write_dicom(tmp_path / "bare.dcm", STORED[0], **said)
    with pytest.raises(ImageReadError, match=r"bare.dcm: .*states no window.*pass \(low"):
        _read(path, "window")


def test_nothing_else_has_a_window(tmp_path):
    np.save(tmp_path / "a.npy", STORED[0])
    with pytest.raises(ImageReadError, match="a.npy: .*not a DICOM image"):
        _read(tmp_path / "a.npy", "window")
    for X in (STORED, list(STORED)):
        with pytest.raises(InputError, match="window.*is for DICOM files"):
            as_images(X, value_range="window")


def test_dicom_without_a_word_on_its_values(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", STORED[0])
    with pytest.raises(ImageReadError, match=r"a.dcm: is a DICOM image: pass value_range"):
        as_images([path]).check(0)
