import numpy as np
import pytest
from oracles.regions import components, is_canonical

from p2pselect import SuperpixelTransformer
from p2pselect.exceptions import InputError, UnknownNameError
from p2pselect.regions import masks_to_labels
from p2pselect.regions._engines import ENGINES
from p2pselect.regions._slic import slic

INSTALLED = sorted(set(ENGINES) - {"fast_slic"})


@pytest.mark.parametrize("engine", INSTALLED)
def test_every_engine_gives_canonical_labels(photographs, engine):
    image = photographs[0][:48, :40]
    labels = SuperpixelTransformer(engine=engine, n_segments=12).propose(image)
    assert labels.shape == (48, 40)
    assert labels.dtype == np.int32
    assert is_canonical(labels)


@pytest.mark.parametrize("engine", INSTALLED)
def test_every_engine_takes_one_pixel_and_one_value(engine):
    propose = SuperpixelTransformer(engine=engine, n_segments=12).propose
    assert np.array_equal(propose(np.zeros((1, 1, 3), np.uint8)), [[0]])
    assert is_canonical(propose(np.full((16, 16, 3), 7, np.uint8)))


@pytest.mark.parametrize("engine", INSTALLED)
def test_every_engine_gives_the_same_again(photographs, engine):
    transformer = SuperpixelTransformer(engine=engine, n_segments=12)
    small = np.ascontiguousarray(photographs[:2, :40, :40])
    first = transformer.transform(small)
    assert np.array_equal(transformer.transform(small[::-1])[::-1], first)


@pytest.mark.parametrize(
    "engine", ["slic", "skimage-slic", "watershed", "felzenszwalb", "grid"]
)
@pytest.mark.parametrize("channels", [2, 5])
def test_any_number_of_channels(photographs, engine, channels):
    image = np.concatenate([photographs[0], photographs[1]], axis=2)[:40, :40, :channels]
    assert is_canonical(SuperpixelTransformer(engine=engine, n_segments=9).propose(image))


@pytest.mark.parametrize("engine", ["quickshift"])
def test_color_engines_say_that_they_need_color(engine):
    with pytest.raises(InputError, match="5 channels"):
        SuperpixelTransformer(engine=engine).propose(np.zeros((8, 8, 5), np.uint8))


def test_watershed_has_as_many_regions_as_slic(photographs):
    for image in photographs:
        basins = SuperpixelTransformer(engine="watershed", n_segments=30).propose(image)
        assert basins.max() == slic(image, 30).max()


def test_grid_and_pixel():
    image = np.zeros((4, 6, 3), np.uint8)
    grid = SuperpixelTransformer(engine="grid", n_segments=6).propose(image)
    assert np.array_equal(grid, np.kron(np.arange(6).reshape(2, 3), np.ones((2, 2), int)))
    pixel = SuperpixelTransformer(engine="pixel").propose(image)
    assert np.array_equal(pixel, np.arange(24).reshape(4, 6))


def test_callable_gets_the_image_and_its_labels_are_relabeled():
    seen = []

    def checkerboard(image):
        seen.append((image.shape, image.dtype))
        return np.indices(image.shape[:2]).sum(axis=0) % 2 * 5 - 3

    labels = SuperpixelTransformer(engine=checkerboard).transform(np.zeros((1, 3, 4), np.uint8))
    assert seen == [((3, 4, 3), np.uint8)]
    assert np.array_equal(labels[0], np.arange(12).reshape(3, 4))


@pytest.mark.parametrize(
    "result", [np.zeros((2, 2), int), np.zeros((3, 4)), "labels", np.zeros((1, 3, 4), int)]
)
def test_callable_that_returns_no_labels(result):
    with pytest.raises(InputError, match=r"integer labels of shape \(3, 4\)"):
        SuperpixelTransformer(engine=lambda image: result).propose(
            np.zeros((3, 4, 3), np.uint8)
        )


def test_unknown_engine_names_near_matches():
    with pytest.raises(UnknownNameError, match="did you mean 'quickshift'"):
        SuperpixelTransformer(engine="quikshift").fit(np.zeros((1, 3, 4, 3), np.uint8))
    with pytest.raises(UnknownNameError, match="one of"):
        SuperpixelTransformer(engine="xyz").transform(np.zeros((1, 3, 4, 3), np.uint8))


def test_fast_slic_missing_tells_how_to_install(photographs):
    try:
        import fast_slic  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match="--no-build-isolation"):
            SuperpixelTransformer(engine="fast_slic").propose(photographs[0])
    else:
        pytest.skip("fast-slic is installed")


def test_fast_slic_agrees_and_keeps_no_memory(photographs):
    pytest.importorskip("fast_slic", reason="fast-slic is not installed")
    theirs = SuperpixelTransformer(engine="fast_slic", n_segments=36, compactness=20)
    first = theirs.transform(photographs)
    assert np.array_equal(theirs.transform(photographs[::-1])[::-1], first)
    for image, labels in zip(photographs, first, strict=True):
        ours = slic(image, 36)
        assert abs(int(labels.max()) - int(ours.max())) <= 8
        overlap = np.zeros((labels.max() + 1, ours.max() + 1))
        np.add.at(overlap, (labels, ours), 1)
        # Achievable segmentation accuracy of one by the other.
        assert overlap.max(axis=1).sum() / labels.size > 0.7


def test_the_plain_function_has_the_same_defaults(photographs):
    expected = SuperpixelTransformer().propose(photographs[0])
    assert np.array_equal(slic(photographs[0]), expected)


def test_masks_are_painted_by_area():
    masks = np.zeros((3, 6, 6), bool)
    masks[0, 2:4, 2:4] = True
    masks[1, 1:5, 1:5] = True
    masks[2] = True
    labels = masks_to_labels(masks)
    assert np.array_equal(labels, components(masks.sum(axis=0)))
    assert np.array_equal(masks_to_labels(masks[::-1]), labels)


def test_uncovered_part_is_divided_by_slic(photographs):
    image = photographs[0]
    mask = np.zeros((1, 96, 96), bool)
    mask[0, 20:60, 30:80] = True
    labels = masks_to_labels(mask, image, n_segments=25)
    assert is_canonical(labels)
    inside = np.unique(labels[mask[0]])
    assert len(inside) == 1
    assert not np.isin(labels[~mask[0]], inside).any()
    expected = np.where(mask[0], -1, slic(image, 25))
    assert np.array_equal(labels, components(expected))


def test_a_mask_and_the_superpixel_beside_it_are_two_regions():
    # Four squares, of which the mask is the one below that of number 0.
    mask = np.zeros((8, 8), bool)
    mask[4:, :4] = True
    labels = masks_to_labels([mask], np.zeros((8, 8, 3), np.uint8), n_segments=4)
    expected = np.kron([[0, 1], [2, 3]], np.ones((4, 4), int))
    np.testing.assert_array_equal(labels, expected)


def test_no_masks():
    image = np.zeros((8, 8, 3), np.uint8)
    assert np.array_equal(masks_to_labels([], image, n_segments=4), slic(image, 4))
    with pytest.raises(InputError, match=r"shape \(k, h, w\)"):
        masks_to_labels([])
    with pytest.raises(InputError, match=r"shape \(k, 8, 8\)"):
        masks_to_labels(np.zeros((1, 4, 8), bool), image)
