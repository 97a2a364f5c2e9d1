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
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from p2pselect.exceptions import P2PSelectWarning
from p2pselect.explanations._explanation import Explanation
from p2pselect.nn._model import RegionScores
from p2pselect.testing._check_images import make_check_images

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

    Examples
    --------
    >>> from p2pselect.methods import RealXClassifier
    >>> from p2pselect.testing import FLAT_SETTINGS
    >>> X, y = make_check_images(6, 8)
    >>> settings = RealXClassifier.known({**FLAT_SETTINGS, "max_epochs": 0, "tau": 0.3})
    >>> clf = RealXClassifier(**settings).fit(X, y)
    >>> with record_selection(clf) as recorded:
    ...     masks = clf.transform(X)
    >>> recorded[0].maps.shape, recorded[0].areas.shape
    (torch.Size([6, 1, 64]), torch.Size([6, 64]))
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

    Examples
    --------
    >>> from p2pselect.methods import RealXClassifier
    >>> from p2pselect.testing import FLAT_SETTINGS
    >>> X, y = make_check_images(6, 8)
    >>> settings = RealXClassifier.known({**FLAT_SETTINGS, "max_epochs": 0, "tau": 0.3})
    >>> clf = RealXClassifier(**settings).fit(X, y)
    >>> with record_selection(clf) as recorded:
    ...     masks = clf.transform(X)
    >>> with replay_selection(clf, recorded):
    ...     bool((clf.transform(255 - X) == masks).all())
    True
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


def _changed_where(images: np.ndarray, where: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Copies of images whose pixels ``where`` (n, h, w) are something else altogether."""
    white = 255 if images.dtype == np.uint8 else 1
    noise = np.random.default_rng(2).random(images.shape) * white
    for name, other in (("noise", noise.astype(images.dtype)), ("inverted", white - images)):
        yield name, np.where(where[..., None], other, images)


def check_removed_pixels_do_not_matter(estimator: Any) -> None:
    """Whatever the removed pixels are replaced by, no bit of the output changes.

    Where the classifier is shown continuous masks, nothing may matter but mask times image.
    """
    X, y = make_check_images()
    estimator.fit(X, y)
    with record_selection(estimator) as recorded:
        exp = estimator.explain(X)
    if exp.soft_region_masks is not None:
        _check_soft(estimator, exp, recorded)
        return
    for scores, partial in _partial_masks(estimator, exp, recorded):
        _check_changes(estimator, partial, ~partial.pixel_masks, scores)


def check_faithful_by_construction(estimator: Any) -> None:
    """The prediction is the classifier's on the masked image, which anyone can recompute."""
    X, y = make_check_images()
    estimator.fit(X, y)
    with record_selection(estimator) as recorded:
        exp = estimator.explain(X)
    recomputed = estimator.predict_proba_masked(exp.masked_images)
    np.testing.assert_allclose(recomputed, estimator.predict_proba(X), atol=1e-5)
    if exp.soft_region_masks is not None:
        return
    for scores, partial in _partial_masks(estimator, exp, recorded):
        with replay_selection(estimator, scores):
            found = estimator.predict_proba(partial.images, regions=partial.regions)
        recomputed = estimator.predict_proba_masked(partial.masked_images)
        np.testing.assert_allclose(recomputed, found, atol=1e-5)


def _partial_masks(
    estimator: Any, own: Explanation, recorded: list[RegionScores]
) -> Iterator[tuple[list[RegionScores], Explanation]]:
    """Scores and explanations in which a part of the images is removed.

    The regions are ranked as recorded, but their scores are spread: after as little training
    as a check can afford they are so close together that no tau tells many of them apart.
    At most one explanation of each kind: the estimator's own settings, a search for tau, one
    tau for all images.  While it is looked at, the estimator has the settings it was made with.
    """
    scores = [_spread(batch) for batch in recorded]
    kept: list[float] = []
    found = False
    for kind in (_own, _searched, _fixed):
        for settings in kind(estimator, own, scores):
            with _changed_settings(estimator, settings):
                try:
                    estimator._validate_params()
                    with replay_selection(estimator, scores):
                        exp = estimator.explain(own.images, regions=own.regions)
                except ValueError:  # a method need not allow every tau
                    continue
                kept.extend(exp.kept_fraction)
                partial = (exp.kept_fraction >= PARTIAL[0]) & (exp.kept_fraction <= PARTIAL[1])
                if partial.mean() >= _ENOUGH:
                    found = True
                    yield scores, exp
                    break
    if not found:
        raise AssertionError(
            f"this proves nothing: at no tau does {type(estimator).__name__} keep between "
            f"{PARTIAL[0]:.0%} and {PARTIAL[1]:.0%} of a quarter of the images (it keeps "
            f"{min(kept):.0%} to {max(kept):.0%}); where that is meant, skip the check"
        )


def _spread(scores: RegionScores) -> RegionScores:
    """The same ranking, with scores that are the quantiles of a normal distribution."""
    present = scores.areas > 0
    ranking = scores.maps[:, 0].masked_fill(~present, -torch.inf).argsort(1, descending=True)
    share = (ranking.argsort(1) + 0.5) / present.sum(dim=1, keepdim=True)
    spread = -torch.special.ndtri(share.clamp(max=1 - 1e-6))
    return replace(scores, maps=torch.cat([spread[:, None], scores.maps[:, 1:]], dim=1))


@contextmanager
def _changed_settings(estimator: Any, settings: dict[str, Any]) -> Iterator[None]:
    before = {name: getattr(estimator, name) for name in settings}
    estimator.set_params(**settings)
    try:
        yield
    finally:
        estimator.set_params(**before)


def _own(*_: Any) -> Iterator[dict[str, Any]]:
    yield {}


def _fixed(*_: Any) -> Iterator[dict[str, Any]]:
    for tau in (0.3, 0.4, 0.5, 0.2, 0.1, 0.7, 0.9):
        yield {"tau": tau}


def _searched(
    estimator: Any, own: Explanation, scores: list[RegionScores]
) -> Iterator[dict[str, Any]]:
    """A search that stops somewhere on its way, not only when everything is shown."""
    everything = {"tau": "dynamic", "certainty_threshold": 1.0}
    try:
        with replay_selection(estimator, scores):
            exp = estimator.explain(own.images, regions=own.regions, **everything)
    except ValueError:
        return
    looked_at = ~np.isnan(exp.path_proba[:, :, 0])
    certainty = exp.path_proba[looked_at].max(axis=1)
    for threshold in np.quantile(certainty, (0.3, 0.5, 0.7, 0.1, 0.9)):
        yield {"tau": "dynamic", "certainty_threshold": min(float(threshold), 1.0)}


def _check_changes(
    estimator: Any, exp: Explanation, removed: np.ndarray, scores: list[RegionScores]
) -> None:
    """Change the pixels ``removed`` of an explanation's images, and demand the same output."""
    for what, images in _changed_where(exp.images, removed):
        with replay_selection(estimator, scores):
            again = estimator.explain(images, regions=exp.regions)
        with replay_selection(estimator, scores):
            proba = estimator.predict_proba(images, regions=exp.regions)
        for name, value, before in (
            ("the selection", again.region_masks, exp.region_masks),
            ("the search for tau", again.path_proba, exp.path_proba),
            ("explain", again.proba, exp.proba),
            ("predict_proba", proba, exp.proba),
        ):
            np.testing.assert_array_equal(
                value, before, err_msg=f"{name} changes with removed pixels: {what}"
            )


def _check_soft(estimator: Any, exp: Explanation, scores: list[RegionScores]) -> None:
    """Half the mask on an image is the whole mask on the image at half its brightness.

    Both products are the same to the last bit, though nothing else about the two is.
    """
    white = np.float32(255 if exp.images.dtype == np.uint8 else 1)
    bright = (exp.images / white).astype(np.float32)

    def predict(images: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        shown = [_dimmed(batch, share) for batch in scores]
        with replay_selection(estimator, shown):
            explained = estimator.explain(images, regions=exp.regions).proba
        with replay_selection(estimator, shown):
            return explained, estimator.predict_proba(images, regions=exp.regions)

    whole, half = predict(bright / 2, 1), predict(bright, 0.5)
    np.testing.assert_array_equal(
        half, whole, err_msg="the classifier sees more of the image than mask times image"
    )
    removed = ~exp.to_pixels(exp.visible_region_masks)
    if removed.any():
        _check_changes(estimator, exp, removed, scores)
    else:
        warnings.warn(
            f"{type(estimator).__name__} removes nothing: every pixel is shown, if dimly.  "
            "Checked was that nothing matters but mask times image",
            P2PSelectWarning,
            stacklevel=3,
        )


def _dimmed(scores: RegionScores, share: float) -> RegionScores:
    assert scores.shown is not None
    return replace(scores, shown=scores.shown * share)
