"""resize and image_size of an estimator: training, prediction, pipelines, scores, files."""

import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from torch import nn

from p2pselect import (
    Explanation,
    P2PClassifier,
    SuperpixelTransformer,
    load,
    metrics,
)
from p2pselect.estimators._inputs import propose_all
from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import as_images
from p2pselect.images._geometry import Grid
from p2pselect.testing._faithfulness import check_removed_pixels_do_not_matter
from p2pselect.training._data import Views

SHAPES = [(20, 40), (40, 20), (24, 24), (8, 12)]
REGIONS = SuperpixelTransformer(engine="grid", n_segments=8)


@pytest.fixture(scope="module")
def photographs():
    rng = np.random.default_rng(0)
    return [rng.integers(1, 256, (*SHAPES[i % 4], 3), np.uint8) for i in range(12)]


Y = np.arange(12) % 2


def own_tint(images, regions, rng):
    return 255 - images // 2, regions


class Mean(nn.Module):
    """A selector without much of a network."""

    def __init__(self, n_maps):
        super().__init__()
        self.layer = nn.Conv2d(3, n_maps, 3, stride=4, padding=1)

    def forward(self, images):
        return 20 * self.layer(images)


def small_classifier(n_classes):
    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, n_classes))


def make(**settings):
    defaults = {
        "selector": Mean,
        "classifier": small_classifier,
        "regions": REGIONS,
        "image_size": 24,
        "max_epochs": 1,
        "objective__warmup_epochs": 0,
        "batch_size": 5,
        "tau": 0.5,
        "random_state": 0,
        "validation": None,
    }
    return P2PClassifier().set_params(**defaults).set_params(**settings)


@pytest.mark.parametrize("augment", [None, "flip", "shift+tint", "affine+tint", own_tint])
@pytest.mark.parametrize("given", [True, False])
def test_views_of_training_are_black_where_no_region_is(photographs, augment, given):
    images, grid = as_images(photographs), Grid((24, 32), "pad")
    views = Views(REGIONS.propose_batch, grid, augment)
    regions = propose_all(REGIONS, images, grid) if given else None
    for epoch in range(3):
        pixels, labels = views(images, regions, 0, epoch, np.arange(12))
        assert pixels.shape == (12, 24, 32, 3) and labels.shape == (12, 24, 32)
        outside = labels < 0
        assert outside.any() and (labels.max(axis=(1, 2)) > 1).all()
        assert not pixels[outside].any() and pixels[~outside].any(axis=1).mean() > 0.95
        if augment is None:
            expected, _ = images._on_grid(slice(None), grid)
            np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("augment", ["paper", "paper-crop"])
@pytest.mark.parametrize("resize", ["pad", "crop"])
def test_random_crops_of_the_photographs_fill_the_grid(augment, resize):
    # Left half dark and right half bright, so that the picture tells the region.
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 40:] = 255
    images, grid = as_images([image] * 8), Grid((24, 24), resize)
    labels = np.stack(
        [grid.place((40, 80)).onto_grid(image[..., 0].astype(int) // 255, -1)] * 8
    )
    views = Views(REGIONS.propose_batch, grid, augment)
    pixels, moved = views(images, labels.astype(np.int32), 0, 0, np.arange(8))
    assert (moved >= 0).all() and 0 < moved.mean() < 1
    bright = pixels.max(axis=3) > 100
    assert (bright == (moved == 1)).mean() > 0.9
    assert (views(images, None, 0, 0, np.arange(8))[1] >= 0).all()


@pytest.mark.parametrize("augment", ["affine", "paper"])
@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
def test_training_and_prediction_on_photographs(photographs, resize, augment):
    clf = make(resize=resize, augment=augment, image_size=(24, 32)).fit(photographs, Y)
    exp = clf.explain(photographs)
    assert exp.resize == resize and exp.regions.shape[1:] == (24, 32)
    assert exp.original_sizes.tolist() == [list(SHAPES[i % 4]) for i in range(12)]
    assert (exp.regions < 0).any() == (resize == "pad")


@pytest.mark.parametrize("size", [24, (16, 32)])
def test_budgets_are_shares_of_the_pixels_in_regions(photographs, size):
    clf = make(image_size=size, selection="budget").fit(photographs, Y)
    exp = clf.explain(photographs, tau=0.5)
    kept = (exp.region_areas * exp.region_masks).sum(axis=1)
    np.testing.assert_allclose(exp.kept_fraction, kept / (exp.regions >= 0).sum(axis=(1, 2)))
    # Eight regions of about the same size: half of them, whatever the shape of the image.
    assert (exp.kept_fraction <= 0.5).all() and exp.kept_fraction.min() > 0.3


@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
def test_regions_of_the_photographs_go_their_way(photographs, resize):
    clf = make(resize=resize).fit(photographs, Y)
    maps = [np.indices(x.shape[:2])[1] * 2 // x.shape[1] for x in photographs]
    exp = clf.explain(photographs, regions=maps)
    again = exp.at_original_size(exp.regions, fill=-1)
    for given, back, x in zip(maps, again, photographs, strict=True):
        inside = back >= 0
        assert inside.mean() >= (0.45 if resize == "crop" else 1)
        # Where labels change, by the width of a pixel of the grid or two.
        assert (given != back)[inside].mean() <= 2 / x.shape[1] + 2 / 24
    # Those of the grid are accepted as they are; padding is cut out of them.
    whole = np.zeros((12, 24, 24), int)
    on_grid = clf.explain(photographs, regions=whole)
    np.testing.assert_array_equal(on_grid.regions >= 0, exp.regions >= 0)
    both = make_pipeline(SuperpixelTransformer(n_segments=9, output="images+regions"), clf)
    assert both.fit(photographs, Y).predict(photographs).shape == (12,)


def test_square_images_are_the_same_in_every_mode():
    X = np.random.default_rng(0).integers(0, 256, (8, 30, 30, 3), np.uint8)
    outputs = [
        make(resize=resize).fit(X, Y[:8]).explain(X) for resize in ("pad", "crop", "stretch")
    ]
    for other in outputs[1:]:
        for name in ("images", "regions", "proba", "selection_logits"):
            np.testing.assert_array_equal(getattr(other, name), getattr(outputs[0], name))


def test_object_masks_of_photographs(photographs):
    masks = [np.indices(x.shape[:2])[1] >= x.shape[1] // 2 for x in photographs]
    for resize in ("pad", "crop", "stretch"):
        clf = make(resize=resize).fit(photographs, Y)
        exp = clf.explain(photographs)
        on_grid = metrics.masks_on_grid(masks, exp)
        assert not on_grid[exp.regions < 0].any()
        share = on_grid.sum(axis=(1, 2)) / exp.n_pixels
        np.testing.assert_allclose(share, 0.5, atol=0.06)
        scores = {
            name: metrics.get_scorer(name)(clf, photographs, Y, masks=masks)
            for name in ("localization", "random_localization", "center_localization")
        }
        assert scores["localization"] == pytest.approx(
            metrics.localization_score(exp.pixel_masks, on_grid)
        )
        assert scores["random_localization"] == pytest.approx(share.mean())
        # A disc in the middle is half on the right half.
        assert scores["center_localization"] == pytest.approx(0.5, abs=0.05)
    with pytest.raises(InputError, match=r"masks\[0\] has height and width exchanged"):
        metrics.masks_on_grid([mask.T for mask in masks], exp)


def test_what_is_cut_away_is_neither_hit_nor_miss(photographs):
    clf = make(resize="crop").fit(photographs, Y)
    exp = clf.explain(photographs[:1])
    ends = np.ones((20, 40), bool)
    ends[:, 10:30] = False
    assert not metrics.masks_on_grid([ends], exp).any()
    assert not exp.masks_at_original_size()[0][:, :10].any()
    assert (exp.at_original_size(exp.regions, fill=-1)[0][:, 30:] == -1).all()


def test_cross_validation_with_masks_of_several_sizes(photographs):
    import sklearn

    masks = np.empty(12, object)
    masks[:] = [np.ones(x.shape[:2], bool) for x in photographs]
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            make(),
            np.array([*photographs, None], object)[:-1],
            Y,
            scoring=metrics.get_scorer("localization"),
            params={"masks": masks},
            cv=2,
            error_score="raise",
        )
    np.testing.assert_allclose(scores, 1)


def test_fidelity_never_shows_padding(photographs):
    clf = make().fit(photographs, Y)
    exp = clf.explain(photographs)
    seen = []

    def predict_proba(images):
        seen.append(images)
        return clf.predict_proba_masked(images)

    curve = metrics.insertion_probability_curve(exp, predict_proba)
    np.testing.assert_allclose(
        curve.per_image[:, -1],
        np.take_along_axis(
            clf.predict_proba_masked(exp.images), exp.proba.argmax(1)[:, None], axis=1
        )[:, 0],
        rtol=1e-5,
    )
    assert all(images.shape[1:] == (24, 24, 3) for images in seen)
    # At a tenth of each image's own pixels, no more than that is shown.
    counts = metrics._perturbed_images.count_regions(
        exp, exp.ranking, np.array([0.0, 0.3, 1.0]), "exact", True
    )
    areas = np.take_along_axis(exp.region_areas, exp.ranking, axis=1)
    shown = np.array([row[:k].sum() for row, k in zip(areas, counts[:, 1], strict=True)])
    assert (shown <= 0.3 * exp.n_pixels + 1e-6).all() and (shown >= 0.2 * exp.n_pixels).all()


def test_files_explanations_and_saved_models(photographs, tmp_path):
    for number, photograph in enumerate(photographs):
        Image.fromarray(photograph).save(tmp_path / f"{number}.png")
    files = [tmp_path / f"{number}.png" for number in range(12)]
    clf = make(
        selector="test_resnet",
        classifier="test_resnet",
        pretrained=False,
        networks__selector_options={"strides": (4, 8)},
        image_size=(32, 64),
        resize="crop",
        networks__selector_image_size=32,
    ).fit(files, Y)
    assert clf.module_.selector.pixel_scorer.image_size == (16, 32)
    clf.save(tmp_path / "m.model")
    again = load(tmp_path / "m.model")
    assert (again.image_size, again.resize) == ((32, 64), "crop")
    exp = clf.explain(files)
    np.testing.assert_array_equal(again.explain(files).proba, exp.proba)
    again.set_params(resize="pad")
    with pytest.raises(InputError, match="resize='pad' was set after fit"):
        again.predict(files)
    # Lazily read, sliced along, and only left out of the file.
    part = pickle.loads(pickle.dumps(exp[[3, 1]]))
    assert part.originals.files.tolist() == [str(files[3]), str(files[1])]
    np.testing.assert_array_equal(part.originals[0], photographs[3])
    for mask, one in zip(part.masks_at_original_size(), (3, 1), strict=True):
        np.testing.assert_array_equal(mask, exp.masks_at_original_size()[one])
    exp.save(tmp_path / "e.npz")
    stored = Explanation.load(tmp_path / "e.npz")
    assert stored.originals is None and stored.resize == "crop"
    np.testing.assert_array_equal(stored.original_sizes, exp.original_sizes)
    files[3].unlink()
    with pytest.raises(ImageReadError, match="3.png: no such file"):
        part.originals[0]


@pytest.mark.parametrize("size", [0, (32,), (32, 0), (32, 10**6), (32.0, 32), "32"])
def test_impossible_sizes(size, photographs):
    with pytest.raises((InputError, ValueError), match="image_size"):
        make(image_size=size).fit(photographs, Y)


def test_the_checks_of_an_estimator_pass_on_a_grid_that_is_not_square():
    check_removed_pixels_do_not_matter(make(image_size=(16, 32), batch_size=64))


def test_one_region_and_a_line_of_pixels():
    X = [np.full((1, 300, 3), 200, np.uint8), np.full((300, 1, 3), 100, np.uint8)] * 4
    clf = make(regions=SuperpixelTransformer(engine="slic", n_segments=1), tau=1.0)
    exp = clf.fit(X, Y[:8]).explain(X)
    assert (exp.n_regions == 1).all() and (exp.n_pixels == 24).all()
    assert (exp.kept_fraction == 1).all()
    assert all(mask.all() for mask in exp.masks_at_original_size())
