"""Scores of images, gathered block by block and averaged at the end."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from p2pselect import metrics
from p2pselect.explanations._explanation import Explanation

GRID = np.array(metrics.PAPER_GRID)
PredictProba = Any
_EACH: dict[str, Any] = {"per_image": True}


def curve_point(curve: str, fraction: float) -> str:
    """Metric of one point of a curve: ``insertion@0.05``."""
    return f"{curve}@{fraction:.2f}"


class Tally:
    """What is known of the images of one setting."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = defaultdict(list)

    def add(self, exp: Explanation, target: np.ndarray, masks: np.ndarray | None) -> None:
        """Scores that need the explanation alone.

        Parameters
        ----------
        exp : Explanation
        target : ndarray of shape (n,)
        masks : ndarray of shape (n, h, w), bool, or None
        """
        binary = exp.soft_region_masks is None
        self._append(
            accuracy=exp.predicted == target,
            _target=np.searchsorted(exp.classes, target),
            certainty=exp.certainty,
            certainty_reached=exp.certainty_reached,
            kept_fraction=exp.kept_fraction,
            empty=~exp.region_masks.any(axis=1),
            expected_kept_fraction=exp.expected_kept_fraction,
            n_selected_regions=exp.region_masks.sum(axis=1),
            binary_input=np.full(len(exp), binary),
        )
        if masks is not None:
            kept = exp.pixel_masks
            self._append(
                localization=metrics.localization_score(kept, masks, **_EACH),
                mask_iou=metrics.mask_iou_score(kept, masks, **_EACH),
                mask_recall=metrics.mask_recall_score(kept, masks, **_EACH),
                pointing_game=metrics.pointing_game_score(exp.heat_maps, masks, **_EACH),
                random_localization=metrics.random_localization(masks, **_EACH),
                center_localization=metrics.center_localization(kept, masks, **_EACH),
            )
        if exp.path_counts is not None:
            areas = np.take_along_axis(exp.region_areas, exp.ranking, axis=1)
            used = np.pad(areas.cumsum(axis=1), ((0, 0), (1, 0))) / exp.regions[0].size
            self._append(_path=np.take_along_axis(used, exp.path_counts, axis=1))

    def add_curves(
        self, exp: Explanation, masks: np.ndarray | None, predict_proba: PredictProba
    ) -> None:
        """Scores that need many predictions, or all images at once.

        Parameters
        ----------
        exp : Explanation
        masks : ndarray of shape (n, h, w), bool, or None
        predict_proba : callable
            Masked images to class probabilities.
        """
        model = metrics.CachedPredictProba(predict_proba)
        self._append(
            insertion=metrics.insertion_fidelity_curve(exp, model).per_image,
            deletion=metrics.deletion_fidelity_curve(exp, model).per_image,
            full_image_agreement=np.full(len(exp), metrics.full_image_agreement(exp, model)),
            complement_disagreement=np.full(len(exp), metrics.complement_disagreement(exp, model)),
        )
        if masks is not None:
            self._append(_heat=exp.heat_maps, _objects=masks)

    def mean(self, name: str) -> Any:
        """Mean over the images that have the score, along the first axis."""
        values = self._all(name)
        return np.nanmean(values, axis=0) if not np.isnan(values).all() else np.nan

    def scores(self) -> dict[str, float]:
        """Means of everything, areas and points of curves; what is not defined is left out."""
        found: dict[str, float] = {}
        for name in self._parts:
            if name in ("insertion", "deletion"):
                mean = self.mean(name)
                area = (mean[1:] + mean[:-1]) / 2 @ np.diff(GRID) / (GRID[-1] - GRID[0])
                found[f"{name}_fidelity"] = area
                found |= {curve_point(name, t): v for t, v in zip(GRID, mean, strict=True)}
            elif not name.startswith("_"):
                found[name] = self.mean(name)
        _, images_of_class = np.unique(self._all("_target"), return_counts=True)
        found["constant_accuracy"] = images_of_class.max() / images_of_class.sum()
        certainty, correct = self._all("certainty"), self._all("accuracy") > 0
        found["calibration_error"] = metrics.expected_calibration_error(correct, certainty)
        found["aurc"] = metrics.aurc(correct, certainty)
        if "_heat" in self._parts:
            heat, objects = self._all("_heat"), self._all("_objects") > 0
            found["pixel_average_precision"] = metrics.pixel_average_precision_score(
                heat, objects
            )
        return {name: float(value) for name, value in found.items() if np.isfinite(value)}

    def _append(self, **values: Any) -> None:
        for name, value in values.items():
            self._parts[name].append(np.asarray(value, dtype=np.float64))

    def _all(self, name: str) -> np.ndarray:
        return np.concatenate(self._parts[name])
