"""Does a model predict from what it shows, or does the choice of the regions tell the label?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._labels import as_labels
from p2pselect._targets import encode_targets, true_targets
from p2pselect.exceptions import InputError, brief
from p2pselect.metrics._encoding import first_within, predict_from_outlines, region_orders
from p2pselect.metrics._explained import find_explainer
from p2pselect.metrics._object_masks import masks_on_grid
from p2pselect.metrics._perturbed_images import blocks, region_order
from p2pselect.model_selection._audit_result import Audit
from p2pselect.model_selection._comparable import check_ranking, check_same_question
from p2pselect.model_selection._retraining import retrained_without

#: Shares of the area at which a model is compared with its judge.
AREAS = (0.1, 0.2, 0.3, 0.5)
#: At most this many training images show their outlines.
N_OUTLINES = 1000
#: Of fewer images, the accuracy of a group says too little to call it the worst.
LEAST_GROUP = 20


def audit(
    clf: Any,
    X: Any,
    y: Any,
    X_test: Any,
    y_test: Any,
    *,
    masks: Any = None,
    groups: Any = None,
    judge: Any = None,
    areas: Any = None,
    roar: bool = False,
    tolerance: float = 0.05,
    random_state: int = 0,
    verbose: int = 0,
) -> Audit:
    """Let a judge that nobody told what a selection means read a model's masked images.

    A mask can hide the label in the choice of its regions, which a classifier that learns
    together with the selector can read.  The judge is a classifier with the same network that
    learns from random masks of every shape (:class:`~p2pselect.methods.JudgeClassifier`): if it
    reads the model's masks as well as the model does, the evidence is in the pixels.  If it
    reads them worse, the mask encodes the label, or the judge is too weak; the verdict tells
    which, by these rules:

    1. *Cannot tell*: the model is no better than a constant answer.
    2. *Evidence is in the pixels*: at every area at which the model is better than a constant
       answer, the 95 % interval of the gap ends below `tolerance`.  The gap is what the model
       has more than the judge, of accuracy or of the probability of the true class, whichever
       is smaller: a forced answer that is hardly believed is not a code that the model reads,
       and a bolder classifier is not a better one.  A judge that is worse than guesses counts
       as guesses.
    3. *Cannot tell*: the judge had not stopped learning; or is less accurate on whole images
       than the model is on its own masks or on whole images, by more than `tolerance`; or it
       reads random masks, which encode nothing, less accurately than the model, by more than
       that on average.
    4. *The mask encodes*: at some area, the interval of the gap begins above `tolerance`.
    5. *Cannot tell*: there are too few test images.

    It rests on masks of fixed areas: at its own stop, a model has the advantage that it stops
    where it is certain itself.

    If images have several labels, every accuracy is the mean of those of the labels, and so is
    every probability of the truth: that each label is there, or that it is not.

    Parameters
    ----------
    clf : fitted estimator
        A method of this package whose regions have an order, a Pipeline that ends in one, or a
        fitted search over one.  What it answers at a given area is what its classifier says of
        the first regions that fit; a method that shows continuous masks has no stop.
    X, y : images and array-like of shape (n,) or (n, n_labels)
        Training images and labels, from which the judge learns; of several labels, with the
        same names as those of the model.
    X_test, y_test : images and array-like of shape (m,) or (m, n_labels)
        Images that neither the model nor the judge has seen, and their labels.
    masks : array-like of shape (m, h, w), or sequence of m arrays, optional
        Object masks of the test images: the judge also reads the regions of the object, and
        how much of what is shown lies outside it is counted.
    groups : array-like of shape (m,), optional
        Which test images belong together, such as those of one patient, camera or background:
        intervals draw whole groups.  If at least two of them have 20 images or more, the
        accuracies on the worst of these are told, too.
    judge : JudgeClassifier, optional
        One that is fitted serves several models with the same network, regions and images; one
        that is not is fitted.  By default ``JudgeClassifier.like(clf)``.
    areas : array-like of shape (t,), optional
        Shares of the area in (0, 1).  By default .1, .2, .3 and .5, and the mean area of the
        model's own masks if it is below .1.
    roar : bool, default=False
        Also remove and retrain: at every area, the model's first regions are removed from all
        images, and a fresh classifier with the settings of the judge learns from what is left;
        others learn without as much that was removed at random.  The less the first one
        learns, the more the model's regions hold that the others do not.  That is three
        trainings for every area and one more, with all images on the model's grid in memory.
        No part of the verdict: the holes that are left in the images can tell the label, too.
    tolerance : float, default=0.05
        Differences of accuracy up to this one do not count: a judge that learns from masks of
        every shape and size knows each of them less well than a model knows its own.
    random_state : int, default=0
        Seed of the judge and of the random masks.
    verbose : int, default=0
        Say what every epoch of the judge has brought.

    Returns
    -------
    Audit
        Its ``verdict``, the accuracies behind it, and a figure.

    Raises
    ------
    InputError
        If the model ranks no regions, the judge or `y` has other classes, or an argument does
        not fit the others.

    References
    ----------
    Jethani, N. et al. Have We Learned to Explain? AISTATS 2021 (EVAL-X).

    Puli, A., Nguyen, N. and Ranganath, R. Explanations that reveal all through the definition
    of encoding. NeurIPS 2024 (STRIPE-X).

    Hooker, S. et al. A Benchmark for Interpretability Methods in Deep Neural Networks. NeurIPS
    2019 (ROAR).

    Rong, Y. et al. A Consistent and Efficient Evaluation Strategy for Attribution Methods. ICML
    2022 (what the shape of the removed regions tells).

    Examples
    --------
    >>> from p2pselect import P2PClassifier, datasets, presets
    >>> from p2pselect.methods import JudgeClassifier
    >>> scenes = datasets.make_digit_scenes(40, image_size=32, random_state=0)
    >>> X, y = scenes.images, scenes.target % 2
    >>> clf = P2PClassifier(**{**presets.SMALL, "image_size": 32, "max_epochs": 1}).fit(X, y)
    >>> short = JudgeClassifier.like(clf, max_epochs=1)
    >>> audit(clf, X, y, X, y, judge=short).verdict  # nobody has learned anything
    'cannot tell'
    """
    # The networks' libraries are needed only now.
    from p2pselect.methods import JudgeClassifier

    explainer, images = find_explainer(clf, X_test, asked_by="audit")
    learned = find_explainer(clf, X, asked_by="audit")[1]
    exp = explainer.explain(images)
    check_ranking(exp, explainer, asked_by="audit")
    labels = true_targets(y_test, exp.classes, exp._kind)
    if len(labels) != len(exp):
        raise InputError(f"y_test has {len(labels)} labels for {len(exp)} images of X_test")
    truth = encode_targets(labels, exp.classes)
    if groups is not None:
        groups = as_labels(groups, "groups")
        if len(groups) != len(exp):
            raise InputError(
                f"groups has {len(groups)} entries for {len(exp)} images of X_test"
            )
    objects = None if masks is None else masks_on_grid(masks, exp, name="masks")
    shares = _shares(areas, exp)
    if judge is None:
        judge = JudgeClassifier.like(explainer, random_state=random_state, verbose=verbose)
    is_fitted = hasattr(judge, "classes_")
    check_same_question(judge if is_fitted else None, y, exp)
    if not is_fitted:
        judge.fit(learned, y)
    if judge.fill_ != exp.fill:
        raise InputError(
            f"the judge has learned from images with fill_={brief(judge.fill_)}, the model "
            f"from {brief(exp.fill)}: take JudgeClassifier.like(model), of the fitted model"
        )
    orders = region_orders(exp, objects, random_state)
    parts, end = [], 0
    for part in blocks(exp):
        rows = slice(end, end + len(part))
        end = rows.stop
        own = {name: order[rows] for name, order in orders.items()}
        inside = None if objects is None else objects[rows]
        parts.append(_read_part(part, own, shares, truth[rows], inside, explainer, judge))
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    values["outline"] = _outlines(exp, orders["selected"], shares, truth, explainer, learned, y)
    if roar:
        values |= retrained_without(
            judge, explainer.explain(learned), y, exp, truth, shares, random_state
        )
    levels = np.array([*shares, np.nan, 1.0])
    if groups is not None:
        # Whole images, where there is no stop.
        level = -2 if exp.soft_region_masks is None else -1
        worst = worst_group(groups, values["model"][:, level])
        for reader in ("model", "judge") if worst.any() else ():
            values[f"{reader}: worst group"] = np.where(worst[:, None], values[reader], np.nan)
    return Audit(values, levels, labels, groups, judge, tolerance)


def _shares(areas: Any, exp: ExplanationArrays) -> np.ndarray:
    """The areas at which the model is compared with its judge."""
    if areas is None:
        own = float(exp.kept_fraction.mean())
        few = [own] if 0 < own < AREAS[0] and exp.soft_region_masks is None else []
        return np.array([*few, *AREAS])
    shares = np.atleast_1d(np.asarray(areas, float))
    if shares.ndim != 1 or not ((shares > 0) & (shares < 1)).all() or not len(shares):
        raise InputError(f"areas must be numbers in (0, 1), got {brief(areas)}")
    return shares


def _read_part(
    exp: ExplanationArrays,
    orders: dict[str, np.ndarray],
    shares: np.ndarray,
    truth: np.ndarray,
    objects: np.ndarray | None,
    explainer: Any,
    judge: Any,
) -> dict[str, np.ndarray]:
    """Who reads what in some of the images, one column per level."""
    has_stop = exp.soft_region_masks is None
    whole = exp.regions >= 0

    def read(reader: Any, shown: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """How much of the answers is right, and the probability of the truth."""
        right, belief = [], []
        for masks in shown:
            proba = reader.predict_proba_masked(exp.masked_by(masks))
            right.append(exp._kind.share_right(exp._kind.answers(proba), truth))
            belief.append(exp._kind.belief(proba, truth))
        return columns(right), columns(belief)

    def columns(values: Iterable[np.ndarray]) -> np.ndarray:
        """One per level; the stop has none where masks are continuous."""
        found = [column.astype(float) for column in values]
        if not has_stop:
            found.insert(len(shares), np.full(len(exp), np.nan))
        return np.stack(found, axis=1)

    rows: dict[str, np.ndarray] = {}
    for kind, order in orders.items():
        shown = [first_within(exp, order, share) for share in shares]
        if has_stop:
            own = kind == "selected"
            shown += [exp.pixel_masks if own else first_within(exp, order, exp.kept_fraction)]
        shown += [whole]
        judged, belief = read(judge, shown)
        if kind == "selected":
            rows["model"], rows["model: belief"] = read(explainer, shown)
            rows["judge"], rows["judge: belief"] = judged, belief
            rows["kept"] = columns(masks.sum(axis=(1, 2)) / exp.n_pixels for masks in shown)
            if objects is not None:
                outside = columns(share_outside(masks, objects) for masks in shown)
                rows["shown outside"] = outside
                rows["outside"] = np.where(np.isnan(outside), np.nan, outside > 0.5)
            continue
        rows[f"judge: {kind}"] = judged
        if kind == "central" and objects is not None:
            rows["shown outside: central"] = columns(
                share_outside(masks, objects) for masks in shown
            )
        if kind in ("scattered", "contiguous"):
            rows[f"model: {kind}"] = read(explainer, shown)[0]
    return rows


def share_outside(shown: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Share of what is shown that is outside the object, (n,).

    NaN where there is no object, or nothing is shown.
    """
    area, outside = (masks.sum(axis=(1, 2)) for masks in (shown, shown & ~objects))
    counts = objects.any(axis=(1, 2)) & (area > 0)
    return np.where(counts, outside / np.maximum(area, 1), np.nan)


def worst_group(groups: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Which images (n,) are in the group that is read worst, of those with enough images.

    None of them are, if fewer than two groups have enough.
    """
    names, own, counts = np.unique(groups, return_inverse=True, return_counts=True)
    enough = counts >= LEAST_GROUP
    if enough.sum() < 2:
        return np.zeros(len(groups), bool)
    accuracy = np.bincount(own, right) / counts
    return np.asarray(own == np.where(enough, accuracy, np.inf).argmin())


def _outlines(
    exp: ExplanationArrays,
    order: np.ndarray,
    shares: np.ndarray,
    truth: np.ndarray,
    explainer: Any,
    X: Any,
    y: Any,
) -> np.ndarray:
    """Whether the answer can be told from the outline of a mask alone, one column per level."""
    labels = encode_targets(true_targets(y, exp.classes, exp._kind), exp.classes)
    rows = np.sort(np.random.default_rng(0).permutation(len(labels))[:N_OUTLINES])
    learned = explainer.explain(_safe_indexing(X, rows))
    first = region_order(learned)
    right = np.full((len(exp), len(shares) + 2), np.nan)

    def read(old: np.ndarray, new: np.ndarray) -> np.ndarray:
        return exp._kind.share_right(predict_from_outlines(old, labels[rows], new), truth)

    for level, share in enumerate(shares):
        old, new = first_within(learned, first, share), first_within(exp, order, share)
        right[:, level] = read(old, new)
    if exp.soft_region_masks is None:
        right[:, -2] = read(learned.pixel_masks, exp.pixel_masks)
    return right
