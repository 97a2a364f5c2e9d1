"""What P2P minimizes: its settings, equation 5, and the warm-up of the classifier."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real

import torch
import torch.nn.functional as F
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from p2pselect._settings import AT_LEAST_ONE, NOT_NEGATIVE, POSITIVE
from p2pselect.estimators import Options, setting
from p2pselect.methods._base import MASK_WEIGHT, mask_terms
from p2pselect.nn import (
    RegionScores,
    random_region_masks,
    region_areas,
    relaxed_bernoulli,
    sample_logits,
)
from p2pselect.training import (
    Step,
    covariance_penalty,
    expected_kept_fraction,
    geometric_schedule,
    sparsity_hinge,
    sparsity_schedule,
)


class P2PObjectiveOptions(Options):
    r"""What P2P minimizes: its ``objective``.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> P2PObjectiveOptions(sparsity_weight=5.0)
    P2PObjectiveOptions(sparsity_weight=5.0)
    """

    sparsity_weight: float = setting(
        r":math:`\lambda_1` of eq. 5, reached half-way through training.",
        NOT_NEGATIVE,
        default=10.0,
    )
    covariance_weight: float = setting(
        r":math:`\lambda_2` of eq. 5, on the mean absolute entry of the covariance.",
        NOT_NEGATIVE,
        default=0.01,
    )
    mask_weight: float = MASK_WEIGHT
    temperature: float = setting(
        "Temperature of the relaxed Bernoulli masks at the start of training.",
        POSITIVE,
        default=1.0,
    )
    final_temperature: float = setting(
        "Their temperature from half-way through training on.", POSITIVE, default=0.5
    )
    n_samples_mc: int = setting("Sampled masks per image and step.", AT_LEAST_ONE, default=1)
    straight_through: bool = setting(
        "Train on binary masks with the gradient of the relaxed ones.", "boolean", default=False
    )
    tau_training: str = setting(
        'The tau of the sparsity term.  ``"same"`` is ``tau``: drawn from U[``tau_min``, 1] '
        'for every image and step where ``tau`` is ``"dynamic"``, and constant where it is a '
        'number.  ``"uniform"`` draws it in any case, so that ``tau`` matters at prediction '
        "only and one training serves every tau.",
        StrOptions({"same", "uniform"}),
        default="same",
    )
    warmup_epochs: int = setting(
        "Epochs at the start, counted in ``max_epochs``, in which the classifier alone learns, "
        "on random region masks: scattered ones, or those of every shape where there is a "
        "``random_share``.  Not part of the paper's method; helps networks without "
        "pretrained weights.",
        Interval(Integral, 0, None, closed="left"),
        default=0,
    )
    head_first: bool = setting(
        "Let the head of the classifier learn alone during the warm-up; what "
        "``networks__frozen_share`` leaves free joins it afterwards.  For pretrained networks: "
        "the gradients of a head that knows nothing yet would damage the layers below it "
        "(linear probing, then fine-tuning: Kumar et al., 2022).  A head of one linear layer "
        "begins with the weights of a logistic regression on the features of whole images.",
        "boolean",
        default=False,
    )
    random_share: float = setting(
        "Probability with which an image of a batch is classified under a random mask of any "
        "shape (:func:`p2pselect.nn.random_region_masks`) in the place of the selected one.  A "
        "classifier that sees the selected regions alone can learn the label from which they "
        "are; from random ones it can only learn what is in them, and it reads the selected "
        "ones better, too.  The selector learns from the other images, with as much weight on "
        "average.  With a smaller share fewer epochs are needed, but the label is less surely "
        "kept out of the choice of regions.  Not part of the paper's method, which is 0.",
        Interval(Real, 0, 1, closed="left"),
        default=0.7,
    )
    classifier_learns_from: str = setting(
        'With a ``random_share``: ``"all"`` masks, or ``"random"`` ones alone.  In the second '
        "case the selector learns which regions help a classifier that nobody has told what "
        "a selection means; it is less accurate after the same number of epochs.",
        StrOptions({"all", "random"}),
        default="all",
    )


def sample_tau(step: Step, tau_min: float) -> Tensor:
    """Draw tau ~ U[tau_min, 1] per image (section 3, dynamic thresholding)."""
    return tau_min + (1 - tau_min) * step.rand_like(step.images[:, 0, 0, 0])


def draw_masks(step: Step, areas: Tensor, tau_min: float) -> Tensor:
    """Draw random masks that keep a share of U[tau_min, 1], as tau is drawn."""
    return random_region_masks(step.regions, areas, tau_min, step.rand_like)


def _rows_of(step: Step, n_columns: int) -> Tensor:
    """What random numbers are drawn like: one row for every image."""
    return step.images.new_empty(len(step.images), n_columns)


@dataclass(frozen=True)
class P2PObjective:
    """Equation 5: cross-entropy on the masked image, sparsity hinge, covariance penalty.

    With ``tau=None`` every image and step draws its own (section 3, dynamic thresholding); a
    number is the constant threshold of the hinge (the paper's fixed variant, figure 4).
    """

    options: P2PObjectiveOptions
    tau_min: float
    tau: float | None = None

    def __call__(self, step: Step) -> dict[str, Tensor]:
        options = self.options
        is_random, rows = self._shared_out(step)
        images, regions = step.images, step.regions
        if len(rows) < len(images):
            images, regions = images[rows], regions[rows]
        of_all = step.model.score(images, regions)
        asked = self._asked(step, of_all, is_random)
        scores = of_all if asked is None else of_all.of(asked[rows])
        tau = self._tau(step)[rows]
        offset = step.model.selector.tau_offset(tau)
        mean, embeddings = scores.at(offset)
        start, end = options.temperature, options.final_temperature
        temperature = geometric_schedule(start, end, step.progress)
        logits = []
        for _ in range(options.n_samples_mc):
            sampled = mean
            if embeddings.shape[1]:
                noise = step.randn_like(_rows_of(step, embeddings.shape[1]))
                sampled = sample_logits(mean, embeddings, noise[rows])
            uniform = step.rand_like(_rows_of(step, mean.shape[1]))
            masks = relaxed_bernoulli(
                sampled, uniform[rows], temperature, options.straight_through
            )
            if is_random is not None:
                masks = self._beside_random(step, masks, rows, is_random)
            logits.append(step.model.classify(step.images, step.regions, masks, is_random))
        cross_entropy = step.cross_entropy(torch.stack(logits), asked=asked)
        terms = self._by_learner(cross_entropy, is_random)
        # Of the mean logits, as in the paper: their noise has no part in the penalty.
        p_bar = expected_kept_fraction(mean.sigmoid(), scores.areas)
        weight = options.sparsity_weight * sparsity_schedule(step.progress)
        of_selector = {"sparsity": weight * sparsity_hinge(p_bar, tau)}
        # Masks say which regions are right, and nothing about how many a tau stands for.
        told = of_all.at(offset.detach())[0]
        of_selector |= mask_terms(step, told, options.mask_weight, rows=rows)
        if embeddings.shape[1]:
            penalty = covariance_penalty(embeddings, scores.areas)
            of_selector["covariance"] = options.covariance_weight * penalty
        if is_random is None:
            return terms | of_selector
        # As large, on average, as if the selector had been asked about all images.
        share = ~is_random[rows] / (1 - options.random_share)
        nothing = torch.zeros_like(step.images[:, 0, 0, 0])
        return terms | {
            name: nothing.index_copy(0, rows, share * value)
            for name, value in of_selector.items()
        }

    def _shared_out(self, step: Step) -> tuple[Tensor | None, Tensor]:
        """Which images are classified under random masks (n,), and what the selector looks at.

        The former are no concern of the selector.  It looks at the rows of the others, and at
        all where it is frozen: what it says of those may be known.
        """
        every = torch.arange(len(step.images), device=step.images.device)
        if not self.options.random_share:
            return None, every
        uniform = step.rand_like(step.images[:, 0, 0, 0])
        is_random = uniform < self.options.random_share
        if getattr(step.model.selector.pixel_scorer, "frozen_share", 0) == 1:
            return is_random, every
        # Where several processes train, each waits for the others in its layers, and batch norm
        # has no statistics of a single image: it looks at two, even if nothing comes of it.
        n_rows = max(2, len(is_random) - int(is_random.sum()))
        # In their order: where they are all images, these are taken as they are.
        return is_random, is_random.int().argsort(stable=True)[:n_rows].sort().values

    def _asked(
        self, step: Step, scores: RegionScores, is_random: Tensor | None
    ) -> Tensor | None:
        """Which label every image (n,) is asked about, by its own mask; -1 for all of them.

        None where labels share a mask.  Half of the images are asked about all labels, because
        predictions are, and so are those under random masks.
        """
        if scores.by_label is None:
            return None
        n_labels = scores.by_label.shape[1]
        drawn = (2 * n_labels * step.rand_like(step.images[:, 0, 0, 0])).long()
        asks_all = drawn >= n_labels
        if is_random is not None:
            asks_all |= is_random
        return drawn.masked_fill(asks_all, -1)

    def _beside_random(
        self, step: Step, masks: Tensor, rows: Tensor, is_random: Tensor
    ) -> Tensor:
        """Random masks (n, d), with the selected ones in the rows that they belong to."""
        random = draw_masks(step, region_areas(step.regions), self.tau_min)
        masks = F.pad(masks, (0, random.shape[1] - masks.shape[1]))
        selected = torch.where(is_random[rows, None], random[rows], masks)
        return random.index_copy(0, rows, selected)

    def _by_learner(self, cross_entropy: Tensor, is_random: Tensor | None) -> dict[str, Tensor]:
        """Who learns from which images."""
        if is_random is None or self.options.classifier_learns_from == "all":
            return {"cross_entropy": cross_entropy}
        return {
            "classifier/cross_entropy": cross_entropy * is_random,
            "selector/cross_entropy": cross_entropy * ~is_random,
        }

    def _tau(self, step: Step) -> Tensor:
        if self.tau is None:
            return sample_tau(step, self.tau_min)
        return torch.full((len(step.images),), self.tau, device=step.images.device)


@dataclass(frozen=True)
class RandomMaskObjective:
    """Cross-entropy on random region masks: the classifier's warm-up (ours, not the paper's).

    Each region is kept with probability tau, drawn per image as in training.  With
    ``every_shape`` the masks are those that are drawn in the place of selected ones.
    """

    tau_min: float
    every_shape: bool = False

    def __call__(self, step: Step) -> dict[str, Tensor]:
        areas = region_areas(step.regions)
        if self.every_shape:
            masks = draw_masks(step, areas, self.tau_min)
        else:
            tau = sample_tau(step, self.tau_min)
            masks = (step.rand_like(areas) < tau[:, None]).to(areas.dtype)
        nobody_chose = torch.ones_like(step.index, dtype=torch.bool, device=masks.device)
        logits = step.model.classify(step.images, step.regions, masks, nobody_chose)
        return {"cross_entropy": step.cross_entropy(logits[None])}
