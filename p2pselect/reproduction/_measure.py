"""Everything that is measured of a fitted classifier on the test images.

What matters at prediction only is measured of one trained model: every certainty threshold,
fixed tau at the kept fraction that each of them leads to, and the matched kept fraction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from p2pselect.explanations._explanation import Explanation
from p2pselect.metrics._object_masks import check_object_masks
from p2pselect.reproduction._cells import DEFAULT
from p2pselect.reproduction._splits import Split
from p2pselect.reproduction._tally import Tally

#: Images that are explained at once.
BLOCK = 128
#: Test images whose explanations are kept, to be drawn.
N_EXAMPLES = 12
#: Settings at prediction: binary masks of the common kept fraction; one tau for all images,
#: which keeps as much on average as P2P's search does.
MATCHED, FIXED = "matched", "fixed"
#: The second fixed tau of the paper's figure 4.
STRONG_TAU = 0.2

#: Explains images, given what earlier views made of them.
View = Callable[[Any, Any, Mapping[str, Explanation]], Explanation]


@dataclass(frozen=True)
class Measured:
    """Scores by setting, and explanations of the first images.

    Parameters
    ----------
    scores : dict of str to dict of str to float
        By setting, then by metric.
    tau : float
        Kept fraction of the setting "matched".
    examples : Explanation
    target : ndarray of shape (n,)
        Labels of the examples.
    masks : ndarray of shape (n, h, w), bool, or None
        Their object masks.
    """

    scores: dict[str, dict[str, float]]
    tau: float
    examples: Explanation
    target: np.ndarray
    masks: np.ndarray | None


def at_threshold(delta: float) -> str:
    """Setting of a certainty threshold: ``delta=080``."""
    return f"delta={round(100 * delta):03d}"


def at_kept(delta: float) -> str:
    """Setting of one tau for all images, at the kept fraction of a certainty threshold."""
    return f"{FIXED}-{at_threshold(delta)}"


def at_tau(tau: float) -> str:
    """Setting of one tau for all images: ``tau=020``."""
    return f"tau={round(100 * tau):03d}"


def inside(setting: str, view: str) -> str:
    """Name of a view of a cell: that of the view alone, for the default."""
    return view if setting == DEFAULT else f"{setting}:{view}"


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

    Parameters
    ----------
    clf : fitted estimator
        With ``explain`` and ``predict_proba_masked``.
    test : Split
    tau : float or None
        Kept fraction at which methods are compared; None for that of `clf` itself,
        rounded to whole per cent.
    setting : str, default="default"
        What the scores of `clf` as it is are filed under.  Only the default is swept over
        certainty thresholds and fixed tau.
    certainty_thresholds : tuple of float
        Used where ``clf.tau`` is "dynamic".
    n_curve_images : int, default=200
        Images for insertion, deletion and other scores that need many predictions.

    Returns
    -------
    Measured
    """
    gauge = _Gauge(clf, test, n_curve_images)
    if clf.tau != "dynamic":
        hard = inside(setting, MATCHED)
        gauge.look({setting: _native, hard: _hardened}, curves={setting, hard})
        return gauge.measured(tau or float(clf.tau))
    sweep = certainty_thresholds if setting == DEFAULT else ()
    gauge.look(
        {setting: _native, **{at_threshold(d): _at_threshold(d) for d in sweep}},
        curves={setting},
    )
    kept = {name: tally.mean("kept_fraction") for name, tally in gauge.tallies.items()}
    tau = tau or max(round(float(kept[setting]), 2), 0.01)
    matched, fixed = inside(setting, MATCHED), inside(setting, FIXED)
    views = {matched: _within_budget(tau), fixed: _fixed(gauge.tau_keeping(kept[setting]))}
    if setting == DEFAULT:
        views[at_tau(STRONG_TAU)] = _fixed(STRONG_TAU)
    for d in sweep:
        views[at_kept(d)] = _fixed(gauge.tau_keeping(kept[at_threshold(d)]))
    gauge.look(views, curves={matched, fixed})
    return gauge.measured(tau)


class _Gauge:
    """Goes over the test images block by block, so that few of them are in memory."""

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
            masks = None
            for name, view in views.items():
                exp = seen[name] = view(self.clf, images, seen)
                if masks is None:
                    masks = self._masks(rows, exp)
                if self.examples is None:
                    few = None if masks is None else masks[:N_EXAMPLES]
                    self.examples = exp[:N_EXAMPLES], few
                self.tallies[name].add(exp, target, masks)
                left = self.n_curve_images - start
                if name in curves and left > 0:
                    some = None if masks is None else masks[:left]
                    predict_proba = self.clf.predict_proba_masked
                    self.tallies[name].add_curves(exp[:left], some, predict_proba)

    def tau_keeping(self, kept: float) -> float:
        """The fixed tau of the default's search that keeps so much on average."""
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

    def _masks(self, rows: slice, exp: Explanation) -> np.ndarray | None:
        masks = self.test.object_masks(rows)
        if masks is None:
            return None
        h, w = exp.regions.shape[1:]
        return check_object_masks(masks, len(exp), (h, w))


def tau_at(kept: float, curve: np.ndarray, grid: np.ndarray) -> float:
    """The smallest tau at which a curve of mean kept fractions is ``kept``.

    The curve may fall, or rise and fall: a selector with ``tau_input="additive"`` can learn
    to show less where more is allowed.

    Parameters
    ----------
    kept : float
    curve : ndarray of shape (t,)
        Kept fraction at every tau of the grid; linear between them.
    grid : ndarray of shape (t,)
        Increasing.

    Returns
    -------
    float
        Where the curve never is at ``kept``, the tau at which it comes closest.

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
    exp = replace(next(iter(seen.values())), soft_region_masks=None)
    return replace(exp, proba=clf.predict_proba_masked(exp.masked_images))


def _regions(seen: Mapping[str, Explanation]) -> np.ndarray | None:
    """Regions that another view proposed already."""
    return next((exp.regions for exp in seen.values()), None)


def _at_threshold(delta: float) -> View:
    return lambda clf, images, seen: clf.explain(
        images, certainty_threshold=delta, regions=_regions(seen)
    )


def _fixed(tau: float) -> View:
    return lambda clf, images, seen: clf.explain(images, tau=tau, regions=_regions(seen))


def _within_budget(tau: float) -> View:
    def explain(clf: Any, images: Any, seen: Mapping[str, Explanation]) -> Explanation:
        before = clf.selection
        try:
            clf.set_params(selection="budget")
            return clf.explain(images, tau=tau, regions=_regions(seen))
        finally:
            clf.set_params(selection=before)

    return explain
