"""Everything that is measured of a fitted classifier on the test images.

What matters only at prediction is measured on one trained model: each certainty threshold, the
fixed tau that keeps as much as each of them does, and the kept fraction that all methods share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from p2pselect import metrics
from p2pselect.explanations._explanation import Explanation
from p2pselect.reproduction._score_names import (
    FIXED,
    MATCHED,
    STRONG_TAU,
    at_kept,
    at_tau,
    at_threshold,
    curve_point,
    on_thing,
    view_of,
)
from p2pselect.reproduction._split import Split
from p2pselect.reproduction._suite import DEFAULT

GRID = np.array(metrics.PAPER_GRID)
#: Number of images that are explained at a time.
BLOCK = 128
#: Number of test images whose explanations are kept, to be drawn.
N_EXAMPLES = 12
#: Scores that are a curve for each image.
CURVES = ("insertion", "deletion", "random_insertion", "random_deletion")

#: Explains images, given what earlier views made of them.
View = Callable[[Any, Any, Mapping[str, Explanation]], Explanation]


@dataclass(frozen=True)
class Measured:
    """Scores by view and metric, and the explanations, labels and masks of a few images."""

    scores: dict[str, dict[str, float]]
    tau: float  # the kept fraction of the view "matched"
    examples: Explanation
    target: np.ndarray
    masks: np.ndarray | None


def measure(
    clf: Any,
    test: Split,
    tau: float | None,
    *,
    setting: str = DEFAULT,
    certainty_thresholds: tuple[float, ...] = (),
    n_curve_images: int = 200,
) -> Measured:
    """Measure a fitted classifier.

    The methods are compared at the kept fraction ``tau``; None stands for that of ``clf``
    itself, rounded to whole percent.  Only the default setting is measured at the
    ``certainty_thresholds`` and at a fixed tau, and only if it searches for tau.
    """
    gauge = _Gauge(clf, test, n_curve_images)
    if clf.tau != "dynamic":
        hard = view_of(setting, MATCHED)
        gauge.look({setting: _native, hard: _hardened}, curves={setting, hard})
        return gauge.measured(tau or float(clf.tau))
    sweep = certainty_thresholds if setting == DEFAULT else ()
    gauge.look(
        {setting: _native, **{at_threshold(d): _at_threshold(d) for d in sweep}},
        curves={setting},
    )
    kept = {name: tally.mean("kept_fraction") for name, tally in gauge.tallies.items()}
    # A tau of 0 is not allowed, even if hardly anything is kept.
    tau = tau or max(round(float(kept[setting]), 2), 0.01)
    matched, fixed = view_of(setting, MATCHED), view_of(setting, FIXED)
    views = {matched: _within_budget(tau), fixed: _fixed(gauge.tau_keeping(kept[setting]))}
    if setting == DEFAULT:
        views[at_tau(STRONG_TAU)] = _fixed(STRONG_TAU)
    for d in sweep:
        views[at_kept(d)] = _fixed(gauge.tau_keeping(kept[at_threshold(d)]))
    # A second pass: its taus follow from the kept fractions of the first.
    gauge.look(views, curves={matched, fixed})
    return gauge.measured(tau)


class _Gauge:
    """Goes over the test images block by block, so that only one block is in memory."""

    def __init__(self, clf: Any, test: Split, n_curve_images: int):
        self.clf = clf
        self.test = test
        self.n_curve_images = n_curve_images
        self.tallies: dict[str, Tally] = {}
        self.examples: tuple[Explanation, np.ndarray | None] | None = None

    def look(self, views: Mapping[str, View], curves: Collection[str]) -> None:
        self.tallies |= {name: Tally() for name in views}
        for start in range(0, len(self.test), BLOCK):
            rows = slice(start, start + BLOCK)
            images, target = self.test.images[rows], self.test.target[rows]
            seen: dict[str, Explanation] = {}
            masks, others = None, None
            for name, view in views.items():
                exp = seen[name] = view(self.clf, images, seen)
                # All views share the regions, and thereby the size that masks must have.
                if others is None:
                    masks, others = self._masks(rows, exp)
                if self.examples is None:
                    few = None if masks is None else masks[:N_EXAMPLES]
                    self.examples = exp[:N_EXAMPLES], few
                self.tallies[name].add(exp, target, masks, others)
                # The images are in random order, so the first ones are a random sample.
                left = self.n_curve_images - start
                if name in curves and left > 0:
                    some = None if masks is None else masks[:left]
                    predict_proba = self.clf.predict_proba_masked
                    self.tallies[name].add_curves(exp[:left], some, predict_proba)

    def tau_keeping(self, kept: float) -> float:
        """The fixed tau at which the default's search keeps this fraction on average."""
        first = next(iter(self.tallies.values()))
        assert self.examples is not None
        grid = self.examples[0].path_tau
        assert grid is not None
        return tau_at(kept, first.mean("_path"), grid)

    def measured(self, tau: float) -> Measured:
        assert self.examples is not None
        exp, masks = self.examples
        scores = {name: tally.scores() for name, tally in self.tallies.items()}
        return Measured(scores, tau, exp, self.test.target[: len(exp)], masks)

    def _masks(
        self, rows: slice, exp: Explanation
    ) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
        masks = self.test.object_masks(rows)
        others = self.test.other_object_masks(rows)
        return (
            None if masks is None else metrics.masks_on_grid(masks, exp),
            {name: metrics.masks_on_grid(own, exp) for name, own in others.items()},
        )


class Tally:
    """The scores of one view, gathered block by block and averaged at the end."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = defaultdict(list)

    def add(
        self,
        exp: Explanation,
        target: np.ndarray,
        masks: np.ndarray | None,
        others: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Add scores that need nothing but the explanation; `others` are masks by name."""
        self._append(
            accuracy=exp.predicted == target,
            # Labels may be text, and parts are arrays of floats.
            _target=np.searchsorted(exp.classes, target),
            certainty=exp.certainty,
            answered=exp.answered,
            kept_fraction=exp.kept_fraction,
            empty=~exp.region_masks.any(axis=1),
            expected_kept_fraction=exp.expected_kept_fraction,
            n_selected_regions=exp.region_masks.sum(axis=1),
            binary_input=np.full(len(exp), exp.soft_region_masks is None),
        )
        if masks is not None:
            self._append(**_localization(exp, masks))
        for name, own in (others or {}).items():
            found = _localization(exp, own).items()
            self._append(**{on_thing(metric, name): values for metric, values in found})
        if exp.path_counts is not None:
            self._append(_path=exp.path_kept_fraction)

    def add_curves(
        self,
        exp: Explanation,
        masks: np.ndarray | None,
        predict_proba: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        """Add scores that need many predictions, or all images at once."""
        model = metrics.CachedPredictProba(predict_proba)
        self._append(
            insertion=metrics.insertion_fidelity_curve(exp, model).per_image,
            deletion=metrics.deletion_fidelity_curve(exp, model).per_image,
            # One number per block, repeated so that a block counts by its images.
            full_image_agreement=np.full(len(exp), metrics.full_image_agreement(exp, model)),
            complement_disagreement=np.full(
                len(exp), metrics.complement_disagreement(exp, model)
            ),
        )
        if exp.path_counts is not None:
            # The model that searches stands for all: what its curves are worth.
            order = np.random.default_rng(0).random(exp.selection_logits.shape)
            # Regions that an image lacks stay behind those that it has.
            shuffled = replace(exp, selection_logits=order - (exp.region_areas == 0))
            self._append(
                random_insertion=metrics.insertion_fidelity_curve(shuffled, model).per_image,
                random_deletion=metrics.deletion_fidelity_curve(shuffled, model).per_image,
            )
        if masks is not None:
            self._append(_heat=exp.heat_maps, _objects=masks)

    def mean(self, name: str) -> Any:
        """Mean over the images that have the score, along the first axis."""
        values = self._all(name)
        # nanmean would warn if all were NaN; `scores` leaves out such a mean.
        return np.nanmean(values, axis=0) if not np.isnan(values).all() else np.nan

    def scores(self) -> dict[str, float]:
        """Means, areas and points of curves; whatever is undefined is left out."""
        found: dict[str, float] = {}
        for name in self._parts:
            if name in CURVES:
                mean = self.mean(name)
                area = (mean[1:] + mean[:-1]) / 2 @ np.diff(GRID) / (GRID[-1] - GRID[0])
                found[f"{name}_fidelity"] = area
                found |= {curve_point(name, t): v for t, v in zip(GRID, mean, strict=True)}
            elif not name.startswith("_"):
                found[name] = self.mean(name)
        # From here on, scores that are not means of one value per image.
        _, images_of_class = np.unique(self._all("_target"), return_counts=True)
        found["constant_accuracy"] = images_of_class.max() / images_of_class.sum()
        # What is added or removed never changes a constant answer.
        found["constant_insertion_fidelity"] = found["constant_deletion_fidelity"] = 1.0
        certainty, correct = self._all("certainty"), self._all("accuracy") > 0
        found["calibration_error"] = metrics.expected_calibration_error(correct, certainty)
        found["aurc"] = metrics.aurc(correct, certainty)
        if "_heat" in self._parts:
            found["pixel_average_precision"] = metrics.pixel_average_precision_score(
                self._all("_heat"), self._all("_objects") > 0
            )
        return {name: float(value) for name, value in found.items() if np.isfinite(value)}

    def _append(self, **values: Any) -> None:
        for name, value in values.items():
            self._parts[name].append(np.asarray(value, dtype=np.float64))

    def _all(self, name: str) -> np.ndarray:
        return np.concatenate(self._parts[name])


def _localization(exp: Explanation, masks: np.ndarray) -> dict[str, Any]:
    """How well a mask is placed, image by image; NaN where there is no object."""
    kept = exp.pixel_masks
    inside = exp.regions >= 0
    each: dict[str, Any] = {"per_image": True, "valid": inside}
    return {
        "localization": metrics.localization_score(kept, masks, **each),
        "mask_iou": metrics.mask_iou_score(kept, masks, **each),
        "mask_recall": metrics.mask_recall_score(kept, masks, **each),
        "pointing_game": metrics.pointing_game_score(exp.heat_maps, masks, **each),
        "random_localization": metrics.random_localization(masks, **each),
        "center_localization": metrics.center_localization(kept, masks, inside=inside, **each),
    }


def tau_at(kept: float, curve: np.ndarray, grid: np.ndarray) -> float:
    """The smallest tau at which a piecewise linear curve of mean kept fractions is ``kept``.

    The curve may fall, or rise and fall: a selector with ``tau_input="additive"`` can learn to
    show less where more is allowed.  If the curve never reaches ``kept``, the result is the tau
    of the increasing ``grid`` at which it comes closest.

    Examples
    --------
    >>> tau_at(0.25, np.array([0.5, 0.0]), np.array([0.2, 0.8]))
    0.5
    """
    beyond = np.asarray(curve, dtype=float) - kept
    crossings = np.flatnonzero(beyond[:-1] * beyond[1:] <= 0)
    if not len(crossings):
        return float(grid[np.abs(beyond).argmin()])
    i = crossings[0]
    fall = beyond[i] - beyond[i + 1]
    share = beyond[i] / fall if fall else 0.0
    return float(grid[i] + share * (grid[i + 1] - grid[i]))


def _native(clf: Any, images: Any, seen: Mapping[str, Explanation]) -> Explanation:
    return clf.explain(images)


def _hardened(clf: Any, images: Any, seen: Mapping[str, Explanation]) -> Explanation:
    """The same classifier on the binary mask of what it was shown."""
    # The first view of every block is the native one.
    exp = replace(next(iter(seen.values())), soft_region_masks=None)
    return replace(exp, proba=clf.predict_proba_masked(exp.masked_images))


def _regions(seen: Mapping[str, Explanation]) -> np.ndarray | None:
    """Regions that another view has already computed."""
    return next((exp.regions for exp in seen.values()), None)


def _at_threshold(delta: float) -> View:
    return lambda clf, images, seen: clf.explain(
        images, certainty_threshold=delta, regions=_regions(seen)
    )


def _fixed(tau: float) -> View:
    return lambda clf, images, seen: clf.explain(images, tau=tau, regions=_regions(seen))


def _within_budget(tau: float) -> View:
    def explain(clf: Any, images: Any, seen: Mapping[str, Explanation]) -> Explanation:
        # P2P's own cut, probabilities above one half, does not bound the area of a mask.
        before = clf.selection
        try:
            clf.set_params(selection="budget")
            return clf.explain(images, tau=tau, regions=_regions(seen))
        finally:
            clf.set_params(selection=before)

    return explain
