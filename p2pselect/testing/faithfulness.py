"""The promise that removed pixels have no influence, as checks that a leak cannot pass.

The removed pixels are changed before the estimator sees the image, and everything from there
on is the estimator's own path from images to predictions.  Only the selection has to be held
fixed: another image would be given another mask.  That is done at the one place where an
image has a say in its mask, the hook ``_score``, which is asked as always and whose answer is
replaced by the recorded one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.explanation import Explanation
from p2pselect.nn.model import RegionScores
from p2pselect.testing.check_images import make_check_images

#: Share of an image that a mask has to keep for a check to say something about both sides.
PARTIAL = (0.05, 0.6)
#: Share of the images that need such a mask.
_ENOUGH = 0.25


@contextmanager
def record_selection(estimator: Any) -> Iterator[list[RegionScores]]:
    """Remember what a fitted estimator says of the regions of every batch.

    Parameters
    ----------
    estimator : SelectiveImageClassifier

    Yields
    ------
    list of RegionScores
        Grows by one for every batch that the estimator selects regions for.
    """
    recorded: list[RegionScores] = []
    score = estimator._score

    def remembered(images: Any, regions: Any) -> RegionScores:
        recorded.append(score(images, regions))
        return recorded[-1]

    estimator._score = remembered
    try:
        yield recorded
    finally:
        del estimator._score


@contextmanager
def replay_selection(estimator: Any, recorded: list[RegionScores]) -> Iterator[None]:
    """Let a fitted estimator rank the regions of other images as it did when recorded.

    The estimator still looks at the new images, so that whatever it keeps of them along the
    way, it keeps of these; only the scores that come out are the recorded ones.

    Parameters
    ----------
    estimator : SelectiveImageClassifier
    recorded : list of RegionScores
        From :func:`record_selection`, for as many images, in batches of the same size.

    Raises
    ------
    AssertionError
        If the estimator does not ask for the scores of exactly these batches.
    """
    score = estimator._score
    waiting = list(recorded)

    def replayed(images: Any, regions: Any) -> RegionScores:
        assert waiting, "the estimator scores more batches than were recorded"
        score(images, regions)
        return waiting.pop(0)

    estimator._score = replayed
    try:
        yield
        assert not waiting, "the estimator scores fewer batches than were recorded"
    finally:
        del estimator._score


def changed_where(images: np.ndarray, where: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Copies of images whose pixels ``where`` (n, h, w) are something else altogether."""
    white = 255 if images.dtype == np.uint8 else 1
    noise = np.random.default_rng(2).random(images.shape) * white
    for name, other in (
        ("noise", noise.astype(images.dtype)),
        ("inverted", white - images),
        ("white", np.full_like(images, white)),
    ):
        yield name, np.where(where[..., None], other, images)


def check_removed_pixels_do_not_matter(estimator: Any) -> None:
    """Whatever the removed pixels are replaced by, no bit of the output changes.

    Where the classifier is shown continuous masks, nothing may matter but mask times image.
    """
    X, y = make_check_images()
    estimator.fit(X, y)
    exp = estimator.explain(X)
    if exp.soft_region_masks is not None:
        _check_soft(estimator, exp)
        return
    for exp in _partial_masks(estimator, X):
        _check_changes(estimator, exp, ~exp.pixel_masks)


def check_faithful_by_construction(estimator: Any) -> None:
    """The prediction is the classifier's on the masked image, which anyone can recompute."""
    X, y = make_check_images()
    estimator.fit(X, y)
    exp = estimator.explain(X)
    soft = exp.soft_region_masks is not None
    for exp in [exp] if soft else _partial_masks(estimator, X):
        recomputed = estimator.predict_proba_masked(exp.masked_images)
        found = estimator.predict_proba(exp.images, regions=exp.regions)
        np.testing.assert_allclose(recomputed, found, atol=1e-5)
        np.testing.assert_allclose(recomputed, exp.proba, atol=1e-5)


def _partial_masks(estimator: Any, X: Any) -> Iterator[Explanation]:
    """What an estimator explains under settings of tau that remove a part of X.

    At most one of each kind: its own settings, a search for tau, one tau for all images.
    While an explanation is looked at, the estimator has the settings that it was made with.
    """
    kept: list[float] = []
    found = False
    for kind in (_own, _searched, _fixed):
        for settings in kind(estimator, X):
            with _changed_settings(estimator, settings):
                try:
                    estimator._validate_params()
                    exp = estimator.explain(X)
                except ValueError:  # a method need not allow every tau
                    continue
                kept.extend(exp.kept_fraction)
                partial = (exp.kept_fraction >= PARTIAL[0]) & (exp.kept_fraction <= PARTIAL[1])
                if partial.mean() >= _ENOUGH:
                    found = True
                    yield estimator.explain(exp.images[partial], regions=exp.regions[partial])
                    break
    if not found:
        raise AssertionError(
            f"this proves nothing: at no tau does {type(estimator).__name__} keep between "
            f"{PARTIAL[0]:.0%} and {PARTIAL[1]:.0%} of a quarter of the images (it keeps "
            f"{min(kept):.0%} to {max(kept):.0%}); where that is meant, skip the check"
        )


@contextmanager
def _changed_settings(estimator: Any, settings: dict[str, Any]) -> Iterator[None]:
    before = {name: getattr(estimator, name) for name in settings}
    estimator.set_params(**settings)
    try:
        yield
    finally:
        estimator.set_params(**before)


def _own(estimator: Any, X: Any) -> Iterator[dict[str, Any]]:
    yield {}


def _fixed(estimator: Any, X: Any) -> Iterator[dict[str, Any]]:
    for tau in (0.2, 0.3, 0.4, 0.5, 0.1, 0.05, 0.6, 0.7, 0.8, 0.9):
        yield {"tau": tau}


def _searched(estimator: Any, X: Any) -> Iterator[dict[str, Any]]:
    """A search that stops somewhere on its way, not only when everything is shown."""
    try:
        exp = estimator.explain(X, tau="dynamic", certainty_threshold=1.0)
    except InputError:
        return
    looked_at = ~np.isnan(exp.path_proba[:, :, 0])
    certainty = exp.path_proba[looked_at].max(axis=1)
    for threshold in np.quantile(certainty, (0.3, 0.5, 0.7, 0.1, 0.9)):
        yield {"tau": "dynamic", "certainty_threshold": min(float(threshold), 1.0)}


def _check_changes(estimator: Any, exp: Explanation, removed: np.ndarray) -> None:
    """Change the pixels ``removed`` of an explanation's images, and demand the same output."""
    with record_selection(estimator) as recorded:
        before = _outputs(estimator.explain(exp.images, regions=exp.regions))
    for what, images in changed_where(exp.images, removed):
        with replay_selection(estimator, recorded):
            after = _outputs(estimator.explain(images, regions=exp.regions))
        with replay_selection(estimator, recorded):
            after["predict_proba"] = estimator.predict_proba(images, regions=exp.regions)
        for name, value in after.items():
            same = before["proba" if name == "predict_proba" else name]
            np.testing.assert_array_equal(
                value, same, err_msg=f"{name} changes with removed pixels: {what}"
            )


def _outputs(exp: Explanation) -> dict[str, np.ndarray]:
    names = ("proba", "tau", "region_masks", "certainty_reached", "path_proba")
    values = {name: getattr(exp, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _check_soft(estimator: Any, exp: Explanation) -> None:
    """Half the mask on an image is the whole mask on the image at half its brightness.

    Both products are the same to the last bit, though nothing else about the two is.
    """
    white = np.float32(255 if exp.images.dtype == np.uint8 else 1)
    bright = (exp.images / white).astype(np.float32)
    with record_selection(estimator) as recorded:
        estimator.explain(bright, regions=exp.regions)
    with replay_selection(estimator, recorded):
        whole = estimator.explain(bright / 2, regions=exp.regions)
    with replay_selection(estimator, recorded):
        whole_proba = estimator.predict_proba(bright / 2, regions=exp.regions)
    soft_masks = estimator._soft_masks
    estimator._soft_masks = lambda scores: soft_masks(scores) / 2
    try:
        with replay_selection(estimator, recorded):
            half = estimator.explain(bright, regions=exp.regions)
        with replay_selection(estimator, recorded):
            half_proba = estimator.predict_proba(bright, regions=exp.regions)
    finally:
        del estimator._soft_masks
    message = "the classifier sees more of the image than mask times image"
    np.testing.assert_array_equal(half.proba, whole.proba, err_msg=message)
    np.testing.assert_array_equal(half_proba, whole_proba, err_msg=message)
    removed = exp.to_pixels(exp.soft_region_masks) == 0
    if removed.any():
        _check_changes(estimator, exp, removed)
    else:
        warnings.warn(
            f"{type(estimator).__name__} removes nothing: every pixel is shown, if dimly.  "
            "Checked was that nothing matters but mask times image",
            P2PSelectWarning,
            stacklevel=3,
        )
