"""Bad input is one clear error, before any training starts."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.exceptions import NotFittedError
from torch.utils.data import Subset, TensorDataset

from p2pselect import P2PClassifier
from p2pselect.exceptions import ImageReadError, InputError, P2PSelectError, UnknownNameError


def _never_trains(settings, **changes):
    def factory(n):
        raise AssertionError("training was about to start")

    return P2PClassifier().set_params(**{"classifier": factory, **settings, **changes})


def _nan(X):
    X = X / np.float32(255)
    X[7, 3, 3, 1] = np.nan
    return X


BAD_IMAGES = {
    "nan": (_nan, r"image 7"),
    "out of range": (lambda X: X / np.float32(127), r"floats from 0 to 2.*expected \[0, 1\]"),
    "channels": (lambda X: X[..., :2], "channel"),
    "layout": (lambda X: X.transpose(0, 3, 1, 2), 'channels="first"'),
    "empty": (lambda X: X[:0], "no image|empty|at least one"),
    "missing file": (lambda X: ["nowhere/leaf.jpg"] * len(X), "nowhere/leaf.jpg"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_bad_images(X, y, settings, kind):
    spoil, message = BAD_IMAGES[kind]
    bad = spoil(X)
    with pytest.raises(P2PSelectError, match=message):
        _never_trains(settings).fit(bad, y[: len(bad)])


def test_unreadable_file_is_named(tmp_path, y, settings):
    file = tmp_path / "leaf.jpg"
    file.write_text("this is not an image")
    with pytest.raises(ImageReadError, match="leaf.jpg"):
        P2PClassifier().set_params(**settings).fit([str(file)] * len(y), y)


def test_a_folder_has_no_labels(tmp_path, X, y, settings):
    for number, image in enumerate(X):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    with pytest.raises(InputError, match=r"does not tell whose labels .*load_image_folder"):
        _never_trains(settings).fit(tmp_path, y)
    clf = P2PClassifier().set_params(**settings).fit(X, y)
    with pytest.raises(InputError, match=r"does not tell whose labels"):
        clf.calibrate(str(tmp_path), y)
    np.testing.assert_array_equal(clf.explain(tmp_path).proba, clf.explain(X).proba)


def test_lengths_differ(X, y, settings):
    with pytest.raises(InputError, match="40 images and 39 labels"):
        _never_trains(settings).fit(X, y[:-1])


def test_one_class(X, y, settings):
    with pytest.raises(InputError, match="one class only"):
        _never_trains(settings).fit(X, np.zeros_like(y))


def test_continuous_labels(X, y, settings):
    with pytest.raises(ValueError, match="Unknown label type"):
        _never_trains(settings).fit(X, y + 0.5)


def test_missing_labels(X, settings):
    with pytest.raises(ValueError, match="requires y"):
        _never_trains(settings).fit(X, None)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: r[:, :5], r"shape|gap|label"),
        (lambda r: r * 2, r"image 0|gap|0\.\.|contiguous"),
        (lambda r: r[:-1], "39 label maps for 40 images"),
        (lambda r: r - 2, "negative|image 0|0"),  # -1 is padding
        (lambda r: r + 0.5, "integer|dtype"),
    ],
)
def test_bad_regions(X, y, settings, spoil, message):
    regions = np.tile(np.arange(1024).reshape(32, 32), (40, 1, 1)) // 256
    if regions.shape == spoil(regions).shape[:1] + (5, 32):
        pytest.fail("not a bad shape")
    with pytest.raises(InputError, match=message):
        _never_trains(settings).fit(X, y, regions=spoil(regions))


def test_before_fit(X):
    with pytest.raises(NotFittedError):
        P2PClassifier().predict(X)


def test_gray_and_opaque_images_are_what_their_three_channels_are(X, y, settings):
    few = {**settings, "max_epochs": 1, "objective__warmup_epochs": 0}
    gray = X[..., 0]
    drawn = [Image.fromarray(image) for image in gray]
    by_arrays, by_pictures = (
        P2PClassifier().set_params(**few).fit(form, y) for form in (gray, drawn)
    )
    expected = by_arrays.predict_proba(gray)
    for clf in (by_arrays, by_pictures):
        for form in (gray, gray[..., None], drawn):
            np.testing.assert_array_equal(clf.predict_proba(form), expected)
    opaque = np.stack([gray, gray, gray, np.full_like(gray, 255)], axis=3)
    np.testing.assert_array_equal(by_pictures.predict_proba(opaque), expected)


def test_arrays_of_another_number_of_channels(clf, X, y, settings):
    gray = X[..., :1]
    opaque = np.concatenate([X, np.full_like(gray, 255)], axis=3)
    np.testing.assert_array_equal(clf.predict_proba(opaque), clf.predict_proba(X))
    with pytest.raises(InputError, match=r"X has 1 channel, but P2PClassifier .* of 3: repeat"):
        clf.predict(gray)
    few = {**settings, "max_epochs": 1, "objective__warmup_epochs": 0, "warm_start": True}
    by_gray = P2PClassifier().set_params(**few).fit(gray, y)
    for use in (
        by_gray.predict,
        lambda X: by_gray.fit(X, y),
        lambda X: by_gray.partial_fit(X, y),
    ):
        with pytest.raises(InputError, match="X has 3 channels, but .* of 1: fit on color"):
            use(X)


def test_labels_come_from_a_data_set_of_pairs(X, y, settings):
    pairs = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    half = Subset(pairs, range(0, len(X), 2))
    few = {**settings, "max_epochs": 1, "objective__warmup_epochs": 0}
    by_pairs = P2PClassifier().set_params(**few).fit(half)
    by_arrays = P2PClassifier().set_params(**few).fit(X[::2], y[::2])
    np.testing.assert_array_equal(by_pairs.predict_proba(half), by_arrays.predict_proba(X[::2]))
    with pytest.raises(InputError, match="has no label: pass labels as y"):
        P2PClassifier().set_params(**few).fit(TensorDataset(torch.from_numpy(X)))
    with pytest.raises(InputError, match="same length|one label per image"):
        P2PClassifier().set_params(**few).fit(half, y)


@pytest.mark.parametrize("which", ["selector", "classifier"])
def test_unknown_network_names_near_matches(X, y, settings, which):
    with pytest.raises(UnknownNameError, match="did you mean.*test_resnet"):
        P2PClassifier().set_params(**{**settings, which: "test_resnett"}).fit(X, y)


@pytest.mark.parametrize(
    "changes",
    [
        {"tau": 0.0},
        {"tau": 1.5},
        {"tau": "dynamik"},
        {"certainty_threshold": 0},
        {"certainty_threshold": 1.01},
        {"selection": "top"},
        {"image_size": 0},
        {"lr": -1},
        {"batch_size": 0},
    ],
)
def test_settings_out_of_range(X, y, settings, changes):
    (name,) = changes
    with pytest.raises(ValueError, match=f"The '{name}' parameter of P2PClassifier must be"):
        _never_trains(settings, **changes).fit(X, y)


@pytest.mark.parametrize("changes", [{"tau": 2}, {"certainty_threshold": "high"}])
def test_explain_out_of_range(clf, X, changes):
    with pytest.raises(InputError, match=r"must be .*\(0, 1\]"):
        clf.explain(X[:1], **changes)


@pytest.mark.parametrize("weight", [[1.0] * 39, [-1.0] + [1.0] * 39, [np.nan] * 40, [0] * 40])
def test_bad_sample_weight(X, y, settings, weight):
    with pytest.raises(InputError, match="sample_weight"):
        _never_trains(settings).fit(X, y, sample_weight=weight)


def test_metadata_that_fit_has_no_use_for(X, y, settings):
    with pytest.raises(
        InputError, match="takes sample_weight, regions, groups and masks .* got weights"
    ):
        _never_trains(settings).fit(X, y, weights=y)


def test_unknown_device_and_augmentation(X, y, settings):
    with pytest.raises(InputError, match="device='abacus'"):
        P2PClassifier().set_params(**{**settings, "device": "abacus"}).fit(X, y)
    with pytest.raises(InputError, match="augment must be"):
        P2PClassifier().set_params(**{**settings, "augment": "flop"}).fit(X, y)


def test_a_loss_that_is_not_finite_names_the_step(X, y, settings):
    from p2pselect.exceptions import TrainingError

    broken = P2PClassifier().set_params(
        **{**settings, "lr": 1e20, "training__optimizer": "sgd", "max_epochs": 6}
    )
    with pytest.raises(TrainingError, match=r"epoch \d+, step \d+ \(terms"):
        broken.fit(X, y)


def test_nested_region_settings_are_checked_before_training(X, y, settings):
    from p2pselect import SuperpixelTransformer

    with pytest.raises(ValueError, match="'n_segments' parameter of SuperpixelTransformer"):
        _never_trains(settings, regions=SuperpixelTransformer(n_segments=0)).fit(X, y)
