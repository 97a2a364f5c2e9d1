"""Checks that removed pixels have no influence, which a model with a leak cannot pass.

The removed pixels are changed before the estimator sees the image.  From there on everything
is the estimator's own path from images to predictions.  Only the selection has to be held
fixed, because another image would get another mask: the estimator scores the regions of the
new image as usual, and then the recorded scores take the place of its answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from p2pselect._fill import BLACK
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.explanations._explanation import Explanation
from p2pselect.nn._model import RegionScores
from p2pselect.testing._check_images import make_check_images

#: A mask that keeps a fraction of the image in this range tells something about both sides.
PARTIAL = (0.05, 0.6)
#: Fraction of the images that need such a mask.
_ENOUGH = 0.25


@contextmanager
def record_selection(estimator: Any) -> Iterator[list[RegionScores]]:
    """Record how a fitted estimator scores the regions of each batch.

    Parameters
    ----------
    estimator : SelectiveImageClassifier
        Fitted.

    Yields
    ------
    list of RegionScores
        Grows by one for each batch for which the estimator selects regions.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, presets
    >>> X, y = make_check_images(6)
    >>> clf = P2PClassifier(**{**presets.SMALL, "max_epochs": 0}).fit(X, y)
    >>> with record_selection(clf) as recorded:
    ...     masks = clf.transform(X)
    >>> len(recorded), len(recorded[0].areas)
    (1, 6)
    """
    recorded: list[RegionScores] = []

    def record(score: Callable, images: Any, regions: Any) -> RegionScores:
        recorded.append(score(images, regions))
        return recorded[-1]

    with _scoring_by(estimator, record):
        yield recorded


@contextmanager
def replay_selection(estimator: Any, recorded: list[RegionScores]) -> Iterator[None]:
    """Let a fitted estimator rank the regions of other images as it did when recorded.

    The estimator still scores the new images, so whatever it remembers of an image on the way
    is of the new one.  Only the scores are the recorded ones.

    Parameters
    ----------
    estimator : SelectiveImageClassifier
        Fitted.
    recorded : list of RegionScores
        From :func:`record_selection`, for the same number of images in batches of the same
        size.

    Yields
    ------
    None
        While the ``with`` block runs, the recorded scores take the place of new ones.

    Raises
    ------
    AssertionError
        If the estimator does not ask for the scores of exactly these batches.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, presets
    >>> X, y = make_check_images(6)
    >>> settings = {**presets.SMALL, "regions": "grid", "max_epochs": 0, "tau": 0.3}
    >>> clf = P2PClassifier(**settings).fit(X, y)
    >>> with record_selection(clf) as recorded:
    ...     masks = clf.transform(X)
    >>> with replay_selection(clf, recorded):
    ...     bool((clf.transform(255 - X) == masks).all())
    True
    """
    waiting = list(recorded)

    def replay(score: Callable, images: Any, regions: Any) -> RegionScores:
        assert waiting, "the estimator scores more batches than were recorded"
        score(images, regions)
        return waiting.pop(0)

    with _scoring_by(estimator, replay):
        yield
        assert not waiting, "the estimator scores fewer batches than were recorded"


@contextmanager
def _scoring_by(estimator: Any, score: Callable[..., RegionScores]) -> Iterator[None]:
    """Score regions by ``score(own, images, regions)``, where ``own`` is the usual function."""
    own_rule = estimator._selection_rule

    def changed_rule() -> Any:
        rule = own_rule()
        return replace(rule, score=partial(score, rule.score))

    # On the instance, so that deleting it uncovers the method of the class again.
    estimator._selection_rule = changed_rule
    try:
        yield
    finally:
        del estimator._selection_rule


def check_removed_pixels_do_not_matter(estimator: Any) -> None:
    """No bit of the output changes, whatever takes the place of the removed pixels.

    If the classifier sees continuous masks, nothing but the product of mask and image matters.
    """
    exp, recorded = _fitted(estimator)
    if exp.soft_region_masks is not None:
        _check_soft(estimator, exp, recorded)
        return
    for scores, partial_exp in _partial_masks(estimator, exp, recorded):
        _check_changes(estimator, partial_exp, ~partial_exp.pixel_masks, scores)


def check_faithful_by_construction(estimator: Any) -> None:
    """The prediction is the classifier's on the masked image, which anyone can recompute."""
    exp, recorded = _fitted(estimator)
    recomputed = estimator.predict_proba_masked(exp.masked_images)
    np.testing.assert_allclose(recomputed, estimator.predict_proba(exp.images), atol=1e-5)
    if exp.soft_region_masks is not None:
        return
    for scores, partial_exp in _partial_masks(estimator, exp, recorded):
        with replay_selection(estimator, scores):
            found = estimator.predict_proba(partial_exp.images, regions=partial_exp.regions)
        recomputed = estimator.predict_proba_masked(partial_exp.masked_images)
        np.testing.assert_allclose(recomputed, found, atol=1e-5)


def _fitted(estimator: Any) -> tuple[Explanation, list[RegionScores]]:
    X, y = make_check_images()
    estimator.fit(X, y)
    with record_selection(estimator) as recorded:
        return estimator.explain(X), recorded


def _partial_masks(
    estimator: Any, own: Explanation, recorded: list[RegionScores]
) -> Iterator[tuple[list[RegionScores], Explanation]]:
    """Scores and explanations that remove a part of the images, but not all of them.

    The regions are ranked as recorded, but their scores are spread out: after the little
    training that a check can afford, they are so close together that no tau tells many of them
    apart.  There is at most one explanation each for the estimator's own settings, a search
    for tau, and a fixed tau.  The settings last while the caller looks at the explanation.
    """
    scores = [_spread(batch) for batch in recorded]
    kept: list[float] = []
    found = False
    # The most promising first, since every try explains all images.
    fixed = [{"tau": tau} for tau in (0.3, 0.4, 0.5, 0.2, 0.1, 0.7, 0.9)]
    kinds: list[Iterable[dict[str, Any]]] = [[{}], _searches(estimator, own, scores), fixed]
    for candidates in kinds:
        for settings in candidates:
            if not settings.keys() <= estimator.get_params().keys():
                continue  # a method need not have a tau
            with _changed_settings(estimator, settings):
                try:
                    estimator._validate_params()
                    with replay_selection(estimator, scores):
                        exp = estimator.explain(own.images, regions=own.regions)
                except ValueError:  # a method need not allow every tau
                    continue
                kept.extend(exp.kept_fraction)
                usable = (exp.kept_fraction >= PARTIAL[0]) & (exp.kept_fraction <= PARTIAL[1])
                if usable.mean() >= _ENOUGH:
                    found = True
                    yield scores, exp
                    break
    if not found:
        raise AssertionError(
            f"this proves nothing: at no tau does {type(estimator).__name__} keep between "
            f"{PARTIAL[0]:.0%} and {PARTIAL[1]:.0%} of a quarter of the images (it keeps "
            f"{min(kept):.0%} to {max(kept):.0%}); if that is intended, skip the check"
        )


def _spread(scores: RegionScores) -> RegionScores:
    """The same ranking, with the quantiles of a normal distribution as scores."""
    present = scores.areas > 0
    ranking = scores.maps[:, 0].masked_fill(~present, -torch.inf).argsort(1, descending=True)
    share = (ranking.argsort(1) + 0.5) / present.sum(dim=1, keepdim=True)
    # Padding comes last, with shares above 1, for which there is no quantile.
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


def _searches(
    estimator: Any, own: Explanation, scores: list[RegionScores]
) -> Iterator[dict[str, Any]]:
    """Settings of searches that stop on their way, not only when everything is shown."""
    # Only full certainty stops this search, so that it records nearly all of its path.
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
    """Change the pixels ``removed`` (n, h, w) of the images, and expect the same output.

    Where no mask was certain enough and the search went back from larger ones, these have had a
    part in which mask is shown.  What the classifier says of that mask and of smaller ones is
    the same even so.
    """
    assert exp.path_proba is not None and exp.path_tau is not None
    beyond = exp.path_tau > exp.tau[:, None]
    stays = ~(beyond & ~np.isnan(exp.path_proba[:, :, 0])).any(axis=1)
    white = 255 if exp.images.dtype == np.uint8 else 1
    noise = np.random.default_rng(2).random(exp.images.shape) * white
    for what, other in (
        ("noise", noise.astype(exp.images.dtype)),
        ("inverted", white - exp.images),
    ):
        images = np.where(removed[..., None], other, exp.images)
        with replay_selection(estimator, scores):
            again = estimator.explain(images, regions=exp.regions)
        with replay_selection(estimator, scores):
            proba = estimator.predict_proba(images, regions=exp.regions)
        assert again.path_proba is not None
        # explain and predict_proba may take different paths, and either could leak.
        for name, value, before in (
            ("the selection", again.region_masks[stays], exp.region_masks[stays]),
            ("the search for tau", again.path_proba[~beyond], exp.path_proba[~beyond]),
            ("explain", again.proba[stays], exp.proba[stays]),
            ("predict_proba", proba[stays], exp.proba[stays]),
        ):
            if not stays.all():
                # A search that goes on to masks in which they are seen may end elsewhere, and
                # other images then share the classifier's batches: a rounding error apart.
                same = np.isclose(value, before, rtol=0, atol=1e-6, equal_nan=True)
                value = np.where(same, before, value)
            np.testing.assert_array_equal(
                value, before, err_msg=f"{name} changes with removed pixels: {what}"
            )


def _check_soft(estimator: Any, exp: Explanation, scores: list[RegionScores]) -> None:
    """Half the mask on an image equals the whole mask on the image at half its brightness.

    The two products agree to the last bit, although nothing else about the two inputs does.
    """
    white = np.float32(255 if exp.images.dtype == np.uint8 else 1)
    bright = (exp.images / white).astype(np.float32)

    def predict(images: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        shown = [_dimmed(batch, share) for batch in scores]
        with replay_selection(estimator, shown):
            explained = estimator.explain(images, regions=exp.regions).proba
        with replay_selection(estimator, shown):
            return explained, estimator.predict_proba(images, regions=exp.regions)

    # Halving is exact in binary, so nothing is rounded differently on the two ways.
    if exp.fill in BLACK:
        whole, half = predict(bright / 2, 1), predict(bright, 0.5)
        np.testing.assert_array_equal(
            half, whole, err_msg="the classifier sees more of the image than mask times image"
        )
    removed = ~exp.to_pixels(exp.visible_region_masks)
    if removed.any():
        _check_changes(estimator, exp, removed, scores)
    else:
        warnings.warn(
            f"{type(estimator).__name__} removes nothing: every pixel is shown, if only dimly. "
            "The check found that nothing matters but mask times image",
            P2PSelectWarning,
            stacklevel=3,
        )


def _dimmed(scores: RegionScores, share: float) -> RegionScores:
    assert scores.shown is not None
    return replace(scores, shown=scores.shown * share)
