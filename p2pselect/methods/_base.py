"""What the methods that P2P is compared with share: pixel regions and one kept area."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from p2pselect._settings import NOT_NEGATIVE
from p2pselect.estimators import SelectiveImageClassifier, setting
from p2pselect.nn import RegionScores, SelectiveModel
from p2pselect.selection import SelectionRule
from p2pselect.selection._prediction_run import PredictionRun
from p2pselect.selection._selection_rule import ScoreCut
from p2pselect.training import Step, evidence_penalty
from p2pselect.training._data import TrainingData

#: Values of tau at which ``sparsity="threshold"`` knows its cut: whoever asks for another tau
#: later does not have the training images to measure it on.
CUT_GRID = np.linspace(0.01, 1.0, 100)

#: The rows of all images of a step.
ALL = slice(None)

#: A setting of every method that learns from masks.
MASK_WEIGHT = setting(
    "Weight of :func:`~p2pselect.training.evidence_penalty` in images for which ``fit`` is "
    "given ``masks``.  Not part of the published method.",
    NOT_NEGATIVE,
    default=10.0,
)


def mask_terms(
    step: Step,
    logits: Tensor,
    weight: float,
    name: str = "masks",
    rows: Tensor | slice = ALL,
) -> dict[str, Tensor]:
    """What selecting regions costs where ``fit`` was given masks; no term where it was not.

    Logits (n, d) are those of the selection probabilities, of these rows of the step's images.
    """
    if step.masks is None:
        return {}
    return {name: weight * evidence_penalty(logits, step.regions[rows], step.masks[rows])}


def area_penalty(kept: Tensor, tau: float | None) -> Tensor:
    """Penalty on the expected fraction of kept pixels.

    Parameters
    ----------
    kept : Tensor of shape (n,)
        Expected fraction of kept pixels per image.
    tau : float or None
        With a number only the excess over it counts; None penalizes all of it.

    Returns
    -------
    Tensor of shape (n,)
        The penalty of every image.

    Examples
    --------
    >>> area_penalty(torch.tensor([0.25, 0.75]), 0.5)
    tensor([0.0000, 0.2500])
    """
    return kept if tau is None else torch.relu(kept - tau)


_EXAMPLE = """Examples
--------
>>> from p2pselect import datasets, presets
>>> from p2pselect.methods import {name}
>>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
>>> small = {{**presets.SMALL, "image_size": 32, "max_epochs": 1}}
>>> clf = {name}(**presets.settings_for({name}, small))
>>> clf.fit(scenes.images, scenes.target % 2).explain(scenes.images[:2]).pixel_masks.shape
(2, 32, 32)"""


class BaselineClassifier(SelectiveImageClassifier):
    """Base of the methods that P2P is compared with, at a kept area of ``tau``.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> from p2pselect.training import Phase
    >>> class JointClassifier(BaselineClassifier):
    ...     "Both networks learn from an objective of one's own."
    ...
    ...     def _phases(self):
    ...         return [Phase("fit", self.max_epochs, objective, ("selector", "classifier"))]
    >>> JointClassifier().tau
    0.2
    """

    regions: Any = setting(
        "What is kept or removed together.  Whatever the regions, their scores come "
        "from a pixel map at the resolution of the selector's head, a fourth or an "
        "eighth of the image's.",
        default="pixel",
    )
    tau: float = setting(
        "Fraction of the pixels that are kept.",
        Interval(Real, 0, 1, closed="right"),
        default=0.2,
    )
    sparsity: str = setting(
        'How the kept area is brought to tau.  ``"hinge"``: training penalizes only the '
        "area beyond tau, and prediction keeps the most probable regions of each image "
        'within tau. ``"penalty"``: training uses the method\'s own penalty; prediction '
        'is the same. ``"threshold"``: as ``"penalty"``, but prediction cuts the scores '
        "of all images at one value, at which the training images keep tau on average.",
        StrOptions({"hinge", "penalty", "threshold"}),
        default="hinge",
        # Fixed by fit as if networks were built from it: the cuts are measured there.
        role="networks",
    )

    _fitted = (*SelectiveImageClassifier._fitted, "score_cuts_")
    #: Whether the method trains for tau even without a hinge on the kept area.
    _trains_for_tau: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__doc__ is not None:
            cls.__doc__ = cls.__doc__.replace("{example}", _EXAMPLE.format(name=cls.__name__))

    @property
    def _hinge(self) -> float | None:
        """The tau beyond which training penalizes the area; None for the method's own way."""
        return float(self.tau) if self.sparsity == "hinge" else None

    def _prediction_parameters(self) -> frozenset[str]:
        # Where training never reads tau, another tau needs no other fit.
        trained = self._trains_for_tau or self._hinge is not None
        return super()._prediction_parameters() | (frozenset() if trained else {"tau"})

    def _build_model(self, n_classes: int) -> nn.Module:
        return SelectiveModel(self._build_scorer(1), self._build_classifier(n_classes))

    def _method_scores(self, images: Tensor, regions: Tensor) -> RegionScores:
        """Scores as the method defines them, ties included."""
        return self.module_.score(images, regions)

    def _score_regions(self, images: Tensor, regions: Tensor) -> RegionScores:
        scores = self._method_scores(images, regions)
        ranked = break_ties(scores.maps[:, 0], scores.areas)[:, None]
        return RegionScores(ranked, scores.areas, scores.shown)

    def _selection_rule(self) -> SelectionRule:
        rule = super()._selection_rule()
        if self.sparsity != "threshold":
            return rule
        return replace(rule, cut=ScoreCut(CUT_GRID, self.score_cuts_))

    def _rule_in_training(self) -> SelectionRule:
        # Each image within tau by itself, because the cuts are measured at the end.
        return super()._selection_rule()

    def _needs_rows_for(self) -> str | None:
        # The cuts are measured on the training images once training is over.
        cut = "sparsity='threshold'" if self.sparsity == "threshold" else None
        return super()._needs_rows_for() or cut

    def _after_training(self, data: TrainingData) -> None:
        if self.sparsity != "threshold":
            return
        # Our own rule needs the cuts that are measured here; scores need no search, so that any
        # grid and certainty will do.
        rule, grid = super()._selection_rule(), np.array([self.tau])
        logits, areas = [], []
        for scores in PredictionRun(rule, data.images, data.regions, grid, 1.0).scores():
            real = scores.areas > 0
            logits.append(scores.maps[:, 0][real].cpu().numpy())
            areas.append(scores.areas[real].cpu().numpy())
        cut = ScoreCut.of_scores(np.concatenate(logits), np.concatenate(areas), CUT_GRID)
        self.score_cuts_ = cut.cuts


def break_ties(scores: Tensor, areas: Tensor) -> Tensor:
    """Scores in the same order, equal ones set apart by a fixed random permutation.

    Ties are common where every pixel is a region (clamped maps, repeated borders), and sorting
    by label would prefer the top left.  Values move by as few steps of float32 as it takes;
    rows without ties stay as they are.  Regions of area 0 come out as ``-inf``.

    Examples
    --------
    >>> scores = break_ties(torch.tensor([[1.0, 0.0, 1.0, 2.0]]), torch.ones(1, 4))
    >>> scores.unique().numel(), scores.argmax().item(), scores.argmin().item()
    (4, 3, 1)
    """
    scores = scores.masked_fill(areas == 0, -torch.inf)
    d = scores.shape[1]
    # The first d of one sequence: the order of two labels does not depend on d.
    shuffle = torch.from_numpy(np.random.default_rng(0).random(d).argsort()).to(scores.device)
    falling, order = scores[:, shuffle].sort(dim=1, descending=True, stable=True)
    bits = falling.contiguous().view(torch.int32).long()
    # Floats are ordered as the integers of their bits, the sign apart.
    steps = torch.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    place = torch.arange(d, device=scores.device)
    # Falling by at least 1 per place is the same as not rising once the place is added.
    steps = (steps + place).cummin(dim=1).values - place
    apart = steps.abs().int().view(torch.float32) * steps.sign()
    # A step below -inf is NaN.
    apart = torch.where(falling.isinf(), falling, apart)
    return torch.empty_like(scores).scatter_(1, shuffle[order], apart)
